"""What the engine does in pytest's phases, in a session that has async tests."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, final

import pytest
from pluggy import Result

from pytest_asyncio.collect import items, plain_fixtures
from pytest_asyncio.support import debuggers, frames
from pytest_asyncio.support.pytest_private import setup_state

from . import async_fixtures, async_tests, deferred_requests, ended_fixtures
from .plan import forget_plan, plan_of
from .session import SessionState


@final
class Phases:
    """The hooks that are called from the first async test of a session on."""

    prepare: Final = staticmethod(async_tests.prepare)
    prepare_for: Final = staticmethod(async_tests.prepare_for)
    synchronous: Final = staticmethod(async_fixtures.synchronous)
    undeferred: Final = staticmethod(deferred_requests.undeferred)
    not_deferring: Final = staticmethod(deferred_requests.not_deferring)
    explain_refusal: Final = staticmethod(plain_fixtures.explain_refusal)

    def __init__(self, session: pytest.Session) -> None:
        session.config.pluginmanager.register(debuggers)
        self.state: Final = SessionState.of(session)

    def plan(self, item: pytest.Function) -> None:
        """Read the marks of a test before anything is set up for it."""
        __tracebackhide__ = True
        try:
            async_tests.plan(item)
        except Exception:  # A hook of the suite may raise.
            self.state.failed()
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        __tracebackhide__ = True
        planned = plan_of(pyfuncitem)
        try:
            if planned is None and not items.is_marked_late(pyfuncitem):
                return (yield)
            restore = async_tests.synchronize(pyfuncitem, planned)
            try:
                return (yield)
            finally:
                restore()
        except BaseException:
            self.state.failed()
            raise

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        nodes = setup_state.set_up_nodes(item.session)
        try:
            result = yield
        except BaseException as error:
            self.state.failed()
            setup_state.finish_teardown(item.session, nextitem, nodes, error)
            raise
        finally:
            forget_plan(item)
            if self.state.report_closed_loops(item):
                ended_fixtures.end_those_on_closed_loops(item.session)
            if self.state.ended:
                ended_fixtures.finish_ended(item)
        self.state.raise_postponed()
        return result

    # Not a wrapper, whose line would be in the traceback, which pytest does not format there.
    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, Result[None]]:
        nodes = setup_state.set_up_nodes(session)
        outcome = yield
        error = outcome.exception
        if error is not None:
            setup_state.finish_teardown(session, None, nodes, error)
            outcome.force_exception(error.with_traceback(frames.hide_own(error.__traceback__)))
