"""Loops that are not shared because of `asyncio_concurrent`: they have clocks of their own."""

from __future__ import annotations

from types import CodeType, FunctionType
from typing import Any, Final

import pytest

from pytest_asyncio.support.foreign import attribute

from . import hooks, options
from .code_names import names_of


def has_one(item: pytest.Function) -> bool:
    """Return whether a test has such a loop, from looptime or from its factory."""
    if _HAS_ONE not in item.stash:
        item.stash[_HAS_ONE] = bool(item.config.getoption("looptime", None)) or any(
            map(_makes_own_clocks, _factories_of(item))
        )
    return item.stash[_HAS_ONE]


_HAS_ONE: Final[pytest.StashKey[bool]] = pytest.StashKey()


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
