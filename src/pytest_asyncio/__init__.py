"""The pytest plugin for testing asyncio code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import modules

modules.exempt_from_rewriting(__name__)

from .fixtures import fixture  # noqa: E402
from .items import is_async_test  # noqa: E402

if TYPE_CHECKING:
    from .checks import CheckWarning
    from .checks.blocked_loop import BlockedLoopWarning
    from .checks.leaked_tasks import LeakedTaskWarning
    from .checks.never_awaited import NeverAwaitedWarning
    from .checks.open_resources import OpenResourceWarning
    from .checks.unhandled_exceptions import UnhandledExceptionWarning
    from .clock import Clock
    from .requests import getfixturevalue
    from .runners import LoopRunner
else:  # Type checkers are to know no other names.

    def __getattr__(name: str) -> object:
        if name in _LATE:
            from importlib import import_module

            modules.remember(__name__)
            return getattr(import_module(f".{_LATE[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "2.0.0"

__all__ = (
    "BlockedLoopWarning",
    "CheckWarning",
    "Clock",
    "LeakedTaskWarning",
    "LoopRunner",
    "NeverAwaitedWarning",
    "OpenResourceWarning",
    "UnhandledExceptionWarning",
    "fixture",
    "getfixturevalue",
    "is_async_test",
)

# These need asyncio, as the import of a plugin does not.
_LATE = {
    "BlockedLoopWarning": "checks.blocked_loop",
    "CheckWarning": "checks",
    "Clock": "clock",
    "LeakedTaskWarning": "checks.leaked_tasks",
    "LoopRunner": "runners",
    "NeverAwaitedWarning": "checks.never_awaited",
    "OpenResourceWarning": "checks.open_resources",
    "UnhandledExceptionWarning": "checks.unhandled_exceptions",
    "getfixturevalue": "requests",
}
