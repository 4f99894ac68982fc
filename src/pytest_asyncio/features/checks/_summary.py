"""The line that says that checks have found nothing: they would look as if they were off."""

from __future__ import annotations

from typing import Final, final

import pytest

_CHECKED: Final = "_pytest_asyncio_checked"


def mark(report: pytest.TestReport, *, is_async: bool, has_found: bool) -> None:
    """Have a report tell the process that has the terminal of the checks."""
    vars(report)[_CHECKED] = [is_async, has_found]


@final
class Summary:
    """The hooks of the process that has the terminal."""

    def __init__(self) -> None:
        self._checked: Final[set[str]] = set()
        self._has_found = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        is_async, has_found = vars(report).get(_CHECKED, (False, False))
        self._has_found |= has_found
        if is_async:
            self._checked.add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        is_quiet = terminalreporter.config.get_verbosity() < 0
        if self._checked and not self._has_found and not is_quiet:
            tests = "1 test" if len(self._checked) == 1 else f"{len(self._checked)} tests"
            terminalreporter.write_line(f"asyncio: {tests} checked, nothing found")
