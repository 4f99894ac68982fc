"""Which loop scope a test has, and on whose loop it and its fixtures run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.types import ScopeName

from . import fixtures, marks, options
from .marks import AsyncioMark


def node_of_scope(
    node: pytest.Item | pytest.Collector, scope: ScopeName
) -> pytest.Item | pytest.Collector:
    """Return the node whose loop is meant by a loop scope, as seen from `node`.

    A function without a class is its own class, and what is in no package has the session's loop.
    """
    if scope == "session":
        return node.session
    if scope == "package":
        return node.getparent(pytest.Package) or node.session
    if scope == "module":
        return node.getparent(pytest.Module) or node
    if scope == "class":
        return node.getparent(pytest.Class) or node
    return node


def scope_of_node(node: pytest.Item | pytest.Collector) -> ScopeName:
    """Return the loop scope that means the loop of a node."""
    if isinstance(node, pytest.Session):
        return "session"
    if isinstance(node, pytest.Package):
        return "package"
    if isinstance(node, pytest.Module):
        return "module"
    return "class" if isinstance(node, pytest.Class) else "function"


def loop_scope_of(item: pytest.Function, mark: AsyncioMark) -> ScopeName:
    """Return the loop scope of a test: its mark's, or else the default."""
    if mark.loop_scope is not None:
        return mark.loop_scope
    default = options.of(item.config).default_test_loop_scope
    scope = _widest_fixture_loop_scope(item) if default == "auto" else default
    return "module" if mark.concurrent and scope == "function" else scope


def node_of(item: pytest.Function, mark: AsyncioMark) -> pytest.Item | pytest.Collector:
    """Return the node whose loop a test runs on."""
    scope = loop_scope_of(item, mark)
    if (
        scope == "package"
        and mark.loop_scope is None
        and options.of(item.config).default_test_loop_scope == "auto"
    ):  # The fixtures may be of packages that hold the test's own, and each has a loop.
        used = _async_fixtures(item)
        return _widest(*(node_of_fixture(each, scope, item, None) for each, scope in used))
    return node_of_scope(item, scope)


def node_of_fixture(
    fixturedef: pytest.FixtureDef[Any],
    scope: ScopeName,
    item: pytest.Function,
    mark: AsyncioMark | None,
) -> pytest.Item | pytest.Collector:
    """Return the node on whose loop an item's fixture runs that is cached for `scope`.

    A package's fixture is one for all packages in it. A test that runs beside others has no loop
    of its own: what it would set up there by default is set up on the loop that it shares.
    """
    loop_scope = fixtures.loop_scope_of(fixturedef, scope, item.config)
    package = (
        pytest_private.package_of(fixturedef, item) if scope == loop_scope == "package" else None
    )
    own = package or node_of_scope(item, loop_scope)
    if mark is None or not mark.concurrent or fixtures.names_loop_scope(fixturedef):
        return own
    return _widest(own, node_of(item, mark))


def widest_loop_scope_of(item: pytest.Function) -> ScopeName:
    """Return the widest loop scope of a test and its async fixtures.

    As the scope of a parameter, it has pytest group the tests by that parameter, so that each of
    the loops is opened once.
    """
    own = loop_scope_of(item, marks.merged(item))
    return options.widest(own, _widest_fixture_loop_scope(item))


def _widest_fixture_loop_scope(item: pytest.Function) -> ScopeName:
    found: Iterator[ScopeName] = (
        fixtures.loop_scope_of(used, scope, item.config) for used, scope in _async_fixtures(item)
    )
    return options.widest("function", *found)


def _async_fixtures(
    item: pytest.Function,
) -> Iterator[tuple[pytest.FixtureDef[Any], ScopeName]]:
    """Yield the async fixtures of an item, and the scope that each is cached for."""
    for definitions in pytest_private.fixture_definitions(item).values():
        if fixtures.is_ours(definitions[-1], item.config):
            yield definitions[-1], pytest_private.scope_for(item, definitions[-1])


def _widest(*nodes: pytest.Item | pytest.Collector) -> pytest.Item | pytest.Collector:
    """Return the one of an item's nodes that holds the others."""
    return min(nodes, key=lambda node: len(node.listchain()))
