"""Uses of asyncio's private API, each with its reason, so that a new Python breaks one file."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import gc
import sys
from asyncio import AbstractEventLoop, BaseEventLoop, Future, Handle, Task
from collections import deque
from collections.abc import Coroutine, Iterable
from typing import Any


def hidden_task(
    coroutine: Coroutine[Any, Any, Any], loop: AbstractEventLoop, name: str
) -> Task[Any]:
    """Make a task that `asyncio.all_tasks()` does not show: tests count, await and cancel theirs.

    Whatever task factory the loop has.
    """
    task = asyncio.Task(coroutine, loop=loop, name=name)
    asyncio.tasks._unregister_task(task)
    return task


def future_of(task: Task[Any]) -> Future[Any] | None:
    """Return the future that a task waits for, to which no public way leads."""
    return getattr(task, "_fut_waiter", None)


def callbacks_of(future: Future[Any]) -> list[Any]:
    """Return what is to be called when a future is done: asyncio does not tell who awaits it."""
    return [callback for callback, _ in getattr(future, "_callbacks", None) or ()]


def awaiters_of(task: Task[Any]) -> set[Future[Any]] | None:
    """Return the futures that await a task, where asyncio knows; before Python 3.14 it does not.

    This is what `capture_call_graph()` reads, which never ends where tasks await each other.
    """
    if sys.version_info < (3, 14):
        return None
    return set(getattr(task, "_asyncio_awaited_by", None) or ())


def error_of(task: Task[Any]) -> BaseException | None:
    """Return what a task has raised. To ask `task.exception()` would count as retrieving it."""
    error: BaseException | None = getattr(task, "_exception", None)
    return error


def is_retrieved(task: Task[Any]) -> bool:
    """Tell whether somebody has asked for what a task has raised."""
    return not getattr(task, "_log_traceback", False)


def ended_tasks() -> list[Task[Any]]:
    """Return the tasks that have ended and are not freed: `asyncio.all_tasks()` leaves them out."""
    return [task for task in _known_tasks() if task.done()]


def allow_more(loop: AbstractEventLoop) -> None:
    """Let a loop that was shut down, and is not closed yet, be used as before.

    It would refuse an executor, and warn of async generators. Only asyncio's own loops can be asked
    not to.
    """
    if isinstance(loop, asyncio.BaseEventLoop):
        state: Any = loop
        state._asyncgens_shutdown_called = False
        state._executor_shutdown_called = False
        state._default_executor = None


def _known_tasks() -> Iterable[Task[Any]]:
    if sys.version_info < (3, 12):
        return tuple(asyncio.tasks._all_tasks)  # type: ignore[attr-defined]
    # Later ones keep no account of those that have ended, or were started eagerly.
    return [it for it in gc.get_objects() if issubclass(type(it), Task)]


def task_of_step(handle: Handle) -> Task[Any] | None:
    """Return the task whose next step a handle takes, if it does so.

    That is a callback like any other, which has no public name.
    """
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task: Task[Any] | None = getattr(callback, "__self__", None)
    is_step = getattr(callback, "__name__", "__step").startswith(("_", "task_"))
    return task if is_step and issubclass(type(task), Task) else None


def ready_of(loop: BaseEventLoop) -> deque[Handle]:
    """Return what a loop is to call in its next turn, which nothing else can put off."""
    state: Any = loop
    ready: deque[Handle] = state._ready
    return ready


def selector_of(loop: AbstractEventLoop) -> int | None:
    """Return the descriptor by which to wait for what a loop's selector waits for.

    Loops have no public way to be waited for from outside. None where a loop is not asyncio's
    own, does its own timekeeping, or has a selector without a descriptor.
    """
    if type(loop).time is not BaseEventLoop.time or type(loop)._run_once is not _RUN_ONCE:  # type: ignore[attr-defined]
        return None
    fileno = getattr(getattr(loop, "_selector", None), "fileno", None)
    return None if fileno is None else fileno()


_RUN_ONCE: Any = BaseEventLoop._run_once  # type: ignore[attr-defined]


def seconds_until_due(loop: AbstractEventLoop) -> float:
    """Return in how many seconds a loop of asyncio's own has to run a callback, without news."""
    state: Any = loop
    if state._ready:
        return 0.0
    if not state._scheduled:
        return float("inf")
    seconds: float = state._scheduled[0].when() - loop.time()
    return max(0.0, seconds)
