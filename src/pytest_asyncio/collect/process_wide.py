"""Which tests patch the process, its folder or its warnings, as all others would see.

It is found by its name, in the code of a test and of its own fixtures. What wide ones do holds for
all tests alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import CodeType, FunctionType, ModuleType
from typing import Final

import pytest

from pytest_asyncio.support import callables, pytest_private
from pytest_asyncio.support.foreign import attribute, is_a

from .code_names import names_of

_PATCHING: Final[Mapping[str, AbstractSet[str]]] = {
    "freezegun": {"freeze_time"},
    "freezegun.api": {"freeze_time"},
    "mock": {"patch"},
    "mock.mock": {"patch"},
    "time_machine": {"travel"},
    "unittest": {"patch"},
    "unittest.mock": {"patch"},
}
"""Modules whose functions patch the process, and what these are called. Their decorators do too."""

_CATCHING: Final = {"deprecated_call", "warns"}
"""What puts aside how warnings are shown, and what they are filtered by."""

_FILTERING: Final = {"catch_warnings", "filterwarnings", "resetwarnings", "simplefilter"}

_ACTING: Final = {
    **_PATCHING,
    "_py_warnings": _FILTERING,  # from Python 3.14 on
    "_pytest.monkeypatch": {"MonkeyPatch"},
    "_pytest.recwarn": _CATCHING,
    "contextlib": {"chdir"},
    "os": {"chdir"},
    "pytest": _CATCHING | {"MonkeyPatch"},
    "warnings": _FILTERING,
}


def acts_on_process(item: pytest.Function) -> bool:
    """Return whether a test, or a fixture of its own, acts on the whole process."""
    own = (
        fixture.func
        for fixture in pytest_private.definitions_used(item)
        if fixture.scope == "function"
    )
    return any(map(_acts, (item.obj, *own)))


def _acts(function: object) -> bool:
    return any(_layer_acts(layer) for layer in callables.layers(function))


def _layer_acts(layer: object) -> bool:
    variables: dict[str, object] = attribute(layer, "__globals__", dict) or {}
    code = attribute(layer, "__code__", CodeType)
    if attribute(layer, "patchings", list) is not None or variables.get("__name__") in _PATCHING:
        return True  # It is decorated by such a function.
    names = set[str]() if code is None else names_of(code)
    return any(
        not names.isdisjoint(_ACTING.get(_module_of(variables.get(name), name) or "", ()))
        for name in names
    )


def _module_of(value: object, name: str) -> str | None:
    """Return the module that a name in code stands for, or that its class or function is from."""
    if value is None:  # The name of a module that is imported there, or of an attribute.
        return name
    is_module = is_a(value, ModuleType)
    is_definition = is_a(value, type) or is_a(value, FunctionType)
    where = "__name__" if is_module else "__module__"
    module: str | None = attribute(value, where, str) if is_module or is_definition else None
    return module
