"""The fixtures that users see. What needs asyncio is imported by the test that asks for it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_asyncio.engine import entry
from pytest_asyncio.support.types import ScopeName

if TYPE_CHECKING:
    from pytest_asyncio.features.asyncio_runner import LoopRunner
    from pytest_asyncio.features.asyncio_tasks import TaskGroup
    from pytest_asyncio.features.benchmarks import Benchmark
    from pytest_asyncio.features.clock.virtual import Clock

__all__ = (
    "_asyncio_loop_factory",
    "_class_scoped_runner",
    "_function_scoped_runner",
    "_module_scoped_runner",
    "_package_scoped_runner",
    "_session_scoped_runner",
    "_unused_port",
    "asyncio_benchmark",
    "asyncio_clock",
    "asyncio_runner",
    "asyncio_tasks",
    "event_loop",
    "event_loop_policy",
    "unused_tcp_port",
    "unused_tcp_port_factory",
    "unused_udp_port",
    "unused_udp_port_factory",
)


def _unused_port(kind: int) -> int:
    from pytest_asyncio.features.ports import unused_port

    return unused_port(kind)


def _find_port(kind: int) -> int:
    """Call `_unused_port` where suites replace it, which is where 1.5 has it."""
    port: int = sys.modules["pytest_asyncio.plugin"]._unused_port(kind)
    return port


def _port_factory(kind: int) -> Callable[[], int]:
    from pytest_asyncio.features.ports import different_ports

    return different_ports(lambda: _find_port(kind))


@pytest.fixture
def unused_tcp_port() -> int:
    """A TCP port of the loopback interface that nothing listens on."""
    return _find_port(socket.SOCK_STREAM)


@pytest.fixture
def unused_udp_port() -> int:
    """A UDP port of the loopback interface that nothing is bound to."""
    return _find_port(socket.SOCK_DGRAM)


@pytest.fixture(scope="session")
def unused_tcp_port_factory() -> Callable[[], int]:
    """A function that returns another unused TCP port at each call."""
    return _port_factory(socket.SOCK_STREAM)


@pytest.fixture(scope="session")
def unused_udp_port_factory() -> Callable[[], int]:
    """A function that returns another unused UDP port at each call."""
    return _port_factory(socket.SOCK_DGRAM)


@pytest.fixture(scope="session")
def event_loop(request: pytest.FixtureRequest) -> NoReturn:
    """Gone since version 1.0; a request of it says what to write."""
    from pytest_asyncio.features import without_effect

    without_effect.refuse_event_loop(request)


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
    entry.start(request.session)
    from pytest_asyncio.features.asyncio_runner import of_test

    return of_test(request)


@pytest.fixture
def asyncio_benchmark() -> Benchmark:
    """The fixture `benchmark` of pytest-benchmark or pytest-codspeed, for coroutine functions."""
    pytest.fail(
        "The fixture 'asyncio_benchmark' needs pytest-benchmark or pytest-codspeed. Install one of "
        "them.",
        pytrace=False,
    )


@pytest.fixture
def asyncio_clock(request: pytest.FixtureRequest) -> Generator[Clock]:
    """The virtual clock of the test's loop: `.time()`, `await .advance(seconds)`, `.autojump`."""
    entry.start(request.session)
    from pytest_asyncio.features.clock.virtual import of_test

    with of_test(request) as clock:
        yield clock


@pytest.fixture
def asyncio_tasks(request: pytest.FixtureRequest) -> Generator[TaskGroup]:
    """A task group for the background work of the test: `.create_task(coroutine)`."""
    entry.start(request.session)
    from pytest_asyncio.features.asyncio_tasks import of_test

    with of_test(request) as tasks:
        yield tasks


def _scoped_runner(scope: ScopeName) -> Any:
    """Make a fixture by which other plugins, and their users, find the loop of a loop scope."""

    @pytest.fixture(scope=scope, name=f"_{scope}_scoped_runner")
    def runner(request: pytest.FixtureRequest) -> LoopRunner:
        entry.start(request.session)
        from pytest_asyncio.features.asyncio_runner import of_scope

        return of_scope(request, scope)

    return runner


_function_scoped_runner = _scoped_runner("function")
_class_scoped_runner = _scoped_runner("class")
_module_scoped_runner = _scoped_runner("module")
_package_scoped_runner = _scoped_runner("package")
_session_scoped_runner = _scoped_runner("session")
