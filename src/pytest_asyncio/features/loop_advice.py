"""What to change where a test and its fixtures are on different loops, and need to be on one."""

from __future__ import annotations

import asyncio
import inspect
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from itertools import chain, pairwise
from operator import methodcaller
from typing import Any, Final, NamedTuple, TypeAlias

import pytest

from pytest_asyncio.collect import fixtures, items, loop_scopes, marks, options
from pytest_asyncio.collect.marks import AsyncioMark
from pytest_asyncio.engine import async_fixtures, ended_fixtures
from pytest_asyncio.engine.loops import owner_behind
from pytest_asyncio.engine.plan import plan_of
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import asyncio_private, frames, pytest_private
from pytest_asyncio.support.await_chains import Step, last_of_users
from pytest_asyncio.support.foreign import attribute, holds, is_a
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.types import ScopeName
from pytest_asyncio.support.words import listed

from .standing_loops import HAS_BEEN_LIVE, is_async

_Node: TypeAlias = pytest.Item | pytest.Collector

_AT_MOST: Final = 5
"""How many other tests are named."""
_MAY_AWAIT: Final = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
"""The flags of code from which a coroutine may be called without running a loop."""
_AWAITING: Final = ("asyncio.futures", "asyncio.tasks")
"""The modules whose code stands between what awaits a task and that, as that in C does not."""


class _Participant(NamedTuple):
    """The test, or one of the async fixtures that it has requested."""

    name: str
    node: _Node
    """Whose loop it runs on."""
    fixturedef: pytest.FixtureDef[Any] | None
    """None for the test."""

    def __str__(self) -> str:
        return self.name if self.fixturedef is None else f"the fixture {self.name!r}"


def about(part: BaseException, error: BaseException, item: pytest.Function) -> str:
    """Say how what an error, or one behind it, shows to be on different loops gets on one."""
    caller = _caller_of_loop(part)
    if caller is not None:
        return f"{caller} runs {_loop_of_its_own(item)}"
    user, *others = _participants(error, item)
    for name in _loops_of_the_suite(part, item):
        return _stands_still(name, user)
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


def _caller_of_loop(error: BaseException) -> Step | None:
    """Return the user's line that runs the loop which an error comes out of, if it is not ours."""
    steps = [
        Step(entry.tb_frame, entry.tb_lineno)
        for entry in frames.entries_of(error.__traceback__)
        if entry.tb_frame.f_code.co_filename.endswith(".py")  # Cython's does not show what it is.
        and frames.module_of(entry.tb_frame) not in _AWAITING
    ]
    for index, (outer, inner) in enumerate(pairwise(steps), 1):
        flags = outer.frame.f_code.co_flags, inner.frame.f_code.co_flags
        is_boundary = not flags[0] & _MAY_AWAIT and flags[1] & inspect.CO_COROUTINE
        # SQLAlchemy goes back, by greenlets, to a coroutine that has called what calls it.
        if is_boundary and inner.frame not in [step.frame for step in steps[:index]]:
            callers = [step for step in steps[:index] if frames.kind_of(step.frame) != "python"]
            if callers and frames.is_users(callers[-1].frame):
                return last_of_users(callers)
    return None


def _loop_of_its_own(item: pytest.Function) -> str:
    fixtures = [one for one in _participants(None, item) if one.fixturedef is not None]
    made = f"what {_named(fixtures)} made" if fixtures else "what was made"
    return (
        f"an event loop of its own, where {made} on another one does not work. Await the same in "
        "an async test: what calls a web application, for example, by httpx.AsyncClient with an "
        "ASGITransport, in place of a TestClient."
    )


def _loops_of_the_suite(
    error: BaseException | None, item: pytest.Function
) -> dict[str, AbstractEventLoop]:
    """Return the loops that the suite has made, by fixture or variable, and that nothing runs.

    Synchronous code may run one, and is no place to ask for the running loop.
    """
    if not is_async(item) or (error is not None and _caller_of_loop(error) is not None):
        return {}
    # The item has no fixtures any more when wide ones are torn down after it.
    held = attribute(item, "funcargs", dict), attribute(item.instance, "__dict__", dict)
    places: list[dict[str, object]] = [place for place in held if place]
    if error is not None:
        places += [entry.tb_frame.f_locals for entry in frames.entries_of(error.__traceback__)]
    return {
        name: value
        for name, value in chain(*(place.items() for place in places))
        if is_a(value, AbstractEventLoop)
        and owner_behind(value) is None
        and not holds(methodcaller("is_running"), value)
    }


def _stands_still(name: str, user: _Participant) -> str:
    return (
        f"{name!r} is an event loop that nothing runs while {user} does. Write "
        "asyncio.get_running_loop() where it is made; a fixture that returns that is async."
    )


def if_in_use(error: BaseException | None, item: pytest.Function) -> str | None:
    """Say the same of what may wait for a loop that stands still, if one is in use."""
    user, *others = _participants(error, item)
    for name, loop in _loops_of_the_suite(error, item).items():
        if not holds(methodcaller("is_closed"), loop) and _is_waited_on(loop):
            return _stands_still(name, user)
    apart = _in_use(user, others)
    if not apart:
        return None
    return (
        f"What {user} uses may be on a loop that stands still meanwhile.\n"
        f"{_advice(item, user, apart, [user, *others])}"
    )


