"""Checks of tests that run at the same time: what is found is ascribed to whose code it is."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="it counts no references, and tells later"
)
CULPRITS = {
    "leaked-tasks": (
        "kept.append(asyncio.create_task(asyncio.sleep(60), name='leaked'))",
        "LeakedTaskWarning: test_b left the task 'leaked' running*",
    ),
    "never-awaited": (
        "asyncio.sleep(60)",
        "NeverAwaitedWarning: test_b never awaited the coroutine 'sleep'*",
    ),
    "blocked-loop": (
        "time.sleep(0.3)",
        "BlockedLoopWarning: test_b held the event loop for more than 0.1 s at *",
    ),
    "open-resources": (
        "kept.append(numbers()); await anext(kept[-1])",
        "OpenResourceWarning: test_b has left the async generator 'numbers' open since *",
    ),
    "unhandled-exceptions": (
        "asyncio.get_running_loop().call_soon(int, 'no number')",
        "UnhandledExceptionWarning: test_b: Exception in callback *",
    ),
    "loop-settings": (
        "asyncio.get_running_loop().set_exception_handler(print)",
        "LoopSettingsWarning: test_b has set the exception handler of *",
    ),
}
OWN = """
    import threading, time
    kept = []
    async def numbers(): yield 1
    @pytest_asyncio.fixture
    async def own():
        yield
        await asyncio.sleep(0)
    async def test_a(own): await asyncio.sleep(0.05)
"""


@pytest.fixture
def checked(concurrent):
    """Run `test_a`, and what is given, at the same time and with checks."""

    def run(source, names="all"):
        args = (f"--asyncio-checks={names}", "-Wdefault")
        ini = "asyncio_blocked_loop_threshold = 0.1"
        return concurrent(OWN + source, *args, ini=ini)

    return run


@pytest.mark.parametrize("requested", ["", "own"])
@pytest.mark.parametrize("name", CULPRITS)
def test_each_check_ascribes_what_it_finds_to_the_test_whose_code_it_is(checked, name, requested):
    code, found = CULPRITS[name]
    result = checked(
        f"""
    async def test_b({requested}):
        await asyncio.sleep(0.01)
        {code}
        await asyncio.sleep(0.01)
    async def test_c(own): await asyncio.sleep(0.1)
    """,
        name,
    )
    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines(f"*{found}")


def test_a_filter_makes_it_a_failure_of_that_test_alone(concurrent):
    result = concurrent(
        OWN
        + """
    async def test_b():
        await asyncio.sleep(0.01)
        kept.append(asyncio.create_task(asyncio.sleep(60)))
    async def test_c(own): await asyncio.sleep(0.1)
    """,
        "--asyncio-checks=leaked-tasks",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines("FAILED test_it.py::test_b - *LeakedTaskWarning*")


def test_a_fixture_that_several_wait_for_is_named_for_what_it_does(checked):
    result = checked(
        """
    @pytest_asyncio.fixture
    async def leaks():
        await asyncio.sleep(0.01)
        kept.append(asyncio.create_task(asyncio.sleep(60), name="of a fixture"))
    async def test_b(leaks): await asyncio.sleep(0.01)
    async def test_c(own): await asyncio.sleep(0.1)
    """,
        "leaked-tasks",
    )
    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines("*LeakedTaskWarning: fixture 'leaks' left the task*")


def test_what_another_thread_brings_is_ascribed_to_none(checked):
    result = checked(
        """
    async def test_b():
        loop = asyncio.get_running_loop()
        brought = asyncio.Event()
        def block():
            time.sleep(0.3)
            brought.set()
        threading.Thread(target=loop.call_soon_threadsafe, args=(block,)).start()
        await brought.wait()
    async def test_c(own): await asyncio.sleep(0.1)
    """,
        "blocked-loop",
    )
    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines("*BlockedLoopWarning: Code that is no test's for certain held *")
