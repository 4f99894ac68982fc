"""Checks: each speaks by a warning of its own, which a filter makes a failure of the very test."""

from __future__ import annotations

import gc
import io
import itertools
import sys

import pytest

from pytest_asyncio import (
    BlockedLoopWarning,
    CheckWarning,
    LeakedTaskWarning,
    LoopSettingsWarning,
    NeverAwaitedWarning,
    OpenResourceWarning,
    UnhandledExceptionWarning,
)
from pytest_asyncio.features.checks import blocked_loop

NAMES = [
    "blocked-loop",
    "leaked-tasks",
    "loop-settings",
    "never-awaited",
    "open-resources",
    "unhandled-exceptions",
]
needs_callbacks = pytest.mark.skipif(
    not hasattr(gc, "callbacks"), reason="Its collections cannot be seen."
)
needs_references = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="it counts no references"
)
both_scopes = pytest.mark.parametrize("scope", ["function", "module"])


@pytest.fixture
def checked(suite):
    """Run a suite with checks; `SCOPE` in it stands for a loop scope."""

    def run(source, *args, names="all", scope="function", **kwargs):
        source = source.replace("SCOPE", repr(scope))
        return suite(source, f"--asyncio-checks={names}", *args, **kwargs)

    return run


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


class TestLeakedTasks:
    @both_scopes
    def test_a_leaked_task_fails_its_own_test_and_reaches_no_other(self, checked, scope):
        result = checked(
            """
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            async def forever():
                await asyncio.Event().wait()
            async def test_leaks():
                leak = asyncio.create_task(forever(), name="the leak")
                await asyncio.sleep(0)
            async def test_victim():
                assert asyncio.all_tasks() == {asyncio.current_task()}
            """,
            scope=scope,
        )
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(
            [
                (
                    "E*LeakedTaskWarning: test_leaks left the task 'the leak' running, created at "
                    "test_it.py:7, which waits at test_it.py:5. Await it, or cancel it*"
                )
            ]
        )

    @both_scopes
    def test_a_fixture_is_reported_at_its_teardown(self, checked, scope):
        result = checked(
            """
            @pytest_asyncio.fixture(scope=SCOPE)
            async def returning():
                asyncio.create_task(asyncio.sleep(60), name="one")
            @pytest_asyncio.fixture(scope=SCOPE)
            async def yielding():
                asyncio.create_task(asyncio.sleep(60), name="two")
                yield
                asyncio.create_task(asyncio.sleep(60), name="three")
            @pytest.mark.asyncio(loop_scope=SCOPE)
            async def test_it(returning, yielding): pass
            """,
            scope=scope,
        )
        result.assert_outcomes(passed=1, errors=1)
        for name in ("one", "two", "three"):
            result.stdout.fnmatch_lines(
                [f"*LeakedTaskWarning: fixture '*' left the task '{name}'*"]
            )

    @both_scopes
    def test_what_a_fixture_ends_is_no_leak(self, checked, scope):
        checked(
            """
            @pytest_asyncio.fixture(scope=SCOPE)
            async def background():
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(asyncio.sleep(60))
                    yield
                    task.cancel()
            @pytest.mark.asyncio(loop_scope=SCOPE)
            async def test_it(background): pass
            @pytest.mark.asyncio(loop_scope=SCOPE)
            async def test_next(background): pass
            """,
            scope=scope,
        ).assert_outcomes(passed=2)

    def test_what_a_fixture_ends_for_its_test_is_no_leak(self, checked):
        checked(
            """
            @pytest_asyncio.fixture
            async def tasks():
                tasks = []
                yield tasks
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            @pytest.mark.asyncio
            async def test_it(tasks):
                tasks.append(asyncio.create_task(asyncio.sleep(60)))
            """
        ).assert_outcomes(passed=1)

    def test_what_a_fixture_does_not_end_for_its_test_is_reported_at_teardown(self, checked):
        result = checked(
            """
            @pytest.fixture
            def own(): pass
            @pytest.fixture
            def other(): pass
            @pytest.mark.asyncio
            async def test_it(own, other):
                asyncio.create_task(asyncio.sleep(60))
            """
        )
        result.assert_outcomes(passed=1, errors=1)

    def test_what_is_about_to_end_is_no_leak(self, checked):
        checked(
            """
            @pytest.mark.asyncio
            async def test_it():
                ending = asyncio.create_task(take_turns())
                cancelled = asyncio.create_task(take_turns())
                await asyncio.sleep(0)
                cancelled.cancel()
            async def take_turns():
                try:
                    await asyncio.sleep(0)
                finally:
                    for _ in range(5):
                        await asyncio.sleep(0)
            """
        ).assert_outcomes(passed=1)

    @both_scopes
    def test_a_loop_that_is_stopped_too_late_does_no_harm(self, checked, scope):
        checked(
            """
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            async def test_it():
                leaked = asyncio.create_task(asyncio.sleep(60))
                loop = asyncio.get_running_loop()
                loop.call_soon(loop.call_soon, loop.call_soon, loop.stop)
            async def test_next(): assert len(asyncio.all_tasks()) == 1
            """,
            "-Wdefault",
            scope=scope,
        ).assert_outcomes(passed=2, warnings=1)

    def test_a_task_that_ends_before_an_earlier_sync_fixture_is_reported(self, checked):
        result = checked(
            """
            @pytest.fixture
            def earlier():
                tasks = []
                yield tasks
                assert tasks[0].cancelled()
            @pytest.mark.asyncio
            async def test_it(earlier):
                earlier.append(asyncio.create_task(asyncio.sleep(60), name="forgotten"))
            """,
            names="leaked-tasks",
        )
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines("E *LeakedTaskWarning: test_it left the task 'forgotten' *")

    def test_a_task_of_an_earlier_sync_fixture_is_left_to_that(self, checked):
        checked(
            """
            @pytest.fixture
            def earlier():
                loop = asyncio.get_event_loop()
                task = loop.create_task(asyncio.sleep(60))
                yield task
                assert not task.cancelling()
                task.cancel()
            @pytest.mark.asyncio
            async def test_it(earlier):
                await asyncio.sleep(0)
                assert not earlier.done()
            """,
            names="leaked-tasks",
        ).assert_outcomes(passed=1)

    def test_a_loop_that_is_closed_already_is_left_alone(self, checked):
        checked(
            """
            @pytest_asyncio.fixture
            async def first():
                pass

            @pytest.fixture
            def closing(first):
                yield
                asyncio.get_event_loop().close()
            @pytest.mark.asyncio
            async def test_it(closing):
                leaked = asyncio.create_task(asyncio.sleep(60))
            """,
            "-Wdefault",
            names="leaked-tasks",
        ).assert_outcomes(passed=1, warnings=1)


