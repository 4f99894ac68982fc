"""Warnings that advise, and fail no test, also where a suite makes errors of warnings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

import pytest

from . import frames

_MODULE: Final = "pytest_asyncio.plugin"
"""The module that users' filters know all warnings by, wherever they are shown."""


def warn_at(function: Callable[..., Any], message: str, item: pytest.Item) -> None:
    """Warn of something deprecated at a function of the suite, for an item that uses it."""
    path, line = frames.definition_of(function) or _location_of(item)
    warnings.warn_explicit(message, pytest.PytestDeprecationWarning, path, line, _MODULE)


def _location_of(item: pytest.Item) -> tuple[str, int]:
    path, line, _ = item.location
    return path, (line or 0) + 1


def advise(
    item: pytest.Item, message: str, category: type[pytest.PytestWarning] = pytest.PytestWarning
) -> None:
    """Show a warning about an item in the summary, also where warnings are made errors."""
    advice = category(message)
    path, lineno = _location_of(item)
    try:
        warnings.warn_explicit(advice, category, path, lineno, _MODULE)
    except category:
        item.config.hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": warnings.WarningMessage(advice, category, path, lineno),
                "when": "runtest",
                "nodeid": item.nodeid,
                "location": None,
            }
        )
