"""Threads that the process waits for before it ends, and who starts them."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import thread as executors
from threading import Thread
from typing import Any, Final

GRACE: Final = 1.0
"""Seconds for what is about to end, before anything is said of it."""

_EXECUTORS: Final[Any] = executors


def lasting() -> list[Thread]:
    """Return the threads besides the main one that the process waits for before it ends."""
    main = threading.main_thread()
    return [thread for thread in threading.enumerate() if not (thread.daemon or thread is main)]


def is_of_executor(thread: Thread) -> bool:
    """Return whether a thread is an executor's, which tells it to end when the process does."""
    # No public way leads to that.
    return thread in _EXECUTORS._threads_queues


def cpu_time(ident: int) -> float:
    """Return the seconds of a processor that a thread has used; 0 where the system does not say."""
    clock: Any = getattr(time, "pthread_getcpuclockid", None)
    return 0.0 if clock is None else time.clock_gettime(clock(ident))


def see_starts(see: Callable[[Thread], None]) -> Callable[[], None]:
    """Have each thread seen, by who starts it, until what is returned is called."""
    start = Thread.start

    @functools.wraps(start)
    def start_seen(self: Thread) -> None:
        see(self)
        start(self)

    def put_back() -> None:
        if Thread.start is start_seen:  # Else a library has wrapped it meanwhile.
            Thread.start = start  # type: ignore[method-assign]

    Thread.start = start_seen  # type: ignore[method-assign]
    return put_back
