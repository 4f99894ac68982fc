"""The check `leaked-tasks`: tasks that a test or fixture has started and not ended."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Task
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, final

import pytest

from pytest_asyncio.engine import event_loop
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.support import asyncio_private, await_chains

from . import BaseCheck, CheckWarning, Culprit, Report
from ._origins import Origins

_ITERATIONS: Final = 10
"""Of the loop, for what is about to end."""


class LeakedTaskWarning(CheckWarning):
    """A test or fixture has left a task running."""

    __module__ = "pytest_asyncio"


@final
class Check(BaseCheck):
    def __init__(self, session: pytest.Session, report: Report) -> None:
        super().__init__(session, report)
        self._origins = Origins.of(session)

    def end(self, culprit: Culprit) -> None:
        left = [task for task in self._origins.started_by(culprit) if not task.done()]
        for loop in {task.get_loop() for task in left}:
            if not loop.is_closed() and not loop.is_running():
                self._end_on(loop, {task for task in left if task.get_loop() is loop})

    def loop_ending(self, owner: LoopOwner, left: set[Task[Any]]) -> None:
        """Report what a test has left on its own loop, which is cancelled before `end()` is called.

        Synchronous fixtures that were set up before are torn down later.
        """
        assert owner.opened is not None
        started = {task for task in left if (origin := self._origins.find(task)) and origin.culprit}
        self._end_on(owner.opened, started)

    def _end_on(self, loop: AbstractEventLoop, left: set[Task[Any]]) -> None:
        _see_through(loop, _iterate())
        # To cancel one that has ended would hide its error.
        running = {task for task in left if not task.done()}
        for task in running:
            if not task.cancelling():
                self._report_leak(task)
        _see_through(loop, event_loop.cancel(running))

    def _report_leak(self, task: Task[Any]) -> None:
        origin = self._origins.find(task)
        assert origin is not None
        step = await_chains.last_of_users(await_chains.chain_of(task))
        waits = f", which waits at {step.place}" if step else ""
        self.report(
            LeakedTaskWarning(
                f"{origin.culprit} left the task {task.get_name()!r} running, created at {origin}"
                f"{waits}. Await it, or cancel it and await it then."
            ),
            origin.filename,
            origin.line,
            origin.culprit,
        )


def _see_through(loop: AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine on a loop, also one that something stops: its test has ended before."""
    task = asyncio_private.hidden_task(coroutine, loop, "end of leaked tasks")
    while not task.done():
        with suppress(event_loop.Stopped):
            event_loop.spin(loop, task)


async def _iterate() -> None:
    for _ in range(_ITERATIONS):
        await event_loop.next_iteration()
