"""The options of the plugin, parsed once a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeGuard

import pytest

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

ScopeName: TypeAlias = Literal["session", "package", "module", "class", "function"]
LoopFactory: TypeAlias = Callable[[], "AbstractEventLoop"]

SCOPES: Final[tuple[ScopeName, ...]] = ("function", "class", "module", "package", "session")
MODES: Final = ("auto", "strict")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line and the ini file say."""

    auto_mode: bool
    debug: bool
    fixture_loop_scope: ScopeName | Literal["fixture-scope"] | None
    test_loop_scope: ScopeName | Literal["auto"]
    loop_factory: LoopFactory | None


_KEY: Final = pytest.StashKey[Settings]()


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("asyncio")
    group.addoption(
        "--asyncio-mode",
        metavar="MODE",
        help="'auto' runs every async test and fixture, 'strict' those that are marked as asyncio's",
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
    parser.addini("asyncio_mode", "default of --asyncio-mode", default="strict")
    parser.addini("asyncio_debug", "default of --asyncio-debug", type="bool", default=False)
    parser.addini("asyncio_loop_factory", "default of --asyncio-loop-factory", default=None)
    parser.addini(
        "asyncio_default_fixture_loop_scope",
        "loop scope of the async fixtures that name none: a scope, or 'fixture-scope'",
        default=None,
    )
    parser.addini(
        "asyncio_default_test_loop_scope",
        "loop scope of the async tests that name none: a scope, or 'auto'",
        default="function",
    )


def parse(config: pytest.Config) -> None:
    """Parse the options of a session and keep them on its config.

    Raises `pytest.UsageError` that names the option and its value.
    """
    mode = _given(config, "asyncio_mode")
    if mode not in MODES:
        raise pytest.UsageError(
            f"{mode!r} is not a valid asyncio_mode. Valid modes: {', '.join(MODES)}."
        )
    config.stash[_KEY] = Settings(
        auto_mode=mode == "auto",
        debug=bool(_given(config, "asyncio_debug")),
        fixture_loop_scope=_default_scope(
            config, "asyncio_default_fixture_loop_scope", "fixture-scope"
        ),
        test_loop_scope=_default_scope(config, "asyncio_default_test_loop_scope", "auto")
        or "function",
        loop_factory=_loop_factory(_given(config, "asyncio_loop_factory")),
    )


def of(config: pytest.Config) -> Settings:
    return config.stash[_KEY]


def is_scope(value: object) -> TypeGuard[ScopeName]:
    return value in SCOPES


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
    ]
    return f"asyncio: {', '.join(parts)}"


def _given(config: pytest.Config, name: str) -> Any:
    value = config.getoption(name)
    return config.getini(name) if value is None else value


def _default_scope(config: pytest.Config, option: str, other: str) -> Any:
    value = config.getini(option) or None
    if value is None or value == other or is_scope(value):
        return value
    raise pytest.UsageError(
        f"{value!r} is not a valid {option}. Valid scopes are: {', '.join(SCOPES)}.\n"
        f"{option} may also be {other!r}."
    )


def _loop_factory(name: str | None) -> LoopFactory | None:
    if not name:
        return None
    from pkgutil import resolve_name  # only the sessions that name a factory need it

    try:
        factory: LoopFactory = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise pytest.UsageError(
            f"{name!r} is not a valid asyncio_loop_factory: {error}. "
            "Give the dotted name of a callable that returns an event loop, "
            "such as uvloop.new_event_loop."
        ) from error
    if not callable(factory):
        raise pytest.UsageError(
            f"{name!r} is not a valid asyncio_loop_factory: it is not callable."
        )
    return factory
