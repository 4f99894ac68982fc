"""Random suites are reported alike, however many of their tests run at the same time."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from concurrent_suites import Suite, suites
from hypothesis import given, note
from hypothesis import strategies as st

from pytest_asyncio import plugin
from pytest_asyncio.features.concurrency.beside import TITLE


class Listener:
    """Notes what pytest tells of a run, without what is different each time."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.warned: list[object] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.told.append(("start", nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        sections = [(title, _plain(text)) for title, text in report.sections if title != TITLE]
        told = (report.nodeid, report.when, report.outcome, getattr(report, "wasxfail", None))
        self.told.append((*told, sections, _plain(report.longreprtext)))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.told.append(("finish", nodeid))

    def pytest_warning_recorded(
        self, warning_message: Any, when: str, nodeid: str, location: object
    ) -> None:
        text = _plain(str(warning_message.message))
        self.warned.append((nodeid, when, text, warning_message.lineno))


def _plain(text: str) -> str:
    text = re.sub(r"\n-* tests that ran at the same time -*\n[^\n]*", "", text)
    text = re.sub(r' +\| +File "[^"]*site-packages[^\n]*\n( +\|     [^\n]*\n)*', "", text)
    # When those are noticed depends on the garbage collector.
    text = re.sub(r"\n-+ errors of tasks that nothing has reported -.*", "", text, flags=re.DOTALL)
    return re.sub(r"0x[0-9a-f]+|Task-\d+|tmp\w+", "*", text)


def _run(suite: Suite, *arguments: str) -> tuple[list[object], list[str], object]:
    listener = Listener()
    traced = vars(pytest)["TRACE"] = list[object]()
    modules = set(sys.modules)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in suite.files().items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            options = ("-c", f"{folder}/pytest.ini", "--rootdir", folder, *_WITHOUT, *arguments)
            try:
                code: object = pytest.main([folder, *options], plugins=[listener, plugin])
            except BaseException as error:  # With -x, pytest lets those of late teardowns pass.
                code = repr(error)
    for name in set(sys.modules) - modules:
        if name.startswith(("conftest", "test_", "package")):
            del sys.modules[name]
    told = [*listener.told, *sorted(listener.warned)]
    return [_plain(repr(entry)) for entry in told], sorted(map(repr, traced)), code


_WITHOUT = (
    *("--tb=short", "--disable-plugin-autoload"),
    # What a session does without starts faster without.
    *(f"-pno:{name}" for name in ("cacheprovider", "doctest", "faulthandler", "junitxml")),
    *(f"-pno:{name}" for name in ("legacypath", "pastebin", "stepwise", "subtests")),
    # It collects garbage time and again, and has nothing to tell here that the warnings do not.
    "-pno:unraisableexception",
)


@given(
    suite=suites,
    concurrency=st.sampled_from((2, 8, 100)),
    arguments=st.sampled_from(((), ("-x",))),
)
def test_reports_are_those_of_a_serial_run(
    suite: Suite, concurrency: int, arguments: tuple[str, ...]
) -> None:
    note(str(suite))
    serial, serial_trace, serial_code = _run(suite, "--asyncio-concurrency=1", *arguments)
    reports, trace, code = _run(suite, f"--asyncio-concurrency={concurrency}", *arguments)

    assert reports == serial
    assert code == serial_code
    if not arguments:  # What was begun in vain has left its traces.
        assert trace == serial_trace
