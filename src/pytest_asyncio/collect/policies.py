"""The deprecated way to other loops: a suite that overrides the fixture `event_loop_policy`.

Where a suite does, every test that sees the override requests it, as if it were autouse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, final

import pytest

from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.callables import kind_of, standing_in_for
from pytest_asyncio.support.foreign import attribute, holds, is_a
from pytest_asyncio.support.frames import PACKAGE
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.types import LoopFactory
from pytest_asyncio.support.warn import warn_at

from .fixtures import POLICY_FIXTURE
from .options import shown


def is_override(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Return whether a fixture of that name is not our own."""
    module = attribute(fixturedef.func, "__module__", str) or ""
    return not module.startswith(PACKAGE)


def is_pending(item: pytest.Function) -> bool:
    """Return whether an item has yet to request the override that it sees."""
    return (
        is_overridden(item.session)
        and override_of(item) is not None
        and not pytest_private.has_requested(item, POLICY_FIXTURE)
    )


def request_override(metafunc: pytest.Metafunc) -> None:
    """Have a test request the override that it sees, as if it were autouse."""
    definitions = pytest_private.visible_fixtures(metafunc.definition, POLICY_FIXTURE)
    if is_override(definitions[-1]):
        pytest_private.request_first(metafunc.definition, POLICY_FIXTURE, definitions)


def warn_of_override(fixturedef: pytest.FixtureDef[Any], item: pytest.Item) -> None:
    __tracebackhide__ = True
    if is_override(fixturedef):
        warn_at(
            item,
            'Overriding the "event_loop_policy" fixture is deprecated. To say what makes the event '
            "loops, set asyncio_loop_factory, such as to uvloop.new_event_loop, or implement the "
            "hook pytest_asyncio_loop_factories.",
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


@final
class PolicyLoops:
    """What makes the default loops in a suite that overrides the policy.

    Whatever policy makes them, they are one factory's: who is the first on a loop says which policy
    makes it, and is in force as long as it is open. The loop ends with the fixture of that policy.
    """

    def __init__(
        self, make: LoopFactory, policy: Any, fixturedef: pytest.FixtureDef[Any] | None
    ) -> None:
        self._make: Final = make
        self.policy: Final = policy
        self.fixturedef: Final = fixturedef

    @staticmethod
    def behind(factory: object) -> PolicyLoops | None:
        """Return what makes loops, if it is this, for a clock of whatever kind."""
        factory = attribute(factory, "inner", PolicyLoops) or factory
        return factory if isinstance(factory, PolicyLoops) else None

    @classmethod
    def differ(cls, one: object, other: object) -> bool:
        """Return whether different policies are behind two factories."""
        first, second = cls.behind(one), cls.behind(other)
        return first is not None and second is not None and first.policy is not second.policy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PolicyLoops)

    def __hash__(self) -> int:
        return hash(PolicyLoops)

    def __call__(self) -> Any:
        __tracebackhide__ = True
        return self._make()

    def __repr__(self) -> str:
        return shown(self._make)


def factory_of(item: pytest.Function, otherwise: LoopFactory) -> PolicyLoops:
    """Return what makes an item's loops in a suite that overrides the policy anywhere."""
    if override_of(item) is None:
        return PolicyLoops(otherwise, None, None)
    policy = pytest_private.request_of(item).getfixturevalue(POLICY_FIXTURE)
    if policy is None:  # as asyncio's own default
        return PolicyLoops(otherwise, None, None)
    if not _is_policy(policy):
        pytest.fail(
            f"{address(item)}: the fixture 'event_loop_policy' must return an event loop policy, "
            f"not {shown(policy)}.",
            pytrace=False,
        )
    fixturedef = pytest_private.requested_fixture(item, POLICY_FIXTURE)
    return PolicyLoops(policy.new_event_loop, policy, fixturedef)


def is_overridden(session: pytest.Session) -> bool:
    """Return whether anything in a session overrides the policy."""
    try:
        return session.stash[_OVERRIDDEN]
    except KeyError:
        overridden = session.stash[_OVERRIDDEN] = not pytest_private.has_one_fixture(
            session, POLICY_FIXTURE
        )
        return overridden


def _is_policy(value: object) -> bool:
    from pytest_asyncio.support import asyncio_private  # All tests of a suite may be synchronous.

    return (
        callable(attribute(value, "new_event_loop", object))
        and not is_a(value, type)
        and holds(asyncio_private.accepts_policy, value)
    )


def override_of(item: pytest.Function) -> pytest.FixtureDef[Any] | None:
    """Return the override that an item sees, if there is one."""
    definitions = pytest_private.fixture_definitions(item).get(
        POLICY_FIXTURE
    ) or pytest_private.visible_fixtures(item, POLICY_FIXTURE)  # as for unittest and doctest
    return definitions[-1] if definitions and is_override(definitions[-1]) else None


def default() -> Any:
    """Return the policy that is in force."""
    from pytest_asyncio.support import asyncio_private  # All tests of a suite may be synchronous.

    return asyncio_private.policy_in_force()


_OVERRIDDEN: Final[pytest.StashKey[bool]] = pytest.StashKey()
"""Whether anything in a session overrides the policy."""
