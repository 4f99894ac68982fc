"""The check `leaked-tasks`."""

from __future__ import annotations

import pytest
from conditions import both_scopes


@both_scopes
def test_a_leaked_task_fails_its_own_test_and_reaches_no_other(checked, scope):
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
def test_a_fixture_is_reported_at_its_teardown(checked, scope):
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
        result.stdout.fnmatch_lines([f"*LeakedTaskWarning: fixture '*' left the task '{name}'*"])


@both_scopes
def test_what_a_fixture_ends_is_no_leak(checked, scope):
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


def test_what_a_fixture_ends_for_its_test_is_no_leak(checked):
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


USES = {
    "by its argument": """
        @pytest_asyncio.fixture(scope=SCOPE)
        async def worker(tasks):
            tasks.append(asyncio.create_task(asyncio.sleep(60)))
    """,
    "through another one": """
        @pytest.fixture(scope=SCOPE)
        def settings(tasks): return {"tasks": tasks}
        @pytest_asyncio.fixture(scope=SCOPE)
        async def worker(settings):
            settings["tasks"].append(asyncio.create_task(asyncio.sleep(60)))
            yield
    """,
    "by getfixturevalue()": """
        @pytest.fixture(scope=SCOPE)
        def worker(request, asyncio_runner_of_scope):
            tasks = request.getfixturevalue("tasks")
            asyncio_runner_of_scope(tasks)
        @pytest_asyncio.fixture(scope=SCOPE)
        async def asyncio_runner_of_scope():
            loop = asyncio.get_running_loop()
            return lambda tasks: tasks.append(loop.create_task(asyncio.sleep(60)))
    """,
}


@pytest.mark.parametrize("scope", ["function", "module"])
@pytest.mark.parametrize("uses", USES)
def test_what_a_fixture_starts_and_one_that_it_uses_ends_is_no_leak(checked, uses, scope):
    checked(
        f"""
        @pytest_asyncio.fixture(scope=SCOPE)
        async def tasks():
            tasks = []
            yield tasks
            assert not tasks[0].done()
            tasks[0].cancel()
            await asyncio.wait(tasks)
        {USES[uses]}
        @pytest.mark.asyncio(loop_scope=SCOPE)
        async def test_it(worker): pass
        """,
        scope=scope,
    ).assert_outcomes(passed=1)


def test_a_fixture_may_use_one_that_is_older_than_the_first_async_test(checked):
    checked(
        """
        @pytest.fixture(scope="module")
        def earlier(): pass
        @pytest_asyncio.fixture(scope="module")
        async def later(earlier): pass
        def test_sync(earlier): pass
        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(later): pass
        """
    ).assert_outcomes(passed=2)


def test_what_a_fixture_starts_with_asyncio_tasks_is_no_leak(checked):
    checked(
        """
        @pytest_asyncio.fixture
        async def worker(asyncio_tasks):
            return asyncio_tasks.create_task(asyncio.sleep(60))
        @pytest.mark.asyncio
        async def test_it(worker): assert not worker.done()
        """
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["function", "module"])
def test_what_no_fixture_ends_that_a_fixture_uses_is_reported_after_them(checked, scope):
    result = checked(
        """
        @pytest_asyncio.fixture(scope=SCOPE)
        async def other():
            yield
            print("other is torn down,", len(asyncio.all_tasks()))
        @pytest_asyncio.fixture(scope=SCOPE)
        async def worker(other):
            asyncio.create_task(asyncio.sleep(60), name="leaked")
        @pytest.mark.asyncio(loop_scope=SCOPE)
        async def test_it(worker): pass
        """,
        "-s",
        scope=scope,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*other is torn down, 2", "*fixture 'worker' left the task 'leaked' running*"]
    )


def test_what_a_narrower_fixture_leaves_is_no_business_of_a_wider_one(checked):
    result = checked(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def tasks():
            yield []
        @pytest_asyncio.fixture(loop_scope="module")
        async def worker(tasks):
            tasks.append(asyncio.create_task(asyncio.sleep(60)))
        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(worker): pass
        @pytest.mark.asyncio(loop_scope="module")
        async def test_next(tasks): assert tasks[0].cancelled()
        """
    )
    result.assert_outcomes(passed=2, errors=1)


def test_what_a_fixture_does_not_end_for_its_test_is_reported_at_teardown(checked):
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


def test_what_is_about_to_end_is_no_leak(checked):
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


def test_a_task_that_is_cancelled_and_still_cleans_up_is_no_leak(checked):
    result = checked(
        """
        @pytest.mark.asyncio
        async def test_it():
            task = asyncio.create_task(clean_up())
            await asyncio.sleep(0)
            task.cancel()
        async def clean_up():
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.01)
        """
    )
    result.assert_outcomes(passed=1)


@both_scopes
def test_what_ends_with_an_error_just_after_its_test_is_no_leak_and_not_hidden(checked, scope):
    result = checked(
        """
        async def fail():
            await asyncio.sleep(0)
            raise LookupError
        @pytest.mark.asyncio(loop_scope=SCOPE)
        async def test_it(): asyncio.create_task(fail())
        """,
        scope=scope,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E*UnhandledExceptionWarning: test_it: *LookupError*")
    result.stdout.no_fnmatch_line("*LeakedTaskWarning*")


@both_scopes
def test_a_loop_that_is_stopped_too_late_does_no_harm(checked, scope):
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


def test_a_task_that_ends_before_an_earlier_sync_fixture_is_reported(checked):
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


def test_a_task_of_an_earlier_sync_fixture_is_left_to_that(checked):
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


def test_a_loop_that_is_closed_already_is_left_alone(checked):
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


@pytest.mark.parametrize("who", ["test", "fixture"])
def test_the_task_of_a_fixture_that_is_awaited_is_no_task_of_whom_awaits_it(checked, who):
    request = "await pytest_asyncio.getfixturevalue(request, 'late')"
    result = checked(
        f"""
        ends = []
        @pytest_asyncio.fixture
        async def late():
            yield
            await asyncio.sleep(0)
            ends.append(1)
        @pytest_asyncio.fixture
        async def asks(request):
            {request if who == "fixture" else "yield"}
        @pytest.mark.asyncio
        async def test_it(request, asks):
            {request if who == "test" else "pass"}
        def test_it_has_ended():
            assert ends
        """,
        names="leaked-tasks",
    )
    result.assert_outcomes(passed=2)
