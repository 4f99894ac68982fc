"""One run of a suite for the probe, in a process of its own: of which tests, in which order.

Loaded by `-p`. What is to be run, and where to write what came of it, is in the environment.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final, Literal, final

import pytest

from .beside import REPORTS

PLAN: Final = "PYTEST_ASYNCIO_PROBE"


@final
class _Run:
    def __init__(
        self, tests: list[str] | None, ignored: list[str], alone: list[str], results: str
    ) -> None:
        self._tests: Final = tests
        self._ignored: Final = frozenset(ignored)
        """Files in which there is none of the tests."""
        self._alone: Final = frozenset(alone)
        self._results: Final = Path(results)
        self._beside: Final[dict[str, list[str]]] = {}

    def pytest_ignore_collect(
        self, collection_path: Path, config: pytest.Config
    ) -> Literal[True] | None:
        path = os.path.relpath(collection_path, config.rootpath)
        return True if path.replace(os.sep, "/") in self._ignored else None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._tests is not None:
            known = {item.nodeid: item for item in items}
            items[:] = [known[name] for name in self._tests if name in known]
        for item in items:
            if item.nodeid in self._alone:
                item.add_marker(pytest.mark.asyncio(concurrent=False), append=False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> None:
        reports: Any = item.config.pluginmanager.getplugin(REPORTS)
        if reports is not None:
            self._beside[item.nodeid] = [other.nodeid for other in reports.overlaps.of(item)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        crash = getattr(report.longrepr, "reprcrash", None)
        why = str(getattr(crash, "message", report.longreprtext)).partition("\n")[0]
        outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
        beside = self._beside.get(report.nodeid, ())
        line = json.dumps([report.nodeid, report.when, report.duration, outcome, why, beside])
        with self._results.open("a", encoding="utf-8") as results:
            results.write(f"{line}\n")


def pytest_configure(config: pytest.Config) -> None:
    plan: Any = json.loads(Path(os.environ[PLAN]).read_text(encoding="utf-8"))
    config.pluginmanager.register(_Run(**plan))
