"""Uses of asyncio's private API, each with its reason, so that a new Python breaks one file."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import gc
import sys
from asyncio import AbstractEventLoop, BaseEventLoop, Future, Handle, Task, TimerHandle
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Generator, Iterable, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from threading import Thread
from traceback import FrameSummary
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple, TypeGuard

from . import frames
from .foreign import attribute, is_a


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
    """Return what is to be called when a future is done: asyncio does not say who awaits it."""
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
    """Return whether somebody has asked for what a task has raised."""
    return not getattr(task, "_log_traceback", False)


def context_of(task: Task[Any]) -> Context | None:
    """Return the context of a task; before Python 3.12 there is no public way to it."""
    if sys.version_info >= (3, 12):
        return task.get_context()
    own: Context | None = getattr(task, "_context", None)  # where tasks are written in Python
    contexts = (it for it in gc.get_referents(task) if isinstance(it, Context))
    return own or next(contexts, None)


def source_of(task: Task[Any]) -> list[FrameSummary]:
    """Return the calls that have created a task, which the debug mode alone keeps, and shows."""
    source: list[FrameSummary] = getattr(task, "_source_traceback", None) or []
    return source


def end_source_at_users(task: Task[Any]) -> None:
    """Let the place where a task was created, as the debug mode knows it, be the user's line.

    asyncio takes away its own lines only, and not those of what is called in its place.
    """
    source = source_of(task)
    while source and not frames.is_users_file(source[-1].filename):
        del source[-1]


def ended_tasks() -> list[Task[Any]]:
    """Return the tasks that have ended and are not freed: `asyncio.all_tasks()` leaves them out."""
    return [task for task in _known_tasks() if task.done()]


def has_nothing_left(loop: AbstractEventLoop) -> bool:
    """Return whether there is nothing to run or to await before a loop is closed.

    Only asyncio's own loops show it. The others are run, and so are those with an end of their own.
    """
    own: Any = BaseEventLoop
    state: Any = loop
    return (
        getattr(loop.shutdown_asyncgens, "__func__", None) is own.shutdown_asyncgens
        and getattr(loop.shutdown_default_executor, "__func__", None)
        is own.shutdown_default_executor
        and not (state._ready or state._scheduled or state._asyncgens or state._default_executor)
        and not tasks_of(loop)
    )


def allow_more(loop: AbstractEventLoop) -> None:
    """Let a loop that was shut down, and is not closed yet, be used as before.

    It would refuse an executor, and warn of async generators. Only asyncio's own loops can be asked
    not to.
    """
    if isinstance(loop, BaseEventLoop):
        state: Any = loop
        state._asyncgens_shutdown_called = False
        state._executor_shutdown_called = False
        state._default_executor = None


_LOCK: Final[Any] = asyncio.Lock
BINDS_TO_LOOP: Final[CodeType] = _LOCK._get_loop.__code__
"""What binds locks, events and queues to the loop on which they are first waited for.

The error about another one names nothing of that, and so has to be asked for what it has seen.
"""


def executor_of(loop: AbstractEventLoop) -> ThreadPoolExecutor | None:
    """Return the default executor of a loop, which is made when it is first used.

    Loops have no public way to it, and uvloop's none but that of the garbage collector.
    """
    held = getattr(loop, "_default_executor", None), *gc.get_referents(loop)
    return next((it for it in held if isinstance(it, ThreadPoolExecutor)), None)


def shutdown_executor(loop: AbstractEventLoop) -> list[Thread]:
    """Tell the default executor of a loop to end, and return its threads that do not at once."""
    executor = executor_of(loop)
    if executor is not None:
        executor.shutdown(wait=False)
    return [thread for thread in threads_of(loop) if thread.is_alive()]


def tasks_of(loop: AbstractEventLoop) -> set[Task[Any]]:
    """Return the tasks of a loop that stands still.

    `asyncio.all_tasks()` looks at those of all loops, which costs as much where there are none.
    """
    if sys.version_info < (3, 14) and not _REFERENCES:
        return set()
    return asyncio.all_tasks(loop)


if sys.version_info < (3, 14):
    _REFERENCES: Final[set[Any]] = getattr(
        asyncio.tasks, "_all_tasks" if sys.version_info < (3, 12) else "_scheduled_tasks"
    ).data
    """Those to all tasks. Later ones keep them elsewhere."""


def _known_tasks() -> Iterable[Task[Any]]:
    if sys.version_info < (3, 14):
        references = tuple(_REFERENCES)  # While another thread adds to them.
        return [task for reference in references if (task := reference()) is not None]
    # Later ones keep no account of those that have ended.
    return [it for it in gc.get_objects() if issubclass(type(it), Task)]  # pragma: no cover


CALL: Final = Handle._run.__code__
"""The code in which a loop calls any callback: its frame is where the loop ends."""


def context_of_callback(handle: object) -> Context | None:
    """Return the context of a callback: no public way leads there, and to uvloop's no private."""
    context: Context | None = attribute(handle, "_context", Context)
    return context or next((it for it in gc.get_referents(handle) if is_a(it, Context)), None)


