"""What is async about a callable."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, Literal, TypeAlias, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
Kind: TypeAlias = Literal["coroutine", "generator"]


def kind_of(function: Callable[..., Any]) -> Kind | None:
    """Tell whether calling `function` gives a coroutine, an async generator, or neither.

    What wraps an async function counts as async: `functools.wraps`, `functools.partial`, static
    and class methods, methods, objects with an async `__call__`, and decorators written in C that
    set `__wrapped__`.
    """
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):  # Nearly all are found here; the rest costs ten times as much.
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


def standing_in_for(function: Callable[..., Any]) -> Callable[[F], F]:
    """`functools.wraps` for what is synchronous, and not to be taken for `function` by pytest."""

    def wraps(replacement: F) -> F:
        functools.update_wrapper(replacement, function)
        vars(replacement).pop("_is_coroutine_marker", None)  # of inspect.markcoroutinefunction()
        return replacement

    return wraps


def _layers(function: Any) -> Iterator[Any]:
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        yield function
        if callable(function) and not (inspect.isroutine(function) or inspect.isclass(function)):
            yield from _layers(type(function).__call__)
        if isinstance(function, functools.partial):
            function = function.func
        else:
            function = getattr(function, "__func__", None) or getattr(function, "__wrapped__", None)
