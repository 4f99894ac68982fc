"""Alarms: functions that are called at a time of the real clock, whatever the main thread does."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import ClassVar, Final, final

import pytest

from . import running_session


@final
class Alarm:
    """A call that is to come, unless it is cancelled first."""

    __slots__ = ("call", "when")

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when: Final = when
        self.call: Callable[[], None] = call


@final
class Alarms:
    """The alarms of a session, and the thread that waits for the next one.

    Most runs set an alarm and cancel it, which has to be cheap. So the thread is woken only for an
    alarm that comes before the time at which it wakes anyhow; one that is cancelled wakes it for
    nothing.
    """

    _KEY: ClassVar = pytest.StashKey["Alarms"]()
    # In a class, where libraries that stop the clock do not find it to replace it.
    _now = staticmethod(time.monotonic)

    def __init__(self, session: pytest.Session) -> None:
        self._session: Final = session
        self._alarms: set[Alarm] = set()
        self._changed = threading.Condition()
        self._wakes_at = math.inf
        self._is_over = False
        self._thread = threading.Thread(
            target=self._call_due, name="pytest-asyncio alarms", daemon=True
        )

    @classmethod
    def of(cls, session: pytest.Session) -> Alarms:
        """Return the alarms of a session. Their thread ends with it."""
        alarms = session.stash.get(cls._KEY, None)
        if alarms is None:
            alarms = session.stash[cls._KEY] = cls(session)
            session.config.add_cleanup(alarms._end)
            alarms._thread.start()
        return alarms

    def set(self, seconds: float, call: Callable[[], None]) -> Alarm:
        """Have `call` called, in the alarms' thread, when `seconds` have passed."""
        alarm = Alarm(self._now() + seconds, call)
        with self._changed:
            self._alarms.add(alarm)
            if alarm.when < self._wakes_at:
                self._changed.notify()
        return alarm

    def cancel(self, alarm: Alarm) -> None:
        """Forget an alarm, which may have been called, or be about to be called."""
        alarm.call = _nothing  # What it was to call holds the alarm.
        with self._changed:
            self._alarms.discard(alarm)

    def _call_due(self) -> None:
        with running_session.within(self._session):
            while self._call_next():
                pass

    def _call_next(self) -> bool:
        alarm = self._next()
        if alarm is None:
            return False
        alarm.call()
        return True

    def _next(self) -> Alarm | None:
        with self._changed:
            while not self._is_over:
                if (alarm := self._take_due()) is not None:
                    return alarm
                # Without a reference to any alarm: it holds a run, which may end meanwhile.
                seconds = self._wakes_at - self._now()
                self._changed.wait(min(seconds, threading.TIMEOUT_MAX))
        return None

    def _take_due(self) -> Alarm | None:
        alarm = min(self._alarms, key=lambda alarm: alarm.when, default=None)
        if alarm is not None and alarm.when <= self._now():
            self._alarms.remove(alarm)
            return alarm
        self._wakes_at = math.inf if alarm is None else alarm.when
        return None

    def _end(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join()


def _nothing() -> None:  # pragma: no cover  # For an alarm that is cancelled just when it is due.
    pass
