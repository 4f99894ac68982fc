"""Fixtures that stand at their `yield`, and those that have ended there, too early."""

from __future__ import annotations

import functools
from asyncio import AbstractEventLoop, Task
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, final

import pytest

from pytest_asyncio.support import finalizers, pytest_private

from .fixture_setups import Cancelled, Setup
from .plan import OUTCOME
from .session import SessionState


def standing(session: pytest.Session) -> AbstractSet[Task[None]]:
    """Return the tasks of the fixtures that stand at their `yield`."""
    return SessionState.of(session).standing.keys()


def held_on(loop: AbstractEventLoop, session: pytest.Session) -> list[object]:
    """Return what the fixtures hold that stand at their `yield` on a loop."""
    return [
        value
        for task in SessionState.of(session).standing.values()
        if task.loop is loop
        for value in task.held()
    ]


def end_those_on_closed_loops(session: pytest.Session) -> None:
    """Have the fixtures set up anew, for the items that request them, whose loop was closed."""
    for task in SessionState.of(session).standing.values():
        if task.owner.has_lost(task.loop):
            task.end()


def finish_after(item: pytest.Function) -> None:
    """Have an item tear the wide fixtures down, after its own, that end while it uses them."""
    item.addfinalizer(functools.partial(finish_ended, item))


def finish_ended(item: pytest.Item) -> None:
    """Tear down the wide fixtures that ended too early, if no test but one that is over uses them.

    The next item that requests them gets new ones.
    """
    __tracebackhide__ = True
    state = SessionState.of(item.session)
    if not state.ended:
        return
    scheduler = state.scheduler
    finishing = [
        setup.finish
        for setup in state.ended
        if scheduler is None or not scheduler.may_use(setup.fixturedef, besides=item)
    ]
    finalizers.call_all(finishing, "fixtures that ended too early")


def ended_fixtures_of(item: pytest.Function) -> Iterator[pytest.FixtureDef[Any]]:
    """Return the fixtures that an item is to request and that have ended too early."""
    for setup in SessionState.of(item.session).ended:
        if pytest_private.will_request(item, setup.fixturedef):
            yield setup.fixturedef


def refuse_ended(item: pytest.Item) -> None:
    """Fail a test before its call if a fixture that it uses has ended."""
    __tracebackhide__ = True
    for setup in _used_by(item):
        raise Cancelled(setup)


def remember(error: BaseException, item: pytest.Function) -> None:
    """Know what an example of Hypothesis has raised, if a fixture has ended in it."""
    for setup in _used_by(item):
        setup.failures.setdefault(item, (error, error.__traceback__))


def raise_again(item: pytest.Function) -> None:
    """Fail as the example before did in which a fixture has ended, if there was one.

    There is nothing to run another one with, and Hypothesis expects the same of it.
    """
    __tracebackhide__ = True
    for setup in _used_by(item):
        error, traceback = setup.failures.get(item, (Cancelled(setup), None))
        raise error.with_traceback(traceback)


def _used_by(item: pytest.Item) -> Iterator[Setup]:
    """Yield the fixtures that a test has requested and that have ended too early."""
    for setup in SessionState.of(item.session).ended:
        if isinstance(item, pytest.Function) and pytest_private.may_use(item, setup.fixturedef):
            yield setup


def end(setup: Setup) -> None:
    """Have a fixture set up anew for the next item that requests it."""
    plugins = setup.request.config.pluginmanager
    if not plugins.hasplugin(EndedFixtures.NAME):
        plugins.register(EndedFixtures(), EndedFixtures.NAME)
    setup.owner.state.ended.append(setup)


@final
class EndedFixtures:
    """The hooks of a session in which a fixture has ended too early."""

    NAME: ClassVar = "asyncio-ended-fixtures"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        __tracebackhide__ = True
        if OUTCOME not in item.stash:  # Else its call has taken place.
            refuse_ended(item)
