"""What is left on a loop when nothing uses it any more: it is ended before the loop is closed."""

from __future__ import annotations

import traceback
import warnings
from asyncio import Task, all_tasks
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from pytest_asyncio.support import asyncio_private

from . import event_loop
from .session import SessionState

if TYPE_CHECKING:
    from .loops import LoopOwner


def end(owner: LoopOwner, spared: AbstractSet[Task[None]]) -> None:
    """End what is left on a loop, but the tasks that are spared, as `asyncio.Runner` does.

    The loop stays open, and may be used as before.
    """
    loop = owner.opened
    if loop is None or loop.is_closed() or asyncio_private.has_nothing_left(loop):
        return
    state = SessionState.of(owner.node.session)
    for notify in state.on_loop_ending:
        notify(owner, all_tasks(loop) - spared)
    # Fixtures are yet to put back what a test has patched, such as the methods of its loop.
    ending = Task(event_loop.end_everything(loop, spared), loop=loop)
    try:
        for interruption in owner.see_through(ending):
            if not isinstance(interruption, event_loop.Stopped):
                raise interruption
    except KeyboardInterrupt as interruption:
        state.postpone(interruption)
        return
    asyncio_private.allow_more(loop)
    for error in ending.result():
        is_own = isinstance(error, event_loop.RefusingError)
        warn_of_teardown(str(error) if is_own else "".join(traceback.format_exception(error)))


def warn_of_teardown(reason: str) -> None:
    warnings.warn(
        RuntimeWarning(f"An exception occurred during teardown of an asyncio.Runner.\n{reason}"),
        stacklevel=1,
    )
