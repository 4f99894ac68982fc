"""Every use of pytest's private API, each with its reason, so that a new pytest breaks one file.

Works with pytest 8.4 and newer. The one use that is elsewhere, in `modules`, has to come before
the import of any other module.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import copy
import functools
import inspect
import itertools
import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MethodType
from typing import Any, ClassVar, Final, Literal, NoReturn, TypeGuard, TypeVar, cast

import pytest
from _pytest import python
from _pytest import warnings as warnings_plugin
from _pytest._code.code import ExceptionRepr
from _pytest.fixtures import (
    get_scope_package,
    getfixturemarker,
    reorder_items,
    resolve_fixture_function,
)
from _pytest.logging import LogCaptureHandler
from _pytest.logging import catching_logs as catching_logs
from _pytest.mark.structures import get_unpacked_marks
from _pytest.outcomes import Failed as _Failed
from _pytest.outcomes import OutcomeException
from _pytest.runner import _update_current_test_var, check_interactive_exception
from _pytest.scope import Scope

from . import foreign
from .types import ScopeName

E = TypeVar("E", bound=BaseException)

# To type checkers, `pytest.fail.Exception` is a variable, which cannot be subclassed.
Failed = _Failed

# What pytest takes for the outcome of a phase, and goes on after.
OUTCOMES = (OutcomeException, Exception)

# Before, pytest fails to report an exception group none of whose lines is to be shown.
GROUPS_MAY_BE_HIDDEN = pytest.version_tuple >= (9, 2)

# pytest 9.2 has dropped the 2.
CallSpec: Any = getattr(python, "CallSpec", None) or python.CallSpec2


def written_in_ini(name: str, config: pytest.Config) -> object:
    """What an ini file, or `-o`, has for an option, as it is written there; None for nothing.

    `getini()` takes one type for each option, in TOML that one alone, and an error of its own where
    it finds another one.
    """
    if hasattr(config, "_inicfg"):
        given = cast("Any", config)._inicfg.get(name)
        return None if given is None else given.value
    old: Any = config  # pragma: no cover  # pytest < 9
    override = old._get_override_ini_value(name)  # pragma: no cover
    return old.inicfg.get(name) if override is None else override  # pragma: no cover


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


def is_in_code(mark: pytest.Mark, item: pytest.Item) -> bool:
    """Tell whether a mark of an item is written in the code: no hook or fixture has added it.

    pytest keeps both kinds in one list.
    """
    return any(
        mark is written
        for node in item.listchain()
        for written in get_unpacked_marks(foreign.attribute(node, "obj", object))
    )


def callspec_of(item: pytest.Item) -> Any:
    """The parameters of an item, if it is one of a parametrized function.

    They have no public counterpart. Items of other plugins may have something of that name.
    """
    callspec = vars(item).get("callspec")
    return callspec if type(callspec) is CallSpec else None


def definition_of(request: pytest.FixtureRequest) -> pytest.FixtureDef[Any]:
    """The fixture that is set up by a request, which its name alone would not tell."""
    definition: pytest.FixtureDef[Any] = cast("Any", request)._fixturedef
    return definition


def is_fixture(function: object) -> bool:
    """Tell whether a function is declared as a fixture, and so not called by the name it has."""
    return getfixturemarker(function) is not None


def bound_fixture_function(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """The fixture function, bound to the instance of the requesting test where it is a method.

    pytest does this between the `pytest_fixture_setup` hook and the call. A function that it has
    not found in a class is never bound.
    """
    function = fixturedef.func
    return (
        function if inspect.isfunction(function) else resolve_fixture_function(fixturedef, request)
    )


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
_REFUSAL: Final = "_pytest_asyncio_refusal"


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

    `request.node` tells when the fixture is requested, and not before.
    """
    node: pytest.Package | pytest.Session = get_scope_package(cast("Any", package), fixturedef)  # type: ignore[assignment]
    return node


def has_requested(item: pytest.Function, name: str) -> bool:
    """Tell whether an item has requested a fixture so far, itself or through another fixture."""
    return name in request_of(item)._fixture_defs


def requested_fixture(item: pytest.Function, name: str) -> pytest.FixtureDef[Any]:
    """The very fixture of a name that an item has requested."""
    return request_of(item)._fixture_defs[name]


