"""Tests that wait, wait at the same time: which ones, how many, and in which order they report.

pytest runs one test after another. Where one waits that may run beside others, those that follow
it and fit are begun. All of them run until the one at hand is over, which is then reported, and
pytest comes to the next one, which may be over by then. A test that never waits begins no other.
"""

from __future__ import annotations

import inspect
from asyncio import Future, Task
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import takewhile
from typing import Any, Final, NoReturn, final

import pytest

from pytest_asyncio.collect import items, loop_factories, loop_scopes, marks, options, policies
from pytest_asyncio.engine import event_loop, runs
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import callables, pytest_private
from pytest_asyncio.support.warn import advise

from . import obstacles, queues
from .current_test import TestAtHand
from .output import Recorder
from .started_tests import Flight, SetupHooks

SERIAL_FIXTURES: Final = frozenset(
    {
        "asyncio_clock",
        "caplog",
        "capfd",
        "capfdbinary",
        "capsys",
        "capsysbinary",
        "capteesys",
        "freezer",
        "fs",
        "mocker",
        "monkeypatch",
        "pytester",
        "recwarn",
        "requests_mock",
        "respx_mock",
        "subtests",
        "testdir",
        "time_machine",
    }
)
"""Fixtures that act on the whole process. A test that has one of them runs alone."""

