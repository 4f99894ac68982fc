"""What goes on in the threads beside a loop with a virtual clock."""

from __future__ import annotations

import threading
from typing import Final

from pytest_asyncio.support import frames

_WAITING: Final = threading.Condition.wait.__code__


def is_busy(thread: threading.Thread) -> bool:
    """Return whether a thread may be doing anything but wait, for ever, for another thread."""
    frame = frames.innermost(thread.ident or 0)
    if frame is None or frame.f_code is not _WAITING:
        return True
    waiting = frame.f_locals
    # One that was woken, and has yet to run, is on the list no more.
    is_asleep = waiting.get("waiter") in waiting["self"]._waiters
    return waiting["timeout"] is not None or not is_asleep
