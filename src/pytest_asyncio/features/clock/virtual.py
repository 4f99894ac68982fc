"""Virtual time: loops whose clock jumps to the next timer when nothing else can happen.

A loop sleeps in one place: in the `select()` of its selector, or of its proactor. There a virtual
loop polls, and if that finds nothing to do, it moves its clock instead of sleeping.
"""

from __future__ import annotations

import asyncio
import functools
import heapq
import math
import threading
import time
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar, TypeVarTuple, final
from weakref import WeakSet

import pytest

from pytest_asyncio.collect import loop_factories
from pytest_asyncio.collect.loop_factories import ChosenFactory, NamedFactory
from pytest_asyncio.collect.options import is_timeout, shown
from pytest_asyncio.engine import async_tests
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.features import task_tree
from pytest_asyncio.support import asyncio_private, pytest_private
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.types import ClockName, LoopFactory

from . import outside, wall_time

if TYPE_CHECKING:
    from asyncio import SubprocessTransport
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

WAIT_FOR_SIGN: Final = 0.05
"""Seconds of the real clock without a sign from outside, after which the clock may jump."""

RESOLUTION: Final = 1e-9
"""Seconds within which timers count as due together, as on a loop with a real clock."""

SPINS: Final = 10_000
"""Iterations without rest after which the clock moves on: a task may yield until a timer is due."""

_OWN_THREADS: Final = "pytest-asyncio"


@dataclass(frozen=True)
class VirtualLoops(ChosenFactory):
    """The loop factory of the tests whose clock is virtual. It makes the loops of another one."""

    clock: ClassVar[ClockName] = "virtual"
    inner: LoopFactory | None
    item: pytest.Function = field(compare=False)

    @property
    def named(self) -> NamedFactory | None:
        return self.inner if isinstance(self.inner, NamedFactory) else None

    def __repr__(self) -> str:
        return repr(self.inner)

    def __call__(self) -> AbstractEventLoop:
        """Make a loop. Fails the test if the loop keeps its time in a way of its own."""
        __tracebackhide__ = True
        make = self.inner or asyncio.new_event_loop
        loop: Any = make()
        if asyncio_private.keeps_asyncios_time(loop) and asyncio_private.selector_of(loop):
            return _made_virtual(loop, self.item.session)
        if isinstance(loop, AbstractEventLoop):
            loop.close()
        pytest.fail(
            f"{address(self.item)}: clock='virtual' needs an event loop of asyncio's own, or one "
            f"derived from it. The loop factory {shown(make)} returned {shown(loop)}, which keeps "
            "its time in a way of its own. "
            f"{loop_factories.how_to_choose_asyncios(self.item)}",
            pytrace=False,
        )


@contextmanager
def of_test(request: pytest.FixtureRequest) -> Generator[Clock]:
    """Give out the clock of the requesting test's loop."""
    item = pytest_private.item_of(request)
    loop = async_tests.prepare(item).loop
    if not isinstance(loop, VirtualLoop):
        pytest.fail(
            f"{address(item)} requests the fixture 'asyncio_clock', but the clock of its event "
            "loop is real. Mark the test with @pytest.mark.asyncio(clock='virtual').",
            pytrace=False,
        )
    yield loop.clock
    loop.clock.autojump = True


class Schedule(Protocol):
    """What a loop is up to, in place of doing each thing as soon as it can."""

    def before_iteration(self, loop: VirtualLoop, is_idle: bool) -> None:
        """See a loop before each of its iterations, also where there is nothing to do in it."""
        ...

    def lateness(self, loop: VirtualLoop, moment: float) -> float:
        """Return how many seconds late the loop comes to a timer that is due at a moment."""
        ...


class _Step(Protocol):
    """What comes next in virtual time."""

    def when(self) -> float: ...


@dataclass(order=True, slots=True)
class _Arrival:
    """Where somebody who advances the clock wants it to be."""

    moment: float
    reached: Future[None] = field(compare=False)

    def when(self) -> float:
        return self.moment


