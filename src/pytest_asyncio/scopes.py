"""Which loop scope a test has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from . import fixtures, internals, items, marks, settings
from .marks import AsyncioMark
from .settings import ScopeName


def loop_scope_of(item: pytest.Function, mark: AsyncioMark) -> ScopeName:
    """Return the loop scope of a test: its mark's, or else the default."""
    if mark.loop_scope is not None:
        return mark.loop_scope
    default = settings.of(item.config).test_loop_scope
    scope = _widest_fixture_loop_scope(item) if default == "auto" else default
    return "module" if mark.concurrent and scope == "function" else scope


def loop_scope_of_fixture(
    fixturedef: pytest.FixtureDef[Any],
    scope: ScopeName,
    item: pytest.Function,
    plan: items.Plan | None,
) -> ScopeName:
    """Return the loop scope of a fixture that is cached for `scope` and requested by an item.

    A test that runs beside others has no loop of its own. What it would set up there by default
    is set up on the loop that it shares.
    """
    own = fixtures.loop_scope_of(fixturedef, scope, item.config)
    if plan is None or not plan.mark.concurrent or fixtures.names_loop_scope(fixturedef):
        return own
    return settings.widest(own, loop_scope_of(item, plan.mark))


def widest_loop_scope_of(item: pytest.Function) -> ScopeName:
    """Return the widest loop scope of a test and its async fixtures.

    As the scope of a parameter, it has pytest group the tests by that parameter, so that each of
    the loops is opened once.
    """
    own = loop_scope_of(item, marks.merged(item))
    return settings.widest(own, _widest_fixture_loop_scope(item))


def _widest_fixture_loop_scope(item: pytest.Function) -> ScopeName:
    used = (definitions[-1] for definitions in internals.fixture_definitions(item).values())
    found: Iterator[ScopeName] = (
        fixtures.loop_scope_of(fixturedef, fixturedef.scope, item.config)
        for fixturedef in used
        if fixtures.is_ours(fixturedef, item.config)
    )
    return settings.widest("function", *found)
