"""Every use of pytest's private API, each with its reason, so that a new pytest breaks one file.

Works with pytest 8.4 and newer. The one use that is elsewhere, in `modules`, has to come before
the import of any other module.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import pytest
from _pytest import python
from _pytest._code.code import ExceptionRepr
from _pytest.fixtures import getfixturemarker, reorder_items, resolve_fixture_function
from _pytest.outcomes import Failed as _Failed
from _pytest.scope import Scope

from .settings import ScopeName

# To type checkers, `pytest.fail.Exception` is a variable, which cannot be subclassed.
Failed = _Failed

# Before, pytest fails to report an exception group none of whose lines is to be shown.
GROUPS_MAY_BE_HIDDEN = pytest.version_tuple >= (9, 2)

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


def is_fixture(function: object) -> bool:
    """Tell whether a function is declared as a fixture, and so not called by the name it has."""
    return getfixturemarker(function) is not None


def bound_fixture_function(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """The fixture function, bound to the instance of the requesting test where it is a method.

    pytest does this between the `pytest_fixture_setup` hook and the call.
    """
    return resolve_fixture_function(fixturedef, request)


def replace_fixture_function(
    fixturedef: pytest.FixtureDef[Any], function: Callable[..., Any]
) -> Callable[..., Any]:
    """Let pytest call `function` in place of the fixture function, which is returned.

    A result of None lets the first-result hook `pytest_fixture_setup` go on to the next
    implementation, so that a fixture cannot be set up by returning its value from the hook.
    """
    original = fixturedef.func
    cast("Any", fixturedef).func = function
    return original


def fixture_definitions(
    item: pytest.Item,
) -> Mapping[str, Sequence[pytest.FixtureDef[Any]]]:
    """The fixtures that an item requests statically, by name; the last of a name is used.

    The public `item.fixturenames` has the names only. Doctests have no public counterpart.
    """
    definitions: Mapping[str, Sequence[pytest.FixtureDef[Any]]] = cast(
        "Any", item
    )._fixtureinfo.name2fixturedefs
    return definitions


def has_requested(item: pytest.Function, name: str) -> bool:
    """Tell whether an item has requested a fixture so far, itself or through another fixture."""
    return name in request_of(item)._fixture_defs


def requested_fixtures(item: pytest.Function) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures that an item has requested so far."""
    yield from request_of(item)._fixture_defs.values()


def may_use(item: pytest.Function, fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Tell whether an item has requested this very fixture; a finished item may have."""
    is_finished = not cast("Any", request_of(item))
    return is_finished or fixturedef in requested_fixtures(item)


def depends_on(fixturedef: pytest.FixtureDef[Any] | None, name: str, item: pytest.Function) -> bool:
    """Tell whether a fixture requests another one by its arguments, or through those."""
    definitions = fixture_definitions(item)
    names = list(fixturedef.argnames) if fixturedef is not None else []
    for requested in names:
        used = definitions.get(requested, ())
        names += [other for other in used[-1].argnames if other not in names] if used else []
    return name in names


def finish(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Tear a fixture down before its node, and first what depends on it, as a changed parameter
    makes pytest do.
    """
    fixturedef.finish(cast("Any", request))


def settle(fixturedef: pytest.FixtureDef[Any], value: object) -> None:
    """Let a fixture have a value, although its setup has left pytest with an exception."""
    definition = cast("Any", fixturedef)
    definition.cached_result = (value, definition.cached_result[1], None)


def setup_error(fixturedef: pytest.FixtureDef[Any]) -> BaseException | None:
    """The exception with which the setup of a fixture has failed."""
    result = fixturedef.cached_result
    return None if result is None or result[2] is None else result[2][0]


def settle_with_error(fixturedef: pytest.FixtureDef[Any], error: BaseException) -> None:
    """Let the setup of a fixture have failed with another exception than the one pytest saw."""
    definition = cast("Any", fixturedef)
    definition.cached_result = (None, definition.cached_result[1], (error, error.__traceback__))


def has_one_fixture(session: pytest.Session, name: str) -> bool:
    """Tell whether a single fixture of the whole session is called `name`.

    It spares each test function of a suite the look-up of those that are visible to it.
    """
    manager = cast("Any", session)._fixturemanager
    by_node = getattr(manager, "_arg2node2fixturedefs", None)
    if by_node is None:  # pragma: no cover  # pytest < 9.1
        return len(manager._arg2fixturedefs[name]) == 1
    by_nodeid = manager._arg2nodeid2fixturedefs
    return name not in by_nodeid and sum(map(len, by_node[name].values())) == 1


def spoil(fixturedef: pytest.FixtureDef[Any], error: BaseException) -> None:
    """Let the next items that request a fixture which is set up get an error.

    Those that have requested it keep the value.
    """
    definition = cast("Any", fixturedef)
    if definition.cached_result is not None:
        value, key, _ = definition.cached_result
        definition.cached_result = (value, key, (error, None))


def visible_fixtures(node: pytest.Item, name: str) -> Sequence[pytest.FixtureDef[Any]]:
    """All fixtures called `name` that `node` could request, the closest last."""
    return cast("Any", node.session)._fixturemanager.getfixturedefs(name, node) or ()


def request_first(
    item: pytest.Function, name: str, definitions: Sequence[pytest.FixtureDef[Any]]
) -> None:
    """Have all items of the same test function request a fixture before their other ones.

    The mark `usefixtures` is read before `pytest_generate_tests`, and an autouse fixture would be
    seen by every test.
    """
    info = cast("Any", item)._fixtureinfo
    # pytest prunes what is not reached from these; the dataclass is frozen.
    object.__setattr__(info, "initialnames", (name, *info.initialnames))
    info.name2fixturedefs[name] = definitions
    if name in info.names_closure:
        info.names_closure.remove(name)
    info.names_closure.insert(0, name)


def variant(
    item: pytest.Function, name: str, index: int, value: object, id: Any, scope: ScopeName
) -> pytest.Function:
    """Return a copy of an item that has one parameter more.

    `Metafunc.parametrize()` can be called during the collection of the function only.
    """
    callspec = getattr(item, "callspec", None) or CallSpec()
    callspec = callspec.setmulti(
        argnames=(name,),
        valset=(value,),
        id=id,
        marks=(),
        scope=Scope(scope),
        param_index=index,
        nodeid=item.nodeid,
    )
    copy: pytest.Function = cast("Any", type(item)).from_parent(
        item.parent,
        name=f"{item.originalname}[{callspec.id}]" if callspec.id else item.name,
        callspec=callspec,
        fixtureinfo=cast("Any", item)._fixtureinfo,
        originalname=item.originalname,
    )
    copy.own_markers[:] = item.own_markers
    copy.keywords.update(item.keywords)
    return copy


def grouped_by_parameter(items: list[pytest.Item]) -> list[pytest.Item]:
    """Order items so that those with the same parameter of a wide fixture follow one another.

    pytest has done so before there were variants.
    """
    ordered: list[pytest.Item] = cast("Any", reorder_items)(items)
    return ordered


def add_section(report: pytest.TestReport, title: str, text: str) -> None:
    """Add a section to the report of a failure, wherever the failure is shown.

    Unlike those in `report.sections`, which are shown in the terminal only, it is a part of the
    failure in JUnit XML too. Few failures have no place for it, that of a look-up among them.
    """
    if isinstance(report.longrepr, ExceptionRepr):
        report.longrepr.addsection(title, text)
    else:
        report.sections.append((title, text))
