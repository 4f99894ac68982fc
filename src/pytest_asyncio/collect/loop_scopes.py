"""Which loop scope a test has, and on whose loop it and its fixtures run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import pytest

from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.types import ScopeName

from . import fixtures, items, marks, options, xunit_functions
from .marks import AsyncioMark

_Node: TypeAlias = pytest.Item | pytest.Collector


def node_of_scope(item: pytest.Item, scope: ScopeName) -> _Node:
    """Return the node whose loop is meant by a loop scope, as seen from an item.

    A function without a class is its own class, and what is in no package has the session's loop.
    """
    if scope == "session":
        return item.session
    if scope == "package":
        package = item.getparent(pytest.Package)
        return item.session if package is None else _node_of_package(package, item)
    if scope == "module":
        return item.getparent(pytest.Module) or item
    if scope == "class":
        return item.getparent(pytest.Class) or item
    return item


def _node_of_package(package: pytest.Package, item: pytest.Item) -> _Node:
    """Return the node whose loop is a package's.

    That is its own, unless async fixtures of packages are defined further out: those are shared by
    all packages that see them, and so is their loop.
    """
    if _PACKAGES not in package.stash:
        package.stash[_PACKAGES] = _widest(
            package,
            *(
                pytest_private.package_of(fixturedef, package)
                for fixturedef in pytest_private.visible_definitions(package)
                if fixtures.is_ours(fixturedef, item)
                and fixtures.has_loop_of_package(fixturedef, item)
            ),
        )
    return package.stash[_PACKAGES]


def scope_of_node(node: _Node) -> ScopeName:
    """Return the loop scope that means the loop of a node."""
    if isinstance(node, pytest.Session):
        return "session"
    if isinstance(node, pytest.Package):
        return "package"
    if isinstance(node, pytest.Module):
        return "module"
    return "class" if isinstance(node, pytest.Class) else "function"


def loop_scope_of(item: pytest.Function, mark: AsyncioMark) -> ScopeName:
    """Return the loop scope that a test asks for: its mark's, or else the default."""
    if mark.loop_scope is not None:
        return mark.loop_scope
    default = options.at(item).default_test_loop_scope
    scope = _widest_fixture_loop_scope(item) if default == "auto" else default
    return "module" if mark.concurrent and scope == "function" else scope


def node_of(item: pytest.Function, mark: AsyncioMark) -> _Node:
    """Return the node whose loop a test runs on."""
    scope = mark.loop_scope or options.at(item).default_test_loop_scope
    if scope == "auto":
        return _auto_node(item, mark)
    return node_of_scope(item, "module" if mark.concurrent and scope == "function" else scope)


def _auto_node(item: pytest.Function, mark: AsyncioMark) -> _Node:
    if options.at(item).default_fixture_loop_scope == "auto":
        return _shared_loops(item.session).get(item) or _needed_by(item, mark)
    return _needed_by(item, mark)


def node_of_fixture(
    fixturedef: pytest.FixtureDef[Any],
    scope: ScopeName,
    item: pytest.Function,
    mark: AsyncioMark | None,
) -> _Node:
    """Return the node on whose loop an item's fixture runs that is cached for `scope`.

    A test that runs beside others has no loop of its own: what it would set up there by default is
    set up on the loop that it shares.
    """
    loop_scope = fixtures.loop_scope_of(fixturedef, scope, item)
    if loop_scope == "auto":
        return _auto_node_of_fixture(fixturedef, scope, item, mark)
    own = node_of_scope(item, loop_scope)
    if mark is None or not mark.concurrent or fixtures.names_loop_scope(fixturedef):
        return own
    return _widest(own, node_of(item, mark))


def _auto_node_of_fixture(
    fixturedef: pytest.FixtureDef[Any],
    scope: ScopeName,
    item: pytest.Function,
    mark: AsyncioMark | None,
) -> _Node:
    if scope == "function":
        return node_of(item, mark or marks.default(item))
    own = node_of_scope(item, scope)
    return _shared_loops(item.session).get((fixturedef, own), own)


