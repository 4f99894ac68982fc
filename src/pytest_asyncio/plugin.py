"""pytest's way into the package: the options, the header, and what switches which feature on.

What only async tests need is imported with the first of them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import pytest

from pytest_asyncio.collect import collection, header, hooks, items, options
from pytest_asyncio.collect.fixtures import XUNIT, fixture, is_parallel, names_timeout
from pytest_asyncio.collect.items import is_async_test
from pytest_asyncio.collect.options import Mode
from pytest_asyncio.engine import entry
from pytest_asyncio.engine.plan import Plan
from pytest_asyncio.features import invalid_hooks, unmarked_tests
from pytest_asyncio.support import modules, pytest_private, running_session
from pytest_asyncio.support.frames import PACKAGE
from pytest_asyncio.support.types import LoopFactory
from pytest_asyncio.user_fixtures import *  # noqa: F403  # pytest, and users, find them here

__all__ = ("LoopFactory", "Mode", "fixture", "is_async_test")

_ALWAYS: Final = (collection, entry, running_session, unmarked_tests)
_WITH_ASYNC_TESTS: Final = (
    "without_effect",
    "notes",
    "silent_errors",
    "interrupted",
    "signals",
    "lasting_threads",
)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hooks.Hooks)
    pluginmanager.add_hookspecs(hooks.OwnHooks)
    pluginmanager.register(invalid_hooks)  # before the first conftest is loaded


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    modules.remember(PACKAGE)
    config.addinivalue_line("markers", options.MARKER)  # of which auto mode makes one
    for module in _ALWAYS:
        config.pluginmanager.register(module)
    collection.read_options(config)
    given = options.of(config)
    for name in ("checks", "trace", "durations"):
        if getattr(given, name) not in (None, ()):
            _feature(name).register(config)
    if given.concurrent_probe:
        config.pluginmanager.register(_feature("concurrency.probe"))
    if _has_pytest_timeout(config):
        _feature("coexistence.pytest_timeout_thread").start(config)


@pytest.hookimpl(tryfirst=True)
def pytest_report_header(config: pytest.Config) -> list[str]:
    collection.read_options(config)
    if not options.of(config).concurrent:
        return header.lines(config)
    return [*header.lines(config), *_feature("concurrency.obstacles").header(config)]


def pytest_collection(session: pytest.Session) -> None:
    collection.read_late_options(session)
    plugins, fixtures = session.config.pluginmanager, pytest_private.all_fixtures(session)
    if plugins.hasplugin("_run-parallel"):
        plugins.register(_feature("coexistence.run_parallel"))
    if any(known.argname == "benchmark" for known in fixtures):
        plugins.register(_feature("benchmarks"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Switch on what the collected tests ask for."""
    collection.read_late_options(session)
    plugins, fixtures = session.config.pluginmanager, pytest_private.all_fixtures(session)
    if any(known.argname.startswith(XUNIT) for known in fixtures):
        plugins.register(_feature("xunit"))
    if any(getattr(item, "nofuncargs", False) for item in session.items):
        plugins.register(_feature("unittest_methods"))
    if getattr(session.config.option, "dist", "no") != "no":  # The tests run in workers of xdist.
        plugins.register(_feature("races.summary").Summary())
    keywords = items.keywords_in_use(session)
    if "live" in keywords:
        _feature("live").start(session)
    if items.are_repeated(session, keywords):
        entry.start(session)
        _feature("races.runs").start(session, keywords)
    if items.are_concurrent(session, keywords):
        entry.start(session)
        _feature("concurrency").start(session)


def pytest_asyncio_started(session: pytest.Session) -> None:
    """Switch on what async tests need, and what the options ask for."""
    from pytest_asyncio.engine.session import SessionState

    SessionState.of(session).on_test_planned.append(_switch_on_by_mark)
    config, plugins = session.config, session.config.pluginmanager
    given = options.of(config)
    for name in _WITH_ASYNC_TESTS:
        _feature(name).start(session)
    fixtures = tuple(pytest_private.all_fixtures(session))
    is_asked_for = {
        "debug_mode": given.debug,
        "timeouts": given.timeout or given.has_folders or any(map(names_timeout, fixtures)),
        "parallel_fixtures": any(map(is_parallel, fixtures)),
        "clock": given.clock == "virtual" or given.has_folders,
        "live": given.live or given.has_folders,
        "task_tree": given.tasks,
        "checks": given.checks,
        "coexistence.faulthandler_timeout": (
            plugins.hasplugin("faulthandler")
            and float(config.getini("faulthandler_timeout") or 0) > 0
        ),
        "coexistence.looptime": plugins.hasplugin("looptime_plugin"),
        "coexistence.pytest_timeout_signal": _has_pytest_timeout(config),
        "coexistence.xdist_controller": hasattr(config, "workerinput"),
    }
    for name in filter(is_asked_for.get, is_asked_for):
        _feature(name).start(session)


def _switch_on_by_mark(item: pytest.Function, plan: Plan) -> None:
    if plan.mark.timeout:
        _feature("timeouts").start(item.session)
    if plan.mark.clock == "virtual":
        _feature("clock").start(item.session)
    if plan.mark.live:
        _feature("live").start(item.session)


def _has_pytest_timeout(config: pytest.Config) -> bool:
    return sys.modules.get("pytest_timeout") in config.pluginmanager.get_plugins()


def _feature(name: str) -> Any:
    return import_module(f"{PACKAGE}.features.{name}")
