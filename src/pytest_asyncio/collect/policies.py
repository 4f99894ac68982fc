"""The deprecated way to other loops: a suite that overrides the fixture `event_loop_policy`.

Where a suite does, every test that sees the override requests it, as if it were autouse.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NoReturn

import pytest

from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.callables import kind_of, standing_in_for
from pytest_asyncio.support.frames import PACKAGE
from pytest_asyncio.support.types import LoopFactory
from pytest_asyncio.support.warn import warn_at

from .options import shown

FIXTURE: Final = "event_loop_policy"


def is_override(fixturedef: pytest.FixtureDef[Any]) -> bool:
    return fixturedef.argname == FIXTURE and not fixturedef.func.__module__.startswith(PACKAGE)


def is_pending(item: pytest.Function) -> bool:
    """Tell whether an item has yet to request the override that it sees."""
    return _override_of(item) is not None and not pytest_private.has_requested(item, FIXTURE)


def request_override(metafunc: pytest.Metafunc) -> None:
    """Have a test request the override that it sees, as if it were autouse."""
    definitions = pytest_private.visible_fixtures(metafunc.definition, FIXTURE)
    if is_override(definitions[-1]):
        pytest_private.request_first(metafunc.definition, FIXTURE, definitions)


def warn_of_override(fixturedef: pytest.FixtureDef[Any], item: pytest.Item) -> None:
    if is_override(fixturedef):
        warn_at(
            item,
            'Overriding the "event_loop_policy" fixture is deprecated. Implement the hook '
            "pytest_asyncio_loop_factories to say what makes the event loops.",
            fixturedef.func,
        )


def refused(fixturedef: pytest.FixtureDef[Any]) -> Callable[..., Any] | None:
    """Return what fails in place of an override that is async, which nothing could run."""
    if kind_of(fixturedef.func) is None:
        return None

    def fail(**kwargs: Any) -> NoReturn:
        pytest.fail(
            "The fixture 'event_loop_policy' cannot be async, for it says what makes the event "
            "loops.",
            pytrace=False,
        )

    return standing_in_for(fixturedef.func, fail)


def factory_of(item: pytest.Function) -> LoopFactory | None:
    """Put the policy that an item sees in force for the item; return what makes its loops."""
    if _override_of(item) is None:
        return None
    policy = pytest_private.request_of(item).getfixturevalue(FIXTURE)
    if policy is None:  # as asyncio's own default
        return None
    if not _is_policy(policy):
        pytest.fail(
            f"{item.nodeid}: the fixture 'event_loop_policy' must return an event loop policy, "
            f"not {shown(policy)}.",
            pytrace=False,
        )
    before = default()
    if before is not policy:
        put_in_force(policy)
        item.addfinalizer(partial(put_in_force, before))
    factory: LoopFactory = policy.new_event_loop
    return factory


def _is_policy(value: object) -> bool:
    return callable(getattr(value, "new_event_loop", None)) and not isinstance(value, type)


def _override_of(item: pytest.Function) -> pytest.FixtureDef[Any] | None:
    definitions = pytest_private.fixture_definitions(item).get(FIXTURE)
    return definitions[-1] if definitions and is_override(definitions[-1]) else None


def default() -> Any:
    """Return the policy that is in force."""
    import asyncio  # the tests of a suite may all be synchronous

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.get_event_loop_policy()  # pyright: ignore[reportDeprecated]  # as the filter


def put_in_force(policy: Any) -> None:
    import asyncio

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(policy)  # pyright: ignore[reportDeprecated]  # as the filter
