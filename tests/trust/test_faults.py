"""Every fault at every place: what is right after each is in `faults.py`.

Of each fault at each place one cell is run, always the same; all of them with `FAULTS=all`.
"""

from __future__ import annotations

import inspect
import itertools
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from faults import EXITS, FAILS, FAULTS, INTERRUPTS, PASSES, Cell

PLACES = ("collection", "setup of a coroutine fixture", "setup", "call", "teardown")
CODES = ("async", "sync", "concurrent", "xdist")

TESTS = (
    "test_before",
    "test_fault",
    "test_after",
    "test_behind",
    "test_next",
    "test_other",
    "test_last",
)
OTHERS = frozenset(TESTS) - {"test_fault"}
FIXTURES = ("wide", "below", "below_in_sync", "faulty", "above", "above_in_sync")
LAST_OF = {
    "function": "test_fault",
    "class": "test_after",
    "module": "test_behind",
    "package": "test_next",
    "session": "test_last",
}

INTERNAL_ERROR = 3
CLOSED = re.compile("cannot be torn down: its event loop is closed")
HERE = Path(__file__).parent


ONLY_LOGGED = ("pytest.exit in a callback", "pytest.fail in a callback")
"""What asyncio's own loops log and go on."""


def reason_to_skip(cell: Cell) -> str | None:
    fault = FAULTS[cell.fault]
    needs_loop = inspect.iscoroutinefunction(fault.act)
    if cell.code == "xdist" and fault.result == EXITS:
        return "pytest-xdist itself has an internal error then, also where all is synchronous"
    if cell.place == "collection":
        if cell.code == "xdist" and "SystemExit" in fault.shown:
            return "the worker ends, and pytest-xdist finds no tests, also where all is synchronous"
        if cell.scope != "function":
            return "no scope has begun"
        if needs_loop and cell.code == "sync":
            return "no loop runs"
        if fault.timeout or fault.is_stubborn or cell.fault in ONLY_LOGGED:
            return "the suite's own asyncio.run() would wait for ever"
        if cell.fault == "SystemExit in another task":
            return "the suite's own asyncio.run() logs it, whenever it is collected"
        if "while it stands" in cell.fault:
            return "no loop stands"
        if cell.fault == "loop replaced":
            return "what is current before the tests is current after them"
    if fault.yields_again and cell.place != "teardown":
        return "the first yield is no fault"
    if cell.code == "concurrent":
        if cell.place == "collection":
            return "nothing runs at the same time"
        if cell.fault == "task factory that raises":
            return "the other tests have that task factory too"
        if cell.fault == "signal that raises while the loop waits" and cell.is_among_others:
            return "it comes from no test, and fails the one that is to be reported next"
    if cell.code == "sync" and cell.place == "setup of a coroutine fixture":
        return "a coroutine is not synchronous"
    if cell.code == "sync" and needs_loop:
        return "no loop runs"
    if cell.code != "sync" and "while it stands" in cell.fault:
        return "the loop does not stand still"
    if cell.fault == "task factory that raises" and (cell.place, cell.scope) != (
        "call",
        "function",
    ):
        return "a loop keeps the task factory that it is given, and that one lets no test run"
    return None


CELLS = [
    cell
    for cell in itertools.starmap(Cell, itertools.product(FAULTS, PLACES, LAST_OF, CODES))
    if reason_to_skip(cell) is None
]
if os.environ.get("FAULTS") != "all":
    CELLS = [
        min(cells, key=lambda cell: zlib.crc32(str(cell).encode()))
        for _, cells in itertools.groupby(CELLS, key=lambda cell: (cell.fault, cell.place))
    ]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Cell], dict[str, Any]]]:
    """Run a cell, in a process that lives until one is the death of it."""
    processes: list[tuple[subprocess.Popen[str], Path]] = []

    def run(cell: Cell) -> dict[str, Any]:
        if not processes:
            folder = tmp_path_factory.mktemp("cells")
            processes.append((start(folder), folder))
        process, folder = processes[-1]
        print(json.dumps(asdict(cell)), file=process.stdin)
        answer = process.stdout.readline()
        if not answer:
            process.communicate()
            processes.clear()
            pytest.fail(f"The process died: {(folder / 'errors').read_text()}", pytrace=False)
        return json.loads(answer)

    yield run
    for process, _ in processes:
        process.communicate()


def start(folder: Path) -> subprocess.Popen[str]:
    env = {
        "PYTEST_DEBUG_TEMPROOT": str(folder),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(HERE),
        "TRACE": str(folder / "trace"),
    }
    with (folder / "errors").open("w") as errors:
        return subprocess.Popen(
            [sys.executable, HERE / "cells.py"],
            cwd=folder,
            env=os.environ | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
        )


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_after_a_fault_all_is_well(run, cell):
    seen = run(cell)
    fault = FAULTS[cell.fault]
    sys.stdout.write("\n".join((seen["output"], *seen["trace"])))
    assert_ended(cell, fault, seen["code"])
    assert_reported(cell, fault, seen["reports"])
    assert_tests_ran(cell, fault, seen["reports"], seen["trace"])
    assert_torn_down(cell, fault, seen["trace"])
    assert_nothing_is_left(fault, seen["trace"])
    assert_told(fault.logged, [text for text in seen["logs"] if not is_of_lost(fault, text)])
    assert_told(fault.warned, [text for text in seen["warnings"] if not CLOSED.search(text)])