FINALIZED = """
            kept = []
            class Session:
                def __init__(self, loop):
                    self.loop = loop
                def __del__(self):
                    self.loop.call_exception_handler({"message": "Unclosed session"})
"""


class TestUnhandledExceptions:
    @both_scopes
    def test_exceptions_that_nobody_awaits_fail_their_test(self, checked, scope):
        result = checked(
            """
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            async def boom():
                raise RuntimeError("lost failure")
            async def test_task():
                task = asyncio.create_task(boom(), name="lost")
                await asyncio.sleep(0)
            async def test_callback():
                asyncio.get_running_loop().call_soon(lambda: 1 / 0)
                await asyncio.sleep(0)
            async def test_next(): pass
            """,
            scope=scope,
        )
        result.assert_outcomes(failed=2, passed=1)
        result.stdout.fnmatch_lines(
            [
                "E*RuntimeError: lost failure",
                (
                    "E *pytest_asyncio.UnhandledExceptionWarning: test_task: *, created at "
                    "test_it.py:7: RuntimeError: lost failure, raised at test_it.py:5. Await what*"
                ),
                (
                    "E *pytest_asyncio.UnhandledExceptionWarning: test_callback: Exception in "
                    "callback*: ZeroDivisionError: division by zero, raised at test_it.py:10. *"
                ),
            ]
        )

    @both_scopes
    def test_a_task_that_lives_on_is_reported_to_its_own_test(self, checked, scope):
        result = checked(
            """
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            kept = []
            async def boom():
                raise RuntimeError("lost failure")
            async def test_keeps():
                kept.append(asyncio.create_task(boom(), name="kept"))
                await asyncio.sleep(0)
            async def test_drops(): kept.clear()
            """,
            scope=scope,
        )
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(
            ["*test_keeps: nobody has retrieved the exception of the task 'kept', created at*"]
        )

    def test_what_a_test_retrieves_or_handles_itself_is_left_alone(self, checked):
        checked(
            """
            async def boom(): raise RuntimeError
            @pytest.mark.asyncio
            async def test_retrieves():
                with pytest.raises(RuntimeError):
                    await asyncio.create_task(boom())
            @pytest.mark.asyncio
            async def test_handles():
                caught = []
                loop = asyncio.get_running_loop()
                loop.set_exception_handler(lambda loop, context: caught.append(context))
                loop.call_soon(lambda: 1 / 0)
                await asyncio.sleep(0)
                assert caught
            """
        ).assert_outcomes(passed=2)

    def test_what_is_no_exception_is_reported_too(self, checked):
        result = checked(
            """
            @pytest.mark.asyncio
            async def test_it():
                asyncio.get_running_loop().call_exception_handler({"message": "Mind the gap"})
            """
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*test_it: Mind the gap. Await what raises it*"])

    @needs_references
    def test_an_exception_that_was_never_raised_is_reported_too(self, checked):
        result = checked(
            """
            @pytest.mark.asyncio
            async def test_it():
                future = asyncio.get_running_loop().create_future()
                future.set_exception(ValueError("set by hand"))
            """
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*test_it: *ValueError: set by hand. Await what raises it*"])

    def test_a_failure_in_a_callback_is_a_failure_and_no_warning(self, checked):
        result = checked(
            """
            @pytest.mark.asyncio
            async def test_it():
                asyncio.get_running_loop().call_soon(pytest.fail, "in a callback")
                await asyncio.Event().wait()
            """
        )
        result.assert_outcomes(failed=1)
        result.stdout.no_fnmatch_line("*UnhandledException*")

    def test_a_generator_that_cannot_be_closed_is_reported_to_its_test(self, checked):
        result = checked(
            """
            async def stubborn():
                try:
                    yield
                finally:
                    raise ValueError
            generator = stubborn()
            @pytest.mark.asyncio
            async def test_it():
                await anext(generator)
            """,
            names="unhandled-exceptions",
        )
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(
            [
                (
                    "E*UnhandledExceptionWarning: test_it: an error occurred during closing of *, "
                    "created at test_it.py:11: ValueError, raised at test_it.py:7. Await what*"
                )
            ]
        )

    @needs_references
    @both_scopes
    def test_a_future_is_reported_to_its_test_whenever_it_is_dropped(self, checked, scope):
        result = checked(
            """
            kept = []
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            async def test_it():
                future = asyncio.get_running_loop().create_future()
                future.set_exception(ValueError)
                kept.append(future)
            async def test_next(): kept.clear()
            """,
            "-Wdefault",
            scope=scope,
        )
        result.assert_outcomes(passed=2, warnings=1)
        result.stdout.fnmatch_lines(["*UnhandledExceptionWarning: test_it: Future exception was*"])

    @needs_references
    def test_what_comes_to_light_after_its_loop_is_reported_to_the_test_of_the_loop(self, checked):
        result = checked(
            f"""
            {FINALIZED}
            @pytest.mark.asyncio
            async def test_it(): kept.append(Session(asyncio.get_running_loop()))
            @pytest.mark.asyncio
            async def test_next(): kept.clear()
            """,
            "-Wdefault",
        )
        result.assert_outcomes(passed=2, warnings=1)
        result.stdout.fnmatch_lines(["*UnhandledExceptionWarning: test_it: Unclosed session.*"])

    @needs_references
    @pytest.mark.parametrize(
        ("traceback", "line", "made"),
        [
            ("", 11, "session. Write 'async with Session(...)', *. See where*--asyncio-debug."),
            ("traceback.extract_stack()[:-1]", 13, "session, made at test_it.py:13. *'finally'."),
        ],
    )
    def test_what_was_left_open_is_shown_where_it_was_made_or_at_its_test(
        self, checked, traceback, line, made
    ):
        result = checked(
            f"""
            import traceback
            class Session:
                def __init__(self, loop):
                    self.loop, self.made = loop, {traceback or None}
                def __del__(self):
                    context = {{"message": "Unclosed session", "session": self}}
                    self.loop.call_exception_handler(context | {{"source_traceback": self.made}})

            @pytest.mark.asyncio
            async def test_it():
                Session(asyncio.get_running_loop())
            """,
            "-Wdefault",
        )
        result.assert_outcomes(passed=1, warnings=1)
        result.stdout.fnmatch_lines(
            f"*test_it.py:{line}: UnhandledExceptionWarning: test_it: Unclosed {made}"
        )

    @needs_references
    def test_what_comes_to_light_after_a_shared_loop_is_not_blamed_on_its_tests(self, checked):
        result = checked(
            f"""
            {FINALIZED}
            @pytest.mark.asyncio(loop_scope="class")
            class TestIt:
                async def test_one(self): kept.append(Session(asyncio.get_running_loop()))
                async def test_two(self): pass
            @pytest.mark.asyncio
            async def test_next(): kept.clear()
            """,
            "-Wdefault",
        )
        result.assert_outcomes(passed=3, warnings=1)
        result.stdout.fnmatch_lines(["*UnhandledExceptionWarning: An earlier test: Unclosed*"])

    def test_what_the_end_of_the_loop_brings_to_light_is_reported(self, checked):
        result = checked(
            """
            async def raise_late():
                try:
                    await asyncio.sleep(60)
                finally:
                    raise ValueError("in the end")
            @pytest.mark.asyncio
            async def test_it():
                task = asyncio.create_task(raise_late())
                await asyncio.sleep(0)
            """,
            names="unhandled-exceptions",
        )
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(["*UnhandledExceptionWarning: test_it: *in the end*"])


class TestNeverAwaited:
    @needs_references
    @both_scopes
    def test_a_dropped_coroutine_fails_its_test(self, checked, scope):
        result = checked(
            """
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            async def work(): pass
            async def test_it():
                work()
            async def test_next(): await work()
            """,
            scope=scope,
        )
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(
            [
                (
                    "E*NeverAwaitedWarning: test_it never awaited the coroutine 'work', created at "
                    "test_it.py:6. Write 'await' before the call."
                )
            ]
        )

    @needs_references
    def test_a_fixture_is_reported_by_its_name(self, checked):
        result = checked(
            """
            async def work(): pass
            @pytest_asyncio.fixture
            async def lazy():
                work()
            @pytest.mark.asyncio
            async def test_it(lazy): pass
            """
        )
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*NeverAwaitedWarning: fixture 'lazy' never awaited*"])

    @needs_references
    @both_scopes
    def test_what_a_test_expects_is_its_own(self, checked, scope):
        checked(
            """
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            async def work(): pass
            async def test_it():
                with pytest.warns(RuntimeWarning, match="coroutine 'work' was never awaited"):
                    work()
            """,
            scope=scope,
        ).assert_outcomes(passed=1)

    @needs_callbacks
    @both_scopes
    def test_what_the_garbage_collector_finds_is_reported_to_its_test(self, checked, scope):
        result = checked(
            """
            import gc
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            async def work(): pass
            def keep_in_a_cycle(coroutine):
                cycle = [coroutine]
                cycle.append(cycle)
            @pytest.mark.parametrize("number", [1])
            async def test_it(number):
                gc.disable()
                keep_in_a_cycle(work())
            async def test_next():
                gc.collect()
                keep_in_a_cycle(work())
                gc.collect()
                gc.enable()
            """,
            "-Wdefault",
            scope=scope,
        )
        result.stdout.fnmatch_lines_random(
            [
                "*NeverAwaitedWarning: test_it never awaited*created at test_it.py:*",
                "*NeverAwaitedWarning: test_next never awaited*created at test_it.py:*",
            ]
        )

    @needs_callbacks
    def test_what_the_garbage_collector_finds_may_be_an_earlier_tests(self, checked):
        result = checked(
            """
            import gc
            async def work(): pass
            @pytest_asyncio.fixture
            async def kept():
                gc.disable()
                cycle = [work()]
                cycle.append(cycle)
            @pytest.mark.asyncio
            async def test_it(kept): pass
            @pytest.mark.asyncio
            async def test_next():
                gc.collect()
                gc.enable()
            """,
            "-Wdefault",
        )
        result.stdout.fnmatch_lines(
            ["*NeverAwaitedWarning: test_next, or an earlier test, never awaited*test_it.py:8.*"]
        )

    @needs_references
    def test_tests_at_the_same_time_are_reported_for_their_own(self, checked):
        result = checked(
            """
            pytestmark = pytest.mark.asyncio(concurrent=True)
            async def work(): pass
            async def test_it():
                await asyncio.sleep(0.01)
                work()
            async def test_next():
                await asyncio.sleep(0)
            """,
        )
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(["*NeverAwaitedWarning: test_it never awaited*"])

    @needs_references
    def test_a_mock_is_reported_by_the_line_that_calls_it(self, checked):
        result = checked(
            """
            from unittest.mock import AsyncMock
            @pytest.mark.asyncio
            async def test_it():
                AsyncMock()()
            """
        )
        result.stdout.fnmatch_lines(
            ["*test_it never awaited the coroutine*created at test_it.py:6*"]
        )

    @needs_references
    def test_a_coroutine_of_unknown_origin_is_reported_by_its_definition(self, checked):
        result = checked(
            """
            import sys
            async def work(): pass
            @pytest.mark.asyncio
            async def test_it():
                sys.set_coroutine_origin_tracking_depth(0)
                work()
            """
        )
        result.stdout.fnmatch_lines(["*test_it never awaited the coroutine 'work'. Write*"])


BLOCK = """
            import threading, time
            def block():
                waking = threading.Thread(target=lambda: [time.sleep(0.01) for _ in range(50)])
                waking.start()
                waking.join()
"""
"""Half a second, and longer where threads are kept waiting, as the one that looks then is too."""


class TestBlockedLoop:
    @both_scopes
    def test_what_blocks_is_reported_with_its_line(self, checked, scope):
        result = checked(
            BLOCK
            + """
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            async def test_it(): block()
            async def test_next(): await asyncio.sleep(0.2)
            """,
            scope=scope,
            ini="asyncio_blocked_loop_threshold = 0.1",
        )
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(
            [
                (
                    "E*BlockedLoopWarning: test_it held the event loop for more than 0.1 s at "
                    "test_it.py:7 in block. Use what can be awaited, or asyncio.to_thread()."
                )
            ]
        )

    def test_many_tasks_that_are_ready_at_once_do_not_block(self, checked):
        checked(
            """
            import time
            async def work(): time.sleep(0.02)
            @pytest.mark.asyncio
            async def test_it():
                await asyncio.gather(*(work() for _ in range(20)))
            """,
            ini="asyncio_blocked_loop_threshold = 0.1",
        ).assert_outcomes(passed=1)

    def test_a_loaded_machine_is_no_fault_of_the_test(self, checked, monkeypatch):
        seconds = itertools.count()

        def starving(*args, **kwargs):
            return io.StringIO(f"0 {next(seconds) * 10**9} 0")

        monkeypatch.setattr(blocked_loop._Watched, "_open", starving)
        checked(
            BLOCK
            + """
            @pytest.mark.asyncio
            async def test_it(): block()
            """,
            ini="asyncio_blocked_loop_threshold = 0.1",
        ).assert_outcomes(passed=1)

    def test_a_machine_that_knows_no_load_is_taken_as_idle(self, checked, monkeypatch):
        monkeypatch.setattr(blocked_loop, "_STATISTICS", "/nowhere")
        result = checked(
            BLOCK
            + """
            @pytest.mark.asyncio
            async def test_it(): block()
            """,
            ini="asyncio_blocked_loop_threshold = 0.1",
        )
        result.assert_outcomes(failed=1)

    def test_each_that_blocks_is_reported(self, checked):
        result = checked(
            BLOCK
            + """
            @pytest.mark.asyncio
            async def test_it():
                block()
                await asyncio.sleep(0.2)
                asyncio.get_running_loop().call_soon(block)
                await asyncio.sleep(0.2)
            """,
            "-Wdefault",
            ini="asyncio_blocked_loop_threshold = 0.1",
        )
        result.assert_outcomes(passed=1, warnings=2)

    def test_half_a_second_is_the_default_and_what_is_shorter_is_fine(self, checked):
        checked(
            """
            import time
            @pytest.mark.asyncio
            async def test_it(): time.sleep(0.1)
            """
        ).assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        ("body", "outcomes"),
        [("block()", {"errors": 1}), ("yield; block()", {"passed": 1, "errors": 1})],
        ids=["setup", "teardown"],
    )
    def test_a_fixture_is_reported_by_its_name(self, checked, body, outcomes):
        result = checked(
            BLOCK
            + f"""
            @pytest_asyncio.fixture
            async def slow(): {body}
            @pytest.mark.asyncio
            async def test_it(slow): pass
            """,
            ini="asyncio_blocked_loop_threshold = 0.1",
        )
        result.assert_outcomes(**outcomes)
        result.stdout.fnmatch_lines(["*BlockedLoopWarning: fixture 'slow' held the event loop*"])

    def test_a_debugger_may_block(self, checked):
        checked(
            BLOCK
            + """
            @pytest.mark.asyncio
            async def test_it(pytestconfig):
                pytestconfig.hook.pytest_enter_pdb(config=pytestconfig, pdb=None)
                block()
                pytestconfig.hook.pytest_leave_pdb(config=pytestconfig, pdb=None)
            """,
            ini="asyncio_blocked_loop_threshold = 0.1",
        ).assert_outcomes(passed=1)


OPEN = {
    "a Server": """await asyncio.start_server(print, "127.0.0.1", 0)""",
    "a *Transport": """await asyncio.open_connection(sock=socket.socketpair()[0])""",
    "a *SubprocessTransport": """await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "input()"), stdin=asyncio.subprocess.PIPE
            )""",
    "a ThreadPoolExecutor": "await use(ThreadPoolExecutor())",
    "the async generator 'numbers'": "await begin(numbers())",
}
IGNORING = ("-Wignore::ResourceWarning", "-Wignore::pytest.PytestUnraisableExceptionWarning")
HELPERS = """
            import socket, sys
            from concurrent.futures import ThreadPoolExecutor
            async def use(executor):
                await asyncio.get_running_loop().run_in_executor(executor, int)
                return executor
            async def numbers():
                yield 1
            async def begin(generator):
                await anext(generator)
                return generator
"""


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
class TestOpenResources:
    @pytest.fixture(autouse=True)
    def _free(self):
        yield
        gc.collect()

    @both_scopes
    @pytest.mark.parametrize("what", OPEN)
    def test_what_a_test_leaves_open_is_reported(self, checked, what, scope):
        result = checked(
            f"""
            {HELPERS}
            kept = []
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            async def test_it():
                kept.append({OPEN[what]})
            async def test_next(): pass
            """,
            *IGNORING,
            scope=scope,
            names="open-resources",
        )
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines([f"E*OpenResourceWarning: test_it has left {what} open since*"])

    @both_scopes
    def test_what_is_closed_is_fine(self, checked, scope):
        checked(
            f"""
            {HELPERS}
            kept = []
            @pytest.mark.asyncio(loop_scope=SCOPE)
            async def test_it():
                async with await asyncio.start_server(print, "127.0.0.1", 0): pass
                reader, writer = await asyncio.open_connection(sock=socket.socketpair()[0])
                writer.close()
                process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
                await process.wait()
                kept.append(process)
                with ThreadPoolExecutor() as executor:
                    await use(executor)
                async for _ in numbers(): pass
                await asyncio.to_thread(int)
            """,
            *IGNORING,
            scope=scope,
            names="open-resources",
        ).assert_outcomes(passed=1)

    def test_a_loop_that_reports_no_generators_is_fine(self, checked):
        checked(
            f"""
            {HELPERS}
            kept = numbers()
            @pytest.mark.asyncio
            async def test_it():
                assert await anext(kept) == 1
            """,
            names="open-resources",
            ini="asyncio_loop_factory = conftest.Loop",
            conftest="class Loop(asyncio.SelectorEventLoop): _asyncgen_firstiter_hook = None",
        ).assert_outcomes(passed=1)

    def test_an_executor_for_all_tests_is_fine(self, checked):
        checked(
            f"""
            {HELPERS}
            executor = ThreadPoolExecutor()
            @pytest.mark.asyncio
            async def test_it(): await use(executor)
            @pytest.mark.asyncio
            async def test_next(): await use(executor)
            """,
            names="open-resources",
        ).assert_outcomes(passed=2)

    def test_what_a_fixture_may_yet_close_is_reported_only_if_its_loop_ends(self, checked):
        result = checked(
            f"""
            {HELPERS}
            pytestmark = pytest.mark.asyncio(loop_scope="module")
            @pytest_asyncio.fixture(scope="module")
            async def client():
                opened = []
                yield opened
                opened[0].close()
            async def test_it(client):
                client.append(await asyncio.start_server(print, "127.0.0.1", 0))
                client.append(await asyncio.start_server(print, "127.0.0.1", 0))
            async def test_next(): pass
            """,
            *IGNORING,
            names="open-resources",
        )
        result.assert_outcomes(passed=2, errors=1)
        result.stdout.fnmatch_lines(
            ["E*OpenResourceWarning: test_it has left a Server open since*"]
        )

    def test_each_loop_is_looked_at_by_itself(self, checked):
        checked(
            f"""
            {HELPERS}
            @pytest_asyncio.fixture(scope="module")
            async def server():
                async with await asyncio.start_server(print, "127.0.0.1", 0):
                    yield
            @pytest.mark.asyncio
            async def test_it(server):
                async with await asyncio.start_server(print, "127.0.0.1", 0): pass
            """,
            names="open-resources",
        ).assert_outcomes(passed=1)

    @both_scopes
    def test_a_generator_is_reported_to_whom_it_runs_for(self, checked, scope):
        result = checked(
            f"""
            {HELPERS}
            pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
            kept = []
            @pytest_asyncio.fixture(scope=SCOPE)
            async def background():
                turn = asyncio.Event()
                async def iterate():
                    await turn.wait()
                    kept.append(await begin(numbers()))
                    turn.clear()
                task = asyncio.create_task(iterate())
                yield turn
                await task
            async def test_it(background):
                background.set()
                while background.is_set():
                    await asyncio.sleep(0)
            """,
            *IGNORING,
            scope=scope,
            names="open-resources",
        )
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(
            ["E*OpenResourceWarning: fixture 'background' has left the async generator 'numbers'*"]
        )

    def test_it_shows_the_line(self, checked):
        result = checked(
            """
            async def numbers():
                yield 1
            generator = numbers()
            @pytest.mark.asyncio
            async def test_it():
                await asyncio.start_server(print, "127.0.0.1", 0)
                await anext(generator)
            """,
            *IGNORING,
            names="open-resources",
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "*test_it has left a Server open since test_it.py:8. Close it.",
                "*test_it has left the async generator 'numbers' open since test_it.py:9. Close*",
            ]
        )

    @pytest.mark.parametrize("what", ["a Server", "a *Transport", "the async generator 'numbers'"])
    def test_it_knows_those_of_uvloop(self, checked, what):
        pytest.importorskip("uvloop")
        result = checked(
            f"""
            {HELPERS}
            kept = []
            @pytest.mark.asyncio
            async def test_it():
                kept.append({OPEN[what]})
            """,
            *IGNORING,
            "--asyncio-loop-factory=uvloop.new_event_loop",
            names="open-resources",
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"E*OpenResourceWarning: test_it has left {what} open since*"])


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
        def make(loop, coroutine, **kwargs):
            coroutine.close()
            return "none"
        @pytest.mark.asyncio
        async def test_it():
            loop = asyncio.get_running_loop()
            loop.set_task_factory(make)
            assert loop.create_task(asyncio.sleep(0)) == "none"
            loop.set_task_factory(None)
        """,
        names="leaked-tasks",
    )
    result.assert_outcomes(passed=1)
