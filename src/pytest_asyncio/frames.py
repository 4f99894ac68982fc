"""Frames: whose code they run, and how users are told of a line."""

from __future__ import annotations

import functools
import sys
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Final

_RUNNERS: Final = {__package__, "_pytest", "pluggy", "pytest"}
_SITE_PACKAGES: Final = "site-packages"


def is_users(frame: FrameType) -> bool:
    """Tell whether a frame runs code that is neither Python's own nor the test runner's."""
    root = str(frame.f_globals.get("__name__")).partition(".")[0]
    return root not in sys.stdlib_module_names and root not in _RUNNERS


def users(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame, from `frame` outwards, that runs the user's code."""
    while frame is not None and not is_users(frame):
        frame = frame.f_back
    return frame


def innermost(thread: int) -> FrameType | None:
    """Return the frame that a thread is in."""
    return sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]


def up_to_users(traceback: TracebackType | None) -> TracebackType | None:
    """Let a traceback end at the user's last line, if there is one."""
    last, step = None, traceback
    while step is not None:
        if is_users(step.tb_frame):
            last = step
        step = step.tb_next
    if last is not None:
        last.tb_next = None
    return traceback


def hide_own(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without this package's lines.

    One that ends there is returned whole: its error is the package's own.
    """
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    shown = [entry for entry in entries if not _is_own(entry.tb_frame)]
    if not shown or shown[-1] is not entries[-1]:
        return entries[0] if entries else None
    for entry, following in pairwise([*shown, None]):
        entry.tb_next = following
    return shown[0]


def _is_own(frame: FrameType) -> bool:
    return frame.f_globals.get("__package__") == __package__


def place(code: CodeType, line: int | None) -> str:
    """Tell a line of code: `tests/test_it.py:12 in test_it`."""
    return f"{short(code.co_filename)}:{line} in {code.co_qualname}"


@functools.cache
def short(filename: str) -> str:
    """Shorten a path to what follows the current directory, or to its module's end."""
    path = Path(filename)
    if _SITE_PACKAGES in path.parts:
        return "/".join(path.parts[path.parts.index(_SITE_PACKAGES) + 1 :])
    if path.is_relative_to(Path.cwd()):
        return path.relative_to(Path.cwd()).as_posix()
    return "/".join(path.parts[-2:])


def end_of(traceback: TracebackType | None) -> tuple[str, int] | None:
    """Return the file and line at which a traceback ends."""
    end = None
    while traceback is not None:
        end = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next
    return end
