"""Async `setup_module`, `setup_class`, `setup_method`, `setup_function`, and their teardowns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncio.collect import items, options, xunit_functions
from pytest_asyncio.collect.fixtures import XUNIT
from pytest_asyncio.engine import context, entry
from pytest_asyncio.engine.plan import plan_of
from pytest_asyncio.support import pytest_private

if TYPE_CHECKING:
    from pytest_asyncio.engine.runs import Phase


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    __tracebackhide__ = True
    if not (fixturedef.argname.startswith(XUNIT) and is_ours(fixturedef, request)):
        return (yield)
    entry.start(request.session)
    function = synchronous(fixturedef, request)
    return (yield from entry.set_up_by(function, fixturedef, request))


def is_ours(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> bool:
    """Return whether a fixture calls an async xunit function of asyncio tests."""
    item = pytest_private.item_of(request)
    return xunit_functions.are_async(fixturedef, item) and _is_for_asyncio(request)


def _is_for_asyncio(request: pytest.FixtureRequest) -> bool:
    """Return whether there is an asyncio test among those that the functions are for."""
    item = pytest_private.item_of(request)
    if options.at(item).auto_mode or items.is_marked(item):
        return True
    if request.scope == "function":
        return False
    node = item.getparent(pytest.Class if request.scope == "class" else pytest.Module)
    return any(items.is_marked(other) and node in other.listchain() for other in item.session.items)


def synchronous(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """Return what pytest can call to set up such a fixture, on the loop of an async fixture."""

    def generate(request: pytest.FixtureRequest) -> Iterator[None]:
        __tracebackhide__ = True
        from pytest_asyncio.engine import async_fixtures, runs

        kind, item = xunit_functions.kind_of(fixturedef), pytest_private.item_of(request)
        before, after = xunit_functions.functions_of(kind, item)
        argument = getattr(request, kind.argument)
        # Looked up once: at the teardown, the item that says which loop it is may be over.
        owner = async_fixtures.owner_for(fixturedef, request, item, plan_of(item))
        own_context = copy_context()

        def call(function: Callable[..., Any] | None, phase: Phase) -> None:
            __tracebackhide__ = True
            if function is None:
                return
            arguments = [argument] if inspect.signature(function).parameters else []
            result = own_context.run(function, *arguments)
            if inspect.isawaitable(result):
                run = runs.begin(owner.loop, result, own_context, item, phase, fixturedef)
                owner.run(run)
                run.result()

        call(before, "setup")
        undo = context.publish(own_context)
        try:
            yield
            context.bring(own_context)
            call(after, "teardown")
        finally:
            if undo is not None:
                undo()

    return generate
