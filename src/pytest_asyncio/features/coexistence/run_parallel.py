"""Coexistence with pytest-run-parallel, which calls each test function in several threads."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_asyncio.collect import items


def keep_to_one_thread(collected: Iterable[pytest.Item]) -> None:
    """Have async tests called once, by pytest: threads would drop the coroutines unawaited."""
    reason = "its event loop belongs to one thread"
    for item in filter(items.is_async_test, collected):
        item.add_marker(pytest.mark.thread_unsafe(reason=reason))
        item.add_marker(pytest.mark.iterations(1), append=False)
