"""What the tasks of a loop are doing: the tree of tasks, and the report section that shows it."""

from __future__ import annotations

import asyncio
import gc
import sys
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType, TracebackType
from typing import Any, Final, final

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.engine import async_fixtures
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import frames, pytest_private

TITLE: Final = "asyncio tasks"
WIDTH: Final = 80

ON_ATTACHED: Final[pytest.StashKey[Callable[[], object]]] = pytest.StashKey()
"""What to do when a tree is attached to an error for the first time in a session."""

_KEPT: Final = "_pytest_asyncio_tasks"
_OPAQUE: Final = {  # They tell nobody what they wait for, except the garbage collector.
    "anext_awaitable",
    "async_generator_asend",
    "async_generator_athrow",
    "coroutine_wrapper",
}


def render(
    loop: AbstractEventLoop, session: pytest.Session, first: Task[Any] | None = None
) -> list[str]:
    """Return the lines of the tree of a loop's tasks: below each one, those that it awaits.

    Each task is told by its name, where it was created, which the debug mode of asyncio records,
    and its await chain down to the line that waits. Fixtures that are set up are among them.
    """
    fixtures = {task for task in async_fixtures.standing(session) if task.get_loop() is loop}
    tests = {
        run.task: run.item.name
        for run in SessionState.of(session).all_running
        if run.fixturedef is None
    }
    return list(_Tree(asyncio.all_tasks(loop) | fixtures, tests, first).lines())


def traceback_of(task: Task[Any]) -> TracebackType | None:
    """Return a traceback that ends at the user's line at which a task waits."""
    traceback = None
    for frame in reversed(tuple(_chain(task))):
        traceback = TracebackType(traceback, frame, frame.f_lasti, frame.f_lineno)
    return frames.up_to_users(traceback)


def start(session: pytest.Session) -> None:
    """Have the failures of all runs from now on show the tree of tasks, if the options ask for it.

    The end of a time-out shows it without being asked.
    """
    if options.of(session.config).tasks:
        SessionState.of(session).observe(_Failures())


@final
class _Failures(Observer):
    """Shows with each failure what the tasks of its loop were doing."""

    def run_ended(self, run: Run) -> None:
        task, failure = run.task, run.interruption
        if failure is None and task.done():
            failure = run.reason if task.cancelled() else task.exception() or run.reason
        if failure is not None and _KEPT not in vars(failure):
            attach(failure, task.get_loop(), run.item.session, task)


def attach(
    error: BaseException,
    loop: AbstractEventLoop,
    session: pytest.Session,
    first: Task[Any] | None = None,
) -> None:
    """Have the report of an error show what the tasks of a loop are doing now."""
    vars(error)[_KEPT] = "\n".join(render(loop, session, first))
    on_attached = session.stash.get(ON_ATTACHED, None)
    if on_attached is not None:
        del session.stash[ON_ATTACHED]
        on_attached()


def show(error: BaseException, report: pytest.TestReport) -> None:
    """Add what was attached to an error, or to one in its group, to the report of a failure."""
    if text := vars(error).get(_KEPT):
        pytest_private.add_section(report, TITLE, text)
    parts: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    for part in parts:
        show(part, report)


class _Tree:
    def __init__(
        self, tasks: set[Task[Any]], tests: dict[Task[Any], str], first: Task[Any] | None
    ) -> None:
        self._tests = tests
        self._first = first
        self._tasks = sorted(tasks, key=self._order)
        self._awaiters = _awaiters(self._tasks)
        self._shown: set[Task[Any]] = set()

    def lines(self) -> Iterator[str]:
        for task in self._tasks:
            if not self._awaiters[task]:
                yield from self._branch(task, "", "")
        for task in self._tasks:  # Those that await one another hang on none of the above.
            if task not in self._shown:
                yield from self._branch(task, "", "")

    def _branch(self, task: Task[Any], first: str, others: str) -> Iterator[str]:
        if task in self._shown:
            yield _cut(f"{first}{self._name(task)}, see above")
            return
        self._shown.add(task)
        awaited = [other for other in self._tasks if task in self._awaiters[other]]
        yield _cut(f"{first}{self._name(task)}{_origin(task)}")
        bar = "│" if awaited else " "
        for frame in _chain(task):
            line = frames.place(frame.f_code, frame.f_lineno)
            yield _cut(f"{others}{bar}   {line}")
        for child in awaited[:-1]:
            yield from self._branch(child, f"{others}├── ", f"{others}│   ")
        for child in awaited[-1:]:
            yield from self._branch(child, f"{others}└── ", f"{others}    ")

    def _order(self, task: Task[Any]) -> tuple[bool, bool, int, str]:
        name = task.get_name()
        return (task is not self._first, task not in self._tests, len(name), name)

    def _name(self, task: Task[Any]) -> str:
        name = task.get_name()
        return f"{self._tests[task]} ({name})" if task in self._tests else name


