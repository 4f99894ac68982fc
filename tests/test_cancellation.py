"""Sweeps: a test is run again for each of its awaits, cancelled there."""

from __future__ import annotations

import pytest

POOL = """
    class Pool:
        def __init__(self):
            self.free = 1

        async def careless(self):
            self.free -= 1
            await asyncio.sleep(0)
            await asyncio.get_running_loop().create_future() if self.free < 0 else None
            self.free += 1

        async def careful(self):
            self.free -= 1
            try:
                await asyncio.sleep(0)
            finally:
                self.free += 1

        async def late(self, event):
            await event.wait()
            self.free -= 1
            try:
                await asyncio.sleep(0)
            finally:
                self.free += 1

    @pytest.fixture
    def pool():
        return Pool()
"""


def test_what_a_cancelled_block_loses_fails_the_assertion_after_it(suite):
    result = suite(
        POOL
        + """
    @pytest.mark.asyncio(cancel=True)
    async def test_it(pool):
        async with pytest_asyncio.cancellable():
            await pool.careless()
        assert pool.free == 1
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*assert 0 == 1",
            "test_it was cancelled while waiting at test_it.py:* in Pool.careless, await 1 of 1",
            "  on the way from test_it.py:* in test_it.",
            "*--asyncio-cancel=waiting:1",
        ]
    )


def test_a_block_that_is_safe_to_cancel_passes_and_says_how_often_it_was_run(suite):
    result = suite(
        POOL
        + """
    @pytest.mark.asyncio(cancel=True)
    async def test_it(pool):
        for _ in range(3):
            async with pytest_asyncio.cancellable():
                await pool.careful()
        assert pool.free == 1
    """,
        "-v",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*PASSED (4 runs)*"])


def test_a_block_is_cancelled_when_it_is_woken_too(suite):
    result = suite(
        """
    class Mailbox:
        def __init__(self):
            self.letters, self.waiter = [], None

        async def get(self):
            if not self.letters:
                self.waiter = asyncio.get_running_loop().create_future()
                letter = await self.waiter  # lost, if it has come and the task is cancelled
            else:
                letter = self.letters.pop()
            return letter

        def put(self, letter):
            if self.waiter is not None and not self.waiter.done():
                self.waiter.set_result(letter)
            else:
                self.letters.append(letter)

    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        mailbox, got = Mailbox(), []
        async def read():
            async with pytest_asyncio.cancellable():
                got.append(await mailbox.get())
        reader = asyncio.create_task(read())
        await asyncio.sleep(0.001)
        mailbox.put("letter")
        await reader
        assert got or mailbox.letters
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*cancelled when woken at *Mailbox.get, await 1 of 1*"])


def test_every_run_has_fresh_fixtures_a_fresh_instance_and_a_fresh_loop(suite):
    result = suite(
        """
    seen = set()
    class TestIt:
        @pytest_asyncio.fixture
        async def thing(self):
            yield object()

        @pytest.mark.asyncio(cancel=True)
        async def test_it(self, thing, tmp_path):
            loop = asyncio.get_running_loop()
            assert not seen & {thing, self, loop} and not hasattr(self, "used")
            self.used = True
            seen.update({thing, self, loop})
            (tmp_path / "file").write_text("")
            async with pytest_asyncio.cancellable():
                await asyncio.sleep(0.001)
                await asyncio.sleep(0)

    def test_after():
        assert len(seen) == 3 * 4
    """
    )
    result.assert_outcomes(passed=2)


def test_a_wide_fixture_is_set_up_once_for_all_runs(suite):
    result = suite(
        """
    @pytest.fixture(scope="module")
    def count():
        yield []
        print("down once")

    @pytest.mark.asyncio(cancel=True, loop_scope="module")
    async def test_it(count):
        count.append(1)
        await asyncio.sleep(0)

    def test_after(count):
        assert len(count) == 2
    """,
        "-s",
    )
    result.assert_outcomes(passed=2)
    assert result.stdout.str().count("down once") == 1


def test_a_run_that_spoils_a_wide_fixture_is_reported_as_that(suite):
    result = suite(
        """
    @pytest.fixture(scope="module")
    def lock():
        return {"held": False}

    @pytest.mark.asyncio(cancel=True)
    async def test_it(lock):
        assert not lock["held"]
        lock["held"] = True
        await asyncio.sleep(0)
        lock["held"] = False
        await asyncio.sleep(0)
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*This run has failed before it was cancelled. In the run before,",
            "test_it was cancelled while waiting *",
            "*wider than the function*",
            "*--asyncio-cancel=waiting:1",
        ]
    )


def test_a_test_that_cannot_be_run_twice_is_reported_as_that(suite):
    result = suite(
        """
    runs = []

    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        assert not runs
        runs.append(1)
        await asyncio.sleep(0)
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*cannot be run more than once*"])


def test_without_a_block_only_a_swallowed_cancellation_counts(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_swallows():
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            pass

    @pytest.mark.asyncio(cancel=True)
    async def test_raises_something_else():
        try:
            await asyncio.sleep(0)
        finally:
            assert asyncio.current_task().cancelling() == 0
    """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["test_swallows was cancelled, and went on.", "*waiting at test_it.py:6 in test_swallows*"]
    )


def test_a_swallowed_cancellation_of_a_block_counts(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        async def work():
            async with pytest_asyncio.cancellable() as block:
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    pass
            assert not block.caught
        await asyncio.create_task(work(), name="worker")
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["The task 'worker' was cancelled, and went on.", "*cancelled while waiting*"]
    )


def test_a_block_says_whether_it_was_cancelled(suite):
    result = suite(
        """
    seen = []

    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        async with pytest_asyncio.cancellable() as block:
            await asyncio.sleep(0)
        seen.append((block.fired, block.caught))

    @pytest.mark.asyncio
    async def test_without_a_sweep():
        async with pytest_asyncio.cancellable() as block:
            await asyncio.sleep(0)
        seen.append((block.fired, block.caught))

    def test_after():
        assert seen == [(False, False), (True, True), (False, False)]
    """
    )
    result.assert_outcomes(passed=3)


def test_an_error_that_a_cancellation_turns_into_fails_the_test(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        async with pytest_asyncio.cancellable():
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                raise OSError("the wire is cut")
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*OSError: the wire is cut*", "*cancelled while waiting*"])


def test_a_cancellation_from_elsewhere_comes_out_of_the_block(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        async def work():
            async with pytest_asyncio.cancellable():
                await asyncio.Event().wait()
            raise AssertionError("not reached, unless the sweep has cancelled it")
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or isinstance(task.exception(), AssertionError)
    """
    )
    result.assert_outcomes(passed=1)


def test_the_tasks_of_a_block_are_cancelled_too_if_that_is_asked_for(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        free = [1]
        async def careless():
            free.pop()
            await asyncio.sleep(0)
            free.append(1)
        async with pytest_asyncio.cancellable(tasks=True):
            await asyncio.create_task(careless(), name="careless")
        assert free
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*cancelled while waiting*"])


def test_a_task_of_a_block_that_swallows_its_cancellation_counts(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        async def stubborn():
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                pass
        async with pytest_asyncio.cancellable(tasks=True):
            task = asyncio.create_task(stubborn(), name="stubborn")
            await asyncio.wait([task])
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["The task 'stubborn' was cancelled, and went on."])


def test_a_teardown_that_fails_after_a_cancellation_counts(suite):
    result = suite(
        """
    @pytest.fixture
    def things():
        things = []
        yield things
        assert not things, "left"

    @pytest.mark.asyncio(cancel=True)
    async def test_it(things):
        things.append(1)
        await asyncio.sleep(0)
        things.pop()

    def test_after():
        pass
    """
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*left*", "*cancelled while waiting*"])


def test_a_teardown_that_fails_in_the_midst_of_a_sweep_ends_it(suite):
    result = suite(
        """
    @pytest.fixture(scope="module")
    def wide():
        yield
        raise OSError("wide")

    @pytest.fixture
    def things(wide):
        things = []
        yield things
        assert not things, "left"

    @pytest.mark.asyncio(cancel=True)
    async def test_it(things):
        things.append(1)
        await asyncio.sleep(0)
        things.pop()
        await asyncio.sleep(0)
    """
    )
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*left*", "*--asyncio-cancel=waiting:1", "*OSError: wide*"])


def test_a_teardown_that_fails_in_the_midst_of_a_sweep_leaves_wider_fixtures_to_others(suite):
    result = suite(
        """
    @pytest.fixture
    def things():
        things = []
        yield things
        assert not things, "left"

    @pytest.mark.asyncio(cancel=True)
    async def test_it(things):
        things.append(1)
        await asyncio.sleep(0)
        things.pop()
        await asyncio.sleep(0)
    """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*left*", "*--asyncio-cancel=waiting:1"])


def test_the_line_of_a_library_is_reported_with_the_one_that_has_led_there(suite):
    result = suite(
        """
    import sys
    sys.path.insert(0, "site-packages")
    import library

    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        await library.swallow()
    """,
        files={
            "site-packages/library.py": """
    async def swallow():
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            pass
    """
        },
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*waiting at library.py:5 in swallow, await 1 of 1", "  on the way from test_it.py:*"]
    )


def test_tasks_of_pythons_own_code_are_cancelled_too(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        with pytest.raises(TypeError):
            asyncio.get_running_loop().create_task(5)
        async with pytest_asyncio.cancellable(tasks=True):
            await asyncio.wait([asyncio.create_task(asyncio.sleep(0.001))])
    """
    )
    result.assert_outcomes(passed=1)


LEAKING = """
    import asyncio
    async def leak():
        task = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
        await asyncio.sleep(0)
        task.cancel()
"""


def test_what_a_cancelled_run_leaks_counts_without_any_option(suite):
    result = suite(
        """
    from library import leak

    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        await leak()
    """,
        files={"library.py": LEAKING},
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*LeakedTaskWarning*'forgotten'*", "*cancelled while waiting*"])


def test_a_leak_is_shown_at_its_line_alone(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        async with pytest_asyncio.cancellable():
            task = asyncio.create_task(asyncio.Event().wait())
            await asyncio.sleep(0)
            task.cancel()
    """
    )
    lines = result.outlines
    begin = next(number for number, line in enumerate(lines) if "_ test_it _" in line)
    assert lines[begin + 1 : begin + 3] == [
        "",
        ">   task = asyncio.create_task(asyncio.Event().wait())",
    ]
    result.stdout.fnmatch_lines(["E   *LeakedTaskWarning: *", "", "test_it.py:6: *"])
    result.stdout.no_fnmatch_line("*entries are hidden*")


def test_what_a_cancelled_run_drops_is_found_in_that_run(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_first():
        async with pytest_asyncio.cancellable():
            coroutine = asyncio.sleep(0)
            await asyncio.sleep(0)
            await coroutine

    @pytest.mark.asyncio(cancel=True)
    async def test_second():
        async with pytest_asyncio.cancellable():
            await asyncio.sleep(0)
    """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["E   *NeverAwaitedWarning: test_first never awaited the coroutine 'sleep'*"]
    )


@pytest.mark.parametrize(("block", "outcome"), [(True, "failed"), (False, "passed")])
def test_what_a_test_itself_leaks_counts_in_a_block_only(suite, block, outcome):
    manager = "pytest_asyncio.cancellable()" if block else "asyncio.timeout(10)"
    result = suite(
        f"""
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        async with {manager}:
            task = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
            await asyncio.sleep(0)
            task.cancel()
    """
    )
    result.assert_outcomes(**{outcome: 1})


def test_of_many_findings_the_first_names_the_others(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        async with pytest_asyncio.cancellable():
            tasks = [asyncio.create_task(asyncio.Event().wait(), name=name) for name in "ab"]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E   *LeakedTaskWarning*", "E   LeakedTaskWarning*"])
    result.stdout.no_fnmatch_line("*attempts.py*")


@pytest.mark.parametrize("ini", ["", "asyncio_checks = all"])
def test_what_the_test_leaks_anyway_does_not_count(suite, ini):
    result = suite(
        """
    @pytest.fixture
    def own():
        yield

    @pytest.mark.asyncio(cancel=True)
    async def test_it(own):
        forgotten = asyncio.create_task(asyncio.Event().wait())
        await asyncio.sleep(0)
    """,
        "-Wdefault",
        ini=ini,
    )
    result.assert_outcomes(passed=1, warnings=1 if ini else 0)


@pytest.mark.usefixtures("_impatient")
def test_a_run_that_never_ends_is_a_finding(suite, monkeypatch):
    from pytest_asyncio.features.races import runs

    monkeypatch.setattr(runs, "LEAST", 0.2)
    monkeypatch.setattr(runs, "FACTOR", 1)
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        lock = asyncio.Lock()
        async with pytest_asyncio.cancellable():
            await lock.acquire()
            await asyncio.sleep(0)
            lock.release()
        async with lock:
            pass
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*TimeoutError*took longer than*", "*await 1 of 1*"])


def test_a_deadlock_of_the_virtual_clock_is_a_finding(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True, clock="virtual")
    async def test_it():
        lock = asyncio.Lock()
        async with pytest_asyncio.cancellable():
            await lock.acquire()
            await asyncio.sleep(1)
            lock.release()
        async with lock:
            pass
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Deadlock*", "*cancelled while waiting*"])


def test_one_run_alone_is_repeated_by_the_option(suite):
    source = (
        POOL
        + """
    @pytest.mark.asyncio(cancel=True)
    async def test_it(pool):
        async with pytest_asyncio.cancellable():
            await asyncio.sleep(0)
            await pool.careless()
        assert pool.free == 1
    """
    )
    suite(source, "--asyncio-cancel=waiting:1").assert_outcomes(passed=1)
    suite(source, "--asyncio-cancel=waiting:2").assert_outcomes(failed=1)


def test_the_option_sweeps_tests_without_a_mark_but_those_that_say_no(suite):
    result = suite(
        """
    @pytest.mark.asyncio
    async def test_it():
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            pass

    @pytest.mark.asyncio(cancel=False)
    async def test_says_no():
        await test_it()

    def test_synchronous():
        pass
    """,
        "--asyncio-cancel",
    )
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(["asyncio: *asyncio_cancel=all*"])


@pytest.mark.parametrize("value", ["tests", "waiting:0", "asleep:1"])
def test_a_value_of_the_option_that_is_none_is_refused(suite, value):
    result = suite("", f"--asyncio-cancel={value}")
    result.stderr.fnmatch_lines([f"ERROR: '{value}' is not a valid asyncio_cancel*waiting:4*"])


def test_the_number_of_runs_is_bounded_and_what_is_left_out_is_reported(suite):
    result = suite(
        """
    runs = []
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        runs.append(1)
        for _ in range(10):
            await asyncio.sleep(0)

    def test_after():
        assert len(runs) == 1 + 4
    """,
        "-v",
        ini="asyncio_cancel_runs = 4",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*PASSED (5 of 11 runs)*", "*runs left out*", "test_it.py::test_it: 5 runs, 6 left out"]
    )


def test_a_long_sweep_shows_that_it_goes_on(suite, monkeypatch):
    from pytest_asyncio.features.races import runs

    monkeypatch.setattr(runs, "PROGRESS", 0.0)
    source = """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        for _ in range(3):
            await asyncio.sleep(0)
    """
    suite(source, "-v").stdout.fnmatch_lines(["*[[]1 runs[]] [[]2 runs[]]*PASSED*"])
    suite(source).stdout.no_fnmatch_line("*runs*")


@pytest.mark.parametrize("outcome", ["pytest.skip('no')", "1/0", "pytest.xfail('no')"])
def test_a_test_that_does_not_pass_by_itself_is_reported_as_ever(suite, outcome):
    result = suite(
        f"""
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        await asyncio.sleep(0)
        {outcome}
    """
    )
    outcomes = result.parseoutcomes()
    assert sum(outcomes.values()) == 1
    assert not outcomes.get("passed")
    result.stdout.no_fnmatch_line("*cancelled while*")


def test_a_known_fault_may_be_marked_as_expected(suite):
    result = suite(
        POOL
        + """
    @pytest.mark.xfail(strict=True)
    @pytest.mark.asyncio(cancel=True)
    async def test_it(pool):
        async with pytest_asyncio.cancellable():
            await pool.careless()
        assert pool.free == 1
    """
    )
    result.assert_outcomes(xfailed=1)


def test_the_sweep_stops_the_session_where_the_first_failure_is_to(suite):
    result = suite(
        """
    @pytest.fixture(scope="module", autouse=True)
    def wide():
        yield
        print("wide is down")

    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            pass

    def test_after():
        pass
    """,
        "-x",
        "-s",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*wide is down*"])


def test_only_the_output_of_the_run_that_fails_is_shown(suite):
    result = suite(
        """
    runs = []
    @pytest.mark.asyncio(cancel=True)
    async def test_it(record_property):
        runs.append(1)
        record_property("run", len(runs))
        print("run", len(runs))
        await asyncio.sleep(0)
        async with pytest_asyncio.cancellable():
            await asyncio.sleep(0)
        assert len(runs) < 2
    """
    )
    result.assert_outcomes(failed=1)
    assert "run 2" in result.stdout.str()
    assert "run 1" not in result.stdout.str()


def test_a_broken_mark_is_an_error_of_the_setup(suite):
    result = suite(
        """
    @pytest.mark.asyncio(cancel="yes")
    async def test_cancel(): pass

    @pytest.mark.asyncio(cancel=True, concurrent=True)
    async def test_concurrent(): pass
    """
    )
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "*mark.asyncio 'cancel' must be True or False, not 'yes'.*",
            "*got concurrent=True and cancel=True, but a test that is run again and again*",
        ]
    )


def test_a_sweep_works_with_tasks_that_start_at_once(suite):
    result = suite(
        """
    import sys
    @pytest.mark.skipif(sys.version_info < (3, 12), reason="no eager tasks")
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        free = [1]
        async def careless():
            async with pytest_asyncio.cancellable():
                free.pop()
                await asyncio.sleep(0)
                free.append(1)
        await asyncio.create_task(careless())
        assert free
    """
    )
    assert not result.parseoutcomes().get("passed")


def test_a_sweep_works_on_uvloop(suite):
    pytest.importorskip("uvloop")
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        free = [1]
        async with pytest_asyncio.cancellable():
            free.pop()
            await asyncio.sleep(0.001)
            free.append(1)
        assert free
    """,
        "--asyncio-loop-factory=uvloop.new_event_loop",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*cancelled while waiting at test_it.py:*"])


def test_a_sweep_works_around_hypothesis(suite):
    pytest.importorskip("hypothesis")
    result = suite(
        """
    from hypothesis import given, settings, strategies as st

    @pytest.mark.asyncio(cancel=True)
    @settings(max_examples=5, database=None, deadline=None)
    @given(st.integers(0, 3))
    async def test_it(n):
        for _ in range(n):
            await asyncio.sleep(0)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            pass
    """,
        "-p",
        "_hypothesis_pytestplugin",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*and went on*"])


def test_the_debugger_opens_in_the_run_that_fails(suite, monkeypatch):
    result = suite(
        """
    runs = []

    @pytest.mark.asyncio(cancel=True)
    async def test_it(pool):
        runs.append(1)
        async with pytest_asyncio.cancellable():
            await asyncio.sleep(0)
        assert pool == len(runs) == 1
    """,
        "-s",
        conftest="""
    @pytest.fixture
    def pool():
        yield 1
        print("down")

    def pytest_exception_interact(node):
        print("fixtures are up:", node.funcargs["pool"])
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*down*", "*fixtures are up: 1*", "*down*"])


def test_workers_of_xdist_report_how_often_a_test_was_run(suite):
    pytest.importorskip("xdist")
    result = suite(
        """
    @pytest.mark.asyncio(cancel=True)
    async def test_it():
        for _ in range(10):
            await asyncio.sleep(0)
    """,
        *("-p", "xdist", "-n1", "-v", "-p", "pytest_asyncio.plugin"),
        ini="asyncio_cancel_runs = 4",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*PASSED (5 of 11 runs)*", "test_it.py::test_it: 5 runs, 6 left*"])
