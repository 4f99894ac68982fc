"""Errors of tasks that nothing has reported: the failure of their test may follow from them."""

from __future__ import annotations

import traceback
from asyncio import Task
from collections.abc import Generator, Iterator
from types import CodeType
from typing import Any, Final, final
from weakref import WeakSet

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.engine.fixture_setups import Cancelled
from pytest_asyncio.engine.plan import plan_of
from pytest_asyncio.engine.runs import ACTIVE_TEST
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import asyncio_private, await_chains, pytest_private
from pytest_asyncio.support.errors import all_of
from pytest_asyncio.support.foreign import attribute

from . import task_tree

TITLE: Final = "errors of tasks that nothing has reported"


def start(session: pytest.Session) -> None:
    """Have the failures of async tests list them. Where nothing fails, that costs nothing."""
    SessionState.of(session).observe(_Failures(session))


@final
class _Failures(Observer):
    def __init__(self, session: pytest.Session) -> None:
        self._session: Final = session
        self._state: Final = SessionState.of(session)
        self._listed: Final = WeakSet[Task[Any]]()

    def first_failure(self) -> None:
        self._session.config.pluginmanager.register(self)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        failure = None if call.excinfo is None else call.excinfo.value
        # A fixture that has ended a test tells why at its teardown.
        if failure is not None and report.failed and not isinstance(failure, Cancelled):
            text = "\n".join(self._lines(item, failure))
            if text:
                pytest_private.add_section(report, TITLE, text)
        return report

    def _lines(self, item: pytest.Item, failure: BaseException) -> Iterator[str]:
        plan = plan_of(item)
        owner = None if plan is None else plan.owner
        reported = set(map(id, all_of(failure)))
        for task in asyncio_private.ended_tasks():
            error = asyncio_private.error_of(task)
            if (
                owner is not None
                and task.get_loop() is owner.opened
                and isinstance(error, Exception)
                and id(error) not in reported
                and task not in self._listed
                and not self._is_of_another(task)
                and not _was_raised_elsewhere(error, task)
                and (asyncio_private.is_retrieved(task) or not task_tree.is_attached(failure))
            ):
                self._listed.add(task)
                whose = "" if owner.node is item else ", of this test or an earlier one"
                yield f"{task.get_name()}{whose}: {options.shown(error)}"
                chain = await_chains.chain_of_error(error, task)
                yield from (f"    {line}" for line in await_chains.lines_of(chain, waits=False))

    def _is_of_another(self, task: Task[Any]) -> bool:
        """Return whether a task is of another test at the same time, or a run, which reports."""
        context = asyncio_private.context_of(task)
        test = None if context is None else context.get(ACTIVE_TEST)
        if test is not None and not test.is_over and test is not self._state.test_of_caller():
            return True
        return any(run.task is task for run in self._state.all_running)


def _was_raised_elsewhere(error: BaseException, task: Task[Any]) -> bool:
    """Return whether code that awaited a task has got its error, and so could handle it."""
    first = next((frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)), None)
    code: CodeType | None = attribute(task.get_coro(), "cr_code", CodeType)
    return first is not code
