"""Which fixtures there are, and what an item or a fixture requests of them."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import pytest
from _pytest import python
from _pytest.compat import NOTSET
from _pytest.fixtures import (
    SubRequest,
    get_scope_package,
    getfixturemarker,
    resolve_fixture_function,
)

from pytest_asyncio.support.types import ScopeName
from pytest_asyncio.support.warn import warn_at

# pytest 9.2 has dropped the 2.
CallSpec: Any = getattr(python, "CallSpec", None) or python.CallSpec2


def item_of(request: pytest.FixtureRequest) -> pytest.Function:
    """The item that a fixture is set up for.

    `request.node` is the item for function-scoped fixtures only.
    """
    return request._pyfuncitem


def request_of(item: pytest.Function) -> pytest.FixtureRequest:
    """The request of the test function itself.

    An item gets it from no public attribute.
    """
    return item._request


def callspec_of(item: pytest.Item) -> Any:
    """The parameters of an item, if it is one of a parametrized function.

    They have no public counterpart. Items of other plugins may have something of that name.
    """
    callspec = vars(item).get("callspec")
    return callspec if type(callspec) is CallSpec else None


def definition_of(request: pytest.FixtureRequest) -> pytest.FixtureDef[Any]:
    """The fixture that is set up by a request, which its name alone does not determine."""
    definition: pytest.FixtureDef[Any] = cast("Any", request)._fixturedef
    return definition


def is_fixture(function: object) -> bool:
    """Return whether a function is declared as a fixture, and so not called by the name it has."""
    return getfixturemarker(function) is not None


def bound_fixture_function(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """The fixture function, bound to the instance of the requesting test where it is a method.

    pytest does this between the `pytest_fixture_setup` hook and the call. A function that it has
    not found in a class is never bound. What pytest warns of there is said of the fixture.
    """
    __tracebackhide__ = True
    function = fixturedef.func
    if inspect.isfunction(function):
        return function
    if fixturedef.scope == "function":
        return resolve_fixture_function(fixturedef, request)
    with warnings.catch_warnings(record=True, action="always") as warned:
        bound = resolve_fixture_function(fixturedef, request)
    for warning in warned:
        warn_at(item_of(request), warning.message, function)
    return bound


def replace_fixture_function(
    fixturedef: pytest.FixtureDef[Any], function: Callable[..., Any]
) -> Callable[..., Any]:
    """Let pytest call `function` in place of the fixture function, which is returned.

    A result of None lets the first-result hook `pytest_fixture_setup` go on to the next
    implementation, so that a fixture cannot be set up by returning its value from the hook.
    """
    definition: Any = fixturedef
    original: Callable[..., Any]
    original, definition.func = definition.func, function
    vars(function)[_ORIGINAL] = original
    return original


def restore_fixture_function(
    fixturedef: pytest.FixtureDef[Any], original: Callable[..., Any]
) -> None:
    """Let pytest call the fixture function again."""
    definition: Any = fixturedef
    definition.func = original


_ORIGINAL: Final = "_pytest_asyncio_original"


def fixture_definitions(
    item: pytest.Item,
) -> Mapping[str, Sequence[pytest.FixtureDef[Any]]]:
    """The fixtures that an item requests statically, by name; the last of a name is used.

    The public `item.fixturenames` has the names only. Doctests have no public counterpart.
    """
    any_item: Any = item
    definitions: Mapping[str, Sequence[pytest.FixtureDef[Any]]]
    definitions = any_item._fixtureinfo.name2fixturedefs
    return definitions


def package_of(
    fixturedef: pytest.FixtureDef[Any], package: pytest.Package
) -> pytest.Package | pytest.Session:
    """The package, the innermost that is asked about, in which a fixture of packages is shared.

    `request.node` is known when the fixture is requested, and not before.
    """
    node: pytest.Package | pytest.Session = get_scope_package(cast("Any", package), fixturedef)  # type: ignore[assignment]
    return node


def has_requested(item: pytest.Function, name: str) -> bool:
    """Return whether an item has requested a fixture so far, itself or through another fixture."""
    return name in request_of(item)._fixture_defs


def requested_fixture(item: pytest.Function, name: str) -> pytest.FixtureDef[Any]:
    """The very fixture of a name that an item has requested."""
    return request_of(item)._fixture_defs[name]


def requested_fixtures(item: pytest.Function) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures that an item has requested so far; none any more once it is over."""
    request: Any = request_of(item)
    if request:
        yield from request._fixture_defs.values()


