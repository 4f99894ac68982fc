"""Tests that do to their loop what tests beside them can feel."""

from __future__ import annotations

import pytest

both_loops = pytest.mark.parametrize("loop", ["asyncio.SelectorEventLoop", "uvloop.new_event_loop"])


def test_who_stops_the_loop_fails(concurrent_in_both_ways):
    result = concurrent_in_both_ways(
        """
    async def test_stops():
        await meet()
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()
    async def test_fine():
        await meet()
        await asyncio.sleep(0.01)
    """,
        passed=1,
        failed=1,
    )
    result.stdout.fnmatch_lines(["*___ test_stops ___*", "*has called stop() on the event loop*"])


def test_who_stops_the_loop_at_its_very_end_passes_as_in_a_serial_run(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    async def test_stops():
        await meet()
        asyncio.get_running_loop().stop()
    async def test_fine():
        await meet()
        await asyncio.sleep(0.01)
    """,
        passed=2,
    )


@both_loops
def test_who_stops_the_loop_fails_although_what_was_waited_for_is_over_by_then(concurrent, loop):
    pytest.importorskip(loop.partition(".")[0])
    result = concurrent(
        """
    async def test_a(): await asyncio.sleep(0.03)
    async def test_b(): pass
    async def test_stops():
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()
    """,
        f"--asyncio-loop-factory={loop}",
        "--asyncio-timeout=5",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*___ test_stops ___*", "*has called stop() on the event loop*"])


def test_a_stop_that_nobody_has_asked_for_fails_the_current_test(concurrent):
    result = concurrent(
        """
    import contextvars
    async def test_a():
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.stop, context=contextvars.Context())
        await asyncio.Event().wait()
    async def test_b(): await asyncio.sleep(0.01)
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*___ test_a ___*", "*has called stop() on the event loop*"])


