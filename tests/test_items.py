"""Async tests: what is awaited, and how pytest's features work with them."""

from __future__ import annotations

import pytest

AUTO = "--asyncio-mode=auto"


def test_a_decorator_that_runs_the_coroutine_itself_is_left_alone(suite):
    result = suite("""
        import functools

        def synchronous(function):
            @functools.wraps(function)
            def run(*args, **kwargs):
                asyncio.run(function(*args, **kwargs))
            return run

        @pytest.mark.asyncio
        @synchronous
        async def test_it():
            await asyncio.sleep(0)
    """)
    result.assert_outcomes(passed=1)


def test_an_async_generator_fails_where_warnings_are_errors_and_no_other_test(suite):
    result = suite(
        """
        async def test_generator():
            yield

        async def test_it():
            pass
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        "E*PytestCollectionWarning: Tests based on asynchronous generators *"
    )


def test_an_async_generator_that_is_marked_late_is_not_run(suite):
    result = suite(
        """
        async def test_it():
            yield
        """,
        "-Wdefault",
        conftest="""
            def pytest_collection_modifyitems(items):
                for item in items:
                    item.add_marker(pytest.mark.asyncio)
        """,
    )
    result.assert_outcomes(xfailed=1, warnings=1)


@pytest.mark.parametrize("mode", ["auto", "strict"])
@pytest.mark.parametrize("decorator", ["", "@staticmethod"])
def test_async_generators_are_not_run(suite, mode, decorator):
    result = suite(
        f"""
        class TestIt:
            {decorator}
            @pytest.mark.asyncio
            async def test_it({"" if decorator else "self"}):
                yield
        """,
        f"--asyncio-mode={mode}",
        "-Wdefault",
        "-rx",
    )
    result.assert_outcomes(xfailed=1, warnings=1)
    reason = "Tests based on asynchronous generators are not supported. test_it will be ignored."
    result.stdout.fnmatch_lines(
        [f"*PytestCollectionWarning: {reason}", f"XFAIL * [[]NOTRUN[]] {reason}"]
    )


def test_in_strict_mode_async_generators_without_the_mark_are_left_to_pytest(suite):
    result = suite("""
        async def test_it():
            yield
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*async def functions are not natively supported*")


def test_a_decorator_may_make_a_coroutine_of_an_async_generator(suite):
    result = suite("""
        import functools

        async def run_through(generator):
            async for _ in generator:
                pass

        def decorated(function):
            @functools.wraps(function)
            def wrapper():
                return run_through(function())
            return wrapper

        @pytest.mark.asyncio
        @decorated
        async def test_it():
            assert asyncio.get_running_loop()
            yield
    """)
    result.assert_outcomes(passed=1)


def test_an_async_test_finds_its_own_names_and_signature_in_its_request(suite):
    result = suite(
        """
        import functools, inspect

        def known(function):
            return (
                function.__module__,
                function.__qualname__,
                function.__name__,
                function.__doc__,
                inspect.signature(function),
            )

        class TestIt:
            async def test_it(self, request):
                "In a class."
                assert known(request.function) == known(self.test_it)

        @functools.lru_cache
        async def test_it(request):
            "Decorated in C."
            assert known(request.function) == known(test_it)
        """,
        AUTO,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("how", ["pytest.skip()", "raise unittest.SkipTest"])
def test_an_async_test_may_skip_itself(suite, how):
    result = suite(
        f"""
        import unittest

        async def test_it():
            await asyncio.sleep(0)
            {how}
        """,
        AUTO,
    )
    result.assert_outcomes(skipped=1)


def test_an_async_fixture_may_skip_its_test(suite):
    result = suite(
        """
        @pytest.fixture
        async def skipping():
            pytest.skip("not here")

        async def test_it(skipping):
            pass
        """,
        AUTO,
        "-rs",
    )
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines("SKIPPED *: not here")


def test_skip_marks_count(suite):
    result = suite(
        """
        @pytest.mark.skip
        async def test_skip():
            assert False

        @pytest.mark.skipif("True", reason="always")
        async def test_skipif():
            assert False
        """,
        AUTO,
    )
    result.assert_outcomes(skipped=2)


def test_a_module_may_skip_itself(suite):
    result = suite(
        """
        pytest.skip("all of it", allow_module_level=True)

        async def test_it():
            assert False
        """,
        AUTO,
    )
    result.assert_outcomes(skipped=1)


def test_xfail_marks_count(suite):
    result = suite(
        """
        @pytest.mark.xfail
        async def test_fails():
            assert False

        @pytest.mark.xfail
        async def test_passes():
            pass

        @pytest.mark.xfail(strict=True)
        async def test_strict():
            pass

        @pytest.mark.xfail(run=False)
        async def test_does_not_run():
            pass

        async def test_itself():
            pytest.xfail("known")
        """,
        AUTO,
    )
    result.assert_outcomes(xfailed=3, xpassed=1, failed=1)


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="subtests are part of pytest 9")
def test_subtests_are_counted(suite):
    result = suite(
        """
        async def test_it(subtests):
            for number in range(3):
                with subtests.test(number=number):
                    await asyncio.sleep(0)
                    assert number != 1
        """,
        AUTO,
    )
    assert result.parseoutcomes()["failed"] == 2  # the subtest, and the test that has it
    result.stdout.fnmatch_lines("*SUBFAILED(number=1)* test_it.py::test_it *")


def test_fixtures_and_parameters_are_passed(suite):
    result = suite(
        """
        @pytest.fixture
        def number():
            return 1

        @pytest.mark.parametrize("letter", ["a", "b"])
        async def test_it(number, letter, tmp_path):
            assert number == 1
            assert letter in "ab"
        """,
        AUTO,
    )
    result.assert_outcomes(passed=2)


def test_unittest_style_setup_applies(suite):
    result = suite(
        """
        class TestIt:
            def setup_method(self):
                self.value = 1

            async def test_it(self):
                assert self.value == 1
        """,
        AUTO,
    )
    result.assert_outcomes(passed=1)


def test_a_test_that_is_run_twice_runs_twice(suite):
    result = suite(
        """
        ran = []

        @pytest.fixture
        async def loop():
            yield asyncio.get_running_loop()

        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
            ran.append(loop)
            assert len(ran) == len(set(ran))
        """,
        AUTO,
        conftest="""
            from _pytest.runner import runtestprotocol

            def pytest_runtest_protocol(item, nextitem):
                item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
                for _ in range(2):
                    runtestprotocol(item, nextitem=nextitem)
                    item._initrequest()
                return True
        """,
    )
    result.assert_outcomes(passed=2)


def test_setup_show_shows_the_fixtures_of_the_suite_only(suite):
    result = suite(
        """
        @pytest.fixture(scope="module")
        async def server():
            yield 1

        async def test_it(server):
            pass
        """,
        AUTO,
        "--setup-show",
    )
    result.assert_outcomes(passed=1)
    shown = [
        line.split()[:3] for line in result.outlines if line.strip().startswith(("SETUP", "TEAR"))
    ]
    assert shown == [["SETUP", "M", "server"], ["TEARDOWN", "M", "server"]]
    result.stdout.fnmatch_lines("*test_it.py::test_it (fixtures used: server)*.*")


def test_setup_plan_runs_nothing(suite):
    result = suite(
        """
        @pytest.fixture
        async def server():
            assert False

        async def test_it(server):
            assert False
        """,
        AUTO,
        "--setup-plan",
    )
    assert result.ret is pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["*SETUP    F server", "*test_it.py::test_it (fixtures used: *server)"]
    )


