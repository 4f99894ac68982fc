"""`pytest_asyncio.getfixturevalue()`: requesting a fixture from code that runs on a loop."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.engine.deferred_requests import deferring
from pytest_asyncio.engine.fixture_setups import Deferred, raise_again
from pytest_asyncio.engine.fixture_tasks import FixtureTask
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.support import frames, pytest_private
from pytest_asyncio.support.foreign import attribute


async def getfixturevalue(request: pytest.FixtureRequest, name: str) -> Any:
    """Request a fixture from async code: what `request.getfixturevalue()` is to synchronous code.

    The fixture, and each async fixture that it needs, is awaited on the running loop where it is
    not set up yet. It is torn down like any other. Raises what the fixture raises, and
    `pytest.FixtureLookupError` where there is none of that name.
    """
    __tracebackhide__ = True
    if not isinstance(request, pytest.FixtureRequest):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            "pytest_asyncio.getfixturevalue() needs the fixture 'request' of pytest, not "
            f"{options.shown(request)}."
        )
    for outdated in tuple(pytest_private.outdated_fixtures(request, name)):
        await _finish(outdated, request)
    while True:
        try:
            with deferring(request.session, _is_running):
                return request.getfixturevalue(name)
        except Deferred as deferred:
            setup = deferred.setup
        except pytest_private.Failed as refused:
            _name_requester(refused, frames.users(inspect.currentframe()))
            raise
        if setup.settling is not None:  # by another request
            _is_running(setup.owner, setup.fixturedef)
            await asyncio.wait({setup.settling})
            continue
        try:
            await setup.settle()
        finally:
            pytest_private.forget_overridden(setup.request, request)


def _name_requester(refused: pytest_private.Failed, requester: FrameType | None) -> None:
    """Where pytest says which line requests a fixture, let that be the one that awaits it."""
    if requester is not None and refused.msg:
        line = f"{frames.short(requester.f_code.co_filename)}:{requester.f_lineno}"
        own = rf"(?<=^Requested here:\n).*{Path(__file__).name}:\d+$"
        refused.msg = re.sub(own, lambda _: line, refused.msg, flags=re.MULTILINE)


async def _finish(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Tear a fixture down as pytest does, but await what takes place on the running loop."""
    __tracebackhide__ = True
    failing: list[Callable[[], object]] = []
    while (finalizer := pytest_private.last_finalizer(fixturedef)) is not None:
        try:
            dependent = pytest_private.fixture_of(finalizer)
            task: FixtureTask | None = attribute(finalizer, "__self__", FixtureTask)
            if dependent is not None:
                await _finish(dependent, request)
            elif task is not None and task.is_on_running_loop():
                await task.tear_down()
            else:
                finalizer()
        except BaseException as error:
            failing.append(functools.partial(raise_again, error))
    for finalizer in reversed(failing):  # pytest raises them together.
        fixturedef.addfinalizer(finalizer)
    pytest_private.finish(fixturedef, request)


def _is_running(owner: LoopOwner, fixturedef: pytest.FixtureDef[Any]) -> bool:
    if owner.loop is not asyncio.get_running_loop():
        pytest_private.refuse(
            f"The async fixture {fixturedef.argname!r} runs on {owner}, and cannot be awaited on "
            "another loop. Request it as an argument, or give both the same loop_scope."
        )
    return True
