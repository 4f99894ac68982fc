"""Async fixtures that nothing awaits: what to write at them, in place of pytest's own words."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from pytest_asyncio.support import frames, pytest_private

from . import fixtures, items


def explain_refusal(
    error: pytest_private.Failed, fixturedef: pytest.FixtureDef[object], item: pytest.Function
) -> None:
    """Say how to have a fixture awaited that pytest has refused to set up."""
    if not items.is_of_another_framework(item):
        error.msg = _how_to_await(fixturedef, item)


def explain(error: BaseException, item: pytest.Function) -> None:
    """Add a note to the failure of a test that has got something that was to be awaited."""
    for note in _notes(item):
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)


def _notes(item: pytest.Function) -> Iterator[str]:
    definitions = pytest_private.fixture_definitions(item)
    for name, value in pytest_private.arguments_of(item).items():
        fixturedef = definitions[name][-1] if name in definitions else None
        if fixturedef is None:
            continue
        is_async = inspect.iscoroutine(value) or inspect.isasyncgenfunction(fixturedef.func)
        if is_async and not fixtures.is_ours(fixturedef, item):
            yield _how_to_await(fixturedef, item)
        elif inspect.isasyncgen(value):
            yield (
                f"The value of {_named(fixturedef)} is an async generator, of which nothing has "
                "run. If it is to be set up and torn down, write 'yield' in the fixture itself, "
                "and declare that by @pytest_asyncio.fixture."
            )


def _how_to_await(fixturedef: pytest.FixtureDef[object], item: pytest.Function) -> str:
    return (
        f"{item.name} requests {_named(fixturedef)}, which is async and is declared by "
        "@pytest.fixture, so that nothing awaits it. Declare it by @pytest_asyncio.fixture, or set "
        "the option asyncio_mode to 'auto'."
    )


def _named(fixturedef: pytest.FixtureDef[object]) -> str:
    place = frames.definition_of(fixturedef.func)
    where = "" if place is None else f" ({frames.short(place[0])}:{place[1]})"
    return f"the fixture {fixturedef.argname!r}{where}"
