"""How many tests run at the same time, and what needs them one by one."""

from __future__ import annotations

import re

import pytest
from together import MODULE

COUNTING = """
running = most = 0
@pytest.mark.parametrize("number", range(6))
async def test_it(number):
    global running, most
    running += 1
    most = max(most, running)
    for _ in range(20):
        await asyncio.sleep(0)
    running -= 1
def test_most():
    print("most:", most)
"""


def count(suite, *args, **kwargs):
    result = suite(MODULE + COUNTING, *args, "-rP", **kwargs)
    found = re.search(r"most: (\d+)", result.stdout.str())
    assert found
    return int(found[1])


@pytest.mark.parametrize("argument", ["--capture=fd", "--capture=no"])
def test_the_option_says_how_many(suite, argument):
    assert count(suite, argument, ini="asyncio_concurrency = 3") == 3


def test_the_command_line_outweighs_it(suite):
    assert count(suite, "--asyncio-concurrency=2", ini="asyncio_concurrency = 3") == 2


def test_one_that_is_over_makes_room_for_the_next(concurrent):
    concurrent(
        """
    go = asyncio.Event()
    async def test_a(): await asyncio.wait_for(go.wait(), 30)
    async def test_b(): pass
    async def test_c(): go.set()
    """,
        "--asyncio-concurrency=2",
    ).assert_outcomes(passed=3)


def test_one_is_one_after_another(suite):
    assert count(suite, "--asyncio-concurrency=1") == 1


@pytest.mark.parametrize("value", ["0", "many", "-1", "1.5"])
def test_what_is_no_number_is_refused(suite, value):
    result = suite("", f"--asyncio-concurrency={value}")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{value!r} is not a valid asyncio_concurrency*"])


def test_the_header_says_so(suite):
    result = suite(MODULE + "async def test_it(): pass", ini="asyncio_concurrent = true")
    result.stdout.fnmatch_lines(["asyncio: *asyncio_concurrency=32*"])


@pytest.mark.parametrize("argument", ["--setup-show", "-pno:logging", "-pno:capture"])
def test_what_needs_one_after_another_gets_it(suite, argument):
    assert count(suite, argument) == 1


@pytest.mark.parametrize("argument", ["--asyncio-checks=all", "--trace-config"])
def test_what_does_not_need_it_leaves_tests_beside_one_another(suite, argument):
    assert count(suite, argument) == 6


def test_so_does_an_option_of_another_plugin_in_the_ini_file(suite):
    conftest = "def pytest_addoption(parser): parser.addini('reruns', '')"
    assert count(suite, ini="reruns = 1", conftest=conftest) == 1


@pytest.mark.parametrize(
    "hook",
    [
        "def pytest_runtest_protocol(item): pass",
        "@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_protocol(item): return (yield)",
        "@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_protocol(item): yield",
    ],
    ids=["plain", "wrapper", "hookwrapper"],
)
def test_so_does_a_plugin_that_sees_each_test_from_start_to_end(suite, hook):
    assert count(suite, conftest=hook) == 1


def test_so_does_one_that_is_found_late(suite):
    hook = "@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_protocol(): return (yield)"
    files = {"late/conftest.py": hook, "late/test_late.py": "def test_sync(): pass"}
    assert count(suite, files=files) == 1


def test_such_a_plugin_is_reported_once(suite):
    conftest = "def pytest_runtest_protocol(item): pass"
    result = suite(MODULE + COUNTING, conftest=conftest)
    result.assert_outcomes(passed=7, warnings=1)
    result.stdout.fnmatch_lines(
        "*PytestWarning: Concurrent tests run one after another, because a test that is begun "
        "early would not be seen from start to end by conftest.pytest_runtest_protocol()."
    )


@pytest.mark.parametrize("argument", ["--asyncio-concurrency=1", "--asyncio-checks=all"])
def test_it_is_not_reported_where_something_else_has_them_run_so(suite, argument):
    conftest = "def pytest_runtest_protocol(item): pass"
    suite(MODULE + COUNTING, argument, conftest=conftest).assert_outcomes(passed=7)
