"""Tests that need a loop for themselves, so that `asyncio_concurrent` leaves them as they are."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from types import CodeType
from typing import Final

import pytest

from pytest_asyncio.support import callables, pytest_private
from pytest_asyncio.support.foreign import attribute

_LOOPTIME: Final = "looptime"
"""What the plugin looptime calls its mark, its fixture and its option."""


def needs_own_loop(item: pytest.Function) -> bool:
    """Return whether a test would not be the same on a loop that it shares with others.

    The clock of looptime starts at zero on each loop. Who looks at all tasks of a loop expects
    to find none of other tests.
    """
    if _NEEDS_OWN_LOOP not in item.stash:
        item.stash[_NEEDS_OWN_LOOP] = (
            bool(item.config.getoption(_LOOPTIME, None))
            or _LOOPTIME in item.fixturenames
            or item.get_closest_marker(_LOOPTIME) is not None
            or sees_all_tasks(item)
        )
    return item.stash[_NEEDS_OWN_LOOP]


_NEEDS_OWN_LOOP: Final[pytest.StashKey[bool]] = pytest.StashKey()


def sees_all_tasks(item: pytest.Function) -> bool:
    """Return whether a test, or a fixture that it has, names what finds all tasks of a loop."""
    return any(name.endswith("all_tasks") for name in names_in_code(item))


def names_in_code(item: pytest.Function) -> AbstractSet[str]:
    """Return the names of all globals and attributes in the code of a test and its fixtures."""
    if _NAMES not in item.stash:
        fixtures = (definition.func for definition in pytest_private.definitions_used(item))
        item.stash[_NAMES] = set[str]().union(*map(_names, (item.obj, *fixtures)))
    return item.stash[_NAMES]


_NAMES: Final[pytest.StashKey[AbstractSet[str]]] = pytest.StashKey()


def _names(function: Callable[..., object]) -> set[str]:
    codes = [attribute(layer, "__code__", CodeType) for layer in callables.layers(function)]
    return set[str]().union(*(_names_of(code) for code in codes if code is not None))


def _names_of(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names_of, inner))
