"""The hooks of pytest that the plugin implements, and its fixtures.

What only async tests need is imported by the first of them: a session without one does not pay
for it.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Generator
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from pytest_asyncio.collect import fixtures, header, hooks, items, options
from pytest_asyncio.collect.fixtures import fixture
from pytest_asyncio.collect.items import is_async_test
from pytest_asyncio.collect.options import Mode
from pytest_asyncio.engine.plan import VIRTUAL, Plan, forget_plan, plan_of
from pytest_asyncio.features import plain_fixtures
from pytest_asyncio.support import modules, pytest_private, running_session
from pytest_asyncio.support.types import LoopFactory
from pytest_asyncio.support.types import ScopeName as _ScopeName

if TYPE_CHECKING:
    from pytest_asyncio.features.asyncio_runner import LoopRunner
    from pytest_asyncio.features.asyncio_tasks import TaskGroup
    from pytest_asyncio.features.clock.virtual import Clock

__all__ = ("LoopFactory", "Mode", "fixture", "is_async_test")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hooks.Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", options.MARKER)  # of which auto mode makes one
    config.pluginmanager.register(running_session)
    _read_options(config)
    if options.of(config).checks:
        from pytest_asyncio.features import checks

        checks.selected(options.of(config).checks)
    if options.of(config).trace is not None:
        config.pluginmanager.register(_Traced())
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(_TraceWritten())
    if any(map(config.pluginmanager.hasplugin, ("timeout", "pytest_timeout"))):
        from pytest_asyncio.features.coexistence import pytest_timeout_thread

        pytest_timeout_thread.start(config)
    if options.of(config).durations is not None:
        config.pluginmanager.register(_Timed())


def pytest_plugin_registered(manager: pytest.PytestPluginManager) -> None:
    config: Any = manager.get_plugin("pytestconfig")
    if options.are_parsed(config):  # A conftest of a directory is configured as late as this.
        # To pytest, it would be an error of the directory. Once all is collected, it is raised.
        with contextlib.suppress(pytest.UsageError):
            _read_options(config)


def pytest_collection(session: pytest.Session) -> None:
    _read_late_options(session)


def _read_late_options(session: pytest.Session) -> None:
    try:
        _read_options(session.config)
        options.raise_refused(session.config)
    except pytest.UsageError as error:
        if hasattr(session.config, "workerinput"):
            session.shouldfail = str(error)  # That is what xdist shows of the end of a worker.
        raise


def _read_options(config: pytest.Config) -> None:
    """Parse the options, once more wherever hooks of a suite may have set some meanwhile."""
    options.parse(config)
    plugins = config.pluginmanager
    may_be_auto = options.of(config).auto_mode or options.of(config).has_folders
    if may_be_auto != plugins.hasplugin(_AutoMode.NAME):
        if may_be_auto:
            plugins.register(_AutoMode(), _AutoMode.NAME)
        else:
            plugins.unregister(name=_AutoMode.NAME)


@pytest.hookimpl(tryfirst=True)
def pytest_report_header(config: pytest.Config) -> list[str]:
    _read_options(config)
    if not options.of(config).concurrent:
        return header.lines(config)
    from pytest_asyncio.features.concurrency import obstacles

    return [*header.lines(config), *obstacles.header(config)]


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    __tracebackhide__ = True
    item = metafunc.definition
    collector: Any = item.parent
    if _HAS_ORDINARY_LOOPS in collector.stash:
        return
    has_policy = not pytest_private.has_one_fixture(item.session, "event_loop_policy")
    has_factories = hooks.offer_loop_factories(metafunc.config)
    if has_policy:
        from pytest_asyncio.collect import policies

        policies.request_override(metafunc)
    if has_factories and is_async_test(item):
        from pytest_asyncio.collect import loop_factories

        loop_factories.parametrize(metafunc)
    if not (has_policy or has_factories):
        collector.stash[_HAS_ORDINARY_LOOPS] = True


_HAS_ORDINARY_LOOPS: Final[pytest.StashKey[bool]] = pytest.StashKey()
"""What is known of the tests of a collector since the first of them: nothing says what makes their
loops.
"""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    yield
    if hooks.offer_loop_factories(config):
        from pytest_asyncio.collect import loop_factories

        loop_factories.apply_late_marks(items, config)
    if config.pluginmanager.hasplugin("_run-parallel"):
        from pytest_asyncio.features.coexistence import run_parallel

        run_parallel.keep_to_one_thread(items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    _read_late_options(session)
    keywords = items.keywords_in_use(session)
    if items.are_repeated(session, keywords):
        _Async.of(session)
        from pytest_asyncio.features import races

        races.start(session, keywords)
        _AfterFailure.follow(session)
    if items.are_concurrent(session, keywords):
        _Async.of(session)
        from pytest_asyncio.features.concurrency import scheduler

        scheduler.start(session)
        _AfterFailure.follow(session)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if items.is_marked(item):
        rooms = _Async.of(item.session)
        try:
            rooms.calls.plan(item)
        except Exception:  # A hook of the suite may raise.
            _AfterFailure.follow(item.session)
            raise
        if rooms.has_looptime:
            rooms.looptime.show_loop(item)
    elif getattr(item, "nofuncargs", False) and isinstance(item, pytest.Function):
        from pytest_asyncio.features import unittest_methods

        unittest_methods.refuse_unawaited(item)


@pytest.hookimpl(trylast=True, specname="pytest_runtest_setup")
def pytest_runtest_setup_of_loop(item: pytest.Item) -> None:
    __tracebackhide__ = True
    planned = plan_of(item)
    if planned is not None and planned.is_async and planned.owner is None:
        _Async.of(item.session).calls.prepare(item, planned)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    __tracebackhide__ = True
    if getattr(request.config.option, "setupplan", False):  # It calls nothing.
        return (yield)
    item = pytest_private.item_of(request)
    planned = plan_of(item)
    function = _function_for(fixturedef, request, item, planned)
    if function is not None:
        original = pytest_private.replace_fixture_function(fixturedef, function)
        try:
            return (yield)
        except BaseException as error:
            _AfterFailure.follow(item.session)
            pytest_private.finish_if_refused(fixturedef, request, error)
            raise
        finally:
            pytest_private.restore_fixture_function(fixturedef, original)
    try:
        return (yield)
    except BaseException as error:
        _AfterFailure.follow(item.session)
        plain_fixtures.refuse(error, fixturedef, request)
        raise
    finally:
        if planned is not None and planned.is_async:
            fixtures.warn_of_plain_async(fixturedef, item)
        elif items.is_marked_late(item):
            _Async.of(item.session)


def _function_for(
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    item: pytest.Function,
    planned: Plan | None,
) -> Callable[..., Any] | None:
    """Return what pytest is to call in place of the fixture function, if anything."""
    rooms = _Async.of(item.session) if planned is not None and planned.is_async else None
    if fixturedef.argname == "event_loop_policy":
        from pytest_asyncio.collect import policies

        policies.warn_of_override(fixturedef, item)
        return policies.refused(fixturedef)  # It has no loop, for it says what makes them.
    if rooms is not None:
        failing: Callable[..., Any] | None = rooms.calls.prepare_for(fixturedef, item, planned)
        if failing is not None:
            return failing
    call: Callable[..., Any]
    if fixtures.is_ours(fixturedef, item):
        rooms = rooms or _Async.of(item.session)
        if fixtures.names_timeout(fixturedef):
            _bound_runs(item.session)
        call = rooms.lifetimes.synchronous(fixturedef, request, planned)
        return call
    if fixturedef.argname.startswith(fixtures.XUNIT):
        from pytest_asyncio.features import xunit

        if xunit.is_ours(fixturedef, request):
            _Async.of(item.session)
            return xunit.synchronous(fixturedef, request)
    if fixtures.DEFERRAL in request.session.stash:
        from pytest_asyncio.engine import deferred_requests

        return deferred_requests.undeferred(fixturedef, request)
    return None


def pytest_exception_interact(
    node: pytest.Item | pytest.Collector, call: pytest.CallInfo[Any], report: object
) -> None:
    error = None if call.excinfo is None else call.excinfo.value
    if isinstance(error, pytest.fail.Exception) and isinstance(report, pytest.TestReport):
        from pytest_asyncio.features import notes

        notes.tell_of_mark(error, node, report)


class _AutoMode:
    """The hooks of a session while it is in auto mode."""

    NAME: ClassVar = "asyncio-auto-mode"

    def __init__(self) -> None:
        # One for all items, so that it is read once. It says nothing, so that it hides no other.
        self.implied_mark = pytest.mark.asyncio(loop_scope=None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        items.add_implied_mark(self.implied_mark, metafunc.definition)

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        if isinstance(item, pytest.Function):
            items.add_implied_mark(self.implied_mark, item)


class _Async:
    """The rooms that need asyncio, and the hooks of a session that uses them."""

    KEY: ClassVar = pytest.StashKey["_Async"]()

    def __init__(self, session: pytest.Session) -> None:
        from pytest_asyncio.collect import loop_factories
        from pytest_asyncio.engine import async_fixtures, async_tests, loops
        from pytest_asyncio.engine.session import SessionState
        from pytest_asyncio.features import interrupted, signals, task_tree
        from pytest_asyncio.features.coexistence import (
            faulthandler_timeout,
            looptime,
            pytest_timeout_signal,
            xdist_controller,
        )

        self.calls, self.factories, self.lifetimes = async_tests, loop_factories, async_fixtures
        self.looptime, self.tasks = looptime, task_tree
        self.shown_at_the_end = (
            *(interrupted, signals),
            *(faulthandler_timeout, pytest_timeout_signal, xdist_controller),
        )
        self.has_looptime = looptime.is_used(session.config)
        self.loops = loops
        self.state = SessionState.of(session)

    @classmethod
    def of(cls, session: pytest.Session) -> _Async:
        return session.stash[cls.KEY] if cls.KEY in session.stash else cls._start(session)

    @classmethod
    def _start(cls, session: pytest.Session) -> _Async:
        modules.remember("pytest_asyncio")
        plugins = session.config.pluginmanager
        started = session.stash[cls.KEY] = cls(session)
        session.stash[VIRTUAL] = _virtual_loops
        started.state.on_test_planned.append(_foresee_timeout)
        session.stash[started.lifetimes.ON_ENDED] = partial(
            plugins.register, _AfterEnded(started.lifetimes), "asyncio-ended"
        )
        session.stash[started.tasks.ON_ATTACHED] = partial(
            plugins.register, _AfterAttached(started.tasks)
        )
        plugins.register(started)
        if options.of(session.config).timeout or options.of(session.config).has_folders:
            _bound_runs(session)
        started.tasks.start(session)
        for feature in started.shown_at_the_end:
            feature.start(session)
        if options.of(session.config).checks:
            plugins.register(_Checked(session))
            _AfterFailure.follow(session)
        return started

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        __tracebackhide__ = True
        planned = plan_of(pyfuncitem)
        try:
            if planned is None and not items.is_marked_late(pyfuncitem):
                return (yield)
            restore = self.calls.synchronize(pyfuncitem, planned)
            try:
                return (yield)
            finally:
                restore()
        except BaseException:
            _AfterFailure.follow(pyfuncitem.session)
            raise

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        nodes = pytest_private.set_up_nodes(item.session)
        try:
            result = yield
        except BaseException as error:
            _AfterFailure.follow(item.session)
            pytest_private.finish_teardown(item.session, nextitem, nodes, error)
            raise
        finally:
            forget_plan(item)
            if self.loops.report_closed_loops(self.state, item):
                self.lifetimes.end_those_on_closed_loops(item.session)
        self.state.raise_postponed()
        return result

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        nodes = pytest_private.set_up_nodes(session)
        try:
            return (yield)
        except BaseException as error:
            pytest_private.finish_teardown(session, None, nodes, error)
            raise

    def pytest_enter_pdb(self, config: pytest.Config) -> None:
        from pytest_asyncio.support import debuggers

        debuggers.enter(config)

    def pytest_leave_pdb(self, config: pytest.Config) -> None:
        from pytest_asyncio.support import debuggers

        debuggers.leave(config)


class _AfterFailure:
    """The hooks of a session of async tests in which something has failed."""

    NAME: ClassVar = "asyncio-failure"

    @classmethod
    def follow(cls, session: pytest.Session) -> None:
        """Have failures explained from now on: most tests pass, and each hook costs."""
        plugins = session.config.pluginmanager
        if _Async.KEY in session.stash and not plugins.hasplugin(cls.NAME):
            plugins.register(cls(), cls.NAME)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None:
            from pytest_asyncio.features import notes

            _Async.of(item.session).state.raise_postponed()
            notes.explain(call.excinfo.value, item)
            if call.when == "call" and isinstance(item, pytest.Function):
                plain_fixtures.explain(call.excinfo.value, item)
            if not item.config.getoption("fulltrace", False):
                notes.hide_frames(call.excinfo.value)


class _AfterEnded:
    """The hooks of a session in which a fixture has ended too early."""

    def __init__(self, lifetimes: ModuleType) -> None:
        self.lifetimes = lifetimes

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        __tracebackhide__ = True
        self.lifetimes.finish_ended(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        __tracebackhide__ = True
        self.lifetimes.refuse_ended(item)


class _AfterAttached:
    """The hooks of a session in which an error has a tree of tasks to show."""

    def __init__(self, tasks: ModuleType) -> None:
        self.tasks = tasks

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None:
            self.tasks.show(call.excinfo.value, report)
        return report


class _Checked:
    """The hooks of a session that has checks switched on."""

    def __init__(self, session: pytest.Session) -> None:
        from pytest_asyncio.features import checks

        names = checks.selected(options.of(session.config).checks)
        self.checks = checks.Checks(session, names)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        return (yield from self.checks.set_up(fixturedef, request))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        __tracebackhide__ = True
        return (yield from self.checks.call(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        __tracebackhide__ = True
        return (yield from self.checks.tear_down())


class _Traced:
    """The hooks of a process, of those that run tests for a session, that is traced."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        from pytest_asyncio.features import trace

        self.recorder = trace.Recorder(session)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        __tracebackhide__ = True
        with self.recorder.phase("setup", item):
            yield

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        __tracebackhide__ = True
        with self.recorder.phase("call", item):
            yield

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        __tracebackhide__ = True
        with self.recorder.phase("teardown", item):
            yield

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        with self.recorder.fixture(fixturedef):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self.recorder.send_with(report)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self.recorder.send_rest()


