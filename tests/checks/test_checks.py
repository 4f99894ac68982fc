"""Checks: each speaks by a warning of its own, which a filter makes a failure of the very test."""

from __future__ import annotations

import pytest
from conditions import needs_references

from pytest_asyncio import (
    BlockedLoopWarning,
    CheckWarning,
    LeakedTaskWarning,
    LoopSettingsWarning,
    NeverAwaitedWarning,
    OpenResourceWarning,
    UnhandledExceptionWarning,
)

NAMES = [
    "blocked-loop",
    "leaked-tasks",
    "loop-settings",
    "never-awaited",
    "open-resources",
    "unhandled-exceptions",
]


@pytest.mark.parametrize(
    ("args", "ini", "shown"),
    [
        ((), "asyncio_checks = all", "all"),
        ((), "asyncio_checks = leaked-tasks never-awaited", "leaked-tasks,never-awaited"),
        (("--asyncio-checks=never-awaited,leaked-tasks",), "", "never-awaited,leaked-tasks"),
        (("--asyncio-checks=leaked-tasks",), "asyncio_checks = never-awaited", "leaked-tasks"),
    ],
)
def test_options_switch_checks_on_and_the_header_shows_them(suite, args, ini, shown):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            leaked = asyncio.create_task(asyncio.sleep(60))
        """,
        *args,
        ini=ini,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"asyncio: *asyncio_checks={shown}"])


QUIET = """
    @pytest.mark.asyncio
    @pytest.mark.parametrize("number", range(3))
    async def test_it(number): pass

    def test_sync(): pass
"""


def test_a_line_says_so_where_nothing_is_found(suite):
    result = suite(QUIET, "--asyncio-checks=all")
    result.stdout.fnmatch_lines("asyncio: 3 tests checked, nothing found")


def test_such_a_line_is_not_in_a_quiet_report(suite):
    result = suite(QUIET, "--asyncio-checks=all", "-q")
    result.stdout.no_fnmatch_line("*checked*")


def test_such_a_line_needs_an_async_test(suite):
    result = suite("def test_it(): pass", "--asyncio-checks=all")
    result.stdout.no_fnmatch_line("*checked*")


@pytest.mark.parametrize("filters", ["-Werror", "-Wdefault"])
def test_such_a_line_is_not_there_where_something_is_found(suite, filters):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            leaked = asyncio.create_task(asyncio.sleep(60))

        @pytest.mark.asyncio
        async def test_other(): pass
        """,
        "--asyncio-checks=all",
        filters,
    )
    result.stdout.no_fnmatch_line("*checked*")


def test_nothing_is_checked_unasked(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            leaked = asyncio.create_task(asyncio.sleep(60))
            loop = asyncio.get_running_loop()
            assert not {"create_task", "create_server", "close"} & vars(loop).keys()
        """
    )
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*asyncio_checks*")


def test_a_name_that_is_none_is_a_usage_error(suite):
    result = suite("", "--asyncio-checks=leaked")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"*'leaked' is not a valid asyncio_checks. Valid checks are: all, {', '.join(NAMES)}."]
    )


@pytest.mark.parametrize(
    "warning",
    [
        BlockedLoopWarning,
        LeakedTaskWarning,
        LoopSettingsWarning,
        NeverAwaitedWarning,
        OpenResourceWarning,
        UnhandledExceptionWarning,
    ],
)
def test_the_warnings_are_public(warning):
    assert issubclass(warning, CheckWarning)
    assert issubclass(warning, pytest.PytestWarning)
    assert warning.__module__ == "pytest_asyncio"


def test_a_warning_is_in_the_summary_with_the_line_it_is_about(checked):
    result = checked(
        """
        @pytest.mark.asyncio
        async def test_it():
            leaked = asyncio.create_task(asyncio.sleep(60), name="forgotten")
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*test_it.py:5: LeakedTaskWarning: test_it left the task 'forgotten' running*"]
    )


def test_a_mark_makes_it_an_error_for_one_test(checked):
    result = checked(
        """
        @pytest.mark.asyncio
        async def test_may():
            leaked = asyncio.create_task(asyncio.sleep(60))
        @pytest.mark.filterwarnings("error::pytest_asyncio.LeakedTaskWarning")
        @pytest.mark.asyncio
        async def test_must_not():
            leaked = asyncio.create_task(asyncio.sleep(60))
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, failed=1, warnings=1)


def test_a_failing_test_shows_its_own_failure_and_a_note(checked):
    result = checked(
        """
        @pytest.mark.asyncio
        async def test_it():
            leaked = asyncio.create_task(asyncio.sleep(60))
            raise ValueError("its own")
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*ValueError: its own", "E*LeakedTaskWarning: test_it left*"])


def test_a_failing_teardown_shows_its_own_failure_and_a_note(checked):
    result = checked(
        """
        @pytest_asyncio.fixture
        async def first():
            pass
        @pytest.fixture
        def failing(first):
            yield
            raise ValueError("its own")
        @pytest.mark.asyncio
        async def test_it(failing):
            future = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(raise_late())
            await asyncio.sleep(0)
        async def raise_late():
            try:
                await asyncio.sleep(60)
            finally:
                raise ZeroDivisionError
        """,
        names="unhandled-exceptions",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E*ValueError: its own", "E*UnhandledExceptionWarning: *"])


def test_the_workers_of_xdist_report_theirs(pytester):
    pytester.makepyfile(
        """
        import asyncio, pytest
        @pytest.mark.asyncio
        async def test_it():
            leaked = asyncio.create_task(asyncio.sleep(60), name="forgotten")
        """
    )
    result = pytester.runpytest_subprocess("-n1", "--asyncio-checks=all")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*LeakedTaskWarning: test_it left the task 'forgotten' running*"])


@needs_references
def test_all_that_is_found_is_reported(checked):
    result = checked(
        """
        @pytest.mark.asyncio
        async def test_it():
            leaked = asyncio.create_task(asyncio.sleep(60))
            asyncio.sleep(0)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*2 checks failed*", "*NeverAwaited*", "*LeakedTask*"])


@needs_references
def test_a_closed_loop_is_not_left_to_the_garbage_collector(checked):
    checked(
        """
        import gc, weakref
        @pytest.fixture(scope="module", autouse=True)
        def no_garbage_collector():
            gc.disable()
            yield
            gc.enable()
        loops = []
        @pytest.mark.asyncio
        async def test_it():
            loops.append(weakref.ref(asyncio.get_running_loop()))
        def test_next(): assert loops[0]() is None
        """
    ).assert_outcomes(passed=2)


def test_no_check_leaves_a_thread_to_a_suite_that_looks_for_those(suite):
    result = suite(
        """
        import threading
        @pytest.fixture(autouse=True)
        def leaks_no_thread():
            before = threading.enumerate()
            yield
            assert threading.enumerate() == before
        @pytest.mark.asyncio
        async def test_it(): pass
        """,
        "--asyncio-checks=blocked-loop",
    )
    result.assert_outcomes(passed=1)


def test_a_task_factory_may_return_what_is_no_task(checked):
    result = checked(
        """
        class NoTask:
            def set_name(self, name): pass
        def make(loop, coroutine, **kwargs):
            coroutine.close()
            return NoTask()
        @pytest.mark.asyncio
        async def test_it():
            loop = asyncio.get_running_loop()
            loop.set_task_factory(make)
            assert type(loop.create_task(asyncio.sleep(0))) is NoTask
            loop.set_task_factory(None)
        """,
        names="leaked-tasks",
    )
    result.assert_outcomes(passed=1)
