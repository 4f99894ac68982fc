"""Coexistence with looptime, which finds the loop of a test through two of the test's fixtures."""

from __future__ import annotations

from typing import Final

import pytest

from pytest_asyncio.collect import loop_scopes, policies
from pytest_asyncio.engine.plan import plan_of

_PLUGIN: Final = "looptime_plugin"


def is_used(config: pytest.Config) -> bool:
    return config.pluginmanager.hasplugin(_PLUGIN)


def show_loop(item: pytest.Function) -> None:
    """Have an async test request its loop's runner and the policy, where looptime is used.

    It patches the loop of each runner that it sees set up, and takes the policy's current loop
    for that of the test.
    """
    planned = plan_of(item)
    if planned is None or not planned.is_async:
        return
    scope = loop_scopes.scope_of_node(loop_scopes.node_of(item, planned.mark))
    for name in (policies.FIXTURE, f"_{scope}_scoped_runner"):
        if name not in item.fixturenames:
            item.fixturenames.append(name)
