"""What synchronous code finds by `asyncio.get_event_loop()`, and what is put back."""

from __future__ import annotations

import sys

import pytest

SCOPES = ("function", "class", "module", "package", "session")


NO_LOOP = """
def no_loop():
    raise LookupError("there is no loop")
"""


def test_a_synchronous_test_with_a_mark_needs_no_loop(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        def test_it():
            pass
        """,
        "--asyncio-loop-factory=conftest:no_loop",
        conftest=NO_LOOP,
    )
    result.assert_outcomes(passed=1)


def test_an_async_test_without_a_loop_is_not_called(suite):
    result = suite(
        """
        import functools

        def telling(function):
            @functools.wraps(function)
            def wrapper():
                print(function.__name__, "runs")
                return function()
            return wrapper

        @pytest.mark.asyncio
        @telling
        async def test_it():
            pass
        """,
        "-s",
        "--asyncio-loop-factory=conftest:no_loop",
        conftest=NO_LOOP,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("E *LookupError: there is no loop")
    result.stdout.no_fnmatch_line("*test_it runs*")


@pytest.mark.parametrize("scope", SCOPES)
def test_sync_fixtures_and_tests_find_the_loop_of_the_current_test(suite, scope):
    result = suite(f"""
        @pytest.fixture
        def found():
            loop = asyncio.get_event_loop()
            yield loop
            assert loop is asyncio.get_event_loop()

        @pytest.mark.asyncio(loop_scope="{scope}")
        async def test_async(found):
            assert found is asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1)


def test_a_sync_test_finds_the_loop_that_is_open(suite):
    result = suite("""
        loops = []

        @pytest.mark.asyncio(loop_scope="module")
        async def test_async():
            loops.append(asyncio.get_running_loop())

        def test_sync():
            assert loops == [asyncio.get_event_loop()]
    """)
    result.assert_outcomes(passed=2)


def test_a_sync_test_without_a_mark_finds_the_loop_of_its_fixture(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def loop():
            return asyncio.get_running_loop()

        def test_it(loop):
            assert asyncio.get_event_loop() is loop
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "body", ["return loop", "yield loop; assert loop is asyncio.get_event_loop()"]
)
def test_a_sync_fixture_of_ours_finds_the_loop_of_its_loop_scope(suite, body):
    result = suite(f"""
        @pytest_asyncio.fixture(loop_scope="module")
        def found():
            loop = asyncio.get_event_loop()
            {body}

        @pytest.mark.asyncio
        async def test_other_loop(found):
            assert found is not asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_same_loop(found):
            assert found is asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=2)


BREAKING = {
    "unset": "asyncio.set_event_loop(None)",
    "run": "asyncio.run(asyncio.sleep(0))",
    "runner": "with asyncio.Runner() as runner: runner.get_loop()",
    "replaced": "asyncio.set_event_loop(other := asyncio.new_event_loop()); other.close()",
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("action", BREAKING.values(), ids=BREAKING)
def test_the_current_loop_is_repaired_after_a_test_has_broken_it(suite, scope, action):
    result = suite(
        f"""
        class TestIt:
            @pytest.fixture
            def found(self):
                return asyncio.get_event_loop()

            async def test_before(self):
                pass

            def test_breaks_it(self):
                {action}

            async def test_after(self, found):
                assert found is asyncio.get_running_loop()
        """,
        "--asyncio-mode=auto",
        ini=f"asyncio_default_test_loop_scope = {scope}",
    )
    result.assert_outcomes(passed=3)


def test_the_current_loop_is_put_back_when_the_last_loop_is_closed(suite):
    result = suite("""
        mine = asyncio.new_event_loop()

        def test_sync():
            asyncio.set_event_loop(mine)

        @pytest.mark.asyncio
        async def test_async():
            assert asyncio.get_running_loop() is not mine

        def test_sync_again():
            assert asyncio.get_event_loop() is mine
            mine.close()
            asyncio.set_event_loop(None)
    """)
    result.assert_outcomes(passed=3)


def test_a_closed_loop_is_not_put_back(suite):
    result = suite("""
        mine = asyncio.new_event_loop()

        def test_sync():
            asyncio.set_event_loop(mine)

        @pytest.mark.asyncio
        async def test_async():
            mine.close()

        def test_sync_again():
            with pytest.raises(RuntimeError, match="no current event loop"):
                asyncio.get_event_loop()
    """)
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("options", [(), ("--asyncio-concurrent",)])
def test_a_policy_that_closes_the_loop_before_leaves_those_that_are_in_use(suite, options):
    if sys.version_info >= (3, 16):
        pytest.skip("There are no policies.")
    suite(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def lock():
            async with asyncio.Lock() as lock:
                yield asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_before(lock):
            await asyncio.sleep(0)

        @pytest.mark.asyncio
        async def test_it(lock, monkeypatch):
            assert asyncio.get_running_loop() is not lock

        @pytest.mark.asyncio(loop_scope="module")
        async def test_after(lock):
            assert asyncio.get_running_loop() is lock
        """,
        "-Wignore::DeprecationWarning",
        *options,
        conftest="""
        class Policy(asyncio.DefaultEventLoopPolicy):
            def set_event_loop(self, loop):
                if self._local._loop is not None:
                    self._local._loop.close()
                super().set_event_loop(loop)

        def pytest_configure():
            asyncio.set_event_loop_policy(Policy())

        def pytest_unconfigure():
            asyncio.set_event_loop_policy(None)
        """,
    ).assert_outcomes(passed=3)


def test_after_the_last_loop_synchronous_code_finds_what_it_finds_in_a_fresh_process(pytester):
    pytester.makepyfile("""
        import asyncio, pytest, warnings

        def found():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    loop = asyncio.get_event_loop()
                except RuntimeError:
                    return None
            loop.close()
            asyncio.set_event_loop_policy(None)
            return type(loop)

        @pytest.fixture(scope="module")
        def in_a_fresh_process():
            return found()

        def test_before(in_a_fresh_process): pass

        @pytest.mark.asyncio
        async def test_async(): pass

        def test_sync(in_a_fresh_process):
            assert found() is in_a_fresh_process
    """)
    result = pytester.runpytest_subprocess("-Wignore::DeprecationWarning", "-pno:cacheprovider")
    result.assert_outcomes(passed=3)