def if_behind_500(error: BaseException, item: pytest.Function) -> str | None:
    """Say the same of what a web application may have met, if another loop is in use."""
    user, *others = _participants(error, item)
    apart = _in_use(user, others)
    if not apart:
        return None
    if is_async(item) or HAS_BEEN_LIVE in item.stash:
        advice = _advice(item, user, apart, [user, *others])
    else:
        advice = f"{user} is synchronous, and what it calls may run {_loop_of_its_own(item)}"
    return f"An answer of 500 may be an error about event loops that is not shown.\n{advice}"


def _in_use(user: _Participant, others: list[_Participant]) -> list[_Participant]:
    """Return those that are on another loop than one of them, on which something is in use."""
    return [it for it in others if it.node is not user.node and _has_in_use(it.node)]


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
    marked = None if planned is None else mark
    of_fixtures = [
        _Participant(fixturedef.argname, _node_of_fixture(fixturedef, item, marked), fixturedef)
        for fixturedef in definitions
    ]
    test = _Participant(item.name, loop_scopes.node_of(item, mark), None)
    return sorted([test, *of_fixtures], key=lambda it: it.fixturedef is not failed)


def _node_of_fixture(
    fixturedef: pytest.FixtureDef[Any], item: pytest.Function, mark: AsyncioMark | None
) -> _Node:
    """Return the node on whose loop a fixture is, also where it was set up for another test."""
    owner = async_fixtures.owner_in_use(fixturedef)
    if owner is not None:
        return owner.node
    scope = pytest_private.scope_for(item, fixturedef)
    return loop_scopes.node_of_fixture(fixturedef, scope, item, mark)


def _advice(
    item: pytest.Function, user: _Participant, apart: list[_Participant], all_: list[_Participant]
) -> str:
    scopes: list[ScopeName] = [loop_scopes.scope_of_node(one.node) for one in all_]
    scope = options.widest(*scopes)
    target = loop_scopes.node_of_scope(item, scope)
    lines = list(_sentences(user, apart))
    narrower = [one for one in all_ if one.node is not target]
    foreign = [one for one in narrower if _is_installed(one)]
    if not foreign:
        lines[-1] += f" Write {_changes(narrower, scope)} to let them share one."
    those = [one for one in apart if one.fixturedef is not None]
    if others := _others_to_change(item, those, target):
        names = f"{'one of ' if len(those) > 1 else ''}{_named(those)}"
        lines.append(f"So have other tests that use {names}: {listed(others, _AT_MOST)}.")
    lines += _option(item, narrower, foreign)
    return "\n".join(lines)


def _sentences(user: _Participant, apart: list[_Participant]) -> Iterator[str]:
    """Say on which loops they are, those of one scope in one sentence."""
    own = loop_scopes.scope_of_node(user.node)
    by_scope: dict[ScopeName, list[_Participant]] = {}
    for one in apart:
        by_scope.setdefault(loop_scopes.scope_of_node(one.node), []).append(one)
    for scope, those in by_scope.items():
        run = "runs" if len(those) == 1 else "run"
        yield (
            f"{_named(those, 'The')} {run} on a loop of scope {scope!r}, and {user} on one of "
            f"scope {own!r}."
        )


def _named(those: list[_Participant], article: str = "the") -> str:
    """Name fixtures, and the test if it is among them."""
    fixtures = [repr(one.name) for one in those if one.fixturedef is not None]
    names = [one.name for one in those if one.fixturedef is None]
    if fixtures:
        names.insert(0, f"{article} fixture{'s'[: len(fixtures) - 1]} {listed(fixtures)}")
    return listed(names)


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


def _others_to_change(item: pytest.Function, those: list[_Participant], target: _Node) -> list[str]:
    """Return the other tests that use one of some fixtures on another loop than `target`."""
    return [
        address(other)
        for other in item.session.items
        if isinstance(other, pytest.Function)
        and other is not item
        and _uses(other, those)
        and items.is_async_test(other)
        and loop_scopes.node_of(other, marks.merged(other)) is not target
        and loop_scopes.node_of_scope(other, loop_scopes.scope_of_node(target)) is target
    ]


def _uses(item: pytest.Function, those: list[_Participant]) -> bool:
    definitions = pytest_private.fixture_definitions(item)
    return any(one.fixturedef in definitions.get(one.name, ()) for one in those)


def _has_in_use(node: _Node) -> bool:
    """Return whether something on the loop of a node may be waited for."""
    session = node.session
    open_loops = SessionState.of(session).open_loops.items()
    loops = [loop for owner, loop in open_loops if owner.node is node and not loop.is_closed()]
    return any(_is_waited_on(loop) or _is_bound(loop, session) for loop in loops)


def _is_waited_on(loop: AbstractEventLoop) -> bool:
    return bool(asyncio.all_tasks(loop)) or asyncio_private.listens(loop)


def _is_bound(loop: AbstractEventLoop, session: pytest.Session) -> bool:
    """Return whether a fixture at its `yield` holds something that is bound to a loop."""
    held = ended_fixtures.held_on(loop, session)
    return any(asyncio_private.is_bound(value, loop) for value in held)