def requested_fixtures(item: pytest.Function) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures that an item has requested so far."""
    yield from request_of(item)._fixture_defs.values()


def may_use(item: pytest.Function, fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Tell whether an item has requested this very fixture; a finished item may have."""
    is_finished = not cast("Any", request_of(item))
    return is_finished or fixturedef in requested_fixtures(item)


def needed_by(
    fixturedef: pytest.FixtureDef[Any], item: pytest.Function, path: tuple[str, ...] = ()
) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures that a fixture requests by its arguments, or through those."""
    path = (*path, fixturedef.argname)
    for name in fixturedef.argnames:
        definitions = fixture_definitions(item).get(name, ())
        overridden = path.count(name)
        if overridden < len(definitions):
            requested = definitions[-1 - overridden]
            yield requested
            yield from needed_by(requested, item, path)


def will_request(item: pytest.Item, fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Tell whether an item, or a fixture that it requests, requests this very fixture statically.

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


def finish(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Tear a fixture down before its node, and first what depends on it, as a changed parameter
    makes pytest do.
    """
    fixturedef.finish(cast("Any", request))


def outdated_fixtures(
    request: pytest.FixtureRequest, name: str, path: tuple[str, ...] = ()
) -> Iterator[pytest.FixtureDef[Any]]:
    """The fixtures that a request would tear down, for they are set up for another parameter."""
    any_request: Any = request
    if name == "request" or name in any_request._fixture_defs:
        return
    item = item_of(request)
    definitions = any_request._arg2fixturedefs.get(name) or visible_fixtures(item, name)
    overriding = [*path, *(inner.fixturename for inner in any_request._iter_chain())].count(name)
    if overriding >= len(definitions):
        return
    fixturedef: Any = definitions[-1 - overriding]
    callspec = callspec_of(item)
    parameter = None if callspec is None else callspec.params.get(name)
    has_none = fixturedef.params is not None and (callspec is None or name not in callspec.params)
    if has_none or any_request._scope > fixturedef._scope:  # pytest refuses the request.
        return
    for argument in fixturedef.argnames:
        yield from outdated_fixtures(request, argument, (*path, name))
    if fixturedef.cached_result is not None and not _is_same(
        parameter, fixturedef.cached_result[1]
    ):
        yield fixturedef