def fixtures_to_request(item: pytest.Function) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures that an item is to request, and has not yet, in their order."""
    request: Any = request_of(item)
    for name in item.fixturenames:
        definitions = request._arg2fixturedefs.get(name)
        if definitions and name not in request._fixture_defs:
            yield definitions[-1]


def definitions_in_use(item: pytest.Function) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures that an item requests statically, those of its own that it has copies of."""
    by_name = cast("Any", request_of(item))._arg2fixturedefs
    for name in fixture_definitions(item):
        yield by_name.get(name)[-1]


def request_early(
    fixturedef: pytest.FixtureDef[Any], item: pytest.Function
) -> tuple[pytest.FixtureRequest, list[Callable[[], object]]]:
    """Return a request that pytest is to make later, and where its finalizers are kept until then.

    pytest makes one only to set a fixture up at once, and expects none to have finalizers before.
    """
    parent: Any = request_of(item)
    callspec, name = callspec_of(item), fixturedef.argname
    if callspec is not None and name in callspec.params:
        scope, value = callspec._arg2scope[name], callspec.params[name]
        index = callspec.indices[name]
    else:
        scope, value, index = cast("Any", fixturedef)._scope, NOTSET, 0
    request: Any = SubRequest(parent, scope, value, index, fixturedef, _ispytest=True)
    held: list[Callable[[], object]] = []
    request.addfinalizer = held.append
    return request, held


def made(request: pytest.FixtureRequest) -> None:
    """Let a request that was made early have finalizers, now that pytest has made it too."""
    del vars(request)["addfinalizer"]