def test_setup_plan_opens_no_loop(suite):
    result = suite(
        """
        @pytest.fixture
        async def server(): ...

        async def test_it(server): ...
        """,
        AUTO,
        *("--setup-plan", "--capture=no"),
        conftest="""
        def open_loop():
            print("a loop is opened")
            return asyncio.new_event_loop()

        def pytest_asyncio_loop_factories(config, item):
            return {"own": open_loop}
        """,
    )
    assert result.ret is pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*a loop is opened*")


def test_collect_only_runs_nothing(suite):
    result = suite(
        """
        @pytest.mark.parametrize("number", [1, 2])
        async def test_it(number):
            assert False
        """,
        AUTO,
        "--collect-only",
        "-q",
    )
    assert result.ret is pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["test_it.py::test_it[[]1]", "test_it.py::test_it[[]2]"])


def test_setup_only_sets_up_async_fixtures(suite):
    result = suite(
        """
        @pytest.fixture
        async def server():
            print("server is set up")
            yield
            print("server is torn down")

        async def test_it(server):
            assert False
        """,
        AUTO,
        "--setup-only",
        "-s",
    )
    assert result.ret is pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*server is set up*", "*server is torn down*"])


def test_doctests_run_beside_async_tests(suite):
    result = suite(
        '''
        def one():
            """
            >>> one()
            1
            """
            return 1

        async def test_it():
            assert one() == 1
        ''',
        AUTO,
        "--doctest-modules",
    )
    result.assert_outcomes(passed=2)


