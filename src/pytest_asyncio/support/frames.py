"""Frames: whose code they run, and how a line is shown to users."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, Literal, TypeAlias

from . import running_session
from .foreign import is_a

PACKAGE: Final = __name__.partition(".")[0]
"""What the names of all modules of the plugin begin with."""

_RUNNERS: Final = {
    *("__main__", PACKAGE, "_pytest", "execnet", "pluggy", "pytest", "pytest_timeout", "xdist"),
}
_SELECTORS: Final = {"selectors", "asyncio.windows_events"}
_RUNS_LOOPS: Final = f"{PACKAGE}.engine.loops"
_RUNS_ITERATIONS: Final = "asyncio.base_events"
_LIBRARY: Final = Path(functools.__file__).parent
_SITE_PACKAGES: Final = "site-packages"
_OWN: Final = Path(__file__).parents[1]


Kind: TypeAlias = Literal["user", "package", "python", "runner"]
"""Whose code it is: the suite's and what it tests, an installed package's, Python's, or pytest's.
"""


def kind_of(frame: FrameType) -> Kind:
    """Return whose code a frame runs."""
    root = module_of(frame).partition(".")[0]
    if root in _RUNNERS:
        return "runner"
    if root in sys.stdlib_module_names:
        return "python"
    # The code of extension modules, if it has frames, names a file that is not there.
    file = _global(frame, "__file__") or frame.f_code.co_filename
    return "package" if _SITE_PACKAGES in file else "user"


def is_users(frame: FrameType) -> bool:
    """Return whether a frame runs code that is neither Python's own nor the test runner's."""
    return kind_of(frame) in ("user", "package")


def works_for_users(frame: FrameType | None) -> bool:
    """Return whether a frame runs the user's code, or Python's own on behalf of that."""
    while frame is not None and not (is_users(frame) or is_runners(frame)):
        frame = frame.f_back
    return frame is not None and is_users(frame)


def module_of(frame: FrameType) -> str:
    """Return the name of the module that a frame is in. Code that `exec()` runs may have none."""
    return _global(frame, "__name__")


def _global(frame: FrameType, name: str) -> str:
    value: Any = frame.f_globals.get(name)
    return value if is_a(value, str) else ""


def is_runners(frame: FrameType) -> bool:
    """Return whether a frame runs code of the test runner."""
    return module_of(frame).partition(".")[0] in _RUNNERS


def users(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame, from `frame` outwards, that runs the user's code.

    That of an installed package counts where there is no other.
    """
    of_package: FrameType | None = None
    for caller in callers(frame):
        if kind_of(caller) == "user":
            return caller
        of_package = of_package or caller
    return of_package


