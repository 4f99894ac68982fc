"""Warnings about lines of the suite. Filters know them all as warnings of `plugin`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

import pytest

from . import frames

_MODULE: Final = "pytest_asyncio.plugin"
"""The module that users' filters know all warnings by, wherever they are shown."""

_WARNED: Final[pytest.StashKey[dict[Any, Any]]] = pytest.StashKey()
"""What a node was warned of."""


def warn_at(
    item: pytest.Item, message: Warning | str, function: Callable[..., Any] | None = None
) -> None:
    """Warn of something deprecated at an item, or at a function of the suite that it uses."""
    __tracebackhide__ = True
    definition = None if function is None else frames.definition_of(function)
    place = definition or place_of(item)
    _warn(message, pytest.PytestDeprecationWarning, place)


def warn_of(node: pytest.Item | pytest.Collector, message: str) -> None:
    """Warn, once at a node of the suite, of what has happened to its event loop."""
    __tracebackhide__ = True
    _warn(message, RuntimeWarning, place_of(node), node.stash.setdefault(_WARNED, {}))


def _warn(
    message: Warning | str,
    category: type[Warning],
    place: tuple[str, int],
    registry: dict[Any, Any] | None = None,
) -> None:
    """Warn at a line of the suite, which is also where the warning is raised if it is an error."""
    __tracebackhide__ = True
    try:
        warnings.warn_explicit(message, category, *place, _MODULE, registry)
    except category as error:
        raise error.with_traceback(frames.traceback_at(*place)) from None


def place_of(node: pytest.Item | pytest.Collector) -> tuple[str, int]:
    """Return the file and the line of a test, or the beginning of a wider node."""
    if not isinstance(node, pytest.Item):
        return str(node.path), 1
    path, line, _ = node.reportinfo()
    return str(path), (line or 0) + 1


def advise(
    item: pytest.Item,
    message: str,
    category: type[pytest.PytestWarning] = pytest.PytestWarning,
    *,
    at: Callable[..., Any] | None = None,
) -> None:
    """Show a warning in the summary, also where warnings are made errors.

    It is about an item, and shown at it, or at a function of the suite.
    """
    advice = category(message)
    place = (None if at is None else frames.definition_of(at)) or place_of(item)
    try:
        warnings.warn_explicit(advice, category, *place, _MODULE)
    except category:
        item.config.hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": warnings.WarningMessage(advice, category, *place),
                "when": "runtest",
                "nodeid": item.nodeid,
                "location": None,
            }
        )
