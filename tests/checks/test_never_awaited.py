"""The check `never-awaited`."""

from __future__ import annotations

import pytest
from conditions import both_scopes, needs_callbacks, needs_references


@needs_references
@both_scopes
def test_a_dropped_coroutine_fails_its_test(checked, scope):
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
                "test_it.py:6. Write 'await' before the call, "
                "or have a mock that takes the coroutine close() it."
            )
        ]
    )


@needs_references
def test_a_fixture_is_reported_by_its_name(checked):
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
@pytest.mark.parametrize("debug", [False, True])
def test_a_warning_that_a_test_looks_at_is_what_it_is_without_the_check(checked, debug):
    checked(
        f"""
        import warnings
        async def work(): pass
        @pytest.mark.asyncio
        async def test_it():
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                work()
            first, *rest = str(caught[0].message).splitlines()
            assert first == "coroutine 'work' was never awaited"
            assert bool(rest) == {debug}
            assert caught[0].filename == __file__ or rest
        """,
        *(["--asyncio-debug"] * debug),
    ).assert_outcomes(passed=1)


@needs_references
@both_scopes
def test_what_a_test_expects_is_its_own(checked, scope):
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
def test_what_the_garbage_collector_finds_is_reported_to_its_test(checked, scope):
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
def test_what_the_garbage_collector_finds_may_be_an_earlier_tests(checked):
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
def test_tests_at_the_same_time_are_reported_for_their_own(checked):
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
def test_a_mock_is_reported_by_the_line_that_calls_it(checked):
    result = checked(
        """
        from unittest.mock import AsyncMock
        @pytest.mark.asyncio
        async def test_it():
            AsyncMock()()
        """
    )
    result.stdout.fnmatch_lines(["*test_it never awaited the coroutine*created at test_it.py:6*"])


@needs_references
@pytest.mark.parametrize("closes", [False, True])
def test_a_mock_that_takes_a_coroutine_may_close_it(checked, closes):
    result = checked(
        f"""
        import asyncio
        import gc
        from unittest.mock import AsyncMock, patch
        async def work(): pass
        def close(coroutine, timeout): coroutine.close()
        @pytest.mark.asyncio
        async def test_it():
            with patch("asyncio.wait_for", AsyncMock(side_effect=close if {closes} else None)):
                await asyncio.wait_for(work(), 1)
            gc.collect()
        """
    )
    result.assert_outcomes(passed=closes, failed=not closes)
    if not closes:
        result.stdout.fnmatch_lines(["*or have a mock that takes the coroutine close() it."])


@needs_references
def test_a_coroutine_of_unknown_origin_is_reported_by_its_definition(checked):
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
