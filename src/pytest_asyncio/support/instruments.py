"""Instruments: functions that an event loop calls in place of its own methods, while it is open."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any, TypeAlias

from . import asyncio_private
from .foreign import is_a

Instruments: TypeAlias = Mapping[str, Callable[..., Any]]
"""By the names of the methods. Each calls the method that it stands for, and so holds the loop."""


def attach(loop: object, instruments: Instruments) -> None:
    vars(loop).update(instruments)


def detach(loop: object, instruments: Instruments) -> None:
    """Take instruments away, which work to the end where a library has wrapped them meanwhile.

    Nothing but the garbage collector would free a loop that holds them.
    """
    attributes = vars(loop)
    for name, function in instruments.items():
        if attributes.get(name) is function:
            del attributes[name]


def seeing_tasks(
    loop: AbstractEventLoop, *see: Callable[[Task[Any], Context | None], None]
) -> Instruments:
    """Return what shows tasks as created at the user's line, and has them seen as they are created.

    Each `see` takes a task, and the context that it was given. No task factory does it, which is
    the suite's own to set, and to read.
    """
    create = loop.create_task

    def create_task(*args: Any, **kwargs: Any) -> Task[Any]:
        task = create(*args, **kwargs)
        if is_a(task, Future):  # A task factory may return anything.
            asyncio_private.end_source_at_users(task)
            for call in see:
                call(task, kwargs.get("context"))
        return task

    return {"create_task": create_task}
