"""The options of the plugin, parsed before anything asks for them."""

from __future__ import annotations

import contextlib
import reprlib
import sys
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, TypeGuard

import pytest

from pytest_asyncio.support.types import ClockName, LoopFactory, ScopeName

SCOPES: Final[tuple[ScopeName, ...]] = ("function", "class", "module", "package", "session")
CLOCKS: Final[tuple[ClockName, ...]] = ("real", "virtual")


class Mode(StrEnum):
    """Which async tests and fixtures the plugin runs: all, or those that are marked as its own."""

    AUTO = "auto"
    STRICT = "strict"


REFERENCE: Final = "https://pytest-asyncio.readthedocs.io/en/latest/reference.html"

MARKER: Final = (
    "asyncio(*, loop_scope='function', loop_factories=None, clock='real', timeout=None, "
    "concurrent=False): run the test, which is a coroutine function, in an asyncio event loop; "
    "loop_scope says which tests share the loop, loop_factories by name which of the suite's loop "
    "factories the test runs with, clock whether time on the loop is 'real' or 'virtual', timeout "
    "how many seconds it may take, concurrent whether it may run beside others."
)


class Settings(NamedTuple):  # A dataclass would take fifteen times as long to define.
    """What the command line and the ini file say."""

    auto_mode: bool
    debug: bool
    fixture_loop_scope: ScopeName | Literal["fixture-scope"] | None
    test_loop_scope: ScopeName | Literal["auto"]
    loop_factory: LoopFactory | None
    timeout: float
    task_trees: bool
    checks: tuple[str, ...]
    blocked_loop_threshold: float
    clock: ClockName
    concurrent: bool
    concurrency: int
    serial_fixtures: tuple[str, ...]
    trace: str | None
    durations: int | None


_KEY: Final[pytest.StashKey[Settings]] = pytest.StashKey()


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("asyncio")
    group.addoption(
        "--asyncio-mode",
        metavar="MODE",
        help="'auto' runs every async test and fixture, 'strict', the default, those that are "
        "marked as asyncio's",
    )
    group.addoption(
        "--asyncio-debug",
        action="store_true",
        default=None,
        help="turn on asyncio's debug mode for the loops of tests and fixtures",
    )
    group.addoption(
        "--asyncio-loop-factory",
        metavar="NAME",
        help="what makes the event loops: a dotted name such as uvloop.new_event_loop",
    )
    group.addoption(
        "--asyncio-timeout",
        metavar="SECONDS",
        help="how long each phase of an async test or fixture may take; 0 is without end",
    )
    group.addoption(
        "--asyncio-tasks",
        action="store_true",
        help="show what the tasks of the event loop are doing when an async test fails",
    )
    group.addoption(
        "--asyncio-checks",
        metavar="NAMES",
        help="what to look for in async tests: 'all', or names such as leaked-tasks,never-awaited",
    )
    group.addoption(
        "--asyncio-concurrency",
        metavar="N",
        help="how many of the tests that are marked as concurrent may run at the same time; "
        "1 runs all tests one after another",
    )
    group.addoption(
        "--asyncio-durations",
        metavar="N",
        help="show the N slowest phases of async tests, and how long they waited and worked; 0 is "
        "all",
    )
    group.addoption(
        "--asyncio-trace",
        metavar="FILE",
        help="write what ran when, in a format that https://ui.perfetto.dev opens",
    )
    parser.addini("asyncio_mode", "default of --asyncio-mode", default="strict")
    parser.addini("asyncio_debug", "default of --asyncio-debug", type="bool")
    parser.addini("asyncio_loop_factory", "default of --asyncio-loop-factory")
    parser.addini("asyncio_timeout", "default of --asyncio-timeout", default="0")
    parser.addini("asyncio_checks", "default of --asyncio-checks")
    parser.addini(
        "asyncio_blocked_loop_threshold",
        "seconds that a callback may hold the loop before the check blocked-loop tells of it",
        default="0.5",
    )
    parser.addini(
        "asyncio_clock",
        "clock of the async tests that name none: 'real' or 'virtual'",
        default="real",
    )
    parser.addini(
        "asyncio_concurrent",
        "whether async tests run beside others where no mark says it",
        type="bool",
    )
    parser.addini("asyncio_concurrency", "default of --asyncio-concurrency", default="32")
    parser.addini(
        "asyncio_serial_fixtures",
        "names of fixtures whose tests run alone, besides monkeypatch, capsys and their like",
        type="args",
    )
    parser.addini(
        "asyncio_default_fixture_loop_scope",
        f"loop scope of the async fixtures that name none: {', '.join(SCOPES)}, or fixture-scope",
        default=None,
    )
    parser.addini(
        "asyncio_default_test_loop_scope",
        f"loop scope of the async tests that name none: {', '.join(SCOPES)}, or auto",
        default="function",
    )


def parse(config: pytest.Config) -> None:
    """Parse the options of a session and keep them on its config, in place of what was there.

    Raises `pytest.UsageError` that names the option and its value.
    """
    mode = _given(config, "asyncio_mode")
    if mode not in tuple(Mode):
        raise invalid("asyncio_mode", mode, f"Valid modes: {', '.join(Mode)}.")
    config.stash[_KEY] = Settings(
        auto_mode=mode == Mode.AUTO,
        debug=_debug(config),
        fixture_loop_scope=_default_scope(
            config, "asyncio_default_fixture_loop_scope", "fixture-scope"
        ),
        test_loop_scope=_default_scope(config, "asyncio_default_test_loop_scope", "auto")
        or "function",
        loop_factory=_loop_factory(_given(config, "asyncio_loop_factory")),
        timeout=_seconds(config, "asyncio_timeout"),
        task_trees=bool(config.getoption("asyncio_tasks")),
        checks=tuple(_given(config, "asyncio_checks").replace(",", " ").split()),
        blocked_loop_threshold=_seconds(config, "asyncio_blocked_loop_threshold"),
        clock=_clock(config.getini("asyncio_clock")),
        concurrent=bool(_parsed(config, "asyncio_concurrent", "true or false")),
        concurrency=_concurrency(config),
        serial_fixtures=tuple(
            _parsed(config, "asyncio_serial_fixtures", "names with blanks between them")
        ),
        trace=config.getoption("asyncio_trace"),
        durations=_count(config.getoption("asyncio_durations")),
    )


