"""The header says what is in force, and what was asked for and is not."""

from __future__ import annotations

import sys

import pytest

TEST = """
    @pytest.mark.asyncio{}
    async def test_it():
        pass
"""
ONE_BY_ONE = "asyncio: concurrent tests run one after another, because "


@pytest.mark.parametrize("asked", ["option", "mark"])
@pytest.mark.parametrize(
    ("argument", "because"),
    [
        ("--setup-show", "--setup-show is about one test after another"),
        ("--pdb", "--pdb is about one test after another"),
        ("--asyncio-cancel", "--asyncio-cancel runs them more than once"),
        ("--asyncio-late=1", "--asyncio-late runs them more than once"),
        ("-pno:capture", "-p no:capture leaves nothing to tell their output apart"),
        ("-pno:logging", "-p no:logging leaves nothing to tell their output apart"),
    ],
)
def test_what_keeps_tests_from_running_at_the_same_time_is_named_once(
    suite, asked, argument, because
):
    is_option = asked == "option"
    result = suite(
        TEST.format("" if is_option else "(concurrent=True)"),
        argument,
        ini="asyncio_concurrent = true" if is_option else "",
    )
    assert result.outlines.count(ONE_BY_ONE + because) == 1


@pytest.mark.parametrize("asked", ["option", "mark"])
def test_loops_that_run_within_themselves_keep_tests_from_running_at_the_same_time(
    suite, monkeypatch, asked
):
    monkeypatch.setitem(sys.modules, "nest_asyncio", sys)
    is_option = asked == "option"
    result = suite(
        TEST.format("" if is_option else "(concurrent=True)"),
        ini="asyncio_concurrent = true" if is_option else "",
    )
    result.assert_outcomes(passed=1)
    because = "nest_asyncio lets a test run its loop within itself"
    assert result.outlines.count(ONE_BY_ONE + because) == 1


@pytest.mark.parametrize("argument", ["-s", "--log-cli-level=INFO", "--log-file=log"])
def test_what_ends_groups_of_tests_that_run_at_the_same_time_is_named(suite, argument):
    result = suite(TEST.format(""), argument, ini="asyncio_concurrent = true")
    result.stdout.fnmatch_lines("asyncio: concurrent tests wait together only up to the next one *")


@pytest.mark.parametrize("argument", ["--asyncio-schedules=3", "--asyncio-seed=7"])
def test_options_that_repeat_tests_are_in_the_header(suite, argument):
    name, value = argument.lstrip("-").replace("-", "_").split("=")
    result = suite(TEST.format("(clock='virtual')"), argument)
    result.stdout.fnmatch_lines(f"asyncio: *{name}={value}*")


@pytest.mark.parametrize(
    ("mark", "argument"),
    [("(concurrent=True)", "-q"), ("", "-v"), ("(concurrent=True)", "--asyncio-concurrency=1")],
)
def test_a_quiet_session_and_one_that_asks_for_nothing_are_not_reported(suite, mark, argument):
    result = suite(TEST.format(mark), argument, "--setup-show")
    result.stdout.no_fnmatch_line(f"{ONE_BY_ONE}*")


def test_a_worker_of_xdist_has_nobody_to_report_to(pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.asyncio(concurrent=True)
        async def test_it():
            pass
    """)
    pytester.runpytest_subprocess("-n1", "--asyncio-checks=all").assert_outcomes(passed=1)


def test_a_loop_factory_where_a_hook_goes_first(suite):
    result = suite(
        TEST.format(""),
        "--asyncio-loop-factory=asyncio.SelectorEventLoop",
        conftest="""
            def pytest_asyncio_loop_factories():
                return {"own": asyncio.new_event_loop}
        """,
    )
    result.stdout.fnmatch_lines(
        "asyncio: asyncio_loop_factory is not in force where the hook "
        "pytest_asyncio_loop_factories of conftest.py says what makes the loops"
    )


def test_a_default_loop_scope_where_one_for_both_goes_first(suite):
    result = suite(
        TEST.format(""), "--asyncio-loop-scope=auto", ini="asyncio_default_test_loop_scope = class"
    )
    result.stdout.fnmatch_lines(
        "asyncio: asyncio_default_test_loop_scope=class is not in force, because "
        "asyncio_loop_scope goes first"
    )


def test_concurrency_beside_a_virtual_clock(suite):
    result = suite(TEST.format(""), "--asyncio-clock=virtual", "--asyncio-concurrent")
    result.stdout.fnmatch_lines("asyncio: tests with a virtual clock run one after another")


def test_a_mark_for_concurrency_beside_a_virtual_clock(suite):
    result = suite(TEST.format("(concurrent=True)"), "--asyncio-clock=virtual")
    result.stdout.fnmatch_lines("asyncio: tests with a virtual clock run one after another")
