"""Async methods of a plain `unittest.TestCase`, which unittest calls and does not await."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

import pytest

from pytest_asyncio.support import callables
from pytest_asyncio.support.foreign import attribute
from pytest_asyncio.support.nodes import address


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if getattr(item, "nofuncargs", False) and isinstance(item, pytest.Function):
        _refuse_unawaited(item)


def _refuse_unawaited(item: pytest.Function) -> None:
    """Let an async test method fail if its class would let it pass without running it."""
    cls, unittest = item.cls, sys.modules["unittest"]
    # Django, Twisted and IsolatedAsyncioTestCase run coroutines by overriding one of these.
    is_plain = all(
        attribute(cls, name, object) is getattr(unittest.TestCase, name)
        for name in ("run", "__call__", "_callTestMethod")
    )
    # pytest cannot report the failure of a mock, and of what else has no code.
    is_written = attribute(item.obj, "__code__", CodeType) is not None
    if is_plain and is_written and callables.kind_of(item.obj) == "coroutine":
        instance: Any = item.instance
        instance._callTestMethod = functools.partial(_call, item, instance._callTestMethod)


def _call(
    item: pytest.Function,
    as_unittest: Callable[[Callable[[], Any]], None],
    method: Callable[[], Any],
) -> None:
    __tracebackhide__ = True

    def call() -> Any:
        __tracebackhide__ = True
        result = method()  # A decorator or a fixture may have made it synchronous.
        if not inspect.iscoroutine(result):
            return result
        result.close()
        pytest.fail(
            f"{address(item)} is an async method of a unittest.TestCase, which does not await it. "
            "Derive the class from unittest.IsolatedAsyncioTestCase.",
            pytrace=False,
        )

    as_unittest(call)
