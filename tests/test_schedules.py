"""Schedules: a test is run again on a virtual clock that is late."""

from __future__ import annotations

import re

import pytest

RACE = """
    @pytest.mark.asyncio(clock="virtual", schedules=50)
    async def test_it():
        order = []
        async def work(name, seconds):
            await asyncio.sleep(seconds)
            order.append(name)
            await asyncio.sleep(0.005)
            order.append(name)
        await asyncio.gather(work("a", 0.01), work("b", 0.02))
        assert order == ["a", "a", "b", "b"]
"""

TRACED = """
    @pytest.mark.asyncio(clock="virtual", schedules=40, delay_tasks=True)
    async def test_it():
        trace = []
        async def work(name, seconds):
            for _ in range(5):
                await asyncio.sleep(seconds)
                trace.append(name)
                await asyncio.sleep(0)
                trace.append(name.upper())
        async with asyncio.TaskGroup() as group:
            for number, name in enumerate("abc", 3):
                group.create_task(work(name, number / 100), name=name)
        with open("traces", "a") as file:
            print("".join(trace), file=file)
"""

HANDOVER = """
    @pytest.mark.asyncio(clock="virtual", schedules=50{more})
    async def test_it():
        waiter, seen = asyncio.get_running_loop().create_future(), []
        async def one():
            waiter.set_result(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen.append("one")
        async def two():
            await waiter
            seen.append("two")
        tasks = asyncio.create_task(two(), name="two"), asyncio.create_task(one(), name="one")
        await asyncio.wait(tasks)
        assert seen == ["two", "one"]
"""


def test_a_test_that_depends_on_timing_fails_and_the_report_says_by_what(suite):
    result = suite(RACE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*AssertionError: assert ?'a', 'b', 'a', 'b'?*",
            "As it is, the test passes.*",
            "  late at 0.01 s: the clock went on to 0.02 s",
            "Repeat it with --asyncio-seed=*",
        ]
    )
    assert result.stdout.str().count("late at") == 1


def test_the_seed_of_a_report_repeats_the_failure(suite):
    (seed,) = re.findall(r"--asyncio-seed=(\d+)", suite(RACE).stdout.str())
    result = suite(RACE, f"--asyncio-seed={seed}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  late at 0.01 s*", f"*--asyncio-seed={seed}"])


