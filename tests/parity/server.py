"""Runs suites with the plugin of this environment, each in a process that is forked for it.

Reads lines of JSON, `[folder, file for the record, argument, ...]`, and answers each by one, how
the process has ended.
"""

from __future__ import annotations

import asyncio  # noqa: F401  # imported once, for all suites
import doctest  # noqa: F401
import json
import os
import signal
import sys
import unittest  # noqa: F401
from collections.abc import Generator, Iterator
from typing import Any, NoReturn

import hypothesis.stateful  # noqa: F401
import pytest

import pytest_asyncio.plugin

ARGUMENTS = (
    *("-s", "-p", "pytest_asyncio.plugin", "--disable-plugin-autoload", "--assert=plain"),
    # What a session does without starts faster without.
    *(f"-pno:{name}" for name in ("cacheprovider", "faulthandler", "junitxml", "legacypath")),
    *(f"-pno:{name}" for name in ("logging", "pastebin", "stepwise", "subtests")),
)
# It collects garbage time and again, which changes nothing in the record of other suites.
WHERE_WARNINGS_ARE_NO_ERRORS = "-pno:unraisableexception"
SECONDS = 30
"""After these, a suite hangs."""


class Outcomes:
    """Adds what pytest reports to what the suite says of itself."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            expected = ", as expected" if hasattr(report, "wasxfail") else ""
            write(f"= {report.nodeid} {report.when} {report.outcome}{expected}")

    def pytest_exception_interact(self, call: pytest.CallInfo[Any]) -> None:
        write_errors(call)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if hasattr(report, "wasxfail"):  # whatever it was that failed
            write_errors(call)
        return report

    def pytest_internalerror(self, excrepr: object) -> None:
        write(f"! INTERNALERROR {excrepr}")


def write_errors(call: pytest.CallInfo[Any]) -> None:
    for error in leaves(call.excinfo.value) if call.excinfo else ():
        lines = str(error).splitlines() or [""]
        write(f"! {type(error).__name__}: {lines[0]}")


def leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from leaves(inner)


def write(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def run(folder: str, record: str, *arguments: str) -> NoReturn:
    signal.alarm(SECONDS)
    os.chdir(folder)
    os.dup2(os.open(record, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.stdout = sys.stderr
    own = () if "-Werror" in arguments else (WHERE_WARNINGS_ARE_NO_ERRORS,)
    try:
        end: object = int(pytest.main([*ARGUMENTS, *own, *arguments], plugins=[Outcomes()]))
    except BaseException as error:  # With -x, pytest lets those of late teardowns pass.
        end = repr(error)
    write(f"= ends with {end}")
    os._exit(0)


def answer(value: object) -> None:
    write(json.dumps(value))


def main() -> None:
    answer([pytest_asyncio.__version__, pytest.__version__])
    for line in sys.stdin:
        process = os.fork()
        if not process:
            run(*json.loads(line))
        _, status = os.waitpid(process, 0)
        answer(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
