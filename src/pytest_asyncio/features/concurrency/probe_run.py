"""One run of a suite for the probe, in a process of its own: of which tests, in which order.

Loaded by `-p`. What is to be run, and where to write what came of it, is in the environment.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final, final

import pytest

PLAN: Final = "PYTEST_ASYNCIO_PROBE"


@final
class _Run:
    def __init__(self, tests: list[str] | None, alone: list[str], results: str) -> None:
        self._tests: Final = tests
        self._alone: Final = frozenset(alone)
        self._results: Final = Path(results)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._tests is not None:
            known = {item.nodeid: item for item in items}
            items[:] = [known[name] for name in self._tests if name in known]
        for item in items:
            if item.nodeid in self._alone:
                item.add_marker(pytest.mark.asyncio(concurrent=False), append=False)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        crash = getattr(report.longrepr, "reprcrash", None)
        why = str(getattr(crash, "message", report.longreprtext)).partition("\n")[0]
        outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
        line = json.dumps([report.nodeid, report.when, outcome, why])
        with self._results.open("a", encoding="utf-8") as results:
            results.write(f"{line}\n")


def pytest_configure(config: pytest.Config) -> None:
    plan: Any = json.loads(Path(os.environ[PLAN]).read_text(encoding="utf-8"))
    config.pluginmanager.register(_Run(**plan))
