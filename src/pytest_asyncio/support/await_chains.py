"""Await chains: where a task is, from its outermost coroutine down to the line that waits."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import traceback
from asyncio import AbstractEventLoop, Task
from collections.abc import Iterator
from itertools import dropwhile, groupby, takewhile
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, NamedTuple

from pytest_asyncio.support import asyncio_private, frames
from pytest_asyncio.support.foreign import attribute

_OPAQUE: Final = {  # They show nobody what they wait for, except the garbage collector.
    "anext_awaitable",
    "async_generator_asend",
    "async_generator_athrow",
    "coroutine_wrapper",
}


class Step(NamedTuple):
    """A line of code that something is at."""

    frame: FrameType
    line: int

    def __str__(self) -> str:
        return frames.place(self.frame.f_code, self.line)

    @property
    def place(self) -> str:
        return f"{frames.short(self.frame.f_code.co_filename)}:{self.line}"


def running_on(loop: AbstractEventLoop, interruption: BaseException | None) -> Task[Any] | None:
    """Return the task that a loop runs at the moment, or that an interruption has ended there."""
    hit = [
        task
        for task in asyncio_private.ended_tasks()
        if asyncio_private.error_of(task) is interruption is not None and task.get_loop() is loop
    ]
    if not hit:
        return asyncio.current_task(loop)
    # The error that has left one task may have gone on to those that await it.
    return min(hit, key=lambda task: len(chain_of(task, interruption)))


def chain_of(task: Task[Any], interruption: BaseException | None = None) -> list[Step]:
    """Return where a task is, or was when an interruption ended it, its outermost coroutine first.

    The chain of one that is running at the moment goes on to the frames of its thread.
    """
    if interruption is not None and asyncio_private.error_of(task) is interruption:
        return chain_of_error(interruption, task)
    outermost = frame_of(task.get_coro())
    if outermost is not None and asyncio.current_task(task.get_loop()) is task:
        stack = _stack_below(outermost)
        if stack:
            return [Step(frame, frame.f_lineno) for frame in stack if not frames.is_own(frame)]
    return list(_suspended_chain(task))


def has_begun(task: Task[Any]) -> bool:
    """Return whether a task has run any line of its coroutine; else it is at its `def`."""
    coro = task.get_coro()
    return not inspect.iscoroutine(coro) or inspect.getcoroutinestate(coro) != inspect.CORO_CREATED


def chain_of_error(error: BaseException, task: Task[Any] | None = None) -> list[Step]:
    """Return where an error was raised, from the outermost line of the user's, or a task's, on."""
    steps = [Step(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    code = None if task is None else attribute(task.get_coro(), "cr_code", CodeType)
    begins = [index for index, step in enumerate(steps) if step.frame.f_code is code]
    return steps[begins[0] :] if begins else _from_users_on(steps)


def chain_of_thread(thread: threading.Thread) -> list[Step]:
    """Return where a thread is, from the outermost line of the user's on."""
    return _from_users_on(steps_outwards(frames.innermost(thread.ident or 0))[::-1])


def steps_outwards(frame: FrameType | None) -> list[Step]:
    """Return a frame and those that have called it, the innermost first."""
    return [Step(frame, line) for frame, line in traceback.walk_stack(frame)] if frame else []


def _from_users_on(steps: list[Step]) -> list[Step]:
    return list(dropwhile(lambda step: frames.kind_of(step.frame) != "user", steps))


def traceback_of(task: Task[Any]) -> TracebackType | None:
    """Return a traceback that ends at the user's line at which a task is."""
    return frames.up_to_users(as_traceback(chain_of(task)))


def traceback_to(frame: FrameType) -> TracebackType | None:
    """Return a traceback from what the test runner has called to the user's line, in a thread."""
    steps = takewhile(lambda it: not frames.is_runners(it.frame), steps_outwards(frame))
    return frames.up_to_users(as_traceback([*steps][::-1]))


def as_traceback(chain: list[Step]) -> TracebackType | None:
    result = None
    for frame, line in reversed(chain):
        result = TracebackType(result, frame, frame.f_lasti, line)
    return result


def last_of_users(chain: list[Step]) -> Step | None:
    """Return the last line of a chain that is the user's, or else an installed package's."""
    for kind in ("user", "package"):
        for step in reversed(chain):
            if frames.kind_of(step.frame) == kind:
                return step
    return None


