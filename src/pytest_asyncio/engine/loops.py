"""Loop owners: each opens, runs and closes the loop of one (collection node, loop factory)."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
import warnings
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Awaitable
from contextlib import AbstractContextManager
from contextvars import Context
from functools import partial
from typing import Any, Final, NoReturn, Protocol, final

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.support import frames
from pytest_asyncio.support.types import LoopFactory

from . import event_loop, runs
from .runs import LANE, Run, Runs

_ENDLESS: Final = 1000
"""How often something may keep a loop from going on before it counts as one that does not run."""


def start(session: pytest.Session) -> Living:
    """Let a session have loops, before anything else here is called for it."""
    return session.stash.setdefault(_LIVING, Living(runs.of(session)))


def owner_of(node: pytest.Item | pytest.Collector, factory: LoopFactory | None) -> LoopOwner:
    """Return the loop owner of a node, which pytest has set up and not torn down, and a factory."""
    owners = node.stash.setdefault(_OWNERS, {})
    owner = owners.get(factory)
    if owner is None:
        owner = owners[factory] = LoopOwner(node, factory)
        node.addfinalizer(owner.close)
    return owner


def owner_of_open(loop: AbstractEventLoop, session: pytest.Session) -> LoopOwner:
    """Return the owner of an open loop."""
    living = session.stash[_LIVING].loops.items()
    return next(owner for owner, opened in living if opened is loop)


def postpone(interruption: KeyboardInterrupt, session: pytest.Session) -> None:
    """Let Ctrl-C in a teardown wait until the other finalizers have been called.

    In a group with what else these raise, pytest would take it for a failure, and go on. At the
    end of a session there is nothing more that it could end.
    """
    session.stash[_LIVING].interruption = interruption


def raise_postponed(session: pytest.Session) -> None:
    """Raise what was postponed in a session, if anything was."""
    __tracebackhide__ = True
    session.stash[_LIVING].raise_postponed()


class Traffic(Protocol):
    """A feature that lets other tests run where one waits."""

    def wait(self, owner: LoopOwner, run: Run) -> None:
        """Run a loop until what a run awaits is done, or something else ends the run."""
        ...

    def give_up(self, owner: LoopOwner) -> None:
        """Have a loop given up as soon as no other test needs it."""
        ...

    def apart(self) -> AbstractContextManager[None]:
        """Return what a loop is to run in, to keep the tests on it out of each other's reports."""
        ...


def direct_by(session: pytest.Session, traffic: Traffic) -> None:
    """Leave it to a feature what takes place while a run waits."""
    session.stash[_LIVING].traffic = traffic


