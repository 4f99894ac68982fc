"""Tests that wait, wait at the same time: how many, and in which order they are reported.

pytest runs one test after another. Where one waits that may run beside others, those that follow
it and may begin are started. All of them run until the current one is over, which is then
reported, and pytest comes to the next one, which may be over by then. Before one that is to run
alone, all that have been started come to their end. A test that never waits starts no other.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Final, NoReturn, final

import pytest

from pytest_asyncio.collect import lone_tests, options
from pytest_asyncio.engine import ended_fixtures, event_loop
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.pytest_private import reporting, setup_state
from pytest_asyncio.support.warn import advise

from . import obstacles
from .beside import REPORTS, Reports
from .current_test import CurrentTest
from .executors import Executors
from .lookahead import Lookahead
from .output import Recorder
from .running_loops import RunningLoops
from .setup_hooks import SetupHooks
from .started_tests import StartedTest, State
from .under_way import UnderWay
from .which_tests import Kind, kind_of

ITERATIONS: Final = 8
"""Iterations of the loop that a test may take before it counts as one that waits."""


def start(session: pytest.Session) -> None:
    """Let tests of a session run beside others, unless something needs them one by one."""
    SessionState.of(session).failed()  # What is raised for a test beside others passes no phase.
    if obstacles.report(session) is not None:
        return
    plugins = session.config.pluginmanager
    affected = obstacles.hooks_around_each_test(session.config)
    if affected:
        plugins.register(_Advice(affected))
        return
    concurrency = _Concurrency(session)
    plugins.register(concurrency, "asyncio-concurrency")
    state = SessionState.of(session)
    state.scheduler = concurrency
    state.observe(Executors(options.of(session.config).concurrency))


@final
class _Advice:
    """Says, with the first test of a session, why they run one by one."""

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
        self._limit: Final = options.of(session.config).concurrency
        self._session: Final = session
        self._state: Final = SessionState.of(session)
        self._recorder: Final = Recorder(session.config)
        self._hooks: Final = SetupHooks(session.config)
        self._serial_fixtures: Final = lone_tests.serial_fixtures(session.config)
        # Where output is shown at once, a test that is over stays set up until it is reported.
        self._next: Final = Lookahead(session, passes_lone=not self._hooks.are_live)
        self._tests: Final = UnderWay(self._state)
        self._loops: Final = RunningLoops(self._tests, self._state)
        self._unreported = 0
        session.config.pluginmanager.register(Reports(self._tests.overlaps), REPORTS)

    @pytest.hookimpl(specname="pytest_runtest_protocol", wrapper=True, tryfirst=True)
    def pytest_runtest_protocol_after_others(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Let others end before what surrounds a test that is not to run beside them, its warning
        filters among that.
        """
        __tracebackhide__ = True
        try:
            self._come_to(item, nextitem)
        except BaseException as error:
            self._tests.break_off(error)
            self._end_all(item)
            raise
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        if item not in self._tests.started:
            self._tests.current = CurrentTest(item, nextitem)
            self._tests.overlaps.begin(item)
            if self._tests.started:
                self._tests.current.isolate()
        try:
            with nullcontext() if self._tests.current is None else self._tests.current.heard():
                return (yield)
        except BaseException as error:
            self._tests.break_off(error)
            self._end_all(item)
            raise
        finally:
            self._tests.current = None
            self._tests.overlaps.forget(item)
            if self._is_ending():
                self._end_all()
            self._next.proceed()

    def _come_to(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        __tracebackhide__ = True
        if not self._next.come_to(item, nextitem):  # Other items were to come first.
            self._end_all(item)
            self._next.clear()
        if item not in self._tests.started and self._tests.under_way:
            # All that are under way have the same filters.
            with reporting.warnings_of(self._tests.first().item):
                while self._tests.under_way:
                    self._run_until_down(self._tests.first())

    @pytest.hookimpl(specname="pytest_runtest_protocol", tryfirst=True)
    def pytest_runtest_protocol_started(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Report an item that has been started before."""
        if item not in self._tests.started:
            return None
        self._run(self._tests.started[item], nextitem)
        return True

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        is_serial = fixturedef.argname in self._serial_fixtures
        if is_serial and self._tests.under_way:
            _refuse(fixturedef, request)
        if not pytest_private.is_own(request):
            self._next.set_up(fixturedef, pytest_private.node_of(request))
        test = self._tests.started.get(pytest_private.item_of(request))
        if test is not None:
            test.remember(fixturedef, request)
        elif self._tests.current is not None:
            self._tests.current.is_alone |= is_serial
            self._tests.current.remember_context(request)
        try:
            return (yield)
        finally:
            pytest_private.find_again(fixturedef, request)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        current = self._tests.current
        if current is not None:
            if self._is_ending():
                self._end_all(current.item)
            if self._tests.started:
                current.isolate()
        try:
            return (yield)
        except BaseException:
            if (
                self._tests.started
            ):  # They go on, although a hook may have kept pytest from its own.
                setup_state.tear_down(self._session, nextitem)
            raise
        finally:
            if current is not None:
                current.rejoin()

    def pytest_unconfigure(self) -> None:
        self._recorder.stop()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._unreported:
            terminalreporter.write_line(
                f"asyncio: {self._unreported} more tests had begun when the session ended, and are "
                "not reported."
            )

    def wait(self, owner: LoopOwner, run: Run) -> None:
        """Run a loop until what a run awaits is done. While that takes time, others run too."""
        __tracebackhide__ = True
        with reporting.current_test_kept():
            self._loops.spin(owner, run, run.awaited, ITERATIONS)
            if not run.awaited.done():
                self._wait_beside_others(owner, run)
        if run.is_given_up:
            raise event_loop.Stopped

    def _wait_beside_others(self, owner: LoopOwner, run: Run) -> None:
        __tracebackhide__ = True
        current = self._tests.current
        if current is not None and not current.is_alone and current.owns(run, owner):
            kind = kind_of(current.item)
            if kind is not None:
                self._run_beside(current, kind, run)
        while not (run.awaited.done() or run.failure):
            self._loops.spin(owner, run, run.awaited)

    def _run_beside(self, current: CurrentTest, kind: Kind, run: Run) -> None:
        """Run what follows the current test too, until a run of that one is over."""
        __tracebackhide__ = True
        self._next.restart(current.item, kind)
        run.awaited.add_done_callback(self._tests.wake)
        current.begin_waiting()
        try:
            with self._recorder.recording_others():
                while not (run.awaited.done() or run.failure):
                    self._start_some()
                    self._go_on(current)
        finally:
            self._next.release(current.item)
            if self._tests.started and run.phase == "teardown":
                current.isolate()

    def give_up(self, owner: LoopOwner) -> None:
        """Have a loop given up, on which a task does not end, when no other test needs it."""
        self._tests.give_up(owner)

    def apart(self) -> AbstractContextManager[None]:
        """Return what a loop is to run in: others may go on where the current test does not wait
        for them.
        """
        return self._beside_others() if self._tests.started else nullcontext()

    @contextmanager
    def _beside_others(self) -> Generator[None]:
        is_recorded = self._recorder.is_at_work
        with (
            setup_state.together(self._session),
            nullcontext() if is_recorded else self._recorder.recording_others(),
        ):
            yield

    def may_use(self, fixturedef: pytest.FixtureDef[Any], besides: pytest.Item) -> bool:
        """Return whether a test that is under way, besides one, may use a fixture."""
        return self._tests.may_use(fixturedef, besides)

    def _has_to_wait(self, item: pytest.Function) -> bool:
        """Return whether a test needs a fixture anew that has died, and is not torn down yet."""
        return any(
            self._tests.may_use(ended, item) for ended in ended_fixtures.ended_fixtures_of(item)
        )

    def _run(self, test: StartedTest, nextitem: pytest.Item | None) -> None:
        """Report a test, once it is over; until then, what follows it is run too."""
        item = test.item
        test.hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        test.take_turn()
        if test.state is State.WAITING_FOR_TURN:
            self._tests.move(test, State.READY)
        if self._tests.is_under_way(test):
            self._run_until_down(test)
        if self._is_ending():
            nextitem = None
            self._end([other for other in self._tests.started.values() if other is not test], item)
        self._tests.forget(test)
        test.finish(nextitem)
        test.hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        test.report_warnings()

    def _run_until_down(self, test: StartedTest) -> None:
        with self._recorder.recording(test):
            while self._tests.is_under_way(test):
                self._start_some()
                self._go_on(test)

    def _start_some(self) -> None:
        """Start as many of the next tests as may run at the same time."""
        limit = self._limit if self._tests.current is None else self._limit - 1
        while len(self._tests.under_way) < limit and not (self._tests.lost or self._is_ending()):
            item = self._next.begin_next(self._has_to_wait)
            if item is None:
                return
            self._tests.add(StartedTest(item, self._hooks, self._recorder))

    def _go_on(self, current: StartedTest | CurrentTest) -> None:
        """Let a test go on that can, or wait until one can."""
        __tracebackhide__ = True
        self._recorder.listen()
        if not self._tests.ready:
            self._wait_for_any(current)
        elif isinstance(current, StartedTest):
            self._step(self._tests.ready.popleft())
        else:
            self._step_beside(current)

    def _step_beside(self, current: CurrentTest) -> None:
        assert current.run is not None
        try:
            with current.put_aside():
                self._step(self._tests.ready.popleft())
        except KeyboardInterrupt as interruption:
            self._loops.interrupt(current.run, interruption)

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
        elif test.is_torn_down:
            self._tests.move(test, State.DOWN)
            self._next.release(test.item)
        else:
            self._tests.move(test, State.WAITING_FOR_TURN)

    def _follow(self, test: StartedTest, run: Run) -> None:
        """Let a test go on when a run is over."""
        test.run = run
        self._tests.move(test, State.IN_RUN)
        for notify in self._state.on_run_begins:
            notify(run)
        test.stopwatch.go()
        run.awaited.add_done_callback(partial(self._end_run, test, run))

    def _end_run(self, test: StartedTest, run: Run, _: object) -> None:
        if test.run is run and test.state is State.IN_RUN:  # It may have been given up before.
            self._tests.move(test, State.READY)

    def _wait_for_any(self, current: StartedTest | CurrentTest) -> None:
        """Run the loops until a test can go on, or the current one."""
        __tracebackhide__ = True
        owner, run = current.owner, current.run
        assert owner is not None
        assert run is not None
        loop = run.task.get_loop()
        if loop.is_closed():
            self._loops.fail_all(owner)
            return
        self._tests.any_ready = loop.create_future()
        if isinstance(current, StartedTest):
            current.announce()
        try:
            self._loops.spin(owner, run, self._tests.any_ready)
        except BaseException as error:
            if current is self._tests.current or isinstance(error, KeyboardInterrupt):
                raise
            # By a callback, or by the handler of a signal, such as that of a time-out.
            run.cancel(error)

    def _is_ending(self) -> bool:
        return bool(self._session.shouldfail or self._session.shouldstop)

    def _end_all(self, current: pytest.Item | None = None) -> None:
        self._end(tuple(self._tests.started.values()), current)

    def _end(self, doomed: Sequence[StartedTest], current: pytest.Item | None) -> None:
        """End tests of which nothing is reported: cancel what they run, and tear them down."""
        if not doomed:
            return
        for test in doomed:
            test.is_abandoned = True
        begun = [test for test in doomed if test.context is not None]
        for test in doomed:
            if test not in begun:
                self._tests.ready.remove(test)
                self._tests.under_way.remove(test)
        with setup_state.together(self._session), self._recorder.recording(doomed[0]):
            self._tests.cancel(test for test in begun if not test.is_tearing_down)
            for test in begun:
                is_idle = test.run is None and test not in self._tests.ready
                if is_idle and test.state is not State.DOWN:
                    self._tests.move(test, State.READY)
            for test in begun:
                while test.state is not State.DOWN:
                    self._go_on_ending(test, begun)
            for test in reversed(begun):
                test.tear_shared_down(current)
        for test in doomed:
            self._tests.forget(test)
            self._tests.overlaps.forget(test.item)
        for test in begun:
            test.end()
        if self._tests.is_broken_off or self._is_ending():
            self._unreported += len(begun)

    def _go_on_ending(self, test: StartedTest, doomed: Sequence[StartedTest]) -> None:
        """Let tests end, of which Ctrl-C breaks off no more than what they run at the moment."""
        try:
            self._go_on(test)
        except KeyboardInterrupt as interruption:
            self._tests.cancel(doomed, interruption)
            self._state.postpone(interruption)


def _refuse(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> NoReturn:
    """Refuse what acts on all tests, and what nobody could foresee."""
    pytest.fail(
        f"{address(pytest_private.item_of(request))} runs beside other tests, and asks for "
        f"{fixturedef.argname!r} by getfixturevalue(), which acts on all of them. Name the "
        "fixture in the arguments of the test, or in @pytest.mark.usefixtures, and the "
        "test will run alone.",
        pytrace=False,
    )
