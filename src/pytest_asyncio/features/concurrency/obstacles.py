"""What makes concurrent tests run one after another, and how a session says so."""

from __future__ import annotations

import sys
from typing import Any, Final

import pytest

from pytest_asyncio.collect import header as header_lines
from pytest_asyncio.collect import options
from pytest_asyncio.support.foreign import attribute
from pytest_asyncio.support.frames import PACKAGE
from pytest_asyncio.support.pytest_private import reporting

_OPTIONS: Final = {
    "force_reruns": "--force-reruns",
    "looptime": "--looptime",
    "reruns": "--reruns",
    "setuponly": "--setup-only",
    "setupplan": "--setup-plan",
    "setupshow": "--setup-show",
    "trace": "--trace",
    "usepdb": "--pdb",
}
"""Options of pytest, and of other plugins, that need one test after another."""

_PLUGINS: Final = {"capturemanager": "capture", "logging-plugin": "logging"}
"""Plugins of pytest that tell the output of tests apart, and what `-p no:` calls them."""

_UNAFFECTED: Final = {"_pytest", PACKAGE, "pytest_rerunfailures", "pytest_timeout"}
"""Packages that have a hook around each test, and need not see all of it there.

Tests that this package runs again are not concurrent; pytest-timeout bounds the time that pytest
takes for a test; pytest-rerunfailures does nothing unless a test is marked, or one of `_OPTIONS` is
given.
"""


_NESTED: Final = "nest_asyncio lets a test run its loop within itself"

_LIVE: Final = (
    "asyncio: concurrent tests wait together only up to the next one that runs alone, because what "
    "they write is shown, or logged to a file, when they are reported"
)


def find(config: pytest.Config) -> str | None:
    """Return why tests have to run one after another, if anything makes them."""
    given = options.of(config)
    if given.cancel or given.late:
        flag = "--asyncio-cancel" if given.cancel else "--asyncio-late"
        return f"{flag} runs them more than once"
    for name, flag in _OPTIONS.items():
        if _is_given(config, name):
            return f"{flag} is about one test after another"
    for name, plugin in _PLUGINS.items():
        if config.pluginmanager.getplugin(name) is None:
            return f"-p no:{plugin} leaves nothing to tell their output apart"
    return None


def hooks_around_each_test(config: pytest.Config) -> list[str]:
    """Name what has to see each test from start to end, so that none can be begun early."""
    implementations = config.hook.pytest_runtest_protocol.get_hookimpls()
    functions = [implementation.function for implementation in implementations]
    return [
        f"{module}.{attribute(function, '__qualname__', str)}()"
        for function in functions
        if (module := attribute(function, "__module__", str) or "").partition(".")[0]
        not in _UNAFFECTED
    ]


def header(config: pytest.Config) -> list[str]:
    """Return a line for the header if an option asks for concurrent tests and cannot have them."""
    is_asked_for = options.of(config).concurrent and options.of(config).concurrency > 1
    obstacle = find(config) if is_asked_for else None
    if obstacle is not None:
        return [_sentence(obstacle)]
    return [_LIVE] if is_asked_for and reporting.shows_at_once(config) else []


def report(session: pytest.Session) -> str | None:
    """Say below the header, where the marks of tests ask for it, why all or some run one by one.

    Returns why all do, if they do.
    """
    config = session.config
    obstacle = find(config)
    if obstacle is None and "nest_asyncio" in sys.modules:  # The suite is imported by now.
        obstacle = _NESTED
        _write(_sentence(obstacle), config)
    elif not options.of(config).concurrent:
        if obstacle is not None:
            _write(_sentence(obstacle), config)
        elif options.of(config).clock == "virtual":
            _write(header_lines.ONE_BY_ONE, config)
    return obstacle


def _write(line: str, config: pytest.Config) -> None:
    reporter: Any = config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None and reporter.verbosity >= 0:
        reporter.write_line(line)


def _sentence(obstacle: str) -> str:
    return f"asyncio: concurrent tests run one after another, because {obstacle}"


def _is_given(config: pytest.Config, option: str) -> bool:
    """Return whether an option that another plugin may have is given, in the ini file too."""
    try:
        in_ini = bool(config.getini(option))
    except ValueError:
        in_ini = False
    return in_ini or bool(config.getoption(option, None))
