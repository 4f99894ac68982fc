"""Which loop scope a test has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import fixtures, internals, marks, settings
from .marks import AsyncioMark
from .settings import ScopeName


def loop_scope_of(item: pytest.Function, mark: AsyncioMark) -> ScopeName:
    """Return the loop scope of a test: its mark's, or else the default."""
    if mark.loop_scope is not None:
        return mark.loop_scope
    default = settings.of(item.config).test_loop_scope
    return _widest_fixture_loop_scope(item) if default == "auto" else default


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