@final
class LoopOwner:
    """The one object that opens, runs and closes the loop of a node and a loop factory.

    The loop is opened at its first use and closed when pytest tears the node down. Between runs
    it stands still.
    """

    def __init__(self, node: pytest.Item | pytest.Collector, factory: LoopFactory | None) -> None:
        self.node: Final = node
        self._factory: Final = factory
        self._living: Final = node.session.stash[_LIVING]
        self._runs: Final = self._living.runs
        self.is_shared: Final = self._living.traffic is not None
        """Whether tests may run on the loop at the same time."""
        self._loop: AbstractEventLoop | None = None
        self._spinner: event_loop.Spinner | None = None
        """What runs the loop, if that is asyncio's own."""
        self.stopped_by: Run | None = None
        """The run beside others whose code has stopped the loop."""
        self._has_run = False
        self._given_up: AbstractEventLoop | None = None
        self._calls: int = 0
        self._failure: BaseException | None = None

    @property
    def loop(self) -> AbstractEventLoop:
        """The loop, opened where it is not open."""
        __tracebackhide__ = True
        loop = self._loop
        if loop is None or loop.is_closed():
            loop = self._open()
        return loop

    @property
    def running(self) -> Run | None:
        """The run whose code asks, on this loop or another one, if any is going on."""
        return self._runs.lane_of_caller().run

    def make_current(self) -> None:
        """Let synchronous code find the loop by `asyncio.get_event_loop()`."""
        __tracebackhide__ = True
        loop = self.loop
        if event_loop.current_loop() is not loop:
            asyncio.set_event_loop(loop)

    def call(self, awaitable: Awaitable[Any], context: Context, item: pytest.Function) -> Any:
        """Run what a test function has returned, and return what it returns.

        What it changes on a loop that it shares with other tests is put back.
        """
        __tracebackhide__ = True
        if self.is_shared:
            run = self.start_call(awaitable, context, item)
            self.run(run)
            return run.result()
        loop = self.loop
        run = runs.begin(loop, awaitable, context, item, "call")
        if self.node is item:
            self.run(run)
            self._run_what_is_ready(loop)
        else:
            before = _settings(loop)
            try:
                self.run(run)
            finally:
                _restore(loop, *before)
        return run.result()

    def start_call(self, awaitable: Awaitable[Any], context: Context, item: pytest.Function) -> Run:
        """Start what a test function has returned, on a loop that it shares with others.

        What it changes there is put back.
        """
        loop = self.loop
        if not self._calls:
            self._before = _settings(loop)
        self._calls += 1
        run = runs.begin(loop, awaitable, context, item, "call")
        run.on_end.append(partial(self._end_call, loop))
        return run

    def _end_call(self, loop: AbstractEventLoop) -> None:
        self._calls -= 1
        _restore(loop, *self._before)

    def _run_what_is_ready(self, loop: AbstractEventLoop) -> None:
        """Let the callbacks run that are due when a test ends, such as those of ended tasks.

        Synchronous fixtures may look, at their teardown, for what these do.
        """
        if getattr(loop, "_ready", None):  # Not all loops tell.
            with contextlib.suppress(event_loop.Stopped):  # Too late to end anything.
                event_loop.take_turn(loop)

    def run(self, run: Run) -> None:
        """Run the loop until what a run awaits is done.

        What the task itself raises is in `run.result()`. Where something else ends the run
        (Ctrl-C, a signal handler that raises, `loop.stop()`, `pytest.fail()` in a callback), the
        task is cancelled and awaited, and then that is raised.
        """
        __tracebackhide__ = True
        lane, traffic = self._runs.lane_of_caller(), self._living.traffic
        before, lane.run = lane.run, run
        try:
            with self.surround(run):
                if traffic is None:
                    self.spin(run.awaited)
                else:
                    traffic.wait(self, run)
        except BaseException as error:
            # What the task itself raised, and asyncio let through, is Ctrl-C or SystemExit.
            if not event_loop.is_outcome_of(run.task, error):
                self._break_off(run, run.failure or error)
        finally:
            lane.run = before
            for act in run.on_end:
                act()

    async def wait_for(self, run: Run) -> None:
        """Wait for a run on the loop, from code that runs there."""
        run.within = self.running
        with self.surround(run):
            await asyncio.wait({run.awaited})

    def surround(self, run: Run) -> AbstractContextManager[None]:
        """Return what a run on the loop is to take place in."""
        self._has_run = True
        return self._runs.surround(run)

    def close(self) -> None:
        """End what is left on the loop, close it, and put the thread's current loop back."""
        owners = self.node.stash[_OWNERS]
        del owners[self._factory]
        if not owners:  # Items outlive their loops.
            del self.node.stash[_OWNERS]
        if self._loop is not None:
            try:
                self._wind_up(self._loop)
            except KeyboardInterrupt as interruption:
                postpone(interruption, self.node.session)
            finally:
                self._drop()

    def give_up(self) -> None:
        """Close the loop although a task on it does not end. What comes next gets another one."""
        self._given_up = self._loop
        self._drop()

    def has_given_up(self, loop: AbstractEventLoop) -> bool:
        """Tell whether it has been told that a loop was closed before its time."""
        return loop is self._given_up

    def tell_of_closed_loop(self, culprit: pytest.Item) -> None:
        """Warn about a test that has closed the loop. The next test gets a new one."""
        self.give_up()
        culprit.warn(RuntimeWarning(f"{culprit.nodeid} has closed {self}."))

    def __str__(self) -> str:
        return f"the event loop of {self.node.nodeid or 'the session'}"

    def _open(self) -> AbstractEventLoop:
        __tracebackhide__ = True
        if self._loop is not None:
            self._drop()
            if self._has_run:
                warnings.warn(RuntimeWarning(f"A test or fixture has closed {self}."), stacklevel=1)
        loop = self._made()
        if not isinstance(loop, AbstractEventLoop):
            pytest.fail(
                f"{self.node.nodeid}: the loop factory {options.shown(self._factory)} returned "
                f"{options.shown(loop)}, "
                "which is not an event loop.",
                pytrace=False,
            )
        if loop.is_closed():
            pytest.fail(
                f"{self.node.nodeid}: the loop factory {options.shown(self._factory)} returned "
                "an event loop that is closed. Let it return a new one at each call.",
                pytrace=False,
            )
        if options.of(self.node.config).debug:
            loop.set_debug(True)
        # An attribute, so that the handler that a test sets, or reads, stays its own.
        loop.default_exception_handler = self._handle_exception  # type: ignore[method-assign]
        loop.stop = self._stop  # type: ignore[method-assign]  # To tell who did it.
        self._spinner = event_loop.Spinner(loop) if event_loop.is_asyncios(loop) else None
        self._loop = loop
        self._has_run = False
        self._living.add(self, loop)
        return loop

    def _made(self) -> Any:
        """Call the loop factory."""
        __tracebackhide__ = True
        try:
            return (self._factory or self._living.policy.new_event_loop)()
        except Exception as error:
            if not frames.ends_in_own(error.__traceback__):
                raise
            # No line of the factory has run: it takes arguments, or is not written in Python.
            pytest.fail(
                f"{self.node.nodeid}: the loop factory {options.shown(self._factory)}, called "
                f"without arguments, raised {type(error).__name__}: {error}.",
                pytrace=False,
            )

    def _drop(self) -> None:
        loop, self._loop = self._loop, None
        assert loop is not None
        loop.close()
        if self._spinner is not None:
            self._spinner.forget()
            self._spinner = None
        self._living.remove(self)

    def _handle_exception(self, context: dict[str, Any]) -> None:
        """Let `pytest.fail()` in a callback end the run instead of being logged."""
        loop, error = self._loop, context.get("exception")
        if loop is None:
            left: Future[Any] | None = context.get("task") or context.get("future")
            if left is not None and isinstance(error, Exception):  # Ctrl-C has been told.
                loop = left.get_loop()
                type(loop).default_exception_handler(loop, context)
            return
        if isinstance(error, _OUTCOMES) and "handle" in context:
            run = runs.of_handle(context["handle"])
            if run is not None:
                run.cancel(error)
            else:
                self._failure = error
                loop.stop()
        else:
            type(loop).default_exception_handler(loop, context)

    def spin(self, future: Future[Any], patience: int | None = None) -> None:
        """Run the loop until a future is done or something raises, also in a callback.

        Return although it is not done after as many turns of the loop as there is patience, if
        that is limited. Raises `Stopped` if something stops the loop.
        """
        __tracebackhide__ = True
        self._failure = None
        loop, traffic = future.get_loop(), self._living.traffic
        spinner = self._spinner if loop is self._loop else None
        try:
            if traffic is not None:
                with traffic.apart():
                    event_loop.spin(loop, future, patience)
            elif spinner is not None and asyncio._get_running_loop() is None:
                spinner.spin(future)
            else:
                event_loop.spin(loop, future)
        except event_loop.Stopped:
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure

    def _stop(self) -> None:
        """Stop the loop as its own `stop()` does, and know that something on it did."""
        lane = LANE.get()
        self.stopped_by = None if lane is None else lane.run
        if self._loop is not None:
            type(self._loop).stop(self._loop)

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
        ending = next(iter(tasks)).get_loop().create_task(event_loop.cancel(tasks))
        try:
            self.see_through(ending, interruption)
        except KeyboardInterrupt as another:
            postpone(another, self.node.session)

    def _break_off(self, run: Run, interruption: BaseException) -> NoReturn:
        task = run.task
        run.break_off()
        if not run.is_given_up:
            self.cancel({task}, interruption)
            if task.done() and not event_loop.is_outcome_of(task, interruption):
                event_loop.tell_of_error(task, "unhandled exception after a run was broken off")
        if not task.done():
            interruption.add_note(
                f"{run.refusing.get_name()} did not end when it was cancelled, "
                f"so {self} was given up."
            )
            if self._living.traffic is None:
                self.give_up()
            else:
                self._living.traffic.give_up(self)
        if isinstance(interruption, event_loop.Stopped):
            reason = f"{interruption} Something has called stop() on {self}."
            raise pytest.fail.Exception(reason, pytrace=False) from None
        raise interruption

    def _wind_up(self, loop: AbstractEventLoop) -> None:
        if loop.is_closed():
            _warn_of_teardown(
                f"The reason is that a test or fixture has closed {self}, so that what was left "
                "on it could not be ended. Leave the closing to pytest-asyncio."
            )
            return
        if event_loop.has_nothing_left(loop):
            return
        ending = loop.create_task(event_loop.end_everything(loop))
        for interruption in self.see_through(ending):
            if not isinstance(interruption, event_loop.Stopped):
                raise interruption
        for error in ending.result():
            _warn_of_teardown("".join(traceback.format_exception(error)))


