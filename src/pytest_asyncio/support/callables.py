"""What is async about a callable."""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from types import CodeType, CoroutineType, FunctionType, GeneratorType, MethodType
from typing import Any, Final, Literal, TypeAlias, TypeGuard, TypeVar

from . import foreign

F = TypeVar("F", bound=Callable[..., Any])
Kind: TypeAlias = Literal["coroutine", "generator"]


def kind_of(function: Callable[..., Any]) -> Kind | None:
    """Return whether calling `function` gives a coroutine, an async generator, or neither.

    What wraps an async function counts as async: `functools.wraps`, `functools.partial`, static
    and class methods, methods, objects with an async `__call__`, and decorators written in C that
    set `__wrapped__`.
    """
    is_plain = type(function) is FunctionType
    code = function.__code__ if is_plain else foreign.attribute(function, "__code__", CodeType)
    if code is not None:  # Nearly all are found here; the rest costs ten times as much.
        if code.co_flags & inspect.CO_GENERATOR:  # whatever it wraps
            return None
        if code.co_flags & inspect.CO_COROUTINE:
            return "coroutine"
        if code.co_flags & inspect.CO_ASYNC_GENERATOR:
            return "generator"
        if is_plain and not function.__dict__:  # It wraps nothing.
            return None
    for layer in layers(function):
        if foreign.holds(inspect.iscoroutinefunction, layer):
            return "coroutine"
        if foreign.holds(inspect.isasyncgenfunction, layer):
            return "generator"
    return None


def hypothesis_handle(function: object) -> Any:
    """Return what holds the function that Hypothesis calls for each example, if it does that.

    A state machine's test is one of Hypothesis as well, and has no such function.
    """
    if foreign.own_attribute(function, "is_hypothesis_test") is not True:
        return None
    handle = foreign.own_attribute(function, "hypothesis")
    return handle if callable(foreign.attribute(handle, "inner_test", object)) else None


def is_itself_async(function: Callable[..., Any]) -> bool:
    """Return whether a function is async, and does not only wrap one, which it may run."""
    return foreign.holds(inspect.iscoroutinefunction, function) or foreign.holds(
        inspect.isasyncgenfunction, function
    )


def is_awaitable(value: object) -> TypeGuard[Awaitable[Any]]:
    """Return whether a value can be awaited, by its type."""
    kind = type(value)
    if kind is CoroutineType:
        return True
    if foreign.is_a(value, GeneratorType):
        return bool(value.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE)
    return foreign.attribute(kind, "__await__", object) is not None


def standing_in_for(function: Callable[..., Any], replacement: F) -> F:
    """Let what is synchronous look like `function`, but not be taken for it by pytest."""
    named: Any = function
    if type(function) is MethodType:
        named = named.__func__
    if type(named) is FunctionType:
        # What functools.update_wrapper() does, at a tenth of its cost.
        replacement.__dict__.update(named.__dict__)
        replacement.__module__ = named.__module__
        replacement.__name__ = named.__name__
        replacement.__qualname__ = named.__qualname__
        replacement.__doc__ = named.__doc__
    else:
        replacement.__dict__.update(foreign.attribute(named, "__dict__", dict) or {})
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            if (value := foreign.attribute(named, name, str)) is not None:
                setattr(replacement, name, value)
    replacement.__dict__["__wrapped__"] = function
    replacement.__dict__.pop("_is_coroutine_marker", None)  # of inspect.markcoroutinefunction()
    return replacement


def closure_of(function: object) -> list[object]:
    """Return what a function keeps from where it was defined."""
    held: list[object] = []
    for cell in foreign.attribute(function, "__closure__", tuple) or ():
        with suppress(ValueError):  # It is empty.
            held.append(cell.cell_contents)
    return held


def layers(function: object) -> Iterator[object]:
    """Yield a callable, and what it wraps: some make another one each time that they are asked."""
    seen: dict[int, object] = {}  # It keeps them, so that none gets the id of another one.
    left = [function]
    while left and len(seen) < _DEEPEST:
        layer = left.pop()
        if layer is None or id(layer) in seen:
            continue
        seen[id(layer)] = layer
        yield layer
        left += _wrapped_by(layer)


def _wrapped_by(layer: object) -> Iterator[object]:
    kind = type(layer)
    if foreign.is_a(layer, functools.partial):
        yield layer.func
    else:
        yield foreign.attribute(layer, "__wrapped__", object)
        yield foreign.attribute(layer, "__func__", object)
    if not foreign.holds(inspect.isroutine, layer):
        yield foreign.attribute(kind, "__call__", object)


_DEEPEST: Final = 100
"""How many layers are looked at of a callable that wraps others."""


def returns_nothing(function: Callable[..., Any]) -> bool:
    """Return whether a function can return only None, as one whose `return` was forgotten."""
    return all(
        _has_none(instruction, "RETURN_CONST")
        # What jumps there may come from where there is another value.
        or (_has_none(before, "LOAD_CONST") and not instruction.is_jump_target)
        for before, instruction in itertools.pairwise(dis.get_instructions(function))
        if instruction.opname in ("RETURN_CONST", "RETURN_VALUE")
    )


def _has_none(instruction: dis.Instruction, name: str) -> bool:
    return instruction.opname == name and instruction.argval is None
