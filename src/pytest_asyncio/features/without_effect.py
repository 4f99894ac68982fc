"""What has no effect: fixtures of earlier versions, and hooks where pytest does not look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NoReturn

import pytest

from pytest_asyncio.collect import hooks, items
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.warn import advise

EVENT_LOOP: Final = "event_loop"


def refuse_event_loop(request: pytest.FixtureRequest) -> NoReturn:
    """Fail a request of the fixture that had the loop up to version 0.26."""
    error = pytest.FixtureLookupError(
        EVENT_LOOP,
        request,
        "The fixture 'event_loop' is gone since pytest-asyncio 1.0. In async code, write "
        "asyncio.get_running_loop(). Synchronous code requests asyncio_runner: "
        "asyncio_runner.run(coroutine), asyncio_runner.loop; a wide fixture is written as async. "
        "To share a loop, set asyncio_loop_scope, or write loop_scope= at tests and fixtures.",
    )
    raise pytest_private.as_refusal(error)


def start(session: pytest.Session) -> None:
    """Advise, once in a session of async tests, of what is there and not used."""
    tests = list(filter(items.is_async_test, session.items))
    for fixturedef in _overrides(tests):
        advise(
            tests[0],
            "The fixture 'event_loop' does not make the loops of async tests since pytest-asyncio "
            "1.0. Remove it. To share a loop, set asyncio_loop_scope, or write loop_scope= at "
            "tests and fixtures; for loops of another kind, such as uvloop's, set "
            "asyncio_loop_factory.",
            at=fixturedef.func,
        )
    for hook in _misplaced_hooks(tests):
        advise(
            tests[0],
            f"The hook {hook.__name__} is not called, for pytest looks for hooks in conftest.py "
            "and in plugins. Move it to the conftest.py of its folder.",
            at=hook,
        )


def _overrides(tests: list[pytest.Function]) -> set[pytest.FixtureDef[Any]]:
    """Return the fixtures called `event_loop` that async tests see and do not request."""
    if not tests or pytest_private.has_one_fixture(tests[0].session, EVENT_LOOP):
        return set()
    return {
        definitions[-1]
        for test in tests
        if EVENT_LOOP not in test.fixturenames
        and len(definitions := pytest_private.visible_fixtures(test, EVENT_LOOP)) > 1
    }


def _misplaced_hooks(tests: list[pytest.Function]) -> Iterator[Any]:
    names = [name for name in vars(hooks.Hooks) if name.startswith("pytest_")]
    for module in dict.fromkeys(test.module for test in tests):
        if not tests[0].config.pluginmanager.is_registered(module):
            yield from (vars(module)[name] for name in names if name in vars(module))