@final
class Clock:
    """The virtual clock of a test's event loop.

    All that asyncio times goes by it: `asyncio.sleep()`, `asyncio.timeout()`, `loop.call_later()`
    and whatever else asks `loop.time()`. It stands still while anything runs, and when nothing is
    left to run, it jumps to the next timer:

        @pytest.mark.asyncio(clock="virtual")
        async def test_an_hour(asyncio_clock):
            await asyncio.sleep(3600)
            assert asyncio_clock.time() == 3600

    Tests and fixtures on the same loop share its clock. It starts at zero, and it stands still
    between the tests of a shared loop.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self.autojump: bool = True
        """Whether the clock jumps by itself. Set to False, it holds the clock until the end of
        the test: time then passes in `advance()` only."""
        self._loop = loop

    def time(self) -> float:
        """Return the time of the loop, in seconds, as `loop.time()` does."""
        return self._loop.time()

    async def advance(self, seconds: float) -> None:
        """Move the clock by `seconds` and run all that falls due, in the order in which it does.

        Returns when nothing is left to do at the moment that is reached. `advance(0)` lets run
        what can run now. Raises `ValueError` if `seconds` is negative, or no finite number.
        """
        __tracebackhide__ = True
        if not is_timeout(seconds):
            raise ValueError(
                "asyncio_clock.advance() needs a number of seconds that is not negative, not "
                f"{shown(seconds)}."
            )
        await self._loop.arrival(seconds)

    def patch_time(self) -> AbstractContextManager[None]:
        """Have the `time` and `datetime` modules go by this clock for the code on the loop.

        In the `with` block, `time.time()`, `time.monotonic()`, their `_ns` variants,
        `datetime.now()`, `.utcnow()`, `.today()` and `date.today()` go on from where they were by
        as much as the clock moves. Other threads, and pytest itself, see the real time.
        """
        return wall_time.following(self._loop, self.time)


class VirtualLoop(asyncio.BaseEventLoop):
    """What a loop with a virtual clock does in another way; it comes before the loop's own class.

    The clock never overtakes what is outside of the loop, where time is real:

    - *Work* that somebody waits for ends by itself: calls in an executor, connections that are
      being made, subprocesses. While there is any, a timer takes its real time.
    - *Signs* may come, or may not, where a socket or pipe is open, a signal has a handler, or a
      thread runs that was started since the loop was opened. When none has come for the time of
      `WAIT_FOR_SIGN`, the clock jumps.

    Both are bounded by the real time that a timer takes: it is never later than on a real clock.
    """

    clock: Clock
    session: pytest.Session

    # In a class, where libraries that stop the clock do not find it to replace it.
    _real_time = staticmethod(time.monotonic)

    def begin(self, session: pytest.Session) -> None:
        """Start the clock of a loop that has just got this class."""
        self.session = session
        self.clock = Clock(self)
        self._now = 0.0
        asyncio_private.set_resolution(self, RESOLUTION)
        self._arrivals: list[_Arrival] = []
        selector = asyncio_private.selector_of(self)
        self._poll: Callable[[float], list[Any]] = selector.select
        selector.select = self._select
        self._work: set[object] = set()
        self._processes: WeakSet[SubprocessTransport] = WeakSet()
        self._threads_before = WeakSet(threading.enumerate())
        self._deadlocked: Run | None = None
        self._step: _Step | None = None
        self._step_since = 0.0
        self.schedule: Schedule | None = None
        self._iterations = 0
        """How many there were without rest since the clock moved, or something came from outside.
        """

    def time(self) -> float:
        return self._now

    def arrival(self, seconds: float) -> Future[None]:
        """Have the clock move by `seconds`, and return what is done when it is there."""
        reached = self.create_future()
        heapq.heappush(self._arrivals, _Arrival(self._now + seconds, reached))
        return reached

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> Future[T]:
        call = super().run_in_executor(executor, func, *args)
        self._work.add(call)
        call.add_done_callback(self._work.discard)
        return call

    async def sock_connect(self, sock: Any, address: Any) -> None:
        with self._working():
            await super().sock_connect(sock, address)

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        with self._working():
            return self._watched(await super().subprocess_exec(*args, **kwargs))

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        with self._working():
            return self._watched(await super().subprocess_shell(*args, **kwargs))

    def _select(self, timeout: float | None) -> list[Any]:
        """Wait as the selector's own `select()` does, but in virtual time."""
        __tracebackhide__ = True
        events = self._poll(0)
        if self.schedule is not None:
            self.schedule.before_iteration(self, not (events or self._is_ready()))
        if events or self._is_ready() or timeout == 0:
            if self._is_spinning(events) and (step := self._next_step()) is not None:
                self._arrive_at(step)
            return events
        step = self._next_step()
        if step is None:
            return self._wait_for_sign()
        seconds = self._time_before(step)
        if seconds > 0:
            events = self._poll(min(seconds, WAIT_FOR_SIGN))
        # Also where no thread is left: what it has called the loop for, it has before it ended.
        if events or self._is_ready() or seconds > WAIT_FOR_SIGN:
            return events
        self._arrive_at(step)
        return []

    def _is_ready(self) -> bool:
        return bool(asyncio_private.ready_of(self))

    def _is_spinning(self, events: list[Any]) -> bool:
        """Return whether tasks have done nothing but yield for so long that time has to pass."""
        self._iterations = 0 if events else self._iterations + 1
        return self._iterations % SPINS == SPINS - 1

    def _wait_for_sign(self) -> list[Any]:
        """Wait for what is outside, which alone could wake the loop."""
        __tracebackhide__ = True
        is_open = self._has_work() or asyncio_private.listens(self)
        may_come = is_open or any(self._new_threads())
        events = self._poll(WAIT_FOR_SIGN) if may_come else []
        is_busy = any(map(outside.is_busy, self._new_threads()))
        # Threads that call the loop do so before they wait, or end.
        if not (events or is_open or is_busy or self._is_ready()):
            self._report_deadlock()
        return events

    def _next_step(self) -> _Step | None:
        """Return what the clock may move to next; at the same moment, the timers come first."""
        while self._arrivals and self._arrivals[0].reached.done():
            heapq.heappop(self._arrivals)
        arrival = self._arrivals[0] if self._arrivals else None
        timer = next(iter(asyncio_private.timers_of(self)), None)
        # Nothing jumps to the end of an `asyncio.sleep(math.inf)`.
        if timer is None or timer.when() == math.inf:
            return arrival
        if arrival is None:
            return timer if self._may_jump() else None
        return timer if timer.when() <= arrival.when() else arrival

    def _may_jump(self) -> bool:
        # What ends a run, or the loop, sets timers, and no test is there to advance the clock.
        run = SessionState.of(self.session).running
        return self.clock.autojump or run is None or run.is_broken_off

    def _arrive_at(self, step: _Step) -> None:
        self._move(step)
        if isinstance(step, _Arrival):
            step.reached.set_result(None)

    def _move(self, step: _Step) -> None:
        moment = step.when()
        if self.schedule is not None and not self._arrivals:
            moment += self.schedule.lateness(self, moment)
        self.move_to(moment)

    def move_to(self, moment: float) -> None:
        """Move the clock to a moment, unless it is past that."""
        self._iterations = 0
        self._now = max(self._now, moment)
        # asyncio calls what is due before `time() + resolution`, which has to be after `time()`.
        asyncio_private.set_resolution(self, max(RESOLUTION, math.ulp(self._now)))

    def has_io(self) -> bool:
        """Return whether something outside of the loop may have a say in what happens on it."""
        return self._has_work() or asyncio_private.listens(self) or any(self._new_threads())

    def timers(self, until: float) -> list[float]:
        """Return, in order, when timers are due that are yet to come, up to a moment."""
        moments = {
            timer.when() for timer in asyncio_private.timers_of(self) if not timer.cancelled()
        }
        return sorted(moment for moment in moments if self._now < moment <= until)

    def _time_before(self, step: _Step) -> float:
        """Return how many real seconds are given to what is outside before the clock moves."""
        if step is not self._step:
            self._step, self._step_since = step, self._real_time()
        if self._has_work():
            limit = math.inf
        elif asyncio_private.listens(self) or any(self._new_threads()):
            limit = WAIT_FOR_SIGN
        else:
            return 0
        if isinstance(step, _Arrival):
            return limit
        taken = self._real_time() - self._step_since
        return min(limit, step.when() - self._now - taken)

    def _has_work(self) -> bool:
        return bool(self._work) or any(map(asyncio_private.is_waited_for, self._processes))

    def _new_threads(self) -> Iterator[threading.Thread]:
        """Find the threads that may hear of the loop, and are not known to work for it."""
        pool = asyncio_private.threads_of(self)
        for thread in threading.enumerate():
            is_known = thread in self._threads_before or thread in pool
            if not is_known and not thread.name.startswith(_OWN_THREADS):
                yield thread

    @contextmanager
    def _working(self) -> Generator[None]:
        work = object()
        self._work.add(work)
        try:
            yield
        finally:
            self._work.discard(work)

    def _watched(self, started: tuple[SubprocessTransport, T]) -> tuple[SubprocessTransport, T]:
        self._processes.add(started[0])
        return started

    def _report_deadlock(self) -> None:
        """Fail the test or fixture that runs: nothing will ever wake any task of the loop."""
        __tracebackhide__ = True
        held = (
            " Timers are set, but asyncio_clock.autojump is False and nobody advances the clock."
            if asyncio_private.timers_of(self) and not self.clock.autojump
            else ""
        )
        deadlock = pytest.fail.Exception(
            "Deadlock: every task of the event loop waits for something that only another task "
            f"could bring about, and no timer, I/O, thread or subprocess can wake one.{held}"
        )
        task_tree.attach(deadlock, self, self.session)
        run = SessionState.of(self.session).running
        if run is None:  # The loop is being closed.
            for task in asyncio.all_tasks(self):
                task.cancel()
        if run is None or run is self._deadlocked:
            deadlock.pytrace = False
            raise deadlock

        def insist(task: Task[Any]) -> None:
            """Fail the run although its task has caught the cancellation."""
            if not task.cancelled():
                deadlock.pytrace = False
                deadlock.__cause__ = task.exception()
                run.failure = deadlock

        self._deadlocked = run
        run.cancel(deadlock)
        run.task.add_done_callback(insist)


def _made_virtual(loop: Any, session: pytest.Session) -> VirtualLoop:
    loop.__class__ = _virtual_class(loop.__class__)
    virtual: VirtualLoop = loop
    virtual.begin(session)
    return virtual


@functools.cache
def _virtual_class(kind: Any) -> Any:
    return type(f"Virtual{kind.__name__}", (VirtualLoop, kind), {})
