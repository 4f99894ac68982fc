"""Loop owners: each opens, runs and closes the loop of one (collection node, loop factory)."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import Context
from functools import partial
from typing import Any, Final, NoReturn, final
from weakref import ref

import pytest

from pytest_asyncio.collect.policies import PolicyLoops
from pytest_asyncio.support import asyncio_private, await_chains, finalizers, pytest_private
from pytest_asyncio.support.foreign import attribute, is_a
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.types import LoopFactory
from pytest_asyncio.support.warn import warn_of

from . import event_loop, leftovers, runs
from .factories import make_loop
from .runs import ACTIVE_TEST, OUTCOMES, Run
from .session import SessionState

_ENDLESS: Final = 1000
"""How often something may keep a loop from going on before it counts as one that does not run."""


def owner_of(node: pytest.Item | pytest.Collector, factory: LoopFactory | None) -> LoopOwner:
    """Return the loop owner of a node, which pytest has set up and not torn down, and a factory.

    A class within another one shares its loop, if that has one by then, and so does a module.
    """
    for kind in (pytest.Class, pytest.Module):
        if isinstance(node, kind):
            nodes = (it for it in node.listchain() if isinstance(it, kind) and _OWNERS in it.stash)
            node = next((it for it in nodes if factory in it.stash[_OWNERS]), node)
    owners = node.stash.setdefault(_OWNERS, {})
    owner = owners.get(factory)
    if owner is not None and factory is not None and owner.is_for_other(factory):
        owner.close()
        return owner_of(node, factory)
    if owner is None:
        owner = owners[factory] = LoopOwner(node, factory)
        node.addfinalizer(owner.close)
        if factory is not None:
            owner.obey(PolicyLoops.behind(factory))
    owner.factory = factory  # One that is equal, and may name the item that asks.
    return owner


@final
class LoopOwner:
    """The one object that opens, runs and closes the loop of a node and a loop factory.

    The loop is opened at its first use and closed when pytest tears the node down. Between runs
    it stands still.
    """

    opened: AbstractEventLoop | None = None
    """The loop, from its opening to its closing, also if a test has closed it meanwhile."""
    stopped_by: Run | None = None
    """The run beside others whose code has stopped the loop."""
    failure: BaseException | None = None
    """What a callback has stopped it with, to be raised outside of it."""
    standstill: Callable[[], AbstractContextManager[None]] = nullcontext
    """Returns what the loop, where a feature runs it in another thread, stands still in."""
    _has_run = False
    _is_used = False
    _ends_with: pytest.FixtureDef[Any] | None = None
    """The fixture whose policy makes the loop."""
    _given_up: AbstractEventLoop | None = None
    _is_stopped = False

    def __init__(self, node: pytest.Item | pytest.Collector, factory: LoopFactory | None) -> None:
        self.node: Final = node
        self.factory = factory
        self.state: Final = SessionState.of(node.session)
        self.is_shared: Final = self.state.scheduler is not None
        """Whether tests may run on the loop at the same time."""
        self.fixtures: Final[dict[pytest.FixtureDef[Any], pytest.FixtureRequest]] = {}
        """The wide fixtures that are set up on the loop, in the order of their setup."""
        self._spared: set[Task[Any]] = set()
        """The tasks of what was set up before anything used the loop, which are left to that."""

    @property
    def loop(self) -> AbstractEventLoop:
        """The loop, opened where it is not open."""
        __tracebackhide__ = True
        loop = self.opened
        if loop is None or loop.is_closed():
            loop = self._open()
        return loop

    def make_current(self) -> None:
        """Let synchronous code find the loop, which is opened where it is not open."""
        __tracebackhide__ = True
        loop = self.opened
        if loop is None or loop.is_closed():
            self._open()
        else:
            self.state.make_current(loop)

    @contextmanager
    def found(self) -> Generator[None]:
        """Let a synchronous fixture find the loop, also after it has requested others."""
        __tracebackhide__ = True
        loop, before = self.loop, self.state.found
        self.state.found = loop
        self.state.make_current(loop)
        try:
            yield
        finally:
            self.state.found = before
            if before is not None:
                self.state.make_current(before)

    def use(self) -> None:
        """Have what is left on the loop ended before what is set up by now is torn down.

        It is as if the loop were a fixture that is set up now, and that all that runs on it needs.
        """
        __tracebackhide__ = True
        if not self._is_used:
            self._is_used = True
            loop, open_loops = self.loop, self.state.open_loops
            self._spared = asyncio_private.tasks_of(loop)
            del open_loops[self]  # which puts it at their end
            open_loops[self] = loop
            self.node.addfinalizer(self._end_use)
            if self._ends_with is not None:
                self._ends_with.addfinalizer(self.close)

    def is_for_other(self, factory: LoopFactory) -> bool:
        """Return whether another policy is to make the loop, and nothing has used it yet."""
        return not self._is_used and PolicyLoops.differ(self.factory, factory)

    def _end_use(self) -> None:
        __tracebackhide__ = True
        try:
            self._finish_fixtures()
        finally:
            with self.standstill():
                leftovers.end(self, self._spared)

    def _finish_fixtures(self) -> None:
        __tracebackhide__ = True
        if self.fixtures:
            fixtures = reversed(tuple(self.fixtures.items()))
            finishing = [partial(pytest_private.finish, *fixture) for fixture in fixtures]
            finalizers.call_all(finishing, str(self))

    def call(self, awaitable: Awaitable[Any], context: Context, item: pytest.Function) -> Any:
        """Run what a test function has returned, and return what it returns."""
        __tracebackhide__ = True
        with self.standstill():
            run = runs.begin(self.loop, awaitable, context, item, "call")
            self.run(run)
        return run.result()

    def run(self, run: Run) -> None:
        """Run the loop until what a run awaits is done.

        What the task itself raises is in `run.result()`. Where something else ends the run
        (Ctrl-C, a signal handler that raises, `loop.stop()`, `pytest.fail()` in a callback), the
        task is cancelled and awaited, and then that is raised.
        """
        __tracebackhide__ = True
        self._has_run = True
        test, scheduler = self.state.test_of_caller(), self.state.scheduler
        before, test.run = test.run, run
        for notify in self.state.on_run_begins:
            notify(run)
        try:
            if scheduler is None:
                self.spin(run.awaited)
            else:
                scheduler.wait(self, run)
        except BaseException as error:
            # What the task itself raised, and asyncio let through, is Ctrl-C or SystemExit.
            if not event_loop.is_outcome_of(run.task, error):
                run.interruption = error
        try:
            for notify in self.state.on_run_ended:
                notify(run)
            if run.interruption is not None:
                self._break_off(run, run.failure or run.interruption)
        finally:
            test.run = before
            for act in run.on_end:
                act()

    async def wait_for(self, run: Run) -> None:
        """Wait for a run on the loop, from code that runs there."""
        run.within = self.state.running
        for notify in self.state.on_run_begins:
            notify(run)
        try:
            await asyncio.wait({run.awaited})
        finally:
            for notify in self.state.on_run_ended:
                notify(run)

    def close(self) -> None:
        """End all that is on the loop, close it, and put the thread's current loop back.

        What comes next on the node gets another owner.
        """
        __tracebackhide__ = True
        owners = self.node.stash.get(_OWNERS, None)
        if owners is None or owners.get(self.factory) is not self:  # That has been, before its end.
            return
        del owners[self.factory]
        if not owners:  # Items outlive their loops.
            del self.node.stash[_OWNERS]
        try:
            self._finish_fixtures()
        finally:
            try:
                if self.opened is not None:
                    self._end_loop(self.opened)
            finally:
                self.state.disobey(self)

    def obey(self, policy: PolicyLoops | None) -> None:
        """Have the policy that is to make the loop in force until the loop ends, or the policy."""
        if policy is not None and policy.fixturedef is not None:
            self._ends_with = policy.fixturedef
            self._ends_with.addfinalizer(self.close)
            self.state.obey(self, policy.policy)

    def _end_loop(self, loop: AbstractEventLoop) -> None:
        __tracebackhide__ = True
        if loop.is_closed():
            leftovers.warn_of_teardown(
                self,
                f"The reason is that a test or fixture has closed {self}, so that what was left "
                "on it could not be ended. Leave the closing to pytest-asyncio.",
            )
        with self.standstill():
            try:
                leftovers.end(self, frozenset())
            finally:
                self._drop()

    def give_up(self) -> None:
        """Close the loop although a task on it does not end. What comes next gets another one."""
        self._given_up = self.opened
        self._drop()

    def has_lost(self, loop: AbstractEventLoop) -> bool:
        """Return whether nothing can run on a loop any more: it is closed, or was given up."""
        return loop.is_closed() or loop is self._given_up

    def has_given_up(self, loop: AbstractEventLoop) -> bool:
        """Return whether a loop was closed before its time, and that is reported."""
        return loop is self._given_up

    def report_closed_loop(self, culprit: pytest.Item) -> None:
        """Warn about a test that has closed the loop. The next test gets a new one."""
        self.give_up()
        culprit.warn(RuntimeWarning(f"{address(culprit)} has closed {self}."))

    def __str__(self) -> str:
        return f"the event loop of {address(self.node) or 'the session'}"

    def _open(self) -> AbstractEventLoop:
        __tracebackhide__ = True
        if self.opened is not None:
            self._drop()
            if self._has_run:
                warn_of(self.node, f"A test or fixture has closed {self}.")
        loop = make_loop(self.factory or self.state.default_factory, self.node)
        self._listen_to(loop)
        self.opened = loop
        self._has_run = False
        self.state.opened(self, loop)
        return loop

    def _drop(self) -> None:
        __tracebackhide__ = True
        loop = self.opened
        assert loop is not None
        for notify in self.state.on_loop_closing:
            notify(self)
        self.opened = None
        self._spared.clear()
        try:
            if not loop.is_running():  # Else it is blocked in another thread, which will close it.
                leftovers.close(loop, self)
        finally:
            self.state.closed(self)

    def _listen_to(self, loop: AbstractEventLoop) -> None:
        """Know which callback raises the outcome of a test, and which test stops a shared loop.

        Attributes, so that what a test sets, or reads, by `set_exception_handler()` stays its own.
        What they stand for works from the first call to the last, also after the loop is closed.
        """
        setattr(loop, _OWNER, self)
        reference = ref(loop)
        handle_exception, stop = type(loop).default_exception_handler, type(loop).stop

        def default_exception_handler(context: dict[str, Any]) -> None:
            error = context.get("exception")
            # The finalizer of a future may call it when nothing else holds the loop any more.
            its_loop = (
                reference() or context["future" if "future" in context else "task"].get_loop()
            )
            ends = is_a(error, OUTCOMES) and self._end_by_callback(its_loop, context, error)
            is_interruption = is_a(error, BaseException) and not is_a(error, Exception)
            if not ends and (its_loop is self.opened or not is_interruption):
                runs.log(context, partial(handle_exception, its_loop, context))

        def stop_and_remember() -> None:
            test, its_loop = ACTIVE_TEST.get(), reference()
            self.stopped_by = None if test is None else test.run
            self._is_stopped = True
            assert its_loop is not None
            stop(its_loop)

        loop.default_exception_handler = default_exception_handler  # type: ignore[method-assign]
        if self.is_shared:
            loop.stop = stop_and_remember  # type: ignore[method-assign]

    def _end_by_callback(
        self, loop: AbstractEventLoop, complaint: dict[str, Any], outcome: BaseException
    ) -> bool:
        """Let `pytest.fail()` in a callback end its test's run, if any, instead of being logged."""
        test = runs.test_behind(complaint)
        run = None if test is None else test.run
        if "handle" not in complaint or (test is not None and run is None):
            return False
        if run is None or run is self.state.current_test.run:
            loop.stop()
            self.failure, self.stopped_by = outcome, run
        else:
            run.cancel(outcome)
        return True

    def spin(self, future: Future[Any], iterations: int | None = None) -> None:
        """Run the loop until a future is done or something raises, also in a callback.

        If `iterations` is given, return after so many of the loop, although it may not be done.
        Raises `Stopped` if something stops the loop, which uvloop does an iteration later.
        """
        __tracebackhide__ = True
        self._enter(event_loop.spin, future.get_loop(), future, iterations)
        if self._is_stopped and (culprit := self.stopped_by) and not culprit.awaited.done():
            raise event_loop.Stopped

    def run_once(self) -> None:
        """Run the loop for a single iteration, as `spin()` does; loops of others may come next."""
        __tracebackhide__ = True
        self._enter(event_loop.run_once, self.loop)
        if self._is_stopped:
            raise event_loop.Stopped

    def _enter(self, enter: Callable[..., None], *args: Any) -> None:
        """Let the loop run, and raise what has ended that early, also in a callback."""
        __tracebackhide__ = True
        self.failure, self._is_stopped = None, False
        scheduler = self.state.scheduler
        try:
            with nullcontext() if scheduler is None else scheduler.apart():
                enter(*args)
        except event_loop.Stopped:
            if self.failure is None:
                raise
        except BaseException as error:
            self.state.interrupted(error)
            raise
        if self.failure is not None:
            self.state.interrupted(self.failure)
            raise self.failure

    def see_through(
        self, future: Future[Any], interruption: BaseException | None = None
    ) -> list[BaseException]:
        """Run the loop until a future is done, and return what else would have ended that.

        Ctrl-C does end it, unless it is a known interruption: each task raises that once more
        that has waited for the one which it hit. So does a loop that does not run any more.
        """
        interruptions: list[BaseException] = []
        while not future.done():
            try:
                self.spin(future)
            except BaseException as error:
                is_ctrl_c = isinstance(error, KeyboardInterrupt) and error is not interruption
                if is_ctrl_c or len(interruptions) == _ENDLESS:
                    raise
                interruptions.append(error)
        return interruptions

    def cancel(self, tasks: set[Task[Any]], interruption: BaseException | None = None) -> None:
        """Cancel tasks and wait until they have ended, or until another Ctrl-C comes."""
        self._see_to(event_loop.cancel(tasks), tasks, interruption)

    def let_end(self, tasks: set[Task[Any]], interruption: BaseException) -> None:
        """Wait for tasks to end, as long as for cancelled ones, or until another Ctrl-C comes."""
        self._see_to(asyncio.wait(tasks, timeout=event_loop.GRACE), tasks, interruption)

    def _see_to(
        self,
        coroutine: Coroutine[Any, Any, Any],
        tasks: set[Task[Any]],
        interruption: BaseException | None,
    ) -> None:
        loop = next(iter(tasks)).get_loop()
        ending = asyncio_private.hidden_task(coroutine, loop, "end of tasks")
        try:
            self.see_through(ending, interruption)
        except KeyboardInterrupt as another:
            self.state.postpone(another)

    def _break_off(self, run: Run, interruption: BaseException) -> NoReturn:
        task = run.task
        run.break_off()
        if not run.is_given_up:
            self.cancel({task}, interruption)
            if task.done() and not event_loop.is_outcome_of(task, interruption):
                event_loop.report_error(task, "unhandled exception after a run was broken off")
        if not task.done():
            asyncio_private.leave_unfinished({run.refusing, *asyncio.all_tasks(task.get_loop())})
            interruption.add_note(
                f"{await_chains.described(run.refusing)} did not end when it was cancelled, "
                f"so {self} was given up."
            )
            if self.state.scheduler is None:
                self.give_up()
            else:
                self.state.scheduler.give_up(self)
        if isinstance(interruption, event_loop.Stopped):
            reason = f"{interruption} Something has called stop() on {self}."
            raise pytest.fail.Exception(reason, pytrace=False) from None
        raise interruption


def owner_behind(loop: object) -> LoopOwner | None:
    """Return what has opened a loop, which may be closed by now."""
    owner: LoopOwner | None = attribute(loop, _OWNER, LoopOwner)
    return owner


_OWNERS: Final[pytest.StashKey[dict[LoopFactory | None, LoopOwner]]] = pytest.StashKey()
_OWNER: Final = "_pytest_asyncio_owner"
