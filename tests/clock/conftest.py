"""What the tests of virtual time share: a suite whose tests run in it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping

import pytest

VIRTUAL = """
import sys, threading, time
pytestmark = pytest.mark.asyncio(clock="virtual")
"""


@pytest.fixture
def virtual(suite: Callable[..., pytest.RunResult]) -> Callable[..., pytest.RunResult]:
    """Write a suite whose tests have a virtual clock, and run it."""

    def run(source: str, **kwargs: str | Mapping[str, str]) -> pytest.RunResult:
        __tracebackhide__ = True
        return suite(VIRTUAL + textwrap.dedent(source), **kwargs)

    return run
