"""What to change where a test and its fixtures are on different loops, and need to be on one."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

import pytest

from pytest_asyncio.collect import fixtures, items, loop_scopes, marks, options
from pytest_asyncio.engine import ended_fixtures
from pytest_asyncio.engine.plan import plan_of
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import asyncio_private, frames, pytest_private
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.types import ScopeName
from pytest_asyncio.support.words import listed

_Node: TypeAlias = pytest.Item | pytest.Collector

_AT_MOST: Final = 5
"""How many other tests are named."""


class _Participant(NamedTuple):
    """The test, or one of the async fixtures that it has requested."""

    name: str
    node: _Node
    """Whose loop it runs on."""
    fixturedef: pytest.FixtureDef[Any] | None
    """None for the test."""

    def __str__(self) -> str:
        return self.name if self.fixturedef is None else f"the fixture {self.name!r}"


def about(error: BaseException, item: pytest.Function) -> str:
    """Say how what an error shows to be on different loops gets on one."""
    user, *others = _participants(error, item)
    apart = [other for other in others if other.node is not user.node]
    if apart:
        return _advice(item, user, apart, [user, *others])
    scope = loop_scopes.scope_of_node(user.node)
    note = (
        f"What was made on another loop is used by {user}, on a loop of scope {scope!r}. Make it "
        "there, or in an async fixture with the same loop_scope."
    )
    if scope == "session" or any(_names_loop_scope(one, item) for one in (user, *others)):
        return note
    return f"{note}\nOr set asyncio_loop_scope = session: all tests share one loop then."


def if_in_use(error: BaseException | None, item: pytest.Function) -> str | None:
    """Say the same of what may wait for a loop that stands still, if one is in use."""
    user, *others = _participants(error, item)
    apart = [
        other
        for other in others
        if other.node is not user.node and _is_in_use(other.node, item.session)
    ]
    if not apart:
        return None
    return (
        f"What {user} uses may be on a loop that stands still meanwhile.\n"
        f"{_advice(item, user, apart, [user, *others])}"
    )


def user_of(error: BaseException, item: pytest.Function) -> str:
    """Name the test, or its fixture, that has failed."""
    return str(_participants(error, item)[0])


def _participants(error: BaseException | None, item: pytest.Function) -> list[_Participant]:
    """Return the test and its async fixtures, that which has failed first, if any has."""
    planned = plan_of(item)
    mark = marks.merged(item) if planned is None else planned.mark
    failed = next(
        (
            fixturedef
            for fixturedef in chain(*pytest_private.fixture_definitions(item).values())
            if error is not None and pytest_private.setup_error(fixturedef) is error
        ),
        None,
    )
    definitions = [] if failed is None else [failed]
    definitions += [
        fixturedef
        for fixturedef in pytest_private.requested_fixtures(item)
        if fixtures.is_ours(fixturedef, item) and fixturedef is not failed
    ]
    of_fixtures = [
        _Participant(
            fixturedef.argname,
            loop_scopes.node_of_fixture(
                fixturedef,
                pytest_private.scope_for(item, fixturedef),
                item,
                None if planned is None else mark,
            ),
            fixturedef,
        )
        for fixturedef in definitions
    ]
    test = _Participant(item.name, loop_scopes.node_of(item, mark), None)
    return sorted([test, *of_fixtures], key=lambda it: it.fixturedef is not failed)


def _advice(
    item: pytest.Function, user: _Participant, apart: list[_Participant], all_: list[_Participant]
) -> str:
    scopes: list[ScopeName] = [loop_scopes.scope_of_node(one.node) for one in all_]
    scope = options.widest(*scopes)
    target = loop_scopes.node_of_scope(item, scope)
    own = loop_scopes.scope_of_node(user.node)
    lines = [
        f"The fixture {other.name!r} runs on a loop of scope "
        f"{loop_scopes.scope_of_node(other.node)!r}, and {user} on one of scope {own!r}."
        if other.fixturedef is not None
        else f"{other} runs on a loop of scope {loop_scopes.scope_of_node(other.node)!r}, and "
        f"{user} on one of scope {own!r}."
        for other in apart
    ]
    narrower = [one for one in all_ if one.node is not target]
    foreign = [one for one in narrower if _is_installed(one)]
    if not foreign:
        lines[-1] += f" Write {_changes(narrower, scope)} to let them share one."
    if others := _others_to_change(item, {one.name for one in apart}, target):
        names = listed([str(one) for one in apart if one.fixturedef is not None])
        lines.append(f"So have other tests that use {names}: {listed(others, _AT_MOST)}.")
    lines += _option(item, narrower, foreign)
    return "\n".join(lines)


def _changes(narrower: list[_Participant], scope: ScopeName) -> str:
    """Say what to write where."""
    names = [repr(one.name) for one in narrower if one.fixturedef is not None]
    changes: list[str] = []
    if len(names) < len(narrower):
        changes.append(f'@pytest.mark.asyncio(loop_scope="{scope}") at the test')
    if names:
        changes.append(f'@pytest_asyncio.fixture(loop_scope="{scope}") at {listed(names)}')
    return " and ".join(changes)


def _option(
    item: pytest.Function, narrower: list[_Participant], foreign: list[_Participant]
) -> Iterator[str]:
    """Name the option that does it for all tests, and what stands in its way."""
    if options.at(item).loop_scope == "auto":
        return
    explicit = [str(one) for one in narrower if _names_loop_scope(one, item)]
    if foreign:
        names = listed([repr(one.name) for one in foreign])
        away = f", and take loop_scope away at {listed(explicit)}" if explicit else ""
        yield (
            f"{names} is not the suite's own: set asyncio_loop_scope = auto{away}, and every test "
            "shares a loop with all of its fixtures."
        )
    elif not explicit:
        yield "Or set asyncio_loop_scope = auto: every test shares a loop with all of its fixtures."


def _names_loop_scope(one: _Participant, item: pytest.Function) -> bool:
    if one.fixturedef is not None:
        return fixtures.names_loop_scope(one.fixturedef)
    planned = plan_of(item)
    return planned is not None and planned.mark.loop_scope is not None


def _is_installed(one: _Participant) -> bool:
    place = None if one.fixturedef is None else frames.definition_of(one.fixturedef.func)
    return place is not None and not frames.is_users_file(place[0])


def _others_to_change(item: pytest.Function, names: set[str], target: _Node) -> list[str]:
    """Return the other tests that use a fixture of some names on another loop than `target`."""
    return [
        address(other)
        for other in item.session.items
        if isinstance(other, pytest.Function)
        and other is not item
        and not names.isdisjoint(other.fixturenames)
        and items.is_async_test(other)
        and loop_scopes.node_of(other, marks.merged(other)) is not target
        and loop_scopes.node_of_scope(other, loop_scopes.scope_of_node(target)) is target
    ]


def _is_in_use(node: _Node, session: pytest.Session) -> bool:
    """Return whether something on the loop of a node may be waited for."""
    open_loops = SessionState.of(session).open_loops.items()
    loops = [loop for owner, loop in open_loops if owner.node is node and not loop.is_closed()]
    return any(
        asyncio.all_tasks(loop) or asyncio_private.listens(loop) or _is_bound(loop, session)
        for loop in loops
    )


def _is_bound(loop: AbstractEventLoop, session: pytest.Session) -> bool:
    """Return whether a fixture at its `yield` holds something that is bound to a loop."""
    held = ended_fixtures.held_on(loop, session)
    return any(asyncio_private.is_bound(value, loop) for value in held)
