"""A fixture that yields: one task from its setup to its teardown."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Future, Task
from typing import Any, NoReturn, final

import pytest

from pytest_asyncio.support import asyncio_private, pytest_private
from pytest_asyncio.support.warn import advise

from . import ended_fixtures, event_loop, runs
from .ended_fixtures import finish_after
from .fixture_setups import Cancelled, Setup
from .fixture_stages import Stages
from .runs import ACTIVE_TEST, Run


@final
class FixtureTask(Setup):
    """A fixture that yields: one task from its setup to its teardown.

    Cancel scopes, task groups and time-outs belong to the task that entered them, so the task
    that sets the fixture up waits at the `yield`, while its loop runs tests or stands still,
    until the teardown. Such a scope may cancel the task there. That ends what uses the fixture
    at the moment, but not yet the fixture: what depends on it is torn down first, and only then
    does the fixture's own code see the cancellation, which it turns into its own exception.
    """

    def __init__(self, stages: Stages, *args: Any) -> None:
        super().__init__(self._live(), *args)
        self._stages = stages
        self._cancellation: BaseException | None = None
        self._leaving = False
        self._teardown: Run | None = None
        self._at_yield: Future[None] = self.loop.create_future()
        self._yielded: Future[Any] = self.loop.create_future()

    def _begun(self) -> Run:
        task = self._start()
        task.add_done_callback(self._end_setup)
        run = Run(task, self.item, "setup", self.fixturedef, awaited=self._yielded)
        run.on_break_off = self._leave
        return run

    def _value(self) -> Any:
        __tracebackhide__ = True
        self.run.on_break_off = None  # A cycle would keep the generator from being freed at once.
        self.run.task.remove_done_callback(self._end_setup)  # It would cost an iteration.
        if self.run.task.done():
            self._result(self.run)
        runs.publish(self.own, self.request, self.owner.state.running)
        self.request.addfinalizer(self._tear_down)
        if self.request.scope != "function":
            finish_after(self.item)
        # To the tests, all tasks of their loop are their own: they count, await or cancel them.
        asyncio_private.leave_out(self.run.task)
        self.owner.state.standing[self.run.task] = self
        if self.run.failure is not None:
            raise self.run.failure
        return self._yielded.result()

    def is_on_running_loop(self) -> bool:
        return self.loop is asyncio.get_running_loop()

    async def tear_down(self) -> None:
        """Tear the fixture down from code that runs on its loop."""
        __tracebackhide__ = True
        run = self._begin_teardown()
        try:
            await self.owner.wait_for(run)
        except CancelledError:
            await event_loop.cancel({run.task})
            raise
        finally:
            self._tear_down()

    def _tear_down(self) -> None:
        __tracebackhide__ = True
        state = self.owner.state
        del state.standing[self.run.task]
        try:
            if self.owner.has_lost(self.loop):
                self._report_closed_loop()
                return
            if self._teardown is None:
                with self.owner.standstill():
                    run = self._begin_teardown()
                    if self.loop.is_running():
                        self._refuse_to_wait()
                    self.go_through(run)
            assert self._teardown is not None
            self._result(self._teardown)
        except KeyboardInterrupt as interruption:
            state.postpone(interruption)
        except BaseException as error:
            state.failed()  # In the setup for another parameter, it passes no hook of ours.
            if self._cancellation is not None:
                error.add_note(f"This ended the async {self} while it was in use.")
            raise
        finally:
            if self in state.ended:
                state.ended.remove(self)
            self.own.put_back()

    def _refuse_to_wait(self) -> NoReturn:
        pytest.fail(
            f"The async {self} is set up for another parameter, or needs a fixture that is, and is "
            "to be torn down by code that runs on its event loop, which cannot wait for that. "
            "Request it as an argument.",
            pytrace=False,
        )

    def begin_teardown(self) -> Run | None:
        return None if self.owner.has_lost(self.loop) else self._begin_teardown()

    def _begin_teardown(self) -> Run:
        task = self.run.task
        asyncio_private.take_in(task)
        self.own.bring()
        if (test := self.own.context.get(ACTIVE_TEST)) is not None and test.is_over:
            self.own.context.run(ACTIVE_TEST.set, None)  # It is torn down for another one.
        self._leave()
        self._teardown = Run(task, self.item, "teardown", self.fixturedef)
        return self._teardown

    def _report_closed_loop(self) -> None:
        state = "closed" if self.loop.is_closed() else "blocked"
        message = f"The async {self} cannot be torn down: its event loop is {state}."
        if self.owner.has_given_up(self.loop):  # That is reported, and may have been Ctrl-C.
            advise(self.item, message)
        else:
            pytest.fail(message, pytrace=False)

    def _leave(self) -> None:
        """Have the task go on after the `yield`."""
        self._leaving = True
        if not self._at_yield.done():
            self._at_yield.set_result(None)

    async def _live(self) -> None:
        self._yielded.set_result(await self._stages.enter())
        while not self._leaving:
            try:
                await self._at_yield
            except CancelledError as cancellation:
                self._at_yield = self.loop.create_future()
                if self._cancellation is None:
                    # Without the line above, which is no line of the fixture.
                    self._cancellation = cancellation.with_traceback(None)
                    if not self._leaving:
                        self._end_use()
        await self._stages.leave(self._cancellation)

    def held(self) -> list[object]:
        """Return the value of the fixture, if it has one, and what its variables hold."""
        cached = self.fixturedef.cached_result
        value = [] if cached is None else [cached[0]]
        return [*value, *self._stages.variables()]

    def _end_setup(self, task: Task[None]) -> None:
        if not self._yielded.done():
            self._yielded.set_result(None)

    def end(self) -> None:
        """Have the fixture set up anew for the next item that requests it."""
        ended_fixtures.end(self)

    def _end_use(self) -> None:
        """Cancel, once, the test or fixture that uses the fixture at the moment."""
        self.end()
        for running in self.owner.state.all_running:
            if self._is_used_by(running):
                running.cancel(Cancelled(self))
        pytest_private.spoil(self.fixturedef, Cancelled(self))

    def _is_used_by(self, run: Run) -> bool:
        if run.phase == "teardown":  # One that does not need the fixture is to go on.
            return run.fixturedef is not None and self.fixturedef in pytest_private.needed_by(
                run.fixturedef, run.item
            )
        return pytest_private.may_use(run.item, self.fixturedef)