_SERIAL_MARKS: Final = frozenset({"flaky", "looptime"})
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
    """The flights of a session, in the order of their reports."""

    def __init__(self, session: pytest.Session) -> None:
        given = options.of(session.config)
        self._limit: Final = given.concurrency
        self._serial_fixtures: Final = SERIAL_FIXTURES.union(given.serial_fixtures)
        self._session: Final = session
        self._queue: Final = queues.of(session)
        self._recorder: Final = Recorder(session.config)
        self._hooks: Final = SetupHooks(session.config)
        self._groups: Final[dict[pytest.Item, object]] = {}
        self._at_hand: TestAtHand | None = None
        """The test that pytest runs, unless it has been begun before."""
        self._flights: Final[dict[pytest.Item, Flight]] = {}
        """The tests that are begun and not yet reported."""
        self._ready: Final[deque[Flight]] = deque()
        """The flights that can go on."""
        self._in_the_air: Final = set[Flight]()
        """Those that are neither torn down nor waiting for their turn."""
        self._begun: Final = set[Run]()
        self._any_ready: Future[None] | None = None
        self._lost_on: LoopOwner | None = None
        """Whose loop has a task that does not end, so that no more is begun on it."""

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        hearing: AbstractContextManager[None] = nullcontext()
        if item not in self._flights:
            self._end_all()  # Other items were to come first.
            self._at_hand = TestAtHand(item, nextitem)
            hearing = self._at_hand.heard()
        try:
            with hearing:
                return (yield)
        except BaseException as error:
            self._break_off(error)
            self._end_all(item)
            raise
        finally:
            self._at_hand = None
            if self._is_ending():
                self._end_all()
            self._queue.proceed()

    @pytest.hookimpl(specname="pytest_runtest_protocol", tryfirst=True)
    def pytest_runtest_protocol_begun(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Report an item that has been begun before."""
        if item not in self._flights:
            return None
        self._run(self._flights[item], nextitem)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> None:
        is_serial = fixturedef.argname in self._serial_fixtures
        if is_serial and self._flights:
            _turn_away(fixturedef, request)
        flight = Flight.of(pytest_private.item_of(request)) if self._flights else None
        if flight is not None:
            flight.remember(fixturedef, request)
        elif self._at_hand is not None:
            self._at_hand.is_alone |= is_serial
            self._at_hand.remember_context(request)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        at_hand = self._at_hand
        if at_hand is not None:
            if self._is_ending():
                self._end_all(at_hand.item)
            if self._flights:
                at_hand.isolate()
        try:
            return (yield)
        except BaseException:
            if self._flights:  # They go on, although a hook may have kept pytest from its own.
                pytest_private.tear_down(self._session, nextitem)
            raise
        finally:
            if at_hand is not None:
                at_hand.rejoin()

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
        at_hand = self._at_hand
        if at_hand is not None and at_hand.owns(run, owner):
            is_alone = at_hand.is_alone or self._group_of(at_hand.item) is None
            if not is_alone:
                self._run_beside(at_hand, run)
        while not (run.awaited.done() or run.failure):
            self._spin(owner, run, run.awaited)

    def _run_beside(self, at_hand: TestAtHand, run: Run) -> None:
        """Run what follows the test at hand too, until a run of that one is over."""
        __tracebackhide__ = True
        following = self._queue.after(at_hand.item, at_hand.nextitem, len(self._flights))
        fitting = self._fitting(at_hand, following)
        run.awaited.add_done_callback(self._wake)
        at_hand.begin_waiting()
        try:
            with self._recorder.recording_others():
                while not (run.awaited.done() or run.failure):
                    self._add_some(fitting)
                    self._go_on(at_hand)
        finally:
            if self._flights and run.phase == "teardown":
                at_hand.isolate()

    def give_up(self, owner: LoopOwner) -> None:
        """Have a loop given up, on which a task does not end, when no other test needs it."""
        if self._in_the_air:
            self._lost_on = owner
        else:
            owner.give_up()

    def apart(self) -> AbstractContextManager[None]:
        """Return what a loop is to run in: others may go on where the test at hand does not wait
        for them.
        """
        if self._flights and not self._recorder.is_at_work:
            return self._recorder.recording_others()
        return nullcontext()

    def _run(self, flight: Flight, nextitem: pytest.Item | None) -> None:
        """Report a test, once it is over; until then, what follows it is run too."""
        item = flight.item
        flight.hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        flight.take_turn()
        if not flight.is_down:
            others = len(self._flights) - 1
            self._run_until_down(flight, self._queue.after(item, nextitem, others))
        if self._is_ending():
            nextitem = None
            self._end([other for other in self._flights.values() if other is not flight], item)
        self._forget(flight)
        flight.finish(nextitem)
        flight.hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        flight.tell_warnings()

    def _run_until_down(self, flight: Flight, following: Iterator[pytest.Item]) -> None:
        fitting = self._fitting(flight, following)
        if flight.waits_for_turn:
            self._make_ready(flight)
        with self._recorder.recording(flight):
            while not flight.is_down:
                self._add_some(fitting)
                self._go_on(flight)

    def _fitting(
        self, at_hand: Flight | TestAtHand, following: Iterator[pytest.Item]
    ) -> Iterator[pytest.Item]:
        """Return those of the next items that may run beside the one at hand."""
        group = self._group_of(at_hand.item)
        return takewhile(lambda item: self._group_of(item) == group, following)

    def _add_some(self, fitting: Iterator[pytest.Item]) -> None:
        """Add as many of the next items as may run at the same time."""
        is_ending = self._is_ending() or self._lost_on
        limit = self._limit if self._at_hand is None else self._limit - 1
        while not is_ending and len(self._in_the_air) < limit:
            item = next(fitting, None)
            if item is None:
                return
            assert isinstance(item, pytest.Function)
            flight = self._flights[item] = Flight(item, self._hooks, self._recorder)
            SessionState.of(self._session).lanes.append(flight)
            self._make_ready(flight)

    def _forget(self, flight: Flight) -> None:
        del self._flights[flight.item]
        SessionState.of(self._session).lanes.remove(flight)
        self._in_the_air.discard(flight)
        if self._lost_on is not None and not self._in_the_air:
            self._lost_on.give_up()
            self._lost_on = None

    def _go_on(self, at_hand: Flight | TestAtHand) -> None:
        """Let a flight go on that can, or wait until one can."""
        __tracebackhide__ = True
        self._recorder.listen()
        if not self._ready:
            self._wait_for_any(at_hand)
        elif isinstance(at_hand, Flight):
            self._step(self._ready.popleft())
        else:
            self._step_beside(at_hand)

    def _step_beside(self, at_hand: TestAtHand) -> None:
        assert at_hand.run is not None
        try:
            with at_hand.put_aside():
                self._step(self._ready.popleft())
        except KeyboardInterrupt as interruption:
            self._interrupt(at_hand.run, interruption)

    def _interrupt(self, run: Run, interruption: KeyboardInterrupt) -> None:
        """Let Ctrl-C in the code of one test end the session, but not the teardown of another."""
        if run.phase != "teardown":
            raise interruption
        SessionState.of(self._session).postpone(interruption)

    def _step(self, flight: Flight) -> None:
        if flight.run is not None:
            self._begun.remove(flight.run)
            for notify in SessionState.of(self._session).on_run_ended:
                notify(flight.run)
            flight.land()
        elif flight.context is None:
            flight.begin()
        run = flight.advance()
        if run is None:
            self._in_the_air.remove(flight)
        else:
            self._follow(flight, run)

    def _follow(self, flight: Flight, run: Run) -> None:
        """Let a flight go on when a run is over."""
        flight.run = run
        self._begun.add(run)
        for notify in SessionState.of(self._session).on_run_begins:
            notify(run)
        flight.watch.go()
        run.awaited.add_done_callback(partial(self._end_run, flight, run))

    def _end_run(self, flight: Flight, run: Run, _: object) -> None:
        if flight.run is run and flight not in self._ready:  # It may have been given up before.
            self._make_ready(flight)

    def _make_ready(self, flight: Flight) -> None:
        flight.watch.pause()
        self._ready.append(flight)
        self._in_the_air.add(flight)
        self._wake()

    def _wake(self, _: object = None) -> None:
        if self._any_ready is not None and not self._any_ready.done():
            self._any_ready.set_result(None)

    def _wait_for_any(self, at_hand: Flight | TestAtHand) -> None:
        """Run the loop until a flight can go on, or the test at hand."""
        __tracebackhide__ = True
        owner, run = at_hand.owner, at_hand.run
        assert owner is not None
        assert run is not None
        loop = run.task.get_loop()
        if loop.is_closed():
            self._fail_all(_closed(owner))
            return
        self._any_ready = loop.create_future()
        if isinstance(at_hand, Flight):
            at_hand.announce()
        try:
            self._spin(owner, run, self._any_ready)
        except BaseException as error:
            if at_hand is self._at_hand or isinstance(error, KeyboardInterrupt):
                raise
            # By a callback, or by the handler of a signal, such as that of a time-out.
            run.cancel(error)

    def _spin(
        self, owner: LoopOwner, run: Run, future: Future[Any], patience: int | None = None
    ) -> None:
        """Run a loop as `LoopOwner.spin()` does, for a run. What ends another one is not raised."""
        __tracebackhide__ = True
        if not self._flights:
            owner.spin(future, patience)
            return
        try:
            owner.spin(future, patience)
        except event_loop.Stopped as stopped:
            if self._has_given_up(owner):
                return
            reason = f"{stopped} Something has called stop() on {owner}."
            self._blame(owner.stopped_by, run, pytest.fail.Exception(reason, pytrace=False))
        except BaseException as error:
            if not self._is_outcome(error):
                self._blame(runs.behind(error), run, error)

    def _blame(self, culprit: Run | None, run: Run, error: BaseException) -> None:
        """End a run with an error, or raise that if it is the one at hand, or nobody's."""
        __tracebackhide__ = True
        if culprit is None or culprit is run:
            raise error
        if isinstance(error, KeyboardInterrupt):
            self._interrupt(run, error)
        else:
            culprit.cancel(error)

    def _is_outcome(self, error: BaseException) -> bool:
        """Tell whether a run has raised an error, which asyncio has let through, and is told it."""
        running = SessionState.of(self._session).all_running
        return any(event_loop.is_outcome_of(run.task, error) for run in running)

    def _has_given_up(self, owner: LoopOwner) -> bool:
        """Tell whether a run does not end. If it is a flight's, that is the last on its loop."""
        for flight in self._flights.values():
            if flight.run in self._begun and flight.run.is_given_up and flight not in self._ready:
                self._make_ready(flight)
                self._lost_on = owner
        return any(run.is_given_up for run in SessionState.of(self._session).all_running)

    def _fail_all(self, reason: str) -> None:
        if self._at_hand is not None and self._at_hand.run is not None:
            self._at_hand.run.failure = pytest.fail.Exception(reason, pytrace=False)
        for flight in self._flights.values():
            if flight.run is not None:
                flight.run.failure = pytest.fail.Exception(reason, pytrace=False)
                self._make_ready(flight)

    def _break_off(self, interruption: BaseException) -> None:
        """Cancel what flights run. A teardown may take as long as what is cancelled, before."""
        tearing_down = [flight for flight in self._flights.values() if flight.is_tearing_down]
        self._cancel(flight for flight in self._flights.values() if flight not in tearing_down)
        for flight in tearing_down:
            run = flight.run
            if run is not None and flight.is_running and not run.task.get_loop().is_closed():
                flight.owner.let_end({run.task}, interruption)
        self._cancel(tearing_down, interruption)

    def _cancel(self, flights: Iterable[Flight], interruption: BaseException | None = None) -> None:
        """Cancel what flights run, and wait until it has ended; what does not loses its loop."""
        left = [flight for flight in flights if flight.is_running]
        if not left:
            return
        owner, tasks = left[0].owner, set[Task[Any]]()
        for flight in left:
            assert flight.run is not None
            flight.run.break_off()
            tasks.add(flight.run.task)
        if next(iter(tasks)).get_loop().is_closed():
            return
        owner.cancel(tasks, interruption)
        if not all(task.done() for task in tasks):
            owner.give_up()

    def _is_ending(self) -> bool:
        return bool(self._session.shouldfail or self._session.shouldstop)

    def _end_all(self, at_hand: pytest.Item | None = None) -> None:
        self._end(tuple(self._flights.values()), at_hand)

    def _end(self, doomed: Sequence[Flight], at_hand: pytest.Item | None) -> None:
        """End flights of which nothing is reported: cancel what they run, and tear them down."""
        if not doomed:
            return
        for flight in doomed:
            flight.is_abandoned = True
        begun = [flight for flight in doomed if flight.context is not None]
        for flight in doomed:
            if flight not in begun:
                self._ready.remove(flight)
        with self._recorder.recording(doomed[0]):
            self._cancel(flight for flight in begun if not flight.is_tearing_down)
            for flight in begun:
                if not (flight.run or flight.is_down):
                    self._make_ready(flight)
            for flight in begun:
                while not flight.is_down:
                    self._go_on_ending(flight, begun)
            for flight in reversed(begun):
                flight.tear_shared_down(at_hand)
        for flight in doomed:
            self._forget(flight)
        for flight in begun:
            flight.vanish()

    def _go_on_ending(self, flight: Flight, doomed: Sequence[Flight]) -> None:
        """Let flights end, of which Ctrl-C breaks off no more than what they run at the moment."""
        try:
            self._go_on(flight)
        except KeyboardInterrupt as interruption:
            self._cancel(doomed, interruption)
            SessionState.of(self._session).postpone(interruption)

    def _group_of(self, item: pytest.Item) -> object | None:
        """Return what items have in common that run at the same time; None for one that runs alone.

        They are of one class or module, and have one loop and the same wide fixtures.
        """
        if item not in self._groups:
            self._groups[item] = self._find_group_of(item)
        return self._groups[item]

    def _find_group_of(self, item: pytest.Item) -> object | None:
        if not items.is_async_test(item) or callables.kind_of(item.obj) != "coroutine":
            return None
        try:
            mark = marks.merged(item)
            factory = loop_factories.selected_for(item, mark)
        except pytest.fail.Exception:
            return None
        if (
            not mark.concurrent
            or mark.clock != "real"
            or not self._serial_fixtures.isdisjoint(item.fixturenames)
            or _is_patched(item.obj)
            or policies.is_pending(item)
        ):
            return None
        all_marks = tuple(item.iter_markers())
        if any(mark.name in _SERIAL_MARKS for mark in all_marks):
            return None
        filters = tuple(mark.args for mark in all_marks if mark.name == "filterwarnings")
        wide = tuple(pytest_private.wide_parameters(item).items())
        return item.parent, loop_scopes.node_of(item, mark), factory, wide, filters


def _is_patched(test: Callable[..., object]) -> bool:
    """Tell whether `unittest.mock.patch` decorates a test, and so acts on the whole process."""
    return _has_patches(inspect.unwrap(test, stop=_has_patches))


def _has_patches(function: Callable[..., object]) -> bool:
    return hasattr(function, "patchings")


def _closed(owner: LoopOwner) -> str:
    return f"Something has closed {owner} while tests ran on it."


def _turn_away(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> NoReturn:
    """Refuse what acts on all tests, and what nobody could foresee."""
    pytest.fail(
        f"{pytest_private.item_of(request).nodeid} runs beside other tests, and asks for "
        f"{fixturedef.argname!r} by getfixturevalue(), which acts on all of them. Name the "
        "fixture in the arguments of the test, or in @pytest.mark.usefixtures, and the "
        "test will run alone.",
        pytrace=False,
    )