def test_a_test_that_does_not_depend_on_timing_passes(suite):
    result = suite(
        """
    @pytest.mark.asyncio(clock="virtual", schedules=50)
    async def test_it():
        queue = asyncio.Queue()
        async def produce():
            for number in range(5):
                await asyncio.sleep(0.01)
                queue.put_nowait(number)
        async def consume():
            got = []
            while len(got) < 5:
                got.append(await queue.get())
                await asyncio.sleep(0.015)
            return got
        _, got = await asyncio.gather(produce(), consume())
        assert got == [0, 1, 2, 3, 4]
    """,
        "-v",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*PASSED (51 runs)*"])


def test_a_test_in_which_nothing_can_be_late_is_run_once(suite):
    result = suite(
        """
    runs = []
    @pytest.mark.asyncio(clock="virtual", schedules=50)
    async def test_it():
        runs.append(1)
        await asyncio.sleep(1)
        assert len(runs) == 1
    """
    )
    result.assert_outcomes(passed=1)


def test_the_same_seeds_give_the_same_runs_in_another_process(suite, pytester):
    for _ in range(2):
        suite(TRACED).assert_outcomes(passed=1)
    traces = (pytester.path / "traces").read_text().splitlines()
    assert len(set(traces)) > 5
    assert traces[:41] == traces[41:]
    (pytester.path / "traces").unlink()
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin")
    assert (pytester.path / "traces").read_text().splitlines() == traces[:41]


@pytest.mark.parametrize(("more", "outcome"), [("", "passed"), (", delay_tasks=True", "failed")])
def test_the_steps_of_tasks_are_put_off_only_where_that_is_asked_for(suite, more, outcome):
    result = suite(HANDOVER.format(more=more))
    result.assert_outcomes(**{outcome: 1})
    if more:
        result.stdout.fnmatch_lines(["  the task 'two' put off at 0 s"])


def test_what_asyncio_promises_of_callbacks_and_timers_holds(suite):
    result = suite(
        """
    @pytest.mark.asyncio(clock="virtual", schedules=100, delay_tasks=True)
    async def test_it():
        loop, seen = asyncio.get_running_loop(), []
        for number in range(5):
            loop.call_soon(seen.append, number)
        for number in (7, 5, 6):
            loop.call_later(number / 100, seen.append, number)
        busy = asyncio.create_task(asyncio.sleep(0.055))
        for _ in range(20):
            await asyncio.sleep(0)
        await busy
        await asyncio.sleep(1)
        assert seen == [0, 1, 2, 3, 4, 5, 6, 7]
    """
    )
    result.assert_outcomes(passed=1)


def test_a_task_without_a_name_is_reported_by_its_coroutine(suite):
    result = suite(HANDOVER.format(more=", delay_tasks=True").replace(', name="two"', ""))
    result.stdout.fnmatch_lines(["  a task of test_it.<locals>.two put off at 0 s"])


def test_the_option_runs_a_suite_on_a_clock_that_is_late(suite):
    result = suite(
        RACE.replace('(clock="virtual", schedules=50)', "")
        + """
    @pytest.mark.asyncio(clock="real")
    async def test_says_no():
        assert not hasattr(asyncio.get_running_loop(), "clock")
    """,
        "--asyncio-late=50",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["asyncio: *asyncio_late=50*", "  late at *"])


def test_a_test_that_needs_a_real_clock_has_it_in_a_suite_that_is_run_late(suite):
    result = suite(
        """
    import time
    @pytest_asyncio.fixture
    async def loop():
        yield asyncio.get_running_loop()

    @pytest.mark.asyncio
    async def test_it(loop):
        before = time.monotonic()
        await asyncio.sleep(0.01)
        assert time.monotonic() - before > 0.005
        assert loop is asyncio.get_running_loop()
    """,
        "--asyncio-late=5",
    )
    result.assert_outcomes(passed=1)


def test_a_test_that_fails_anyway_fails_as_ever_in_a_suite_that_is_run_late(suite):
    result = suite(
        """
    @pytest.mark.asyncio
    async def test_it():
        assert False
    """,
        "--asyncio-late=5",
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*seed*")


def test_a_loop_that_cannot_be_late_is_left_as_it_is_in_a_suite_that_is_run_late(suite):
    pytest.importorskip("uvloop")
    result = suite(
        """
    @pytest.mark.asyncio
    async def test_it():
        await asyncio.sleep(0)
    """,
        "--asyncio-late=5",
        "--asyncio-loop-factory=uvloop.new_event_loop",
    )
    result.assert_outcomes(passed=1)


def test_the_ini_file_says_how_often_tests_with_a_virtual_clock_are_run(suite):
    result = suite(
        RACE.replace(", schedules=50", ""),
        ini="asyncio_schedules = 50",
    )
    result.assert_outcomes(failed=1)


def test_a_test_that_fails_by_itself_is_reported_as_ever(suite):
    result = suite(
        """
    @pytest.mark.asyncio(clock="virtual", schedules=5)
    async def test_it():
        await asyncio.sleep(1)
        assert False
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*seed*")


def test_a_test_that_cannot_be_run_twice_is_reported_as_that(suite):
    result = suite(
        """
    runs = []
    @pytest.mark.asyncio(clock="virtual", schedules=5)
    async def test_it():
        await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0.02))
        runs.append(1)
        assert len(runs) == 1
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  nothing: it fails when it is run again"])


def test_a_failure_that_does_not_happen_again_is_reported_all_the_same(suite):
    result = suite(
        """
    runs = []
    @pytest.mark.asyncio(clock="virtual", schedules=5)
    async def test_it():
        await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0.02))
        runs.append(1)
        assert len(runs) != 2, "once"
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*once*", "It did so once, and not when it was run again."])


def test_schedules_work_with_sockets_and_say_that_these_have_a_say(suite):
    result = suite(
        """
    @pytest.mark.asyncio(clock="virtual", schedules=20)
    async def test_it():
        seen = []
        async def answer(reader, writer):
            while await reader.readline():
                await asyncio.sleep(0.01)
                writer.write(b"ok\\n")
            writer.close()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"hello\\n")
            try:
                async with asyncio.timeout(0.05):
                    assert await reader.readline() == b"ok\\n"
            finally:
                writer.close()
                await writer.wait_closed()
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  late at *", "I/O or threads have a say too*"])


def test_the_clock_is_not_late_while_the_test_advances_it(suite):
    result = suite(
        """
    @pytest.mark.asyncio(clock="virtual", schedules=20)
    async def test_it(asyncio_clock):
        asyncio_clock.autojump = False
        fired = []
        for seconds in (0.01, 0.02, 0.03):
            asyncio.get_running_loop().call_later(seconds, fired.append, seconds)
        await asyncio_clock.advance(0.015)
        assert fired == [0.01]
    """
    )
    result.assert_outcomes(passed=1)


def test_schedules_work_within_hypothesis(suite):
    pytest.importorskip("hypothesis")
    result = suite(
        """
    from hypothesis import given, settings, strategies as st

    @pytest.mark.asyncio(clock="virtual", schedules=20)
    @settings(max_examples=10, database=None, deadline=None)
    @given(st.integers(1, 3))
    async def test_it(n):
        order = []
        async def work(name, seconds):
            await asyncio.sleep(seconds)
            order.append(name)
            await asyncio.sleep(0.005)
            order.append(name)
        await asyncio.gather(work("a", n / 100), work("b", (n + 1) / 100))
        assert order == ["a", "a", "b", "b"]
    """,
        "-p",
        "_hypothesis_pytestplugin",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError*", "*Failing test case*", "  late at 0.0*"])
    result.stdout.no_fnmatch_line("*Flaky*")


def test_schedules_come_after_a_sweep(suite):
    result = suite(
        """
    @pytest.mark.asyncio(clock="virtual", schedules=20, cancel=True)
    async def test_it():
        order = []
        async def work(name, seconds):
            await asyncio.sleep(seconds)
            order.append(name)
            await asyncio.sleep(0.005)
            order.append(name)
        await asyncio.gather(work("a", 0.01), work("b", 0.02))
        assert order == ["a", "a", "b", "b"]
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  late at *"])


def test_marks_that_contradict_themselves_are_refused(suite):
    result = suite(
        """
    @pytest.mark.asyncio(schedules=5)
    async def test_real(): pass

    @pytest.mark.asyncio(clock="virtual", schedules="many")
    async def test_many(): pass

    @pytest.mark.asyncio(clock="virtual", delay_tasks=True)
    async def test_none(): pass

    @pytest.mark.asyncio(clock="virtual", schedules=5, concurrent=True)
    async def test_concurrent(): pass
    """
    )
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(
        [
            "*got schedules=5, but the clock of the test is real*Add clock='virtual'.",
            "*'schedules' must be a number of runs, such as 100, not 'many'.",
            "*got delay_tasks=True, but no schedules*Add schedules=100, say.",
            "*got concurrent=True and schedules=5*",
        ]
    )


@pytest.mark.parametrize("option", ["--asyncio-late=often", "--asyncio-seed=0", "--asyncio-seed=x"])
def test_a_value_that_is_no_number_is_refused(suite, option):
    name, value = option.removeprefix("--asyncio-").split("=")
    result = suite("", option)
    result.stderr.fnmatch_lines([f"ERROR: '{value}' is not a valid asyncio_{name}.*"])
