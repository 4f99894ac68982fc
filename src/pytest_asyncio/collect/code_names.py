"""The names in code, by which is known what a test does before it runs."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType

import pytest

from pytest_asyncio.support import callables, pytest_private
from pytest_asyncio.support.foreign import attribute


def names_in_code(item: pytest.Function) -> set[str]:
    """Return the names of all globals and attributes in the code of a test and its fixtures."""
    fixtures = (definition.func for definition in pytest_private.definitions_used(item))
    return set[str]().union(*map(_names, (item.obj, *fixtures)))


def _names(function: Callable[..., object]) -> set[str]:
    codes = [attribute(layer, "__code__", CodeType) for layer in callables.layers(function)]
    return set[str]().union(*(names_of(code) for code in codes if code is not None))


def names_of(code: CodeType) -> set[str]:
    """Return the names of all globals and attributes in code, and of modules that it imports."""
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(names_of, inner))
