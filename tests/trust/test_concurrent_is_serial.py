"""Random suites are reported alike, however many of their tests run at the same time."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from _pytest.unraisableexception import gc_collect_iterations_key
from concurrent_suites import Suite, suites
from hypothesis import given, note
from hypothesis import strategies as st

from pytest_asyncio import plugin
from pytest_asyncio.engine import entry
from pytest_asyncio.features.concurrency.beside import TITLE


class Listener:
    """Notes what pytest tells of a run, without what is different each time."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.warned: list[tuple[str, ...]] = []
        self.ended: set[str] = set()
        """The tests that use a wide fixture which one of them has die, and so may end others."""

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[gc_collect_iterations_key] = 0  # It takes long, and has nothing to find.

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        mortal = {item.nodeid: _wide_fixtures_that_may_die(item) for item in session.items}
        killed = set[object]().union(
            *(mortal[item.nodeid] for item in session.items if "kill" in _names_in(item))
        )
        self.ended = {name for name, fixtures in mortal.items() if fixtures & killed}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        # Concurrent tests switch on what async tests need, whichever test is the first.
        entry.start(session)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.told.append((nodeid, "start"))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        sections = [(title, _plain(text)) for title, text in report.sections if title != TITLE]
        told = (report.outcome, getattr(report, "wasxfail", None), sections)
        text = _plain(report.longreprtext)
        self.told.append((report.nodeid, report.when, _plain(repr(told)), text))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.told.append((nodeid, "finish"))

    def pytest_warning_recorded(
        self, warning_message: Any, when: str, nodeid: str, location: object
    ) -> None:
        text = _plain(str(warning_message.message))
        self.warned.append((nodeid, when, text, str(warning_message.lineno)))

    def is_certain(self, entry: tuple[str, ...]) -> bool:
        """Return whether an entry does not depend on what other tests do."""
        return entry[0] not in self.ended


def _names_in(item: pytest.Item) -> tuple[str, ...]:
    assert isinstance(item, pytest.Function)
    return item.function.__code__.co_names


def _wide_fixtures_that_may_die(item: pytest.Item) -> set[object]:
    assert isinstance(item, pytest.Function)
    return {
        fixture
        for fixtures in item._fixtureinfo.name2fixturedefs.values()
        for fixture in fixtures
        if fixture.scope != "function"
        and "Dying" in getattr(fixture.func, "__code__", _run.__code__).co_names
    }


def _plain(text: str) -> str:
    text = re.sub(r"\n-* tests that ran at the same time -*\n[^\n]*", "", text)
    text = re.sub(r' +\| +File "[^"]*site-packages[^\n]*\n( +\|     [^\n]*\n)*', "", text)
    # Of all tasks that there are.
    text = re.sub(r"\n-+ asyncio tasks -.*", "", text, flags=re.DOTALL)
    text = re.sub(r"\n[^\n]*It took [\d.]+ s more to end[^\n]*", "", text)
    # Whether there is one depends on what other tests have left on their loops.
    text = re.sub(
        r"\n[E |]+What [^\n]* uses may be on a loop that stands still.*", "", text, flags=re.DOTALL
    )
    # When those are noticed depends on the garbage collector.
    text = re.sub(r"\n-+ errors of tasks that nothing has reported -.*", "", text, flags=re.DOTALL)
    return re.sub(r"0x[0-9a-f]+|Task-\d+|tmp\w+", "*", text)


@dataclass
class Ran:
    """What has been seen of a run."""

    listener: Listener
    trace: list[tuple[str, str]]
    code: object
    torn_down_in_use: list[object]

    def reports(self, listener: Listener) -> list[tuple[str, ...]]:
        """Return what was told; of what other tests may have ended, only that it was."""
        told = [*self.listener.told, *sorted(filter(listener.is_certain, self.listener.warned))]
        return [
            entry if listener.is_certain(entry) else entry[:2]
            for entry in told
            if listener.is_certain(entry) or entry[1] != "call"
        ]

    def certain_trace(self, listener: Listener) -> list[tuple[str, str]]:
        return sorted(entry for entry in self.trace if listener.is_certain(entry[::-1]))


def _run(suite: Suite, *arguments: str) -> Ran:
    listener = Listener()
    traced = vars(pytest)["TRACE"] = list[tuple[str, str]]()
    torn_down_in_use = vars(pytest)["TORN_DOWN_IN_USE"] = list[object]()
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
    return Ran(listener, traced, code, torn_down_in_use)


_WITHOUT = (
    *("--tb=short", "--disable-plugin-autoload"),
    # What a session does without starts faster without.
    *(f"-pno:{name}" for name in ("cacheprovider", "doctest", "faulthandler", "junitxml")),
    *(f"-pno:{name}" for name in ("legacypath", "pastebin", "stepwise", "subtests")),
)


_STOPPING = (("-x",), ("--maxfail=2",))


@given(
    suite=suites,
    concurrency=st.sampled_from((2, 8, 100)),
    arguments=st.sampled_from(((), ("-s",), *_STOPPING)),
)
def test_reports_are_those_of_a_serial_run(
    suite: Suite, concurrency: int, arguments: tuple[str, ...]
) -> None:
    note(str(suite))
    serial = _run(suite, *suite.one_by_one, *arguments)
    at_most = f"--asyncio-concurrency={concurrency}"
    concurrent = _run(suite, *suite.at_the_same_time, at_most, *arguments)

    assert serial.torn_down_in_use == concurrent.torn_down_in_use == []
    known = concurrent.listener
    stops = arguments in _STOPPING
    if known.ended and stops:  # The first failure may be another one.
        return
    assert concurrent.reports(known) == serial.reports(known)
    if not known.ended:
        assert concurrent.code == serial.code
    if not stops:  # What was begun in vain has left its traces.
        assert concurrent.certain_trace(known) == serial.certain_trace(known)