class _TraceWritten:
    """The hooks of the process that writes the trace of a session."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        from pytest_asyncio.features import trace

        self.writer = trace.Writer(session)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.writer.take(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.writer.take_last_words(getattr(node, "workeroutput", {}))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self.writer.finish()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        self.writer.tell(terminalreporter)


class _Timed:
    """The hooks of a session that tells where the time of its async tests went."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        from pytest_asyncio.features import durations

        self.show = durations.show
        self.durations = durations.Durations(session)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self.durations.send_with(report, item)
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        self.show(terminalreporter)


def _unused_port(kind: int) -> int:
    from pytest_asyncio.features.ports import unused_port

    return unused_port(kind)


def _port_factory(kind: int) -> Callable[[], int]:
    from pytest_asyncio.features.ports import different_ports

    return different_ports(lambda: _unused_port(kind))


@pytest.fixture
def unused_tcp_port() -> int:
    """A TCP port of the loopback interface that nothing listens on."""
    return _unused_port(socket.SOCK_STREAM)


@pytest.fixture
def unused_udp_port() -> int:
    """A UDP port of the loopback interface that nothing is bound to."""
    return _unused_port(socket.SOCK_DGRAM)


@pytest.fixture(scope="session")
def unused_tcp_port_factory() -> Callable[[], int]:
    """A function that returns another unused TCP port at each call."""
    return _port_factory(socket.SOCK_STREAM)


