"""Which locks code has acquired by calling `acquire()`, read off how far it has come."""

from __future__ import annotations

import dis
import inspect
from asyncio import Task
from collections.abc import Iterator
from itertools import takewhile
from types import FrameType
from typing import Any

from pytest_asyncio.support.await_chains import awaitables_of, frame_of
from pytest_asyncio.support.foreign import is_a


def acquired_by(task: Task[Any], awaited: object) -> list[object]:
    """Return what the code of a task has called `acquire()` on, and not `release()` since.

    `awaited` is what it waits to acquire at the moment.
    """
    found = [
        _value(path, frame)
        for awaitable in awaitables_of(task)
        if (frame := frame_of(awaitable)) is not None
        for path in _acquired_in(frame)
    ]
    if awaited is not None and awaited in found:
        found.remove(awaited)
    return found


def _acquired_in(frame: FrameType) -> list[tuple[str, ...]]:
    """Return the expressions, as names joined by dots, of what has been acquired up to a line."""
    acquired: list[tuple[str, ...]] = []
    for path, method in _method_calls(frame):
        if method == "acquire":
            acquired.append(path)
        elif method == "release" and path in acquired:
            acquired.remove(path)
    return acquired


def _method_calls(frame: FrameType) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the attributes that code has read of what names stand for, and those names."""
    path: tuple[str, ...] = ()
    instructions = dis.get_instructions(frame.f_code)
    for instruction in takewhile(lambda it: it.offset < frame.f_lasti, instructions):
        name: Any = instruction.argval
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and path:
            yield path, str(name)
            path = (*path, str(name))
        elif instruction.opname.startswith(_LOADS_NAME):
            # Python 3.13 and newer load two at once.
            path = (str(name[-1] if is_a(name, tuple) else name),)
        else:
            path = ()


_LOADS_NAME = ("LOAD_FAST", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_NAME")


def _value(path: tuple[str, ...], frame: FrameType) -> object:
    """Return what an expression stands for, without running code of the user's."""
    name, *attributes = path
    value: object = frame.f_locals.get(name, frame.f_globals.get(name))
    for name in attributes:
        value = inspect.getattr_static(value, name, None)
    return value
