"""`asyncio_tasks`: what works in the background of a test ends with it, and fails it."""

from __future__ import annotations

import pytest

DIE = 'async def die(): raise OSError("the wire is cut")'


def test_tasks_are_cancelled_and_awaited_at_the_teardown(suite):
    result = suite(
        """
        async def work(steps):
            steps.append("begins")
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                steps.append("ends")

        @pytest.fixture
        def steps():
            steps = []
            yield steps
            assert steps == ["begins", "ends"]

        @pytest.mark.asyncio
        async def test_it(steps, asyncio_tasks):
            task = asyncio_tasks.create_task(work(steps), name="worker")
            assert task.get_name() == "worker"
            await asyncio.sleep(0)
        """
    )
    result.assert_outcomes(passed=1)


def test_a_task_that_dies_fails_the_test_with_its_error(suite):
    result = suite(
        f"""
        {DIE}
        @pytest.mark.asyncio
        async def test_it(asyncio_tasks):
            asyncio_tasks.create_task(die(), name="radio")
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "> *die(): raise OSError(*",
            "E*OSError: the wire is cut",
            "E*It ended the task 'radio' (die), which the fixture 'asyncio_tasks' runs.",
            "FAILED test_it.py::test_it - OSError: the wire is cut*",
        ]
    )


def test_a_task_that_dies_while_the_test_cannot_fail_any_more_fails_its_teardown(suite):
    result = suite(
        """
        async def die_late():
            try:
                await asyncio.Event().wait()
            finally:
                raise OSError("the wire is cut")

        @pytest.mark.asyncio
        async def test_it(asyncio_tasks):
            asyncio_tasks.create_task(die_late())
            asyncio_tasks.create_task(die_late())
            await asyncio.sleep(0)
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*ExceptionGroup: several tasks of 'asyncio_tasks' have failed (2 sub-exceptions)"]
    )


def test_the_error_of_one_task_does_not_hide_that_of_another(suite):
    result = suite(
        """
        async def die(error):
            raise error

        @pytest.mark.asyncio
        async def test_it(asyncio_tasks):
            asyncio_tasks.create_task(die(OSError("the wire is cut")))
            asyncio_tasks.create_task(die(ValueError("nor this")))
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at teardown of test_it*", "E*ValueError: nor this", "E*OSError: the wire is cut"],
    )


def test_a_task_that_dies_in_the_setup_of_a_fixture_fails_that(suite):
    result = suite(
        f"""
        {DIE}
        @pytest_asyncio.fixture
        async def client(asyncio_tasks):
            asyncio_tasks.create_task(die())
            await asyncio.Event().wait()

        @pytest.mark.asyncio
        async def test_it(client):
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_it*", "E*OSError: the wire is cut"])


def test_a_task_that_dies_while_a_wide_fixture_is_set_up_leaves_that_to_others(suite):
    result = suite(
        f"""
        {DIE}
        @pytest_asyncio.fixture(scope="session")
        async def wide():
            await asyncio.sleep(0.01)

        @pytest.mark.asyncio(loop_scope="session")
        async def test_dies(asyncio_tasks, request):
            asyncio_tasks.create_task(die())
            await pytest_asyncio.getfixturevalue(request, "wide")
            await asyncio.Event().wait()

        @pytest.mark.asyncio(loop_scope="session")
        async def test_lives(wide):
            pass
        """,
        ini="asyncio_default_fixture_loop_scope = session",
    )
    result.assert_outcomes(passed=1, failed=1)


def test_a_task_that_ends_or_is_cancelled_fails_nothing(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(asyncio_tasks):
            assert await asyncio_tasks.create_task(asyncio.sleep(0, "value")) == "value"
            task = asyncio_tasks.create_task(asyncio.Event().wait())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
        """
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
def test_the_tasks_run_on_the_loop_of_the_test(suite, scope):
    result = suite(
        f"""
        async def running():
            return asyncio.get_running_loop()

        @pytest.fixture
        def task(asyncio_tasks):
            return asyncio_tasks.create_task(running())

        @pytest.mark.asyncio(loop_scope="{scope}")
        async def test_it(task):
            assert await task is asyncio.get_running_loop()
        """
    )
    result.assert_outcomes(passed=1)


def test_a_fixture_on_another_loop_is_reported(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(loop_scope="session")
        async def client(asyncio_tasks):
            asyncio_tasks.create_task(asyncio.sleep(0))

        @pytest.mark.asyncio
        async def test_it(client):
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: asyncio_tasks.create_task() was called on another loop than the "
        "event loop of test_it.py::test_it, which is the test's. Give the test and the fixture "
        "that calls it the same loop_scope."
    )


def test_no_task_begins_after_the_teardown(suite):
    result = suite(
        """
        @pytest.fixture
        def late(request):
            group = []
            yield group
            group[0].create_task(asyncio.sleep(0))

        @pytest.mark.asyncio
        async def test_it(late, asyncio_tasks):
            late.append(asyncio_tasks)
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: asyncio_tasks.create_task() was called after the teardown of the "
        "fixture."
    )


def test_what_is_no_coroutine_is_reported(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(asyncio_tasks):
            asyncio_tasks.create_task(asyncio.sleep)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E*TypeError: asyncio_tasks.create_task() needs a coroutine, not *")


@pytest.mark.usefixtures("_impatient")
def test_a_task_that_refuses_to_end_is_named(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(asyncio_tasks):
            async def refuse():
                while True:
                    try:
                        await asyncio.sleep(60)
                    except asyncio.CancelledError:
                        pass

            asyncio_tasks.create_task(refuse(), name="stubborn")
            await asyncio.sleep(0)
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, errors=1, warnings=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: the task 'stubborn' (*refuse) of 'asyncio_tasks' did not end when "
        "cancelled."
    )


def test_a_test_that_closes_its_loop_is_reported_for_that_alone(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(asyncio_tasks):
            asyncio_tasks.create_task(asyncio.sleep(60))
            asyncio.get_running_loop().stop()
            await asyncio.sleep(60)

        def test_closes(asyncio_tasks, asyncio_runner):
            asyncio_tasks.create_task(asyncio.sleep(0))
            asyncio_runner.run(asyncio.sleep(0.001))
            asyncio_runner.loop.close()
        """,
        "-Wdefault",
    )
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.no_fnmatch_line("*ERROR*")


@pytest.mark.parametrize("check", ["leaked-tasks", "unhandled-exceptions"])
def test_the_checks_have_nothing_to_report(suite, check):
    result = suite(
        f"""
        {DIE}
        @pytest.mark.asyncio
        async def test_waits(asyncio_tasks):
            asyncio_tasks.create_task(asyncio.Event().wait())
            await asyncio.sleep(0)

        @pytest.mark.asyncio
        async def test_dies(asyncio_tasks):
            asyncio_tasks.create_task(die())
            await asyncio.Event().wait()
        """,
        f"--asyncio-checks={check}",
    )
    result.assert_outcomes(passed=1, failed=1)


def test_tasks_of_tests_that_run_at_the_same_time_fail_their_own_test(suite):
    result = suite(
        f"""
        pytestmark = pytest.mark.asyncio(concurrent=True)
        {DIE}
        @pytest.mark.parametrize("dies", [False, True, False])
        async def test_it(dies, asyncio_tasks):
            if dies:
                asyncio_tasks.create_task(die())
            await asyncio.sleep(0.01)
        """
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines("FAILED test_it.py::test_it[[]True[]] - OSError: the wire is cut*")
