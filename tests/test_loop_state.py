"""What a test changes on a loop that it shares stays; libraries instrument a loop once."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("_no_debug_mode")

HELPERS = """
    def handler(loop, context): pass
    def factory(loop, coro, **kwargs): return asyncio.Task(coro, loop=loop, **kwargs)

    def settings(loop):
        return loop.get_exception_handler(), loop.get_debug(), loop.get_task_factory()
"""
every_change = pytest.mark.parametrize(
    "change", ["set_exception_handler(handler)", "set_debug(True)", "set_task_factory(factory)"]
)


@every_change
@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_what_a_test_changes_on_a_shared_loop_stays_for_the_tests_after_it(suite, change, scope):
    result = suite(
        HELPERS
        + f"""
    @pytest.mark.asyncio(loop_scope="{scope}")
    class TestClass:
        async def test_changes_it(self):
            loop = asyncio.get_running_loop()
            before = settings(loop)
            loop.{change}
            type(self).changed = settings(loop)
            assert self.changed != before

        async def test_finds_it_changed(self):
            assert settings(asyncio.get_running_loop()) == self.changed
"""
    )
    result.assert_outcomes(passed=2)


@every_change
def test_what_a_concurrent_test_changes_stays_although_another_one_ends(suite, change):
    result = suite(
        HELPERS
        + f"""
    pytestmark = pytest.mark.asyncio(concurrent=True)
    ended = asyncio.Event()

    async def test_changes_it():
        loop = asyncio.get_running_loop()
        before = settings(loop)
        loop.{change}
        changed = settings(loop)
        await ended.wait()
        await asyncio.sleep(0.01)
        assert settings(loop) == changed != before

    async def test_ends():
        ended.set()
"""
    )
    result.assert_outcomes(passed=2)


@every_change
def test_the_check_reports_what_a_test_leaves_changed_and_puts_it_back(suite, change):
    result = suite(
        HELPERS
        + f"""
    pytestmark = pytest.mark.asyncio(loop_scope="module")
    before = []

    async def test_changes_it():
        loop = asyncio.get_running_loop()
        before.append(settings(loop))
        loop.{change}

    async def test_finds_it_as_it_was():
        assert before == [settings(asyncio.get_running_loop())]
""",
        "--asyncio-checks=loop-settings",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        "*LoopSettingsWarning: test_changes_it has set the * of the event loop of test_it.py, "
        "which others use after it, at test_it.py:*"
    )


@every_change
def test_the_check_is_silent_where_a_test_puts_it_back(suite, change):
    undo = change.partition("(")[0] + ("(False)" if "debug" in change else "(None)")
    result = suite(
        HELPERS
        + f"""
    @pytest.mark.asyncio(loop_scope="module")
    async def test_changes_it():
        asyncio.get_running_loop().{change}
        asyncio.get_running_loop().{undo}
""",
        "--asyncio-checks=loop-settings",
    )
    result.assert_outcomes(passed=1)


@every_change
def test_the_check_is_silent_on_a_loop_of_the_test_alone(suite, change):
    result = suite(
        HELPERS
        + f"""
    @pytest.mark.asyncio
    async def test_changes_it():
        asyncio.get_running_loop().{change}
""",
        "--asyncio-checks=loop-settings",
    )
    result.assert_outcomes(passed=1)


@every_change
def test_the_check_lets_a_wide_fixture_keep_it_until_its_teardown(suite, change):
    result = suite(
        HELPERS
        + f"""
    @pytest_asyncio.fixture(scope="module", loop_scope="session")
    async def changed():
        loop = asyncio.get_running_loop()
        loop.{change}
        yield settings(loop)

    @pytest.mark.asyncio(loop_scope="session")
    @pytest.mark.parametrize("_", [1, 2])
    async def test_it(changed, _):
        assert settings(asyncio.get_running_loop()) == changed
""",
        "--asyncio-checks=loop-settings",
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines("*LoopSettingsWarning: fixture 'changed' has set the *")


def test_the_check_puts_back_what_was_before_two_that_changed_it(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        @pytest_asyncio.fixture(loop_scope="module")
        async def first():
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)

        @pytest_asyncio.fixture(loop_scope="module")
        async def second(first):
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)

        async def test_it(second): pass

        async def test_after():
            assert asyncio.get_running_loop().get_exception_handler() is None
        """,
        "--asyncio-checks=loop-settings",
    )
    result.assert_outcomes(passed=2, errors=1)


def test_a_close_that_runs_the_loop_once_more_ends(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            loop = asyncio.get_running_loop()
            close = loop.close

            def flush_and_close():
                print("flushed", loop.run_until_complete(asyncio.sleep(0, 42)))
                close()

            loop.close = flush_and_close
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("*flushed 42*")


@pytest.mark.parametrize("concurrent", [False, True])
@pytest.mark.parametrize("name", ["stop", "default_exception_handler", "create_task", "close"])
def test_a_method_of_the_loop_that_a_library_wraps_works_also_while_the_loop_is_closed(
    suite, name, concurrent
):
    result = suite(
        f"""
        pytestmark = pytest.mark.asyncio(loop_scope="module", concurrent={concurrent})

        async def test_it():
            loop = asyncio.get_running_loop()
            before, close = loop.{name}, loop.close

            def wrapped(*args, **kwargs):
                print("called")
                return before(*args, **kwargs)

            def flush_and_close():
                loop.run_until_complete(asyncio.sleep(0))
                loop.call_exception_handler(dict(message="at the end"))
                close()

            loop.close = flush_and_close
            loop.{name} = wrapped
            await asyncio.create_task(asyncio.sleep(0))
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("*called*")


@pytest.mark.parametrize("checks", ["all", "none"])
def test_nothing_of_ours_is_left_on_a_loop_that_is_closed(suite, checks):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            global loop
            loop = asyncio.get_running_loop()

        def test_after():
            assert loop.is_closed()
            assert not {"create_task", "create_future", "close", "stop"} & vars(loop).keys()
        """,
        *(["--asyncio-checks=all"] if checks == "all" else []),
    )
    result.assert_outcomes(passed=2)