def described(task: Task[Any]) -> str:
    """Return the name of a task, with its call where that says nothing, and the user's line."""
    name = task.get_name()
    title = f"{name}: {call_of(task)}" if name.startswith("Task-") else name
    where = last_of_users(chain_of(task))
    return title if where is None else f"{title} at {where}"


def call_of(task: Task[Any]) -> str:
    """Return how the coroutine of a task was called, as far as its arguments are plain."""
    coro: Any = task.get_coro()
    name = (attribute(coro, "__qualname__", str) or type(coro).__name__).rpartition(".")[2]
    frame = attribute(coro, "cr_frame", FrameType)
    if frame is None:
        return f"{name}()"
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    values = frame.f_locals
    plain = [f"{it}={_short(values[it])}" for it in names if type(values.get(it)) in _PLAIN]
    return f"{name}({', '.join(plain)})"


_PLAIN: Final = (bool, bytes, float, int, str)
"""The types of which no code of the user's is run to show them."""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 20 else f"{text[:19]}…"


def described_thread(thread: threading.Thread) -> str:
    """Return the name of a thread and the user's line at which it is, or what it waits for."""
    chain = steps_outwards(frames.innermost(thread.ident or 0))
    where = last_of_users(chain[::-1]) or (_name_of_call(chain[:1]) if chain else "its end")
    return f"{thread.name!r} at {where}"


def lines_of(chain: list[Step], *, waits: bool) -> Iterator[str]:
    """Yield the lines of a chain that say something to the user.

    What Python's own code does in between says nothing, and at the end what it was called for.
    Of an installed package it is where it is entered, and where it calls something else.
    """
    shown = [step for step in chain if frames.kind_of(step.frame) != "runner"]
    groups = [(kind, [*steps]) for kind, steps in groupby(shown, lambda it: frames.kind_of(it[0]))]
    for index, (kind, steps) in enumerate(groups):
        if kind == "user":
            yield from map(str, steps)
        elif kind == "package":
            yield str(steps[0])
            if len(steps) > 2:
                yield "…"
            if len(steps) > 1:
                yield str(steps[-1])
        elif kind == "python" and index == len(groups) - 1:
            yield f"{'waits for' if waits else 'is in'} {_name_of_call(steps)}"


def _name_of_call(steps: list[Step]) -> str:
    """Name what of Python's own was called: the first whose name is public."""
    named = [it.frame for it in steps if not it.frame.f_code.co_name.startswith("_")]
    frame = (named or [it.frame for it in steps])[0]
    name = frame.f_code.co_qualname
    if "." in name:
        return name.partition(".__")[0]
    return f"{frames.module_of(frame).partition('.')[0]}.{name}"


def _stack_below(outermost: FrameType) -> list[FrameType]:
    """Return the frames of the thread that runs a coroutine, from that one on."""
    for innermost in frames.all_innermost():
        stack: list[FrameType] = []
        frame: FrameType | None = innermost
        while frame is not None:
            stack.append(frame)
            if frame is outermost:
                return stack[::-1]
            frame = frame.f_back
    return []


def _suspended_chain(task: Task[Any]) -> Iterator[Step]:
    for awaitable in awaitables_of(task):
        frame = frame_of(awaitable)
        if frame is not None and not frames.is_own(frame):
            yield Step(frame, frame.f_lineno)


def awaitables_of(task: Task[Any]) -> Iterator[Any]:
    """Yield what a task that waits stands in: coroutines, each awaiting the next one."""
    awaitable: Any = task.get_coro()
    while awaitable is not None:
        yield awaitable
        awaitable = _awaited_by(awaitable)


def frame_of(awaitable: Any) -> FrameType | None:
    for name in ("cr_frame", "ag_frame", "gi_frame"):
        frame: FrameType | None = attribute(awaitable, name, FrameType)
        if frame is not None:
            return frame
    return None


def _awaited_by(awaitable: object) -> Any:
    for name in ("cr_await", "ag_await", "gi_yieldfrom"):
        # Of its type, for an iterator that somebody awaits may have every attribute.
        if attribute(type(awaitable), name, object) is not None:
            return attribute(awaitable, name, object)
    if type(awaitable).__name__ in _OPAQUE:
        return next(filter(_is_awaitable, gc.get_referents(awaitable)), None)
    return None


def _is_awaitable(referent: Any) -> bool:
    return type(referent).__name__ in _OPAQUE or frame_of(referent) is not None