def callback_in(frame: FrameType | None) -> object:
    """Return the innermost callback that a loop calls, from a frame outwards; with uvloop none."""
    while frame is not None and frame.f_code is not CALL:
        frame = frame.f_back
    return None if frame is None else frame.f_locals["self"]


def loop_of_callback(handle: object) -> AbstractEventLoop | None:
    """Return the loop that calls a callback, to which no public way leads."""
    loop: AbstractEventLoop | None = attribute(handle, "_loop", AbstractEventLoop)
    return loop


def task_of_step(handle: Handle) -> Task[Any] | None:
    """Return the task whose next step a handle takes, if it does so.

    That is a callback like any other, which has no public name.
    """
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task: Task[Any] | None = attribute(callback, "__self__", Task)
    name = attribute(callback, "__name__", str) or "__step"
    return task if name.startswith(("_", "task_")) else None


def ready_of(loop: BaseEventLoop) -> deque[Handle]:
    """Return what a loop is to call in its next iteration, which nothing else can put off."""
    state: Any = loop
    ready: deque[Handle] = state._ready
    return ready


def count_ready(loop: AbstractEventLoop) -> int | None:
    """Return how many callbacks are ready on a loop, which uvloop and its like do not show."""
    ready: Sized | None = getattr(loop, "_ready", None)
    return None if ready is None else len(ready)


def timers_of(loop: BaseEventLoop) -> list[TimerHandle]:
    """Return the timers of a loop, the next to be due first: what its clock may jump to."""
    state: Any = loop
    timers: list[TimerHandle] = state._scheduled
    return timers


def iterates_as_asyncio(loop: object) -> bool:
    """Return whether a loop waits in one place, the `select()` of what `selector_of()` returns."""
    return getattr(type(loop), "_run_once", None) is _RUN_ONCE


def keeps_asyncios_time(loop: object) -> TypeGuard[BaseEventLoop]:
    """Return whether a loop waits as asyncio's own do, and until when."""
    return iterates_as_asyncio(loop) and type(loop).time is BaseEventLoop.time  # type: ignore[attr-defined]


_RUN_ONCE: Final[Any] = vars(BaseEventLoop)["_run_once"]


def selector_of(loop: AbstractEventLoop) -> Any:
    """Return the selector, or the proactor, in which a loop waits; None of one that is uvloop's.

    Nothing public lets anybody see how long a loop waits, or have it wait otherwise.
    """
    return getattr(loop, "_selector", None)


def descriptor_of(loop: AbstractEventLoop) -> int | None:
    """Return the descriptor by which to wait for what a loop's selector waits for.

    Loops have no public way to be waited for from outside. None where a loop does not wait as
    asyncio's own do, or has a selector without a descriptor.
    """
    fileno = getattr(selector_of(loop), "fileno", None) if keeps_asyncios_time(loop) else None
    return None if fileno is None else fileno()


def listens(loop: AbstractEventLoop) -> bool:
    """Return whether a loop listens to anything but calls from other threads, if it shows that."""
    state: Any = loop
    selector = selector_of(loop)
    if selector is None:
        return False
    # A proactor keeps account of what it has begun.
    listening = selector.get_map() if hasattr(selector, "get_map") else selector._cache
    return len(listening) > state._internal_fds or bool(getattr(loop, "_signal_handlers", None))


def set_resolution(loop: BaseEventLoop, seconds: float) -> None:
    """Set within which time a loop takes timers for due, which goes by the real clock else."""
    state: Any = loop
    state._clock_resolution = seconds


def threads_of(loop: AbstractEventLoop) -> Collection[Thread]:
    """Return the threads of a loop's default executor, which it tells nobody of."""
    return getattr(executor_of(loop), "_threads", ())


def is_waited_for(process: Any) -> bool:
    """Return whether a subprocess runs and somebody waits for its end or its output."""
    if process.get_returncode() is not None:
        return False
    protocol = process.get_protocol()
    if not isinstance(protocol, asyncio.subprocess.SubprocessStreamProtocol):
        return True  # Nobody can know.
    streams: tuple[Any, ...] = (protocol.stdout, protocol.stderr)
    return bool(process._exit_waiters) or any(stream and stream._waiter for stream in streams)


ON_FIRST_ITERATION: Final = "_asyncgen_firstiter_hook"
"""The attribute that a loop calls with each async generator that begins on it."""


def is_bound(value: object, loop: AbstractEventLoop) -> bool:
    """Return whether something is for use on a loop: what asyncio makes keeps it, to refuse others.

    What is uvloop's does not show which one.
    """
    is_kept = any(attribute(value, name, object) is loop for name in ("_loop", "loop"))
    return is_kept or type(value).__module__.startswith("uvloop")