def callers(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames, from `frame` outwards, of the user's code and of installed packages.

    What runs the event loop itself is not asked.
    """
    while frame is not None and module_of(frame) != _RUNS_LOOPS:
        if is_users(frame):
            yield frame
        frame = frame.f_back


def is_library(filename: str) -> bool:
    """Return whether a file is one of Python's own."""
    path = Path(filename)
    return path.is_relative_to(_LIBRARY) and _SITE_PACKAGES not in path.parts


def is_users_file(filename: str) -> bool:
    """Return whether a file is neither Python's own, nor an installed package's, nor ours."""
    path = Path(filename)
    is_installed = _SITE_PACKAGES in path.parts or path.is_relative_to(_OWN)
    return not (is_installed or path.is_relative_to(_LIBRARY) or filename.startswith("<"))


def others(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame, from `frame` outwards, that runs no code of this package."""
    while frame is not None and is_own(frame):
        frame = frame.f_back
    return frame


def waits_for_news(frame: FrameType | None) -> bool:
    """Return whether a frame is that in which a loop waits. Those of loops in C have none."""
    if frame is None or module_of(frame) not in _SELECTORS:
        return False
    caller = frame.f_back
    if caller is not None and is_own(caller):
        return True
    # Libraries, such as looptime, wrap what a loop calls. A callback that waits in a selector of
    # its own is called from elsewhere.
    while caller is not None and (module_of(caller) in _SELECTORS or is_users(caller)):
        caller = caller.f_back
    return caller is not None and module_of(caller) == _RUNS_ITERATIONS


def has_left_a_wait(error: BaseException) -> bool:
    """Return whether an error was raised while a loop waited, as by the handler of a signal."""
    return any(module_of(it.tb_frame) in _SELECTORS for it in entries_of(error.__traceback__))


def innermost(thread: int) -> FrameType | None:
    """Return the frame that a thread is in, or which has called this package there.

    A frame of ours would hold itself, and all that its callers hold, in a variable.
    """
    # It is documented, whatever its underscore says.
    return others(sys._current_frames().get(thread))  # pyright: ignore[reportPrivateUsage]


def is_in_own(thread: int) -> bool:
    """Return whether a thread runs this package's code, and nothing that it has called.

    So it does while a loop in C, which has no frames, waits.
    """
    frame = sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]
    return frame is not None and is_own(frame)


def all_innermost() -> list[FrameType]:
    """Return those of all threads."""
    return [*filter(None, map(others, sys._current_frames().values()))]  # pyright: ignore[reportPrivateUsage]


def entries_of(traceback: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the entries of a traceback, from the outermost one on."""
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def up_to_users(traceback: TracebackType | None) -> TracebackType | None:
    """Let a traceback end at the user's last line, if there is one.

    That of an installed package counts where there is no other.
    """
    entries = list(entries_of(traceback))
    kinds = [kind_of(entry.tb_frame) for entry in entries]
    for kind in ("user", "package"):
        if kind in kinds:
            entries[-1 - kinds[::-1].index(kind)].tb_next = None
            break
    return traceback


def traceback_at(filename: str, line: int) -> TracebackType:
    """Return a traceback of a single line, in which nothing has been raised, to show that one."""
    # A report shows what precedes the line from the first one of its code on, and marks columns.
    code = compile("get_frame()", filename, "eval").replace(co_firstlineno=line)
    frame = eval(code, {"get_frame": sys._getframe})  # pyright: ignore[reportPrivateUsage]
    return TracebackType(None, frame, -1, line)


def hide_own(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without this package's lines.

    One that ends there is returned whole: its error is the package's own.
    """
    if ends_in_own(traceback):
        return traceback
    return _linked([it for it in entries_of(traceback) if not is_own(it.tb_frame)])


def hide_asyncios(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the lines of asyncio and its executors, which say nothing.

    One in which nothing but the test runner has called these is returned whole.
    """
    left = [it for it in entries_of(traceback) if not _is_asyncios(it.tb_frame)]
    return traceback if left and is_runners(left[-1].tb_frame) else _linked(left)


def _linked(entries: list[TracebackType]) -> TracebackType | None:
    following = None
    for entry in reversed(entries):
        entry.tb_next = following
        following = entry
    return following


def ends_in_own(traceback: TracebackType | None) -> bool:
    """Return whether the last line of a traceback, if it has any, is this package's."""
    is_last = True
    for entry in entries_of(traceback):
        is_last = is_own(entry.tb_frame)
    return is_last


def _is_asyncios(frame: FrameType) -> bool:
    return module_of(frame).partition(".")[0] in ("asyncio", "concurrent")


def is_own(frame: FrameType) -> bool:
    return module_of(frame).partition(".")[0] == PACKAGE


def definition_of(function: Any) -> tuple[str, int] | None:
    """Return the file and line at which a function, or what it wraps, is defined."""
    code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
    return (code.co_filename, code.co_firstlineno) if isinstance(code, CodeType) else None


def place(code: CodeType, line: int | None) -> str:
    """Name a line of code: `tests/test_it.py:12 in test_it`."""
    return f"{short(code.co_filename)}:{line} in {code.co_qualname}"


def short(filename: str) -> str:
    """Shorten a path to what leads there from where pytest was started, or to its module's end."""
    session = running_session.get()
    here = os.curdir if session is None else session.config.invocation_params.dir
    return _shortened(filename, str(here))


@functools.cache
def _shortened(filename: str, here: str) -> str:
    path = Path(filename)
    if _SITE_PACKAGES in path.parts:
        return "/".join(path.parts[path.parts.index(_SITE_PACKAGES) + 1 :])
    with suppress(ValueError, OSError):  # Another drive, or a test has deleted where it was.
        if is_users_file(filename):
            return Path(os.path.relpath(path, here)).as_posix()
    return "/".join(path.parts[-2:])


def end_of(traceback: TracebackType | None) -> tuple[str, int] | None:
    """Return the file and line at which a traceback ends."""
    end = None
    while traceback is not None:
        end = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next
    return end
