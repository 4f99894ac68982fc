"""Coexistence with looptime, which finds the loop of a test through two of the test's fixtures."""

from __future__ import annotations

import pytest

from pytest_asyncio.collect import loop_scopes
from pytest_asyncio.collect.fixtures import POLICY_FIXTURE
from pytest_asyncio.engine.plan import Plan
from pytest_asyncio.engine.session import SessionState


def start(session: pytest.Session) -> None:
    SessionState.of(session).on_test_planned.append(_show_loop)


def _show_loop(item: pytest.Function, plan: Plan) -> None:
    """Have an async test request its loop's runner and the policy.

    looptime patches the loop of each runner that it sees set up, and takes the policy's current
    loop for that of the test.
    """
    if not plan.is_async:
        return
    scope = loop_scopes.scope_of_node(loop_scopes.node_of(item, plan.mark))
    for name in (POLICY_FIXTURE, f"_{scope}_scoped_runner"):
        if name not in item.fixturenames:
            item.fixturenames.append(name)
