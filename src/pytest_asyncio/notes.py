"""Notes on the errors that event loops are known for: what to change in the suite."""

from __future__ import annotations

from typing import Final

import pytest

from . import fixtures, internals, marks, scopes, settings

_SHARED: Final = ("attached to a different loop", "bound to a different event loop")


def explain(error: BaseException, item: pytest.Item) -> None:
    """Add a note to an error of asyncio's that is about loops."""
    message = str(error)
    if not isinstance(error, RuntimeError) or not isinstance(item, pytest.Function):
        return
    if any(part in message for part in _SHARED):
        error.add_note(_different_loops(item))
    elif "Event loop is closed" in message:
        error.add_note(
            "Something that was made on the loop of an earlier test or fixture is used after that "
            f"loop was closed.\n{_different_loops(item)}"
        )
    elif "no running event loop" in message or "no current event loop" in message:
        error.add_note(
            "This code is synchronous and has no event loop. Let it be async, or request the "
            "fixture asyncio_runner, which has the loop of the test."
        )


def _different_loops(item: pytest.Function) -> str:
    """Say which of an item's fixtures run on other loops than the item does."""
    own = scopes.loop_scope_of(item, marks.merged(item))
    lines = []
    for fixturedef in internals.requested_fixtures(item):
        if not fixtures.is_ours(fixturedef, item.config):
            continue
        name = fixturedef.argname
        scope = fixtures.loop_scope_of(fixturedef, fixturedef.scope, item.config)
        if scope == own:
            continue
        if settings.widest(scope, own) == scope:
            advice = f'@pytest.mark.asyncio(loop_scope="{scope}") at the test'
        else:
            advice = f'@pytest_asyncio.fixture(loop_scope="{own}") at {name!r}'
        lines.append(
            f"The fixture {name!r} runs on a loop of scope {scope!r} and {item.name} on one of "
            f"scope {own!r}. Write {advice} to let them share one."
        )
    return "\n".join(lines) or (
        f"{item.name} runs on a loop of scope {own!r}, and what it uses was made on another one. "
        "Make it in the test or in an async fixture with the same loop_scope."
    )
