"""Features beside one another: the cells of a matrix, and what has to hold in each of them."""

from __future__ import annotations

import faulthandler
import gc
import importlib.util
import itertools
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from feature import Feature
from features import FEATURES

PATIENCE: Final = 60
"""Seconds after which a session hangs."""

HEADER: Final = """
    import asyncio, contextlib, os, signal, socket, threading, time
    import pytest, pytest_asyncio

    signal.signal(signal.SIGINT, signal.default_int_handler)
    KEPT = []
    FOLDER = os.path.dirname(__file__)

    def note(what):
        with open(os.path.join(FOLDER, "events"), "a") as file:
            file.write(what + "\\n")

    async def hang():
        await asyncio.Event().wait()

    BEGUN = set()

    async def meet(name, other):
        note(f"begin {name}")
        BEGUN.add(name)
        for _ in range(100):  # A machine that is busy takes its time to begin the other one.
            await asyncio.sleep(0.01)
            if other in BEGUN:
                break
        note(f"end {name}")
"""

CONFTEST: Final = """
    import asyncio, json, os
    import pytest, pytest_asyncio

    class Seen:
        def pytest_runtest_logreport(self, report):
            what = report.nodeid, report.when, report.outcome, report.longreprtext
            with open(os.path.join(os.path.dirname(__file__), "reports"), "a") as file:
                file.write(json.dumps(what) + "\\n")

    def pytest_configure(config):
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(Seen())
"""

DEBUGGER: Final = """
    import pdb

    class Debugger(pdb.Pdb):
        def interaction(self, *args):
            pass
"""

ONE_BY_ONE: Final = (
    "concurrent tests run one after another, because",
    "tests with a virtual clock run one after another",
)
"""What the report says where tests do not run at the same time."""

_DEADLOCK: Final = "Deadlock: every task of the event loop waits", "a deadlock takes no time"
GIVES_WAY: Final = {
    ("live loops", "virtual clock"): (
        "asyncio: asyncio_live is not in force for tests with a virtual clock",
        "what is synchronous waits in real time",
    ),
    **dict.fromkeys(
        (
            ("virtual clock", "uvloop"),
            ("uvloop", "virtual clock"),
            ("late clock", "uvloop"),
        ),
        (
            r"clock='virtual' needs an event loop of asyncio's own",
            "uvloop keeps its time in a way of its own",
        ),
    ),
    ("wide loops", "loop scope auto"): (
        "asyncio: asyncio_default_test_loop_scope=session is not in force",
        "each says on which loop all tests are",
    ),
    ("uvloop", "parametrized factories"): (
        "asyncio: asyncio_loop_factory is not in force where the hook",
        "each says what makes the loops",
    ),
    ("Ctrl-C", "--pdb"): (
        "(?s)E +KeyboardInterrupt.*entering PDB",
        "with a debugger, pytest lets it be looked at",
    ),
    ("Ctrl-C", "xdist"): (
        "crashed while running .*test_is_interrupted",
        "to pytest-xdist, a worker that Ctrl-C ends has crashed",
    ),
    **{
        (feature, "virtual clock"): _DEADLOCK
        for feature in (
            "pytest-timeout",
            "time-out in a setup",
            "time-out in a teardown",
            "time-out of a refusal to end",
            "time-out of a wait",
        )
    },
}
"""What the report has in place of what a feature alone says, beside another one, and why."""

NOT_TOGETHER: Final = {
    frozenset({"xdist", "--pdb"}): "pytest-xdist refuses to run tests elsewhere with a debugger",
    frozenset({"concurrent", "virtual clock", "uvloop"}): "no test runs, for none has a loop",
    frozenset({"concurrent", "loop settings", "debug mode"}): (
        "a test looks at what another one sets on the loop that they share"
    ),
}
"""Cells that cannot be, each with its reason."""

STACKS: Final = re.compile(r"(?s)~+ Stack of pytest-asyncio alarms.*?\n[~+]+")
"""pytest-timeout shows what each thread does."""

FORBIDDEN: Final = re.compile(
    r"INTERNALERROR|All traceback entries are hidden|Exception ignored in"
    r"|pytest_asyncio/(?:support|collect|engine|features|plugin|user_fixtures)\S*\.py"
)


