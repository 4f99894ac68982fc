"""The pytest plugin for testing asyncio code."""

from .fixtures import fixture
from .items import is_async_test

__version__ = "2.0.0"

__all__ = ("fixture", "is_async_test")
