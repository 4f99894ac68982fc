"""Fixtures that fail because another one was not there yet, or not any more."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final

import pytest

from pytest_asyncio.support import frames, pytest_private
from pytest_asyncio.support.errors import all_of
from pytest_asyncio.support.foreign import is_a
from pytest_asyncio.support.words import listed

_SIGNS: Final = ("Timeout", "Connect", "Disconnect", "Closed", "Broken", "EndOfStream")
"""What the names of errors have in them by which libraries say that nobody answers."""


def explain(error: BaseException, item: pytest.Function, when: str) -> None:
    """Name the fixtures that a failing one may have needed, and does not request."""
    failed = _failed_in(error, item)
    if failed is None and is_a(error, BaseExceptionGroup):
        for part in error.exceptions:
            explain(part, item, when)
    if failed is None or (when == "setup" and pytest_private.setup_error(failed) is None):
        return  # What is set up for another parameter is torn down in a setup.
    if any(map(_says_that_nobody_answers, all_of(error))) and not _is_explained(error):
        note = hint(failed, item, when)
        if note is not None:
            error.add_note(note)


def hint(fixturedef: pytest.FixtureDef[Any], item: pytest.Function, phase: str) -> str | None:
    """Name the fixtures that one may wait for in vain in its setup or teardown, if there are any.

    It does not request them, so that they are not set up yet, or torn down already.
    """
    others: Iterable[pytest.FixtureDef[Any]]
    if phase == "setup":
        others, state = pytest_private.fixtures_to_request(item), "yet to be set up"
    else:
        others, state = _set_up_after(fixturedef, item), "torn down"
    names = [
        repr(other.argname)
        for other in others
        if other.argname != fixturedef.argname
        and _is_users(other)
        # A test that runs beside others has copies of them.
        and fixturedef.argname not in (it.argname for it in pytest_private.needed_by(other, item))
    ]
    if not names:
        return None
    were, which = ("was", "it") if len(names) == 1 else ("were", "one of them")
    return (
        f"{listed(names, _AT_MOST)} {were} {state} by then. If {fixturedef.argname!r} needs "
        f"{which}, add that to its arguments: {_RULE}"
    )


_AT_MOST: Final = 5
"""How many fixtures are named."""
_RULE: Final = "a fixture is set up after those that it requests, and torn down before them."


def _is_explained(error: BaseException) -> bool:
    """Return whether it is the error of a shared fixture, which another test has got before."""
    return any(note.endswith(_RULE) for note in getattr(error, "__notes__", ()))


def _says_that_nobody_answers(error: BaseException) -> bool:
    is_io = isinstance(error, (OSError, EOFError))
    return is_io or any(sign in type(error).__name__ for sign in _SIGNS)


def _failed_in(error: BaseException, item: pytest.Function) -> pytest.FixtureDef[Any] | None:
    """Return the fixture whose function an error has come out of."""
    definitions = _known_by_code(item)
    steps = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return next((found for it in steps if (found := definitions.get(_place_of(it)))), None)


def _known_by_code(item: pytest.Function) -> dict[tuple[str, int], pytest.FixtureDef[Any]]:
    fixtures = pytest_private.definitions_in_use(item)
    return {place: it for it in fixtures if (place := frames.definition_of(it.func)) is not None}


def _place_of(frame: FrameType) -> tuple[str, int]:
    return frame.f_code.co_filename, frame.f_code.co_firstlineno


def _set_up_after(
    fixturedef: pytest.FixtureDef[Any], item: pytest.Function
) -> list[pytest.FixtureDef[Any]]:
    """Return the fixtures that pytest tears down before one."""
    requested = [*pytest_private.requested_fixtures(item)]
    return requested[requested.index(fixturedef) :] if fixturedef in requested else []


def _is_users(fixturedef: pytest.FixtureDef[Any]) -> bool:
    place = frames.definition_of(fixturedef.func)
    return place is not None and frames.is_users_file(place[0])
