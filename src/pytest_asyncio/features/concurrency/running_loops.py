"""Running the loops of tests that wait, and finding out whose an error is that ends this."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, final

import pytest

from pytest_asyncio.collect import own_loops
from pytest_asyncio.engine import event_loop, runs
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import SessionState

from .loops_in_turns import LoopsInTurns, in_turns
from .started_tests import State
from .under_way import UnderWay


@final
class RunningLoops:
    """Runs the loop of a test, and those of the tests that are under way beside it."""

    def __init__(self, tests: UnderWay, state: SessionState) -> None:
        self._tests: Final = tests
        self._state: Final = state

    def spin(
        self,
        owner: LoopOwner,
        run: Run,
        future: Future[Any],
        iterations: int | None = None,
    ) -> None:
        """Run a loop as `LoopOwner.spin()` does, for a run, and those of the others in turns.

        What ends another run is not raised.
        """
        __tracebackhide__ = True
        if not self._tests.started:
            owner.spin(future, iterations)
            return
        owners = self._owners_beside(owner)
        # A clock of its own moves on where its loop waits, with none beside it.
        if iterations is None and (
            self._tests.under_way or not own_loops.has_own_clock(type(future.get_loop()))
        ):
            owners |= dict.fromkeys(self._tests.owners_used())
        if len(owners) == 1:
            self._attend(owner, run, partial(owner.spin, future, iterations))
            return
        with in_turns([*owners]) as turns:
            while not (future.done() or run.failure):
                for each in self._due(turns):
                    self._attend(each, run, each.run_once)

    def _due(self, turns: LoopsInTurns) -> Iterable[LoopOwner]:
        __tracebackhide__ = True
        try:
            return turns.due()
        except BaseException as error:
            self._state.interrupted(error)
            raise

    def _owners_beside(self, owner: LoopOwner) -> dict[LoopOwner, None]:
        """Return the owners of the loops that tests are under way on, after this one."""
        owners: dict[LoopOwner, None] = {owner: None}
        current = self._tests.current
        if current is not None and current.run is not None and current.owner is not None:
            owners[current.owner] = None
        for test in tuple(self._tests.under_way):
            if test.state is State.IN_RUN and test.run is not None:
                if test.run.task.get_loop().is_closed():
                    self.fail_all(test.owner)
                else:
                    owners[test.owner] = None
        return owners

    def _attend(self, owner: LoopOwner, run: Run, spin: Callable[[], None]) -> None:
        __tracebackhide__ = True
        try:
            spin()
        except event_loop.Stopped as stopped:
            culprit = owner.stopped_by
            if self._has_given_up(owner) or (culprit is not None and culprit.awaited.done()):
                return
            reason = f"{stopped} Something has called stop() on {owner}."
            failure = pytest.fail.Exception(reason, pytrace=False)
            failure.__suppress_context__ = True
            self._blame(culprit, run, failure)
        except BaseException as error:
            if not self._is_outcome(error):
                is_failure = error is owner.failure
                self._blame(owner.stopped_by if is_failure else runs.behind(error), run, error)

    def _blame(self, culprit: Run | None, run: Run, error: BaseException) -> None:
        """End a run with an error, or raise that if it is the current one, or nobody's."""
        __tracebackhide__ = True
        if culprit is None or culprit is run:
            raise error
        if isinstance(error, KeyboardInterrupt):
            self.interrupt(run, error)
        else:
            culprit.cancel(error)

    def _is_outcome(self, error: BaseException) -> bool:
        """Return whether a run itself has raised an error that asyncio has let through."""
        return any(event_loop.is_outcome_of(run.task, error) for run in self._state.all_running)

    def _has_given_up(self, owner: LoopOwner) -> bool:
        """Return whether a run does not end. A started test's is the last one on its loop."""
        for test in tuple(self._tests.under_way):
            if test.state is State.IN_RUN and test.run is not None and test.run.is_given_up:
                self._tests.lost.add(test.owner)
                self._tests.move(test, State.READY)
        return any(
            run.is_given_up and run.task.get_loop() is owner.opened
            for run in self._state.all_running
        )

    def fail_all(self, owner: LoopOwner) -> None:
        """Fail the tests on a loop that something has closed."""
        failure = pytest.fail.Exception(
            f"Something has closed {owner} while tests ran on it.", pytrace=False
        )
        current = self._tests.current
        if current is not None and current.run is not None and current.owner is owner:
            current.run.failure = failure
        for test in tuple(self._tests.under_way):
            if test.state is State.IN_RUN and test.run is not None and test.owner is owner:
                test.run.failure = failure
                self._tests.move(test, State.READY)

    def interrupt(self, run: Run, interruption: KeyboardInterrupt) -> None:
        """Let Ctrl-C in the code of one test end the session, but not the teardown of another."""
        if run.phase != "teardown":
            raise interruption
        self._state.postpone(interruption)
