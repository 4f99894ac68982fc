"""`asyncio_loop_scope`: one option for tests and fixtures, and `auto`, which finds the loop."""

from __future__ import annotations

import pytest

INI = """
    asyncio_mode = auto
    asyncio_loop_scope = auto
"""
FIXTURES = """
    @pytest.fixture(scope="session")
    async def of_session():
        return asyncio.get_running_loop()

    @pytest.fixture(scope="module")
    async def of_module():
        return asyncio.get_running_loop()

    @pytest.fixture
    async def narrow():
        return asyncio.get_running_loop()
"""


def test_a_test_and_its_narrow_fixtures_run_on_the_loop_of_its_widest_fixture(suite):
    result = suite(
        """
        async def test_it(narrow, of_session):
            assert asyncio.get_running_loop() is narrow is of_session
        """,
        ini=INI,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=1)


def test_wide_fixtures_that_know_nothing_of_one_another_run_on_one_loop(suite):
    result = suite(
        """
        async def test_before(of_module, narrow):
            assert asyncio.get_running_loop() is narrow is of_module

        async def test_both(of_module, of_session):
            assert asyncio.get_running_loop() is of_module is of_session
        """,
        ini=INI,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=2)


def test_a_loop_is_no_wider_than_needed(suite):
    result = suite(
        """
        loops = set()

        async def test_module(of_module):
            assert asyncio.get_running_loop() is of_module
            loops.add(of_module)

        @pytest.mark.parametrize("_", "ab")
        async def test_function(_, narrow):
            assert asyncio.get_running_loop() is narrow
            assert narrow not in loops
            loops.add(narrow)

        async def test_session(of_session):
            assert asyncio.get_running_loop() is of_session
            assert of_session not in loops
        """,
        ini=INI,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=4)


def test_a_synchronous_test_has_its_fixtures_on_one_loop_too(suite):
    result = suite(
        """
        def test_it(of_module, of_session, narrow):
            assert narrow is of_module is of_session
        """,
        ini=INI,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=1)


def test_the_loop_of_a_mark_counts_for_those_that_share_a_fixture_with_its_test(suite):
    result = suite(
        """
        async def test_without(of_module):
            assert asyncio.get_running_loop() is of_module

        @pytest.mark.asyncio(loop_scope="session")
        async def test_with(of_module):
            assert asyncio.get_running_loop() is of_module
        """,
        ini=INI,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=2)


def test_what_names_a_loop_scope_keeps_it(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(loop_scope="module")
        async def explicit():
            return asyncio.get_running_loop()

        async def test_fixture(of_session, explicit):
            assert asyncio.get_running_loop() is of_session is not explicit

        @pytest.mark.asyncio(loop_scope="function")
        async def test_mark(of_session, narrow):
            assert asyncio.get_running_loop() is narrow is not of_session
        """,
        ini=INI,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=2)


def test_a_fixture_that_is_overridden_and_requested_counts(suite):
    result = suite(
        """
        @pytest.fixture
        async def of_session(of_session):
            return asyncio.get_running_loop(), of_session

        async def test_it(of_session):
            assert of_session == (asyncio.get_running_loop(), asyncio.get_running_loop())
        """,
        ini=INI,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=1)


def test_tests_that_are_no_functions_are_left_alone(suite):
    result = suite(
        """
        def function():
            \"\"\"
            >>> 1 + 1
            2
            \"\"\"

        async def test_it(of_session):
            assert asyncio.get_running_loop() is of_session
        """,
        "--doctest-modules",
        ini=INI,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=2)


def test_a_mark_that_is_not_valid_fails_only_its_test(suite):
    result = suite(
        """
        @pytest.mark.asyncio(loop_scope="modul")
        async def test_wrong(of_session):
            pass

        async def test_right(of_session):
            assert asyncio.get_running_loop() is of_session
        """,
        ini=INI,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=1, errors=1)


def test_a_worker_on_virtual_time_is_on_the_loop_of_its_tests(suite):
    result = suite(
        """
        @pytest.fixture(scope="session")
        async def queue():
            return asyncio.Queue()

        @pytest.fixture
        async def worker(queue):
            async def work():
                while True:
                    done = await queue.get()
                    await asyncio.sleep(3600)
                    done.set_result(None)

            task = asyncio.create_task(work())
            yield
            task.cancel()

        @pytest.mark.asyncio(clock="virtual")
        async def test_it(worker, queue, asyncio_clock):
            done = asyncio.get_running_loop().create_future()
            queue.put_nowait(done)
            await done
            assert asyncio_clock.time() == 3600
        """,
        ini=INI,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("is_async", [True, False])
def test_async_functions_in_the_xunit_style_count_as_fixtures(suite, is_async):
    result = suite(
        f"""
        loops = set()

        {"async " if is_async else ""}def setup_module():
            if {is_async}:
                loops.add(asyncio.get_running_loop())

        async def setup_function():
            loops.add(asyncio.get_running_loop())

        @pytest.mark.parametrize("_", "ab")
        async def test_it(_):
            loops.add(asyncio.get_running_loop())

        def test_loops():
            assert len(loops) == {1 if is_async else 3}
        """,
        ini=INI,
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_a_loop_scope_counts_for_tests_and_fixtures(suite, scope):
    result = suite(
        """
        class TestIt:
            @pytest.mark.parametrize("_", "ab")
            async def test_it(self, _, narrow):
                assert asyncio.get_running_loop() is narrow is loops.setdefault("first", narrow)

        loops = {}
        """,
        "--asyncio-mode=auto",
        f"--asyncio-loop-scope={scope}",
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=2)


def test_the_option_goes_before_those_for_tests_and_fixtures_alone(suite):
    result = suite(
        """
        async def test_it(narrow, of_session):
            assert asyncio.get_running_loop() is narrow is of_session
        """,
        "--asyncio-loop-scope=auto",
        ini="""
            asyncio_mode = auto
            asyncio_default_fixture_loop_scope = function
            asyncio_default_test_loop_scope = function
        """,
        conftest=FIXTURES,
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        "asyncio: *, asyncio_default_fixture_loop_scope=auto, asyncio_default_test_loop_scope=auto"
    )


def test_an_unknown_loop_scope_is_a_usage_error(suite):
    result = suite(ini="asyncio_loop_scope = fixture-scope")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: 'fixture-scope' is not a valid asyncio_loop_scope. *")


def test_a_fixture_that_requests_itself_is_an_error_as_ever(suite):
    result = suite(
        """
        @pytest.fixture
        def first(): pass
        @pytest_asyncio.fixture
        async def server(server): pass
        @pytest.mark.asyncio
        async def test_it(first, server): pass
        """,
        ini=INI,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*recursive dependency involving fixture 'server' detected*"])