def parent_of(group: asyncio.TaskGroup) -> Task[Any]:
    """Return the task that a task group is entered by, and that waits for the others."""
    parent: Task[Any] = vars(group)["_parent_task"]
    return parent


def lock_of(condition: asyncio.Condition) -> object:
    """Return the lock of a condition, which is what others wait for."""
    return vars(condition)["_lock"]


def seconds_until_due(loop: AbstractEventLoop) -> float:
    """Return in how many seconds a loop of asyncio's own has to run a callback, without news."""
    state: Any = loop
    if state._ready:
        return 0.0
    if not state._scheduled:
        return float("inf")
    seconds: float = state._scheduled[0].when() - loop.time()
    return max(0.0, seconds)


running_loop: Final = asyncio._get_running_loop
"""Returns the loop that runs in the thread, or None: `get_running_loop()` raises in its place."""


@contextmanager
def running_loop_hidden(outer: AbstractEventLoop) -> Generator[None]:
    """Hide a loop that is running in the thread, and its task, from one that is to run in it.

    asyncio runs one loop in a thread at a time, and has no public way to put one aside.
    """
    task = asyncio.current_task(outer)
    if task is not None:
        asyncio.tasks._leave_task(outer, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(outer)
        if task is not None:
            asyncio.tasks._enter_task(outer, task)


def leave_unfinished(tasks: Iterable[Any]) -> None:
    """Have tasks that are reported to refuse to end not be logged too, with some later test."""
    for task in tasks:
        task._log_destroy_pending = False


def leave_out(task: Task[Any]) -> None:
    """Leave a task out of `asyncio.all_tasks()`, which tests count, await or cancel."""
    asyncio.tasks._unregister_task(task)


def take_in(task: Task[Any]) -> None:
    """Have a task that was left out be one of `asyncio.all_tasks()` again."""
    asyncio.tasks._register_task(task)


def _nothing(*_: object) -> None:
    """Stand for what asyncio has for policies, where there are none."""


# Python 3.14 has deprecated the public names.
policy_in_force: Final[Callable[[], Any]] = (
    getattr(asyncio.events, "_get_event_loop_policy", None)
    or getattr(asyncio, "get_event_loop_policy", None)
    or _nothing
)
"""Returns the event loop policy; from Python 3.16 on there is none."""

put_policy_in_force: Final[Callable[[Any], None]] = (
    getattr(asyncio.events, "_set_event_loop_policy", None)
    or getattr(asyncio, "set_event_loop_policy", None)
    or _nothing
)
"""Sets the event loop policy, where there are policies."""


def accepts_policy(value: object) -> bool:
    """Return whether asyncio would put something in force as a policy, or has no policies."""
    kind = getattr(asyncio.events, "_AbstractEventLoopPolicy", None) or getattr(
        asyncio, "AbstractEventLoopPolicy", None
    )
    return kind is None or isinstance(value, kind)


def default_loop_factory() -> Callable[[], AbstractEventLoop]:
    """Return what makes loops now, whatever policy is set later."""
    maker: Any = policy_in_force() or asyncio
    factory: Callable[[], AbstractEventLoop] = maker.new_event_loop
    return factory


def current_loop() -> AbstractEventLoop | None:
    """Return the loop that synchronous code would find.

    Before Python 3.14 `asyncio.get_event_loop()` would make one where there is none.
    """
    policy = policy_in_force()
    if policy is not None:
        return getattr(getattr(policy, "_local", None), "_loop", None)
    outer = running_loop()
    asyncio._set_running_loop(None)  # It would be found.
    try:
        return asyncio.get_event_loop()
    except RuntimeError:
        return None
    finally:
        asyncio._set_running_loop(outer)


def forget_current_loop() -> None:
    """Let synchronous code find no loop, and a policy close none when it is given the next one."""
    local = getattr(policy_in_force(), "_local", None)
    if local is not None:
        local._loop = None


class CurrentLoop(NamedTuple):
    """What `asyncio.get_event_loop()` finds in a thread, and whether it was ever set there."""

    loop: AbstractEventLoop | None
    was_set: bool

    @classmethod
    def read(cls) -> CurrentLoop:
        local = getattr(policy_in_force(), "_local", None)
        if local is None:
            return cls(current_loop(), was_set=True)
        return cls(getattr(local, "_loop", None), getattr(local, "_set_called", True))

    def put_back(self) -> None:
        """Let synchronous code find what it would have found, or make what it would have made.

        Once a loop is set, asyncio makes none any more, and no public way leads back.
        """
        asyncio.set_event_loop(self.loop if self.loop and not self.loop.is_closed() else None)
        if not self.was_set:
            policy: Any = policy_in_force()
            policy._local._set_called = False
