"""The threads of tests that share a loop."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("loop", ["asyncio.SelectorEventLoop", "uvloop.new_event_loop"])
def test_each_has_as_many_threads_as_on_a_loop_of_its_own(concurrent, loop):
    pytest.importorskip(loop.partition(".")[0])
    concurrent(
        """
    import os, threading
    threads_of_each = min(32, (os.cpu_count() or 1) + 4)
    at_once = threading.Barrier(2 * threads_of_each)
    async def fill():
        waiting = [asyncio.to_thread(at_once.wait, 30) for _ in range(threads_of_each)]
        await asyncio.gather(*waiting)
    async def test_a(): await fill()
    async def test_b(): await fill()
    """,
        "--asyncio-concurrency=2",
        f"--asyncio-loop-factory={loop}",
    ).assert_outcomes(passed=2)


def test_the_executor_that_a_loop_comes_with_is_left_to_it(concurrent):
    concurrent(
        """
    import threading
    async def name(): return await asyncio.to_thread(lambda: threading.current_thread().name)
    async def test_a(): assert (await name()).startswith("of the suite")
    async def test_b(): await asyncio.sleep(0)
    """,
        "--asyncio-loop-factory=conftest:make",
        conftest="""
    from concurrent.futures import ThreadPoolExecutor
    def make():
        loop = asyncio.new_event_loop()
        loop.set_default_executor(ThreadPoolExecutor(1, "of the suite"))
        return loop
    """,
    ).assert_outcomes(passed=2)
