"""The values that fixtures are cached with, and how they are set, held, copied and finished."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from types import MethodType
from typing import Any, cast

import pytest
from _pytest.outcomes import TEST_OUTCOME

from pytest_asyncio.support import foreign

from .outcomes import _REFUSAL
from .requests import (
    _ORIGINAL,
    callspec_of,
    fixture_definitions,
    is_shared,
    item_of,
    request_of,
    visible_fixtures,
)


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
    callspec, parameter = callspec_of(item), _parameter(item, name)
    has_none = fixturedef.params is not None and (callspec is None or name not in callspec.params)
    if has_none or any_request._scope > fixturedef._scope:  # pytest refuses the request.
        return
    for argument in fixturedef.argnames:
        yield from outdated_fixtures(request, argument, (*path, name))
    if fixturedef.cached_result is not None and not _is_same(
        parameter, fixturedef.cached_result[1]
    ):
        yield fixturedef


def _parameter(item: pytest.Item, name: str) -> object:
    """Return the parameter with which a fixture is requested for an item."""
    callspec = callspec_of(item)
    return None if callspec is None else callspec.params.get(name)


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


def find_again(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Have pytest find a fixture that it has set up, whatever it takes the parameter to have been.

    It would set up anew what others use. A plugin's hook may have put another parameter in the
    place of the one that is requested, and not each is equal to itself.
    """
    definition = cast("Any", fixturedef)
    if definition.cached_result is not None:
        value, _, error = definition.cached_result
        definition.cached_result = (value, _key(fixturedef, request), error)


def _key(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> object:
    parameter = _parameter(item_of(request), fixturedef.argname)
    return parameter if _is_same(parameter, parameter) else _Unequal(parameter)


class _Unequal:
    """A parameter that is not equal to itself, as NaN is not."""

    __array_ufunc__ = None  # NumPy's arrays let themselves be compared then.
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, parameter: object) -> None:
        self._parameter = parameter

    def __eq__(self, other: object) -> bool:
        return other is self._parameter


def settle(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, value: object
) -> None:
    """Let a fixture have a value, although its setup has left pytest with an exception."""
    cast("Any", fixturedef).cached_result = (value, _key(fixturedef, request), None)


def hold_with_error(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, error: BaseException
) -> None:
    """Let those that request a fixture get an exception while it is being set up."""
    cast("Any", fixturedef).cached_result = (None, _key(fixturedef, request), (error, None))


def release(fixturedef: pytest.FixtureDef[Any]) -> None:
    """Let a fixture that was held be set up again, unless pytest is given its value now."""
    cast("Any", fixturedef).cached_result = None


def finish_if_refused(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, error: BaseException
) -> None:
    if _REFUSAL in vars(error):
        finish(fixturedef, request)


def discard_refused(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, error: BaseException
) -> None:
    """Let a fixture be requested again that pytest, or a plugin, has refused to set up.

    pytest leaves its finalizers there and trips over them at the next request.
    """
    if isinstance(error, TEST_OUTCOME) and fixturedef.cached_result is None:
        hold_with_error(fixturedef, request, error)
        finish(fixturedef, request)


def setup_error(fixturedef: pytest.FixtureDef[Any]) -> BaseException | None:
    """The exception with which the setup of a fixture has failed."""
    result = fixturedef.cached_result
    return None if result is None or result[2] is None else result[2][0]


def settle_with_error(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, error: BaseException
) -> None:
    """Let the setup of a fixture have failed with another exception than the one pytest saw.

    A fixture that skips is shown at the test that it skips.
    """
    if isinstance(error, pytest.skip.Exception):
        error._use_item_location = True
    outcome = None, _key(fixturedef, request), (error, error.__traceback__)
    cast("Any", fixturedef).cached_result = outcome


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


def fixture_of(finalizer: Any) -> pytest.FixtureDef[Any] | None:
    """Return the fixture that a finalizer of an item, or of another fixture, tears down."""
    function = foreign.attribute(finalizer, "func", MethodType)
    return None if function is None else foreign.attribute(function, "__self__", pytest.FixtureDef)
