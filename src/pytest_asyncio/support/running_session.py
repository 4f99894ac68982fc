"""The session that runs tests, for code of a suite that has no `request` to find it by."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import pytest

_SESSION: Final = ContextVar[pytest.Session | None]("_SESSION", default=None)


def get() -> pytest.Session | None:
    """Return the innermost session that runs tests here: a test may run pytest."""
    return _SESSION.get()


@contextmanager
def within(session: pytest.Session) -> Generator[None]:
    """Let code that runs meanwhile be of a session."""
    before = _SESSION.get()
    _SESSION.set(session)
    try:
        yield
    finally:
        _SESSION.set(before)  # Not by a token, which fails where tests have lost the variable.


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    with within(session):
        return (yield)
