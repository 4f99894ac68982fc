"""Started tests: async tests that run beside others, each from its setup to its teardown.

What pytest does at once is done step by step here: a test leaves a step where it would have to wait
for the loop. Hooks see each phase when it is over, around what was done, written and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from enum import Enum, auto
from functools import partial
from typing import Any, Final, TypeAlias, final

import pytest

from pytest_asyncio.engine import async_tests, deferred_requests, ended_fixtures, fixture_setups
from pytest_asyncio.engine.fixture_setups import Deferred
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.plan import OUTCOME
from pytest_asyncio.engine.runs import ACTIVE_TEST, Run
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.pytest_private import reporting, setup_state

from .output import RecordedTest, Recorder
from .phases import PhaseOfTest, Stopwatch
from .setup_hooks import SetupHooks

Wait: TypeAlias = Run | None
"""What a started test waits for: the end of a run, or, if it is None, its turn to be reported."""


class State(Enum):
    """What a started test is doing. The scheduler moves it from one to the next."""

    TO_BEGIN = auto()
    READY = auto()
    IN_RUN = auto()
    WAITING_FOR_TURN = auto()
    """What is left of it is done when all tests before it are reported."""
    DOWN = auto()


@final
class StartedTest(RecordedTest):
    """An async test that runs beside others."""

    context: Context | None
    run: Run | None
    on_leave: list[Callable[[], None]]
    _rejoin: Callable[[], None]

    def __init__(self, item: pytest.Function, hooks: SetupHooks, recorder: Recorder) -> None:
        super().__init__()
        self.item: Final = item
        self.hook: Final[Any] = item.ihook
        self.is_abandoned: bool = False
        """Whether nothing is to be reported for it any more."""
        self.is_torn_down: bool = False
        self.state: State = State.TO_BEGIN
        self._shared: Final[list[tuple[pytest.FixtureDef[Any], pytest.FixtureRequest]]] = []
        """The wide fixtures that have been set up for it, and may be used by others."""
        self._hooks: Final = hooks
        self._recorder: Final = recorder
        self._has_turn = False
        self._phase = PhaseOfTest("setup")
        self._reported = self._phase
        """The phase that pytest looks at."""
        self._errors: Final[list[BaseException]] = []
        self._reports: Final[list[tuple[pytest.CallInfo[None], pytest.TestReport]]] = []
        self._setups: Final[dict[object, fixture_setups.Setup]] = {}
        self._filling: Final = self._fill(item.setup)
        self._first: Run | None = None
        self._life = self._live()

    @property
    def is_tearing_down(self) -> bool:
        return self.record is self.unattributed

    @property
    def is_running(self) -> bool:
        return self.run is not None and not (self.run.awaited.done() or self.run.failure)

    @property
    def stopwatch(self) -> Stopwatch:
        return self._phase.stopwatch

    @property
    def owner(self) -> LoopOwner:
        owner = async_tests.owner_of(self.item)
        assert owner is not None
        return owner

    def begin(self) -> None:
        """Set up what the test shares with others, and of its own what comes before a wait."""
        self.stopwatch.go()
        self._hooks.started[self.item] = self
        pytest_private.own_fixtures(self.item)
        self.keep("setup", self._phase.record)
        vars(self.item)["setup"] = self._set_up
        token = ACTIVE_TEST.set(self)
        self._rejoin = setup_state.isolate(self.item)
        try:
            self._hooks.act(self.item)
        except KeyboardInterrupt:
            raise
        except BaseException as failure:
            self._phase.failure = failure
        finally:
            self._rejoin()
            del vars(self.item)["setup"]
            self.context = self.context or copy_context()
            ACTIVE_TEST.reset(token)
            self.stopwatch.pause()

    def announce(self) -> None:
        """Let the environment say that the test runs."""
        reporting.announce(self.item, self._phase.when)

    def advance(self) -> Wait:
        """Go on to the next run that is to be waited for, or to where there is none."""
        assert self.context is not None
        self.announce()
        self.stopwatch.go()
        token = ACTIVE_TEST.set(self)
        try:
            wait = self.context.run(next, self._life, None)
        except BaseException:
            self._life = self._tear_down()
            raise
        finally:
            on_leave, self.on_leave = self.on_leave, []
            for act in on_leave:
                act()
            ACTIVE_TEST.reset(token)
            self.stopwatch.pause()
        return wait

    def land(self) -> None:
        """End the run that was waited for."""
        run, self.run = self.run, None
        assert run is not None
        assert self.context is not None
        for act in run.on_end:
            self.context.run(act)

    def take_turn(self) -> None:
        """Report what has been done so far, and from now on at once."""
        self._has_turn = True
        for made in self._reports:
            self._log(*made)

    def finish(self, nextitem: pytest.Item | None) -> None:
        """Have pytest look at the teardown, and tear down what the test is the last of."""
        errors = [partial(fixture_setups.raise_again, error) for error in reversed(self._errors)]
        setup_state.put_finalizers(self.item, errors)
        rejoin = setup_state.isolate(self.item)
        self.stopwatch.go()
        teardown = partial(self.hook.pytest_runtest_teardown, item=self.item, nextitem=nextitem)
        try:
            self._report(self._phase, teardown)
        finally:
            rejoin()
            self.end()

    def report_warnings(self) -> None:
        """Let pytest know of the warnings, as it does at the very end of a test."""
        for warning in self.warnings.kept:
            self.hook.pytest_warning_recorded.call_historic(
                kwargs={
                    "warning_message": warning,
                    "when": "runtest",
                    "nodeid": self.item.nodeid,
                    "location": None,
                }
            )

    def remember(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
        """Know of a fixture that is being set up for the test."""
        if pytest_private.is_own(request):
            self.own(fixturedef, self.item)
        else:
            self._shared.append((fixturedef, request))

    def tear_shared_down(self, current: pytest.Item | None) -> None:
        """Tear down the wide fixtures that are there for a test of which nothing is reported.

        Nothing is reported of those either. What the current test uses is torn down with it.
        """
        for fixturedef, request in reversed(self._shared):
            if isinstance(current, pytest.Function) and pytest_private.may_use(current, fixturedef):
                continue
            self._finalize(partial(pytest_private.finish, fixturedef, request))
        rejoin = setup_state.isolate(self.item)
        self._finalize(
            partial(setup_state.tear_down, self.item.session, current or self.item.session)
        )
        rejoin()

    def end(self) -> None:
        """Let go of what the test has had, once it is down."""
        self.is_over = True
        pytest_private.forget_request(self.item)
        del self._hooks.started[self.item]

    def replay(self) -> None:
        """Write and log what belongs to the phase that pytest looks at."""
        self._reported.record.replay()

    def outcome(self) -> Any:
        """Return or raise what came of the phase that pytest looks at."""
        __tracebackhide__ = True
        if self._reported.failure is not None:
            raise self._reported.failure
        return self._reported.result

    def _live(self) -> Generator[Wait]:
        yield from self._go_on_setting_up()
        setup = self._phase
        if not self._hooks.are_live:
            yield from self._conclude(setup, self._look_at_setup)
        if self._may_call():
            yield from self._call()
        if self._hooks.are_live:
            yield from self._conclude(setup, self._look_at_setup)
        if self._may_call():
            yield from self._conclude(self._phase, self._look_at_call)
        yield from self._tear_down()

    def _enter(self, phase: PhaseOfTest) -> PhaseOfTest:
        self.stopwatch.pause()
        self._phase = phase
        self.keep(phase.when, phase.record)
        self.announce()
        return phase

    def _may_call(self) -> bool:
        reports = [report for _, report in self._reports]
        return not (self.is_abandoned or self._reported.failure) and all(
            report.passed for report in reports
        )

    def _look_at_setup(self) -> None:
        __tracebackhide__ = True
        with self._recorder.looking_at(self):
            self._hooks.listen(self.item)

    def _look_at_call(self) -> None:
        __tracebackhide__ = True
        self.item.stash[OUTCOME] = self._replayed_outcome
        try:
            with self._recorder.looking_at(self):
                self.hook.pytest_runtest_call(item=self.item)
        finally:
            del self.item.stash[OUTCOME]

    def _set_up(self) -> None:
        """Set fixtures up in place of `item.setup()`: the wide ones, and its own up to a wait."""
        __tracebackhide__ = True
        self._rejoin()
        request = pytest_private.request_of(self.item)
        for name in self.item.fixturenames:
            if pytest_private.is_wide(self.item, name):
                self.item.funcargs[name] = self._shared_value(request, name)
        self.context = copy_context()
        self._first = self.context.run(next, self._filling, None)

    def _shared_value(self, request: pytest.FixtureRequest, name: str) -> Any:
        __tracebackhide__ = True
        while True:
            try:
                return request.getfixturevalue(name)
            except Deferred as deferred:
                setup = deferred.setup
            setup.wait_for_other(self.item)

    def _fill(self, set_up: Callable[[], None]) -> Generator[Run]:
        """Set the item's own fixtures up, and yield each run that has to take place before."""
        __tracebackhide__ = True
        while not self.is_abandoned:
            try:
                with deferred_requests.deferring(self.item.session, self._can_await):
                    set_up()
                return
            except Deferred as deferred:
                setup = deferred.setup
            if setup.settling is not None:
                setup.wait_for_other(self.item)
                continue
            setup.begin()
            yield setup.run
            setup.settled()
            pytest_private.forget_overridden(setup.request, pytest_private.request_of(self.item))
            self._setups[setup.fixturedef] = setup

    def _can_await(self, owner: LoopOwner, fixturedef: pytest.FixtureDef[Any]) -> bool:
        return owner is self.owner and not pytest_private.is_shared(self.item, fixturedef)

    def _go_on_setting_up(self) -> Generator[Wait]:
        try:
            if self._first is not None:
                yield self._first
                yield from self._filling
        except BaseException as failure:
            self._fail(failure)

    def _call(self) -> Generator[Wait]:
        __tracebackhide__ = True
        phase = self._enter(PhaseOfTest("call"))
        try:
            ended_fixtures.refuse_ended(self.item)
            call = async_tests.Call(self.item)
            if call.run is not None:
                yield call.run
            phase.result = call.outcome()
        except BaseException as failure:
            self._fail(failure)

    def _fail(self, failure: BaseException) -> None:
        """Keep what a phase has raised for its report. Ctrl-C has none, and ends the session."""
        self._phase.failure = failure
        if isinstance(failure, KeyboardInterrupt):
            SessionState.of(self.item.session).postpone(failure)
            self._raise_postponed()

    def _replayed_outcome(self) -> Any:
        __tracebackhide__ = True
        self.replay()
        return self.outcome()

    def _tear_down(self) -> Generator[Wait]:
        self._enter(PhaseOfTest("teardown", self.unattributed))
        if setup_state.is_set_up(self.item):
            finalizers = setup_state.take_finalizers(self.item)
            while finalizers:
                finalizer = finalizers.pop()
                setup = self._setups.pop(pytest_private.fixture_of(finalizer), None)
                run = None if setup is None else setup.begin_teardown()
                if run is not None:
                    yield run
                self._finalize(finalizer)
        self.is_torn_down = True
        self._raise_postponed()

    def _finalize(self, finalizer: Callable[[], object]) -> None:
        """Call a finalizer, and keep what it raises until all of them have been called."""
        __tracebackhide__ = True
        try:
            finalizer()
        except KeyboardInterrupt as interruption:
            SessionState.of(self.item.session).postpone(interruption)
        except BaseException as error:
            self._errors.append(error)

    def _raise_postponed(self) -> None:
        """Let Ctrl-C end the session, unless this is a part of that."""
        if not self.is_abandoned:
            SessionState.of(self.item.session).raise_postponed()

    def _conclude(self, phase: PhaseOfTest, look: Callable[[], object]) -> Generator[Wait]:
        """Have pytest look at a phase, and report it, in its turn if that matters."""
        is_in_order = self._hooks.are_live or isinstance(phase.failure, pytest.exit.Exception)
        if is_in_order:
            yield from self._wait_for_turn()
        if self.is_abandoned:
            return
        try:
            self._report(phase, look)
        except KeyboardInterrupt:
            raise
        except BaseException:  # By a hook of a plugin: it ends the session when the test's turn is.
            yield from self._wait_for_turn()
            if self.is_abandoned:
                return
            raise
        self._recorder.listen()

    def _wait_for_turn(self) -> Generator[Wait]:
        if not (self._has_turn or self.is_abandoned):
            yield None

    def _report(self, phase: PhaseOfTest, look: Callable[[], object]) -> None:
        self._reported = phase
        self.release()
        call: pytest.CallInfo[Any] = _call_info(
            look, when=phase.when, reraise=(KeyboardInterrupt, pytest.exit.Exception)
        )
        phase.stopwatch.pause()
        phase.stopwatch.put_into(call)
        report = self.hook.pytest_runtest_makereport(item=self.item, call=call)
        if self._has_turn:
            self._log(call, report)
        self._reports.append((call, report))

    def _log(self, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        self.hook.pytest_runtest_logreport(report=report)
        if reporting.is_interactive(call, report):
            self.hook.pytest_exception_interact(node=self.item, call=call, report=report)


_call_info: Final[Any] = pytest.CallInfo.from_call  # Typed, it would be subscripted at each call.