def _awaiters(tasks: Sequence[Task[Any]]) -> dict[Task[Any], set[Future[Any]]]:
    """Tell for each task which of the others await it."""
    if sys.version_info >= (3, 14):  # pragma: no cover  # asyncio does not tell it before.
        # What capture_call_graph() reads, which never ends where tasks await each other.
        return {
            task: set(getattr(task, "_asyncio_awaited_by", None) or ()) & set(tasks)
            for task in tasks
        }
    return _awaiters_by_callbacks(tasks)


def _awaiters_by_callbacks(tasks: Sequence[Task[Any]]) -> dict[Task[Any], set[Future[Any]]]:
    waiting: dict[Any, Task[Any]] = {getattr(task, "_fut_waiter", None): task for task in tasks}
    awaiters: dict[Task[Any], set[Future[Any]]] = {}
    for task in tasks:
        woken = {waiting.get(future, future) for future in _woken_by(task, set())}
        awaiters[task] = woken & set(tasks) - {task}
    return awaiters


def _woken_by(future: Future[Any], seen: set[Future[Any]]) -> set[Future[Any]]:
    """Gather a future, and those that its callbacks are to wake when it is done."""
    if future not in seen:
        seen.add(future)
        for callback, _ in getattr(future, "_callbacks", None) or ():
            if isinstance(group := getattr(callback, "__self__", None), asyncio.TaskGroup):
                seen.add(vars(group)["_parent_task"])
            for held in _futures_of(callback):
                _woken_by(held, seen)
    return seen


def _futures_of(callback: Any) -> Iterator[Future[Any]]:
    """Yield what a callback acts on: those of `gather()`, `wait()` and `shield()` are closures."""
    held: list[Any] = []
    for cell in getattr(callback, "__closure__", None) or ():
        with suppress(ValueError):  # It is empty.
            held.append(cell.cell_contents)
    if isinstance(callback, partial):  # that of wait_for()
        held += callback.args
    yield from filter(asyncio.isfuture, held)


def _origin(task: Task[Any]) -> str:
    for entry in reversed(getattr(task, "_source_traceback", None) or ()):
        if "asyncio" not in entry.filename:
            return f", created at {frames.short(entry.filename)}:{entry.lineno}"
    return ""


def _chain(task: Task[Any]) -> Iterator[FrameType]:
    """Yield the frames in which a task waits, from its outermost coroutine to its innermost."""
    awaitable: Any = task.get_coro()
    while awaitable is not None:
        frame = _frame_of(awaitable)
        if frame is not None and not frames.is_own(frame):
            yield frame
        awaitable = _awaited_by(awaitable)


def _frame_of(awaitable: Any) -> FrameType | None:
    for name in ("cr_frame", "ag_frame", "gi_frame"):
        if hasattr(awaitable, name):
            frame: FrameType | None = getattr(awaitable, name)
            return frame
    return None


def _awaited_by(awaitable: Any) -> Any:
    for name in ("cr_await", "ag_await", "gi_yieldfrom"):
        if hasattr(awaitable, name):
            return getattr(awaitable, name)
    if type(awaitable).__name__ in _OPAQUE:
        return next(filter(_is_awaitable, gc.get_referents(awaitable)), None)
    return None


def _is_awaitable(referent: Any) -> bool:
    return type(referent).__name__ in _OPAQUE or _frame_of(referent) is not None


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
