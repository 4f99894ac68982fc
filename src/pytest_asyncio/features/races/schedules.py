"""Schedules: a test is run again on a virtual clock that is late, as on a busy machine.

All that a schedule does can happen: several timers fall due in one iteration, or while the loop
has other things to do. Callbacks, timers that are due, and I/O keep their order. Where a test asks
for it, the next step of a task may come an iteration later.
"""

from __future__ import annotations

import time
from asyncio import Handle
from collections.abc import Awaitable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any, Final, final

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.collect.marks import AsyncioMark
from pytest_asyncio.engine import async_tests
from pytest_asyncio.engine.plan import Plan
from pytest_asyncio.features.clock.virtual import VirtualLoop
from pytest_asyncio.support import asyncio_private

from .attempts import Attempt, Search, Variation
from .awaits import name_of
from .summary import Repeated

LIMIT: Final = 0.25
"""Seconds that the clock may be late at a time."""

LIMIT_OF_RUN: Final = 1.0
"""Seconds that it may be late in a run altogether: time-outs are not to end for nothing else."""

_CHOICES: Final = 4
"""How many of the next timers may fall due together with one."""

_SHRINKING_TIME: Final = 10.0
"""Seconds that it may take to find out what a failure does not need."""

_HAS_IO: Final = "I/O or threads have a say too, so that it need not fail again."
# Known here before a library that stops the clock replaces it.
_time: Final = time.monotonic


def search(item: pytest.Function, mark: AsyncioMark, repeated: Repeated) -> Search:
    """Run a test as it is, and then once for each seed."""
    given = options.of(item.config)
    delays_tasks = bool(mark.delay_tasks)
    first = Schedule(delays_tasks)
    attempt: Attempt = yield first
    if attempt.error is not None:
        if given.late:  # The test has not asked for a virtual clock.
            yield _OnRealClock()
        return
    if not first.has_choices:  # All runs would be the same.
        return
    seeds = range(1, (mark.schedules or 0) + 1)
    for seed in [given.seed] if given.seed else seeds:
        schedule = Schedule(delays_tasks, seed)
        attempt = yield schedule
        if attempt.error is not None:
            yield from _shrink(schedule, attempt.error)
            return


def _shrink(failing: Schedule, error: BaseException) -> Search:
    """Run a test without some of the decisions with which it fails, as long as it fails alike."""
    size, start, end = len(failing.decisions), 0, _time() + _SHRINKING_TIME
    while size and _time() < end:
        kept = list(failing.decisions.items())
        if start >= len(kept):
            size, start = size // 2, 0
            continue
        del kept[start : start + size]
        candidate = failing.with_decisions(dict(kept))
        attempt = yield candidate
        if type(attempt.error) is type(error):
            failing = candidate
        else:
            start += size
    attempt = yield failing.with_decisions(failing.decisions)
    if attempt.error is None:
        yield _Remembered(failing, error)