@dataclass(frozen=True)
class Cell:
    """Features that are on together."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return " x ".join(self.names)

    @property
    def features(self) -> dict[str, Feature]:
        return {name: FEATURES[name] for name in self.names}

    def why_not(self) -> str | None:
        """Return the reason why the cell cannot be, if there is one."""
        for names, reason in NOT_TOGETHER.items():
            if names <= {*self.names}:
                return reason
        for feature in self.features.values():
            if feature.needs and importlib.util.find_spec(feature.needs) is None:
                return f"there is no {feature.needs}"
        return None

    def right(self, expected: str) -> set[str]:
        """Return which outcomes are right where a feature expects one."""
        if expected != "warned":
            return {expected}
        return {"failed", "error"} if "checks as errors" in self.names else {"passed"}


@dataclass(frozen=True)
class Seen:
    """What a session has shown."""

    text: str
    reports: list[tuple[str, str, str, str]]
    """Of each: the name of the test, the phase, the outcome, and the text."""
    events: list[str]
    trace: str

    def outcomes(self, test: str) -> set[str]:
        """Return what came of a test, with each of its parameters, if it is known by its end."""
        outcomes: dict[str, str] = {}
        ended = {nodeid for nodeid, when, *_ in self.reports if when not in ("setup", "call")}
        for nodeid, when, outcome, _ in self.reports:
            if nodeid not in ended or nodeid.split("::")[-1].partition("[")[0] != test:
                continue
            if outcome == "failed" and when != "call":
                outcomes[nodeid] = "error"
            elif when == "call" and outcomes.get(nodeid) != "failed":
                outcomes[nodeid] = outcome
        return set(outcomes.values())


def run(cell: Cell, pytester: pytest.Pytester) -> Seen:
    """Run the suite of a cell."""
    folder = pytester.path
    features = cell.features.values()
    write(folder / "test_it.py", HEADER, *(feature.tests for feature in features))
    write(folder / "conftest.py", CONFTEST, *(feature.conftest for feature in features))
    write(folder / "debugger.py", DEBUGGER)
    settings = [textwrap.dedent(feature.ini).strip() for feature in features]
    lines = ["[pytest]", "asyncio_mode = auto", "pythonpath = .", *settings]
    (folder / "pytest.ini").write_text("\n".join(lines), encoding="utf-8")
    checks = {check for feature in features for check in feature.checks}
    args = [
        "-pno:cacheprovider",
        "-ppytest_asyncio.plugin",
        "-Wdefault",
        *itertools.chain.from_iterable(feature.args for feature in features),
        *([f"--asyncio-checks={','.join(sorted(checks))}"] if checks else []),
    ]
    faulthandler.dump_traceback_later(PATIENCE, exit=True)  # pytest-timeout may be a feature.
    if any(feature.is_process for feature in features):
        result = pytester.runpytest_subprocess(*args, timeout=PATIENCE)
    else:
        result = pytester.runpytest_inprocess(*args, no_reraise_ctrlc=True)
    faulthandler.cancel_dump_traceback_later()
    gc.collect()  # What is freed later would be seen by another cell.
    trace = folder / "trace.json"
    return Seen(
        result.stdout.str() + result.stderr.str(),
        [json.loads(line) for line in read(folder / "reports").splitlines()],
        read(folder / "events").splitlines(),
        read(trace),
    )


def write(path: Path, *parts: str) -> None:
    path.write_text("\n".join(map(textwrap.dedent, parts)), encoding="utf-8")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def broken(cell: Cell, seen: Seen) -> Iterator[str]:
    """Yield what does not hold: of what each feature promises alone, and of what always holds."""
    for found in FORBIDDEN.finditer(STACKS.sub("", seen.text)):
        yield f"the report has {found[0]!r}"
    for name in cell.names:
        pairs = [(name, other) for other in cell.names if (name, other) in GIVES_WAY]
        for pair in pairs:
            yield from unsaid(GIVES_WAY[pair][:1], seen)
        if not pairs:
            yield from broken_by(cell, name, seen)


def broken_by(cell: Cell, name: str, seen: Seen) -> Iterator[str]:
    """Yield what does not hold of what a feature promises."""
    feature = FEATURES[name]
    outcomes = {test: seen.outcomes(test) for test in feature.outcomes}
    for test, expected in feature.outcomes.items():
        if not outcomes[test] <= cell.right(expected):
            yield f"{test}: {outcomes[test]}, not {expected}"
    if not all(outcomes.values()):
        if not any(FEATURES[other].ends_session for other in cell.names):
            yield f"not all are reported: {outcomes}"
        return
    yield from unsaid(feature.said, seen)
    are_one_by_one = any(line in seen.text for line in ONE_BY_ONE)
    if feature.overlap and not (are_one_by_one or overlap(feature, seen)):
        yield f"{feature.overlap} do not overlap"
    if name == "trace":
        traced = json.loads(seen.trace)["traceEvents"]
        if not any("test_is_traced" in str(event.get("name")) for event in traced):
            yield "the trace has no test"


def unsaid(patterns: Iterable[str], seen: Seen) -> Iterator[str]:
    return (f"nothing says {it!r}" for it in patterns if not re.search(it, seen.text))


def overlap(feature: Feature, seen: Seen) -> bool:
    """Tell whether its tests have been going on at the same time."""
    going_on: set[str] = set()
    for event in seen.events:
        what, _, test = event.partition(" ")
        (going_on.add if what == "begin" else going_on.discard)(test)
        if going_on.issuperset(feature.overlap):
            return True
    return False
