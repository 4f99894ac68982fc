"""Which tasks wait for which others: they await them, or want a lock that they hold."""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, final

from pytest_asyncio.support import asyncio_private
from pytest_asyncio.support.callables import closure_of
from pytest_asyncio.support.foreign import attribute, is_a

from . import locks


@final
class Waiting:
    """Which of some tasks wait for which others of them."""

    def __init__(self, tasks: Sequence[Task[Any]]) -> None:
        by_callbacks = _ByCallbacks(tasks)
        self.awaiters: Final = {task: by_callbacks.awaiters_of(task) & {*tasks} for task in tasks}
        self.locks: Final = {task: lock for task in tasks if (lock := locks.awaited_by(task))}
        """What those wait for that want to acquire it."""
        self.holders: Final = {
            task: locks.holders(lock, tasks) for task, lock in self.locks.items()
        }
        self.acquirers: Final = {
            task: locks.acquirers(lock, tasks)
            for task, lock in self.locks.items()
            if not self.holders[task]
        }
        """Those that seem to hold it, where none is known to."""

    def has_part(self, task: Task[Any]) -> bool:
        """Return whether a task waits for another one, or the other way round."""
        waiting = (
            *self.awaiters.values(),
            *self.holders.values(),
            *self.acquirers.values(),
        )
        return bool(self.awaiters[task]) or any(task in them for them in waiting)

    def deadlock(self) -> list[Task[Any]]:
        """Return tasks each of which waits for the next one, and the last for the first, if any."""
        after = {
            task: [*(other for other in self.awaiters if task in self.awaiters[other]), *holders]
            for task in self.awaiters
            for holders in (self.holders.get(task) or self.acquirers.get(task) or [],)
        }
        for task in after:
            if path := _way_back(task, task, after, set()):
                return path
        return []


def _way_back(
    start: Task[Any],
    task: Task[Any],
    after: dict[Task[Any], list[Task[Any]]],
    seen: set[Task[Any]],
) -> list[Task[Any]]:
    for following in after[task]:
        if following is start:
            return [task]
        if following not in seen:
            seen.add(following)
            if path := _way_back(start, following, after, seen):
                return [task, *path]
    return []


class _ByCallbacks:
    def __init__(self, tasks: Iterable[Task[Any]]) -> None:
        self._waiting = {asyncio_private.future_of(task): task for task in tasks}

    def awaiters_of(self, task: Task[Any]) -> set[Future[Any]]:
        known = asyncio_private.awaiters_of(task)
        if known is not None:  # pragma: no cover  # from Python 3.14 on
            return known
        woken: set[Future[Any]] = set()
        _add_woken_by(task, woken)
        return {self._waiting.get(future, future) for future in woken} - {task}


def _add_woken_by(future: Future[Any], woken: set[Future[Any]]) -> None:
    """Add a future, and those that its callbacks are to wake when it is done."""
    if future in woken:
        return
    woken.add(future)
    for callback in asyncio_private.callbacks_of(future):
        group: asyncio.TaskGroup | None = attribute(callback, "__self__", asyncio.TaskGroup)
        if group is not None:
            woken.add(asyncio_private.parent_of(group))
        for held in _futures_of(callback):
            _add_woken_by(held, woken)


def _futures_of(callback: Any) -> Iterator[Future[Any]]:
    """Yield what a callback acts on: those of `gather()`, `wait()` and `shield()` are closures."""
    held = closure_of(callback)
    if is_a(callback, partial):  # that of wait_for()
        held += callback.args
    yield from (each for each in held if is_a(each, Future))
