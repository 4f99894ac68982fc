"""Errors of the users' code: notes on those that event loops are known for, and what is shown."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, TypeAlias, cast, final

import pytest

from pytest_asyncio.collect import fixtures, loop_scopes, marks, options, plain_fixtures
from pytest_asyncio.engine.plan import plan_of
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import foreign, frames, pytest_private
from pytest_asyncio.support.foreign import is_a

from .standing_loops import advise, is_beside_live_loops

_Node: TypeAlias = pytest.Item | pytest.Collector

_SHARED: Final = ("attached to a different loop", "bound to a different event loop")
_CLOSED: Final = "Event loop is closed"
_MISSING: Final = ("no running event loop", "no current event loop")
_NESTED: Final = (
    "cannot be called from a running event loop",
    "This event loop is already running",
    "Cannot run the event loop while another loop is running",
)
_CLOSES: Final = "Cannot close a running event loop"
_LATE: Final = "of its timeout"


def start(session: pytest.Session) -> None:
    SessionState.of(session).observe(_Failures(session))


@final
class _Failures(Observer):
    """Explains failures from the first one on."""

    def __init__(self, session: pytest.Session) -> None:
        self._session: Final = session

    def first_failure(self) -> None:
        self._session.config.pluginmanager.register(self)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None:
            SessionState.of(self._session).raise_postponed()
            explain(call.excinfo.value, item)
            if call.when == "call" and isinstance(item, pytest.Function):
                plain_fixtures.explain(call.excinfo.value, item)
            if not item.config.getoption("fulltrace", False):
                hide_frames(call.excinfo.value)


def explain(error: BaseException, item: pytest.Item) -> None:
    """Say what to change in the suite, if an error, or one behind it, is about event loops."""
    if not isinstance(item, pytest.Function):
        return
    for part in _all_of(error):
        note = advise(item) if _is_timeout(part) else None
        if note is None and isinstance(part, (RuntimeError, TimeoutError)):
            note = _note_on(foreign.text(part), error, item)
        notes: Any = foreign.attribute(part, "__notes__", object) or []
        if note and is_a(notes, list) and note not in notes:
            part.add_note(note)


def _is_timeout(error: BaseException) -> bool:
    """Tell whether an error is the end of a time-out: a client's, or pytest-timeout's."""
    if any("timeout" in cls.__name__.lower() for cls in type(error).__mro__):
        return True
    if isinstance(error, pytest.fail.Exception):
        return foreign.text(error).startswith("Timeout (>")
    return isinstance(error, OSError) and "timed out" in foreign.text(error)


def hide_frames(error: BaseException) -> None:
    """Take this package's lines out of the tracebacks of an error and of those behind it."""
    for part in _all_of(error):
        part.__traceback__ = frames.hide_own(part.__traceback__)


def _all_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes, and those that it groups."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        part = left.pop()
        if part is not None and id(part) not in seen:
            seen.add(id(part))
            yield part
            left += part.__cause__, part.__context__
            if isinstance(part, BaseExceptionGroup):
                left += cast("BaseExceptionGroup[BaseException]", part).exceptions


def _note_on(message: str, error: BaseException, item: pytest.Function) -> str | None:
    if any(part in message for part in _SHARED):
        return _on_different_loops(error, item)
    if _CLOSED in message:
        return (
            "Something that was made on the loop of an earlier test or fixture is used after that "
            f"loop was closed.\n{_on_different_loops(error, item)}"
        )
    if any(part in message for part in _NESTED) and is_beside_live_loops(item):
        return (
            f"The loops of {item.name} are live, in threads of their own. Write "
            "asyncio_runner.run(coroutine), with the fixture asyncio_runner, in place of "
            "loop.run_until_complete(coroutine)."
        )
    if any(part in message for part in _NESTED):
        return (
            f"{_user(error, item)[0]} runs on an event loop, which is running. Write 'await "
            "coroutine' in place of asyncio.run(coroutine) or loop.run_until_complete(coroutine); "
            "call a synchronous function that has one of these by 'await "
            "asyncio.to_thread(function)'."
        )
    if _CLOSES in message:
        return "Leave the loop to pytest-asyncio, which closes it when its scope ends."
    if any(part in message for part in _MISSING):
        return (
            f"In {_user(error, item)[0]}, this is called outside of an event loop. Let it be "
            "async, or request the fixture asyncio_runner: asyncio_runner.run() runs a coroutine "
            "on the loop of the test."
        )
    if _LATE in message and (others := _others(*_user(error, item), item)):
        return f"What it waits for may be on a loop that stands still meanwhile.\n{others}"
    return None


def _on_different_loops(error: BaseException, item: pytest.Function) -> str:
    user, own = _user(error, item)
    return _others(user, own, item) or (
        f"What was made on another loop is used by {user}, on a loop of scope "
        f"{loop_scopes.scope_of_node(own)!r}. "
        "Make it there, or in an async fixture with the same loop_scope."
    )


def _others(user: str, own: _Node, item: pytest.Function) -> str:
    """Say which fixtures run on other loops than the test or fixture that has failed."""
    lines: list[str] = []
    planned = plan_of(item)
    for fixturedef in pytest_private.requested_fixtures(item):
        name = fixturedef.argname
        if not fixtures.is_ours(fixturedef, item) or user == f"the fixture {name!r}":
            continue
        scope = pytest_private.scope_for(item, fixturedef)
        node = loop_scopes.node_of_fixture(
            fixturedef, scope, item, None if planned is None else planned.mark
        )
        if node is not own:
            lines.append(_on_another_loop(name, node, user, own, item))
    return "\n".join(lines)


def _on_another_loop(name: str, node: _Node, user: str, own: _Node, item: pytest.Function) -> str:
    scope, own_scope = loop_scopes.scope_of_node(node), loop_scopes.scope_of_node(own)
    widest = options.widest(scope, own_scope)
    if widest == own_scope:
        advice = f'@pytest_asyncio.fixture(loop_scope="{own_scope}") at {name!r}'
    elif user == item.name:
        advice = f'@pytest.mark.asyncio(loop_scope="{scope}") at the test'
    else:
        advice = f'@pytest_asyncio.fixture(loop_scope="{scope}") at the latter'
    return (
        f"The fixture {name!r} runs on a loop of scope {scope!r}, and {user} on one of scope "
        f"{own_scope!r}. Write {advice} to let them share one."
    )


def _user(error: BaseException, item: pytest.Function) -> tuple[str, _Node]:
    """Return what has failed, the test or one of its fixtures, and the node of its loop."""
    planned = plan_of(item)
    for fixturedef in chain(*pytest_private.fixture_definitions(item).values()):
        if pytest_private.setup_error(fixturedef) is error:
            scope = pytest_private.scope_for(item, fixturedef)
            node = loop_scopes.node_of_fixture(
                fixturedef, scope, item, None if planned is None else planned.mark
            )
            return f"the fixture {fixturedef.argname!r}", node
    mark = marks.merged(item) if planned is None else planned.mark
    return item.name, loop_scopes.node_of(item, mark)
