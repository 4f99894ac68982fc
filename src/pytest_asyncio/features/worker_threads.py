"""Threads that work for tasks, by `asyncio.to_thread()` or an executor."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from asyncio import AbstractEventLoop, Task
from collections.abc import Iterable, Iterator
from concurrent.futures import thread
from types import FrameType
from typing import Any, Final

from pytest_asyncio.support import asyncio_private, frames
from pytest_asyncio.support.await_chains import Step, chain_of_thread, lines_of, steps_outwards
from pytest_asyncio.support.callables import closure_of
from pytest_asyncio.support.foreign import is_a

_THREAD: Final[Any] = thread
_WORK: Final[object] = _THREAD._WorkItem.run.__code__
"""What a thread of an executor is in while it does its work. No public way leads to that."""
_IDLE: Final[object] = _THREAD._worker.__code__
"""What it is in while it has none."""


def of_task(task: Task[Any]) -> tuple[threading.Thread, list[Step]] | None:
    """Return the thread whose work a task waits for, and where it is."""
    works = _works_of(task)
    for one in threading.enumerate():
        steps = steps_outwards(frames.innermost(one.ident or 0))
        for index, step in enumerate(steps):
            if _work_in(step.frame) in works:
                return one, [it for it in steps[:index][::-1] if not _is_executors(it.frame)]
    return None


def waits_for_one(task: Task[Any]) -> bool:
    """Return whether the work that a task waits for has not begun: no thread is free."""
    return any(not work.running() and not work.done() for work in _works_of(task))


def has_nothing_to_do(one: threading.Thread) -> bool:
    """Return whether a thread of an executor is idle, or a thread is one of the test runner."""
    steps = steps_outwards(frames.innermost(one.ident or 0))
    is_idle = not steps or steps[0].frame.f_code is _IDLE
    return is_idle or any(frames.is_runners(step.frame) for step in steps)


def others(loops: Iterable[AbstractEventLoop]) -> Iterator[str]:
    """Yield where threads are that run code of the suite, and that no task of the loops shows.

    Tests may wait for these.
    """
    tasks = (task for loop in loops for task in asyncio.all_tasks(loop))
    shown = {found[0] for task in tasks if (found := of_task(task))}
    for one in threading.enumerate():
        chain = chain_of_thread(one)
        if chain and one not in {threading.main_thread(), *shown}:
            yield f"\nThread {one.name!r}:"
            yield from (f"    {line}" for line in lines_of(chain, waits=False))


def _works_of(task: Task[Any]) -> list[concurrent.futures.Future[Any]]:
    """Return the futures of executors that the callbacks have hold of which are to cancel them."""
    waited_for = asyncio_private.future_of(task)
    callbacks = [] if waited_for is None else asyncio_private.callbacks_of(waited_for)
    return [
        held
        for callback in callbacks
        for held in closure_of(callback)
        if is_a(held, concurrent.futures.Future)
    ]


def _is_executors(frame: FrameType) -> bool:
    """Return whether a frame runs code of executors, which does the work by more than one call."""
    return frames.module_of(frame) == thread.__name__


def _work_in(frame: FrameType) -> object:
    """Return the future of the work that a frame of an executor does: it says so nowhere else."""
    return frame.f_locals["self"].future if frame.f_code is _WORK else None
