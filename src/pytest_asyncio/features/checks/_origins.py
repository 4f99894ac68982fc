"""Where tasks and async generators come from: which test or fixture began them, and where."""

from __future__ import annotations

import inspect
from asyncio import AbstractEventLoop, Task
from collections.abc import AsyncGenerator, MutableMapping
from contextvars import Context
from dataclasses import dataclass
from typing import Any, ClassVar, Final, final
from weakref import WeakKeyDictionary

import pytest

from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import asyncio_private, frames, instruments
from pytest_asyncio.support.instruments import Instruments

from . import Culprit, whose


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """For whom something was started, on which loop, if on any, and where."""

    culprit: Culprit | None
    loop: AbstractEventLoop | None
    filename: str
    line: int

    @classmethod
    def here(cls, loop: AbstractEventLoop | None, context: Context | None = None) -> Origin:
        """Return the origin of what the user's code, which has called this, is starting.

        What runs in a context of its own, such as a fixture that a test awaits, is for whom that
        was made.
        """
        # Not kept in a variable: a frame that holds itself is left to the garbage collector.
        frame = frames.users(inspect.currentframe()) or frames.others(inspect.currentframe())
        assert frame is not None
        return cls(whose(context), loop, frame.f_code.co_filename, frame.f_lineno)

    def __str__(self) -> str:
        return f"{frames.short(self.filename)}:{self.line}"


@final
class Origins(Observer):
    """The origins of the tasks of a session."""

    _KEY: ClassVar = pytest.StashKey["Origins"]()

    def __init__(self) -> None:
        self._instruments: Final[dict[LoopOwner, Instruments]] = {}
        self._of: Final = WeakKeyDictionary[Task[Any], Origin]()

    @classmethod
    def of(cls, session: pytest.Session) -> Origins:
        if cls._KEY not in session.stash:
            session.stash[cls._KEY] = cls()
            SessionState.of(session).observe(session.stash[cls._KEY])
        return session.stash[cls._KEY]

    def loop_opened(self, owner: LoopOwner) -> None:
        loop = owner.opened
        assert loop is not None

        def remember(task: Task[Any], context: Context | None) -> None:
            self._of[task] = Origin.here(loop, context)

        self._instruments[owner] = instruments.seeing_tasks(loop, remember)
        instruments.attach(loop, self._instruments[owner])

    def loop_closing(self, owner: LoopOwner) -> None:
        instruments.detach(owner.opened, self._instruments.pop(owner))

    def find(self, task: Task[Any]) -> Origin | None:
        return self._of.get(task)

    def started_by(self, culprit: Culprit) -> dict[Task[Any], Origin]:
        """Return the tasks that a test or fixture has started, in the order in which it did."""
        return {task: it for task, it in tuple(self._of.items()) if it.culprit is culprit}


def generator_instruments(
    loop: AbstractEventLoop, origins: MutableMapping[AsyncGenerator[Any, Any], Origin]
) -> Instruments:
    """Return what remembers the origins of the async generators that begin on a loop."""
    begin = getattr(loop, asyncio_private.ON_FIRST_ITERATION, None)  # Not all loops have it.
    if begin is None:
        return {}

    def begin_recorded(generator: AsyncGenerator[Any, Any]) -> None:
        origins[generator] = Origin.here(loop)
        begin(generator)

    return {asyncio_private.ON_FIRST_ITERATION: begin_recorded}
