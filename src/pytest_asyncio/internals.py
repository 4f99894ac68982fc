"""Every use of pytest's private API, each with its reason, so that a new pytest breaks one file.

Works with pytest 8.4 and newer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest
from _pytest.fixtures import resolve_fixture_function


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


def bound_fixture_function(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """The fixture function, bound to the instance of the requesting test where it is a method.

    pytest does this between the `pytest_fixture_setup` hook and the call.
    """
    return resolve_fixture_function(fixturedef, request)


@contextmanager
def replaced_fixture_function(
    fixturedef: pytest.FixtureDef[Any], function: Callable[..., Any]
) -> Iterator[None]:
    """Let pytest call `function` in place of the fixture function.

    A result of None lets the first-result hook `pytest_fixture_setup` go on to the next
    implementation, so that a fixture cannot be set up by returning its value from the hook.
    """
    definition = cast("Any", fixturedef)
    original = fixturedef.func
    definition.func = function
    try:
        yield
    finally:
        definition.func = original


def fixture_definitions(
    item: pytest.Item,
) -> Mapping[str, Sequence[pytest.FixtureDef[Any]]]:
    """The fixtures that an item requests statically, by name; the last of a name is used.

    The public `item.fixturenames` has the names only. Doctests have no public counterpart.
    """
    return cast("Any", item)._fixtureinfo.name2fixturedefs


def has_requested(item: pytest.Function, name: str) -> bool:
    """Tell whether an item has requested a fixture so far, itself or through another fixture."""
    return name in request_of(item)._fixture_defs


def may_use(item: pytest.Function, fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Tell whether an item has requested this very fixture; a finished item may have."""
    request = request_of(item)
    return not request or fixturedef in request._fixture_defs.values()


def finish(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Tear a fixture down before its node, and first what depends on it, as a changed parameter
    makes pytest do.
    """
    fixturedef.finish(cast("Any", request))


def visible_fixtures(node: pytest.Item, name: str) -> Sequence[pytest.FixtureDef[Any]]:
    """All fixtures called `name` that `node` could request, the closest last."""
    return cast("Any", node.session)._fixturemanager.getfixturedefs(name, node) or ()


def request_first(
    metafunc: pytest.Metafunc, name: str, definitions: Sequence[pytest.FixtureDef[Any]]
) -> None:
    """Have all items of a test function request a fixture before their other ones.

    The mark `usefixtures` is read before `pytest_generate_tests`, and an autouse fixture would be
    seen by every test.
    """
    info = cast("Any", metafunc.definition)._fixtureinfo
    # pytest prunes what is not reached from these; the dataclass is frozen.
    object.__setattr__(info, "initialnames", (name, *info.initialnames))
    info.name2fixturedefs[name] = definitions
    if name in info.names_closure:
        info.names_closure.remove(name)
    info.names_closure.insert(0, name)
