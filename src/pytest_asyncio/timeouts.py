"""Time-outs: what bounds each phase of an async test or fixture, in seconds of the real clock."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from types import FrameType, TracebackType
from typing import Any, Final, final

import pytest

from . import fixtures, frames, items, loops, settings, tasks
from .alarms import Alarms
from .loops import Run

REACTION: Final = 1.0
"""Seconds after which a loop that does not react to the end of a time-out counts as blocked."""

# By default ignored, so that one that comes late does no harm, and hardly ever used by others.
_SIGNAL: Final = getattr(signal, "SIGURG", None)
_DEBUGGERS: Final = {"_pydevd_bundle", "bdb", "debugpy", "pdb", "pydevd", "pydevd_frame_evaluator"}
_DEBUGGING: Final = pytest.StashKey[bool]()


def start(session: pytest.Session) -> None:
    """Bound every run of a session from now on that has a time-out."""
    loops.watch_runs(session, _bound)


def suspend(config: pytest.Config) -> None:
    """Let no time-out end a run, because the user is in a debugger."""
    config.stash[_DEBUGGING] = True


def resume(config: pytest.Config) -> None:
    config.stash[_DEBUGGING] = False


def _bound(run: Run) -> AbstractContextManager[None]:
    seconds = _seconds(run)
    return _Bound(run, seconds) if seconds else nullcontext()


def _seconds(run: Run) -> float | None:
    """Return how long a run may take: what is said closest to it; 0 is for ever.

    A mark counts for the test's own fixtures too, but not for wider ones, which its test shares
    with others.
    """
    own: float | None = None
    if run.fixturedef is not None:
        own = fixtures.timeout_of(run.fixturedef)
    if own is None and (run.fixturedef is None or run.fixturedef.scope == "function"):
        plan = run.item.stash.get(items.PLANNED, None)
        own = None if plan is None else plan.mark.timeout
    return settings.of(run.item.config).timeout if own is None else own


@final
class _Bound:
    """A run with a deadline.

    At the deadline its task is cancelled, and once more where that has not ended it after a while;
    at last the run is given up. All of that is done on the loop. If the loop does not get to it,
    what blocks the loop is broken off first, by a signal: its handler raises a cancellation.
    """

    def __init__(self, run: Run, seconds: float) -> None:
        self._run = run
        self._loop = run.task.get_loop()
        self._session = run.item.session
        self._alarms = Alarms.of(self._session)
        self._seconds = seconds
        self._thread = threading.get_ident()
        self._can_signal = (
            _SIGNAL is not None and threading.current_thread() is threading.main_thread()
        )
        self._is_over = False
        self._error: TimeoutError | None = None

    def __enter__(self) -> None:
        self._alarm = self._alarms.set(self._seconds, self._expire)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._is_over = True
        self._alarms.cancel(self._alarm)
        task = self._run.task
        # The test may have caught the cancellation.
        if self._error is not None and kind is None and not _is_cancelled(task):
            cause = task.exception() if task.done() else None
            self._error.__cause__ = cause
            self._run.failure = self._error
'''
