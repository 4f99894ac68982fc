"""What goes on outside of a loop with a virtual clock: threads and subprocesses."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Final

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


def is_waited_for(process: Any) -> bool:
    """Return whether a subprocess runs and somebody waits for its end or its output."""
    if process.get_returncode() is not None:
        return False
    protocol = process.get_protocol()
    if not isinstance(protocol, asyncio.subprocess.SubprocessStreamProtocol):
        return True  # Nobody can know.
    streams: tuple[Any, ...] = (protocol.stdout, protocol.stderr)
    return bool(process._exit_waiters) or any(stream and stream._waiter for stream in streams)
