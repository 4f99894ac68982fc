"""Warnings that advise, and fail no test, also where a suite makes errors of warnings."""

from __future__ import annotations

import warnings

import pytest


def advise(item: pytest.Item, message: str) -> None:
    """Show a warning about an item in the summary, also where warnings are made errors."""
    advice = pytest.PytestWarning(message)
    try:
        item.warn(advice)
    except pytest.PytestWarning:
        path, line, _ = item.location
        item.config.hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": warnings.WarningMessage(
                    advice, type(advice), path, (line or 0) + 1
                ),
                "when": "runtest",
                "nodeid": item.nodeid,
                "location": None,
            }
        )
