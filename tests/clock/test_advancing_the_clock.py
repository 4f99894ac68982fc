"""`asyncio_clock`: virtual time that a test moves by hand."""

from __future__ import annotations

import pytest_asyncio.features.clock.virtual  # noqa: F401  # else each suite imports a new one


def test_advance_runs_all_that_falls_due_in_order(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            asyncio_clock.autojump = False
            seen = []

            async def work():
                for delay in (1, 2, 3):
                    await asyncio.sleep(delay)
                    await asyncio.to_thread(int)
                    seen.append(asyncio_clock.time())

            task = asyncio.create_task(work())
            await asyncio_clock.advance(3)
            assert (seen, asyncio_clock.time()) == ([1, 3], 3)
            await asyncio_clock.advance(100)
            assert (seen, asyncio_clock.time()) == ([1, 3, 6], 103)
            await task
        """
    ).assert_outcomes(passed=1)


def test_advance_by_nothing_runs_what_can_run_now(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            done = asyncio.Event()

            async def work():
                for _ in range(10):
                    await asyncio.sleep(0)
                done.set()
                await asyncio.sleep(1)

            task = asyncio.create_task(work())
            await asyncio_clock.advance(0)
            assert done.is_set() and not task.done()
            await task
        """
    ).assert_outcomes(passed=1)


def test_advance_does_not_go_back(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            with pytest.raises(ValueError, match="not -1"):
                await asyncio_clock.advance(-1)
        """
    ).assert_outcomes(passed=1)


def test_two_tasks_may_advance_the_clock(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            async def advance(seconds):
                await asyncio_clock.advance(seconds)
                return asyncio_clock.time()

            assert await asyncio.gather(advance(5), advance(3)) == [5, 3]
        """
    ).assert_outcomes(passed=1)


def test_an_advance_that_is_cancelled_moves_nothing(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio_clock.advance(5), 3)
            await asyncio.sleep(60)
            assert asyncio_clock.time() == 63
        """
    ).assert_outcomes(passed=1)


def test_without_autojump_waiting_for_a_timer_is_a_deadlock(virtual):
    result = virtual(
        """
        async def test_it(asyncio_clock):
            asyncio_clock.autojump = False
            await asyncio.sleep(5)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *Deadlock*asyncio_clock.autojump is False*")


def test_autojump_is_put_back_after_the_test(suite):
    suite("""
        pytestmark = pytest.mark.asyncio(clock="virtual", loop_scope="module")

        async def test_one(asyncio_clock):
            asyncio_clock.autojump = False

        async def test_two():
            await asyncio.sleep(5)
    """).assert_outcomes(passed=2)


def test_what_ends_a_test_may_jump_although_the_test_may_not(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            asyncio_clock.autojump = False
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass

        async def test_next():
            pass
        """
    ).assert_outcomes(failed=1, passed=1)
