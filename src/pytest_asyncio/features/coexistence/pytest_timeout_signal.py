"""pytest-timeout by the method `signal`: the stacks that it shows say nothing of tasks."""

from __future__ import annotations

import traceback
from typing import Final, final

import pytest

from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.features import task_tree
from pytest_asyncio.support.foreign import attribute

_MODULE: Final = "pytest_timeout"


def start(session: pytest.Session) -> None:
    """Have its failures show the tree of tasks, where the plugin is there."""
    plugins = session.config.pluginmanager.get_plugins()
    if any(attribute(plugin, "__name__", str) == _MODULE for plugin in plugins):
        SessionState.of(session).observe(_TimeOuts(session))


@final
class _TimeOuts(Observer):
    def __init__(self, session: pytest.Session) -> None:
        self._session: Final = session

    def loop_interrupted(self, error: BaseException) -> None:
        """Look at the tasks at once: of concurrent tests, the one that is meant ends first."""
        running = SessionState.of(self._session).all_running
        if running and _is_time_out(error):
            task = running[0].task
            task_tree.attach(error, task.get_loop(), self._session, task, error)

    def run_ended(self, run: Run) -> None:
        task, failure = run.task, run.interruption
        if failure is None and task.done():
            failure = run.reason if task.cancelled() else task.exception()
        if failure is None or not _is_time_out(failure):
            return
        if not task_tree.is_attached(failure):
            task_tree.attach(failure, task.get_loop(), self._session, task, failure)
        if run.interruption is not None:  # Not where the loop was, but where the test is.
            failure.__traceback__ = task_tree.traceback_of(task)


def _is_time_out(error: BaseException) -> bool:
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(frame.f_globals.get("__name__") == _MODULE for frame in frames)