@pytest.mark.usefixtures("_impatient")
def test_a_wide_fixture_that_stops_it_and_refuses_to_end_fails_its_test(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture(scope="module")
    async def wide():
        asyncio.get_running_loop().stop()
        for _ in range(3):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                pass
    async def test_a(): await alone()
    async def test_b(wide): pass
    """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["ERROR *::test_b - Failed: Event loop stopped *"])


def test_a_loop_that_is_closed_fails_those_on_it(concurrent_in_both_ways):
    result = concurrent_in_both_ways(
        """
    async def test_a(): await asyncio.Event().wait()

    @pytest_asyncio.fixture
    async def own(): yield

    @pytest.fixture
    def closing(own):
        yield
        loop.close()

    async def test_b(closing):
        global loop
        loop = asyncio.get_running_loop()
        for _ in range(40): await asyncio.sleep(0)

    async def test_c(): await asyncio.Event().wait()
    """,
        "-Wdefault",
        passed=1,
        failed=2,
        errors=1,
    )
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_b*",
            "The async fixture 'own' cannot be torn down: its event loop is closed.",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            "FAILED *::test_a - Failed: Something has closed the event loop of *",
            "FAILED *::test_c - Failed: Something has closed the event loop of *",
        ]
    )


def test_pytest_fail_in_a_callback_fails_its_test(concurrent_in_both_ways):
    result = concurrent_in_both_ways(
        """
    async def test_a():
        await meet()
        asyncio.get_running_loop().call_soon(pytest.fail, "in a callback")
        await asyncio.Event().wait()
    async def test_b(): await meet()
    """,
        passed=1,
        failed=1,
    )
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_a - Failed: in a callback"])


@both_loops
def test_pytest_fail_in_a_callback_leaves_the_current_test_alone(concurrent, loop):
    pytest.importorskip(loop.partition(".")[0])
    result = concurrent(
        """
    failed = asyncio.Event()
    def fail():
        failed.set()
        pytest.fail("in a callback")
    async def test_a(): await failed.wait()
    async def test_b():
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.Event().wait()
    """,
        f"--asyncio-loop-factory={loop}",
        "--asyncio-timeout=5",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [">*pytest.fail(*", "FAILED test_it.py::test_b - Failed: in a callback"]
    )


def test_pytest_fail_in_a_callback_of_nobody_fails_the_test_whose_turn_it_is(concurrent):
    result = concurrent(
        """
    import contextvars
    first_is_over = asyncio.Event()
    async def test_a():
        await meet()
        first_is_over.set()
    async def test_b():
        await meet()
        await first_is_over.wait()
        await asyncio.sleep(0.05)
        nobody = contextvars.Context()
        asyncio.get_running_loop().call_soon(pytest.fail, "of nobody", context=nobody)
        await asyncio.Event().wait()
    """,
        "--asyncio-timeout=5",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_b - Failed: of nobody"])


def test_pytest_fail_in_a_callback_of_the_current_test_fails_it_while_another_is_set_up(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def slow(): await asyncio.sleep(0.05)
    async def test_a():
        asyncio.get_running_loop().call_later(0.02, pytest.fail, "in a callback")
        await asyncio.Event().wait()
    async def test_b(slow): await asyncio.sleep(0)
    """,
        "--asyncio-timeout=5",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_a - Failed: in a callback"])


def test_pytest_fail_in_a_callback_of_a_wide_fixtures_teardown_fails_that(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def wide():
        yield
        asyncio.get_running_loop().call_soon(pytest.fail, "in a callback")
        await asyncio.Event().wait()
    async def test_a(wide): await meet()
    async def test_b(wide): await meet()
    """,
        "--asyncio-timeout=5",
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_b*", "E*Failed: in a callback"])


@both_loops
def test_pytest_fail_in_a_callback_that_outlives_its_test_is_logged_and_fails_no_other(
    concurrent, loop
):
    pytest.importorskip(loop.partition(".")[0])
    concurrent(
        """
    called = asyncio.Event()
    def fail():
        called.set()
        pytest.fail("in a callback")
    async def test_a():
        await meet()
        await called.wait()
        await asyncio.sleep(0.01)
    async def test_b():
        await meet()
        asyncio.get_running_loop().call_later(0.05, fail)
    """,
        f"--asyncio-loop-factory={loop}",
    ).assert_outcomes(passed=2)


def test_an_async_fixture_that_is_requested_synchronously_is_refused(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture
    async def late(): pass
    async def test_a(request): request.getfixturevalue("late")
    async def test_b(): await alone()
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["The async fixture 'late' is requested by code that runs on*"])


def test_such_a_request_by_what_a_test_has_left_behind_is_refused_too(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def another(): pass

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def requesting(request):
        async def go_on():
            await asking.wait()
            request.getfixturevalue("another")

        asking = asyncio.Event()
        return asking, asyncio.create_task(go_on())

    async def test_a(): await meet()
    async def test_b(requesting): await meet()

    @pytest.mark.asyncio(concurrent=False, loop_scope="module")
    async def test_c(requesting):
        asking, task = requesting
        asking.set()
        with pytest.raises(pytest.fail.Exception, match="cannot wait for it synchronously"):
            await task
    """
    ).assert_outcomes(passed=3)


def test_a_test_that_is_synchronous_after_all_is_run(concurrent_in_both_ways):
    result = concurrent_in_both_ways(
        """
    import functools
    async def awaited(): await meet()
    async def test_a(): await meet()
    async def test_b(): await meet()
    @pytest.fixture(autouse=True)
    def replace(request):
        if request.node.name == "test_c":
            request.node.obj = lambda: print("called")
    @pytest.mark.asyncio
    async def test_c(): pass
    """,
        "-s",
        "-Wdefault",
        passed=3,
        warnings=1,
    )
    result.stdout.fnmatch_lines(["*called*", "*PytestWarning: * is not an async function*"])


def test_what_it_returns_is_reported(concurrent):
    result = concurrent(
        """
    async def test_a(): await alone()
    @pytest.fixture
    def replaced(request): request.node.obj = lambda replaced: 1
    async def test_b(replaced): pass
    """,
        "-Wdefault",
    )
    result.stdout.fnmatch_lines(["*None, but *test_b returned*"])


def test_so_is_one_whose_setup_is_not_over_in_its_turn(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture
    async def slow(request):
        await meet()
        await alone()
        request.node.obj = lambda slow: None
    async def test_a(): await meet()
    async def test_b(slow): pass
    """
    ).assert_outcomes(passed=2)


def test_one_whose_mark_is_wrong_fails_alone(concurrent):
    result = concurrent(
        """
    async def test_a(): await beside()
    @pytest.mark.asyncio(timeout="soon")
    async def test_b(): await alone()
    async def test_c(): await beside()
    """
    )
    result.assert_outcomes(passed=2, errors=1)


@pytest.mark.usefixtures("_impatient")
def test_one_that_refuses_to_end_keeps_the_loop_until_the_others_are_over(concurrent):
    result = concurrent(
        """
    given_up, seen = asyncio.Event(), []
    @pytest.fixture
    def telling():
        yield
        given_up.set()
    async def test_refuses(telling):
        await meet()
        asyncio.get_running_loop().call_soon(pytest.fail, "in a callback")
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
    async def test_b():
        await meet()
        seen.append(asyncio.get_running_loop())
        await given_up.wait()
    async def test_is_over_after_that():
        await given_up.wait()
        await alone()
    async def test_next(): assert asyncio.get_running_loop() not in seen
    """,
        "-Wdefault",
        ini="asyncio_concurrency = 3",
    )
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*did not end when it was cancelled, so the event loop of * was given up.",
            "FAILED test_it.py::test_refuses - Failed: in a callback",
        ]
    )
