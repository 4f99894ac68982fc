"""The state of one session, in one object: its event loops, its runs, and what observes both."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Task
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, cast, final

import pytest

from pytest_asyncio.support import asyncio_private
from pytest_asyncio.support.asyncio_private import CurrentLoop

from .runs import ACTIVE_TEST, ActiveTest, Run

if TYPE_CHECKING:
    from pytest_asyncio.support.types import LoopFactory

    from .fixture_setups import Setup
    from .fixture_tasks import FixtureTask
    from .loops import LoopOwner
    from .plan import Plan


class Observer:
    """A feature that sees tests planned, loops open and close, and runs begin and end.

    It overrides what it needs, and is called for nothing else. The runs of concurrent tests
    overlap, and a run may lie within another one on the same loop: what an observer has to
    remember from the beginning of a run to its end, it remembers by the run.
    """

    def test_planned(self, item: pytest.Function, plan: Plan) -> None:
        """The marks of an async test are read, and nothing is set up for it."""

    def loop_opened(self, owner: LoopOwner) -> None:
        """A loop, `owner.opened`, is open, and nothing has run on it."""

    def loop_ending(self, owner: LoopOwner, left: set[Task[Any]]) -> None:
        """Nothing uses a loop any more, and the tasks that are left on it are cancelled next."""

    def loop_closing(self, owner: LoopOwner) -> None:
        """All that was on a loop, `owner.opened`, has ended or is given up; it is closed next.

        A test may have closed it before.
        """

    def loop_interrupted(self, error: BaseException) -> None:
        """An error, such as Ctrl-C, has left a loop that was running, and nothing is ended yet."""

    def setup_awaited(self, setup: Setup) -> None:
        """The setup of an async fixture has begun, and is waited for next."""

    def run_begins(self, run: Run) -> None:
        """A run enters its loop next."""

    def run_ended(self, run: Run) -> None:
        """A run is over. Called in the reverse order of `run_begins()`."""

    def first_failure(self) -> None:
        """Something has failed, for the first time in the session, and is yet to be reported."""


class Scheduler(Protocol):
    """A feature that lets other tests run where one waits."""

    def wait(self, owner: LoopOwner, run: Run) -> None:
        """Run a loop until what a run awaits is done, or something else ends the run."""
        ...

    def give_up(self, owner: LoopOwner) -> None:
        """Have a loop given up as soon as no other test needs it."""
        ...

    def may_use(self, fixturedef: pytest.FixtureDef[Any], besides: pytest.Item) -> bool:
        """Return whether a test that is under way, besides one, may use a fixture."""
        ...

    def apart(self) -> AbstractContextManager[None]:
        """Return what a loop is to run in, to keep the tests on it out of each other's reports."""
        ...


