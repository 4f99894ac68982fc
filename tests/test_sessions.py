"""Whole sessions: inside of a running loop, and more than one in a process."""

from __future__ import annotations

import asyncio
import sys

import pytest

import pytest_asyncio

ASYNC_SUITE = """
    import asyncio
    import pytest
    import pytest_asyncio

    @pytest_asyncio.fixture(scope="session")
    async def server():
        task = asyncio.create_task(asyncio.Event().wait())
        yield asyncio.get_running_loop()
        assert not task.done()
        task.cancel()

    @pytest.mark.asyncio(loop_scope="session")
    async def test_session(server):
        await asyncio.sleep(0)
        assert server is asyncio.get_running_loop()

    @pytest.mark.asyncio
    async def test_function(server):
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
"""


def test_a_suite_in_strict_mode_may_import_the_plugin_without_asyncio(pytester):
    result = pytester.run(
        sys.executable,
        "-c",
        "import sys, pytest_asyncio\n"
        "pytest_asyncio.fixture, pytest_asyncio.is_async_test\n"
        "assert 'asyncio' not in sys.modules",
    )
    assert result.ret == 0


def test_a_session_may_be_started_while_a_loop_is_running(pytester):
    pytester.makepyfile(ASYNC_SUITE)

    async def main() -> pytest.RunResult:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        other = asyncio.create_task(asyncio.sleep(0, "still running"))
        result = pytester.runpytest_inprocess()
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        assert await other == "still running"
        return result

    asyncio.run(main()).assert_outcomes(passed=2)


def test_a_session_may_be_started_by_a_callback_of_a_running_loop(pytester):
    pytester.makepyfile(ASYNC_SUITE)
    loop = asyncio.new_event_loop()
    results = []

    def start() -> None:
        results.append(pytester.runpytest_inprocess())
        loop.stop()

    loop.call_soon(start)
    loop.run_forever()
    loop.close()
    results[0].assert_outcomes(passed=2)


def test_two_sessions_in_one_process_do_not_meet(pytester):
    pytester.makepyfile(ASYNC_SUITE)
    for _ in range(2):
        pytester.runpytest_inprocess("--asyncio-mode=auto").assert_outcomes(passed=2)


def test_a_session_may_run_another_one(pytester):
    pytester.makepyfile(
        test_outer="""
        import asyncio
        import pytest

        pytest_plugins = ["pytester"]

        @pytest.mark.asyncio
        async def test_outer(pytester):
            loop = asyncio.get_running_loop()
            pytester.makepyfile(test_inner="async def test_it(): pass")
            pytester.runpytest_inprocess("--asyncio-mode=auto").assert_outcomes(passed=1)
            assert asyncio.get_running_loop() is loop
            await asyncio.sleep(0)
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_loop_of_the_thread_is_put_back_after_a_session(pytester):
    pytester.makepyfile(ASYNC_SUITE)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pytester.runpytest_inprocess().assert_outcomes(passed=2)
        assert asyncio.get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_a_session_leaves_no_loop_behind(pytester):
    pytester.makepyfile(ASYNC_SUITE)
    result = pytester.run(sys.executable, "-X", "dev", "-Werror", "-m", "pytest")
    result.assert_outcomes(passed=2)
    result.stderr.no_fnmatch_line("*unclosed*")


def test_the_plugin_is_loaded_by_its_entry_point_and_can_be_switched_off(pytester):
    pytester.makepyfile("import pytest\n@pytest.mark.asyncio\nasync def test_it(): pass")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
    result = pytester.runpytest_inprocess("-p", "no:asyncio")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*async def functions are not natively supported.*")


def test_the_plugin_may_be_named_by_the_suite(pytester):
    pytester.makepyfile(ASYNC_SUITE)
    pytester.makeconftest("pytest_plugins = 'pytest_asyncio'")
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


def test_the_version_is_a_version():
    assert pytest_asyncio.__version__.split(".")[:1] == ["2"]


@pytest.mark.parametrize("name", pytest_asyncio.__all__)
def test_the_public_names_can_be_imported(name):
    assert callable(getattr(pytest_asyncio, name))


def test_other_names_cannot_be_imported():
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = pytest_asyncio.no_such_name
