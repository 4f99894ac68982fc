"""The runs of each test that is run more than once, in the place of the one that it has."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final, final

import pytest

from pytest_asyncio.collect import items, marks, options
from pytest_asyncio.collect.marks import AsyncioMark
from pytest_asyncio.engine.plan import Plan
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.features import timeouts
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.pytest_private import reporting, setup_state

from . import schedules, sweep
from .attempts import Attempt, Search, Variation
from .leaks import NAMES, Leaks
from .summary import Repeated, Summary

PROGRESS: Final = 2.0
"""Seconds between two signs of life of a test that is run many times."""

LEAST: Final = 10.0
FACTOR: Final = 20
"""How many seconds a run may take where there is no time-out, and how many times as long as the
first one.
"""


def start(session: pytest.Session, keywords: frozenset[str]) -> None:
    """Have the tests of a session run again that ask for it, by keywords of marks or options."""
    has_sweeps = "cancel" in keywords or options.of(session.config).cancel is not None
    leaks = Leaks(session, NAMES if has_sweeps else ())
    races, plugins = _Races(session, leaks), session.config.pluginmanager
    SessionState.of(session).observe(races)
    plugins.register(races)
    plugins.register(leaks)
    plugins.register(Summary())
    timeouts.start(session)


@final
class _Races(Observer):
    def __init__(self, session: pytest.Session, leaks: Leaks) -> None:
        self._leaks: Final = leaks
        self._config: Final = session.config
        self._variation: Variation | None = None
        self._limit = 0.0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        mark = _mark_of(item)
        if mark is None or self._config.getoption("setuponly", False):
            return None
        assert isinstance(item, pytest.Function)
        repeated = Repeated()
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        try:
            self._run(item, nextitem, _search(item, mark, repeated), repeated)
        finally:
            self._variation = None
            self._leaks.stop()
            pytest_private.forget_request(item)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _run(
        self,
        item: pytest.Function,
        nextitem: pytest.Item | None,
        search: Search,
        repeated: Repeated,
    ) -> None:
        self._limit = 0.0
        last_sign = time.monotonic()
        variation = next(search)
        while True:
            self._variation = variation
            variation.look_for(self._leaks)
            attempt = Attempt(item)
            attempt.begin()
            repeated.runs += 1
            repeated.seconds += attempt.seconds
            had_failed = attempt.error is not None
            self._limit = self._limit or max(LEAST, FACTOR * attempt.seconds)
            try:
                variation = search.send(attempt)
            except StopIteration:
                break
            attempt.discard()
            if attempt.error is not None and not had_failed:
                break
            if time.monotonic() - last_sign > PROGRESS:
                last_sign = time.monotonic()
                self._show_progress(repeated.runs)
        attempt.finish(nextitem, repeated)

    def _show_progress(self, runs: int) -> None:
        terminal: Any = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal is not None and terminal.verbosity > 0:
            terminal.write(f"[{runs} runs] ", flush=True)

    def test_planned(self, item: pytest.Function, plan: Plan) -> None:
        if self._variation is None:
            return
        self._variation.plan(plan)
        plan.surround = self._variation.surround
        if self._limit and not plan.mark.timeout:
            plan.mark = plan.mark._replace(timeout=self._limit)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        __tracebackhide__ = True
        if self._variation is None:
            return (yield)
        with self._variation.around_call(pyfuncitem):
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        if nextitem is item and item.parent is not None:  # pytest would keep its own fixtures.
            reporting.announce(item, "teardown")
            setup_state.tear_down_to(item.parent, item.session)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None and self._variation is not None:
            explanation = self._variation.explanation()
            if explanation is not None:
                pytest_private.add_section(report, "asyncio", explanation)
        return report


def _mark_of(item: pytest.Item) -> AsyncioMark | None:
    """Return the mark of an item that is to be run more than once."""
    if not items.is_async_test(item):
        return None
    try:
        mark = marks.merged(item)
    except pytest.fail.Exception:  # Its setup says what is wrong.
        return None
    return mark if mark.cancel or mark.schedules else None


def _search(item: pytest.Function, mark: AsyncioMark, repeated: Repeated) -> Search:
    if mark.cancel:
        yield from sweep.search(item, repeated)
    if mark.schedules:
        yield from schedules.search(item, mark, repeated)
