"""Time-outs: what bounds each phase of an async test or fixture, in seconds of the real clock."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import CodeType, FrameType
from typing import ClassVar, Final, final

import pytest

from pytest_asyncio.collect import fixtures, options
from pytest_asyncio.engine import event_loop
from pytest_asyncio.engine.plan import Plan, plan_of
from pytest_asyncio.engine.runs import ACTIVE_TEST, Run
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import (
    asyncio_private,
    await_chains,
    debuggers,
    frames,
    running_session,
    threads,
)
from pytest_asyncio.support.interrupts import Interrupts
from pytest_asyncio.support.real_time import RealTime
from pytest_asyncio.support.watchdog import Alarms

from . import task_tree, wakers

REACTION: Final = 1.0
"""Seconds in which a run is to react to the end of its time-out.

One that takes longer is reported to have done so, and a loop that does nothing counts as blocked.
"""

_SHARE: Final = 0.05
"""The part of its time after which it is looked whether a run has had that, or other tests."""
_SHORTEST: Final = 0.02
"""Seconds between two looks at least."""
_LONGER: Final = 10
"""How many times as long it may take, where others have the thread all the time."""

_LOOKS: Final = 5
_BETWEEN_LOOKS: Final = 0.001
"""Seconds between two looks at what a thread does."""


def start(session: pytest.Session) -> None:
    """Have every run of a session from now on that has a time-out end with it.

    Called when the first of them is known, so that a session without one does not pay for it.
    """
    if Timeouts.KEY not in session.stash:
        session.stash[Timeouts.KEY] = Timeouts()
        SessionState.of(session).observe(session.stash[Timeouts.KEY])


@final
class Timeouts(Observer):
    """The time-outs of a session."""

    KEY: ClassVar = pytest.StashKey["Timeouts"]()

    def __init__(self) -> None:
        self._deadlines: Final[dict[Run, _Deadline]] = {}

    def test_planned(self, item: pytest.Function, plan: Plan) -> None:
        # Suites look in fixtures for threads that a test leaves behind: the watchdog's is older.
        if plan.mark.timeout:
            Alarms.of(item.session)

    def run_begins(self, run: Run) -> None:
        seconds = _seconds(run)
        if seconds:
            self._deadlines[run] = _Deadline(run, seconds)

    def run_ended(self, run: Run) -> None:
        deadline = self._deadlines.pop(run, None)
        if deadline is not None:
            deadline.end()


def _seconds(run: Run) -> float | None:
    """Return how long a run may take: what is said closest to it; 0 is for ever.

    A mark counts for the test's own fixtures too, but not for wider ones, which its test shares
    with others.
    """
    if run.is_live:  # What goes on beside synchronous code has no end of its own.
        return None
    own: float | None = None
    if run.fixturedef is not None:
        own = fixtures.timeout_of(run.fixturedef)
    if own is None and (run.fixturedef is None or run.fixturedef.scope == "function"):
        plan = plan_of(run.item)
        if plan is not None:
            return plan.mark.timeout
    return options.at(run.item).timeout if own is None else own


@final
class _Deadline:
    """A run with a deadline.

    At the deadline its task is cancelled, then a second time if that has not ended it, and then
    the run is given up. Each step is taken on the loop. Where the loop does not get to it, because
    something blocks the thread, that is broken off by a signal, whose handler cancels it.

    Beside other tests, the time that these have the thread is theirs; but of that too, the run is
    charged a small part, so that the deadline comes whatever they do.
    """

    def __init__(self, run: Run, seconds: float) -> None:
        self._run: Final = run
        self._seconds: Final = seconds
        self.session: Final = run.item.session
        self._loop: Final = run.task.get_loop()
        self._thread: Final = threading.get_ident()
        self._alarms: Final = Alarms.of(self.session)
        self._remaining: Iterator[float] = self._steps()
        self._error: TimeoutError | None = None
        self._blocked_at = ""
        self._verb = ""
        self._held_up_in: CodeType | None = None
        """What others have blocked the loop in since the deadline."""
        self._held_up_at = ""
        self._is_interrupted = False
        self._is_over = False
        self._interrupts: Final = Interrupts.of(self.session)
        self._state: Final = SessionState.of(self.session)
        self._ended_at = 0.0
        self._left = seconds
        self._others = 0.0
        """For how long others have had the thread, as far as that is not counted."""
        if self._state.scheduler is None:
            self._alarm = self._alarms.set(seconds, self._expire)
        else:
            self._watch()

    def _watch(self) -> None:
        """Have it looked soon who has the thread."""
        self._looked_at = RealTime.monotonic()
        share = max(_SHORTEST, self._seconds * _SHARE)
        self._alarm = self._alarms.set(min(self._left, share), self._look)

    def _look(self) -> None:
        """Charge the run for the time since the last look. Called in the alarms' thread."""
        if self._is_over:  # pragma: no cover  # The run has ended just now.
            return
        seconds = RealTime.monotonic() - self._looked_at
        own = seconds * self._part()
        self._left -= own
        self._others += seconds - own
        if self._left > 0:
            self._watch()
        else:
            self._expire()

    def _part(self) -> float:
        """Return to which part the time is the run's own: all of it, unless others have it."""
        holders = self._holders()
        if self._run.item in holders:
            return 1 / len(holders)
        return 1 / max(_LONGER, len(self._state.all_running)) if holders else 1.0

    def _holders(self) -> set[pytest.Item | None]:
        """Return the tests that have the thread, or will have it next, as far as that is known.

        What pytest does for one of the others is no callback of a loop, and is that of None.
        """
        frame = frames.innermost(self._thread)
        callback, task = asyncio_private.callback_in(frame), asyncio.current_task(self._loop)
        if callback is not None:
            contexts = [asyncio_private.context_of_callback(callback)]
        elif task is not None:
            contexts = [asyncio_private.context_of(task)]
        elif self._is_in_loop() or frames.waits_for_news(frame):
            contexts = [
                asyncio_private.context_of_callback(handle)
                for loop in tuple(self._state.open_loops.values())
                if isinstance(loop, asyncio.BaseEventLoop)
                for handle in asyncio_private.ready_of(loop).copy()
            ]
        else:
            return {None}
        tests = [context.get(ACTIVE_TEST) for context in contexts if context is not None]
        runs = [test.run for test in tests if test is not None and not test.is_over]
        return {run.item for run in runs if run is not None}

    def _is_in_loop(self) -> bool:
        return any(loop.is_running() for loop in tuple(self._state.open_loops.values()))

    def end(self) -> None:
        self._is_over = True
        self._alarms.cancel(self._alarm)
        self._remaining = iter(())  # The steps hold the deadline that holds them.
        if self._error is None or self._run.interruption is not None:
            return
        self._run.failure = self._error
        beyond = RealTime.monotonic() - self._ended_at
        if beyond > REACTION:
            self._error.add_note(f"It took {beyond:.1f} s more to end after it was cancelled.")
        task = self._run.task
        if task.done() and not task.cancelled():
            self._error.__cause__ = task.exception()

    def _steps(self) -> Iterator[float]:
        """End the run, and yield between two tries how many seconds there are to react."""
        error = self._error = self._error or self._failure()
        if not self._is_interrupted:  # A second cancellation would break its clean-up off.
            self._run.cancel(error)
        yield event_loop.GRACE
        self._run.task.cancel()
        yield event_loop.LAST_GRACE
        task_tree.attach(error, self._loop, self.session, self._run.task)
        grace = event_loop.GRACE + event_loop.LAST_GRACE
        error.add_note(f"It was given {grace:g} s to end after it was cancelled.")
        self._run.give_up(error)
        while True:  # Other tests may use the loop for as long as they need it.
            yield event_loop.LAST_GRACE

    def _expire(self) -> None:
        """Have the next step taken. Called in the alarms' thread, as is `_unblock`."""
        if self._is_debugging():
            self._alarm = self._alarms.set(self._seconds, self._expire)
            return
        self._alarm = self._alarms.set(REACTION, self._unblock)
        if self._error is None and wakers.has_overlooked(self._loop):
            with running_session.within(self.session):
                self._error = self._failure()  # The next line wakes the loop.
        with suppress(RuntimeError):  # The loop has been closed.
            self._loop.call_soon_threadsafe(self._step)

    def _step(self) -> None:
        if self._is_over or self._run.awaited.done():
            return
        self._alarms.cancel(self._alarm)
        if self._held_up_in is None:
            self._alarm = self._alarms.set(next(self._remaining), self._expire)
        else:  # It may be about to go on, and be over in time but for the others.
            self._held_up_in = None
            self._alarm = self._alarms.set(REACTION, self._expire)

    def _unblock(self) -> None:
        if self._is_over:  # pragma: no cover  # The run has ended just now.
            return
        self._alarm = self._alarms.set(REACTION, self._unblock)
        innermost = frames.innermost(self._thread)
        frame = frames.users(innermost) or innermost
        if frame is None or self._is_debugging():
            return
        goes_on = self._is_going_on()
        self._verb = "ran on, with no await that waits" if goes_on else "blocked the event loop"
        if self._interrupts is not None:
            self._held_up_in = frame.f_code
            self._held_up_at = frames.place(frame.f_code, frame.f_lineno)
            self._interrupts.request(self.interrupt)
            return
        is_known = bool(self._blocked_at)
        self._blocked_at = self._place_of(frame)
        if not is_known and sys.__stderr__ is not None:
            print(f"\n{self._message()}.", file=sys.__stderr__, flush=True)

    def _is_going_on(self) -> bool:
        """Return whether the thread computes, rather than to stand in one call."""
        began = threads.cpu_time(self._thread)
        seen: set[tuple[int, int]] = set()
        for _ in range(_LOOKS):
            innermost = frames.innermost(self._thread)
            seen.add((id(innermost), 0 if innermost is None else innermost.f_lasti))
            RealTime.sleep(_BETWEEN_LOOKS)
        # A short loop is always seen at its end, where Python lets other threads look at it.
        return len(seen) > 1 or threads.cpu_time(self._thread) - began > _BETWEEN_LOOKS

    def interrupt(self, frame: FrameType | None) -> None:
        """Raise where something blocks the thread, and nowhere else."""
        __tracebackhide__ = True
        if self._is_over or frame is None or _is_loops(frame):  # pragma: no cover  # It goes on.
            return
        if not self._is_in_loop():
            return  # pytest does something for another test.
        is_task = asyncio.current_task(self._loop) is self._run.task
        blocked_by = self._run if is_task else self._state.run_of_caller
        blocking = frames.users(frame) or frame
        if blocked_by is None and blocking.f_code is self._held_up_in:
            self.session.stash.setdefault(_NOBODYS, set()).add(self._held_up_at)
            raise event_loop.BrokenOff
        if blocked_by is not self._run:
            return  # Another test, or what awaits this run, blocks the loop.
        self._held_up_in, self._held_up_at = None, ""
        self._blocked_at = self._place_of(blocking)
        if self._error is None:
            self._error = self._failure()
            if frames.is_users(blocking):  # Else a function in C, which the loop has called.
                self._error.__traceback__ = await_chains.traceback_to(frame)
        self._is_interrupted = is_task
        raise event_loop.BrokenOff

    def _place_of(self, frame: FrameType) -> str:
        """Return where a frame is, and in which task, if that is not the one that is bounded."""
        place = frames.place(frame.f_code, frame.f_lineno)
        task = asyncio.current_task(self._loop)
        if task is None or task is self._run.task:
            return place
        return f"{place}, in the task {task.get_name()!r},"

    def _failure(self) -> TimeoutError:
        self._ended_at = RealTime.monotonic()
        error = TimeoutError(f"{self._message()}.")
        if self._others > REACTION:
            error.add_note(f"Other tests ran for {self._others:.1f} s more, which is not counted.")
        error.__traceback__ = task_tree.traceback_of(self._run.task)
        error.__suppress_context__ = True  # It is not the loop's stop that is of interest.
        task_tree.attach(error, self._loop, self.session, self._run.task)
        return error

    def _message(self) -> str:
        run = self._run
        fixture = run.fixturedef
        what = run.item.name if fixture is None else fixtures.title_of(fixture, run.phase)
        text = f"{what} took longer than the {self._seconds:g} s of its timeout"
        # First what is not yet known: pytest cuts what it has in its summary.
        if self._blocked_at:
            return f"{self._blocked_at} {self._verb}: {text}"
        if self._held_up_at in self.session.stash.get(_NOBODYS, ()):
            return f"{text}. Code that is not its own blocked its event loop at {self._held_up_at}"
        where = await_chains.last_of_users(await_chains.chain_of(run.task))
        return text if where is None else f"at {where}: {text}"

    def _is_debugging(self) -> bool:
        return debuggers.is_active(self.session.config, self._thread)


_NOBODYS: Final[pytest.StashKey[set[str]]] = pytest.StashKey()
"""Where code was broken off of which nobody can know whose it was."""


def _is_loops(frame: FrameType) -> bool:
    """Return whether the loop itself is at work in a frame, rather than what it has called.

    A callback in C has no frame but that which calls it.
    """
    module = frames.module_of(frame)
    is_machinery = module.partition(".")[0] in ("asyncio", "selectors", frames.PACKAGE)
    return is_machinery and frame.f_code is not asyncio_private.CALL
