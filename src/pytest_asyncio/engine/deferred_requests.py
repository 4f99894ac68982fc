"""Requests of fixtures that are left in the middle, so that code on a loop can await them."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from pytest_asyncio.collect.fixtures import CAN_AWAIT
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.callables import kind_of, standing_in_for
from pytest_asyncio.support.foreign import holds

from . import runs
from .context import OwnContext
from .loops import LoopOwner
from .session import SessionState


@contextlib.contextmanager
def deferring(
    session: pytest.Session, can_await: Callable[[LoopOwner, pytest.FixtureDef[Any]], bool]
) -> Generator[None]:
    """Leave a request of a fixture with `Deferred` where its loop's owner can be awaited."""
    session.stash[CAN_AWAIT] = can_await
    try:
        yield
    finally:
        del session.stash[CAN_AWAIT]


@contextlib.contextmanager
def not_deferring(session: pytest.Session) -> Generator[None]:
    """Have what a fixture requests while it is set up, by its function or by a plugin's hook, set
    up in one go, for pytest cannot begin the setup of that one again.
    """
    can_await = session.stash[CAN_AWAIT]
    del session.stash[CAN_AWAIT]
    try:
        yield
    finally:
        session.stash[CAN_AWAIT] = can_await


def undeferred(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any] | None:
    """Keep a synchronous fixture from being left in the middle, for what its function requests.

    What it requests by its arguments is set up before. An async one is left to pytest.
    """
    if kind_of(fixturedef.func) is not None:
        return None
    function = pytest_private.bound_fixture_function(fixturedef, request)
    return standing_in_for(function, in_one_go(function, request))


def in_one_go(function: Callable[..., Any], request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return what calls a synchronous fixture's function, and leaves nothing that it requests."""
    own = OwnContext()

    def call(**kwargs: Any) -> Any:
        __tracebackhide__ = True
        value = own.context.run(function, **kwargs)
        runs.publish(own, request, SessionState.of(request.session).running)
        request.addfinalizer(own.put_back)
        return value

    def generate(**kwargs: Any) -> Iterator[Any]:
        __tracebackhide__ = True
        generator: Iterator[Any] = function(**kwargs)
        values: list[Any] = own.context.run(list, itertools.islice(generator, 1))
        runs.publish(own, request, SessionState.of(request.session).running)
        try:
            yield from values
            own.bring()
            yield from own.context.run(list, itertools.islice(generator, 1))
        finally:
            own.put_back()

    return generate if holds(inspect.isgeneratorfunction, function) else call