class Living:
    """The owners of a session whose loops are open, in the order in which they were opened."""

    def __init__(self, of_session: Runs) -> None:
        self.runs: Final = of_session
        self.policy: Final = event_loop.policy_in_force()
        """Makes the loops that nothing else makes, whatever policy a test or fixture sets."""
        self.traffic: Traffic | None = None
        self.interruption: KeyboardInterrupt | None = None
        self.loops: dict[LoopOwner, AbstractEventLoop] = {}
        self._before: AbstractEventLoop | None = None

    def add(self, owner: LoopOwner, loop: AbstractEventLoop) -> None:
        if not self.loops:
            self._before = event_loop.current_loop()
        self.loops[owner] = loop
        asyncio.set_event_loop(loop)

    def tell_of_closed_loops(self, item: pytest.Item) -> bool:
        """Warn about a test that has closed loops which it shares with others; tell if it has."""
        has_closed = False
        for owner, loop in tuple(self.loops.items()):
            if loop.is_closed():
                owner.tell_of_closed_loop(item)
                has_closed = True
        return has_closed

    def raise_postponed(self) -> None:
        """Raise what was postponed, now that pytest has torn down what it was to tear down."""
        __tracebackhide__ = True
        if self.interruption is not None:
            interruption, self.interruption = self.interruption, None
            raise interruption

    def remove(self, owner: LoopOwner) -> None:
        del self.loops[owner]
        loop = next(reversed(self.loops.values()), self._before)
        asyncio.set_event_loop(None if loop is None or loop.is_closed() else loop)


_OWNERS: Final[pytest.StashKey[dict[LoopFactory | None, LoopOwner]]] = pytest.StashKey()
_LIVING: Final[pytest.StashKey[Living]] = pytest.StashKey()
_OUTCOMES: Final = (pytest.fail.Exception, pytest.skip.Exception, pytest.exit.Exception)


def _warn_of_teardown(reason: str) -> None:
    warnings.warn(
        RuntimeWarning(f"An exception occurred during teardown of an asyncio.Runner.\n{reason}"),
        stacklevel=1,
    )


def _settings(loop: AbstractEventLoop) -> tuple[Any, bool, Any]:
    return loop.get_exception_handler(), loop.get_debug(), loop.get_task_factory()


def _restore(loop: AbstractEventLoop, handler: Any, debug: bool, task_factory: Any) -> None:
    if loop.get_exception_handler() is not handler:
        loop.set_exception_handler(handler)
    if loop.get_debug() != debug:
        loop.set_debug(debug)
    if loop.get_task_factory() is not task_factory:
        loop.set_task_factory(task_factory)
