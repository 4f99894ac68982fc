"""What is left to wake the tasks of a loop that waits: reports say so where nothing is."""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop, BaseEventLoop, Task
from typing import Any, Final

from pytest_asyncio.collect import own_loops
from pytest_asyncio.support import asyncio_private, await_chains, frames
from pytest_asyncio.support.real_time import RealTime

from . import worker_threads

_NOTHING: Final = "No timer, connection or thread is left to wake these tasks."
OVERLOOKED: Final = (
    "A thread has called something, such as Event.set(), that does not wake the loop:",
    "let it call that by loop.call_soon_threadsafe().",
)
_LOOKS: Final = 5
_BETWEEN_LOOKS: Final = 0.01
"""Seconds between two looks at a loop that may be about to see what is ready."""


def said_of(loop: AbstractEventLoop, interruption: BaseException | None) -> tuple[str, ...]:
    """Say why tasks of a loop will wait for ever, all of which wait, where that can be known.

    `interruption` is what has just left the loop.
    """
    was_waiting = _is_waiting() if interruption is None else frames.has_left_a_wait(interruption)
    if was_waiting and asyncio_private.count_ready(loop):
        return OVERLOOKED
    return () if _may_wake_tasks(loop) else (_NOTHING,)


def said_of_ended(task: Task[Any], interruption: BaseException | None) -> tuple[str, ...]:
    """Say so where a task has ended only because a signal has woken its loop, as a thread has not.

    Loops of asyncio's own show what is ready before it runs, and are not woken by that.
    """
    loop = task.get_loop()
    is_shown = isinstance(loop, BaseEventLoop) or interruption is None
    if is_shown or not task.done() or await_chains.running_on(loop, interruption) is not None:
        return ()
    return OVERLOOKED


def has_overlooked(loop: AbstractEventLoop) -> bool:
    """Return whether a loop goes on to wait although something is ready. Asked by another thread.

    What wakes a loop as it should is ready too, until that has its turn.
    """
    for _ in range(_LOOKS):
        if not (asyncio_private.count_ready(loop) and _is_waiting()):
            return False
        RealTime.sleep(_BETWEEN_LOOKS)
    return True


def _is_waiting() -> bool:
    return any(map(frames.waits_for_news, frames.all_innermost()))


def _may_wake_tasks(loop: AbstractEventLoop) -> bool:
    if not isinstance(loop, BaseEventLoop) or own_loops.has_own_clock(type(loop)):
        return True  # It does not show what it waits for, or sees to that by its clock.
    has_timers = not all(timer.cancelled() for timer in asyncio_private.timers_of(loop))
    others = {*threading.enumerate()} - {threading.current_thread(), threading.main_thread()}
    return (
        has_timers
        or asyncio_private.listens(loop)
        or not all(map(worker_threads.has_nothing_to_do, others))
    )
