"""The probe: which tests of a suite cannot run at the same time, found by running it.

The suite runs one by one, and then at several widths and in several orders. A test whose outcome
is another one then is disturbed by one of those beside it: half of them are left out, and half of
those that are left, until it is known by which. The marks that are proposed are tried too.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
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
_EXTRA_TIME: Final = 60.0
"""Seconds that a run may take longer than the first one, before what has not ended is missing."""
_OPTION: Final = "--asyncio-concurrent-probe"


class Outcome(NamedTuple):
    """What came of a test."""

    name: str
    why: str = ""


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
        self._seconds: float | None = None
        self._runs = 0
        self._one_by_one: Outcomes = {}
        self._alone: Final[dict[str, None]] = {}
        """The tests that are to be marked, in the order in which that was found."""
        self._depend_on_order: Final = set[str]()

    def report(self) -> int:
        """Run the suite, say what was found, and return how many tests are to be marked."""
        start = time.monotonic()
        self._one_by_one = self._run(_Arrangement((), 1), all_tests=True)
        self._seconds = time.monotonic() - start
        if not self._one_by_one:
            return 0
        pairs: list[_Pair] = []
        for _ in range(ROUNDS):
            disturbed = self._disturbed()
            if not disturbed:
                break
            found = [self._pair(name, *each) for name, each in [*disturbed.items()][:MOST]]
            pairs += found
            self._alone.update(dict.fromkeys(cover(found)))
        else:
            disturbed = self._disturbed()
        self._say(pairs, disturbed, time.monotonic() - start)
        return len(self._alone)

    def _arrangements(self) -> Iterator[_Arrangement]:
        order = tuple(self._one_by_one)
        for width in sorted({2, self._widest}):
            yield _Arrangement(order, width)
        for seed in (1, 2):
            yield _Arrangement(shuffled(order, seed), self._widest)

    def _disturbed(self) -> dict[str, tuple[_Arrangement, Outcome]]:
        """Return the tests that differ where they run beside others, and where each does."""
        disturbed: dict[str, tuple[_Arrangement, Outcome]] = {}
        for arrangement in self._arrangements():
            differing = self._differing(self._run(arrangement))
            if differing.keys() - disturbed.keys():  # Their order alone may make them.
                alone = self._differing(self._run(_Arrangement(arrangement.order, 1)))
                self._depend_on_order.update(alone)
            for name in differing.keys() - self._depend_on_order:
                disturbed.setdefault(name, (arrangement, differing[name]))
        return disturbed

    def _differing(self, outcomes: Outcomes) -> Outcomes:
        return {
            name: outcomes.get(name, _MISSING)
            for name, outcome in self._one_by_one.items()
            if outcomes.get(name, _MISSING).name != outcome.name
        }

    def _pair(self, name: str, arrangement: _Arrangement, outcome: Outcome) -> _Pair:
        """Find the test that disturbs another one; its own name stands for several together."""
        for known in self._alone:
            if self._fails(name, [known], arrangement):
                return _Pair(known, name, outcome.why)
        suspects = [other for other in arrangement.order if other != name]
        while len(suspects) > 1:
            middle = len(suspects) // 2
            for half in (suspects[:middle], suspects[middle:]):
                if self._fails(name, half, arrangement):
                    suspects = half
                    break
            else:
                return _Pair(name, name, outcome.why)
        return _Pair(suspects[0], name, outcome.why)

    def _fails(self, name: str, others: Iterable[str], arrangement: _Arrangement) -> bool:
        """Return whether a test differs beside some others, and not where it runs after them."""
        chosen = {name, *others}
        order = [each for each in arrangement.order if each in chosen]
        outcomes = self._run(_Arrangement(order, arrangement.width))
        return outcomes.get(name, _MISSING).name != self._one_by_one[name].name

    def _run(self, arrangement: _Arrangement, *, all_tests: bool = False) -> Outcomes:
        """Run tests in a process of their own, and return what came of each, in their order."""
        plan = {
            "tests": None if all_tests else arrangement.order,
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
                timeout=None if self._seconds is None else self._seconds + _EXTRA_TIME,
            )
        except subprocess.TimeoutExpired:
            return self._read()
        if not self._results.exists():
            self._reporter.write_line(f"{done.stdout}{done.stderr}".rstrip())
        return self._read()

    def _read(self) -> Outcomes:
        outcomes: Outcomes = {}
        if self._results.exists():
            for line in self._results.read_text(encoding="utf-8").splitlines():
                name, when, outcome, why = json.loads(line)
                if when == "call" or outcome != "passed":
                    outcomes[name] = Outcome(outcome, why)
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


def shuffled(tests: Sequence[str], seed: int) -> list[str]:
    """Return tests in another order, where those of a module, and of a class, stay together."""
    rng = random.Random(seed)
    ranks = {
        name: rng.random() for name in sorted({part for test in tests for part in _path(test)})
    }
    return sorted(tests, key=lambda test: [ranks[part] for part in _path(test)])


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
