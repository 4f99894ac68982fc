"""What is known of an async test before anything is set up for it, and what it has then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from contextvars import Context

    from pytest_asyncio.collect.marks import AsyncioMark
    from pytest_asyncio.support.types import LoopFactory

    from .loops import LoopOwner


class Plan:
    """What is known of an async test before anything is set up for it, and what it has then."""

    is_called: bool = False
    """Whether its call has begun."""
    factory: LoopFactory | None = None
    """What `factory_of` has found, once it is asked."""
    has_factory: bool = False
    owner: LoopOwner | None = None
    """Its loop's, from its first fixture to its teardown."""
    before: Context | None = None
    """What there was before its own fixtures were set up."""
    surround: Callable[[Awaitable[Any]], Coroutine[Any, Any, Any]] | None = None
    """What awaits, for a feature, what the test function has returned."""

    def __init__(
        self,
        item: pytest.Item,
        mark: AsyncioMark,
        selected: LoopFactory | None,
        is_async: bool,
        handle: Any,
    ) -> None:
        vars(item)[_PLAN] = self
        self.mark: AsyncioMark = mark
        self.selected: Final = selected
        self.is_async: Final = is_async
        self.handle: Final = handle
        """What holds the function that Hypothesis calls for each example, if it does that."""


_PLAN: Final = "_pytest_asyncio_plan"
"""The attribute of an item that is its plan: its stash would cost five times as much."""


def plan_of(item: pytest.Item) -> Plan | None:
    """Return the plan of an item, if it has one."""
    return vars(item).get(_PLAN)


def forget_plan(item: pytest.Item) -> None:
    """Let go of what an item had: items outlive their tests."""
    vars(item).pop(_PLAN, None)


OUTCOME: Final[pytest.StashKey[Callable[[], Any]]] = pytest.StashKey()
"""Returns or raises what an async test did, whose call has taken place beside others."""
