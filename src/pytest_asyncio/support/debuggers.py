"""Debuggers: whether the user is in one, so that time stands still for the plugin."""

from __future__ import annotations

import sys
from typing import Final

import pytest

from . import frames
from .foreign import attribute

_MODULES: Final = {"_pydevd_bundle", "bdb", "debugpy", "pdb", "pydevd", "pydevd_frame_evaluator"}
_IN_PDB: Final[pytest.StashKey[bool]] = pytest.StashKey()


def pytest_enter_pdb(config: pytest.Config) -> None:
    config.stash[_IN_PDB] = True


def pytest_leave_pdb(config: pytest.Config) -> None:
    config.stash[_IN_PDB] = False


def is_active(config: pytest.Config, thread: int) -> bool:
    """Return whether the user is in a debugger, or one follows what a thread does."""
    if config.stash.get(_IN_PDB, False):
        return True
    if sys.version_info >= (3, 12):  # pragma: no cover  # There is nothing to ask before.
        monitoring = sys.monitoring
        if monitoring.get_tool(monitoring.DEBUGGER_ID) is not None:
            return True
    frame = frames.innermost(thread)
    while frame is not None:
        modules = (frames.module_of(frame), attribute(frame.f_trace, "__module__", str) or "")
        if any(module.partition(".")[0] in _MODULES for module in modules):
            return True
        frame = frame.f_back
    return False
