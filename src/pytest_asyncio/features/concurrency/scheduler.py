"""Tests that wait, wait at the same time: how many, and in which order they are reported.

pytest runs one test after another. Where one waits that may run beside others, those that follow
it and may begin are started. All of them run until the current one is over, which is then
reported, and pytest comes to the next one, which may be over by then. Before one that is to run
alone, all that have been started come to their end. A test that never waits starts no other.
"""

from __future__ import annotations

from asyncio import Future, Task
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Final, NoReturn, final

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.engine import async_fixtures, async_tests, event_loop, runs
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.warn import advise

from . import obstacles
from .current_test import CurrentTest
from .lookahead import Lookahead
from .loops_in_turns import LoopsInTurns, in_turns
from .output import Recorder
from .started_tests import SetupHooks, StartedTest, State
from .which_tests import Kind, WhichTests

PATIENCE: Final = 8
"""Turns of the loop that a test may take before it counts as one that waits."""


def start(session: pytest.Session) -> None:
    """Let tests of a session run beside others, unless something needs them one by one."""
    SessionState.of(session).failed()  # What is raised for a test beside others passes no phase.
    obstacle = obstacles.find(session.config)
    if obstacle is not None:
        obstacles.report(obstacle, session.config)
        return
    plugins = session.config.pluginmanager
    affected = obstacles.hooks_around_each_test(session.config)
    if affected:
        plugins.register(_Advice(affected))
        return
    concurrency = _Concurrency(session)
    plugins.register(concurrency, "asyncio-concurrency")
    SessionState.of(session).scheduler = concurrency


@final
class _Advice:
    """Tells, with the first test of a session, why they run one by one."""

    def __init__(self, hooks: Sequence[str]) -> None:
        self._hooks: Final = hooks

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        item.config.pluginmanager.unregister(self)
        advise(
            item,
            "Concurrent tests run one after another, because a test that is begun early would not "
            f"be seen from start to end by {' and '.join(self._hooks)}.",
        )


