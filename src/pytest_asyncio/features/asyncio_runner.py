"""The loops of tests for synchronous code: `asyncio_runner`, and what other plugins look for."""

from __future__ import annotations

import asyncio
import functools
import inspect
from asyncio import AbstractEventLoop
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any, Self, TypeVar

import pytest

from pytest_asyncio.collect import loop_scopes
from pytest_asyncio.collect.options import shown
from pytest_asyncio.engine import async_tests, loops
from pytest_asyncio.engine.factories import factory_of
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.plan import plan_of
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.features import live
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.callables import is_awaitable
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.types import ScopeName

T = TypeVar("T")


class LoopRunner(asyncio.Runner):  # type: ignore[misc]  # Other plugins look for a Runner.
    """The loop of a test, for synchronous tests and fixtures.

    An `asyncio.Runner` whose loop is opened and closed by its owner.
    """

    def __init__(self, owner: LoopOwner, item: pytest.Function) -> None:
        self._owner = owner
        self._item = item
        self._own_context: Context | None = None

    def __enter__(self) -> Self:
        return self

    @property
    def loop(self) -> AbstractEventLoop:
        """The loop, which stands still while synchronous code runs, unless it is live."""
        return self._owner.loop

    def get_loop(self) -> AbstractEventLoop:
        return self._owner.loop

    def run(self, coro: Coroutine[Any, Any, T], *, context: Context | None = None) -> T:
        """Run a coroutine on the loop and return its result.

        It runs in `context`, or else in one that all calls share, which sees what was set before
        the first of them. Fails the test if it is called from code that runs on a loop, which must
        await instead.
        """
        __tracebackhide__ = True
        if not is_awaitable(coro):
            raise TypeError(f"asyncio_runner.run() needs a coroutine, not {shown(coro)}.")
        if not isinstance(context, Context | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"asyncio_runner.run() needs a context, not {shown(context)}.")
        refusal = self._refusal()
        if refusal is not None:
            if inspect.iscoroutine(coro):
                coro.close()
            pytest.fail(
                f"{address(self._item)}: asyncio_runner.run() was called {refusal}", pytrace=False
            )
        if context is None:
            if self._own_context is None:
                self._own_context = copy_context()
            context = self._own_context
        result: T = self._owner.call(coro, context, self._item)
        return result

    def _refusal(self) -> str | None:
        """Say why nothing can be run by the caller, and what to write."""
        session = self._item.session
        if SessionState.of(session).running is not None:
            return "by code that runs on an event loop. Write 'await' instead."
        if live.is_elsewhere(session):
            return (
                "in another thread than the test's, while the loop is live. Write "
                "asyncio.run_coroutine_threadsafe(coroutine, asyncio_runner.loop).result() instead."
            )
        return None

    @contextmanager
    def live(self) -> Generator[None]:
        """Have the loop, and those of the test's async fixtures, go on in threads of their own.

        What they run, such as a server, answers the synchronous code in the block. They stand
        still for as long as pytest's thread uses them, as `run()` does. Fails the test if it is
        called by code that runs on a loop, which goes on anyhow, or on a virtual clock.
        """
        __tracebackhide__ = True
        if SessionState.of(self._item.session).running is not None:
            pytest.fail(
                f"{address(self._item)}: asyncio_runner.live() was called by code that runs on an "
                "event loop, which goes on anyhow. Leave it out.",
                pytrace=False,
            )
        live.refuse_virtual_clock(self._item, "asyncio_runner.live() was called")
        with live.live(self._item):
            yield

    def close(self) -> None:
        """Do nothing: the loop is closed when its scope ends."""


def of_test(request: pytest.FixtureRequest) -> LoopRunner:
    """Return the runner of the loop of the requesting test."""
    item = pytest_private.item_of(request)
    return LoopRunner(async_tests.prepare(item), item)


def of_scope(request: pytest.FixtureRequest, scope: ScopeName) -> LoopRunner:
    """Return the runner of the loop that a loop scope means for the requesting test."""
    item = pytest_private.item_of(request)
    factory = factory_of(item, plan_of(item))
    node = loop_scopes.node_of_scope(item, scope)
    owner = loops.owner_of(node, factory)
    if isinstance(node, pytest.Package):  # pytest would keep the fixture for the whole session.
        fixturedef = pytest_private.definition_of(request)
        node.addfinalizer(functools.partial(pytest_private.finish, fixturedef, request))
    return LoopRunner(owner, item)
