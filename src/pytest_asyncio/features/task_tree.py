"""What the tasks of a loop are doing: the tree of tasks, and the report section that shows it."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Task
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any, ClassVar, Final, final

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.engine import ended_fixtures
from pytest_asyncio.engine.loops import owner_behind
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import asyncio_private, frames, pytest_private
from pytest_asyncio.support.await_chains import (
    call_of,
    chain_of,
    chain_of_error,
    has_begun,
    lines_of,
    running_on,
    traceback_of,
)
from pytest_asyncio.support.foreign import is_a
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.words import listed

from . import wakers, worker_threads
from .awaiters import Waiting

__all__ = ("attach", "render", "show", "start", "traceback_of")

TITLE: Final = "asyncio tasks"
WIDTH: Final = 80

_KEPT: Final = "_pytest_asyncio_tasks"


def render(
    loop: AbstractEventLoop,
    session: pytest.Session,
    first: Task[Any] | None = None,
    interruption: BaseException | None = None,
) -> list[str]:
    """Return the lines of the tree of a loop's tasks: below each one, those that it awaits.

    Each task is named, with where it was created, which the debug mode of asyncio records, and its
    await chain down to the line that waits. Those that have ended with an error which nobody has
    retrieved are among them, and fixtures at their `yield` which others wait for, or which wait
    for others. `interruption` is what has left the loop and ended the task that was running.
    """
    return list(_Tree(loop, session, first, interruption).lines())


def render_titled(
    loop: AbstractEventLoop,
    session: pytest.Session,
    first: Task[Any] | None = None,
    interruption: BaseException | None = None,
) -> Iterator[str]:
    """Yield the tree of a loop's tasks, if it has any, below a title."""
    tree = [] if loop.is_closed() else render(loop, session, first, interruption)
    if tree:
        state = SessionState.of(session)
        is_busy = any(run.task.get_loop() is loop for run in state.all_running)
        owner = owner_behind(loop)
        assert owner is not None
        name = address(owner.node) or "the session"
        yield f"\nTasks of the loop of {name}{'' if is_busy else ', which stands still'}:"
        yield from tree


def start(session: pytest.Session) -> None:
    """Have the failures of all runs from now on show the tree of tasks.

    The end of a time-out shows it without being asked.
    """
    SessionState.of(session).observe(_Failures())


@final
class _Sections:
    """The hooks of a session in which an error has a tree of tasks to show."""

    NAME: ClassVar = "asyncio-task-trees"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None:
            show(call.excinfo.value, report)
        return report


@final
class _Failures(Observer):
    """Shows with each failure what the tasks of its loop were doing."""

    def run_ended(self, run: Run) -> None:
        task, failure = run.task, run.interruption
        if failure is None and task.done():
            failure = run.reason if task.cancelled() else task.exception() or run.reason
        if failure is not None and not is_attached(failure):
            attach(failure, task.get_loop(), run.item.session, task)


def attach(
    error: BaseException,
    loop: AbstractEventLoop,
    session: pytest.Session,
    first: Task[Any] | None = None,
    interruption: BaseException | None = None,
) -> None:
    """Have the report of an error show what the tasks of a loop are doing now, and of others."""
    lines = render(loop, session, first, interruption) or ["no tasks"]
    loops = tuple(SessionState.of(session).open_loops.values())
    for other in loops:
        if other is not loop:
            lines += render_titled(other, session)
    lines += worker_threads.others(loops)
    keep(error, "\n".join(lines), session)


def keep(error: BaseException, text: str, session: pytest.Session) -> None:
    """Have the report of an error show a text about tasks."""
    vars(error)[_KEPT] = text
    if not session.config.pluginmanager.hasplugin(_Sections.NAME):
        session.config.pluginmanager.register(_Sections(), _Sections.NAME)


def is_attached(error: BaseException) -> bool:
    """Return whether the report of an error shows the tree of tasks."""
    return _KEPT in vars(error)


def show(error: BaseException, report: pytest.TestReport) -> None:
    """Add what was attached to an error, or to one in its group, to the report of a failure."""
    if text := vars(error).get(_KEPT):
        pytest_private.add_section(report, TITLE, text)
    if is_a(error, BaseExceptionGroup):
        for part in error.exceptions:
            show(part, report)


