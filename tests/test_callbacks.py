"""What is raised on a loop beside the test itself, in callbacks and tasks."""

from __future__ import annotations

import pytest


def test_a_failure_in_a_callback_fails_the_test(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().call_soon(pytest.fail, "from the callback")
            await asyncio.Event().wait()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*Failed: from the callback")


def test_a_skip_in_a_callback_skips_the_test(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().call_soon(pytest.skip, "from the callback")
            await asyncio.Event().wait()
    """)
    result.assert_outcomes(skipped=1)


def test_any_other_error_in_a_callback_is_logged_as_asyncio_does(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it(caplog):
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)
            assert "ZeroDivisionError" in caplog.text
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("end", ['raise ValueError("nobody asks")', "return"])
def test_what_a_task_raised_that_outlives_its_loop_is_logged_as_asyncio_does(suite, end):
    result = suite(f"""
        import gc

        async def work():
            {end}

        @pytest.mark.asyncio
        async def test_keeps_it():
            global task
            task = asyncio.create_task(work())
            await asyncio.sleep(0)

        def test_drops_it(caplog):
            global task
            del task
            gc.collect()
            assert ("nobody asks" in caplog.text) is ("nobody asks" in {end!r})
    """)
    result.assert_outcomes(passed=2)


def test_a_failure_in_a_task_that_nobody_awaits_is_logged_as_asyncio_does(suite):
    result = suite("""
        import gc

        @pytest.mark.asyncio
        async def test_it(caplog):
            async def fail():
                pytest.fail("on its own")

            asyncio.create_task(fail())
            await asyncio.sleep(0)
            gc.collect()
            assert "Task exception was never retrieved" in caplog.text
            assert "on its own" in caplog.text
    """)
    result.assert_outcomes(passed=1)


def test_the_task_of_a_test_or_fixture_is_that_of_its_coroutine(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def fixture():
            assert asyncio.current_task().get_coro().__name__ == "fixture"

        @pytest.mark.asyncio
        async def test_it(fixture):
            assert asyncio.current_task().get_coro().__name__ == "test_it"
    """)
    result.assert_outcomes(passed=1)


def test_the_exception_handler_of_a_test_is_its_own(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it():
            loop = asyncio.get_running_loop()
            assert loop.get_exception_handler() is None
            contexts = []
            loop.set_exception_handler(lambda loop, context: contexts.append(context))
            loop.call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)
            (context,) = contexts
            assert isinstance(context["exception"], ZeroDivisionError)
    """)
    result.assert_outcomes(passed=1)
