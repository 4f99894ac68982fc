"""Tests that need a loop for themselves, so that `asyncio_concurrent` leaves them as they are."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from types import CodeType, FunctionType
from typing import Any, Final

import pytest

from pytest_asyncio.support import callables, pytest_private
from pytest_asyncio.support.foreign import attribute

from . import hooks, options

_LOOPTIME: Final = "looptime"
"""What the plugin looptime calls its mark, its fixture and its option."""


def needs_own_loop(item: pytest.Function) -> bool:
    """Return whether a test would not be the same on a loop that it shares with others.

    A clock such as that of looptime starts anew on each loop. Who looks at all tasks of a loop
    expects to find none of other tests.
    """
    if _NEEDS_OWN_LOOP not in item.stash:
        item.stash[_NEEDS_OWN_LOOP] = (
            bool(item.config.getoption(_LOOPTIME, None))
            or _LOOPTIME in item.fixturenames
            or item.get_closest_marker(_LOOPTIME) is not None
            or sees_all_tasks(item)
            or any(map(_makes_own_clocks, _factories_of(item)))
        )
    return item.stash[_NEEDS_OWN_LOOP]


_NEEDS_OWN_LOOP: Final[pytest.StashKey[bool]] = pytest.StashKey()


def sees_all_tasks(item: pytest.Function) -> bool:
    """Return whether a test, or a fixture that it has, names what finds all tasks of a loop."""
    return any(name.endswith("all_tasks") for name in names_in_code(item))


def _factories_of(item: pytest.Function) -> list[object]:
    """Return what may make the loop of a test."""
    factories: list[object] = [options.of(item.config).loop_factory]
    if hooks.offer_loop_factories(item.config):
        hook: Any = item.ihook.pytest_asyncio_loop_factories
        offered = hook(config=item.config, item=item)
        # What is no offer fails where the factory is chosen.
        factories += offered.values() if isinstance(offered, dict) else ()
    return factories


def _makes_own_clocks(factory: object) -> bool:
    """Return whether a factory is, or calls, a class of loops with a clock of their own."""
    variables: dict[str, object] = attribute(factory, "__globals__", dict) or {}
    code = attribute(factory, "__code__", CodeType)
    called = () if code is None else map(variables.get, names_of(code))
    return any(map(has_own_clock, (factory, *called)))


def has_own_clock(kind: object) -> bool:
    """Return whether the loops of a class do not go by the real clock."""
    time = attribute(kind, "time", FunctionType)  # Those of loops in C have none of Python's.
    return time is not None and time.__module__ != "asyncio.base_events"


def names_in_code(item: pytest.Function) -> AbstractSet[str]:
    """Return the names of all globals and attributes in the code of a test and its fixtures."""
    if _NAMES not in item.stash:
        fixtures = (definition.func for definition in pytest_private.definitions_used(item))
        item.stash[_NAMES] = set[str]().union(*map(_names, (item.obj, *fixtures)))
    return item.stash[_NAMES]


_NAMES: Final[pytest.StashKey[AbstractSet[str]]] = pytest.StashKey()


def _names(function: Callable[..., object]) -> set[str]:
    codes = [attribute(layer, "__code__", CodeType) for layer in callables.layers(function)]
    return set[str]().union(*(names_of(code) for code in codes if code is not None))


def names_of(code: CodeType) -> set[str]:
    """Return the names of all globals and attributes in code, and of modules that it imports."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(names_of, inner))