def _needed_by(item: pytest.Function, mark: AsyncioMark) -> _Node:
    """Return the widest node whose loop a test, or one of its fixtures, has by itself."""
    own = mark.loop_scope or ("module" if mark.concurrent else "function")
    used = (
        node_of_scope(item, _own_loop_scope(each, scope, item))
        for each, scope in _async_fixtures(item)
    )
    return _widest(node_of_scope(item, own), *used)


def _shared_loops(session: pytest.Session) -> Mapping[object, _Node]:
    """Return the nodes of the loops of tests and fixtures where none says which it has.

    Tests that share a fixture are on one loop, with that fixture, and so are those that share
    another fixture with one of them: it is the widest that any of them needs.
    """
    if _SHARED not in session.stash:
        session.stash[_SHARED] = _find_shared_loops(session)
    return session.stash[_SHARED]


def _find_shared_loops(session: pytest.Session) -> dict[object, _Node]:
    needed: dict[pytest.Function, _Node] = {}
    users: defaultdict[object, list[pytest.Function]] = defaultdict(list)
    used: defaultdict[pytest.Function, list[object]] = defaultdict(list)
    for item in session.items:
        if not isinstance(item, pytest.Function):
            continue
        needed[item] = _needed_by(item, _valid_mark(item))
        for fixturedef, scope in _async_fixtures(item):
            if scope != "function" and not fixtures.names_loop_scope(fixturedef):
                fixture = fixturedef, node_of_scope(item, scope)
                used[item].append(fixture)
                users[fixture].append(item)
    shared: dict[object, _Node] = {}
    for widest in sorted(needed, key=lambda item: _depth(needed[item])):
        connected = [widest]
        while connected:
            item = connected.pop()
            if item not in shared:
                shared[item] = needed[widest]
                for used_by_it in used[item]:
                    shared[used_by_it] = needed[widest]
                    connected += users.pop(used_by_it, ())
    return shared


def _valid_mark(item: pytest.Function) -> AsyncioMark:
    """Return what the marks of a test say; nothing, where it is not async or fails of them."""
    try:
        return marks.merged(item) if items.is_async_test(item) else AsyncioMark()
    except pytest.fail.Exception:
        return AsyncioMark()


def _widest_fixture_loop_scope(item: pytest.Function) -> ScopeName:
    found: Iterator[ScopeName] = (
        _own_loop_scope(used, scope, item) for used, scope in _async_fixtures(item)
    )
    return options.widest("function", *found)


def _own_loop_scope(
    fixturedef: pytest.FixtureDef[Any], scope: ScopeName, item: pytest.Function
) -> ScopeName:
    loop_scope = fixtures.loop_scope_of(fixturedef, scope, item)
    return scope if loop_scope == "auto" else loop_scope


def _async_fixtures(
    item: pytest.Function,
) -> Iterator[tuple[pytest.FixtureDef[Any], ScopeName]]:
    """Yield the async fixtures of an item, and the scope that each is cached for."""
    for fixturedef in pytest_private.definitions_used(item):
        if _is_async(fixturedef, item):
            yield fixturedef, pytest_private.scope_for(item, fixturedef)


def _is_async(fixturedef: pytest.FixtureDef[Any], item: pytest.Function) -> bool:
    return fixtures.is_ours(fixturedef, item) or (
        xunit_functions.are_async(fixturedef, item)
        and (options.at(item).auto_mode or items.is_marked(item))
    )


def _widest(*nodes: _Node) -> _Node:
    """Return the one of an item's nodes that holds the others."""
    return min(nodes, key=_depth)


def _depth(node: _Node) -> int:
    return len(node.listchain())


_SHARED: Final[pytest.StashKey[Mapping[object, _Node]]] = pytest.StashKey()
_PACKAGES: Final[pytest.StashKey[_Node]] = pytest.StashKey()
