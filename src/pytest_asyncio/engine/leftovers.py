"""What is left on a loop when nothing uses it any more: it is ended, and the loop closed."""

from __future__ import annotations

import traceback
import warnings
from asyncio import AbstractEventLoop, BaseEventLoop, Task, all_tasks
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_asyncio.support import asyncio_private, finalizers, frames
from pytest_asyncio.support.warn import warn_of

from . import event_loop

if TYPE_CHECKING:
    from .loops import LoopOwner


def end(owner: LoopOwner, spared: AbstractSet[Task[None]]) -> None:
    """End what is left on a loop, but the tasks that are spared, as `asyncio.Runner` does.

    The loop stays open, and may be used as before.
    """
    loop = owner.opened
    if loop is None or loop.is_closed() or asyncio_private.has_nothing_left(loop):
        return
    for notify in owner.state.on_loop_ending:
        notify(owner, all_tasks(loop) - spared)
    # Fixtures are yet to put back what a test has patched, such as the methods of its loop.
    ending = asyncio_private.hidden_task(
        event_loop.end_everything(loop, spared), loop, "end of everything"
    )
    try:
        for interruption in owner.see_through(ending):
            if not isinstance(interruption, event_loop.Stopped):
                raise interruption
    except KeyboardInterrupt as interruption:
        owner.state.postpone(interruption)
        return
    asyncio_private.allow_more(loop)
    for error in ending.result():
        if isinstance(error, event_loop.RefusingError):
            warn_of_teardown(owner, str(error))
        else:
            shown = error.with_traceback(frames.hide_own(error.__traceback__))
            warn_of_teardown(owner, "".join(traceback.format_exception(shown)))


def close(loop: AbstractEventLoop, owner: LoopOwner) -> None:
    """Close a loop; what that warns of is shown at the node whose loop it is.

    uvloop waits for ever for a server or connection if the warning about it is raised.
    """
    __tracebackhide__ = True
    if isinstance(loop, BaseEventLoop):
        loop.close()
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop.close()
    finalizers.call_all((partial(_warn_again, each, owner.node) for each in caught), str(owner))


def _warn_again(caught: warnings.WarningMessage, node: pytest.Item | pytest.Collector) -> None:
    __tracebackhide__ = True
    assert isinstance(caught.message, Warning)
    node.warn(caught.message)


def warn_of_teardown(owner: LoopOwner, reason: str) -> None:
    warn_of(owner.node, f"An exception occurred during teardown of an asyncio.Runner.\n{reason}")
