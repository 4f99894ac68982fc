"""The pytest plugin for testing asyncio code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .fixtures import fixture
from .items import is_async_test

if TYPE_CHECKING:
    from .lifetimes import getfixturevalue

__version__ = "2.0.0"

__all__ = ("fixture", "getfixturevalue", "is_async_test")


def __getattr__(name: str) -> Any:
    if name == "getfixturevalue":  # which needs asyncio, as the import of a plugin does not
        from .lifetimes import getfixturevalue

        return getfixturevalue
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
