"""Threads that work for tasks, by `asyncio.to_thread()` or an executor."""

from __future__ import annotations

import concurrent.futures
import threading
from asyncio import Task
from collections.abc import Iterator
from concurrent.futures import thread
from types import FrameType
from typing import Any, Final, cast

from pytest_asyncio.support import asyncio_private, frames
from pytest_asyncio.support.await_chains import Step, steps_outwards
from pytest_asyncio.support.callables import closure_of

_THREAD: Final[Any] = thread
_WORK: Final[object] = _THREAD._WorkItem.run.__code__
"""What a thread of an executor is in while it does its work. No public way leads to that."""


def of_task(task: Task[Any]) -> tuple[threading.Thread, list[Step]] | None:
    """Return the thread whose work a task waits for, and where it is."""
    waited_for = asyncio_private.future_of(task)
    if waited_for is None:
        return None
    works = [
        future
        for callback in asyncio_private.callbacks_of(waited_for)
        for future in _works_of(callback)
    ]
    for one in threading.enumerate():
        steps = steps_outwards(frames.innermost(one.ident or 0))
        for index, step in enumerate(steps):
            if _work_in(step.frame) in works:
                return one, [it for it in steps[:index][::-1] if not _is_executors(it.frame)]
    return None


def _works_of(callback: Any) -> Iterator[object]:
    """Yield the future of an executor that a callback, which is to cancel it, has hold of."""
    for held in closure_of(callback):
        if isinstance(held, concurrent.futures.Future):
            yield cast("object", held)


def _is_executors(frame: FrameType) -> bool:
    """Return whether a frame runs code of executors, which does the work by more than one call."""
    return frames.module_of(frame) == thread.__name__


def _work_in(frame: FrameType) -> object:
    """Return the future of the work that a frame of an executor does: it says so nowhere else."""
    return frame.f_locals["self"].future if frame.f_code is _WORK else None
