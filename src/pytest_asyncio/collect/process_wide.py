"""Which tests patch the process, its folder, warnings or signals, as all others would see.

It is found by its name, in the code of a test and of its own fixtures. What wide ones do holds for
all tests alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Final

import pytest

from pytest_asyncio.support import callables, pytest_private
from pytest_asyncio.support.foreign import attribute, is_a

from .code_names import names_of

_PATCHING: Final[Mapping[str, AbstractSet[str]]] = {
    "mock": {"patch"},
    "mock.mock": {"patch"},
    "unittest": {"patch"},
    "unittest.mock": {"patch"},
}
"""Modules whose functions patch the process, and what these are called. Their decorators do too."""

_LIBRARIES: Final = frozenset(
    {
        "aioresponses",
        "freezegun",
        "mockito",
        "pyfakefs",
        "pytest_check",
        "pytest_dependency",
        "pytest_fastapi_deps",
        "pytest_loguru",
        "pytest_mockito",
        "pytest_socket",
        "pytest_subprocess",
        "respx",
        "time_machine",
        "vcr",
    }
)
"""Libraries that patch the process, or keep for all tests what one of them has found.

Whatever a test has of them counts: a name in its code, an object, a decorator, a fixture.
"""

_CATCHING: Final = {"deprecated_call", "warns"}
"""What puts aside how warnings are shown, and what they are filtered by."""

_FILTERING: Final = {"catch_warnings", "filterwarnings", "resetwarnings", "simplefilter"}

_HANDLES_SIGNALS: Final = {"add_signal_handler"}
"""What an event loop has of that which belongs to the whole process."""

_COLLECTING: Final = {"disable", "freeze", "get_objects", "set_debug", "set_threshold"}
_OF_SYSTEM: Final = {"chdir", "kill", "killpg", "umask"}
_SIGNALLING: Final = {"alarm", "pthread_kill", "raise_signal", "set_wakeup_fd", "setitimer"}
_TRACING: Final = {"clear_traces", "start", "stop", "take_snapshot"}

_ACTING: Final = {
    **_PATCHING,
    "_py_warnings": _FILTERING,  # from Python 3.14 on
    "_pytest.monkeypatch": {"MonkeyPatch"},
    "_pytest.recwarn": _CATCHING,
    "_signal": _SIGNALLING,
    "_tracemalloc": _TRACING,
    "contextlib": {"chdir"},
    "gc": _COLLECTING,
    "inline_snapshot": {"snapshot"},
    "inline_snapshot._inline_snapshot": {"snapshot"},
    "loguru": {"add"},
    "loguru._logger": {"add"},
    "nt": _OF_SYSTEM,
    "os": _OF_SYSTEM,
    "posix": _OF_SYSTEM,
    "pytest": _CATCHING | {"MonkeyPatch", "assume"},
    "pytest_django.fixtures": {"SettingsWrapper"},
    "signal": _SIGNALLING,
    "tracemalloc": _TRACING,
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
    where = str(variables.get("__name__"))
    if attribute(layer, "patchings", list) is not None or where in _PATCHING:
        return True  # It is decorated by such a function.
    names = set[str]() if code is None else names_of(code)
    modules = {where, *(_module_of(variables.get(name), name) for name in names)}
    return not names.isdisjoint(_HANDLES_SIGNALS) or any(
        module.partition(".")[0] in _LIBRARIES or not names.isdisjoint(_ACTING.get(module, ()))
        for module in modules
    )


def _module_of(value: object, name: str) -> str:
    """Return the module that a name in code stands for, or that what it stands for is from."""
    if value is None:  # The name of a module that is imported there, or of an attribute.
        return name
    if is_a(value, ModuleType):
        return attribute(value, "__name__", str) or ""
    is_definition = is_a(value, (type, FunctionType, BuiltinFunctionType))
    module: str = attribute(value if is_definition else type(value), "__module__", str) or ""
    return module if is_definition or module not in _PATCHING else ""  # A mock patches nothing.
