"""Coexistence with pytest-run-parallel, which calls each test function in several threads."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pytest_asyncio.collect.items import is_async_test


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Have async tests called once, by pytest: threads would drop the coroutines unawaited."""
    yield
    reason = "its event loop belongs to one thread"
    for item in filter(is_async_test, items):
        item.add_marker(pytest.mark.thread_unsafe(reason=reason))
        item.add_marker(pytest.mark.iterations(1), append=False)
