"""The awaits of tasks: what a task waits for, seen as it begins to, and blocks of code that may be
cancelled at each of them.
"""

from __future__ import annotations

import asyncio
import re
from asyncio import CancelledError, Future, Task
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Protocol, Self, final

from pytest_asyncio.support.foreign import attribute


@final
class Watched(Coroutine[Any, Any, Any]):
    """A coroutine of which each await is seen before its task waits.

    It looks like the coroutine that it runs to whoever asks where a task is.
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], see: Callable[[Future[Any] | None], object]
    ) -> None:
        self._coroutine: Final[Any] = coroutine
        self._see: Final = see

    def send(self, value: Any) -> Any:
        __tracebackhide__ = True
        awaited = self._coroutine.send(value)
        self._see(awaited)
        return awaited

    def throw(self, *error: Any) -> Any:
        __tracebackhide__ = True
        try:
            awaited = self._coroutine.throw(*error)
        finally:
            del error  # Its traceback holds this frame, and so all that the coroutine has dropped.
        self._see(awaited)
        return awaited

    def close(self) -> None:  # pragma: no cover  # No task calls it.
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:  # pragma: no cover  # No task calls it.
        waiting: Generator[Any, Any, Any] = self._coroutine.__await__()
        return waiting

    @property
    def cr_await(self) -> Any:
        """What the coroutine awaits: who asks looks for it in the type."""
        return self._coroutine.cr_await

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)


class Sweep(Protocol):
    """What is to know of the blocks that tasks are in."""

    def entered(self, block: CancellableBlock, task: Task[Any]) -> None: ...
    def left(self, block: CancellableBlock, task: Task[Any]) -> None: ...
    def went_on(self, block: CancellableBlock, task: Task[Any]) -> None: ...


SWEEP: Final = ContextVar[Sweep | None]("SWEEP", default=None)
"""The sweep that code runs in."""


def cancellable(*, tasks: bool = False) -> CancellableBlock:
    """Return a block of code that is to be safe to cancel, for `async with`.

    In a test with `@pytest.mark.asyncio(cancel=True)`, which is run again for each await within the
    block, the block is cancelled there. It ends quietly when the cancellation comes out of it.
    Anywhere else it does nothing. With `tasks=True`, the tasks that are started in the block are
    cancelled too, one by one, at each of their awaits.
    """
    return CancellableBlock(tasks)


@final
class CancellableBlock:
    """A block of code that may be cancelled: see `cancellable()`."""

    def __init__(self, tasks: bool = False, *, is_whole_test: bool = False) -> None:
        self.fired: bool = False
        """Whether the block was cancelled in this run of the test."""
        self.caught: bool = False
        """Whether the cancellation has come out of the block, which has caught it."""
        self.tasks: Final = tasks
        self.is_whole_test: Final = is_whole_test
        self._sweep: Sweep | None = None
        self._task: Task[Any] | None = None

    async def __aenter__(self) -> Self:
        self._sweep, self._task = SWEEP.get(), asyncio.current_task()
        if self._sweep is not None and self._task is not None:
            self._sweep.entered(self, self._task)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        sweep, task = self._sweep, self._task
        if sweep is None or task is None:
            return False
        sweep.left(self, task)
        if not self.fired:
            return False
        is_last = task.uncancel() == 0
        if error is None:
            sweep.went_on(self, task)
            return False
        self.caught = isinstance(error, CancelledError)
        if self.is_whole_test:
            return not isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit))
        return self.caught and is_last


def name_of(task: Task[Any]) -> str:
    """Return what names a task in every run: the names that asyncio gives count up."""
    if _UNNAMED.fullmatch(task.get_name()):
        coro = task.get_coro()
        return f"a task of {attribute(coro, '__qualname__', str) or coro}"
    return f"the task {task.get_name()!r}"


_UNNAMED: Final = re.compile(r"Task-\d+")
