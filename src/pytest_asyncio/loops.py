"""Loop owners: each opens, runs and closes the loop of one (collection node, loop factory)."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import traceback
import warnings
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context, ContextVar
from functools import partial
from typing import Any, Final, Literal, NoReturn, Protocol, TypeAlias, TypeVar, final

import pytest

from . import frames, settings
from .settings import LoopFactory, ScopeName

T = TypeVar("T")
Phase: TypeAlias = Literal["setup", "call", "teardown"]

GRACE: Final = 10.0
"""Seconds that a cancelled task may take to end before it is cancelled once more."""

LAST_GRACE: Final = 1.0
"""Seconds that it may take after that, before its loop is given up."""


_ENDLESS: Final = 1000
"""How often something may keep a loop from going on before it counts as one that does not run."""


def start(session: pytest.Session) -> None:
    """Let a session have loops, before anything else here is called for it, except watch_runs()."""
    session.stash.setdefault(_LIVING, _Living())


def owner_of(node: pytest.Item | pytest.Collector, factory: LoopFactory | None) -> LoopOwner:
    """Return the loop owner of a node, which pytest has set up and not torn down, and a factory."""
    owners = node.stash.setdefault(_OWNERS, {})
    owner = owners.get(factory)
    if owner is None:
        owner = owners[factory] = LoopOwner(node, factory)
        node.addfinalizer(owner.close)
    return owner


def node_of_scope(
    node: pytest.Item | pytest.Collector, scope: ScopeName
) -> pytest.Item | pytest.Collector:
    """Return the node whose loop is meant by a loop scope, as seen from `node`.

    A function without a class is its own class, and what is in no package has the session's loop.
    """
    if scope == "session":
        return node.session
    if scope == "package":
        return node.getparent(pytest.Package) or node.session
    if scope == "module":
        return node.getparent(pytest.Module) or node
    if scope == "class":
        return node.getparent(pytest.Class) or node
    return node


def running(session: pytest.Session) -> Run | None:
    """Return the run whose code asks, if any is going on."""
    return session.stash[_LIVING].lane_of_caller().run


def all_running(session: pytest.Session) -> tuple[Run, ...]:
    """Return the runs that are going on: one, or those of the tests that run at the same time."""
    living = session.stash[_LIVING]
    lanes = (living.main_lane, *living.lanes)
    return tuple(lane.run for lane in lanes if lane.run is not None)


def run_behind(error: BaseException) -> Run | None:
    """Return the run, of those that go on at the same time, whose callback raised an error."""
    handles = [
        frame.f_locals["self"]
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code is asyncio.Handle._run.__code__
    ]
    innermost = next(reversed(handles), None)  # One whose error was handled has let go of itself.
    return None if innermost is None else _run_of(innermost)


def _run_of(handle: Any) -> Run | None:
    lane = handle._context.get(LANE)  # No public way leads from a callback to its context.
    return None if lane is None else lane.run


def owner_of_open(loop: AbstractEventLoop, session: pytest.Session) -> LoopOwner:
    """Return the owner of an open loop."""
    living = session.stash[_LIVING].loops.items()
    return next(owner for owner, opened in living if opened is loop)


def tell_of_closed_loops(item: pytest.Item) -> None:
    """Warn about a test that has closed a loop which it shares with others."""
    for owner, loop in tuple(item.session.stash[_LIVING].loops.items()):
        if loop.is_closed():
            owner.tell_of_closed_loop(item)


def postpone(interruption: KeyboardInterrupt, session: pytest.Session) -> None:
    """Let Ctrl-C in a teardown wait until the other finalizers have been called.

    In a group with what else these raise, pytest would take it for a failure, and go on. At the
    end of a session there is nothing more that it could end.
    """
    session.stash[_LIVING].interruption = interruption


def raise_postponed(session: pytest.Session) -> None:
    """Raise what has been postponed, now that pytest has torn down what it was to tear down."""
    __tracebackhide__ = True
    living = session.stash[_LIVING]
    if living.interruption is not None:
        interruption, living.interruption = living.interruption, None
        raise interruption


@final
class Run:
    """One entry into a loop: a phase of a fixture, or the call of a test.

    `phase` is pytest's word for it; `fixturedef` is the fixture, or None for a test.
    """

    __slots__ = (
        "awaited",
        "failure",
        "fixturedef",
        "is_broken_off",
        "is_given_up",
        "item",
        "on_break_off",
        "on_end",
        "phase",
        "reason",
        "refusing",
        "task",
        "within",
    )

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
        self.awaited: Final = awaited or task
        """What ends the run when it is done."""
        self.is_broken_off: bool = False
        self.is_given_up: bool = False
        self.on_break_off: Callable[[], None] | None = None
        self.on_end: list[Callable[[], None]] = []
        """What is to be called outside of the loop when it stands still again."""
        self.reason: BaseException | None = None
        """Why the task was cancelled, which is what the run raises if that ends it."""
        self.failure: BaseException | None = None
        """What the run raises, whatever its task does."""
        self.within: Run | None = None
        """The run whose code awaits this one, if its loop is not run for it alone."""
        self.refusing: Task[Any] = task
        """What did not end when it was cancelled, where the run was given up: one within it."""

    def cancel(self, reason: BaseException) -> None:
        """Cancel the task, once; if that ends it, the run raises `reason`."""
        if self.reason is None and not self.is_broken_off and not self.awaited.done():
            self.reason = reason
            self.task.cancel()

    def break_off(self) -> None:
        """Let the task know that nobody waits any more for what the run was to do."""
        self.is_broken_off = True
        if self.on_break_off is not None:
            self.on_break_off()

    def give_up(self, failure: BaseException) -> None:
        """End the run with `failure` although its task goes on. Its loop is given up too."""
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
            return self.task.result()
        except asyncio.CancelledError as error:
            if self.reason is None:
                raise
            traceback = frames.up_to_users(error.__traceback__)
            raise self.reason.with_traceback(traceback) from None


class Lane:
    """One of several tests that run at the same time, as seen by the code that it runs."""

    def __init__(self) -> None:
        self.run: Run | None = None
        """Its run that is going on."""
        self.is_over: bool = False
        self.context: Context | None = None
        """What its own fixtures and its call are run in, once the wider fixtures are set up."""
        self.on_leave: list[Callable[[], None]] = []
        """What is to be called outside of its context when it is left."""


LANE: Final = ContextVar[Lane | None]("LANE", default=None)


def lanes(session: pytest.Session) -> list[Lane]:
    """The tests that run beside the one that pytest runs, for the feature that lets them."""
    return session.stash[_LIVING].lanes


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


Watcher: TypeAlias = Callable[[Run], AbstractContextManager[None] | None]
"""A feature that sees every run of a session, and may return what is to surround it."""


def watch_runs(session: pytest.Session, watcher: Watcher, *, within: bool = False) -> None:
    """Have a watcher surround every run from now on, or also those that lie within another one."""
    living = session.stash.setdefault(_LIVING, _Living())
    if watcher not in living.watchers:
        living.watchers.append(watcher)
        if within:
            living.watchers_within.append(watcher)


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
        self._loop: AbstractEventLoop | None = None
        self._steered: AbstractEventLoop | None = None
        """The loop, if it takes a single turn where it is stopped before it runs."""
        self._is_stopped = False
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
        return self._living.lane_of_caller().run

    @property
    def is_shared(self) -> bool:
        """Whether tests may run on the loop at the same time."""
        return self._living.traffic is not None

    def make_current(self) -> None:
        """Let synchronous code find the loop by `asyncio.get_event_loop()`."""
        __tracebackhide__ = True
        loop = self.loop
        if _current_loop() is not loop:
            asyncio.set_event_loop(loop)

    def call(self, awaitable: Awaitable[Any], context: Context, item: pytest.Function) -> Any:
        """Run what a test function has returned, and return what it returns."""
        __tracebackhide__ = True
        run = self.start_call(awaitable, context, item)
        self.run(run)
        if self.node is item:
            self._run_what_is_ready(run.task.get_loop())
        return run.result()

    def start_call(self, awaitable: Awaitable[Any], context: Context, item: pytest.Function) -> Run:
        """Start what a test function has returned in a task of its own.

        What it changes on a loop that it shares with other tests is put back.
        """
        loop = self.loop
        coroutine = awaitable if inspect.iscoroutine(awaitable) else wait_for(awaitable)
        run = Run(loop.create_task(coroutine, context=context), item, "call")
        if self.node is not item:
            if not self._calls:
                self._before = _settings(loop)
            self._calls += 1
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
            with contextlib.suppress(Stopped):  # Too late to end anything.
                spin(loop, loop.create_task(asyncio.sleep(0)))

    def run(self, run: Run) -> None:
        """Run the loop until what a run awaits is done.

        What the task itself raises is in `run.result()`. Where something else ends the run
        (Ctrl-C, a signal handler that raises, `loop.stop()`, `pytest.fail()` in a callback), the
        task is cancelled and awaited, and then that is raised.
        """
        __tracebackhide__ = True
        lane, traffic = self._living.lane_of_caller(), self._living.traffic
        before, lane.run = lane.run, run
        try:
            with self.surround(run):
                if traffic is None:
                    self.spin(run.awaited)
                else:
                    traffic.wait(self, run)
        except BaseException as error:
            # What the task itself raised, and asyncio let through, is Ctrl-C or SystemExit.
            if not is_outcome_of(run.task, error):
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
        """Return what a run is to take place in, by the word of all that watches runs."""
        self._has_run = True
        watchers = self._living.watchers if run.within is None else self._living.watchers_within
        if not watchers:
            return _NOTHING
        surroundings = [watch(run) for watch in watchers]
        return _together(surroundings) if any(surroundings) else _NOTHING

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
        """Tell whether a loop was closed because a task on it did not end."""
        return loop is self._given_up

    def tell_of_closed_loop(self, culprit: pytest.Item) -> None:
        """Warn about a test that has closed the loop. The next test gets a new one."""
        self._drop()
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
                f"{self.node.nodeid}: the loop factory {settings.shown(self._factory)} returned "
                f"{settings.shown(loop)}, "
                "which is not an event loop.",
                pytrace=False,
            )
        if loop.is_closed():
            pytest.fail(
                f"{self.node.nodeid}: the loop factory {settings.shown(self._factory)} returned "
                "an event loop that is closed. Let it return a new one at each call.",
                pytrace=False,
            )
        if settings.of(self.node.config).debug:
            loop.set_debug(True)
        # An attribute, so that the handler that a test sets, or reads, stays its own.
        loop.default_exception_handler = self._handle_exception  # type: ignore[method-assign]
        loop.stop = self._stop  # type: ignore[method-assign]  # To tell who did it.
        self._steered = loop if _takes_single_turns(loop) else None
        self._loop = loop
        self._has_run = False
        self._living.add(self, loop)
        return loop

    def _made(self) -> Any:
        """Call the loop factory."""
        __tracebackhide__ = True
        try:
            return (self._factory or asyncio.new_event_loop)()
        except Exception as error:
            if not frames.ends_in_own(error.__traceback__):
                raise
            # No line of the factory has run: it takes arguments, or is not written in Python.
            pytest.fail(
                f"{self.node.nodeid}: the loop factory {settings.shown(self._factory)}, called "
                f"without arguments, raised {type(error).__name__}: {error}.",
                pytrace=False,
            )

    def _drop(self) -> None:
        loop, self._loop, self._steered = self._loop, None, None
        assert loop is not None
        loop.close()
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
            run = _run_of(context["handle"])
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
        try:
            if traffic is not None:
                with traffic.apart():
                    spin(loop, future, patience)
            elif loop is not self._steered or not self._ends_at_once(loop, future):
                spin(loop, future, patience)
        except Stopped:
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure

    def _ends_at_once(self, loop: Any, future: Future[Any]) -> bool:
        """Take one turn, which is all that most runs need, and one for what that has left ready."""
        __tracebackhide__ = True
        if asyncio._get_running_loop() is not None:
            return False
        self._is_stopped = False
        _take_turn(loop)
        if future.done():
            if loop._ready and not self._is_stopped:
                _take_turn(loop)
            return True
        if self._is_stopped:
            raise Stopped
        return False

    def _stop(self) -> None:
        """Stop the loop as its own `stop()` does, and know that something on it did."""
        lane = LANE.get()
        self.stopped_by = None if lane is None else lane.run
        self._is_stopped = True
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
        ending = next(iter(tasks)).get_loop().create_task(cancel(tasks))
        try:
            self.see_through(ending, interruption)
        except KeyboardInterrupt as another:
            postpone(another, self.node.session)

    def _break_off(self, run: Run, interruption: BaseException) -> NoReturn:
        __tracebackhide__ = True
        task = run.task
        run.break_off()
        if not run.is_given_up:
            self.cancel({task}, interruption)
            if task.done() and not is_outcome_of(task, interruption):
                _tell_of_error(task, "unhandled exception after a run was broken off")
        if not task.done():
            interruption.add_note(
                f"{run.refusing.get_name()} did not end when it was cancelled, "
                f"so {self} was given up."
            )
            if self._living.traffic is None:
                self.give_up()
            else:
                self._living.traffic.give_up(self)
        if isinstance(interruption, Stopped):
            pytest.fail(f"{interruption} Something has called stop() on {self}.", pytrace=False)
        raise interruption

    def _wind_up(self, loop: AbstractEventLoop) -> None:
        if loop.is_closed():
            _warn_of_teardown(
                f"The reason is that a test or fixture has closed {self}, so that what was left "
                "on it could not be ended. Leave the closing to pytest-asyncio."
            )
            return
        if _has_nothing_left(loop):
            return
        ending = loop.create_task(_end_everything(loop))
        for interruption in self.see_through(ending):
            if not isinstance(interruption, Stopped):
                raise interruption
        for error in ending.result():
            _warn_of_teardown("".join(traceback.format_exception(error)))


class _Living:
    """The owners of a session whose loops are open, in the order in which they were opened."""

    def __init__(self) -> None:
        self.main_lane: Final = Lane()
        self.lanes: list[Lane] = []
        self.traffic: Traffic | None = None
        self.interruption: KeyboardInterrupt | None = None
        self.watchers: list[Watcher] = []
        self.watchers_within: list[Watcher] = []
        self.loops: dict[LoopOwner, AbstractEventLoop] = {}
        self._before: AbstractEventLoop | None = None

    def lane_of_caller(self) -> Lane:
        lane = LANE.get()
        return self.main_lane if lane is None or lane.is_over else lane

    def add(self, owner: LoopOwner, loop: AbstractEventLoop) -> None:
        if not self.loops:
            self._before = _current_loop()
        self.loops[owner] = loop
        asyncio.set_event_loop(loop)

    def remove(self, owner: LoopOwner) -> None:
        del self.loops[owner]
        loop = next(reversed(self.loops.values()), self._before)
        asyncio.set_event_loop(None if loop is None or loop.is_closed() else loop)


_NOTHING: Final = contextlib.nullcontext()
_OWNERS: Final[pytest.StashKey[dict[LoopFactory | None, LoopOwner]]] = pytest.StashKey()
_LIVING: Final[pytest.StashKey[_Living]] = pytest.StashKey()
_OUTCOMES: Final = (pytest.fail.Exception, pytest.skip.Exception, pytest.exit.Exception)


class Stopped(RuntimeError):
    """A loop was stopped by something that ran on it."""

    def __init__(self) -> None:
        super().__init__("Event loop stopped before Future completed.")


def spin(loop: AbstractEventLoop, future: Future[Any], patience: int | None = None) -> None:
    """Run a loop until a future is done, also where another loop is running in the thread.

    If patience is limited, it is so many turns of the loop at most.

    Unlike `run_until_complete()`, it leaves the result, and the traceback of an exception, to
    `future.result()`.
    """
    __tracebackhide__ = True
    is_over = False

    def stop(_: Future[Any]) -> None:
        if not is_over:  # It may have been broken off before it got here.
            loop.stop()

    def stop_early(again: Any) -> None:  # Its own name in it would make a reference cycle.
        """Spare what never waits another turn of the loop, if there is nothing else to run."""
        nonlocal patience
        if is_over:
            return
        is_idle = future.done() and not getattr(loop, "_ready", True)  # Not all loops tell.
        if is_idle or patience == 0:
            loop.stop()
        elif patience is None or future.done():
            future.add_done_callback(stop)
        else:
            patience -= 1
            loop.call_soon(again, again)

    loop.call_soon(stop_early, stop_early)
    outer = asyncio._get_running_loop()
    try:
        if outer is None:
            loop.run_forever()
        else:
            with _out_of_the_way(outer):
                loop.run_forever()
    finally:
        is_over = True
    if not future.done() and patience != 0:
        raise Stopped


def _take_turn(loop: AbstractEventLoop) -> None:
    """Run a loop for a single turn, if it is one that `_takes_single_turns()`."""
    __tracebackhide__ = True
    type(loop).stop(loop)
    loop.run_forever()


@contextmanager
def _out_of_the_way(outer: AbstractEventLoop) -> Generator[None]:
    """Hide a loop that is running in the thread, and its task, from one that is to run in it."""
    task = asyncio.current_task(outer)
    if task is not None:
        asyncio.tasks._leave_task(outer, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(outer)
        if task is not None:
            asyncio.tasks._enter_task(outer, task)


@contextmanager
def _together(surroundings: list[AbstractContextManager[None] | None]) -> Generator[None]:
    with contextlib.ExitStack() as stack:
        for surrounding in filter(None, surroundings):
            stack.enter_context(surrounding)
        yield


def _settings(loop: AbstractEventLoop) -> tuple[Any, bool, Any]:
    return loop.get_exception_handler(), loop.get_debug(), loop.get_task_factory()


def _restore(loop: AbstractEventLoop, handler: Any, debug: bool, task_factory: Any) -> None:
    if loop.get_exception_handler() is not handler:
        loop.set_exception_handler(handler)
    if loop.get_debug() != debug:
        loop.set_debug(debug)
    if loop.get_task_factory() is not task_factory:
        loop.set_task_factory(task_factory)


def _current_loop() -> AbstractEventLoop | None:
    """The loop that synchronous code would find.

    `asyncio.get_event_loop()` would make one where there is none, or find one that is running.
    """
    local = getattr(_policy_in_force(), "_local", None)
    return getattr(local, "_loop", None)


# Python 3.14 has deprecated the public name.
_policy_in_force: Final[Callable[[], Any]] = (
    getattr(asyncio.events, "_get_event_loop_policy", None) or asyncio.get_event_loop_policy  # pyright: ignore[reportDeprecated]
)


def is_outcome_of(task: Task[Any], error: BaseException) -> bool:
    return task.done() and not task.cancelled() and task.exception() is error


async def wait_for(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def cancel(tasks: set[Task[Any]]) -> set[Task[Any]]:
    """Cancel tasks and let them end; return those that refuse to."""
    for seconds in (GRACE, LAST_GRACE):
        for task in tasks:
            task.cancel()
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=seconds)
    return tasks


def _takes_single_turns(loop: AbstractEventLoop) -> bool:
    """Tell whether a loop is known to take one turn where `stop()` comes before `run_forever()`.

    So asyncio says. Loops that have these of their own may run without an end.
    """
    own, kind = asyncio.BaseEventLoop, type(loop)
    return kind.run_forever is own.run_forever and kind.stop is own.stop


def _has_nothing_left(loop: AbstractEventLoop) -> bool:
    """Tell whether there is nothing to run or to await before a loop is closed.

    Only asyncio's own loops tell. The others are run, and so are those with an end of their own.
    """
    own: Any = asyncio.BaseEventLoop
    state: Any = loop
    return (
        getattr(loop.shutdown_asyncgens, "__func__", None) is own.shutdown_asyncgens
        and getattr(loop.shutdown_default_executor, "__func__", None)
        is own.shutdown_default_executor
        and not (state._ready or state._scheduled or state._asyncgens or state._default_executor)
        and not asyncio.all_tasks(loop)
    )


async def _end_everything(loop: AbstractEventLoop) -> list[Exception]:
    errors: list[Exception] = []
    for end in (_end_tasks, loop.shutdown_asyncgens, loop.shutdown_default_executor):
        try:
            await end()
        except Exception as error:
            errors.append(error)
    return errors


async def _end_tasks() -> None:
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    refusing = await cancel(tasks)
    for task in tasks - refusing:
        _tell_of_error(task, "unhandled exception while the event loop was closed")
    if refusing:
        names = ", ".join(sorted(task.get_name() for task in refusing))
        raise RuntimeError(f"These tasks did not end when they were cancelled: {names}.")


def _tell_of_error(task: Task[Any], message: str) -> None:
    """Let the loop tell what a task that was cancelled has raised instead."""
    if not task.cancelled() and (error := task.exception()) is not None:
        context = {"message": message, "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)


def _warn_of_teardown(reason: str) -> None:
    warnings.warn(
        RuntimeWarning(f"An exception occurred during teardown of an asyncio.Runner.\n{reason}"),
        stacklevel=1,
    )
