"""Every fault at every place: what is right after each is in `faults.py`.

One cell in sixteen is run, always the same; all of them with `FAULTS=all`, for half an hour.
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
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from faults import EXITS, FAILS, FAULTS, INTERRUPTS, PASSES, Cell

PLACES = ("collection", "setup of a coroutine fixture", "setup", "call", "teardown")
CODES = ("async", "sync", "xdist")

TESTS = (
    "test_before",
    "test_fault",
    "test_after",
    "test_behind",
    "test_next",
    "test_other",
    "test_last",
)
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
SHARE = 1 if os.environ.get("FAULTS") == "all" else 16


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
    if cell.code == "sync" and cell.place == "setup of a coroutine fixture":
        return "a coroutine is not synchronous"
    if cell.code == "sync" and needs_loop:
        return "no loop runs"
    if cell.code != "sync" and "while it stands" in cell.fault:
        return "the loop does not stand still"
    if cell.fault == "task factory that raises" and cell.place != "call":
        return "a fixture may give its loop a task factory, and that one lets no test run"
    return None


CELLS = [
    cell
    for cell in itertools.starmap(Cell, itertools.product(FAULTS, PLACES, LAST_OF, CODES))
    if reason_to_skip(cell) is None and zlib.crc32(str(cell).encode()) % SHARE == 0
]


def group_of(cell: Cell) -> str:
    """What cells that share a process have in common; it keeps them in one worker of xdist too."""
    return f"{cell.fault}, {cell.code}"


@pytest.fixture(scope="session")
def run(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[Cell], dict[str, Any]]:
    """Run a cell, and along with it those of its group that are to run too."""
    seen: dict[Cell, dict[str, Any]] = {}
    groups: dict[str, list[Cell]] = defaultdict(list)
    for item in request.session.items:
        if "cell" in getattr(item, "fixturenames", ()):
            cell = item.callspec.params["cell"]
            groups[group_of(cell)].append(cell)

    def run_group(cell: Cell) -> dict[str, Any]:
        group = groups.pop(group_of(cell), ())
        if group:
            died = {"died": "with the cell before it"}
            results = run_in_one_process(group, tmp_path_factory.mktemp("cells"))
            seen.update(itertools.zip_longest(group, results, fillvalue=died))
        return seen[cell]

    return run_group


def run_in_one_process(cells: Sequence[Cell], folder: Path) -> Iterator[dict[str, Any]]:
    env = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(HERE),
        "TRACE": str(folder / "trace"),
    }
    process = subprocess.run(
        [sys.executable, HERE / "cells.py"],
        cwd=folder,
        env=os.environ | env,
        input="".join(f"{json.dumps(asdict(cell))}\n" for cell in cells),
        capture_output=True,
        text=True,
        check=False,
    )
    for line in process.stdout.splitlines():
        yield json.loads(line)
    if process.returncode:
        yield {"died": process.stderr}


@pytest.mark.parametrize(
    "cell",
    [pytest.param(cell, marks=pytest.mark.xdist_group(group_of(cell))) for cell in CELLS],
    ids=str,
)
def test_after_a_fault_all_is_well(run, cell):
    seen = run(cell)
    assert "died" not in seen, seen["died"]
    fault = FAULTS[cell.fault]
    sys.stdout.write("\n".join((seen["output"], *seen["trace"])))
    assert_ended(cell, fault, seen["code"])
    assert_reported(cell, fault, seen["reports"])
    assert_torn_down(cell, fault, seen["trace"])
    assert_nothing_is_left(cell, fault, seen["trace"])
    assert_told(fault.logged, seen["logs"])
    assert_told(fault.warned, [text for text in seen["warnings"] if not CLOSED.search(text)])


def fails_late(cell, fault):
    """Whether what fails is the teardown of what has been set up on a loop."""
    return cell.code == "sync" and fault.ends_loop


def are_forgotten(cell, fault):
    """Whether pytest forgets the finalizers of the session that come after the one that raises.

    It does for what is neither an `Exception` nor an outcome of its own, and for Ctrl-C that comes
    again while the first one waits for those finalizers.
    """
    if (cell.place, cell.scope) != ("teardown", "session"):
        return False
    if cell.code == "sync":
        return cell.fault in ("Ctrl-C", "SystemExit", "GeneratorExit", "CancelledError")
    return cell.fault == "Ctrl-C, swallowed, and again"


def places_of_failures(cell, fault):
    """The tests that fail, each with its phase."""
    last = LAST_OF[cell.scope], "teardown"
    if fails_late(cell, fault) and cell.place == "call":  # The test's own fixture is on that loop.
        return list(dict.fromkeys([("test_fault", "teardown"), last]))
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


def assert_nothing_is_left(cell, fault, trace):
    left = [event for event in trace if event.startswith("left")]
    if fault.is_stubborn or are_forgotten(cell, fault):
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


def assert_torn_down(cell, fault, trace):
    """Each fixture that was set up is torn down once, and before what it needs.

    One whose loop has been closed cannot be.
    """
    lost = {"below", "faulty", "above"} if fault.ends_loop else set()
    if cell.scope == "session":
        lost |= {"wide"} if fault.ends_loop else set()
    if are_forgotten(cell, fault):
        lost |= {"below", "below_in_sync", "wide"}
    standing = []
    for event in trace:
        what, _, name = event.partition(" ")
        if what == "up":
            standing.append(name)
        elif what == "down":
            while standing[-1] != name:
                assert standing.pop() in lost
            standing.pop()
    assert set(standing) <= lost
    assert [event for event in trace if event.startswith("test_")] == names_of(cell, fault)
    ended = "swallowed" if fault.is_stubborn and fault.ends_loop else "ended"
    assert trace[trace.index("fault") + 1] == ended


def names_of(cell, fault):
    """The tests that run."""
    if cell.place == "collection" and fault.result != PASSES:
        runs_others = cell.code == "xdist" and fault.result == FAILS
        return list(TESTS[TESTS.index("test_next") :]) if runs_others else []
    if fault.result in (PASSES, FAILS):
        if fault.result == FAILS and ("test_fault", "setup") in places_of_failures(cell, fault):
            return [name for name in TESTS if name != "test_fault"]
        return list(TESTS)
    if cell.place == "teardown":
        return list(TESTS[: TESTS.index(LAST_OF[cell.scope]) + 1])
    return list(TESTS[: 2 if cell.place == "call" else 1])
