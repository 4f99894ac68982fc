"""The probe: which tests of a suite cannot run at the same time, found by running it.

The suite runs one by one, and then at several widths and in several orders. A test whose outcome
is another one then is disturbed by one of those beside it. It runs beside a few of them at a time,
then beside half of these, until it is known by which. The marks that are proposed are tried too.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, final

import pytest

from pytest_asyncio.collect import options

from .probe_run import PLAN

ROUNDS: Final = 5
"""How many times marks are proposed at most, and tried."""
MOST: Final = 20
"""For how many tests in a round those are looked for that disturb them."""
NARROW: Final = 4
"""A width besides the widest: with fewer tests beside them, others meet."""
FEW: Final = 8
"""How many tests are run with one that differs: so few that all of them overlap."""
MOST_PAIRS: Final = 100
"""With how many others a test is run, one by one, where it is found in no other way."""
_EXTRA_TIME: Final = 20.0
"""Seconds that a run may take longer than one by one, before what has not ended is missing."""
_OPTION: Final = "--asyncio-concurrent-probe"


class Outcome(NamedTuple):
    """What came of a test."""

    name: str
    why: str = ""
    beside: Sequence[str] = ()
    """The tests that ran at the same time."""


Outcomes = dict[str, Outcome]
_MISSING: Final = Outcome("missing", "it did not end")


class _Arrangement(NamedTuple):
    """How the tests of a suite run."""

    order: Sequence[str]
    width: int


class _Pair(NamedTuple):
    """Two tests, of which one fails beside the other."""

    by: str
    disturbed: str
    why: str


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the suite in other processes, unless it cannot be collected, which pytest says itself."""
    if session.testsfailed:
        return None
    with TemporaryDirectory(prefix="pytest-asyncio-") as folder:
        session.testsfailed = _Probe(session.config, Path(folder)).report()
    return True


