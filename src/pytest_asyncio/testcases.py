"""Async methods of a plain `unittest.TestCase`, which unittest calls and does not await."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from . import callables


def refuse_unawaited(item: pytest.Item) -> None:
    """Let an async test method fail if its class would let it pass without running it."""
    if not getattr(item, "nofuncargs", False) or not isinstance(item, pytest.Function):
        return
    cls, unittest = item.cls, sys.modules["unittest"]
    # Django, Twisted and IsolatedAsyncioTestCase run coroutines by overriding one of these.
    is_plain = all(
        getattr(cls, name) is getattr(unittest.TestCase, name)
        for name in ("run", "__call__", "_callTestMethod")
    )
    if is_plain and callables.kind_of(item.obj) == "coroutine":
        item.obj = _failing(item)


def _failing(item: pytest.Function) -> Any:
    def fail() -> None:
        pytest.fail(
            f"{item.nodeid} is an async method of a unittest.TestCase, which does not await it. "
            "Derive the class from unittest.IsolatedAsyncioTestCase.",
            pytrace=False,
        )

    return fail
