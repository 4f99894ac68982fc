"""`setup_module`, `setup_class`, `setup_method`, `setup_function`, and their teardowns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import pytest

from pytest_asyncio.support import callables, pytest_private
from pytest_asyncio.support.foreign import attribute

from .fixtures import XUNIT

Function: TypeAlias = Callable[..., Any]


class Kind(NamedTuple):
    """One of the four pairs of functions: where they are found, and what they may take."""

    holder: str
    argument: str
    setup: Sequence[str]
    teardown: Sequence[str]


# By what pytest calls the fixtures that it makes of them, up to the name of the module or class.
_KINDS: Final = {
    f"{XUNIT}module_fixture_": Kind(
        "module", "module", ("setUpModule", "setup_module"), ("tearDownModule", "teardown_module")
    ),
    f"{XUNIT}class_fixture_": Kind("cls", "cls", ("setup_class",), ("teardown_class",)),
    f"{XUNIT}method_fixture_": Kind(
        "instance", "function", ("setup_method",), ("teardown_method",)
    ),
    f"{XUNIT}function_fixture_": Kind(
        "module", "function", ("setup_function",), ("teardown_function",)
    ),
}


def are_async(fixturedef: pytest.FixtureDef[Any], item: pytest.Function) -> bool:
    """Return whether a fixture calls async functions for an item."""
    if not fixturedef.argname.startswith(XUNIT):
        return False
    kind = kind_of(fixturedef)
    if kind.argument == "function" and kind.holder == "module" and item.instance is not None:
        return False  # For methods, there is setup_method.
    return any(
        function is not None and callables.kind_of(function) == "coroutine"
        for function in functions_of(kind, item)
    )


def kind_of(fixturedef: pytest.FixtureDef[Any]) -> Kind:
    return next(kind for start, kind in _KINDS.items() if fixturedef.argname.startswith(start))


def functions_of(kind: Kind, item: pytest.Function) -> tuple[Function | None, Function | None]:
    """Return the function that sets up for an item, and the one that tears down."""
    holder = getattr(item, kind.holder)
    return _first_of(holder, kind.setup), _first_of(holder, kind.teardown)


def _first_of(holder: object, names: Sequence[str]) -> Function | None:
    for name in names:
        function: Function | None = attribute(holder, name, object)
        if function is not None and not pytest_private.is_fixture(function):
            return function
    return None
