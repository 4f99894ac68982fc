"""What another framework runs is left alone."""

from __future__ import annotations

import sys

import pytest


def test_auto_mode_leaves_tests_with_an_anyio_mark_to_its_plugin(suite):
    result = suite(
        """
        import sniffio

        @pytest.fixture
        def anyio_backend():
            return "trio"

        @pytest.mark.anyio
        async def test_anyio():
            assert sniffio.current_async_library() == "trio"

        async def test_asyncio():
            assert asyncio.get_running_loop()
        """,
        "-p",
        "anyio",
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(passed=2)


def test_auto_mode_leaves_a_module_with_an_anyio_mark_to_its_plugin(suite):
    result = suite(
        """
        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return "trio"

        async def test_it():
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
        """,
        "-p",
        "anyio",
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_the_fixtures_of_tests_that_anyio_runs_are_left_to_it(suite, mode):
    result = suite(
        """
        import sniffio

        @pytest.fixture
        def anyio_backend():
            return "trio"

        @pytest.fixture
        async def library():
            yield sniffio.current_async_library()

        @pytest.mark.anyio
        async def test_it(library):
            assert library == "trio"
        """,
        "-p",
        "anyio",
        f"--asyncio-mode={mode}",
    )
    result.assert_outcomes(passed=1)


def test_both_marks_mean_asyncio(suite):
    result = suite(
        """
        @pytest.mark.anyio
        @pytest.mark.asyncio
        async def test_it():
            assert asyncio.get_running_loop()
        """,
        "-p",
        "anyio",
        "--asyncio-mode=auto",
    )
    assert result.ret is pytest.ExitCode.OK


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_isolated_asyncio_test_cases_run_on_their_own_loops(suite, mode):
    result = suite(
        """
        import unittest

        class TestIt(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                self.loop = asyncio.get_running_loop()

            async def test_passes(self):
                assert asyncio.get_running_loop() is self.loop

            async def test_fails(self):
                await asyncio.sleep(0)
                raise LookupError
        """,
        f"--asyncio-mode={mode}",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("*LookupError*")


def test_isolated_asyncio_test_cases_may_stand_among_async_tests(suite):
    result = suite(
        """
        import unittest

        pytestmark = pytest.mark.asyncio(loop_scope="module")
        loops = []

        async def test_before():
            loops.append(asyncio.get_running_loop())

        class TestIt(unittest.IsolatedAsyncioTestCase):
            async def test_it(self):
                assert asyncio.get_running_loop() not in loops

        async def test_after():
            assert loops == [asyncio.get_running_loop()]
        """,
    )
    result.assert_outcomes(passed=3)


def test_an_async_fixture_may_surround_isolated_asyncio_test_cases(suite):
    result = suite(
        """
        import unittest

        @pytest.fixture(scope="module", autouse=True)
        async def server():
            print("up")
            yield
            print("down")

        class TestIt(unittest.IsolatedAsyncioTestCase):
            async def test_it(self):
                print("test")
        """,
        "-s",
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*up", "*test", "*down"])


@pytest.fixture
def bare(pytester):
    """Run a suite without the plugin, as `-p no:asyncio` does where it is installed."""

    def run(source: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.runpytest("-p", "no:asyncio", "-p", "no:cacheprovider")

    return run


def test_without_the_plugin_async_tests_are_left_to_pytest(bare):
    result = bare("""
        import pytest

        @pytest.mark.asyncio
        async def test_it():
            pass
    """)
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("asyncio: mode=*")


def test_without_the_plugin_sync_fixtures_that_it_declares_are_fixtures(bare):
    result = bare("""
        import pytest_asyncio

        @pytest_asyncio.fixture
        def value():
            return 42

        def test_it(value):
            assert value == 42
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("option", ["--strict-markers", "-Werror"])
def test_without_the_plugin_its_package_can_be_imported(pytester, option):
    pytester.makepyfile("""
        import pytest_asyncio

        def test_it():
            pass
    """)
    result = pytester.run(sys.executable, "-m", "pytest", "-p", "no:asyncio", option)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_state_machines_of_hypothesis_stand_among_async_tests(suite, mode):
    result = suite(
        """
        from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

        class Machine(RuleBasedStateMachine):
            @rule()
            def step(self):
                pass

        TestMachine = Machine.TestCase

        @pytest.mark.asyncio
        async def test_async():
            pass

        def test_wrapper():
            run_state_machine_as_test(Machine)
        """,
        f"--asyncio-mode={mode}",
    )
    result.assert_outcomes(passed=3)
