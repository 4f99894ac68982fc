"""The least that runs async tests and fixtures on an event loop: no marks, no features."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Generator
from typing import Any, Final

import pytest

SHARED: Final = asyncio.new_event_loop() if os.environ.get("BARE_LOOP") == "session" else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: Any) -> None:
    item.bare_loop = SHARED or asyncio.new_event_loop()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: Any) -> None:
    if SHARED is None:
        item.bare_loop.close()


def run(item: Any, coroutine: Any) -> Any:
    return item.bare_loop.run_until_complete(item.bare_loop.create_task(coroutine))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Generator[None, object, object]:
    function, item = fixturedef.func, request._pyfuncitem
    if inspect.iscoroutinefunction(function):
        fixturedef.func = lambda **kwargs: run(item, function(**kwargs))
    elif inspect.isasyncgenfunction(function):

        def generate(**kwargs: Any) -> Generator[Any]:
            generator = function(**kwargs)
            yield run(item, anext(generator))
            run(item, anext(generator, None))

        fixturedef.func = generate
    try:
        return (yield)
    finally:
        fixturedef.func = function


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: Any) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    run(pyfuncitem, pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
