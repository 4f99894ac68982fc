"""What a test changes on a loop that it shares is put back after it."""

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
def test_what_a_test_changes_on_a_shared_loop_is_put_back(suite, change, scope):
    result = suite(
        HELPERS
        + f"""
    @pytest.mark.asyncio(loop_scope="{scope}")
    class TestClass:
        async def test_changes_it(self):
            loop = asyncio.get_running_loop()
            type(self).before = settings(loop)
            loop.{change}
            assert settings(loop) != self.before

        async def test_finds_it_as_it_was(self):
            assert settings(asyncio.get_running_loop()) == self.before
"""
    )
    result.assert_outcomes(passed=2)


@every_change
def test_it_is_put_back_after_a_test_that_fails_too(suite, change):
    result = suite(
        HELPERS
        + f"""
    pytestmark = pytest.mark.asyncio(loop_scope="module")
    before = []

    async def test_changes_it():
        loop = asyncio.get_running_loop()
        before.append(settings(loop))
        loop.{change}
        raise LookupError

    async def test_finds_it_as_it_was():
        assert before == [settings(asyncio.get_running_loop())]
"""
    )
    result.assert_outcomes(passed=1, failed=1)


@every_change
def test_what_a_test_changes_on_a_loop_of_its_own_lasts_until_its_fixtures_end(suite, change):
    result = suite(
        HELPERS
        + f"""
    @pytest_asyncio.fixture
    async def looks():
        loop = asyncio.get_running_loop()
        before = settings(loop)
        yield
        assert settings(loop) != before

    @pytest.mark.asyncio
    async def test_changes_it(looks):
        asyncio.get_running_loop().{change}
"""
    )
    result.assert_outcomes(passed=1)


@every_change
def test_what_a_fixture_changes_lasts(suite, change):
    result = suite(
        HELPERS
        + f"""
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def changed():
        loop = asyncio.get_running_loop()
        loop.{change}
        yield settings(loop)
        assert settings(loop) != (None, False, None)

    @pytest.mark.asyncio(loop_scope="module")
    @pytest.mark.parametrize("_", [1, 2])
    async def test_it(changed, _):
        assert settings(asyncio.get_running_loop()) == changed
"""
    )
    result.assert_outcomes(passed=2)


@every_change
def test_what_a_fixture_changes_between_two_tests_lasts(suite, change):
    result = suite(
        HELPERS
        + f"""
    pytestmark = pytest.mark.asyncio(loop_scope="module")

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def changed():
        loop = asyncio.get_running_loop()
        loop.{change}
        return settings(loop)

    async def test_before():
        global before
        before = settings(asyncio.get_running_loop())

    @pytest.mark.parametrize("_", [1, 2])
    async def test_it(changed, _):
        assert settings(asyncio.get_running_loop()) == changed != before
"""
    )
    result.assert_outcomes(passed=3)


@every_change
def test_what_tests_at_the_same_time_change_is_put_back_to_what_it_was_before_all(suite, change):
    result = suite(
        HELPERS
        + f"""
    pytestmark = pytest.mark.asyncio(loop_scope="module")
    begun = asyncio.Event()

    @pytest.mark.asyncio(concurrent=True)
    async def test_changes_it():
        global before
        before = settings(asyncio.get_running_loop())
        asyncio.get_running_loop().{change}
        await begun.wait()

    @pytest.mark.asyncio(concurrent=True)
    async def test_is_begun_then():
        assert settings(asyncio.get_running_loop()) != before
        begun.set()

    async def test_finds_it_as_it_was():
        assert settings(asyncio.get_running_loop()) == before
"""
    )
    result.assert_outcomes(passed=3)


def test_each_hypothesis_example_finds_the_loop_as_it_was(suite):
    result = suite(
        HELPERS
        + """
    from hypothesis import given, strategies

    found = []

    @pytest.mark.asyncio(loop_scope="module")
    @given(number=strategies.integers())
    async def test_it(number):
        loop = asyncio.get_running_loop()
        found.append(settings(loop))
        assert found[-1] == found[0]
        loop.set_debug(True)
"""
    )
    result.assert_outcomes(passed=1)


def test_it_is_put_back_after_a_test_that_stops_the_loop(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_stops_it():
            loop = asyncio.get_running_loop()
            loop.set_debug(True)
            loop.call_soon(loop.stop)
            await asyncio.sleep(3600)

        async def test_after():
            assert not asyncio.get_running_loop().get_debug()
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, failed=1)
