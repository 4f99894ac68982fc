"""`await pytest_asyncio.idle()`: let all that can run now run, until it waits."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Task
from types import CodeType
from typing import Any, Final

from pytest_asyncio.engine import event_loop
from pytest_asyncio.support import asyncio_private, await_chains
from pytest_asyncio.support.foreign import attribute
from pytest_asyncio.support.real_time import RealTime

TIMEOUT: Final = 5.0
"""Seconds of the real clock after which a loop that is still busy is a failure."""

_ITERATIONS: Final = 3
"""How many iterations of the loop in a row have to be quiet: in each one it also looks for I/O."""

_MORE_ITERATIONS: Final = 10
"""The same for loops that do not show which callbacks are ready, as uvloop."""


async def idle() -> None:
    """Return when every other task of the running event loop waits, and no callback is ready.

    It takes the place of an `asyncio.sleep(0.1)` that gives background tasks time to do what they
    can:

        task = asyncio.create_task(worker(queue))
        queue.put_nowait("job")
        await pytest_asyncio.idle()
        assert done == ["job"]

    A task waits if only something else can wake it: another task, a timer, I/O, a thread, a
    subprocess. What has already arrived from outside is seen to first, and what is yet to arrive is
    not waited for. Under a virtual clock, no time passes.

    Raises `TimeoutError`, which names the tasks that never wait, after five seconds of the real
    clock.
    """
    __tracebackhide__ = True
    loop = asyncio.get_running_loop()
    deadline = RealTime.monotonic() + TIMEOUT
    is_shown = asyncio_private.count_ready(loop) is not None
    iterations = _ITERATIONS if is_shown else _MORE_ITERATIONS
    quiet = 0
    while quiet < iterations:
        await event_loop.next_iteration()
        quiet = 0 if _busy(loop) or _has_callbacks(loop) else quiet + 1
        if not quiet and RealTime.monotonic() > deadline:
            raise TimeoutError(_explain(loop))


def _busy(loop: AbstractEventLoop) -> list[Task[Any]]:
    """Return the other tasks that are ready to run, without those that wait for this as well."""
    others = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    return [task for task in others if not (_waits(task) or _is_in_idle(task))]


def _waits(task: Task[Any]) -> bool:
    future = asyncio_private.future_of(task)
    return future is not None and not future.done()


def _is_in_idle(task: Task[Any]) -> bool:
    awaitables = await_chains.awaitables_of(task)
    return any(attribute(it, "cr_code", CodeType) is idle.__code__ for it in awaitables)


def _has_callbacks(loop: AbstractEventLoop) -> bool:
    """Return whether more is ready than the tasks that wait for this too, if the loop shows it."""
    return (asyncio_private.count_ready(loop) or 0) > sum(map(_is_in_idle, asyncio.all_tasks(loop)))


def _explain(loop: AbstractEventLoop) -> str:
    busy = sorted(map(await_chains.described, _busy(loop)))
    what = f"these tasks never wait: {', '.join(busy)}" if busy else "callbacks are ready"
    return f"The event loop was not idle within {TIMEOUT:g} s: {what}."
