"""pytest-timeout by the method `signal`: the stacks that it shows say nothing of tasks.

It bounds the test that pytest runs. Those that have begun before their turn are bounded here.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Final, final

import pytest

from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.features import task_tree
from pytest_asyncio.support.foreign import attribute
from pytest_asyncio.support.watchdog import Alarm, Alarms

_MODULE: Final = "pytest_timeout"
_TIMER: Final = "cancel_timeout"
"""What an item has while pytest-timeout bounds it."""


def start(session: pytest.Session) -> None:
    """Have its failures show the tree of tasks."""
    SessionState.of(session).observe(_TimeOuts(session))


@final
class _TimeOuts(Observer):
    def __init__(self, session: pytest.Session) -> None:
        self._session: Final = session
        self._state: Final = SessionState.of(session)
        self._alarms: Final[dict[Run, Alarm]] = {}

    def run_begins(self, run: Run) -> None:
        """Bound a test that has begun before its turn, until when pytest-timeout does not see it.

        Others wait for it, so that its turn might never come.
        """
        if run is self._state.current_test.run:
            return
        seconds: float | None = import_module(_MODULE)._get_item_settings(run.item).timeout
        if seconds:
            on_loop = partial(self._end, run, seconds)
            self._alarms[run] = Alarms.of(self._session).set(
                seconds, partial(_expire, run, on_loop)
            )

    def _end(self, run: Run, seconds: float) -> None:
        if attribute(run.item, _TIMER, object) is not None:  # Its turn has come meanwhile.
            return
        error = pytest.fail.Exception(f"Timeout (>{seconds}s) from pytest-timeout.")
        task_tree.attach(error, run.task.get_loop(), self._session, run.task, error)
        run.cancel(error)

    def loop_interrupted(self, error: BaseException) -> None:
        """Look at the tasks at once: of concurrent tests, the one that is meant ends first."""
        running = self._state.all_running
        if running and _is_time_out(error):
            task = running[0].task
            task_tree.attach(error, task.get_loop(), self._session, task, error)

    def run_ended(self, run: Run) -> None:
        if run in self._alarms:
            Alarms.of(self._session).cancel(self._alarms.pop(run))
        task, failure = run.task, run.interruption
        if failure is None and task.done():
            failure = run.reason if task.cancelled() else task.exception()
        if failure is None or not _is_time_out(failure):
            return
        if not task_tree.is_attached(failure):
            task_tree.attach(failure, task.get_loop(), self._session, task, failure)
        if run.interruption is not None:  # Not where the loop was, but where the test is.
            failure.__traceback__ = task_tree.traceback_of(task)


def _expire(run: Run, end: Callable[[], None]) -> None:
    """Have a run ended. Called in the alarms' thread."""
    with suppress(RuntimeError):  # The loop has been closed.
        run.task.get_loop().call_soon_threadsafe(end)


def _is_time_out(error: BaseException) -> bool:
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(frame.f_globals.get("__name__") == _MODULE for frame in frames)
