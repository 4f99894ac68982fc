"""The tests that are under way: which there are, what each of them does, and how they are ended."""

from __future__ import annotations

from asyncio import Future, Task
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, final

import pytest

from pytest_asyncio.engine import async_tests
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import pytest_private

from .beside import Overlaps
from .current_test import CurrentTest
from .started_tests import StartedTest, State


@final
class UnderWay:
    """The tests that are under way in a session."""

    def __init__(self, state: SessionState) -> None:
        self._state: Final = state
        self.current: CurrentTest | None = None
        """The test that pytest runs, unless it has been started before."""
        self.started: Final[dict[pytest.Item, StartedTest]] = {}
        """The tests that are started and not yet reported."""
        self.ready: Final[deque[StartedTest]] = deque()
        """Those of them that can go on."""
        self.under_way: Final = set[StartedTest]()
        """Those that are neither down nor waiting for their turn."""
        self.any_ready: Future[None] | None = None
        """What is waited for where none can go on."""
        self.lost: Final = set[LoopOwner]()
        """Whose loops have a task that does not end, so that no more tests are started."""
        self._used: Final = set[LoopOwner]()
        """Whose loops started tests have run on."""
        self.is_broken_off: bool = False
        self.overlaps: Final = Overlaps()

    def add(self, test: StartedTest) -> None:
        self.overlaps.begin(test.item)
        self.started[test.item] = test
        self._state.other_tests.append(test)
        self.move(test, State.TO_BEGIN)

    def first(self) -> StartedTest:
        """Return the first test that is under way, in the order of their reports."""
        return next(filter(self.is_under_way, self.started.values()))

    def is_under_way(self, test: StartedTest) -> bool:
        return test in self.under_way

    def move(self, test: StartedTest, state: State) -> None:
        """Let a test be in another state: the only place where that changes."""
        test.state = state
        if state in (State.TO_BEGIN, State.READY):
            test.stopwatch.pause()
            self.ready.append(test)
            self.wake()
        if state in (State.DOWN, State.WAITING_FOR_TURN):
            self.under_way.discard(test)
            self.overlaps.end(test.item)
        else:
            self.under_way.add(test)
            if state is State.IN_RUN:
                self._used.add(test.owner)

    def wake(self, _: object = None) -> None:
        if self.any_ready is not None and not self.any_ready.done():
            self.any_ready.set_result(None)

    def owners_used(self) -> set[LoopOwner]:
        """Return whose loops are open, and have what tests have begun there, and may have left.

        A thread may wait for that, and tests for the thread. One after another, the loop would go
        on with the next test, or be closed.
        """
        for owner in tuple(self._used):
            if owner.opened is None or owner.opened.is_closed():
                self._used.remove(owner)
        return self._used

    def forget(self, test: StartedTest) -> None:
        del self.started[test.item]
        self._state.other_tests.remove(test)
        self._give_up_lost()

    def _give_up_lost(self) -> None:
        needed = {async_tests.owner_of(item) for item in self.started}
        for owner in self.lost - needed:
            owner.give_up()
            self.lost.remove(owner)

    def give_up(self, owner: LoopOwner) -> None:
        """Have a loop given up, on which a task does not end, when no other test needs it."""
        self.lost.add(owner)
        self._give_up_lost()

    def may_use(self, fixturedef: pytest.FixtureDef[Any], besides: pytest.Item) -> bool:
        """Return whether a test that is under way, besides one, may use a fixture."""
        tests = [test.item for test in self.under_way if test.context is not None]
        if self.current is not None and isinstance(self.current.item, pytest.Function):
            tests.append(self.current.item)
        return any(
            item is not besides and pytest_private.may_use(item, fixturedef) for item in tests
        )

    def break_off(self, interruption: BaseException) -> None:
        """Cancel what tests run. A teardown may take as long as what is cancelled, before."""
        self.is_broken_off = True
        tearing_down = [test for test in self.started.values() if test.is_tearing_down]
        self.cancel(test for test in self.started.values() if test not in tearing_down)
        for test in tearing_down:
            run = test.run
            if run is not None and test.is_running and not run.task.get_loop().is_closed():
                test.owner.let_end({run.task}, interruption)
        self.cancel(tearing_down, interruption)

    def cancel(
        self, tests: Iterable[StartedTest], interruption: BaseException | None = None
    ) -> None:
        """Cancel what tests run, and wait until it has ended; what does not loses its loop."""
        left: dict[LoopOwner, set[Task[Any]]] = {}
        for test in tests:
            if test.is_running and test.run is not None:
                test.run.break_off()
                left.setdefault(test.owner, set()).add(test.run.task)
        for owner, tasks in left.items():
            if next(iter(tasks)).get_loop().is_closed():
                continue
            owner.cancel(tasks, interruption)
            if not all(task.done() for task in tasks):
                owner.give_up()
