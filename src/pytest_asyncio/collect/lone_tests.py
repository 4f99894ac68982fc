"""Which tests run alone, whatever their marks say: others would see what they do, or wait for them.

Tests share a loop so that they can run at the same time. So these keep the loops that they have
without the option `asyncio_concurrent`, where nothing but that says that they are concurrent.
"""

from __future__ import annotations

from typing import Final

import pytest

from pytest_asyncio.support import callables

from . import options, policies
from .code_names import names_in_code
from .process_wide import acts_on_process

SERIAL_FIXTURES: Final = frozenset(
    {
        "aresponses",
        "asyncio_clock",
        "capfd",
        "capfdbinary",
        "capsysbinary",
        "capteesys",
        "chronometer",
        "freezer",
        "fs",
        "fs_class",
        "fs_module",
        "fs_session",
        "httpserver",
        "httpserver_ipv4",
        "httpserver_ipv6",
        "looptime",
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

_SERIAL_MARKS: Final = frozenset(
    {
        "allow_hosts",
        "block_network",
        "depends",
        "dependency",
        "disable_socket",
        "django_db",
        "enable_socket",
        "flaky",
        "incremental",
        "looptime",
        "order",
        "urls",
        "vcr",
    }
)
"""Marks of tests that other plugins run again, or set the process up for, or that count on what
came of the tests before them.
"""
_THREADS: Final = frozenset({"Thread", "ThreadPoolExecutor", "run_in_executor"})
"""What has no context, so that nobody knows for which test it writes and logs."""
_SHARED: Final = ("all_tasks", "dependency_overrides", "set_default_executor")
"""How names end of what a test shares with others: the tasks and threads of its loop, an app of
FastAPI.
"""
_ACTS_ON_OTHERS: Final = {
    "caplog": _THREADS | {"at_level", "set_level"},
    "capsys": _THREADS | {"disabled"},
}
"""Names of what acts on other tests, or sees them, by a fixture that each has for itself."""


def runs_alone(item: pytest.Function) -> bool:
    """Return whether nothing can run beside a test."""
    if _RUNS_ALONE not in item.stash:
        item.stash[_RUNS_ALONE] = (
            callables.kind_of(item.obj) != "coroutine"
            or not serial_fixtures(item.config).isdisjoint(item.fixturenames)
            or any(mark.name in _SERIAL_MARKS for mark in item.iter_markers())
            or (policies.is_overridden(item.session) and policies.override_of(item) is not None)
            or acts_on_process(item)
            or _acts_on_others(item)
        )
    return item.stash[_RUNS_ALONE]


_RUNS_ALONE: Final[pytest.StashKey[bool]] = pytest.StashKey()


def serial_fixtures(config: pytest.Config) -> frozenset[str]:
    """Return the names of the fixtures of which a test that has one runs alone."""
    return SERIAL_FIXTURES.union(options.of(config).serial_fixtures)


def _acts_on_others(item: pytest.Function) -> bool:
    """Return whether a test, or a fixture that it has, looks at other tests, or acts on them."""
    names = names_in_code(item)
    return any(name.endswith(_SHARED) for name in names) or any(
        not names.isdisjoint(acting)
        for fixture, acting in _ACTS_ON_OTHERS.items()
        if fixture in item.fixturenames
    )
