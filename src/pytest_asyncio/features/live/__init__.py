"""`live`: the loops of a test's async fixtures go on while synchronous code runs.

pytest, and with it the user's synchronous code, stays in its thread, where signals come, debuggers
work, and libraries have made their greenlets. So a live loop runs in a thread of its own. Whatever
is to run on it for pytest (a fixture's setup or teardown, `asyncio_runner.run()`, the closing) has
the loop stand still, runs it in pytest's thread, as ever, and lets it go on after that: each has
the signal handlers, the time-outs and the checks that it has without this feature.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import FrameType
from typing import Any, ClassVar, Final, NoReturn, final

import pytest

from pytest_asyncio.collect import marks, options
from pytest_asyncio.collect.marks import AsyncioMark
from pytest_asyncio.engine import async_fixtures, ended_fixtures, event_loop
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.plan import plan_of
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.features import hang_report, task_tree
from pytest_asyncio.features.standing_loops import HAS_BEEN_LIVE
from pytest_asyncio.support import debuggers, frames
from pytest_asyncio.support.interrupts import Interrupts
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.pytest_private import setup_state
from pytest_asyncio.support.watchdog import Alarm, Alarms

from .loop_thread import LoopThread

SOON: Final = 0.05
"""Seconds after which an interrupt that came in the middle of pytest's own code comes again."""


def start(session: pytest.Session) -> None:
    """Let tests of a session have live loops from now on: others do not pay for it."""
    plugins = session.config.pluginmanager
    if not plugins.hasplugin(_Hooks.NAME):
        plugins.register(_Hooks(), _Hooks.NAME)


@contextmanager
def live(item: pytest.Function) -> Generator[None]:
    """Have the loops of an item's async fixtures, and its own, go on while synchronous code runs.

    Within another such block, they go on until that one ends.
    """
    __tracebackhide__ = True
    start(item.session)
    around = _of(item.session)
    if around is not None:
        around.add_all()
        yield
        return
    with ExitStack() as stack:
        loops = stack.enter_context(_Live(item).going_on())
        planned = plan_of(item)
        if planned is not None and planned.is_called:  # Else a fixture has begun it.
            stack.enter_context(loops.bounded())
        yield


def is_elsewhere(session: pytest.Session) -> bool:
    """Return whether the caller is in another thread than the code beside which loops are live."""
    loops = _of(session)
    return loops is not None and loops.thread is not threading.current_thread()


@final
class _Hooks:
    """The hooks of a session that has live loops."""

    NAME: ClassVar = "asyncio-live"

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        __tracebackhide__ = True
        with ExitStack() as stack:
            if isinstance(item, pytest.Function) and _is_asked_for(item):
                stack.enter_context(live(item))
            loops = _of(item.session)
            if loops is not None:
                stack.enter_context(loops.bounded())
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        value = yield
        loops = _of(request.session)
        if loops is not None:
            loops.add(async_fixtures.owner_in_use(fixturedef))
        return value

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        loops = _of(item.session)
        if loops is not None:
            loops.is_over = True


def _is_asked_for(item: pytest.Function) -> bool:
    """Return whether a mark or the option asks for live loops in a synchronous test."""
    __tracebackhide__ = True
    planned = plan_of(item)
    if planned is not None and planned.is_async:
        return False
    mark = _mark_of(item)
    if mark.live is None:
        return options.at(item).live and mark.clock == "real"
    if mark.live:
        refuse_virtual_clock(item, "mark.asyncio got live=True")
    return mark.live


def refuse_virtual_clock(item: pytest.Function, what: str) -> None:
    """Fail a test that asks for live loops on a virtual clock."""
    if _mark_of(item).clock == "virtual":
        pytest.fail(
            f"{address(item)}: {what}, but a virtual clock cannot know when synchronous code "
            "waits. Write clock='real'.",
            pytrace=False,
        )


def _mark_of(item: pytest.Function) -> AsyncioMark:
    planned = plan_of(item)
    return marks.merged(item) if planned is None else planned.mark


def _of(session: pytest.Session) -> _Live | None:
    return session.stash.get(_Live.KEY, None)