@final
class _Concurrency:
    """The started tests of a session, in the order of their reports."""

    def __init__(self, session: pytest.Session) -> None:
        given = options.of(session.config)
        self._limit: Final = given.concurrency
        self._session: Final = session
        self._state: Final = SessionState.of(session)
        self._recorder: Final = Recorder(session.config)
        self._hooks: Final = SetupHooks(session.config)
        self._which: Final = WhichTests(given.serial_fixtures)
        # Where output is shown at once, a test that is over stays set up until it is reported.
        self._next: Final = Lookahead(session, self._which, passes_lone=not self._hooks.are_live)
        self._current: CurrentTest | None = None
        """The test that pytest runs, unless it has been started before."""
        self._started: Final[dict[pytest.Item, StartedTest]] = {}
        """The tests that are started and not yet reported."""
        self._ready: Final[deque[StartedTest]] = deque()
        """Those of them that can go on."""
        self._under_way: Final = set[StartedTest]()
        self._any_ready: Future[None] | None = None
        self._lost: Final = set[LoopOwner]()
        """Whose loops have a task that does not end, so that no more tests are started."""
        self._is_broken_off = False
        self._unreported = 0

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        try:
            self._come_to(item, nextitem)
            with nullcontext() if self._current is None else self._current.heard():
                return (yield)
        except BaseException as error:
            self._break_off(error)
            self._end_all(item)
            raise
        finally:
            self._current = None
            if self._is_ending():
                self._end_all()
            self._next.proceed()

    def _come_to(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        __tracebackhide__ = True
        if not self._next.come_to(item, nextitem):  # Other items were to come first.
            self._end_all(item)
            self._next.clear()
        if item not in self._started:
            while self._under_way:
                self._run_until_down(next(filter(self._is_under_way, self._started.values())))
            self._current = CurrentTest(item, nextitem)
            if self._started:
                self._current.isolate()

    @pytest.hookimpl(specname="pytest_runtest_protocol", tryfirst=True)
    def pytest_runtest_protocol_started(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Report an item that has been started before."""
        if item not in self._started:
            return None
        self._run(self._started[item], nextitem)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> None:
        is_serial = fixturedef.argname in self._which.serial_fixtures
        if is_serial and self._under_way:
            _turn_away(fixturedef, request)
        self._next.set_up(fixturedef, pytest_private.node_of(request))
        test = StartedTest.of(pytest_private.item_of(request)) if self._started else None
        if test is not None:
            test.remember(fixturedef, request)
        elif self._current is not None:
            self._current.is_alone |= is_serial
            self._current.remember_context(request)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        current = self._current
        if current is not None:
            if self._is_ending():
                self._end_all(current.item)
            if self._started:
                current.isolate()
        try:
            return (yield)
        except BaseException:
            if self._started:  # They go on, although a hook may have kept pytest from its own.
                pytest_private.tear_down(self._session, nextitem)
            raise
        finally:
            if current is not None:
                current.rejoin()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._unreported:
            terminalreporter.write_line(
                f"asyncio: {self._unreported} more tests had begun when the session ended, and are "
                "not reported."
            )

    def wait(self, owner: LoopOwner, run: Run) -> None:
        """Run a loop until what a run awaits is done. While that takes time, others run too."""
        __tracebackhide__ = True
        self._spin(owner, run, run.awaited, PATIENCE)
        if not run.awaited.done():
            with pytest_private.current_test_kept():
                self._wait_beside_others(owner, run)
        if run.is_given_up:
            raise event_loop.Stopped

    def _wait_beside_others(self, owner: LoopOwner, run: Run) -> None:
        __tracebackhide__ = True
        current = self._current
        if current is not None and not current.is_alone and current.owns(run, owner):
            kind = self._which.kind_of(current.item)
            if kind is not None:
                self._run_beside(current, kind, run)
        while not (run.awaited.done() or run.failure):
            self._spin(owner, run, run.awaited)

    def _run_beside(self, current: CurrentTest, kind: Kind, run: Run) -> None:
        """Run what follows the current test too, until a run of that one is over."""
        __tracebackhide__ = True
        self._next.restart(current.item, kind)
        run.awaited.add_done_callback(self._wake)
        current.begin_waiting()
        try:
            with self._recorder.recording_others():
                while not (run.awaited.done() or run.failure):
                    self._start_some()
                    self._go_on(current)
        finally:
            self._next.release(current.item)
            if self._started and run.phase == "teardown":
                current.isolate()

    def give_up(self, owner: LoopOwner) -> None:
        """Have a loop given up, on which a task does not end, when no other test needs it."""
        self._lost.add(owner)
        self._give_up_lost()

    def apart(self) -> AbstractContextManager[None]:
        """Return what a loop is to run in: others may go on where the current test does not wait
        for them.
        """
        if self._started and not self._recorder.is_at_work:
            return self._recorder.recording_others()
        return nullcontext()

    def may_use(self, fixturedef: pytest.FixtureDef[Any], besides: pytest.Item) -> bool:
        """Tell whether a test that is under way, besides one, may use a fixture."""
        tests = [test.item for test in self._under_way if test.context is not None]
        if self._current is not None and isinstance(self._current.item, pytest.Function):
            tests.append(self._current.item)
        return any(
            item is not besides and pytest_private.may_use(item, fixturedef) for item in tests
        )

    def _has_to_wait(self, item: pytest.Function) -> bool:
        """Tell whether a test needs a fixture anew that has died, and is not torn down yet."""
        return any(self.may_use(ended, item) for ended in async_fixtures.ended_fixtures_of(item))

    def _run(self, test: StartedTest, nextitem: pytest.Item | None) -> None:
        """Report a test, once it is over; until then, what follows it is run too."""
        item = test.item
        test.hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        test.take_turn()
        if test.state is State.WAITING_FOR_TURN:
            self._move(test, State.READY)
        if self._is_under_way(test):
            self._run_until_down(test)
        if self._is_ending():
            nextitem = None
            self._end([other for other in self._started.values() if other is not test], item)
        self._forget(test)
        test.finish(nextitem)
        test.hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        test.tell_warnings()

    def _is_under_way(self, test: StartedTest) -> bool:
        return test in self._under_way

    def _run_until_down(self, test: StartedTest) -> None:
        with self._recorder.recording(test):
            while self._is_under_way(test):
                self._start_some()
                self._go_on(test)

    def _start_some(self) -> None:
        """Start as many of the next tests as may run at the same time."""
        limit = self._limit if self._current is None else self._limit - 1
        while len(self._under_way) < limit and not (self._lost or self._is_ending()):
            item = self._next.begin_next(self._has_to_wait)
            if item is None:
                return
            test = self._started[item] = StartedTest(item, self._hooks, self._recorder)
            self._state.lanes.append(test)
            self._move(test, State.TO_BEGIN)

    def _move(self, test: StartedTest, state: State) -> None:
        """Let a test be in another state: the only place where that changes."""
        test.state = state
        if state in (State.TO_BEGIN, State.READY):
            test.watch.pause()
            self._ready.append(test)
            self._wake()
        if state in (State.DOWN, State.WAITING_FOR_TURN):
            self._under_way.discard(test)
        else:
            self._under_way.add(test)
        if state is State.DOWN:
            self._next.release(test.item)

    def _forget(self, test: StartedTest) -> None:
        del self._started[test.item]
        self._state.lanes.remove(test)
        self._give_up_lost()

    def _give_up_lost(self) -> None:
        needed = {async_tests.owner_of(item) for item in self._started}
        for owner in self._lost - needed:
            owner.give_up()
            self._lost.remove(owner)

    def _go_on(self, current: StartedTest | CurrentTest) -> None:
        """Let a test go on that can, or wait until one can."""
        __tracebackhide__ = True
        self._recorder.listen()
        if not self._ready:
            self._wait_for_any(current)
        elif isinstance(current, StartedTest):
            self._step(self._ready.popleft())
        else:
            self._step_beside(current)

    def _step_beside(self, current: CurrentTest) -> None:
        assert current.run is not None
        try:
            with current.put_aside():
                self._step(self._ready.popleft())
        except KeyboardInterrupt as interruption:
            self._interrupt(current.run, interruption)

    def _interrupt(self, run: Run, interruption: KeyboardInterrupt) -> None:
        """Let Ctrl-C in the code of one test end the session, but not the teardown of another."""
        if run.phase != "teardown":
            raise interruption
        self._state.postpone(interruption)

    def _step(self, test: StartedTest) -> None:
        if test.run is not None:
            for notify in self._state.on_run_ended:
                notify(test.run)
            test.land()
        elif test.state is State.TO_BEGIN:
            test.begin()
        run = test.advance()
        if run is not None:
            self._follow(test, run)
        else:
            self._move(test, State.DOWN if test.is_torn_down else State.WAITING_FOR_TURN)

    def _follow(self, test: StartedTest, run: Run) -> None:
        """Let a test go on when a run is over."""
        test.run = run
        self._move(test, State.IN_RUN)
        for notify in self._state.on_run_begins:
            notify(run)
        test.watch.go()
        run.awaited.add_done_callback(partial(self._end_run, test, run))

    def _end_run(self, test: StartedTest, run: Run, _: object) -> None:
        if test.run is run and test.state is State.IN_RUN:  # It may have been given up before.
            self._move(test, State.READY)

    def _wake(self, _: object = None) -> None:
        if self._any_ready is not None and not self._any_ready.done():
            self._any_ready.set_result(None)

    def _wait_for_any(self, current: StartedTest | CurrentTest) -> None:
        """Run the loops until a test can go on, or the current one."""
        __tracebackhide__ = True
        owner, run = current.owner, current.run
        assert owner is not None
        assert run is not None
        loop = run.task.get_loop()
        if loop.is_closed():
            self._fail_all(owner)
            return
        self._any_ready = loop.create_future()
        if isinstance(current, StartedTest):
            current.announce()
        try:
            self._spin(owner, run, self._any_ready)
        except BaseException as error:
            if current is self._current or isinstance(error, KeyboardInterrupt):
                raise
            # By a callback, or by the handler of a signal, such as that of a time-out.
            run.cancel(error)

    def _spin(
        self, owner: LoopOwner, run: Run, future: Future[Any], patience: int | None = None
    ) -> None:
        """Run a loop as `LoopOwner.spin()` does, for a run, and those of the others in turns.

        What ends another run is not raised.
        """
        __tracebackhide__ = True
        if not self._started:
            owner.spin(future, patience)
            return
        owners = self._owners_beside(owner)
        if len(owners) == 1:
            self._attend(owner, run, partial(owner.spin, future, patience))
            return
        with in_turns(owners) as turns:
            while not (future.done() or run.failure):
                for each in self._due(turns):
                    self._attend(each, run, each.run_once)

    def _due(self, turns: LoopsInTurns) -> Iterable[LoopOwner]:
        __tracebackhide__ = True
        try:
            return turns.due()
        except BaseException as error:
            for call in self._state.on_loop_interrupted:
                call(error)
            raise

    def _owners_beside(self, owner: LoopOwner) -> list[LoopOwner]:
        """Return the owners of the loops that tests are under way on, after this one."""
        owners = {owner: None}
        current = self._current
        if current is not None and current.run is not None and current.owner is not None:
            owners[current.owner] = None
        for test in tuple(self._under_way):
            if test.state is State.IN_RUN and test.run is not None:
                if test.run.task.get_loop().is_closed():
                    self._fail_all(test.owner)
                else:
                    owners[test.owner] = None
        return list(owners)

    def _attend(self, owner: LoopOwner, run: Run, spin: Callable[[], None]) -> None:
        __tracebackhide__ = True
        try:
            spin()
        except event_loop.Stopped as stopped:
            if self._has_given_up(owner):
                return
            reason = f"{stopped} Something has called stop() on {owner}."
            failure = pytest.fail.Exception(reason, pytrace=False)
            failure.__suppress_context__ = True
            self._blame(owner.stopped_by, run, failure)
        except BaseException as error:
            if not self._is_outcome(error):
                self._blame(runs.behind(error), run, error)

    def _blame(self, culprit: Run | None, run: Run, error: BaseException) -> None:
        """End a run with an error, or raise that if it is the current one, or nobody's."""
        __tracebackhide__ = True
        if culprit is None or culprit is run:
            raise error
        if isinstance(error, KeyboardInterrupt):
            self._interrupt(run, error)
        else:
            culprit.cancel(error)

    def _is_outcome(self, error: BaseException) -> bool:
        """Tell whether a run has raised an error, which asyncio has let through, and is told it."""
        return any(event_loop.is_outcome_of(run.task, error) for run in self._state.all_running)

    def _has_given_up(self, owner: LoopOwner) -> bool:
        """Tell whether a run does not end. A started test's is the last one on its loop."""
        for test in tuple(self._under_way):
            if test.state is State.IN_RUN and test.run is not None and test.run.is_given_up:
                self._lost.add(test.owner)
                self._move(test, State.READY)
        return any(
            run.is_given_up and run.task.get_loop() is owner.opened
            for run in self._state.all_running
        )

    def _fail_all(self, owner: LoopOwner) -> None:
        """Fail the tests on a loop that something has closed."""
        failure = pytest.fail.Exception(
            f"Something has closed {owner} while tests ran on it.", pytrace=False
        )
        current = self._current
        if current is not None and current.run is not None and current.owner is owner:
            current.run.failure = failure
        for test in tuple(self._under_way):
            if test.run is not None and test.owner is owner:
                test.run.failure = failure
                if test.state is State.IN_RUN:
                    self._move(test, State.READY)

    def _break_off(self, interruption: BaseException) -> None:
        """Cancel what tests run. A teardown may take as long as what is cancelled, before."""
        self._is_broken_off = True
        tearing_down = [test for test in self._started.values() if test.is_tearing_down]
        self._cancel(test for test in self._started.values() if test not in tearing_down)
        for test in tearing_down:
            run = test.run
            if run is not None and test.is_running and not run.task.get_loop().is_closed():
                test.owner.let_end({run.task}, interruption)
        self._cancel(tearing_down, interruption)

    def _cancel(
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

    def _is_ending(self) -> bool:
        return bool(self._session.shouldfail or self._session.shouldstop)

    def _end_all(self, current: pytest.Item | None = None) -> None:
        self._end(tuple(self._started.values()), current)

    def _end(self, doomed: Sequence[StartedTest], current: pytest.Item | None) -> None:
        """End tests of which nothing is reported: cancel what they run, and tear them down."""
        if not doomed:
            return
        for test in doomed:
            test.is_abandoned = True
        begun = [test for test in doomed if test.context is not None]
        for test in doomed:
            if test not in begun:
                self._ready.remove(test)
                self._under_way.remove(test)
        with self._recorder.recording(doomed[0]):
            self._cancel(test for test in begun if not test.is_tearing_down)
            for test in begun:
                if test.run is None and test.state is not State.DOWN:
                    self._move(test, State.READY)
            for test in begun:
                while test.state is not State.DOWN:
                    self._go_on_ending(test, begun)
            for test in reversed(begun):
                test.tear_shared_down(current)
        for test in doomed:
            self._forget(test)
        for test in begun:
            test.vanish()
        if self._is_broken_off or self._is_ending():
            self._unreported += len(begun)

    def _go_on_ending(self, test: StartedTest, doomed: Sequence[StartedTest]) -> None:
        """Let tests end, of which Ctrl-C breaks off no more than what they run at the moment."""
        try:
            self._go_on(test)
        except KeyboardInterrupt as interruption:
            self._cancel(doomed, interruption)
            self._state.postpone(interruption)


def _turn_away(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> NoReturn:
    """Refuse what acts on all tests, and what nobody could foresee."""
    pytest.fail(
        f"{pytest_private.item_of(request).nodeid} runs beside other tests, and asks for "
        f"{fixturedef.argname!r} by getfixturevalue(), which acts on all of them. Name the "
        "fixture in the arguments of the test, or in @pytest.mark.usefixtures, and the "
        "test will run alone.",
        pytrace=False,
    )
