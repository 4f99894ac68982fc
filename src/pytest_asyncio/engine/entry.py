"""Where pytest enters the engine, whose other files are imported with the first async test."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import pytest

from pytest_asyncio.collect import fixtures, items
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.callables import standing_in_for

from .plan import Plan, plan_of

if TYPE_CHECKING:
    from .phases import Phases


def start(session: pytest.Session) -> Phases:
    """Return the hooks of a session with async tests, which begin to be called if they were not."""
    try:
        return session.stash[_PHASES]
    except KeyError:
        return _start(session)


def _start(session: pytest.Session) -> Phases:
    from .phases import Phases

    phases = session.stash[_PHASES] = Phases(session)
    session.config.pluginmanager.register(phases)
    session.config.hook.pytest_asyncio_started(session=session)
    return phases


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Not before pytest has skipped what does not run: that leaves the loops of others alone.
    if items.is_marked(item):
        start(item.session).plan(item)


@pytest.hookimpl(trylast=True, specname="pytest_runtest_setup")
def pytest_runtest_setup_of_loop(item: pytest.Item) -> None:
    """Open the loop of a test that has no fixtures, so that a failure is one of its setup."""
    __tracebackhide__ = True
    planned = plan_of(item)
    is_due = planned is not None and planned.is_async and planned.owner is None
    if not is_due or getattr(item.config.option, "setupplan", False):
        return
    phases = start(item.session)
    try:
        phases.prepare(cast("pytest.Function", item), planned)
    except BaseException:
        phases.state.failed()
        raise


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    __tracebackhide__ = True
    if getattr(request.config.option, "setupplan", False):  # It calls nothing.
        return (yield)
    item = pytest_private.item_of(request)
    planned = plan_of(item)
    function = _function_for(fixturedef, request, item, planned)
    if function is not None:
        return (yield from set_up_by(function, fixturedef, request))
    try:
        return (yield)
    except BaseException as error:
        pytest_private.finish_if_refused(fixturedef, request, error)
        pytest_private.discard_refused(fixturedef, request, error)
        if pytest_private.is_refusal_of_async(error):
            start(item.session).explain_refusal(error, fixturedef, item)
        if _PHASES in item.session.stash:
            item.session.stash[_PHASES].state.failed()
        raise
    finally:
        if planned is not None and planned.is_async:
            fixtures.warn_of_plain_async(fixturedef, item)
        elif items.is_marked_late(item):
            start(item.session)


def set_up_by(
    function: Callable[..., Any],
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
) -> Generator[None, object, object]:
    """Surround the setup of a fixture, and have a function called in place of the fixture's own."""
    __tracebackhide__ = True
    session = request.session
    original = pytest_private.replace_fixture_function(fixturedef, function)
    is_left = fixtures.CAN_AWAIT in session.stash
    try:
        with start(session).not_deferring(session) if is_left else _NOTHING:
            return (yield)
    except BaseException as error:
        start(session).state.failed()
        pytest_private.finish_if_refused(fixturedef, request, error)
        raise
    finally:
        pytest_private.restore_fixture_function(fixturedef, original)


def _function_for(
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    item: pytest.Function,
    planned: Plan | None,
) -> Callable[..., Any] | None:
    """Return what pytest is to call in place of the fixture function, if anything.

    If an error comes of that, such as of a warning, the fixture has to fail with it: pytest keeps
    no account of a fixture whose setup is broken off by a hook, and trips over it at the next test.
    """
    __tracebackhide__ = True
    try:
        if fixturedef.argname == fixtures.POLICY_FIXTURE:
            from pytest_asyncio.collect import policies  # which few suites override

            policies.warn_of_override(fixturedef, item)
            return policies.refused(fixturedef)  # It has no loop, for it says what makes them.
        if planned is not None and planned.is_async:
            start(item.session).prepare_for(item, planned)
        if fixtures.is_ours(fixturedef, item):
            return start(item.session).synchronous(fixturedef, request, item, planned)
        if fixtures.CAN_AWAIT in request.session.stash:
            return start(item.session).undeferred(fixturedef, request)
    except BaseException as error:
        fail = partial(_fail, pytest_private.as_refusal(error))
        return standing_in_for(fixturedef.func, fail)
    return None


def _fail(error: BaseException, **kwargs: Any) -> NoReturn:
    __tracebackhide__ = True
    raise error


_NOTHING: Final = nullcontext()
_PHASES: Final[pytest.StashKey[Phases]] = pytest.StashKey()
