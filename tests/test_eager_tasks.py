"""Loops whose tasks start at once, as `asyncio.eager_task_factory` makes them."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")


@pytest.fixture
def eager(suite):
    """Run a suite all of whose loops have an eager task factory."""

    def run(source, *args, **outcomes):
        __tracebackhide__ = True
        result = suite(
            source,
            *args,
            conftest="""
            def eager_loop():
                loop = asyncio.new_event_loop()
                loop.set_task_factory(asyncio.eager_task_factory)
                return loop

            def pytest_asyncio_loop_factories(config, item):
                return {"eager": eager_loop}
            """,
        )
        result.assert_outcomes(**outcomes)
        return result

    return run


def test_a_test_and_its_fixtures_are_run(eager):
    eager(
        """
        @pytest_asyncio.fixture(scope="module")
        async def returned():
            return await asyncio.create_task(asyncio.sleep(0, 1))
        @pytest_asyncio.fixture
        async def yielded(returned):
            yield returned + 1
            await asyncio.sleep(0)
            print("yielded is torn down")
        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(yielded):
            started = []
            async def start(): started.append(yielded)
            task = asyncio.create_task(start())
            assert started == [2]
            await task
        """,
        "-s",
        passed=1,
    ).stdout.fnmatch_lines("*yielded is torn down*")


@pytest.mark.parametrize("wait", ["pass", "await asyncio.sleep(0)"])
def test_a_fixture_is_one_task_from_setup_to_teardown(eager, wait):
    eager(
        f"""
        @pytest_asyncio.fixture
        async def timed():
            {wait}
            task = asyncio.current_task()
            async with asyncio.timeout(60), asyncio.TaskGroup():
                yield task
            assert asyncio.current_task() is task
        @pytest.mark.asyncio
        async def test_it(timed):
            assert asyncio.current_task() is not timed
        @pytest.mark.asyncio
        async def test_dynamic(request):
            timed = await pytest_asyncio.getfixturevalue(request, "timed")
            assert asyncio.all_tasks() == {{asyncio.current_task()}} != {{timed}}
        """,
        passed=2,
    )


def test_a_task_group_that_dies_in_a_fixture_cancels_its_test(eager):
    eager(
        """
        async def die():
            await asyncio.sleep(0)
            raise ValueError("died")
        @pytest_asyncio.fixture
        async def group():
            async with asyncio.TaskGroup() as group:
                yield group
        @pytest.mark.asyncio
        async def test_it(group):
            group.create_task(die())
            await asyncio.Event().wait()
        """,
        failed=1,
        errors=1,
    ).stdout.fnmatch_lines(
        [
            "*ValueError: died",
            "*The async fixture 'group' ended while it was in use*",
        ]
    )


def test_context_variables_of_fixtures_are_seen_and_put_back(eager):
    eager(
        """
        from contextvars import ContextVar
        var, other = ContextVar("var", default="unset"), ContextVar("other", default="unset")
        @pytest_asyncio.fixture
        async def returned():
            var.set("returned")
        @pytest_asyncio.fixture
        async def yielded(returned):
            assert var.get() == "returned"
            token = var.set("yielded")
            yield
            assert other.get() == "tested"
            var.reset(token)
        @pytest.mark.asyncio
        async def test_async(yielded):
            async def change(): var.set("of a task")
            await asyncio.create_task(change())
            assert var.get() == "yielded"
            other.set("tested")
        def test_sync(returned):
            assert var.get() == "returned"
        @pytest.mark.asyncio
        async def test_next():
            assert var.get() == other.get() == "unset"
        """,
        passed=3,
    )


def test_a_time_out_ends_a_test_that_waits(eager):
    eager(
        """
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            await asyncio.create_task(asyncio.Event().wait())
        """,
        failed=1,
    ).stdout.fnmatch_lines("E*TimeoutError: *test_it took longer than the 0.05 s of its timeout.")


def test_a_time_out_ends_a_test_that_awaits_a_setup(eager):
    eager(
        """
        @pytest_asyncio.fixture
        async def slow():
            try:
                await asyncio.Event().wait()
            finally:
                print("slow is cleaned up")
            yield
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(request):
            await pytest_asyncio.getfixturevalue(request, "slow")
        """,
        "-s",
        failed=1,
    ).stdout.fnmatch_lines(["*slow is cleaned up*", "E*TimeoutError: *test_it took longer than *"])


@pytest.mark.parametrize("error", ["ValueError", "asyncio.CancelledError"])
@pytest.mark.parametrize("shape", ["yield", "return"])
def test_a_setup_that_is_awaited_may_raise_at_once(eager, shape, error):
    eager(
        f"""
        @pytest_asyncio.fixture
        async def failing():
            raise {error}("at once")
            {shape}
        @pytest.mark.asyncio
        async def test_it(request):
            with pytest.raises(Exception, match="at once|CancelledError"):
                await pytest_asyncio.getfixturevalue(request, "failing")
        """,
        passed=1,
    )


def test_a_task_that_is_left_running_is_reported(eager):
    eager(
        """
        async def work():
            await asyncio.Event().wait()
        @pytest.mark.asyncio
        async def test_it():
            ended = asyncio.create_task(asyncio.sleep(0))
            left = asyncio.create_task(work(), name="left")
            await ended
        """,
        "--asyncio-checks=all",
        failed=1,
    ).stdout.fnmatch_lines("E*LeakedTaskWarning: test_it left the task 'left' running*")


def test_a_task_that_has_ended_at_once_is_not_reported(eager):
    eager(
        """
        @pytest.mark.asyncio
        async def test_it():
            async def work(): pass
            task = asyncio.create_task(work())
            assert task.done()
        """,
        "--asyncio-checks=all",
        passed=1,
    )


def test_an_exception_of_a_task_that_nobody_awaits_is_reported(eager):
    eager(
        """
        import gc
        async def work():
            raise ValueError("nobody knows")
        @pytest.mark.asyncio
        async def test_it():
            asyncio.create_task(work())
            gc.collect()
        """,
        "--asyncio-checks=all",
        failed=1,
    ).stdout.fnmatch_lines("E*UnhandledExceptionWarning: *nobody knows*")


def test_tests_run_at_the_same_time(eager):
    eager(
        """
        from contextvars import ContextVar
        pytestmark = pytest.mark.asyncio(concurrent=True, loop_scope="module")
        var = ContextVar("var")
        meeting = asyncio.Barrier(3)
        @pytest_asyncio.fixture
        async def number(request):
            var.set(request.param)
            yield request.param
            print(f"number {request.param} is torn down")
        @pytest.mark.parametrize("number", range(3), indirect=True)
        async def test_it(number):
            print(f"number {number} is here")
            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                group.create_task(meeting.wait())
            assert var.get() == number
            assert number != 1
        """,
        passed=2,
        failed=1,
    ).stdout.fnmatch_lines(
        ["*Captured stdout call*", "number 1 is here", "*teardown*", "number 1 is torn down"],
        consecutive=True,
    )


def test_virtual_time_passes_at_once(eager):
    eager(
        """
        @pytest_asyncio.fixture
        async def later():
            await asyncio.sleep(60)
            yield
            await asyncio.sleep(60)
        @pytest.mark.asyncio(clock="virtual")
        async def test_it(later, asyncio_clock):
            hours = [asyncio.create_task(asyncio.sleep(hour * 3600)) for hour in range(3)]
            await asyncio.wait(hours)
            assert asyncio_clock.time() == 60 + 7200
        """,
        passed=1,
    )
