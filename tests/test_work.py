"""What a test costs is counted: function calls of the plugin, and iterations of the loop."""

from __future__ import annotations

import sys

import pytest

COUNTING = """
    import pathlib, sys

    PLUGIN = str(pathlib.Path(pytest_asyncio.__file__).parent)
    work = {"calls": 0, "iterations": 0, "borders": 0}

    def folder_of(frame):
        name = frame.f_code.co_filename
        return name[len(PLUGIN) + 1 :].partition("/")[0] if name.startswith(PLUGIN) else None

    def count(frame, event, _):
        if event == "call":
            folder = folder_of(frame)
            work["calls"] += folder is not None
            if folder and folder_of(frame.f_back):
                work["borders"] += folder != folder_of(frame.f_back)
            work["iterations"] += frame.f_code.co_name == "_run_once"

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(item):
        if item.name == "test_it[3]":  # Neither the first nor the last, which cost more.
            sys.setprofile(count)
        try:
            return (yield)
        finally:
            sys.setprofile(None)

    def pytest_terminal_summary(terminalreporter):
        terminalreporter.write_line(f"calls: {work['calls']}")
        terminalreporter.write_line(f"iterations: {work['iterations']}")
        terminalreporter.write_line(f"borders: {work['borders']}")
"""

SYNCHRONOUS = "def test_it(number): pass"
FUNCTION_LOOP = """
    @pytest.mark.asyncio
    async def test_it(number): pass
"""
SESSION_LOOP = """
    @pytest.mark.asyncio(loop_scope="session")
    async def test_it(number): pass
"""
TIMEOUT = """
    @pytest.mark.asyncio(timeout=60)
    async def test_it(number): pass
"""
TWO_FIXTURES = """
    @pytest_asyncio.fixture
    async def a():
        return 1

    @pytest_asyncio.fixture
    async def b(a):
        yield a + 1

    @pytest.mark.asyncio
    async def test_it(number, a, b):
        assert b == 2
"""


needs_references = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="its loop closes generators that are not freed yet"
)


def counted(suite, test: str) -> dict[str, int]:
    source = "@pytest.fixture(params=range(5), ids=str)\n    def number(request): pass\n\n    "
    result = suite(f"\n    {source}{test.strip()}\n", conftest=COUNTING)
    result.assert_outcomes(passed=5)
    lines = [
        line.split(": ")
        for line in result.outlines
        if line.startswith(("calls: ", "iterations: ", "borders: "))
    ]
    return {kind: int(count) for kind, count in lines}


@pytest.mark.parametrize(
    ("test", "calls"),
    [
        pytest.param(SYNCHRONOUS, 14, id="synchronous"),
        pytest.param(FUNCTION_LOOP, 105, id="function-loop"),
        pytest.param(SESSION_LOOP, 82, id="session-loop"),
        pytest.param(TIMEOUT, 121, id="timeout"),
        pytest.param(TWO_FIXTURES, 279, id="two-fixtures", marks=needs_references),
    ],
)
def test_the_plugin_calls_few_functions(suite, test, calls):
    """A few more than it does, so that a new call on the ordinary path has to be meant."""
    assert counted(suite, test)["calls"] <= calls


@pytest.mark.parametrize(
    ("test", "iterations"),
    [
        pytest.param(SYNCHRONOUS, 0, id="synchronous"),
        pytest.param(FUNCTION_LOOP, 1, id="function-loop"),
        pytest.param(SESSION_LOOP, 1, id="session-loop"),
        # A setup each, the test, and the teardown, which follows a `yield`.
        pytest.param(TWO_FIXTURES, 4, id="two-fixtures", marks=needs_references),
    ],
)
def test_the_loop_iterates_no_more_than_it_must(suite, test, iterations):
    assert counted(suite, test)["iterations"] <= iterations


def test_an_ordinary_test_crosses_few_borders_between_the_folders_of_the_package(suite):
    """So that its way can be followed."""
    assert counted(suite, FUNCTION_LOOP)["borders"] <= 25