@final
class Schedule(Variation):
    """What the clock, and the tasks, do in one run: as decided before, or at random by a seed."""

    def __init__(
        self,
        delays_tasks: bool,
        seed: int | None = None,
        decided: Mapping[int, int] | None = None,
    ) -> None:
        self.decisions: Final[dict[int, int]] = {}
        """Which of the choices was made at the nth time that there were any, if not the first."""
        self.has_choices: bool = False
        self._delays_tasks: Final = delays_tasks
        self._seed: Final = seed
        self._decided: Final = decided
        self._words: Final[list[str]] = []
        self._put_off: Final[list[Handle]] = []
        self._has_io = False
        self._loop: VirtualLoop | None = None
        self._start = 0.0
        self._restart()

    def with_decisions(self, decisions: Mapping[int, int]) -> Schedule:
        return Schedule(self._delays_tasks, self._seed, dict(decisions))

    def _restart(self) -> None:
        self._times = 0
        self._late = 0.0
        if self._loop is not None:
            self._start = self._loop.time()
        self.decisions.clear()
        self._words.clear()
        self._random: Random | None = None
        if self._seed is not None and self._decided is None:
            self._random = Random(self._seed)
            self._if_idle = self._one_of(0.1, 0.3, 0.6)
            self._if_busy = self._one_of(0.02, 0.1, 0.4)
            self._if_step = self._one_of(0.05, 0.2, 0.4)

    def _one_of(self, *values: float) -> float:
        assert self._random is not None  # Nothing but random() is the same on every Python.
        return values[int(self._random.random() * len(values))]

    def surround(self, awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
        self._restart()  # Hypothesis is to find each example as it was.
        return super().surround(awaitable)

    @contextmanager
    def around_call(self, item: pytest.Function) -> Generator[None]:
        loop = async_tests.prepare(item).loop
        assert isinstance(loop, VirtualLoop)
        self._loop = loop
        loop.schedule = self
        try:
            yield
        finally:
            loop.schedule = None
            self._put_back(loop)

    def explanation(self) -> str | None:
        if self._seed is None:
            return None
        lines = [f"  {word}" for word in self._words] or [
            "  nothing: it fails when it is run again"
        ]
        return "\n".join(
            [
                "As it is, the test passes. In this run there was what it takes to fail:",
                *lines,
                *(
                    ["I/O or threads have a say too, so that it need not fail again."]
                    * self._has_io
                ),
                f"Repeat it with --asyncio-seed={self._seed}",
            ]
        )

    def before_iteration(self, loop: VirtualLoop, is_idle: bool) -> None:
        """Let the clock go on although there is something to do, and steps of tasks wait."""
        is_idle = is_idle and not self._put_off
        self._put_back(loop)
        if is_idle:
            return
        if self._delays_tasks:
            self._put_off_steps(loop)
        now = loop.time()
        moments = self._within_limits(now, loop)
        choice = self._choose(len(moments), "_if_busy")
        if choice:
            self._be_late(loop, now, moments[choice - 1])
            loop.move_to(moments[choice - 1])

    def lateness(self, loop: VirtualLoop, moment: float) -> float:
        """Let timers that come a little later be due together with one."""
        moments = self._within_limits(moment, loop)
        choice = self._choose(len(moments), "_if_idle")
        if not choice:
            return 0.0
        self._be_late(loop, moment, moments[choice - 1])
        return moments[choice - 1] - moment

    def _within_limits(self, moment: float, loop: VirtualLoop) -> list[float]:
        limit = moment + min(LIMIT, LIMIT_OF_RUN - self._late)
        return [later for later in loop.timers(limit) if later > moment][:_CHOICES]

    def _choose(self, number: int, likelihood: str) -> int:
        """Decide for one of a number of choices, or, which is 0, for none of them."""
        if not number:
            return 0
        self.has_choices = True
        self._times += 1
        choice = 0
        if self._decided is not None:
            choice = min(self._decided.get(self._times, 0), number)
        elif self._random is not None and self._random.random() < getattr(self, likelihood):
            choice = 1 + int(self._random.random() * number)
        if choice:
            self.decisions[self._times] = choice
        return choice

    def _put_off_steps(self, loop: VirtualLoop) -> None:
        ready = asyncio_private.ready_of(loop)
        handles = list(ready)
        ready.clear()
        for handle in handles:
            task = asyncio_private.task_of_step(handle)
            is_alone = len(self._put_off) == len(handles) - 1
            if task is not None and not is_alone and self._choose(1, "_if_step"):
                self._put_off.append(handle)
                self._words.append(f"{name_of(task)} put off at {self._since_start(loop.time())}")
            else:
                ready.append(handle)

    def _put_back(self, loop: VirtualLoop) -> None:
        asyncio_private.ready_of(loop).extendleft(reversed(self._put_off))
        self._put_off.clear()

    def _be_late(self, loop: VirtualLoop, moment: float, late: float) -> None:
        self._late += late - moment
        self._has_io = self._has_io or loop.has_io()
        self._words.append(
            f"late at {self._since_start(moment)}: the clock went on to {self._since_start(late)}"
        )

    def _since_start(self, moment: float) -> str:
        return f"{moment - self._start:.6g} s"


@final
class _OnRealClock(Variation):
    """The run of a test that fails on a virtual clock, which it has not asked for."""

    def plan(self, plan: Plan) -> None:
        plan.mark = plan.mark._replace(clock="real")


@final
class _Remembered(Variation):
    """A run that fails as an earlier one did, which has not failed again."""

    def __init__(self, schedule: Schedule, error: BaseException) -> None:
        self._schedule: Final = schedule
        self._error: Final = error

    @contextmanager
    def around_call(self, item: pytest.Function) -> Generator[None]:
        raise self._error
        yield

    def explanation(self) -> str | None:
        return f"{self._schedule.explanation()}\nIt did so once, and not when it was run again."