@final
class _Live:
    """The loops that go on while the synchronous code of a test runs, and what interrupts that.

    The test's time-out, and what ends a loop by itself (a fixture that dies, `SystemExit`,
    `pytest.fail()` in a callback), is raised in the middle of what the synchronous code waits for.
    Where nothing can do that, it is raised when the code has ended.
    """

    KEY: ClassVar = pytest.StashKey["_Live"]()

    def __init__(self, item: pytest.Function) -> None:
        self.thread: Final = threading.current_thread()
        self.is_over = False
        """Whether nothing is interrupted any more: a teardown is to go on."""
        self._item: Final = item
        self._state: Final = SessionState.of(item.session)
        self._interrupts: Final = Interrupts.of(item.session)
        self._loops: Final[dict[LoopOwner, LoopThread]] = {}
        self._error: BaseException | None = None
        self._has_raised = False
        self._alarms: Final[list[Alarm]] = []

    @contextmanager
    def going_on(self) -> Generator[_Live]:
        """Have the loops go on until the end of a block."""
        __tracebackhide__ = True
        finish_ended = partial(ended_fixtures.finish_ended, self._item)
        setup_state.finalize_after_fixtures(self._item, finish_ended)
        self._item.session.stash[self.KEY] = self
        self._item.stash[HAS_BEEN_LIVE] = True
        try:
            with ExitStack() as self._stack:
                try:
                    self.add_all()
                    yield self
                finally:
                    self.is_over = True
                    self._cancel_alarms()
        finally:
            del self._item.session.stash[self.KEY]
        if self._error is not None and not self._has_raised:
            raise self._error

    def add_all(self) -> None:
        """Have all loops go on that the item has come to use."""
        planned = plan_of(self._item)
        self.add(None if planned is None else planned.owner)
        for owner in async_fixtures.owners_used_by(self._item):
            self.add(owner)

    def add(self, owner: LoopOwner | None) -> None:
        """Have a loop go on too, if there is one, and it does not already."""
        if owner is None or owner in self._loops or owner.loop.is_running():
            return
        self._loops[owner] = LoopThread(owner, self._item, self._interrupt_by)
        self._stack.callback(self._loops[owner].end)
        self._loops[owner].go_on()

    @contextmanager
    def bounded(self) -> Generator[None]:
        """Bound a block by the test's time-out; raise at its end what was to interrupt it."""
        __tracebackhide__ = True
        seconds, planned = _mark_of(self._item).timeout, plan_of(self._item)
        if seconds and not (planned is not None and planned.is_async):
            self._set_alarm(seconds, partial(self._expire, seconds))
        try:
            yield
        except BaseException as error:
            if error is self._error:
                error.__traceback__ = frames.up_to_users(error.__traceback__)
            elif self._error is not None:
                error.add_note(f"Before that: {self._error}")
            raise
        finally:
            self._cancel_alarms()
        if self._error is not None:
            self._raise()

    def _expire(self, seconds: float) -> None:
        """End the test by its time-out. Called in the alarms' thread."""
        if debuggers.is_active(self._item.config, self.thread.ident or 0):
            self._set_alarm(seconds, partial(self._expire, seconds))
            return
        error = TimeoutError(
            f"{self._item.name} took longer than the {seconds:g} s of its timeout."
        )
        task_tree.keep(error, hang_report.written(self._item.session), self._item.session)
        self._interrupt_by(error)

    def _interrupt_by(self, error: BaseException) -> None:
        """Have synchronous code interrupted by the first error. Called in any thread."""
        if self._error is None:
            self._error = error
            self._request_interrupt()

    def _request_interrupt(self) -> None:
        if self._interrupts is not None:
            self._interrupts.request(self._interrupt)

    def _interrupt(self, frame: FrameType | None) -> None:
        """Raise in the user's code, or end the run that it waits for. Called by a signal.

        The user's code may go on in spite of that, and is interrupted again after a while.
        """
        __tracebackhide__ = True
        if self.is_over:  # pragma: no cover  # The test has ended just now.
            return
        run = self._state.current_test.run
        if run is None and not frames.works_for_users(frame):
            self._set_alarm(SOON, self._request_interrupt)
            return
        self._set_alarm(event_loop.GRACE, self._request_interrupt)
        if run is None:
            self._raise()
        assert self._error is not None
        self._has_raised = True
        run.task.get_loop().call_soon_threadsafe(run.cancel, self._error)

    def _raise(self) -> NoReturn:
        __tracebackhide__ = True
        assert self._error is not None
        self._has_raised = True
        raise self._error.with_traceback(None)

    def _set_alarm(self, seconds: float, call: Callable[[], None]) -> None:
        self._alarms.append(Alarms.of(self._item.session).set(seconds, call))

    def _cancel_alarms(self) -> None:
        for alarm in self._alarms:
            Alarms.of(self._item.session).cancel(alarm)
        self._alarms.clear()
