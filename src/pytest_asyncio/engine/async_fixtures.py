"""What pytest calls to set an async fixture up, and on whose loop that runs."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

import pytest

from pytest_asyncio.collect import fixtures, loop_scopes
from pytest_asyncio.collect.loop_factories import ChosenFactory, NamedFactory
from pytest_asyncio.support import finalizers, pytest_private
from pytest_asyncio.support.callables import is_awaitable, kind_of, standing_in_for
from pytest_asyncio.support.foreign import holds
from pytest_asyncio.support.types import ClockName, LoopFactory

from . import loops
from .context import OwnContext
from .deferred_requests import in_one_go
from .factories import factory_of
from .fixture_setups import Awaited, Deferred, Setup
from .fixture_stages import stages_of
from .fixture_tasks import FixtureTask
from .loops import LoopOwner
from .plan import Plan
from .session import SessionState


def owner_for(
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    item: pytest.Function,
    planned: Plan | None,
) -> LoopOwner:
    """Return the owner of the loop that a fixture runs on, for an item with a plan or without."""
    mark, scope = None if planned is None else planned.mark, request.scope
    node = loop_scopes.node_of_fixture(fixturedef, scope, item, mark)
    factory = factory_of(item, planned)
    owner = vars(fixturedef)[_OWNER] = loops.owner_of(node, factory)
    owner.use()
    if scope != "function":
        owner.fixtures[fixturedef] = request
        request.addfinalizer(functools.partial(_forget, owner, fixturedef))
    return owner


def _forget(owner: LoopOwner, fixturedef: pytest.FixtureDef[Any]) -> None:
    """A finalizer, whose signature other plugins may read."""
    owner.fixtures.pop(fixturedef, None)


def owners_used_by(item: pytest.Function) -> set[LoopOwner]:
    """Return the owners of the loops of the async fixtures that an item has requested so far."""
    overridden = itertools.chain(*pytest_private.fixture_definitions(item).values())
    used = itertools.chain(pytest_private.requested_fixtures(item), overridden)
    return {owner for owner in map(owner_in_use, used) if owner is not None}


def owner_in_use(fixturedef: pytest.FixtureDef[Any]) -> LoopOwner | None:
    """Return the owner of the loop that a fixture runs on, if it is async and that is open."""
    owner: LoopOwner | None = vars(fixturedef).get(_OWNER)
    return None if owner is None or owner.opened is None else owner


def synchronous(
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    item: pytest.Function,
    planned: Plan | None,
) -> Callable[..., Any]:
    """Return what pytest can call, in place of its function, to set up a fixture of ours."""
    __tracebackhide__ = True
    function = pytest_private.bound_fixture_function(fixturedef, request)
    if kind_of(function) is not None:
        fixtures.advise_of_unset_option(fixturedef, item)
        call = _awaited(function, fixturedef, request, item, planned)
    else:
        if fixtures.CAN_AWAIT in request.session.stash:
            function = in_one_go(function, request)
        call = _on_its_loop(function, fixturedef, request, item, planned)
    return standing_in_for(function, call)


def _on_its_loop(
    function: Callable[..., Any],
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    item: pytest.Function,
    planned: Plan | None,
) -> Callable[..., Any]:
    """Let a synchronous function find its loop by `asyncio.get_event_loop()`."""

    def call(**kwargs: Any) -> Any:
        __tracebackhide__ = True
        with owner_for(fixturedef, request, item, planned).found():
            return function(**kwargs)

    def generate(**kwargs: Any) -> Iterator[Any]:
        __tracebackhide__ = True
        owner = owner_for(fixturedef, request, item, planned)
        generator: Iterator[Any] = function(**kwargs)
        for _ in range(2):
            with owner.found():
                values = tuple(itertools.islice(generator, 1))
            yield from values

    return generate if holds(inspect.isgeneratorfunction, function) else call


def _awaited(
    function: Callable[..., Any],
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    item: pytest.Function,
    planned: Plan | None,
) -> Callable[..., Any]:
    """Let an async function run on its loop."""
    stash = item.session.stash
    # get() costs four times as much to find out that there is none.
    is_deferring = fixtures.CAN_AWAIT in stash
    can_await = stash[fixtures.CAN_AWAIT] if is_deferring else None

    def set_up(**kwargs: Any) -> Any:
        __tracebackhide__ = True
        owner = owner_for(fixturedef, request, item, planned)
        fixtures.timeout_of(fixturedef)  # It fails here if it is wrong, and not in the run.
        if can_await is None and owner.state.running is not None:
            _refuse(fixturedef)
        is_deferred = can_await is not None and can_await(owner, fixturedef)
        setup = owner.state.early_setups.pop(fixturedef, None)
        if setup is None:
            own = OwnContext()
            result = own.context.run(function, **kwargs)
            setup = setup_of(result, fixturedef, request, owner, own)
            if setup is None:
                return result
        else:
            setup.join(request)
        if is_deferred:
            raise Deferred(setup)
        return setup.synchronously()

    return set_up


def setup_of(
    result: object,
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    owner: LoopOwner,
    own: OwnContext,
) -> Setup | None:
    """Return the setup of what a fixture's function has returned, if that is async."""
    if is_awaitable(result):
        return Awaited(result, fixturedef, request, owner, own)
    stages = stages_of(result, fixturedef, request)
    return None if stages is None else FixtureTask(stages, fixturedef, request, owner, own)


def _refuse(fixturedef: pytest.FixtureDef[Any]) -> NoReturn:
    pytest_private.refuse(
        f"The async fixture {fixturedef.argname!r} is requested by code that runs on an event "
        "loop, which cannot wait for it synchronously. Write\n"
        f"    await pytest_asyncio.getfixturevalue(request, {fixturedef.argname!r})"
    )


def finish_unfit(state: SessionState, item: pytest.Function, planned: Plan) -> None:
    """End what is on other loops than an item's, and would be there for it.

    An async test that runs with another loop factory of the suite has the loops of the other ones
    closed, with their fixtures. Where only the clock is another one, the fixtures are torn down
    that the item is to request. What a policy or an option names does not count.
    """
    finishing: list[Callable[[], object]] = []
    for owner in reversed(tuple(state.open_loops)):
        named, clock = _kind_of(owner.factory)
        if planned.is_async and named != planned.selected:
            finishing.append(owner.close)
        elif clock != planned.mark.clock:
            finishing += [
                functools.partial(pytest_private.finish, fixturedef, request)
                for fixturedef, request in reversed(owner.fixtures.items())
                if pytest_private.will_request(item, fixturedef)
            ]
    if finishing:
        finalizers.call_all(finishing, "what runs with another loop factory or clock")


def _kind_of(factory: LoopFactory | None) -> tuple[NamedFactory | None, ClockName]:
    if isinstance(factory, ChosenFactory):
        return factory.named, factory.clock
    return None, "real"


_OWNER: Final = "_pytest_asyncio_owner"
"""The attribute of a fixture that is the owner of the loop that it was last set up on."""