class _Tree:
    def __init__(
        self,
        loop: AbstractEventLoop,
        session: pytest.Session,
        first: Task[Any] | None,
        interruption: BaseException | None,
    ) -> None:
        state = SessionState.of(session)
        self._runs = {run.task: run for run in state.all_running}
        self._items = {task: fixture.item for task, fixture in state.standing.items()}
        """For which test each task is: its own, or a fixture that is set up for it."""
        self._items |= {early.run.task: early.item for early in state.early_setups.values()}
        self._items |= {task: run.item for task, run in self._runs.items()}
        self._loop = loop
        self._first = first
        self._interruption = interruption
        self._running = running_on(loop, interruption)
        standing = {task for task in ended_fixtures.standing(session) if task.get_loop() is loop}
        self._ended = {
            task
            for task in asyncio_private.ended_tasks()
            if task.get_loop() is loop and self._is_of_interest(task)
        }
        tasks = sorted(asyncio.all_tasks(loop) | standing | self._ended, key=self._order)
        self._waiting = Waiting(tasks)
        self._at_yield = standing - self._runs.keys()
        idle = {task for task in self._at_yield if not self._waiting.has_part(task)}
        self._tasks = [task for task in tasks if task not in idle]
        self._names = Counter(self._name(task) for task in self._tasks)
        self._shown: set[Task[Any]] = set()

    def lines(self) -> Iterator[str]:
        if deadlock := self._waiting.deadlock():
            first, *others = map(self._title, deadlock)
            links = ", which waits for ".join([*others, first])
            yield f"Deadlock: {first} waits for {links}"
        elif self._all_wait():
            yield from wakers.said_of(self._loop, self._interruption)
        for task in self._tasks:
            if not self._waiting.awaiters[task]:
                yield from self._branch(task, "", "")
        for task in self._tasks:  # Those that await one another hang on none of the above.
            if task not in self._shown:
                yield from self._branch(task, "", "")

    def _branch(self, task: Task[Any], first: str, others: str) -> Iterator[str]:
        if task in self._shown:
            yield _cut(f"{first}{self._title(task)}, see above")
            return
        self._shown.add(task)
        awaited = [other for other in self._tasks if task in self._waiting.awaiters[other]]
        thread = worker_threads.of_task(task)
        yield _cut(f"{first}{self._title(task)}{self._state(task)}{_origin(task)}")
        bar = "│" if awaited or thread else " "
        for line in self._chain(task):
            yield _cut(f"{others}{bar}   {line}")
        if not (awaited or thread) and (future := _bare_future_of(task)):
            yield _cut(f"{others}    {future}")
        for child in awaited[:-1]:
            yield from self._branch(child, f"{others}├── ", f"{others}│   ")
        for child in awaited[-1:]:
            yield from self._branch(child, f"{others}└── ", f"{others}    ")
        if thread is not None:
            yield _cut(f"{others}└── thread {thread[0].name!r}")
            for line in lines_of(thread[1], waits=False):
                yield _cut(f"{others}        {line}")

    def _chain(self, task: Task[Any]) -> Iterator[str]:
        if not has_begun(task):
            return
        error = asyncio_private.error_of(task) if task in self._ended else None
        chain = chain_of(task) if error is None else chain_of_error(error, task)
        waits = error is None and not self._is_ready(task)
        yield from lines_of(chain, waits=waits)
        if holders := self._waiting.holders.get(task):
            yield f"which is held by {self._names_of(holders, task)}"
        elif acquirers := self._waiting.acquirers.get(task):
            yield f"which seems to be held by {self._names_of(acquirers, task)}"
        elif task in self._waiting.locks:
            yield "which none of these tasks is seen to hold:"
            yield "one that has ended may not have released it"

    def _names_of(self, holders: list[Task[Any]], waiting: Task[Any]) -> str:
        return listed(["itself" if it is waiting else self._title(it) for it in holders])

    def _all_wait(self) -> bool:
        """Return whether tasks wait on the only loop that has any turn."""
        running = [task for task in self._runs if not task.done()]
        return (
            self._running is None
            and {task.get_loop() for task in running} == {self._loop}
            and not any(self._is_ready(task) for task in self._tasks)
        )

    def _is_ready(self, task: Task[Any]) -> bool:
        """Return whether a task runs, or waits for nothing but its turn."""
        return not task.done() and asyncio_private.future_of(task) is None

    def _is_of_interest(self, task: Task[Any]) -> bool:
        """Return whether others may wait for what a task that has ended was to do."""
        error = asyncio_private.error_of(task)
        return error is not None and (
            error is self._interruption or not asyncio_private.is_retrieved(task)
        )

    def _order(self, task: Task[Any]) -> tuple[bool, bool, int, str, str, str]:
        name = task.get_name()
        is_first, is_test = task is self._first, self._is_test(task)
        item = self._items[task].name if task in self._items else ""
        return (not is_first, not is_test, len(name), name, item, call_of(task))

    def _is_test(self, task: Task[Any]) -> bool:
        return task in self._runs and self._runs[task].fixturedef is None

    def _name(self, task: Task[Any]) -> str:
        name = task.get_name()
        return f"{self._runs[task].item.name} ({name})" if self._is_test(task) else name

    def _title(self, task: Task[Any]) -> str:
        """Return a task's name, and where that says nothing, what it was made of."""
        name = self._name(task)
        if not name.startswith("Task-") and self._names[name] == 1:
            return name
        if task in self._items:
            return f"{name} of {self._items[task].name}"
        return f"{name}: {call_of(task)}"

    def _state(self, task: Task[Any]) -> str:
        if task is self._running:
            return ", running"
        if task in self._at_yield:
            return ", at its yield"
        if not has_begun(task):
            return ", not begun"
        if self._is_ready(task):
            return ", ready to go on"
        error = asyncio_private.error_of(task) if task in self._ended else None
        if error is None or error is self._interruption:
            return ""
        return f", ended with {options.shown(error)}"


def _bare_future_of(task: Task[Any]) -> str | None:
    """Say what a task waits for, if that is a future which no call of Python's own has made."""
    chain = chain_of(task)
    if task.done() or not chain or frames.kind_of(chain[-1].frame) == "python":
        return None
    if worker_threads.waits_for_one(task):
        return "waits for a thread of an executor, none of which is free"
    return "waits for a Future" if asyncio_private.future_of(task) is not None else None


def _origin(task: Task[Any]) -> str:
    for entry in reversed(asyncio_private.source_of(task)):
        if frames.is_users_file(entry.filename):
            return f", created at {frames.short(entry.filename)}:{entry.lineno}"
    return ""


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