def _is_same(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except (ValueError, RuntimeError):  # as pytest does, for arrays
        return one is other


def forget_overridden(inner: pytest.FixtureRequest, outer: pytest.FixtureRequest) -> None:
    """Let a request be made once more that was left in the setup of a fixture.

    By then pytest knows, by the names of those in between, the fixtures that they override.
    """
    request: Any = inner
    while request is not outer:
        request._fixture_defs.pop(request.fixturename, None)
        request = request._parent_request


def finish_before_what_it_requested(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> None:
    """Have pytest tear a fixture down before what its function has requested while it ran.

    That is what pytest sees to when a function has ended, which it took the fixture's to have.
    """
    finish = functools.partial(fixturedef.finish, request=cast("Any", request))
    cast("Any", request).node.addfinalizer(finish)


def settle(fixturedef: pytest.FixtureDef[Any], value: object) -> None:
    """Let a fixture have a value, although its setup has left pytest with an exception."""
    definition = cast("Any", fixturedef)
    definition.cached_result = (value, definition.cached_result[1], None)


def hold_with_error(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, error: BaseException
) -> None:
    """Let those that request a fixture get an exception while it is being set up."""
    definition = cast("Any", fixturedef)
    definition.cached_result = (None, definition.cache_key(request), (error, None))


def release(fixturedef: pytest.FixtureDef[Any]) -> None:
    """Let a fixture that was held be set up again, unless pytest is given its value now."""
    cast("Any", fixturedef).cached_result = None


def as_refusal(error: E) -> E:
    """Let a fixture that fails of an error be set up anew for the next item that requests it.

    The error is about who requests the fixture, but pytest keeps it for all that share it.
    """
    vars(error)[_REFUSAL] = True
    return error


def refuse(message: str) -> NoReturn:
    """Fail a request of a fixture, and leave the fixture to others."""
    raise as_refusal(Failed(message, pytrace=False))


def finish_if_refused(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, error: BaseException
) -> None:
    if _REFUSAL in vars(error):
        finish(fixturedef, request)


def is_refusal_of_async(error: BaseException) -> TypeGuard[_Failed]:
    """Tell whether pytest has refused to set a fixture up because it is async.

    It says that in words only.
    """
    return isinstance(error, _Failed) and "no plugin or hook that handled it" in str(error.msg)


def discard(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, error: BaseException
) -> None:
    """Let a fixture be requested again that pytest has refused to set up.

    pytest leaves its finalizers there and trips over them at the next request.
    """
    hold_with_error(fixturedef, request, error)
    finish(fixturedef, request)


def setup_error(fixturedef: pytest.FixtureDef[Any]) -> BaseException | None:
    """The exception with which the setup of a fixture has failed."""
    result = fixturedef.cached_result
    return None if result is None or result[2] is None else result[2][0]


def settle_with_error(fixturedef: pytest.FixtureDef[Any], error: BaseException) -> None:
    """Let the setup of a fixture have failed with another exception than the one pytest saw.

    A fixture that skips is shown at the test that it skips.
    """
    definition = cast("Any", fixturedef)
    if isinstance(error, pytest.skip.Exception):
        error._use_item_location = True
    definition.cached_result = (None, definition.cached_result[1], (error, error.__traceback__))


def has_one_fixture(session: pytest.Session, name: str) -> bool:
    """Tell whether a single fixture of the whole session is called `name`.

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


def last_finalizer(fixturedef: pytest.FixtureDef[Any]) -> Callable[[], object] | None:
    """Take the next finalizer of a fixture that is to be called, if any is left."""
    finalizers: list[Callable[[], object]] = fixturedef._finalizers
    return finalizers.pop() if finalizers else None


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


def visible_definitions(node: pytest.Collector) -> Iterator[pytest.FixtureDef[Any]]:
    """All fixtures that `node` could request."""
    manager: Any = cast("Any", node.session)._fixturemanager
    names = getattr(manager, "_arg2fixturedefs", None)
    if names is None:  # pytest >= 9.1
        names = {**manager._arg2node2fixturedefs, **manager._arg2nodeid2fixturedefs}
    for name in names:
        yield from manager.getfixturedefs(name, node) or ()


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
    callspec = callspec_of(item) or CallSpec()
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


def arguments_of(item: pytest.Function) -> dict[str, Any]:
    """What an item's function is called with, once its fixtures are set up.

    `item.funcargs` also has the fixtures that the function does not name.
    """
    names: Sequence[str] = cast("Any", item)._fixtureinfo.argnames
    return {name: item.funcargs[name] for name in names}


def is_wide(item: pytest.Function, name: str) -> bool:
    """Tell whether an item shares the fixture that it requests by a name with other items."""
    definitions = fixture_definitions(item).get(name)
    return definitions is not None and is_shared(item, definitions[-1])


def is_shared(item: pytest.Function, fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Tell whether an item shares a fixture with others.

    A function without a class is its own class.
    """
    scope = scope_for(item, fixturedef)
    return scope != "function" and (scope != "class" or item.cls is not None)


def scope_for(item: pytest.Function, fixturedef: pytest.FixtureDef[Any]) -> ScopeName:
    """The scope that a fixture is cached for when an item requests it: its own, or its parameter's.

    `request.scope` tells when the fixture is requested, and not before.
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
    """Tell whether a fixture is set up for one item only."""
    any_request: Any = request
    return any_request.node is item_of(request)


def wide_parameters(item: pytest.Function) -> dict[str, int]:
    """Which parameters an item has that it shares with others, by their index.

    `item.callspec` has no public counterpart.
    """
    callspec = callspec_of(item)
    if callspec is None:
        return {}
    return {name: index for name, index in callspec.indices.items() if is_wide(item, name)}


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
    """The fixtures that an item requests statically, shares with others, and would set up."""
    info: Any = getattr(item, "_fixtureinfo", None)
    definitions = () if info is None else info.name2fixturedefs.values()
    return {
        definition
        for visible in definitions
        for definition in visible
        if definition.cached_result is None and definition.scope != "function"
    }


class _OwnDefinitions(dict[str, Sequence["pytest.FixtureDef[Any]"]]):
    """The fixtures that an item requests, of which the function-scoped ones are copies.

    A fixture definition holds one value. pytest looks definitions up by `get()`.
    """

    def __init__(self, item: pytest.Function) -> None:
        self._item = item
        self._shared = fixture_definitions(item)

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            definitions = self._shared.get(name) or visible_fixtures(self._item, name)
            if not definitions:
                return default
            self[name] = [
                definition if is_shared(self._item, definition) else _copy(definition)
                for definition in definitions
            ]
        return self[name]


def _copy(definition: pytest.FixtureDef[Any]) -> Any:
    own: Any = copy.copy(definition)
    own.cached_result = None
    own._finalizers = []
    own.func = (
        foreign.own_attribute(own.func, _ORIGINAL) or own.func
    )  # It may be in the middle of its setup.
    return own


def own_fixtures(item: pytest.Function) -> None:
    """Give an item function-scoped fixtures of its own, which it otherwise shares with others."""
    request: Any = request_of(item)
    if not request:  # It has run before.
        cast("Any", item)._initrequest()
        request = request_of(item)
    request._arg2fixturedefs = _OwnDefinitions(item)


def forget_request(item: pytest.Function) -> None:
    """Let go of the values of an item's fixtures after its last phase, as pytest does."""
    any_item: Any = item
    any_item._request = False
    any_item.funcargs = None


def begin_again(item: pytest.Function) -> None:
    """Let an item be run as if it had not been run before.

    pytest makes what is new for a run when it makes the item.
    """
    any_item: Any = item
    any_item._initrequest()
    any_item._report_sections.clear()
    instance = vars(item).get("_instance")
    if instance is not None and getattr(vars(item).get("_obj"), "__self__", None) is instance:
        del any_item._instance, any_item._obj


def isolate(item: pytest.Item) -> Callable[[], None]:
    """Let pytest see no other item as set up, until what is returned is called.

    It has one at a time on its stack of nodes, all of which it looks at to set up or tear down.
    """
    state = _setup_state(item)
    stack, chain = state.stack, item.listchain()
    state.stack = {node: stack[node] for node in chain if node in stack}

    def rejoin() -> None:
        left, state.stack = state.stack, stack
        stack.update(left)
        for node in chain:
            if node not in left:
                stack.pop(node, None)

    return rejoin


def is_set_up(item: pytest.Item) -> bool:
    """Tell whether an item is on the stack of nodes that are set up and not torn down."""
    return item in _setup_state(item).stack


def take_finalizers(item: pytest.Item) -> list[Callable[[], object]]:
    """Take an item from that stack, and return its finalizers, the first to be called last."""
    finalizers: list[Callable[[], object]]
    finalizers, _ = _setup_state(item).stack.pop(item)
    return finalizers


def put_finalizers(item: pytest.Item, finalizers: Iterable[Callable[[], object]]) -> None:
    """Put an item back on that stack, so that pytest tears it down, and what it was the last of."""
    _setup_state(item).stack[item] = (list(finalizers), None)


def finalize_after_fixtures(item: pytest.Item, finalizer: Callable[[], object]) -> None:
    """Have a finalizer called once the item's own fixtures are torn down, and not before."""
    finalizers, _ = _setup_state(item).stack[item]
    fixtures = (index for index, each in enumerate(finalizers) if fixture_of(each) is not None)
    finalizers.insert(next(fixtures, len(finalizers)), finalizer)


def item_in_progress(session: pytest.Session) -> pytest.Function | None:
    """The item that pytest sets up, calls or tears down, if it is at one."""
    return next((node for node in set_up_nodes(session) if isinstance(node, pytest.Function)), None)


def marks_of_class(cls: type[Any]) -> list[pytest.Mark | pytest.MarkDecorator]:
    """The marks of a class and of its bases, which pytest reads from classes that it collects."""
    return [*get_unpacked_marks(cls)]


def _setup_state(node: Any) -> Any:
    return node.session._setupstate


def tear_down(session: pytest.Session, nextitem: pytest.Item | pytest.Session | None) -> None:
    """Tear down what is set up and not needed by the next item, or only what the session needs."""
    _setup_state(session).teardown_exact(nextitem)


def tear_down_to(node: Any, session: pytest.Session) -> None:
    """Tear down what is set up within a node, and leave the node itself."""
    _setup_state(session).teardown_exact(node)


def set_up_nodes(session: pytest.Session) -> dict[Any, Any]:
    """The nodes that are set up and not torn down, each with its finalizers."""
    nodes: dict[Any, Any] = _setup_state(session).stack.copy()
    return nodes


def finish_teardown(
    session: pytest.Session,
    nextitem: pytest.Item | None,
    nodes: Mapping[Any, Any],
    error: BaseException,
) -> None:
    """Call the finalizers of `nodes` that pytest has forgotten in a teardown that raised `error`.

    It forgets those of a node that come after one which raises what is no outcome, as Ctrl-C does.
    """
    __tracebackhide__ = GROUPS_MAY_BE_HIDDEN
    if isinstance(error, OUTCOMES):
        return
    state = _setup_state(session)
    errors = [error]
    while forgotten := [node for node in nodes if nodes[node][0] and node not in state.stack]:
        state.stack.update((node, nodes[node]) for node in forgotten)
        try:
            state.teardown_exact(nextitem)
        except BaseException as another:
            errors.append(another)
    interruptions = [error for error in errors if isinstance(error, KeyboardInterrupt)]
    if interruptions:
        raise interruptions[0]
    if len(errors) > 1:
        raise BaseExceptionGroup("errors during test teardown", errors)


def fixture_of(finalizer: Any) -> pytest.FixtureDef[Any] | None:
    """Return the fixture that a finalizer of an item, or of another fixture, tears down."""
    function = foreign.attribute(finalizer, "func", MethodType)
    return None if function is None else foreign.attribute(function, "__self__", pytest.FixtureDef)


def excluded_plugins(item: pytest.Item) -> frozenset[object]:
    """The conftest modules whose hooks are not called for an item."""
    return frozenset(getattr(item.ihook, "remove_mods", ()))


class Capture:
    """pytest's capture of output, which has no public interface for plugins."""

    def __init__(self, config: pytest.Config) -> None:
        self.plugin: Any = config.pluginmanager.getplugin("capturemanager")

    def resume(self) -> None:
        self.plugin.resume_global_capture()

    def take(self) -> tuple[str, str]:
        """Return what has been captured, and not been taken, as `(stdout, stderr)`."""
        self.plugin.suspend_global_capture()
        out, err = self.plugin.read_global_capture()
        return out, err


class RealOutput:
    """The terminal and stderr as they were before pytest began to capture what is written to them.

    It has no public way around that while a test runs.
    """

    _KEY: ClassVar = pytest.StashKey["RealOutput"]()

    def __init__(self, config: pytest.Config) -> None:
        manager = config.pluginmanager
        self._reporter: Any = manager.getplugin("terminalreporter")
        self._capture: Any = manager.getplugin("capturemanager")
        self._is_worker = hasattr(config, "workerinput")
        with self._uncaptured():
            self._stderr = os.dup(2)
        config.add_cleanup(functools.partial(os.close, self._stderr))

    @classmethod
    def of(cls, config: pytest.Config) -> RealOutput:
        if cls._KEY not in config.stash:
            config.stash[cls._KEY] = cls(config)
        return config.stash[cls._KEY]

    def show(self, title: str, text: str) -> None:
        """Write a section to the terminal; in a worker of pytest-xdist, which has none, to stderr.

        pytest may be in the middle of a test, but not of anything else.
        """
        if self._reporter is None or self._is_worker:
            self.write(title, text)
            return
        with self._uncaptured():
            self._reporter.ensure_newline()
            self._reporter.write_sep("-", title)
            self._reporter.write_line(text, flush=True)

    def write(self, title: str, text: str) -> None:
        """Write a section to stderr, from any thread and at any time."""
        section = f"\n{f' {title} ':-^80}\n{text}\n"
        os.write(self._stderr, section.encode(errors="backslashreplace"))

    def _uncaptured(self) -> AbstractContextManager[None]:
        manager = self._capture
        return nullcontext() if manager is None else manager.global_and_fixture_disabled()


def log_level(config: pytest.Config) -> int | None:
    """The level from which on pytest captures log records: it is what the root logger is set to."""
    level: int | None = getattr(config.pluginmanager.getplugin("logging-plugin"), "log_level", None)
    return level


def shows_at_once(config: pytest.Config) -> bool:
    """Tell whether what tests write or log is shown, or written to a file, as soon as they do."""
    logs: Any = config.pluginmanager.getplugin("logging-plugin")
    has_log_file = config.getoption("log_file", None) or config.getini("log_file")
    return (
        config.getoption("capture") in ("no", "tee-sys")
        or bool(has_log_file)
        or bool(logs._log_cli_enabled())
    )


def capturing_handlers() -> list[logging.Handler]:
    """The handlers by which pytest gets log records."""
    handlers = logging.getLogger().handlers
    return [handler for handler in handlers if type(handler).__module__ == "_pytest.logging"]


@contextmanager
def captured_logs_aside() -> Generator[None]:
    """Put aside which log records pytest has captured in a phase, while it looks at another one."""
    root = logging.getLogger()
    loggers = [root, *filter(_is_by_itself, root.manager.loggerDict.values())]
    attached = [(logger, list(logger.handlers)) for logger in loggers]
    captured = [
        (handler, handler.records, handler.stream)
        for handler in root.handlers
        if isinstance(handler, LogCaptureHandler)
    ]
    try:
        yield
    finally:
        for logger, handlers in attached:
            logger.handlers = handlers
        for handler, records, stream in captured:
            handler.records, handler.stream = records, stream


def _is_by_itself(logger: object) -> TypeGuard[logging.Logger]:
    return isinstance(logger, logging.Logger) and not logger.propagate


def announce(item: pytest.Item, when: Literal["setup", "call", "teardown"]) -> None:
    """Let PYTEST_CURRENT_TEST tell which test runs, in the words of pytest."""
    _update_current_test_var(item, when)


def warnings_of(item: pytest.Item) -> AbstractContextManager[None]:
    """Apply the warning filters of an item, which no other hook can."""
    plugin: Any = warnings_plugin
    context: AbstractContextManager[None] = plugin.catch_warnings_for_item(
        config=item.config, ihook=item.ihook, when="runtest", item=item
    )
    return context


@contextmanager
def current_test_kept() -> Generator[None]:
    """Let PYTEST_CURRENT_TEST tell afterwards what it tells now, whatever else is run.

    A test that clears the environment for a while would have pytest stumble over its absence.
    """
    current = os.environ.get(_CURRENT_TEST)
    try:
        yield
    finally:
        if current is None:
            os.environ.pop(_CURRENT_TEST, None)
        else:
            os.environ[_CURRENT_TEST] = current


_CURRENT_TEST: Final = "PYTEST_CURRENT_TEST"


def is_interactive(call: pytest.CallInfo[None], report: pytest.TestReport) -> bool:
    """Tell whether `pytest_exception_interact` is to be called."""
    return check_interactive_exception(call, report)


def reraised(config: pytest.Config) -> tuple[type[BaseException], ...]:
    """What is not the outcome of a phase: it ends the session.

    pytest 8.4 has no function that says it.
    """
    ends = (pytest.exit.Exception,)
    return ends if config.getoption("usepdb", False) else (*ends, KeyboardInterrupt)


class XdistWorker:
    """The queue of an xdist worker: the indices of the items that it is to run."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def take(self) -> int | None:
        """Take the next item out of the queue, if there is one."""
        with self._queue.lock() as waiting:
            is_item = bool(waiting) and isinstance(waiting[0], int)
            return waiting.popleft() if is_item else None

    def put_back(self, index: int) -> None:
        """Make an item the next one."""
        with self._queue.lock() as waiting:
            waiting.appendleft(index)


def xdist_worker(config: pytest.Config) -> XdistWorker | None:
    """Return the queue of the worker that a session runs in, if it does, and the queue is one that
    can be looked into.
    """
    plugins = config.pluginmanager.get_plugins()
    queues = (foreign.attribute(plugin, "torun", object) for plugin in plugins)
    # Its class cannot be imported, for a worker runs that module under another name.
    found = (queue for queue in queues if type(queue).__name__ == "TestQueue")
    return next(map(XdistWorker, found), None)
