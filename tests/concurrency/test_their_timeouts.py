"""Time-outs of tests that run at the same time."""

from __future__ import annotations

import pytest


def test_they_count_from_the_start_of_each(concurrent):
    result = concurrent(
        """
    async def test_slow(): await asyncio.sleep(0.4)
    @pytest.mark.asyncio(timeout=0.1)
    async def test_hangs(): await asyncio.Event().wait()
    @pytest.mark.asyncio(timeout=30)
    async def test_fine(): await asyncio.sleep(0.2)
    """
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*___ test_hangs ___*", "E*TimeoutError: *0.1 s*"])


def test_those_of_fixtures_are_told_with_their_tests(concurrent_in_both_ways):
    result = concurrent_in_both_ways(
        """
    @pytest_asyncio.fixture(timeout=0.1)
    async def hanging(): await asyncio.Event().wait()
    async def test_a(hanging): pass
    async def test_b(): await asyncio.sleep(0.2)
    """,
        passed=1,
        errors=1,
    )
    result.stdout.fnmatch_lines(["*ERROR at setup of test_a*", "E*TimeoutError: *'hanging'*"])


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("end", ["return", "yield"])
@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_fixture_that_refuses_to_end_is_told_with_its_test(concurrent_in_both_ways, scope, end):
    result = concurrent_in_both_ways(
        f"""
    @pytest_asyncio.fixture(scope={scope!r}, loop_scope="module", timeout=0.05)
    async def refusing():
        for _ in range(3):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
        {end}
    async def test_a(refusing): pass
    async def test_b():
        for _ in range(40): await asyncio.sleep(0)
    def test_next(): pass
    """,
        "-Wdefault",
        passed=2,
        errors=1,
    )
    result.stdout.fnmatch_lines(["*ERROR at setup of test_a*", "E*TimeoutError: *'refusing'*"])


@pytest.mark.usefixtures("_impatient")
def test_who_blocks_the_loop_is_not_broken_off_for_another(concurrent):
    result = concurrent(
        """
    import time
    @pytest.mark.asyncio(timeout=0.05)
    async def test_a(): await asyncio.Event().wait()
    async def test_b(): time.sleep(0.5)
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_a - TimeoutError: *"])


@pytest.mark.usefixtures("_impatient")
def test_what_refuses_to_end_loses_the_loop_and_the_next_tests_get_another(concurrent_in_both_ways):
    result = concurrent_in_both_ways(
        """
    loops = []
    @pytest.mark.asyncio(timeout=0.05)
    async def test_refuses():
        loops.append(asyncio.get_running_loop())
        refused = 0
        while refused < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                refused += 1
    def test_between(): pass
    async def test_next(): assert asyncio.get_running_loop() not in loops
    """,
        "-Wdefault",
        passed=2,
        failed=1,
    )
    result.stdout.fnmatch_lines(["E*TimeoutError: *"])


@pytest.mark.usefixtures("_impatient")
def test_who_refuses_to_end_while_another_sets_a_wide_fixture_up_fails_alone(
    concurrent_in_both_ways,
):
    result = concurrent_in_both_ways(
        """
    async def refuse():
        for _ in range(3):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
    @pytest.mark.asyncio(timeout=0.05)
    async def test_a(): await refuse()
    @pytest.mark.asyncio(timeout=0.1)
    async def test_b(): await refuse()
    @pytest_asyncio.fixture(scope="module")
    async def wide(): await asyncio.sleep(0.4)
    async def test_c(wide): pass
    """,
        "-Wdefault",
        "-rfP",
        passed=1,
        failed=2,
    )
    result.stdout.no_fnmatch_line("*Exception in callback*")
    result.stdout.fnmatch_lines(["FAILED *::test_a - TimeoutError*", "FAILED *::test_b - Tim*"])


@pytest.mark.usefixtures("_impatient")
def test_a_fixture_that_refuses_to_end_fails_its_test(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture(timeout=0.05)
    async def refusing():
        refused = 0
        while refused < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                refused += 1
    async def test_a(refusing): pass
    async def test_b(): pass
    """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_a*", "E*TimeoutError: *'refusing'*"])


def test_pytest_timeout_goes_on_working(concurrent):
    result = concurrent(
        """
    async def test_a(): await meet()
    @pytest.mark.timeout(0.3)
    async def test_hangs(): await meet(); await asyncio.Event().wait()
    async def test_b(): pass
    """,
        "-ppytest_timeout",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_hangs - Failed: Timeout*"])
