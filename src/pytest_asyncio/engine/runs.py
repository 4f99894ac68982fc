"""Runs: the entries into loops."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar
from typing import Any, Final, Literal, TypeAlias, final

import pytest

from pytest_asyncio.support import asyncio_private, frames, pytest_private
from pytest_asyncio.support.foreign import is_a
from pytest_asyncio.support.real_time import RealTime

from . import context, event_loop
from .context import OwnContext

OUTCOMES: Final = (pytest.fail.Exception, pytest.skip.Exception, pytest.exit.Exception)
"""What ends a test wherever it is raised, also in a callback."""

Phase: TypeAlias = Literal["setup", "call", "teardown"]


@final
class Run:
    """One entry into a loop: a phase of a fixture, or the call of a test.

    `phase` is pytest's word for it; `fixturedef` is the fixture, or None for a test.
    """

    is_live: bool = False
    """Whether the loop goes on in a thread of its own, beside synchronous code."""
    is_broken_off: bool = False
    is_given_up: bool = False
    on_break_off: Callable[[], None] | None = None
    reason: BaseException | None = None
    """Why the task was cancelled."""
    failure: BaseException | None = None
    """What the run raises, whatever its task does."""
    interruption: BaseException | None = None
    """What ended the run instead of the task that it awaits, such as Ctrl-C."""
    within: Run | None = None
    """The run whose code awaits this one, if its loop is not run for it alone."""

    def __init__(
        self,
        task: Task[Any],
        item: pytest.Function,
        phase: Phase,
        fixturedef: pytest.FixtureDef[Any] | None = None,
        *,
        awaited: Future[Any] | None = None,
    ) -> None:
        self.task: Final = task
        self.item: Final = item
        self.phase: Final = phase
        self.fixturedef: Final = fixturedef
        self.began: Final = RealTime.monotonic()
        self.awaited: Final = awaited or task
        """What ends the run when it is done."""
        self.on_end: list[Callable[[], None]] = []
        """What is to be called outside of the loop when it stands still again."""
        self.refusing: Task[Any] = task
        """What did not end when it was cancelled, where the run was given up: one within it."""

    def cancel(self, reason: BaseException) -> None:
        """Cancel the task, once, for a reason.

        The run raises that if the task ends without another error, unless it is a teardown: that
        may catch the cancellation.
        """
        if self.reason is None and not self.is_broken_off and not self.awaited.done():
            self.reason = reason
            loop = self.task.get_loop()
            if (
                loop.is_running() and asyncio_private.running_loop() is not loop
            ):  # in another thread
                loop.call_soon_threadsafe(self.task.cancel)
            else:
                self.task.cancel()

    def break_off(self) -> None:
        """Let the task know that nobody waits any more for what the run was to do."""
        self.is_broken_off = True
        if self.on_break_off is not None:
            self.on_break_off()

    def give_up(self, failure: BaseException) -> None:
        """End the run with `failure` although its task goes on. Its loop is given up too."""
        asyncio_private.leave_unfinished({self.task, self.refusing})
        self.failure = failure
        self.is_given_up = True
        if self.within is None:
            self.task.get_loop().stop()
        else:
            self.within.refusing = self.refusing
            self.within.give_up(failure)

    def result(self) -> Any:
        """Return or raise what the task did."""
        __tracebackhide__ = True
        if self.failure is not None:
            raise self.failure
        try:
            result = self.task.result()
        except asyncio.CancelledError as error:
            if self.reason is None:
                raise
            traceback = frames.up_to_users(error.__traceback__)
            if is_a(self.reason, OUTCOMES):  # A callback may have raised it.
                traceback = self.reason.__traceback__ or traceback
            raise self.reason.with_traceback(traceback) from None
        if self.reason is not None and self.phase != "teardown":  # It has caught the cancellation.
            raise self.reason
        return result


def begin(
    loop: AbstractEventLoop,
    awaitable: Awaitable[Any],
    own_context: Context,
    item: pytest.Function,
    phase: Phase,
    fixturedef: pytest.FixtureDef[Any] | None = None,
) -> Run:
    """Let a task await what a function has returned."""
    coroutine = awaitable if inspect.iscoroutine(awaitable) else event_loop.wait_for(awaitable)
    return Run(loop.create_task(coroutine, context=own_context), item, phase, fixturedef)


class ActiveTest:
    """One of the tests that run at the same time, as seen by the code that it runs.

    A loop that goes on beside synchronous tests is seen as one more.
    """

    def __init__(self) -> None:
        self.run: Run | None = None
        """Its run that is going on."""
        self.is_over: bool = False
        self.context: Context | None = None
        """What its own fixtures and its call are run in, once the wider fixtures are set up."""
        self.on_leave: list[Callable[[], None]] = []
        """What is to be called outside of its context when its code waits or ends."""


ACTIVE_TEST: Final = ContextVar[ActiveTest | None]("ACTIVE_TEST", default=None)


def publish(own: OwnContext, request: pytest.FixtureRequest, running: Run | None) -> None:
    """Let what requests a fixture see its context variables, until the fixture is torn down.

    Code on a loop, or of a started test, that requests it sees them too, but its context ends
    before the fixture does.
    """
    test = ACTIVE_TEST.get()
    if test is not None and test.context is not None and not pytest_private.is_own(request):
        on_end = test.on_leave
    elif running is not None:
        on_end = running.on_end
    else:
        own.publish()
        return
    context.publish(own.context)
    on_end.append(own.publish)


def behind(error: BaseException) -> Run | None:
    """Return the run, of those that go on at the same time, whose callback raised an error."""
    handles = [
        frame.f_locals["self"]
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code is asyncio_private.CALL
    ]
    innermost = next(reversed(handles), None)  # One whose error was handled has let go of itself.
    test = None if innermost is None else test_behind({"handle": innermost})
    return None if test is None else test.run


def context_behind(complaint: dict[str, Any]) -> Context | None:
    """Return the context of the task or callback that an exception handler is told of, if any."""
    task: object = complaint.get("task", complaint.get("future"))
    if is_a(task, Task):
        return asyncio_private.context_of(task)
    return asyncio_private.context_of_callback(complaint.get("handle"))


def test_behind(complaint: dict[str, Any]) -> ActiveTest | None:
    """Return the test, of those that run at the same time, whose task or callback that is."""
    context = context_behind(complaint)
    return None if context is None else context.get(ACTIVE_TEST)


def log(complaint: dict[str, Any], handle_exception: Callable[[], None]) -> None:
    """Let a loop log something in the report of its test, if several run at the same time."""
    if is_a(complaint.get("exception"), event_loop.BrokenOff):
        return
    context = context_behind(complaint)
    if context is None or ACTIVE_TEST not in context:
        handle_exception()
    else:
        context.copy().run(handle_exception)  # A copy, for it may be in use.
