"""What the terminal shows of tests that were run more than once, in workers of pytest-xdist too."""

from __future__ import annotations

from typing import Final, final

import pytest

_REPEATED: Final = "_pytest_asyncio_repeated"


@final
class Repeated:
    """How often a test was run, for how long altogether, and how often it was not."""

    def __init__(self) -> None:
        self.runs: int = 0
        self.seconds: float = 0.0
        self.left_out: int = 0
        """How many runs there would be more, were they not bounded."""

    def add_to(self, report: pytest.TestReport) -> None:
        """Have the report of a test's call carry it to the process that has the terminal."""
        report.duration = self.seconds
        vars(report)[_REPEATED] = [self.runs, self.left_out]


@final
class Summary:
    """The hooks of the process that has the terminal."""

    def __init__(self) -> None:
        self._left_out: Final[list[str]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, str] | None:
        runs, left_out = vars(report).get(_REPEATED, (1, 0))
        if runs == 1 or report.outcome != "passed" or hasattr(report, "wasxfail"):
            return None
        of_all = f" of {runs + left_out}" if left_out else ""
        return "passed", ".", f"PASSED ({runs}{of_all} runs)"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        runs, left_out = vars(report).get(_REPEATED, (1, 0))
        if left_out:
            self._left_out.append(f"{report.nodeid}: {runs} runs, {left_out} left out")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._left_out:
            terminalreporter.section("asyncio: runs left out")
            for line in self._left_out:
                terminalreporter.line(line)
            terminalreporter.line("Set asyncio_cancel_runs to a greater number to have them run.")