def known_arguments(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> dict[str, Any] | None:
    """The values of the arguments of a fixture's function, if all of them are requested by now."""
    any_request: Any = request
    arguments: dict[str, Any] = {}
    for name in fixturedef.argnames:
        if name == "request":
            arguments[name] = request
            continue
        requested: pytest.FixtureDef[Any] | None = any_request._fixture_defs.get(name)
        if (
            requested is None
            or requested.cached_result is None
            # It is one that is overridden while the one that overrides it is set up.
            or requested is not any_request._arg2fixturedefs[name][-1]
        ):
            return None
        arguments[name] = requested.cached_result[0]
    return arguments


def requested_arguments(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures that are the arguments of one that is about to be set up."""
    requested: dict[str, pytest.FixtureDef[Any]] = cast("Any", request)._fixture_defs
    for name in fixturedef.argnames:
        if name in requested:  # All but `request`.
            yield requested[name]


def may_use(item: pytest.Function, fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Return whether an item has requested this very fixture; a finished item may have."""
    is_finished = not cast("Any", request_of(item))
    return is_finished or fixturedef in requested_fixtures(item)


def needed_by(
    fixturedef: pytest.FixtureDef[Any], item: pytest.Function, path: tuple[str, ...] = ()
) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures that a fixture requests by its arguments, or through those."""
    path = (*path, fixturedef.argname)
    for name in fixturedef.argnames:
        # What is requested by `getfixturevalue()` only is not among those known before.
        definitions = fixture_definitions(item).get(name) or visible_fixtures(item, name)
        not_overriding = definitions[: len(definitions) - path.count(name)]
        for requested in not_overriding[-1:]:
            yield requested
            yield from needed_by(requested, item, path)


def will_request(item: pytest.Item, fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Return whether an item, or a fixture that it requests, requests this very fixture statically.

    Not every fixture of a name that the item requests is used: one may override another.
    """
    return fixturedef in definitions_used(item)


def definitions_used(item: pytest.Item) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures that an item requests statically, of each name those that are used."""
    for name, definitions in fixture_definitions(item).items():
        for fixturedef in reversed(definitions):
            yield fixturedef
            if name not in fixturedef.argnames:  # It does not request the one that it overrides.
                break


def has_one_fixture(session: pytest.Session, name: str) -> bool:
    """Return whether a single fixture of the whole session is called `name`.

    It spares each test function of a suite the look-up of those that are visible to it.
    """
    manager: Any = session._fixturemanager
    by_node = getattr(manager, "_arg2node2fixturedefs", None)
    if by_node is None:  # pragma: no cover  # pytest < 9.1
        return len(manager._arg2fixturedefs[name]) == 1
    by_nodeid = manager._arg2nodeid2fixturedefs
    return name not in by_nodeid and sum(map(len, by_node[name].values())) == 1


def all_fixtures(session: pytest.Session) -> Iterator[pytest.FixtureDef[Any]]:
    """Yield the fixtures that have been found in a session."""
    manager: Any = session._fixturemanager
    if hasattr(manager, "_arg2fixturedefs"):  # pragma: no cover  # pytest < 9.1
        yield from itertools.chain(*manager._arg2fixturedefs.values())
    else:
        yield from manager._get_all_fixture_defs()


def visible_fixtures(node: pytest.Item, name: str) -> Sequence[pytest.FixtureDef[Any]]:
    """All fixtures called `name` that `node` could request, the closest last."""
    return cast("Any", node.session)._fixturemanager.getfixturedefs(name, node) or ()


def visible_definitions(node: pytest.Collector) -> Iterator[pytest.FixtureDef[Any]]:
    """All fixtures that `node` could request."""
    manager: Any = cast("Any", node.session)._fixturemanager
    names = getattr(manager, "_arg2fixturedefs", None)
    if names is None:  # pytest >= 9.1
        names = {**manager._arg2node2fixturedefs, **manager._arg2nodeid2fixturedefs}
    for name in names:
        yield from manager.getfixturedefs(name, node) or ()


def arguments_of(item: pytest.Function) -> dict[str, Any]:
    """What an item's function is called with, once its fixtures are set up.

    `item.funcargs` also has the fixtures that the function does not name.
    """
    names: Sequence[str] = cast("Any", item)._fixtureinfo.argnames
    return {name: item.funcargs[name] for name in names}


def is_wide(item: pytest.Function, name: str) -> bool:
    """Return whether an item shares the fixture that it requests by a name with other items."""
    definitions = fixture_definitions(item).get(name)
    return definitions is not None and is_shared(item, definitions[-1])


def is_shared(item: pytest.Function, fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Return whether an item shares a fixture with others.

    A function without a class is its own class.
    """
    scope = scope_for(item, fixturedef)
    return scope != "function" and (scope != "class" or item.cls is not None)


def scope_for(item: pytest.Function, fixturedef: pytest.FixtureDef[Any]) -> ScopeName:
    """The scope that a fixture is cached for when an item requests it: its own, or its parameter's.

    `request.scope` is known when the fixture is requested, and not before.
    """
    callspec = callspec_of(item)
    if callspec is not None and fixturedef.argname in callspec._arg2scope:
        scope: ScopeName = callspec._arg2scope[fixturedef.argname].value
        return scope
    return fixturedef.scope


def node_of(request: pytest.FixtureRequest) -> object:
    """The node that a fixture is set up for."""
    node: object = cast("Any", request).node
    return node


def is_own(request: pytest.FixtureRequest) -> bool:
    """Return whether a fixture is set up for one item only."""
    any_request: Any = request
    return any_request.node is item_of(request)


def nodes_of_fixtures(item: pytest.Function) -> dict[pytest.FixtureDef[Any], pytest.Collector]:
    """For which class or module an item requests fixtures, of those that each has anew.

    A fixture definition holds one value, so that it cannot be set up for two at the same time.
    """
    nodes: dict[pytest.FixtureDef[Any], pytest.Collector] = {}
    for definitions in fixture_definitions(item).values():
        for definition in definitions:
            kind = _ANEW.get(definition.scope) and _ANEW.get(scope_for(item, definition))
            node = None if kind is None else item.getparent(kind)
            if node is not None:
                nodes[definition] = node
    return nodes


_ANEW: Final[dict[str, Any]] = {"class": pytest.Class, "module": pytest.Module}


def fixtures_to_set_up(item: pytest.Item) -> set[pytest.FixtureDef[Any]]:
    """The fixtures that an item requests statically, shares with others, and would set up.

    What is set up for another parameter would be so anew.
    """
    info: Any = getattr(item, "_fixtureinfo", None)
    definitions = () if info is None else info.name2fixturedefs.values()
    callspec = callspec_of(item)
    parameters: dict[str, Any] = {} if callspec is None else callspec.params
    return {
        definition
        for visible in definitions
        for definition in visible
        if definition.scope != "function" and not _has_value_for(parameters, definition)
    }


def _has_value_for(parameters: dict[str, Any], definition: pytest.FixtureDef[Any]) -> bool:
    cached = definition.cached_result
    return cached is not None and parameters.get(definition.argname, cached[1]) is cached[1]