@final
class SessionState:
    """All that the engine knows of a session."""

    _KEY: ClassVar = pytest.StashKey["SessionState"]()

    def __init__(self) -> None:
        self.default_factory: Final = asyncio_private.default_loop_factory()
        """Makes the loops that nothing else makes, whatever policy a test or fixture sets."""
        self.virtual_factory: Callable[[LoopFactory | None, pytest.Function], LoopFactory] | None
        self.virtual_factory = None
        """Makes of a loop factory the one for an item whose clock is virtual."""
        self.scheduler: Scheduler | None = None
        """What lets other tests run where one waits; None runs one after another."""
        self.open_loops: Final[dict[LoopOwner, AbstractEventLoop]] = {}
        """In the order in which they were opened, or, where something uses them, first used."""
        self.early_setups: Final[dict[pytest.FixtureDef[Any], Setup]] = {}
        """What has begun before pytest has requested it."""
        self.found: AbstractEventLoop | None = None
        """What a synchronous fixture finds by `get_event_loop()` while its function runs."""
        self.standing: Final[dict[Task[None], FixtureTask]] = {}
        """The fixtures that stand at their `yield`, by their tasks."""
        self.ended: Final[list[Setup]] = []
        """Those that have ended too early, and are yet to be torn down."""
        self.current_test: ActiveTest = ActiveTest()
        """The test that pytest runs."""
        self.other_tests: Final[list[ActiveTest]] = []
        """Those that run beside it."""
        self.live_loops: Final[dict[AbstractEventLoop | None, ActiveTest]] = {}
        """Those of them that are loops which go on in threads of their own."""
        self.on_test_planned: Final[list[Callable[[pytest.Function, Plan], None]]] = []
        self._on_loop_opened: Final[list[Callable[[LoopOwner], None]]] = []
        self.on_loop_ending: Final[list[Callable[[LoopOwner, set[Task[Any]]], None]]] = []
        self.on_loop_closing: Final[list[Callable[[LoopOwner], None]]] = []
        self._on_loop_interrupted: Final[list[Callable[[BaseException], None]]] = []
        self.on_setup_awaited: Final[list[Callable[[Setup], None]]] = []
        self.on_run_begins: Final[list[Callable[[Run], None]]] = []
        self.on_run_ended: Final[list[Callable[[Run], None]]] = []
        self._on_first_failure: Final[list[Callable[[], None]]] = []
        self._loop_before: CurrentLoop | None = None
        self._policies: Final[dict[LoopOwner, Any]] = {}
        """The overridden policies of loops that are not closed, in the order in which they came."""
        self._policy_before: Any = None
        self._interruption: KeyboardInterrupt | None = None

    @classmethod
    def of(cls, session: pytest.Session) -> SessionState:
        try:
            return session.stash[cls._KEY]
        except KeyError:
            state = session.stash[cls._KEY] = cls()
            return state

    def observe(self, observer: Observer) -> None:
        """Have an observer called from now on, for the events that it overrides."""
        for event, calls in (
            ("test_planned", self.on_test_planned),
            ("loop_opened", self._on_loop_opened),
            ("loop_ending", self.on_loop_ending),
            ("loop_closing", self.on_loop_closing),
            ("loop_interrupted", self._on_loop_interrupted),
            ("setup_awaited", self.on_setup_awaited),
            ("run_begins", self.on_run_begins),
            ("first_failure", self._on_first_failure),
        ):
            if getattr(type(observer), event) is not getattr(Observer, event):
                cast("list[Any]", calls).append(getattr(observer, event))
        if type(observer).run_ended is not Observer.run_ended:
            self.on_run_ended.insert(0, observer.run_ended)

    def opened(self, owner: LoopOwner, loop: AbstractEventLoop) -> None:
        """Know of a loop that its owner has opened, and let synchronous code find it."""
        if self.open_loops:
            asyncio_private.forget_current_loop()
        else:
            self._loop_before = CurrentLoop.read()
        self.open_loops[owner] = loop
        asyncio.set_event_loop(self.found or loop)
        for call in self._on_loop_opened:
            call(owner)

    def closed(self, owner: LoopOwner) -> None:
        """Forget a loop, and put the thread's current loop back to what it was before."""
        del self.open_loops[owner]
        if self.open_loops:
            loop = next(reversed(self.open_loops.values()))
            self.make_current(None if loop.is_closed() else loop)
        else:
            assert self._loop_before is not None
            self._loop_before.put_back()

    def report_closed_loops(self, item: pytest.Item) -> bool:
        """Warn about a test if it has closed loops that it shares with others; return whether."""
        closed = [owner for owner, loop in self.open_loops.items() if loop.is_closed()]
        for owner in closed:
            owner.report_closed_loop(item)
        return bool(closed)

    def obey(self, owner: LoopOwner, policy: Any) -> None:
        """Put the policy that is to make a loop in force, until the loop is closed."""
        if not self._policies:
            self._policy_before = asyncio_private.policy_in_force()
        self._policies[owner] = policy
        asyncio_private.put_policy_in_force(policy)

    def disobey(self, owner: LoopOwner) -> None:
        """Put the policy in force that is of the last loop left, or was before all of them."""
        if owner not in self._policies:
            return
        del self._policies[owner]
        left = next(reversed(self._policies.values()), self._policy_before)
        asyncio_private.put_policy_in_force(left)

    def make_current(self, loop: AbstractEventLoop | None) -> None:
        """Let synchronous code find a loop, unless a fixture whose function runs has another."""
        loop = self.found or loop
        if asyncio_private.current_loop() is not loop:
            if len(self.open_loops) > 1:
                asyncio_private.forget_current_loop()
            asyncio.set_event_loop(loop)

    def test_of_caller(self) -> ActiveTest:
        if self.live_loops and (test := self.live_loops.get(asyncio_private.running_loop())):
            return test
        test = ACTIVE_TEST.get()
        return self.current_test if test is None or test.is_over else test

    @property
    def running(self) -> Run | None:
        """The run whose code asks, if any is going on."""
        return self.test_of_caller().run

    @property
    def run_of_caller(self) -> Run | None:
        """The run that the calling code belongs to; None where nobody can know.

        What comes from another thread, or was left behind by a test that is over, may be anyone's
        where several tests run at the same time.
        """
        test = ACTIVE_TEST.get()
        if test is not None:
            return None if test.is_over else test.run
        return None if self.other_tests else self.current_test.run

    @property
    def all_running(self) -> tuple[Run, ...]:
        """The runs that are going on: one, or those of the tests that run at the same time."""
        tests = (self.current_test, *self.other_tests)
        return tuple(test.run for test in tests if test.run is not None)

    def interrupted(self, error: BaseException) -> None:
        """Know that an error has left a loop that was running."""
        for call in self._on_loop_interrupted:
            call(error)

    def failed(self) -> None:
        """Let failures be explained from now on: most tests pass, and each hook costs."""
        while self._on_first_failure:
            self._on_first_failure.pop()()

    def postpone(self, interruption: KeyboardInterrupt) -> None:
        """Let Ctrl-C in a teardown wait until the other finalizers have been called.

        In a group with what else these raise, pytest would take it for a failure, and go on. At
        the end of a session there is nothing more that it could end.
        """
        self._interruption = interruption

    def raise_postponed(self) -> None:
        """Raise what was postponed, if anything was."""
        __tracebackhide__ = True
        if self._interruption is not None:
            interruption, self._interruption = self._interruption, None
            raise interruption
