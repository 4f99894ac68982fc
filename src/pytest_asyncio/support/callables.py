"""What is async about a callable."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any, Final, Literal, TypeAlias, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
_FUNCTIONS: Final = (FunctionType, MethodType)
Kind: TypeAlias = Literal["coroutine", "generator"]


def kind_of(function: Callable[..., Any]) -> Kind | None:
    """Tell whether calling `function` gives a coroutine, an async generator, or neither.

    What wraps an async function counts as async: `functools.wraps`, `functools.partial`, static
    and class methods, methods, objects with an async `__call__`, and decorators written in C that
    set `__wrapped__`.
    """
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):  # Nearly all are found here; the rest costs ten times as much.
        if code.co_flags & inspect.CO_GENERATOR:  # whatever it wraps
            return None
        if code.co_flags & inspect.CO_COROUTINE:
            return "coroutine"
        if code.co_flags & inspect.CO_ASYNC_GENERATOR:
            return "generator"
    for layer in _layers(function):
        if inspect.iscoroutinefunction(layer):
            return "coroutine"
        if inspect.isasyncgenfunction(layer):
            return "generator"
    return None


def standing_in_for(function: Callable[..., Any], replacement: F) -> F:
    """Let what is synchronous look like `function`, but not be taken for it by pytest."""
    if isinstance(function, _FUNCTIONS):
        # What functools.update_wrapper() does, at a tenth of its cost.
        replacement.__dict__.update(function.__dict__, __wrapped__=function)
        replacement.__module__ = function.__module__
        replacement.__name__ = function.__name__
        replacement.__qualname__ = function.__qualname__
        replacement.__doc__ = function.__doc__
    else:
        functools.update_wrapper(replacement, function)
    replacement.__dict__.pop("_is_coroutine_marker", None)  # of inspect.markcoroutinefunction()
    return replacement


def _layers(function: Any) -> Iterator[Any]:
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        yield function
        if not inspect.isroutine(function):
            yield from _layers(type(function).__call__)
        if isinstance(function, functools.partial):
            function = function.func
        else:
            function = getattr(function, "__func__", None) or getattr(function, "__wrapped__", None)
