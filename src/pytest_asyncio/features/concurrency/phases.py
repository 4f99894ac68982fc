"""The phases of a started test: what each has done, written and logged, and how long it took."""

from __future__ import annotations

import time
from typing import Any, Final, final

import pytest

from pytest_asyncio.engine.runs import Phase

from .output import Record


@final
class Stopwatch:
    """The time that a phase takes: its own, without that of the tests beside it."""

    # In a class, where libraries that stop the clock do not find them to replace them.
    _time = staticmethod(time.time)
    _counter = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self._start: Final = self._time()
        self._seconds = 0.0
        self._since: float | None = self._counter()

    def go(self) -> None:
        self._since = self._counter()

    def pause(self) -> None:
        if self._since is not None:
            self._seconds += self._counter() - self._since
            self._since = None

    def put_into(self, call: pytest.CallInfo[None]) -> None:
        call.start, call.duration = self._start, self._seconds
        call.stop = self._start + self._seconds


@final
class PhaseOfTest:
    """What is done in a phase, until pytest looks at it."""

    def __init__(self, when: Phase, record: Record | None = None) -> None:
        self.when: Final[Phase] = when
        self.record: Final = record or Record()
        self.stopwatch: Final = Stopwatch()
        self.failure: BaseException | None = None
        self.result: Any = None
