"""The check `blocked-loop`: callbacks that hold an event loop for too long."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final, final

import pytest

from pytest_asyncio import debuggers, frames, settings
from pytest_asyncio.alarms import Alarms
from pytest_asyncio.loops import Run

from . import CULPRIT, BaseCheck, CheckWarning, Report

_PRECISION: Final = 0.1
"""The share of the threshold by which a callback may exceed it unnoticed."""


class BlockedLoopWarning(CheckWarning):
    """A test or fixture has held its event loop for too long without an `await`."""

    __module__ = "pytest_asyncio"


@final
class Check(BaseCheck):
    def __init__(self, session: pytest.Session, report: Report) -> None:
        super().__init__(session, report)
        self._threshold = settings.of(session.config).blocked_loop_threshold

    @contextmanager
    def watch(self, run: Run) -> Generator[None]:
        watched = _Watched(self, run, self._threshold)
        try:
            yield
        finally:
            watched.end()


@final
class _Watched:
    """A run whose loop is asked again and again whether it turns."""

    def __init__(self, check: Check, run: Run, threshold: float) -> None:
        self._check: Final = check
        self._run: Final = run
        self._threshold: Final = threshold
        self._culprit: Final = CULPRIT.get() or run.item.name
        self._thread: Final = threading.get_ident()
        self._alarms: Final = Alarms.of(check.session)
        self._is_over = False
        self._wait()

    def end(self) -> None:
        self._is_over = True
        self._alarms.cancel(self._alarm)

    def _wait(self) -> None:
        self._alarm = self._alarms.set(self._threshold * _PRECISION, self._ask)

    def _ask(self) -> None:
        if not self._is_over:  # pragma: no branch  # The run has ended just now.
            self._alarm = self._alarms.set(self._threshold, self._ask_once_more)
            with suppress(RuntimeError):  # The loop has been closed.
                self._run.task.get_loop().call_soon_threadsafe(self._answer)

    def _ask_once_more(self) -> None:
        """Give the loop the time to answer, in case it was the machine that stood still."""
        self._alarm = self._alarms.set(self._threshold * _PRECISION, self._tell)

    def _answer(self) -> None:
        if not self._is_over:  # pragma: no branch  # The run has ended just now.
            self._alarms.cancel(self._alarm)
            self._wait()

    def _tell(self) -> None:
        """Tell, in the alarms' thread, what the loop's thread is doing."""
        innermost = frames.innermost(self._thread)
        frame = frames.users(innermost) or innermost
        config = self._check.session.config
        if frame is None or self._is_over or debuggers.is_active(config, self._thread):
            return
        filename, line = frame.f_code.co_filename, frame.f_lineno
        self._check.report(
            BlockedLoopWarning(
                f"{self._culprit} held the event loop for more than {self._threshold:g} s at "
                f"{frames.place(frame.f_code, line)}. Use what can be awaited, or "
                "asyncio.to_thread()."
            ),
            filename,
            line,
        )
