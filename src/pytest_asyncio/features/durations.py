"""`--asyncio-durations`: where the time of async tests went, waiting or working."""

from __future__ import annotations

import functools
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple, TypeAlias, final
from weakref import WeakKeyDictionary

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import asyncio_private
from pytest_asyncio.support.foreign import attribute, is_a

IdleClock: TypeAlias = Callable[[], float]
"""A clock that goes on only while a loop waits."""

SHORT: Final = 0.005
"""Seconds below which pytest shows durations only to those who ask for details."""

_SENT: Final = "asyncio_durations"
"""The attribute of reports in which they bring along what was spent."""


class _Spent(NamedTuple):
    """How many seconds loops took altogether, and how many of them they waited."""

    total: float = 0.0
    waiting: float = 0.0

    def plus(self, other: _Spent) -> _Spent:
        return _Spent(self.total + other.total, self.waiting + other.waiting)

    def __str__(self) -> str:
        working = self.total - self.waiting
        return f"{self.total:6.2f}s {self.waiting:7.2f}s {working:7.2f}s"


_NOTHING: Final = _Spent()
_SPENT: Final[pytest.StashKey[_Spent]] = pytest.StashKey()


def register(config: pytest.Config) -> None:
    """Have the time of a session's async tests shown at its end."""
    config.pluginmanager.register(Durations())


@final
class Durations(Observer):
    """What the loops of a session take their time for, phase by phase."""

    # In a class, where libraries that stop the clock do not find it to replace it.
    _now = staticmethod(time.perf_counter)

    def __init__(self) -> None:
        self._clocks: Final = WeakKeyDictionary[AbstractEventLoop, IdleClock]()
        self._begun: Final[dict[Run, tuple[float, float]]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        SessionState.of(session).observe(self)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the report of a phase bring along what was spent in it."""
        report = yield
        spent = _taken_from(item).plus(_taken_from(item.session))
        if spent.total and is_a(report, pytest.TestReport):
            vars(report)[_SENT] = tuple(spent)
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        _show(terminalreporter)

    def loop_opened(self, owner: LoopOwner) -> None:
        assert owner.opened is not None
        self._clocks[owner.opened] = self._idle_clock(owner.opened)

    def run_begins(self, run: Run) -> None:
        if run.within is None:
            self._begun[run] = self._now(), self._clocks[run.task.get_loop()]()

    def run_ended(self, run: Run) -> None:
        if run.within is not None:
            return
        began, idle_before = self._begun.pop(run)
        idle_time = self._clocks[run.task.get_loop()]
        spent = _Spent(self._now() - began, idle_time() - idle_before)
        # A wide fixture is torn down in a phase of another item than its own.
        is_wide = run.fixturedef is not None and run.fixturedef.scope != "function"
        node = run.item.session if run.phase == "teardown" and is_wide else run.item
        node.stash[_SPENT] = node.stash.get(_SPENT, _NOTHING).plus(spent)

    def _idle_clock(self, loop: AbstractEventLoop) -> IdleClock:
        """Make the clock of a loop that shows for how long it has waited so far.

        asyncio's own loops wait in one place, the `select()` of their selector or proactor, so
        that this is exact: a callback that blocks the loop is at work. Of others, as uvloop, only
        the CPU time of the thread is known: what blocks without computing passes for waiting.
        """
        if not asyncio_private.iterates_as_asyncio(loop):
            return lambda: self._now() - time.thread_time()
        now, selector, waited = self._now, asyncio_private.selector_of(loop), 0.0
        select = selector.select

        def timed_select(timeout: float | None = None) -> Any:
            nonlocal waited
            began = now()
            try:
                return select(timeout)
            finally:
                waited += now() - began

        selector.select = timed_select
        return lambda: waited


def _taken_from(node: pytest.Item | pytest.Session) -> _Spent:
    """Return what was spent since this was last asked."""
    spent = node.stash.get(_SPENT, _NOTHING)
    node.stash[_SPENT] = _NOTHING
    return spent


def _show(reporter: pytest.TerminalReporter) -> None:
    """Show the slowest phases, in the manner of pytest's own `--durations`."""
    reports: list[pytest.TestReport] = [
        it for kind in reporter.stats.values() for it in kind if attribute(it, _SENT, tuple)
    ]
    if not reports:
        return
    reports.sort(key=_spent_in, reverse=True)
    limit = options.of(reporter.config).durations
    chosen = reports[:limit] if limit else reports
    is_detailed = reporter.config.get_verbosity() >= 2
    shown = [it for it in chosen if is_detailed or _spent_in(it).total >= SHORT]

    reporter.write_sep(
        "=", f"slowest {limit} async durations" if limit else "slowest async durations"
    )
    reporter.write_line("  total  waiting  working")
    for report in shown:
        reporter.write_line(f"{_spent_in(report)}  {report.when:<8} {report.nodeid}")
    together = functools.reduce(_Spent.plus, map(_spent_in, reports))
    reporter.write_line(f"{together}  all {len(reports)}")
    if len(shown) < len(chosen):
        reporter.write_line("")
        reporter.write_line(
            f"({len(chosen) - len(shown)} durations < {SHORT:g}s hidden.  "
            "Use -vv to show these durations.)"
        )


def _spent_in(report: pytest.TestReport) -> _Spent:
    return _Spent(*getattr(report, _SENT))
