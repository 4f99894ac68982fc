"""One loop that goes on in a thread of its own."""

from __future__ import annotations

import threading
from asyncio import Future
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from typing import Final, final

import pytest

from pytest_asyncio.engine import ended_fixtures, event_loop
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.runs import ACTIVE_TEST, ActiveTest, Run
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import asyncio_private, frames
from pytest_asyncio.support.nodes import address


@final
class LoopThread:
    """A loop that goes on in a thread of its own, except while pytest's thread uses it.

    Each time that it goes on is a run, in a thread that ends with it.
    """

    def __init__(
        self, owner: LoopOwner, item: pytest.Function, report: Callable[[BaseException], None]
    ) -> None:
        self._owner: Final = owner
        self._item: Final = item
        self._report: Final = report
        """Takes what ends the loop by itself, in the loop's thread."""
        self._loop: Final = owner.loop
        self._state: Final = SessionState.of(item.session)
        self._test: Final = ActiveTest()
        self._thread: threading.Thread | None = None
        self._is_given_up = False
        owner.standstill = self._standing_still

    def go_on(self) -> None:
        self._is_over: Future[None] = self._loop.create_future()
        self._has_stopped = threading.Event()
        waiting = event_loop.wait_for(self._is_over)
        task = asyncio_private.hidden_task(waiting, self._loop, f"live {self._item.name}")
        run = Run(task, self._item, "call")
        run.is_live = True
        self._thread = threading.Thread(
            target=copy_context().run,
            args=(self._run, run),
            name=f"live {self._owner}",
            daemon=True,
        )
        self._state.other_tests.append(self._test)
        self._state.live_loops[self._loop] = self._test
        started = threading.Event()
        self._loop.call_soon(started.set)
        self._thread.start()
        started.wait(event_loop.GRACE)  # What is due before may block the loop.

    def end(self) -> None:
        """Stop the loop for good. One that is blocked is given up, and fails the test."""
        __tracebackhide__ = True
        self._owner.standstill = nullcontext
        try:
            self._stand_still(event_loop.GRACE)
        finally:
            blocked = self._thread
            if blocked is not None:
                self._give_up()
        if blocked is not None:
            pytest.fail(
                f"{address(self._item)}: {self._owner} is blocked{_place_in(blocked)}, and did not "
                f"stop in {event_loop.GRACE:g} s after the synchronous code, so it was given up. "
                "Use what can be awaited there, or asyncio.to_thread().",
                pytrace=False,
            )

    def _run(self, run: Run) -> None:
        ACTIVE_TEST.set(self._test)
        try:
            self._owner.run(run)
            run.result()
        except BaseException as error:
            self._report(error)
        finally:
            self._has_stopped.set()
            if self._is_given_up:
                self._loop.close()

    @contextmanager
    def _standing_still(self) -> Generator[None]:
        goes_on = self._thread is not None
        self._stand_still()
        try:
            yield
        finally:
            if goes_on and self._owner.opened is self._loop:  # It may have been closed.
                self.go_on()

    def _stand_still(self, seconds: float | None = None) -> None:
        """Stop the loop, if that does not take longer than some seconds, and await its thread."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stop)
        if self._has_stopped.wait(seconds):
            self._thread.join()
            self._thread = None
            self._forget()

    def _stop(self) -> None:
        if not self._is_over.done():
            self._is_over.set_result(None)

    def _give_up(self) -> None:
        self._is_given_up = True
        self._forget()
        self._owner.give_up()
        ended_fixtures.end_those_on_closed_loops(self._item.session)

    def _forget(self) -> None:
        self._state.other_tests.remove(self._test)
        del self._state.live_loops[self._loop]


def _place_in(thread: threading.Thread) -> str:
    """Say at which line of the user's a thread is, if it is at any."""
    innermost = None if thread.ident is None else frames.innermost(thread.ident)
    frame = frames.users(innermost) or innermost
    return "" if frame is None else f" at {frames.place(frame.f_code, frame.f_lineno)}"
