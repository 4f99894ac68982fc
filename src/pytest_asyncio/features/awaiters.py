"""Which tasks await which others."""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final, final

from pytest_asyncio.support import asyncio_private
from pytest_asyncio.support.foreign import attribute, is_a


@final
class Waiting:
    """Which of some tasks await which others of them."""

    def __init__(self, tasks: set[Task[Any]]) -> None:
        by_callbacks = _ByCallbacks(tasks)
        self.awaiters: Final = {task: by_callbacks.awaiters_of(task) & tasks for task in tasks}

    def has_part(self, task: Task[Any]) -> bool:
        """Tell whether a task awaits another one, or is awaited."""
        return bool(self.awaiters[task]) or any(task in them for them in self.awaiters.values())


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
            woken.add(vars(group)["_parent_task"])
        for held in _futures_of(callback):
            _add_woken_by(held, woken)


def _futures_of(callback: Any) -> Iterator[Future[Any]]:
    """Yield what a callback acts on: those of `gather()`, `wait()` and `shield()` are closures."""
    held: list[Any] = []
    for cell in attribute(callback, "__closure__", tuple) or ():
        with suppress(ValueError):  # It is empty.
            held.append(cell.cell_contents)
    if is_a(callback, partial):  # that of wait_for()
        held += callback.args
    yield from (each for each in held if is_a(each, Future))
