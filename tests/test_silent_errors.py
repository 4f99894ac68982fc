"""A failing test lists the errors that its tasks have ended with and that nothing has reported."""

from __future__ import annotations

import pytest

TITLE = "*- errors of tasks that nothing has reported -*"


def test_the_error_of_a_background_task_is_listed_with_its_line(suite):
    result = suite(
        """
        async def work():
            raise KeyError("GBP")
        @pytest_asyncio.fixture
        async def worker():
            task = asyncio.create_task(work(), name="worker")
            yield task
            await asyncio.gather(task, return_exceptions=True)
        @pytest.mark.asyncio
        async def test_it(worker):
            await asyncio.sleep(0)
            assert 1 == 2
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*assert 1 == 2", TITLE, "worker: KeyError('GBP')", "    test_it.py:4 in work"]
    )


def test_what_python_does_between_two_lines_of_the_suite_is_not(suite):
    result = suite(
        """
        import contextlib
        async def close():
            raise KeyError("GBP")
        async def work():
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_callback(close)
        @pytest.mark.asyncio
        async def test_it():
            task = asyncio.create_task(work(), name="worker")
            await asyncio.gather(task, return_exceptions=True)
            assert 1 == 2
        """
    )
    result.stdout.fnmatch_lines(
        [
            TITLE,
            "worker: KeyError('GBP')",
            "    test_it.py:7 in work",
            "    test_it.py:5 in close",
        ],
        consecutive=True,
    )


def test_an_error_that_was_swallowed_is_listed(suite):
    result = suite(
        """
        async def work(number):
            raise ValueError(number)
        @pytest.mark.asyncio
        async def test_it():
            tasks = [asyncio.create_task(work(number)) for number in range(2)]
            await asyncio.gather(*tasks, return_exceptions=True)
            assert 1 == 2
        """
    )
    result.stdout.fnmatch_lines_random([TITLE, "Task-*: ValueError(0)", "Task-*: ValueError(1)"])


@pytest.mark.parametrize(
    "handling",
    [
        "with pytest.raises(KeyError): await task",
        "await task",
        "await asyncio.gather(task)",
        "async with asyncio.TaskGroup() as group: group.create_task(work())",
    ],
)
def test_an_error_that_its_awaiter_has_got_is_not(suite, handling):
    result = suite(
        f"""
        async def work():
            raise KeyError("GBP")
        @pytest.mark.asyncio
        async def test_it():
            task = asyncio.create_task(work())
            if "TaskGroup" in {handling!r}:
                await asyncio.wait([task])
                with pytest.raises(KeyError): await task
            {handling}
            assert 1 == 2
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line(TITLE)


def test_on_a_shared_loop_it_may_be_of_an_earlier_test_and_comes_once(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        tasks = []
        async def work():
            raise KeyError("GBP")
        async def test_one():
            tasks.append(asyncio.create_task(work(), name="worker"))
            await asyncio.wait(tasks)
            tasks[0].exception()
        async def test_two(): assert 1 == 2
        async def test_three(): assert 1 == 2
        """
    )
    result.assert_outcomes(passed=1, failed=2)
    text = result.stdout.str()
    assert text.count("worker, of this test or an earlier one: KeyError('GBP')") == 1


def test_one_that_ends_a_fixture_is_told_at_its_teardown_alone(suite):
    result = suite(
        """
        async def work():
            raise KeyError("GBP")
        @pytest_asyncio.fixture
        async def group():
            async with asyncio.TaskGroup() as group:
                group.create_task(work(), name="worker")
                yield
        @pytest.mark.asyncio
        async def test_it(group):
            await asyncio.sleep(60)
        """
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines("* KeyError: 'GBP'")
    result.stdout.no_fnmatch_line(TITLE)


def test_a_synchronous_test_lists_none(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_async(): assert 1 == 2
        def test_sync(): assert 1 == 2
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.no_fnmatch_line(TITLE)


def test_the_error_of_a_test_that_runs_at_the_same_time_is_not(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module", concurrent=True)
        ended = asyncio.Event()
        async def test_one():
            await ended.wait()
            assert 1 == 2
        async def test_two():
            ended.set()
            raise KeyError("GBP")
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.no_fnmatch_line(TITLE)


def test_nor_is_that_of_its_tasks(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module", concurrent=True)
        ended = asyncio.Event()
        async def work():
            raise KeyError("GBP")
        async def test_one():
            await ended.wait()
            assert 1 == 2
        async def test_two():
            task = asyncio.create_task(work())
            await asyncio.wait([task])
            ended.set()
            await asyncio.sleep(0.01)
            task.exception()
        """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.no_fnmatch_line(TITLE)


def test_that_of_its_own_tasks_is_listed_also_where_others_run_at_the_same_time(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module", concurrent=True)
        async def work():
            raise KeyError("GBP")
        async def test_one():
            await asyncio.sleep(0.01)
        async def test_two():
            task = asyncio.create_task(work(), name="worker")
            await asyncio.wait([task])
            task.exception()
            assert 1 == 2
        """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines([TITLE, "worker, of this test or an earlier one: KeyError('GBP')"])
