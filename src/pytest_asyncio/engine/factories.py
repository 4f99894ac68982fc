"""Which loop factory an item runs with, and the loops that it makes."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from typing import Any

import pytest

from pytest_asyncio.collect import loop_factories, marks, options, policies
from pytest_asyncio.collect.marks import AsyncioMark
from pytest_asyncio.support import frames
from pytest_asyncio.support.foreign import text
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.types import LoopFactory

from .plan import Plan
from .session import SessionState


def factory_of(item: pytest.Function, plan: Plan | None) -> LoopFactory | None:
    """Return the loop factory that an item and its fixtures run with; None is asyncio's own."""
    if plan is None:
        mark = marks.default(item)
        return _made_for(item, mark, loop_factories.selected_for(item, mark))
    if not plan.has_factory:
        plan.factory = _made_for(item, plan.mark, plan.selected)
        plan.has_factory = True
    return plan.factory


def _made_for(
    item: pytest.Function, mark: AsyncioMark, selected: LoopFactory | None
) -> LoopFactory | None:
    factory = selected or options.of(item.config).loop_factory
    if selected is None and policies.is_overridden(item.session):
        default = SessionState.of(item.session).default_factory
        factory = policies.factory_of(item, factory or default)
    if mark.clock == "virtual":
        make_virtual = SessionState.of(item.session).virtual_factory
        assert make_virtual is not None  # The feature is switched on by the first who asks for it.
        return make_virtual(factory, item)
    return factory


def make_loop(factory: LoopFactory, node: pytest.Item | pytest.Collector) -> AbstractEventLoop:
    """Make the loop of a node. Fails the test where the factory does not return an open loop."""
    __tracebackhide__ = True
    try:
        loop: Any = factory()
    except Exception as error:
        if not frames.ends_in_own(error.__traceback__):
            raise
        # No line of the factory has run: it takes arguments, or is not written in Python.
        pytest.fail(
            f"{address(node)}: the loop factory {options.shown(factory)}, called without "
            f"arguments, raised {type(error).__name__}: {text(error)}.",
            pytrace=False,
        )
    if not isinstance(loop, AbstractEventLoop):
        pytest.fail(
            f"{address(node)}: the loop factory {options.shown(factory)} returned "
            f"{options.shown(loop)}, which is not an event loop.",
            pytrace=False,
        )
    if loop.is_closed():
        pytest.fail(
            f"{address(node)}: the loop factory {options.shown(factory)} returned an event loop "
            "that is closed. Let it return a new one at each call.",
            pytrace=False,
        )
    return loop
