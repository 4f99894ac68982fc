"""The check `blocked-loop`: callbacks that hold an event loop for too long."""

from __future__ import annotations

import asyncio
import io
import threading
from asyncio import AbstractEventLoop, Task
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from types import FrameType
from typing import Any, Final, NamedTuple, TypeAlias, final
from weakref import WeakKeyDictionary, ref

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import asyncio_private, debuggers, frames
from pytest_asyncio.support.watchdog import Alarms

from . import NOBODY, BaseCheck, CheckWarning, Report, culprit_of, whose

_LOOKS: Final = 10
"""How often in a row a task is seen to hold the loop before the loop counts as blocked.

The time alone may be long because the machine has stood still.
"""

_STATISTICS: Final = "/proc/self/task/{}/schedstat"
"""Where Linux says how long a thread has run, and has waited for a processor, in nanoseconds."""


class BlockedLoopWarning(CheckWarning):
    """A test or fixture has held its event loop for too long without an `await`."""

    __module__ = "pytest_asyncio"


@final
class Check(BaseCheck):
    def __init__(self, session: pytest.Session, report: Report) -> None:
        super().__init__(session, report)
        self._users: Final = WeakKeyDictionary[AbstractEventLoop, set[pytest.Item]]()
        SessionState.of(session).observe(BlockedLoops(session, self._report_blocked))

    def run_begins(self, run: Run) -> None:
        self._users.setdefault(run.task.get_loop(), set()).add(run.item)

    def _report_blocked(self, blocked: Blocked) -> None:
        filename, line = blocked.frame.f_code.co_filename, blocked.frame.f_lineno
        who = None if blocked.context is None else whose(blocked.context)
        users = self._users[blocked.loop]
        if who is None and len(users) == 1:
            (item,) = users
            who = culprit_of(item)
        self.report(
            BlockedLoopWarning(
                f"{who or NOBODY} held the event loop for more than {blocked.seconds:g} s at "
                f"{frames.place(blocked.frame.f_code, line)}. Use what can be awaited, or "
                "asyncio.to_thread()."
            ),
            filename,
            line,
            who,
        )


class Blocked(NamedTuple):
    """A loop that something holds."""

    loop: AbstractEventLoop
    frame: FrameType
    """Where it does: the user's line."""
    context: Context | None
    """That of the callback, where it is known."""
    seconds: float


OnBlocked: TypeAlias = Callable[[Blocked], None]


@final
class BlockedLoops(Observer):
    """Finds what holds a loop for too long, and has it known in the watchdog's thread."""

    def __init__(self, session: pytest.Session, on_blocked: OnBlocked) -> None:
        Alarms.of(session)  # Suites look for threads that a test has left: this one is older.
        self._session: Final = session
        self._threshold: Final = options.of(session.config).blocked_loop_threshold
        self._on_blocked: Final = on_blocked
        self._watched: Final[dict[Run, _Watched]] = {}

    def run_begins(self, run: Run) -> None:
        if run.within is None:
            loop, thread = run.task.get_loop(), threading.get_ident()
            known = (it for it in self._watched.values() if it.is_same(loop, thread))
            self._watched[run] = next(known, None) or _Watched(
                loop, self._threshold, self._session, self._on_blocked
            )

    def run_ended(self, run: Run) -> None:
        if run.within is None:
            watched = self._watched.pop(run)
            if watched not in self._watched.values():
                watched.end()


@final
class _Watched:
    """A loop that is asked again and again whether it goes on, while it runs."""

    # In a class, where libraries that replace the file system do not find it.
    _open = staticmethod(io.open)

    def __init__(
        self,
        loop: AbstractEventLoop,
        threshold: float,
        session: pytest.Session,
        on_blocked: OnBlocked,
    ) -> None:
        self._loop: Final = loop
        self._threshold: Final = threshold
        self._config: Final = session.config
        self._on_blocked: Final = on_blocked
        self._thread: Final = threading.get_ident()
        self._statistics: Final = _STATISTICS.format(threading.get_native_id())
        self._alarms: Final = Alarms.of(session)
        self._has_iterated = True
        self._is_over = False
        self._holder: ref[Task[Any]] | None = None
        self._held_for = 0.0
        self._ran_for, self._starved_for = 0.0, 0.0
        self._wait()

    def is_same(self, loop: AbstractEventLoop, thread: int) -> bool:
        return loop is self._loop and thread == self._thread

    def end(self) -> None:
        self._is_over = True
        self._alarms.cancel(self._alarm)

    def _wait(self) -> None:
        self._alarm = self._alarms.set(self._threshold / _LOOKS, self._look)

    def _look(self) -> None:
        """See, in the alarms' thread, whether the loop is held by what held it before.

        Not all that runs in one iteration is one callback: tasks that are ready together run one
        after the other.
        """
        if self._is_over:  # pragma: no cover  # The run has ended just now.
            return
        task = asyncio.current_task(self._loop)
        holder = None if task is None else ref(task)
        waits = frames.waits_for_news(frames.innermost(self._thread))
        is_idle = waits or frames.is_in_own(self._thread)
        self._has_iterated |= is_idle
        ran_before, starved_before = self._ran_for, self._starved_for
        self._ran_for, self._starved_for = self._read_statistics()
        if self._has_iterated or holder != self._holder:
            self._holder, self._held_for = holder, 0.0
        else:
            waited = self._threshold / _LOOKS - (self._starved_for - starved_before)
            # On a loaded machine, looks may be far apart.
            self._hold(max(0.0, waited, self._ran_for - ran_before))
        # To wake one that waits would hide that a thread of the suite has forgotten it.
        if self._has_iterated and not is_idle:
            self._has_iterated = False
            with suppress(RuntimeError):  # The loop has been closed.
                self._loop.call_soon_threadsafe(self._answer)
        self._wait()

    def _hold(self, seconds: float) -> None:
        before, self._held_for = self._held_for, self._held_for + seconds
        if before < self._threshold <= self._held_for:
            self._report()

    def _read_statistics(self) -> tuple[float, float]:
        """Return for how long the thread has run, and for how long a loaded machine has kept it
        waiting, if that is known.
        """
        try:
            with self._open(self._statistics, encoding="ascii") as file:
                ran, starved, _ = file.read().split()
        except OSError:
            return 0.0, 0.0
        return int(ran) / 1e9, int(starved) / 1e9

    def _answer(self) -> None:
        self._has_iterated = True

    def _report(self) -> None:
        """Report what the loop's thread is doing, unless another loop does it."""
        innermost = frames.innermost(self._thread)
        frame = frames.users(innermost) or innermost
        if frame is None or debuggers.is_active(self._config, self._thread):
            return
        task, callback = asyncio.current_task(self._loop), asyncio_private.callback_in(innermost)
        if callback is not None and asyncio_private.loop_of_callback(callback) is not self._loop:
            return
        context = (
            asyncio_private.context_of_callback(callback)
            if task is None
            else asyncio_private.context_of(task)
        )
        self._on_blocked(Blocked(self._loop, frame, context, self._threshold))