def are_parsed(config: pytest.Config) -> bool:
    return _KEY in config.stash


def of(config: pytest.Config) -> Settings:
    return config.stash[_KEY]


def invalid(option: str, value: object, help: str, reason: str = "") -> pytest.UsageError:
    """Return what tells users that an option cannot have a value, and where they can read more."""
    what = f"{value!r} is not a valid {option}{': ' if reason else ''}{reason}"
    return pytest.UsageError(f"{what}. {help}\n{_see(option)}")


def _see(option: str) -> str:
    return f"See {REFERENCE}#{option.replace('_', '-')}"


def is_scope(value: object) -> TypeGuard[ScopeName]:
    return isinstance(value, str) and value in SCOPES


def is_clock(value: object) -> TypeGuard[ClockName]:
    return isinstance(value, str) and value in CLOCKS


def is_timeout(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value <= sys.float_info.max


def shown(value: object) -> str:
    """Return what stands for a value that may be wrong in any way: too long, or with no `repr`."""
    return _REPR.repr(value)


_REPR: Final = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 200


def widest(*scopes: ScopeName) -> ScopeName:
    return max(scopes, key=SCOPES.index)


def header(config: pytest.Config) -> str:
    settings = of(config)
    factory = _given(config, "asyncio_loop_factory")
    parts = [
        f"mode={'auto' if settings.auto_mode else 'strict'}",
        f"debug={settings.debug}",
        f"asyncio_default_fixture_loop_scope={settings.fixture_loop_scope}",
        f"asyncio_default_test_loop_scope={settings.test_loop_scope}",
        *([f"asyncio_loop_factory={factory}"] if factory else []),
        *([f"asyncio_timeout={settings.timeout:g}"] if settings.timeout else []),
        *([f"asyncio_checks={','.join(settings.checks)}"] if settings.checks else []),
        *(["asyncio_clock=virtual"] if settings.clock == "virtual" else []),
        *([f"asyncio_concurrency={settings.concurrency}"] if settings.concurrent else []),
    ]
    return f"asyncio: {', '.join(parts)}"


def _given(config: pytest.Config, name: str) -> Any:
    value = config.getoption(name, None)
    return config.getini(name) if value is None else value


def _parsed(config: pytest.Config, option: str, what: str) -> Any:
    """Return an option that pytest parses itself, which says what it must be where it is not."""
    try:
        return config.getini(option)
    except (ValueError, pytest.UsageError) as error:  # Versions of pytest differ.
        raise pytest.UsageError(f"{option} must be {what}: {error}.\n{_see(option)}") from error


def _debug(config: pytest.Config) -> bool:
    given = config.getoption("asyncio_debug")
    if given is None:
        return bool(_parsed(config, "asyncio_debug", "true or false"))
    if given in (True, "true"):
        return True
    if given in (False, "false"):
        return False
    raise invalid("asyncio_debug", given, "Give True or False.")


def _default_scope(config: pytest.Config, option: str, other: str) -> Any:
    value = config.getini(option) or None
    if value is None or value == other or is_scope(value):
        return value
    raise invalid(
        option,
        value,
        f"Valid scopes are: {', '.join(SCOPES)}.\n{option} may also be {other!r}.",
    )


def _seconds(config: pytest.Config, option: str) -> float:
    given = _given(config, option)
    with contextlib.suppress(ValueError):
        seconds = float(given)
        if is_timeout(seconds):
            return seconds
    raise invalid(option, given, "Give a number of seconds, such as 2.5.")


def _count(given: str | None) -> int | None:
    if given is None or given.isdecimal():
        return None if given is None else int(given)
    raise invalid("asyncio_durations", given, "Give how many to show, or 0 for all.")


def _concurrency(config: pytest.Config) -> int:
    given = str(_given(config, "asyncio_concurrency"))
    if given.isdecimal() and int(given) > 0:
        return int(given)
    raise invalid(
        "asyncio_concurrency",
        given,
        "Give a number of tests, such as 32, or 1 to run them one after another.",
    )


def _clock(value: str) -> ClockName:
    if is_clock(value):
        return value
    raise invalid("asyncio_clock", value, f"Valid clocks: {', '.join(CLOCKS)}.")


def _loop_factory(name: str | None) -> LoopFactory | None:
    if not name:
        return None
    from pkgutil import resolve_name  # only the sessions that name a factory need it

    help = (
        "Give the dotted name of a callable that returns an event loop, such as "
        "uvloop.new_event_loop."
    )
    try:
        factory: LoopFactory = resolve_name(name)
    except (KeyboardInterrupt, pytest.exit.Exception):
        raise
    except (ImportError, AttributeError, ValueError) as error:
        raise invalid("asyncio_loop_factory", name, help, str(error)) from error
    except BaseException as error:  # Whatever the module does when it is imported.
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise invalid("asyncio_loop_factory", name, help, reason) from error
    if not callable(factory):
        raise invalid("asyncio_loop_factory", name, help, "it is not callable")
    return factory
