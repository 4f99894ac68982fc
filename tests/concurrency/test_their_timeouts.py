"""Time-outs of tests that run at the same time."""

from __future__ import annotations

import pytest

from interruptible import needs_signal


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


def test_those_of_fixtures_are_reported_with_their_tests(concurrent_in_both_ways):
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


@needs_signal
def test_code_of_no_test_that_blocks_their_loop_is_broken_off_and_named(concurrent):
    result = concurrent(
        """
    import contextvars, time
    def block(): time.sleep(60)
    @pytest.mark.asyncio(timeout=0.1)
    async def test_waits():
        await meet()
        asyncio.get_running_loop().call_soon(block, context=contextvars.Context())
        await asyncio.Event().wait()
    @pytest.mark.asyncio(timeout=30)
    async def test_other():
        await meet()
        await asyncio.sleep(0.2)
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        "E*TimeoutError: test_waits took longer than the 0.1 s of its timeout. Code that is not "
        "its own blocked its event loop at test_it.py:* in block."
    )


@pytest.mark.usefixtures("_impatient")
def test_a_synchronous_fixture_of_another_test_is_not_broken_off(concurrent):
    result = concurrent(
        """
    import time
    @pytest.fixture
    def slow():
        time.sleep(1)
        return "whole"
    @pytest.mark.asyncio(timeout=0.02)
    async def test_waits(): await asyncio.Event().wait()
    async def test_other(slow): assert slow == "whole"
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*___ test_waits ___*", "E*TimeoutError: *0.02 s*"])


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("loop", ["asyncio.SelectorEventLoop", "uvloop.new_event_loop"])
def test_another_test_that_blocks_the_loop_is_not_broken_off(concurrent, loop):
    pytest.importorskip(loop.partition(".")[0])
    result = concurrent(
        """
    import time
    @pytest.mark.asyncio(timeout=0.02)
    async def test_waits(): await asyncio.Event().wait()
    async def test_other(): time.sleep(1)
    """,
        f"--asyncio-loop-factory={loop}",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*___ test_waits ___*", "E*TimeoutError: *0.02 s*"])


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("end", ["return", "yield"])
@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_fixture_that_does_not_end_is_reported_with_its_test(concurrent_in_both_ways, scope, end):
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
    @pytest.mark.asyncio(concurrent=False, loop_scope="module")
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
    @pytest.mark.timeout(0.3, func_only=True)
    async def test_hangs(): await meet(); await asyncio.Event().wait()
    async def test_b(): pass
    """,
        "-ppytest_timeout",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_hangs - Failed: Timeout*"])


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("first", ["blocks", "waits"])
def test_several_that_are_due_at_once_all_fail_their_tests(concurrent, first):
    tests = {
        "blocks": """
    async def test_blocks():
        await asyncio.sleep(0.01)
        while True: pass
    """,
        "waits": """
    async def test_waits(): await asyncio.sleep(60)
    async def test_waits_too(): await asyncio.sleep(60)
    """,
    }
    result = concurrent(
        tests[first] + "".join(tests[other] for other in tests if other != first),
        "--asyncio-timeout=0.2",
    )
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines("*: test_blocks took longer than the 0.2 s of its timeout*")


INNOCENT = """
    async def test_innocent(): await blocking.wait()
"""
GUILTY = """
    async def test_guilty():
        loop = asyncio.get_running_loop()
        def ask(): asyncio.run_coroutine_threadsafe(block(), loop)
        threading.Thread(target=ask).start()
        await asyncio.Event().wait()
"""


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("tests", [INNOCENT + GUILTY, GUILTY + INNOCENT], ids=["first", "last"])
def test_who_waits_while_code_of_nobody_blocks_the_loop_goes_on(concurrent, tests):
    result = concurrent(
        """
    import threading, time
    blocking = asyncio.Event()
    async def block():
        blocking.set()
        time.sleep(60)
    """
        + tests,
        "--asyncio-timeout=0.3",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("E *TimeoutError: *test_guilty took longer than the 0.3 s of its *")


@pytest.mark.usefixtures("_impatient")
def test_what_an_earlier_test_has_left_behind_is_not_the_current_ones(concurrent):
    result = concurrent(
        """
    import time
    go, blocking = asyncio.Event(), asyncio.Event()
    async def block():
        await go.wait()
        blocking.set()
        time.sleep(60)
    async def test_leaves():
        pytest.left = asyncio.create_task(block())
    async def test_a():
        go.set()
        await blocking.wait()
    async def test_b(): await blocking.wait()
    """,
        "--asyncio-timeout=0.3",
    )
    result.assert_outcomes(passed=3)


@pytest.mark.usefixtures("_impatient")
def test_who_times_out_by_it_is_reported_where_code_of_nobody_has_blocked_the_loop(concurrent):
    result = concurrent(
        """
    import time
    go = asyncio.Event()
    async def block():
        await go.wait()
        time.sleep(60)
    async def test_leaves(): pytest.left = asyncio.create_task(block())
    async def test_waits():
        go.set()
        await asyncio.Event().wait()
    """,
        "--asyncio-timeout=0.1",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        "E *TimeoutError: *test_waits took longer than the 0.1 s of its timeout. Code that is not "
        "its own blocked its event loop at test_it.py:* in block."
    )


HELD = {
    "by one that blocks": """
    async def test_0():
        await asyncio.sleep(0.1)
        time.sleep(0.7)
    """,
    "by several that work": """
    def work():
        until = time.perf_counter() + 0.01
        while time.perf_counter() < until: pass
    @pytest.mark.parametrize("_", range(7))
    async def test_works(_):
        for _ in range(12):
            await asyncio.sleep(0)
            work()
    """,
    "by a setup": """
    @pytest.fixture
    def slow(): time.sleep(0.7)
    async def test_0(): await asyncio.sleep(0.1)
    async def test_waits_too(): await asyncio.sleep(0.15)
    async def test_blocks(slow): pass
    """,
}


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("where", ["before", "behind"])
def test_the_time_in_which_other_tests_hold_the_loop_does_not_count(concurrent, held, where):
    waiting = """
    @pytest.mark.asyncio(timeout=0.4)
    async def test_waits():
        await asyncio.sleep(0.25)
        await asyncio.sleep(0.02)
    """
    tests = [waiting, HELD[held]] if where == "before" else [HELD[held], waiting]
    result = concurrent("\n    import time" + "".join(tests))
    assert set(result.parseoutcomes()) == {"passed"}


def test_one_that_others_hold_up_for_good_ends_all_the_same_and_says_so(concurrent):
    result = concurrent(
        """
    @pytest.mark.asyncio(timeout=0.3)
    async def test_waits():
        try: await asyncio.Event().wait()
        finally: over.set()
    async def test_works():
        while not over.is_set(): await asyncio.sleep(0)
    over = asyncio.Event()
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("E *Other tests ran for * s more, which is not counted.")


@pytest.mark.usefixtures("_impatient")
def test_what_pytest_does_for_another_test_is_not_broken_off(concurrent):
    result = concurrent(
        """
    @pytest.mark.asyncio(timeout=0.2)
    async def test_waits(): await asyncio.Event().wait()
    async def test_fails():
        await asyncio.sleep(0.1)
        assert 0
    """,
        conftest="""
    import time
    def pytest_runtest_makereport(call):
        if call.excinfo: time.sleep(0.5)
    """,
    )
    result.assert_outcomes(failed=2)


@pytest.mark.usefixtures("_impatient")
def test_one_that_waits_for_a_lock_of_another_without_letting_that_go_on_fails(concurrent):
    result = concurrent(
        """
    import threading
    lock = threading.Lock()
    async def test_holds():
        with lock: await asyncio.sleep(0.3)
    async def test_blocks():
        with lock: pass
    async def test_waits(): await asyncio.sleep(0.4)
    """,
        "--asyncio-timeout=0.5",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines("E *test_it.py:* in test_blocks blocked the event loop: *")
    result.stdout.no_fnmatch_line("*Other tests ran*")
