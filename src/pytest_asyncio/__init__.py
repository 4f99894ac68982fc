"""The pytest plugin for testing asyncio code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_asyncio.support import modules

modules.exempt_from_rewriting(__name__)

from pytest_asyncio.collect.fixtures import fixture  # noqa: E402
from pytest_asyncio.collect.items import is_async_test  # noqa: E402

if TYPE_CHECKING:
    from pytest_asyncio.features.asyncio_runner import LoopRunner
    from pytest_asyncio.features.asyncio_tasks import TaskGroup
    from pytest_asyncio.features.benchmarks import Benchmark
    from pytest_asyncio.features.checks import CheckWarning
    from pytest_asyncio.features.checks.blocked_loop import BlockedLoopWarning
    from pytest_asyncio.features.checks.leaked_tasks import LeakedTaskWarning
    from pytest_asyncio.features.checks.loop_settings import LoopSettingsWarning
    from pytest_asyncio.features.checks.never_awaited import NeverAwaitedWarning
    from pytest_asyncio.features.checks.open_resources import OpenResourceWarning
    from pytest_asyncio.features.checks.unhandled_exceptions import UnhandledExceptionWarning
    from pytest_asyncio.features.clock.virtual import Clock
    from pytest_asyncio.features.getfixturevalue import getfixturevalue
    from pytest_asyncio.features.idle import idle
    from pytest_asyncio.features.races.awaits import CancellableBlock, cancellable
    from pytest_asyncio.features.state_machines import (
        RuleBasedStateMachine as RuleBasedStateMachine,
    )
else:  # Type checkers are to know no other names.

    def __getattr__(name: str) -> object:
        if name in _LATE:
            from importlib import import_module

            modules.remember(__name__)
            found = globals()[name] = getattr(import_module(f".{_LATE[name]}", __name__), name)
            return found  # It is looked up here but once: that costs as much as a small test.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "2.0.0"

__all__ = (
    "Benchmark",
    "BlockedLoopWarning",
    "CancellableBlock",
    "CheckWarning",
    "Clock",
    "LeakedTaskWarning",
    "LoopRunner",
    "LoopSettingsWarning",
    "NeverAwaitedWarning",
    "OpenResourceWarning",
    "TaskGroup",
    "UnhandledExceptionWarning",
    "cancellable",
    "fixture",
    "getfixturevalue",
    "idle",
    "is_async_test",
)

# These need asyncio, as the import of a plugin does not.
_LATE = {
    "Benchmark": "features.benchmarks",
    "BlockedLoopWarning": "features.checks.blocked_loop",
    "CancellableBlock": "features.races.awaits",
    "CheckWarning": "features.checks",
    "Clock": "features.clock.virtual",
    "LeakedTaskWarning": "features.checks.leaked_tasks",
    "LoopRunner": "features.asyncio_runner",
    "LoopSettingsWarning": "features.checks.loop_settings",
    "NeverAwaitedWarning": "features.checks.never_awaited",
    "OpenResourceWarning": "features.checks.open_resources",
    "RuleBasedStateMachine": "features.state_machines",  # not in __all__: it needs Hypothesis
    "TaskGroup": "features.asyncio_tasks",
    "UnhandledExceptionWarning": "features.checks.unhandled_exceptions",
    "cancellable": "features.races.awaits",
    "getfixturevalue": "features.getfixturevalue",
    "idle": "features.idle",
}
