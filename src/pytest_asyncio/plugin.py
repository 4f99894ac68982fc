"""The hooks of pytest that the plugin implements.

What needs asyncio is imported by the first async test or fixture: a session without one does not
pay for it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from . import (
    factories,
    fixtures,
    internals,
    items,
    looptime,
    marks,
    policies,
    settings,
    testcases,
    xunit,
)
from .factories import parametrized_loop_factory as _parametrized_loop_factory
from .fixtures import fixture
from .items import is_async_test
from .policies import default_policy as _default_policy
from .ports import different_ports
from .ports import unused_port as _unused_port
from .settings import ScopeName as _ScopeName

if TYPE_CHECKING:
    from .runners import LoopRunner


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(factories.Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    settings.add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    settings.parse(config)
    config.addinivalue_line("markers", marks.MARKER)


@pytest.hookimpl(tryfirst=True)
def pytest_report_header(config: pytest.Config) -> str:
    return settings.header(config)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    policies.request_override(metafunc)
    item = metafunc.definition
    if settings.of(metafunc.config).auto_mode:
        items.add_implied_mark(item)
    if is_async_test(item):
        factories.parametrize(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    items.collect(item)
    testcases.refuse_unawaited(item)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    yield
    factories.apply_late_marks(items, config)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if items.is_marked(item):
        _Async.of(item.session).calls.plan(item)
        looptime.show_loop(item)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    __tracebackhide__ = True
    function = _function_for(fixturedef, request)
    if function is None:
        return (yield)
    original = internals.replace_fixture_function(fixturedef, function)
    try:
        return (yield)
    finally:
        internals.replace_fixture_function(fixturedef, original)


def _function_for(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any] | None:
    """Return what pytest is to call in place of the fixture function, if anything."""
    policies.warn_of_override(fixturedef)
    item = internals.item_of(request)
    if items.is_planned_async(item) and not policies.is_pending(item):
        failing = _Async.of(item.session).calls.prepare_for(fixturedef, item)
        if failing is not None:
            return failing
        fixtures.warn_of_plain_async(fixturedef, item)
    if fixtures.is_ours(fixturedef, request.config):
        return _Async.of(item.session).lifetimes.synchronous(fixturedef, request)
    if xunit.is_ours(fixturedef, request):
        _Async.of(item.session)
        return xunit.synchronous(fixturedef, request)
    if fixtures.DEFERRAL in request.session.stash:
        return _Async.of(item.session).lifetimes.undeferred(fixturedef, request)
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    __tracebackhide__ = True
    if not items.is_planned(pyfuncitem) and not items.is_marked_late(pyfuncitem):
        return (yield)
    restore = _Async.of(pyfuncitem.session).calls.synchronize(pyfuncitem)
    try:
        return (yield)
    finally:
        restore()


class _Async:
    """The rooms that need asyncio, and the hooks of a session that uses them."""

    _KEY: ClassVar = pytest.StashKey["_Async"]()

    def __init__(self) -> None:
        from . import calls, lifetimes, loops, notes, runners

        self.calls, self.lifetimes, self.loops = calls, lifetimes, loops
        self.notes, self.runners = notes, runners

    @classmethod
    def of(cls, session: pytest.Session) -> _Async:
        started = session.stash.get(cls._KEY, None)
        if started is None:
            started = session.stash[cls._KEY] = cls()
            session.config.pluginmanager.register(started)
        return started

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.lifetimes.finish_cancelled(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None:
            self.notes.explain(call.excinfo.value, item)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        self.loops.tell_of_closed_loops(item)


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
    return different_ports(lambda: _unused_port(socket.SOCK_STREAM))


@pytest.fixture(scope="session")
def unused_udp_port_factory() -> Callable[[], int]:
    """A function that returns another unused UDP port at each call."""
    return different_ports(lambda: _unused_port(socket.SOCK_DGRAM))


@pytest.fixture
def asyncio_runner(request: pytest.FixtureRequest) -> LoopRunner:
    """The loop of the test, for synchronous code: `.loop` and `.run(coroutine)`."""
    return _Async.of(request.session).runners.of_test(request)


def _scoped_runner(scope: _ScopeName) -> Any:
    """Make a fixture by which other plugins, and their users, find the loop of a loop scope."""

    @pytest.fixture(scope=scope, name=f"_{scope}_scoped_runner")
    def runner(request: pytest.FixtureRequest) -> LoopRunner:
        return _Async.of(request.session).runners.of_scope(request, scope)

    return runner


_function_scoped_runner = _scoped_runner("function")
_class_scoped_runner = _scoped_runner("class")
_module_scoped_runner = _scoped_runner("module")
_package_scoped_runner = _scoped_runner("package")
_session_scoped_runner = _scoped_runner("session")
