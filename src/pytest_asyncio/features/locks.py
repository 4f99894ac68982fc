"""Locks: which one a task waits for, and which tasks hold it. asyncio does not say."""

from __future__ import annotations

import asyncio
import gc
from asyncio import Task
from collections.abc import Iterable, Iterator
from itertools import pairwise
from types import FunctionType
from typing import Any, Final

from pytest_asyncio.support import asyncio_private
from pytest_asyncio.support.await_chains import awaitables_of, frame_of
from pytest_asyncio.support.foreign import attribute

from .acquired import acquired_by

_ACQUIRE: Final = {
    asyncio.Lock.acquire.__code__,
    asyncio.Semaphore.acquire.__code__,
}
_LEAVE: Final = "__aexit__"


def awaited_by(task: Task[Any]) -> object | None:
    """Return the lock or semaphore that a task waits for, if it does."""
    frames = (frame_of(awaitable) for awaitable in awaitables_of(task))
    found = (frame.f_locals["self"] for frame in frames if frame and frame.f_code in _ACQUIRE)
    return next(found, None)


def holders(lock: object, tasks: Iterable[Task[Any]]) -> list[Task[Any]]:
    """Return the tasks that are within an `async with` block of a lock."""
    return [task for task in tasks if lock in _held_by(task)]


def acquirers(lock: object, tasks: Iterable[Task[Any]]) -> list[Task[Any]]:
    """Return the tasks that seem to hold a lock because their code has called `acquire()`."""
    return [task for task in tasks if lock in acquired_by(task, awaited_by(task))]


def _held_by(task: Task[Any]) -> list[object]:
    """Return the locks in whose blocks a task is: what a coroutine is to leave is on its stack."""
    held: list[object] = []
    for awaitable in awaitables_of(task):
        entered = [_lock_of(manager) for manager in _to_leave(awaitable)]
        awaited = frame_of(attribute(awaitable, "cr_await", object))
        if entered and awaited is not None and awaited.f_code.co_name == "__aenter__":
            del entered[-1]  # It is still on its way in.
        held += entered
    return held


def _to_leave(awaitable: Any) -> Iterator[Any]:
    """Yield what the `async with` blocks are of in which a coroutine stands, outermost first."""
    referents = gc.get_referents(awaitable)
    for referent in referents:
        manager = attribute(referent, "__self__", object)
        if manager is not None and attribute(referent, "__name__", str) == _LEAVE:
            yield manager
    for first, second in pairwise(referents):  # from Python 3.14 on
        if isinstance(first, FunctionType) and first.__name__ == _LEAVE:
            yield second  # pragma: no cover


def _lock_of(manager: Any) -> object:
    """Return the lock of a condition, which is what others wait for, or the manager itself."""
    is_condition = isinstance(manager, asyncio.Condition)
    return asyncio_private.lock_of(manager) if is_condition else manager