@final
class _Probe:
    """Runs a suite time and again."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self._reporter: Final[Any] = config.pluginmanager.getplugin("terminalreporter")
        self._widest: Final = max(2, options.of(config).concurrency)
        self._folder: Final = config.invocation_params.dir
        given = [str(each) for each in config.invocation_params.args if each != _OPTION]
        has_xdist = config.pluginmanager.hasplugin("xdist")
        self._command: Final = [
            *(sys.executable, "-m", "pytest", "-p", f"{__package__}.probe_run", *given),
            *("-p", "no:cacheprovider", "--maxfail=0", "-o", "asyncio_concurrent=true"),
            *(["-n0"] if has_xdist else []),
        ]
        self._plan: Final = folder / "plan.json"
        self._results: Final = folder / "results.jsonl"
        self._seconds: Final = defaultdict[str, float](float)
        """How long each test takes, and, by the name "", what surrounds them."""
        self._runs = 0
        self._one_by_one: Outcomes = {}
        self._in_orders: Final[dict[Sequence[str], Outcomes]] = {}
        """What came of them one by one in other orders."""
        self._alone: Final[dict[str, None]] = {}
        """The tests that are to be marked, in the order in which that was found."""
        self._depend_on_order: Final = set[str]()

    def report(self) -> int:
        """Run the suite, say what was found, and return how many tests are to be marked."""
        start = time.monotonic()
        self._one_by_one = self._run(_Arrangement((), 1), all_tests=True)
        self._in_orders[tuple(self._one_by_one)] = {}
        self._seconds[""] = time.monotonic() - start - sum(self._seconds.values())
        if not self._one_by_one:
            return 0
        pairs: list[_Pair] = []
        for _ in range(ROUNDS):
            found = self._pairs()
            if not found:
                break
            pairs += found
            self._alone.update(dict.fromkeys(cover(found)))
        else:
            found = self._pairs()
        self._say(pairs, [pair.disturbed for pair in found], time.monotonic() - start)
        return len(self._alone)

    def _arrangements(self) -> Iterator[_Arrangement]:
        order = tuple(self._one_by_one)
        for width in sorted({min(NARROW, self._widest), self._widest}):
            yield _Arrangement(order, width)
        for seed in (1, 2):
            yield _Arrangement(shuffled(order, seed), self._widest)

    def _pairs(self) -> list[_Pair]:
        """Run the suite in each arrangement, and find what disturbs the tests that differ."""
        pairs: dict[str, _Pair] = {}
        for arrangement in self._arrangements():
            for name, outcome in self._differing(self._run(arrangement), arrangement).items():
                if name in pairs or name in self._depend_on_order or len(pairs) == MOST:
                    continue
                by = self._disturber(name, outcome, arrangement, pairs)
                if by is None:
                    self._depend_on_order.add(name)
                else:
                    pairs[name] = _Pair(by, name, outcome.why)
        return [*pairs.values()]

    def _differing(self, outcomes: Outcomes, arrangement: _Arrangement) -> Outcomes:
        """Return the outcomes that are others than one by one, up to a test that does not end."""
        differing: Outcomes = {}
        for name in arrangement.order:
            outcome = outcomes.get(name, _MISSING)
            if outcome.name != self._one_by_one[name].name:
                differing[name] = outcome
            if outcome is _MISSING:
                break
        return differing

    def _disturber(
        self, name: str, outcome: Outcome, arrangement: _Arrangement, known: Iterable[str]
    ) -> str | None:
        """Return the test that disturbs another one.

        Its own name stands for several together, and None for their order, also one by one.
        """
        others = [other for other in arrangement.order if other != name]
        suspects = [other for other in others if other in outcome.beside] or others
        likely = [[other] for other in known if other in suspects]
        failing = self._failing(name, [*likely, *slices(suspects, FEW)], arrangement)
        if failing is None:
            if name in self._differing_one_by_one(arrangement.order):
                return None
            failing = self._failing(name, slices(suspects, 1)[:MOST_PAIRS], arrangement)
        while failing is not None and len(failing) > 1:
            halves = slices(failing, (len(failing) + 1) // 2)
            failing = self._failing(name, [*halves, *slices(failing, 1)], arrangement)
        return name if failing is None else failing[0]

    def _failing(
        self, name: str, groups: Iterable[Sequence[str]], arrangement: _Arrangement
    ) -> Sequence[str] | None:
        """Return the first group of tests beside which a test differs, and not after them."""
        for group in groups:
            chosen = {name, *group}
            order = tuple(each for each in arrangement.order if each in chosen)
            if self._differs(name, order, arrangement.width) and not self._differs(name, order, 1):
                return group
        return None

    def _differing_one_by_one(self, order: Sequence[str]) -> Outcomes:
        """Return the outcomes that are others in another order, with no test beside another."""
        if order not in self._in_orders:
            alone = _Arrangement(order, 1)
            self._in_orders[order] = self._differing(self._run(alone), alone)
        return self._in_orders[order]

    def _differs(self, name: str, order: Sequence[str], width: int) -> bool:
        outcomes = self._run(_Arrangement(order, width))
        return outcomes.get(name, _MISSING).name != self._one_by_one[name].name

    def _run(self, arrangement: _Arrangement, *, all_tests: bool = False) -> Outcomes:
        """Run tests in a process of their own, and return what came of each, in their order."""
        files = {_file_of(name) for name in arrangement.order}
        plan = {
            "tests": None if all_tests else arrangement.order,
            "ignored": [*{_file_of(name) for name in self._one_by_one} - files],
            "alone": [*self._alone],
            "results": str(self._results),
        }
        self._plan.write_text(json.dumps(plan), encoding="utf-8")
        self._results.unlink(missing_ok=True)
        self._runs += 1
        try:
            done = subprocess.run(
                [*self._command, f"--asyncio-concurrency={arrangement.width}"],
                cwd=self._folder,
                env={**os.environ, PLAN: str(self._plan)},
                capture_output=True,
                text=True,
                check=False,
                timeout=self._limit(arrangement),
            )
        except subprocess.TimeoutExpired:
            return self._read()
        if not self._results.exists():
            self._reporter.write_line(f"{done.stdout}{done.stderr}".rstrip())
        return self._read()

    def _limit(self, arrangement: _Arrangement) -> float | None:
        """Return how many seconds a run may take: that of all tests, the first one, any."""
        if not self._one_by_one:
            return None
        return sum(map(self._seconds.__getitem__, ("", *arrangement.order)), _EXTRA_TIME)

    def _read(self) -> Outcomes:
        outcomes: Outcomes = {}
        if self._results.exists():
            for line in self._results.read_text(encoding="utf-8").splitlines():
                name, when, seconds, *outcome = json.loads(line)
                if not self._one_by_one:
                    self._seconds[name] += seconds
                if when == "call" or outcome[0] != "passed":
                    outcomes[name] = Outcome(*outcome)
        return outcomes

    def _say(self, pairs: Sequence[_Pair], left: Iterable[str], seconds: float) -> None:
        write = self._reporter.write_line
        self._reporter.section("tests that disturb each other")
        for by, disturbed, why in pairs:
            name = "several tests together" if by == disturbed else by
            write(f"{disturbed} differs beside {name}: {why}")
        for name in sorted(self._depend_on_order):
            write(f"{name} depends on the order of the tests, also one by one")
        if self._alone:
            write("\nWrite @pytest.mark.asyncio(concurrent=False) at")
            for name in self._alone:
                write(f"    {name}")
        for name in left:
            write(f"{name} differs although these run alone")
        write(
            f"\n{len(self._one_by_one)} tests ran {self._runs} times, up to {self._widest} of them "
            f"at the same time, in {seconds:.0f} s."
        )


def shuffled(tests: Sequence[str], seed: int) -> tuple[str, ...]:
    """Return tests in another order, where those of a module, and of a class, stay together."""
    rng = random.Random(seed)
    ranks = {
        name: rng.random() for name in sorted({part for test in tests for part in _path(test)})
    }
    return tuple(sorted(tests, key=lambda test: [ranks[part] for part in _path(test)]))


def slices(tests: Sequence[str], size: int) -> list[Sequence[str]]:
    return [tests[start : start + size] for start in range(0, len(tests), size)]


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def _path(test: str) -> list[str]:
    """Return the module of a test, its classes, and the test itself, each by its whole name."""
    parts = test.partition("[")[0].split("::")
    return [*("::".join(parts[: end + 1]) for end in range(len(parts) - 1)), test]


def cover(pairs: Iterable[_Pair]) -> list[str]:
    """Return tests that are to run alone, so that one of each pair does: few, if not the fewest."""
    left: list[_Pair] = list(pairs)
    chosen: list[str] = []
    while left:
        counts = Counter(name for pair in left for name in (pair.by, pair.disturbed))
        [(name, _)] = counts.most_common(1)
        chosen.append(name)
        left = [pair for pair in left if name not in (pair.by, pair.disturbed)]
    return chosen
