"""Virtual time: a test that nothing will ever wake fails at once."""

from __future__ import annotations

import pytest

import pytest_asyncio.features.clock.virtual  # noqa: F401  # else each suite imports a new one


@pytest.mark.usefixtures("_no_debug_mode")
def test_a_deadlock_is_a_failure_that_shows_what_every_task_waits_for(virtual):
    result = virtual(
        """
        async def wait(event):
            await event.wait()

        async def test_it():
            task = asyncio.create_task(wait(asyncio.Event()), name="waiter")
            await task
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       await task",
            "E       Failed: Deadlock: every task *",
            "*asyncio tasks*",
            "test_it (*",
            "*waiter",
            "*in wait",
        ]
    )
    result.stdout.no_fnmatch_line("*clock.py*")


def test_a_deadlock_in_a_fixture_is_an_error(virtual):
    result = virtual(
        """
        @pytest_asyncio.fixture
        async def stuck():
            await asyncio.Event().wait()

        async def test_it(stuck):
            pass

        async def test_next():
            pass
        """
    )
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines("E *Deadlock*")


def test_a_sleep_for_ever_is_no_timer(virtual):
    result = virtual(
        """
        async def test_it():
            await asyncio.sleep(float("inf"))
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *Deadlock*")


def test_a_deadlock_that_the_test_catches_is_still_a_failure(virtual):
    result = virtual(
        """
        async def test_it():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("Deadlock*")


def test_a_deadlock_that_the_test_will_not_leave_is_broken_off(virtual):
    result = virtual(
        """
        async def test_it():
            for _ in range(2):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("Deadlock*")


def test_a_deadlock_while_the_loop_is_closed_is_an_error(virtual):
    result = virtual(
        """
        async def endless():
            try:
                yield
            finally:
                await asyncio.Event().wait()

        async def test_it(request):
            request.node.generator = endless()
            await anext(request.node.generator)
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("Deadlock*")
