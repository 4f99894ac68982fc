"""Warnings that advise, and fail no test, also where a suite makes errors of warnings."""

from __future__ import annotations

import warnings

import pytest


def advise(
    item: pytest.Item, message: str, category: type[pytest.PytestWarning] = pytest.PytestWarning
) -> None:
    """Show a warning about an item in the summary, also where warnings are made errors."""
    advice = category(message)
    path, line, _ = item.location
    lineno = (line or 0) + 1
    try:
        # Filters know it as one of `plugin`.
        warnings.warn_explicit(advice, category, path, lineno, "pytest_asyncio.plugin")
    except category:
        item.config.hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": warnings.WarningMessage(advice, category, path, lineno),
                "when": "runtest",
                "nodeid": item.nodeid,
                "location": None,
            }
        )
