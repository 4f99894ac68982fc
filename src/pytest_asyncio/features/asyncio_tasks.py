"""`asyncio_tasks`: the tasks that work in the background of one test."""

from __future__ import annotations

import inspect
from asyncio import Task
from collections.abc import Coroutine, Generator
from contextlib import contextmanager, nullcontext
from contextvars import Context, copy_context
from typing import Any, Final, TypeVar, final

import pytest

from pytest_asyncio.collect.options import shown
from pytest_asyncio.engine import async_tests, event_loop, runs
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import asyncio_private, pytest_private
from pytest_asyncio.support.foreign import attribute
from pytest_asyncio.support.nodes import address

T = TypeVar("T")


@final
class TaskGroup:
    """The tasks that work in the background of a test, on the test's loop.

        @pytest.mark.asyncio
        async def test_answers(asyncio_tasks):
            server = Server()
            asyncio_tasks.create_task(server.serve())
            assert await server.ask("name") == "server"

    They are cancelled and awaited at the teardown of the fixture. If one of them raises an
    exception before, the test is cancelled and fails with that exception.
    """

    def __init__(self, owner: LoopOwner, request: pytest.FixtureRequest) -> None:
        self._owner: Final = owner
        self._item: Final = pytest_private.item_of(request)
        self._fixturedef: Final = pytest_private.definition_of(request)
        self._tasks: Final[set[Task[Any]]] = set()
        self._errors: Final[list[BaseException]] = []
        self._is_over = False

    def create_task(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> Task[T]:
        """Start a coroutine in the background, as `asyncio.TaskGroup.create_task()` does.

        Called by synchronous code, it lets the coroutine begin as soon as the loop runs. Fails
        where it is called on another loop than the test's, or after the teardown.
        """
        __tracebackhide__ = True
        if not inspect.iscoroutine(coro):
            raise TypeError(f"asyncio_tasks.create_task() needs a coroutine, not {shown(coro)}.")
        refusal = self._refusal()
        if refusal is not None:
            coro.close()
            pytest.fail(f"{address(self._item)}: {refusal}", pytrace=False)
        is_on_loop = asyncio_private.running_loop() is not None
        with nullcontext() if is_on_loop else self._owner.standstill():  # It may be live.
            task = self._owner.loop.create_task(coro, name=name, context=context)
            self._tasks.add(task)
            task.add_done_callback(self._take)
        return task

    def _refusal(self) -> str | None:
        if self._is_over:
            return "asyncio_tasks.create_task() was called after the teardown of the fixture."
        running = asyncio_private.running_loop()
        if running is None or running is self._owner.loop:
            return None
        return (
            f"asyncio_tasks.create_task() was called on another loop than {self._owner}, which is "
            "the test's. Give the test and the fixture that calls it the same loop_scope."
        )

    def _take(self, task: Task[Any]) -> None:
        """Let the test fail if a task has died."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None or isinstance(error, (KeyboardInterrupt, SystemExit)):
            return
        error.add_note(f"It ended {_named(task)}, which the fixture 'asyncio_tasks' runs.")
        for run in SessionState.of(self._item.session).all_running:
            if run.item is self._item and self._is_own(run):
                run.cancel(error)
                if run.reason is error:
                    run.failure = error
                    return
        self._errors.append(error)

    def _is_own(self, run: runs.Run) -> bool:
        is_wide = run.fixturedef is not None and run.fixturedef.scope != "function"
        return run.phase != "teardown" and not is_wide

    def end(self) -> None:
        """Cancel and await all tasks, and raise what none of the test's runs has raised."""
        __tracebackhide__ = True
        self._is_over = True
        refusing = self._cancelled()
        if refusing:
            names = " and ".join(map(_named, refusing))
            self._errors.append(
                pytest.fail.Exception(
                    f"{address(self._item)}: {names} of 'asyncio_tasks' did not end when "
                    "cancelled.",
                    pytrace=False,
                )
            )
        if len(self._errors) > 1:
            raise BaseExceptionGroup("several tasks of 'asyncio_tasks' have failed", self._errors)
        if self._errors:
            raise self._errors[0]

    def _cancelled(self) -> set[Task[Any]]:
        """Cancel and await all tasks; return those that refuse to end."""
        __tracebackhide__ = True
        loop = self._owner.loop
        if not self._tasks or loop.is_closed():
            return set()
        ending = event_loop.cancel(set(self._tasks))
        with self._owner.standstill():
            run = runs.begin(loop, ending, copy_context(), self._item, "teardown", self._fixturedef)
            self._owner.run(run)
        refusing: set[Task[Any]] = run.result()
        return refusing


@contextmanager
def of_test(request: pytest.FixtureRequest) -> Generator[TaskGroup]:
    """Give out the task group of the requesting test."""
    owner = async_tests.prepare(pytest_private.item_of(request))
    owner.use()  # What is left on the loop is ended after the tasks of the group.
    group = TaskGroup(owner, request)
    yield group
    group.end()


def _named(task: Task[Any]) -> str:
    coroutine = attribute(task.get_coro(), "__qualname__", str) or ""
    return f"the task {task.get_name()!r} ({coroutine})"
