"""Frames: whose code they run, and how users are told of a line."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Final

_SITE_PACKAGES: Final = "site-packages"


def is_users(frame: FrameType) -> bool:
    """Tell whether a frame runs code that is neither Python's own nor this package's."""
    root = frame.f_globals.get("__name__", "").partition(".")[0]
    return root not in sys.stdlib_module_names and root != __package__


def users(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame, from `frame` outwards, that runs the user's code."""
    while frame is not None and not is_users(frame):
        frame = frame.f_back
    return frame


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