def test_doctests_run_with_an_async_autouse_fixture(suite):
    result = suite(
        """
        def one():
            '''
            >>> 1
            1
            '''
        """,
        "--doctest-modules",
        conftest="""
            @pytest_asyncio.fixture(autouse=True)
            async def around():
                yield
        """,
    )
    result.assert_outcomes(passed=1)


HYPOTHESIS = """
    from hypothesis import given, settings, strategies as st

    small = settings(max_examples=5, database=None, deadline=None)
"""


@pytest.mark.parametrize(
    "order", ["@pytest.mark.asyncio\n    @given(n=N)", "@given(n=N)\n    @pytest.mark.asyncio"]
)
def test_hypothesis_runs_async_tests(suite, order):
    pytest.importorskip("hypothesis")
    result = suite(
        HYPOTHESIS
        + f"""
    N = st.integers()
    loops = set()

    {order}
    @small
    async def test_it(n):
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        assert len(loops) == 1
"""
    )
    result.assert_outcomes(passed=1)


def test_hypothesis_finds_what_fails(suite):
    pytest.importorskip("hypothesis")
    result = suite(
        HYPOTHESIS
        + """
    @small
    @given(n=st.integers())
    async def test_it(n):
        await asyncio.sleep(0)
        assert n == n + 1
""",
        AUTO,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*test_it(*")


def test_hypothesis_tests_use_fixtures_and_wider_loops(suite):
    pytest.importorskip("hypothesis")
    result = suite(
        HYPOTHESIS
        + """
    @pytest_asyncio.fixture(scope="module")
    async def loop():
        return asyncio.get_running_loop()

    class TestIt:
        @pytest.mark.asyncio(loop_scope="module")
        @small
        @given(n=st.integers())
        async def test_it(self, loop, n):
            assert loop is asyncio.get_running_loop()
"""
    )
    result.assert_outcomes(passed=1)


def test_each_example_of_hypothesis_leaves_no_task_behind(suite):
    pytest.importorskip("hypothesis")
    result = suite(
        HYPOTHESIS
        + """
    @small
    @given(n=st.integers())
    async def test_it(n):
        assert asyncio.all_tasks() == {asyncio.current_task()}
        asyncio.create_task(asyncio.Event().wait())
""",
        AUTO,
    )
    result.assert_outcomes(passed=1)


def test_hypothesis_runs_sync_tests_beside(suite):
    pytest.importorskip("hypothesis")
    result = suite(
        HYPOTHESIS
        + """
    @small
    @given(n=st.integers())
    def test_it(n):
        assert n == n
""",
        AUTO,
    )
    result.assert_outcomes(passed=1)


def test_a_subprocess_may_be_started(suite):
    result = suite(
        """
        import sys

        async def test_it():
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
            assert await process.wait() == 0
        """,
        AUTO,
    )
    result.assert_outcomes(passed=1)


def test_the_traceback_of_a_test_shows_the_test_only(suite):
    result = suite(
        """
        async def fails():
            raise ValueError("it is wrong")

        async def test_it():
            await fails()
        """,
        AUTO,
        "--tb=short",
    )
    result.assert_outcomes(failed=1)
    entries = [line for line in result.outlines if ": in " in line]
    assert entries == ["test_it.py:7: in test_it", "test_it.py:4: in fails"]


def test_methods_of_a_plain_test_case_are_left_to_unittest(suite):
    result = suite(
        """
        import unittest

        class TestIt(unittest.TestCase):
            @pytest.mark.asyncio
            def test_sync(self):
                pass
        """,
        AUTO,
    )
    result.assert_outcomes(passed=1)


def test_a_synchronous_test_of_hypothesis_is_reported_once_not_to_be_async(suite):
    result = suite(
        """
        from hypothesis import given, strategies as st

        @pytest.mark.asyncio
        @given(n=st.integers())
        def test_it(n):
            pass
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=1)