@pytest.fixture(scope="session")
def unused_udp_port_factory() -> Callable[[], int]:
    """A function that returns another unused UDP port at each call."""
    return _port_factory(socket.SOCK_DGRAM)


@pytest.fixture(scope="session")
def event_loop_policy() -> Any:
    """The event loop policy that makes the event loops. Overriding it is deprecated."""
    from pytest_asyncio.collect import policies

    return policies.default()


@pytest.fixture(scope="session")
def _asyncio_loop_factory(request: pytest.FixtureRequest) -> Any:
    """The loop factory of the test; its parameter makes the variants of the test."""
    return getattr(request, "param", None)


@pytest.fixture
def asyncio_runner(request: pytest.FixtureRequest) -> LoopRunner:
    """The loop of the test, for synchronous code: `.loop` and `.run(coroutine)`."""
    _Async.of(request.session)
    from pytest_asyncio.features.asyncio_runner import of_test

    return of_test(request)


@pytest.fixture
def asyncio_clock(request: pytest.FixtureRequest) -> Generator[Clock]:
    """The virtual clock of the test's loop: `.time()`, `await .advance(seconds)`, `.autojump`."""
    _Async.of(request.session)
    from pytest_asyncio.features.clock.virtual import of_test

    with of_test(request) as clock:
        yield clock


