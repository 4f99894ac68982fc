"""What to write where a synchronous test hangs because a loop stands still."""

from __future__ import annotations

from typing import Final

import pytest

from pytest_asyncio.collect import items
from pytest_asyncio.engine import async_fixtures
from pytest_asyncio.support import callables, pytest_private

HAS_BEEN_LIVE: Final[pytest.StashKey[bool]] = pytest.StashKey()
"""Set for an item whose loops are, or were, live."""


def is_beside_live_loops(item: pytest.Function) -> bool:
    """Return whether an item is synchronous, and its loops are, or were, live."""
    return HAS_BEEN_LIVE in item.stash and not is_async(item)


def is_async(item: pytest.Function) -> bool:
    """Return whether the function of an item is to be awaited."""
    return callables.kind_of(items.test_function(item)) is not None


def advise(item: pytest.Function) -> str | None:
    """Say how to let loops go on, if a synchronous test has async fixtures and no live loop."""
    if is_async(item) or HAS_BEEN_LIVE in item.stash:
        return None
    names = [
        repr(name)
        for name, definitions in pytest_private.fixture_definitions(item).items()
        if async_fixtures.owner_in_use(definitions[-1]) is not None
    ]
    if not names:
        return None
    fixtures = f"fixture {names[0]}" if len(names) == 1 else f"fixtures {', '.join(names)}"
    return (
        f"What it waits for may be on the event loop of the {fixtures}, which stands still while "
        f"synchronous code runs. Write @pytest.mark.asyncio(live=True) at {item.name} to let it "
        "go on."
    )
