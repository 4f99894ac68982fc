"""Finds the smallest suite that shows what a larger one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")


def shrunk(value: T, still_shows: Callable[[T], bool]) -> T:
    """Return a value from which nothing can be taken away, and no part of which can be simpler."""
    while (smaller := _shrunk(value, still_shows)) != value:
        value = smaller
    return value


def _shrunk(value: Any, still_shows: Callable[[Any], bool]) -> Any:
    if isinstance(value, tuple):
        return _shrunk_tuple(value, still_shows)
    return _shrunk_fields(value, still_shows) if is_dataclass(value) else value


def _shrunk_tuple(value: tuple[Any, ...], still_shows: Callable[[Any], bool]) -> tuple[Any, ...]:
    for index in reversed(range(len(value))):
        without = value[:index] + value[index + 1 :]
        if still_shows(without):
            value = without
    for index in range(len(value)):
        before, after = value[:index], value[index + 1 :]
        part = _shrunk(value[index], lambda part, b=before, a=after: still_shows((*b, part, *a)))
        value = *before, part, *after
    return value


def _shrunk_fields(value: Any, still_shows: Callable[[Any], bool]) -> Any:
    """Simplify field by field: the simplest value of each is its default."""
    for field in fields(value):
        name = field.name
        simplest = replace(value, **{name: field.default})
        if simplest != value and still_shows(simplest):
            value = simplest
            continue
        part = _shrunk(
            getattr(value, name), lambda part, v=value, n=name: still_shows(replace(v, **{n: part}))
        )
        value = replace(value, **{name: part})
    return value