@pytest.fixture
def asyncio_tasks(request: pytest.FixtureRequest) -> Generator[TaskGroup]:
    """A task group for the background work of the test: `.create_task(coroutine)`."""
    _Async.of(request.session)
    from pytest_asyncio.features.asyncio_tasks import of_test

    with of_test(request) as tasks:
        yield tasks


def _bound_runs(session: pytest.Session) -> None:
    from pytest_asyncio.features import timeouts

    timeouts.start(session)


def _foresee_timeout(item: pytest.Function, plan: Plan) -> None:
    if plan.mark.timeout:
        _bound_runs(item.session)


def _virtual_loops(factory: LoopFactory | None, item: pytest.Function) -> LoopFactory:
    from pytest_asyncio.features.clock.virtual import VirtualLoops

    return VirtualLoops(factory, item)


def _scoped_runner(scope: _ScopeName) -> Any:
    """Make a fixture by which other plugins, and their users, find the loop of a loop scope."""

    @pytest.fixture(scope=scope, name=f"_{scope}_scoped_runner")
    def runner(request: pytest.FixtureRequest) -> LoopRunner:
        _Async.of(request.session)
        from pytest_asyncio.features.asyncio_runner import of_scope

        return of_scope(request, scope)

    return runner


_function_scoped_runner = _scoped_runner("function")
_class_scoped_runner = _scoped_runner("class")
_module_scoped_runner = _scoped_runner("module")
_package_scoped_runner = _scoped_runner("package")
_session_scoped_runner = _scoped_runner("session")
