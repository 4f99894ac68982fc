"""What runs any event loop, and what ends all that is on it, whoever has opened it."""

from __future__ import annotations

import asyncio
import threading
import types
from asyncio import AbstractEventLoop, Future, Task, all_tasks, current_task, wait
from collections.abc import Awaitable, Generator
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any, Final, TypeVar

from pytest_asyncio.support import asyncio_private, await_chains
from pytest_asyncio.support.real_time import RealTime

T = TypeVar("T")

GRACE: Final = 10.0
"""Seconds that a cancelled task may take to end before it is cancelled once more."""

LAST_GRACE: Final = 1.0
"""Seconds that it may take after that, before its loop is given up."""

THREADS_GRACE: Final = 60.0
"""Seconds that the threads of the default executor have to end: they cannot be cancelled."""


class Stopped(RuntimeError):
    """A loop was stopped by something that ran on it."""

    def __init__(self) -> None:
        super().__init__("Event loop stopped before Future completed.")


class BrokenOff(asyncio.CancelledError):
    """What blocks a loop is broken off by a time-out, whose report shows it."""

    __module__ = asyncio.CancelledError.__module__


BrokenOff.__name__ = BrokenOff.__qualname__ = asyncio.CancelledError.__name__  # as users know it


class RefusingError(RuntimeError):
    """Tasks did not end when they were cancelled, or threads when they were to."""


def spin(loop: AbstractEventLoop, future: Future[Any], iterations: int | None = None) -> None:
    """Run a loop until a future is done, also where another loop is running in the thread.

    If `iterations` is given, return after so many of the loop, although it may not be done.

    Unlike `run_until_complete()`, it leaves the result, and the traceback of an exception, to
    `future.result()`.
    """
    __tracebackhide__ = True
    is_over = False
    stop_loop = type(loop).stop  # Not what stands in for it, which knows who else stops the loop.

    def stop(_: Future[Any]) -> None:
        if not is_over:  # It may have been broken off before it got here.
            stop_loop(loop)

    def stop_early(again: Any) -> None:  # Its own name in it would make a reference cycle.
        """Spare what never waits another iteration, if there is nothing else to run."""
        nonlocal iterations
        if is_over:
            return
        is_idle = future.done() and asyncio_private.count_ready(loop) == 0
        if is_idle or iterations == 0:
            stop_loop(loop)
        elif iterations is None or future.done():
            future.add_done_callback(stop)
        else:
            iterations -= 1
            loop.call_soon(again, again)

    loop.call_soon(stop_early, stop_early)
    outer = asyncio_private.running_loop()
    try:
        if outer is None:
            loop.run_forever()
        else:
            with asyncio_private.running_loop_hidden(outer):
                loop.run_forever()
    finally:
        is_over = True
    if not future.done() and iterations != 0:
        raise Stopped


@types.coroutine
def next_iteration() -> Generator[None]:
    """Wait for the next iteration of the loop, as `asyncio.sleep(0)` does, which tests replace."""
    yield


def run_once(loop: AbstractEventLoop) -> None:
    """Run a loop for a single iteration: what is ready, and what news its selector has by now."""
    __tracebackhide__ = True
    type(loop).stop(loop)  # Before it runs, this is the way to have it run so.
    outer = asyncio_private.running_loop()
    with nullcontext() if outer is None else asyncio_private.running_loop_hidden(outer):
        loop.run_forever()


def is_outcome_of(task: Task[Any], error: BaseException) -> bool:
    """Return whether an error is what a task has raised."""
    return task.done() and not task.cancelled() and task.exception() is error


async def wait_for(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def cancel(tasks: set[Task[Any]]) -> set[Task[Any]]:
    """Cancel tasks and let them end; return those that refuse to."""
    for seconds in (GRACE, LAST_GRACE):
        for task in tasks:
            task.cancel()
        if tasks:
            _, tasks = await wait(tasks, timeout=seconds)
    return tasks


async def end_everything(
    loop: AbstractEventLoop, spared: AbstractSet[Task[Any]]
) -> list[Exception]:
    """Cancel what is left on the running loop and shut the rest down; return what went wrong."""
    errors: list[Exception] = []
    end_tasks = partial(_end_tasks, spared)
    for end in (end_tasks, loop.shutdown_asyncgens, _end_executor):
        try:
            await end()
        except Exception as error:
            errors.append(error)
    return errors


async def _end_tasks(spared: AbstractSet[Task[Any]]) -> None:
    loop = asyncio.get_running_loop()
    tasks = all_tasks(loop) - {current_task(loop)} - spared
    refusing = await cancel(tasks)
    for task in tasks - refusing:
        report_error(task, "unhandled exception while the event loop was closed")
    if refusing:
        asyncio_private.leave_unfinished(refusing)
        names = ", ".join(sorted(map(await_chains.described, refusing)))
        for task in refusing:  # Nothing is to wait for them again.
            asyncio_private.leave_out(task)
        raise RefusingError(
            f"These tasks did not end when they were cancelled: {names}. "
            f"They were given {GRACE + LAST_GRACE:g} s. "
            "--asyncio-checks=leaked-tasks says which test or fixture has made them, and where."
        )


async def _end_executor() -> None:
    """Shut the default executor down; asyncio would wait minutes for its threads, or for ever."""
    loop = asyncio.get_running_loop()
    threads = asyncio_private.shutdown_executor(loop)
    if threads and (left := await _joined(threads)):
        loop.set_default_executor(ThreadPoolExecutor())  # Which has no threads to wait for.
        names = ", ".join(map(await_chains.described_thread, left))
        raise RefusingError(
            f"These threads of the default executor have not ended within {THREADS_GRACE:g} s: "
            f"{names}. Let what they run return: Python waits for them before it ends."
        )
    await loop.shutdown_default_executor()


async def _joined(threads: list[threading.Thread]) -> list[threading.Thread]:
    """Wait for threads to end, in seconds of the real clock; return those that do not."""
    loop = asyncio.get_running_loop()
    joined = loop.create_future()
    deadline = RealTime.monotonic() + THREADS_GRACE

    def join() -> None:
        for thread in threads:
            thread.join(max(0.0, deadline - RealTime.monotonic()))
        with suppress(RuntimeError):  # Ctrl-C has closed the loop.
            loop.call_soon_threadsafe(joined.set_result, None)

    joining = threading.Thread(target=join, daemon=True)
    joining.start()
    await joined
    joining.join()  # Else it may be seen, though it has only to end.
    return [thread for thread in threads if thread.is_alive()]


def report_error(task: Task[Any], message: str) -> None:
    """Have the loop report what a task that was cancelled has raised instead."""
    if not task.cancelled() and (error := task.exception()) is not None:
        context = {"message": message, "exception": error, "task": task}
        task.get_loop().call_exception_handler(context)
