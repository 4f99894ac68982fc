"""Where tasks and async generators come from: which test or fixture began them, and where."""

from __future__ import annotations

import inspect
from asyncio import AbstractEventLoop, Task
from collections.abc import AsyncGenerator, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, final
from weakref import WeakKeyDictionary, WeakSet

import pytest

from pytest_asyncio.support import frames

from . import CULPRIT, Culprit
from ._instruments import instrument


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """For whom something was started, on which loop, and where."""

    culprit: Culprit | None
    loop: AbstractEventLoop
    filename: str
    line: int

    @classmethod
    def here(cls, loop: AbstractEventLoop) -> Origin:
        """Return the origin of what the user's code, which has called this, is starting."""
        # Not kept in a variable: a frame that holds itself is left to the garbage collector.
        frame = frames.users(inspect.currentframe()) or frames.others(inspect.currentframe())
        assert frame is not None
        return cls(CULPRIT.get(), loop, frame.f_code.co_filename, frame.f_lineno)

    def __str__(self) -> str:
        return f"{frames.short(self.filename)}:{self.line}"


@final
class Origins:
    """The origins of the tasks of a session."""

    _KEY: ClassVar = pytest.StashKey["Origins"]()

    def __init__(self) -> None:
        self._loops: Final = WeakSet[AbstractEventLoop]()
        self._of: Final = WeakKeyDictionary[Task[Any], Origin]()

    @classmethod
    def of(cls, session: pytest.Session) -> Origins:
        return session.stash.setdefault(cls._KEY, cls())

    def record(self, loop: AbstractEventLoop) -> None:
        """Remember the origins of the tasks that are created on a loop from now on."""
        if loop in self._loops:
            return
        self._loops.add(loop)
        create = loop.create_task

        def create_task(*args: Any, **kwargs: Any) -> Task[Any]:
            task = create(*args, **kwargs)
            self._of[task] = Origin.here(loop)
            return task

        # Not by a task factory, which is the suite's own to set, and to read.
        instrument(loop, {"create_task": create_task})

    def find(self, task: Task[Any]) -> Origin | None:
        return self._of.get(task)

    def started_by(self, culprit: Culprit) -> dict[Task[Any], Origin]:
        """Return the tasks that a test or fixture has started, in the order in which it did."""
        return {task: it for task, it in tuple(self._of.items()) if it.culprit is culprit}


def record_generators(
    loop: AbstractEventLoop, origins: MutableMapping[AsyncGenerator[Any, Any], Origin]
) -> None:
    """Remember the origins of the async generators that begin on a loop from now on."""
    begin = getattr(loop, "_asyncgen_firstiter_hook", None)  # Not all loops have it.
    if begin is None:
        return

    def begin_recorded(generator: AsyncGenerator[Any, Any]) -> None:
        origins[generator] = Origin.here(loop)
        begin(generator)

    instrument(loop, {"_asyncgen_firstiter_hook": begin_recorded})
