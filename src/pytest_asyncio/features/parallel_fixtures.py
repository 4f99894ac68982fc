"""Fixtures that are set up at the same time: `pytest_asyncio.fixture(parallel=True)`.

Where pytest requests one of them, those that the test is to request later are begun too, if all
that they need is set up. pytest requests each of them in its turn, and only what is left of its
setup is waited for then: what is reported, and the order in which they are torn down, is that of
setups one by one.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, Final, final

import pytest

from pytest_asyncio.collect import fixtures, loop_scopes
from pytest_asyncio.engine import async_fixtures
from pytest_asyncio.engine.context import OwnContext
from pytest_asyncio.engine.fixture_setups import Setup
from pytest_asyncio.engine.plan import plan_of
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import finalizers, pytest_private
from pytest_asyncio.support.callables import is_itself_async
from pytest_asyncio.support.foreign import attribute
from pytest_asyncio.support.frames import PACKAGE


def start(session: pytest.Session) -> None:
    state = SessionState.of(session)
    state.observe(_ParallelFixtures(state.early_setups))


class _NotRequested(Exception):
    """A fixture was begun that the test has not come to request."""


@final
class _ParallelFixtures(Observer):
    def __init__(self, early_setups: dict[pytest.FixtureDef[Any], Setup]) -> None:
        self._early_setups: Final = early_setups

    def setup_awaited(self, setup: Setup) -> None:
        """Begin what may be set up beside a fixture, unless that is set up by code on a loop."""
        if (
            not fixtures.is_parallel(setup.fixturedef)
            or SessionState.of(setup.item.session).running is not None
        ):
            return
        for fixturedef in _beside(setup):
            if fixturedef not in self._early_setups:
                self._begin(fixturedef, setup)

    def _begin(self, fixturedef: pytest.FixtureDef[Any], first: Setup) -> None:
        request, held = pytest_private.request_early(fixturedef, first.item)
        arguments = pytest_private.known_arguments(fixturedef, request)
        if arguments is None:
            return
        own, before = OwnContext(), copy_context()
        function = pytest_private.bound_fixture_function(fixturedef, request)
        result = own.context.run(function, **arguments)
        setup = async_fixtures.setup_of(result, fixturedef, request, first.owner, own)
        assert setup is not None  # The function is async itself.

        def join(later: pytest.FixtureRequest) -> None:
            pytest_private.made(request)
            own.catch_up(before)
            for finalizer in held:
                later.addfinalizer(finalizer)

        setup.on_join = join
        self._early_setups[fixturedef] = setup
        setup.begin_early()
        first.item.addfinalizer(partial(self._abandon, setup, held))

    def _abandon(self, setup: Setup, held: list[Callable[[], object]]) -> None:
        """End what nothing has requested after all."""
        __tracebackhide__ = True
        if self._early_setups.get(setup.fixturedef) is not setup:
            return
        del self._early_setups[setup.fixturedef]
        if setup.owner.has_lost(setup.loop):
            return
        setup.run.cancel(_NotRequested())
        setup.run.break_off()
        ending = Run(setup.run.task, setup.item, "teardown", setup.fixturedef)
        try:
            with setup.owner.standstill():
                setup.go_through(ending)
            with suppress(CancelledError):
                ending.result()
        finally:
            finalizers.call_all(reversed(held), str(setup))


def _beside(setup: Setup) -> Iterator[pytest.FixtureDef[Any]]:
    """Return the fixtures that may be set up beside one, as far as they know of each other."""
    item, planned = setup.item, plan_of(setup.item)
    for fixturedef in tuple(pytest_private.fixtures_to_request(item)):
        if (
            fixturedef is setup.fixturedef
            or fixturedef.cached_result is not None
            or fixturedef.argname in fixturedef.argnames
            or not fixtures.is_parallel(fixturedef)
            or not is_itself_async(fixturedef.func)  # Else calling it may do more than to begin.
            or _is_set_up_by_others(fixturedef, item)
        ):
            continue
        scope = pytest_private.scope_for(item, fixturedef)
        mark = None if planned is None else planned.mark
        with suppress(pytest.fail.Exception):  # It fails with that when pytest requests it.
            if loop_scopes.node_of_fixture(fixturedef, scope, item, mark) is setup.owner.node:
                yield fixturedef


def _is_set_up_by_others(fixturedef: pytest.FixtureDef[Any], item: pytest.Function) -> bool:
    """Return whether a plugin's hook may put another parameter in the place of a fixture's.

    That of pytest-lazy-fixtures does, when pytest comes to the fixture.
    """
    callspec = pytest_private.callspec_of(item)
    if callspec is None or fixturedef.argname not in callspec.params:
        return False
    hooks = item.config.hook.pytest_fixture_setup.get_hookimpls()
    modules = {attribute(hook.function, "__module__", str) or "" for hook in hooks}
    return not {module.partition(".")[0] for module in modules} <= _WITHOUT_PARAMETERS


_WITHOUT_PARAMETERS: Final = {"_pytest", "anyio", PACKAGE}
"""Packages with such a hook that leaves parameters alone."""
