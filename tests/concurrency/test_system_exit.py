"""What ends one test, or would end the process, is a failure of that test alone."""

from __future__ import annotations

import pytest


def test_what_those_raise_together_that_are_ended_ends_nothing_else(concurrent):
    concurrent(
        """
    async def test_a():
        await asyncio.sleep(0.01)
        assert 0
    @pytest.mark.parametrize("_", range(5))
    async def test_b(_):
        try:
            await asyncio.Event().wait()
        finally:
            raise SystemExit(3)
    """,
        "-x",
    ).assert_outcomes(failed=1)


def test_who_ends_with_the_process_when_another_is_over_ends_alone(concurrent):
    result = concurrent(
        """
    is_set = asyncio.Event()
    async def test_a():
        await is_set.wait()
        for _ in range(20): await asyncio.sleep(0)
    async def test_b(): await is_set.wait()
    async def test_c():
        is_set.set()
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, exit, 3)  # in the iteration that sees that test_b is over
        await asyncio.Event().wait()
    """
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*___ test_c ___*", "*SystemExit: 3"])


def test_who_ends_with_the_process_in_the_teardown_of_another_ends_alone(concurrent):
    result = concurrent(
        """
    has_begun, is_down = asyncio.Event(), asyncio.Event()
    @pytest_asyncio.fixture
    async def used():
        yield
        is_down.set()
        for _ in range(20): await asyncio.sleep(0)
    async def test_a(used): await has_begun.wait()
    async def test_b():
        has_begun.set()
        await is_down.wait()
        asyncio.get_running_loop().call_soon(exit, 3)
        await asyncio.Event().wait()
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*___ test_b ___*", "*SystemExit: 3"])


def test_system_exit_is_a_failure_of_its_test(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    async def test_a():
        await meet()
        raise SystemExit(3)
    async def test_b(): await meet()
    """,
        passed=1,
        failed=1,
    )


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "waits"])
@pytest.mark.parametrize(
    "act",
    [
        "raise SystemExit(3)",
        "asyncio.get_running_loop().call_soon(exit); await asyncio.sleep(1)",
        "asyncio.get_running_loop().stop(); await asyncio.sleep(1)",
    ],
)
def test_what_ends_a_test_that_has_begun_early_ends_that_one(concurrent, act, quick):
    result = concurrent(
        f"""
    def exit(): raise SystemExit(3)
    go, over = asyncio.Event(), asyncio.Event()
    @pytest_asyncio.fixture
    async def met(): await meet()
    async def test_first(met):
        go.set()
        if {quick}:
            for _ in range(3): await asyncio.sleep(0)
        else:
            await over.wait()
    async def test_ends():
        await meet()
        await go.wait()
        try:
            {act}
        finally:
            over.set()
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FAILED *test_ends*"])


@pytest.mark.parametrize("error", ["SystemExit", "GeneratorExit", "asyncio.CancelledError"])
def test_what_a_synchronous_teardown_raises_is_an_error_of_its_test(concurrent, error):
    result = concurrent(
        f"""
    @pytest_asyncio.fixture
    async def first():
        yield
        print("first is torn down")
    @pytest.fixture
    def odd(first):
        yield
        raise {error}
    async def test_a(): await meet()
    async def test_b(odd): await meet()
    """
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_b*", "first is torn down"])


def test_system_exit_ends_the_current_test_although_that_goes_on(concurrent):
    result = concurrent(
        """
    import contextlib

    async def test_a():
        await alone()
        asyncio.get_running_loop().call_soon(exit, 3)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def test_b(): pass
    """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines("E*SystemExit: 3")


def test_system_exit_in_a_callback_is_a_failure_of_its_test(concurrent):
    result = concurrent(
        """
    async def test_a(): await meet()
    async def test_b():
        await meet()
        asyncio.get_running_loop().call_soon(exit, 3)
        await asyncio.Event().wait()
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*___ test_b ___*", "*SystemExit: 3*"])


@pytest.mark.usefixtures("_impatient", "_ctrl_c_is_of_the_inner_run")
def test_what_refuses_to_end_is_reported(concurrent):
    result = concurrent(
        """
    async def test_fails():
        await meet()
        raise KeyboardInterrupt
    async def test_refuses():
        await meet()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
    """
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
