"""Random suites are reported alike, however many of their tests run at the same time."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from pytest_asyncio import plugin

SCOPES = ("session", "module", "class", "function")


@dataclass(frozen=True)
class Body:
    """What a test, or a phase of a fixture, does: its steps, and how it ends."""

    steps: tuple[str, ...]
    end: str

    def lines(self, name: str, *, is_async: bool) -> Iterator[str]:
        for number, step in enumerate(self.steps):
            if is_async or "await" not in step:
                yield step.format(f"{name} {number}")
        yield self.end


@dataclass(frozen=True)
class Fixture:
    """A fixture, which may request some of those before it."""

    is_async: bool
    scope: str
    autouse: bool
    params: int
    requests: frozenset[int]
    setup: Body
    teardown: Body | None

    def lines(self, number: int, visible: dict[int, Fixture]) -> Iterator[str]:
        requested = [
            f"f{other}"
            for other in sorted(self.requests)
            if other < number
            and other in visible
            and SCOPES.index(visible[other].scope) <= SCOPES.index(self.scope)
        ]
        params = f", params=range({self.params})" if self.params else ""
        declare = "pytest_asyncio.fixture" if self.is_async else "pytest.fixture"
        yield f"@{declare}(scope={self.scope!r}, autouse={self.autouse}{params})"
        yield f"{'async ' * self.is_async}def f{number}({', '.join(['request', *requested])}):"
        yield f"    trace('setup f{number}', request)"
        yield from _indented(self.setup.lines(f"setup f{number}", is_async=self.is_async))
        if self.teardown is None:
            yield f"    return {number}"
        else:
            yield f"    yield {number}"
            yield f"    trace('teardown f{number}', request)"
            yield from _indented(self.teardown.lines(f"end f{number}", is_async=self.is_async))


@dataclass(frozen=True)
class Case:
    """A test function."""

    is_async: bool
    params: int
    mark: str
    requests: frozenset[int]
    body: Body

    def lines(self, name: str, visible: dict[int, Fixture]) -> Iterator[str]:
        requested = [f"f{number}" for number in sorted(self.requests) if number in visible]
        if self.params:
            requested.append("i")
            yield f"@pytest.mark.parametrize('i', range({self.params}))"
        yield self.mark
        yield f"{'async ' * self.is_async}def test_{name}({', '.join(requested)}):"
        yield from _indented(self.body.lines(f"test {name}", is_async=self.is_async))


@dataclass(frozen=True)
class Module:
    """A module: its fixtures, and its tests, some of them together in classes."""

    overriding: int
    """With which number its fixtures begin, and so how many of those of all modules it sees."""
    fixtures: tuple[Fixture, ...]
    tests: tuple[Case | tuple[Case, ...], ...]

    def lines(self, shared: tuple[Fixture, ...]) -> Iterator[str]:
        first = min(self.overriding, len(shared))
        own = dict(enumerate(self.fixtures, first))
        visible = dict(enumerate(shared)) | own
        for number, fixture in own.items():
            yield from fixture.lines(number, visible)
        for number, entry in enumerate(self.tests):
            if isinstance(entry, Case):
                yield from entry.lines(str(number), visible)
                continue
            yield f"@pytest.mark.usefixtures()\nclass TestClass{number}:"
            yield "    pass"
            for other, test in enumerate(entry):
                method = "\n".join(test.lines(f"{number}_{other}", visible))
                yield from _indented(re.sub(r"(def \w+\()", r"\1self, ", method).split("\n"))


@dataclass(frozen=True)
class Suite:
    """Modules, and the fixtures that they share."""

    loop_scope: str
    fixtures: tuple[Fixture, ...]
    modules: tuple[Module, ...]

    def files(self) -> dict[str, str]:
        shared = dict(enumerate(self.fixtures))
        lines = (line for number in shared for line in shared[number].lines(number, shared))
        files = {"conftest.py": "\n".join([*HEAD, *lines])}
        mark = f"pytestmark = pytest.mark.asyncio(concurrent=True, loop_scope={self.loop_scope!r})"
        for number, module in enumerate(self.modules):
            files[f"test_{number}.py"] = "\n".join([*HEAD, mark, *module.lines(self.fixtures)])
        return files

    def __str__(self) -> str:
        return "\n\n".join(f"# {name}\n{text}" for name, text in self.files().items())


HEAD = (
    "import asyncio, logging, os, sys, warnings, pytest, pytest_asyncio",
    "from unittest.mock import patch",
    "def trace(what, request):",
    "    pytest.TRACE.append((what, request._pyfuncitem.nodeid))",
)


def _indented(lines: Iterator[str] | list[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


steps = st.sampled_from(
    (
        "print('{}')",
        "print('{}', file=sys.stderr)",
        "logging.getLogger('suite').warning('{}')",
        "warnings.warn('{}')",
        "await asyncio.sleep(0)",
        "await asyncio.sleep(0.001)",
        "await asyncio.sleep(0.003)",
        "with patch.dict(os.environ, clear=True): await asyncio.sleep(0.001)",
    )
)
ends = st.sampled_from(
    (
        *["pass"] * 6,
        "assert 0",
        "pytest.skip('no')",
        "pytest.fail('no')",
        "pytest.xfail('no')",
        "raise OSError('no')",
        "raise SystemExit(3)",
    )
)
good_ends = st.sampled_from((*["pass"] * 9, "raise OSError('no')", "pytest.skip('no')"))
bodies = st.builds(Body, st.lists(steps, max_size=4).map(tuple), ends)
phases = st.builds(Body, st.lists(steps, max_size=3).map(tuple), good_ends)
requests = st.frozensets(st.integers(0, 4), max_size=2)
fixtures = st.builds(
    Fixture,
    is_async=st.sampled_from((True, True, False)),
    scope=st.sampled_from((*SCOPES, "function", "function")),
    autouse=st.sampled_from((False, False, False, True)),
    params=st.sampled_from((0, 0, 0, 0, 2)),
    requests=requests,
    setup=phases,
    teardown=st.none() | phases,
)
tests = st.builds(
    Case,
    is_async=st.sampled_from((*[True] * 7, False)),
    params=st.sampled_from((0, 0, 0, 3)),
    mark=st.sampled_from(
        (
            *["@pytest.mark.asyncio"] * 5,
            "@pytest.mark.skip",
            "@pytest.mark.xfail",
            "@pytest.mark.xfail(run=False)",
            "@pytest.mark.xfail(strict=True)",
            "@pytest.mark.usefixtures('capsys')",
            "@pytest.mark.asyncio(concurrent=False)",
            "@pytest.mark.filterwarnings('ignore:test')",
            "@pytest.mark.filterwarnings('error:test')",
        )
    ),
    requests=requests,
    body=bodies,
)
modules = st.builds(
    Module,
    overriding=st.integers(0, 3),
    fixtures=st.lists(fixtures, max_size=3).map(tuple),
    tests=st.lists(tests | st.lists(tests, min_size=1, max_size=4).map(tuple), max_size=5).map(
        tuple
    ),
)
suites = st.builds(
    Suite,
    loop_scope=st.sampled_from(("module", "session")),
    fixtures=st.lists(fixtures, max_size=3).map(tuple),
    modules=st.lists(modules, min_size=1, max_size=3).map(tuple),
)


class Listener:
    """Notes what pytest tells of a run, without what is different each time."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.warned: list[object] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.told.append(("start", nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        sections = [(title, _plain(text)) for title, text in report.sections]
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
    text = re.sub(r' +\| +File "[^"]*site-packages[^\n]*\n( +\|     [^\n]*\n)*', "", text)
    return re.sub(r"0x[0-9a-f]+|Task-\d+|tmp\w+", "*", text)


def _run(suite: Suite, *arguments: str) -> tuple[list[object], list[str], object]:
    listener = Listener()
    traced = vars(pytest)["TRACE"] = list[object]()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in suite.files().items():
            Path(folder, name).write_text(text)
        Path(folder, "pytest.ini").write_text("[pytest]\nfilterwarnings = default\n")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            options = ("-c", f"{folder}/pytest.ini", "--rootdir", folder, *_WITHOUT, *arguments)
            try:
                code: object = pytest.main([folder, *options], plugins=[listener, plugin])
            except BaseException as error:  # With -x, pytest lets those of late teardowns pass.
                code = repr(error)
    for name in ("conftest", *(f"test_{number}" for number in range(len(suite.modules)))):
        sys.modules.pop(name, None)
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