def fails_late(cell, fault):
    """Whether what fails is the teardown of what has been set up on a loop."""
    return cell.code == "sync" and fault.ends_loop


def places_of_failures(cell, fault):
    """The tests that fail, each with its phase."""
    last = LAST_OF[cell.scope], "teardown"
    if fails_late(cell, fault) and cell.place == "call":
        return [("test_fault", "teardown")]  # The test's own fixture; others are set up anew.
    if fails_late(cell, fault) or cell.place == "teardown":
        return [last]
    return [("test_fault", cell.place.partition(" ")[0])]


def assert_ended(cell, fault, code):
    if cell.place == "collection" and cell.code == "xdist" and fault.result == FAILS:
        assert code == FAILS
    elif cell.place == "collection" and fault.result in (FAILS, EXITS):
        assert code == (INTERNAL_ERROR if "SystemExit" in fault.shown else INTERRUPTS)
    else:
        assert code == fault.result


def is_of_lost(fault, text):
    """Whether asyncio tells of the task of a fixture that cannot be torn down, when it is freed."""
    return fault.ends_loop and text == "logged Task was destroyed but it is pending!"


def assert_nothing_is_left(fault, trace):
    left = [event for event in trace if event.startswith("left")]
    if fault.is_stubborn:
        left = [event for event in left if not event.startswith("left task")]
    assert left == []


def assert_told(pattern, texts):
    """Nothing, or what is expected, once or more."""
    assert bool(texts) == bool(pattern)
    for text in texts:
        assert re.search(pattern, text)


def assert_reported(cell, fault, reports):
    if cell.place == "collection":
        return
    failures = [(name, when, text) for name, when, outcome, text in reports if outcome != "passed"]
    if fault.result == FAILS:
        assert [failure[:2] for failure in failures] == places_of_failures(cell, fault)
        assert re.search(fault.shown, failures[0][2], re.MULTILINE)
    elif cell.code == "xdist" and fault.result == INTERRUPTS:
        # For xdist, a worker that Ctrl-C ends has crashed.
        ((item, _),) = places_of_failures(cell, fault)
        assert [failure[:2] for failure in failures] == [(item, "???")]
    else:
        assert failures == []


def assert_tests_ran(cell, fault, reports, trace):
    """The tests that are reported have run once, and in their order."""
    ran = [event for event in trace if event.startswith("test_")]
    reported = [name for name, when, *_ in reports if when == "call"]
    expected = names_of(cell, fault)
    if cell.is_among_others and fault.result == INTERRUPTS:  # At once, whatever else runs.
        expected = expected[: len(reported)]
    assert reported == expected
    assert set(reported) <= set(ran)
    assert len(ran) == len(set(ran))


def names_of(cell, fault):
    """The tests whose call is reported."""
    if cell.place == "collection" and fault.result != PASSES:
        runs_others = cell.code == "xdist" and fault.result == FAILS
        return list(TESTS[TESTS.index("test_next") :]) if runs_others else []
    if fault.result in (PASSES, FAILS):
        if fault.result == FAILS and ("test_fault", "setup") in places_of_failures(cell, fault):
            return [name for name in TESTS if name != "test_fault"]
        return list(TESTS)
    if cell.place == "teardown":
        return list(TESTS[: TESTS.index(LAST_OF[cell.scope]) + 1])
    return ["test_before"]


def assert_torn_down(cell, fault, trace):
    """Each fixture that was set up is torn down once, and before what it needs.

    One whose loop has been closed cannot be. What goes wrong has ended before that.
    """
    lost = {"below", "faulty", "above"} if fault.ends_loop else set()
    if cell.scope == "session" and fault.ends_loop:
        lost.add("wide")
    standing = set()
    for event in trace:
        what, _, fixture = event.partition(" ")
        if what == "up":
            assert fixture not in standing or names({fixture}) <= lost
            standing.add(fixture)
        elif what == "down":
            standing.remove(fixture)
            left = {other for other in standing if needs(other, fixture)}
            assert names(left) <= lost
            standing -= left
    assert names(standing) <= lost
    own = [event for event in trace if event.rpartition(" ")[2] not in OTHERS]
    assert own[own.index("fault") + 1] == (
        "swallowed" if fault.is_stubborn and fault.ends_loop else "ended"
    )


def needs(fixture, other):
    """Whether a fixture depends on another one, which is wider or of the same test."""
    name, _, test = fixture.partition(" ")
    other_name, _, other_test = other.partition(" ")
    return FIXTURES.index(name) > FIXTURES.index(other_name) and other_test in ("", test)


def names(fixtures):
    return {fixture.partition(" ")[0] for fixture in fixtures}
