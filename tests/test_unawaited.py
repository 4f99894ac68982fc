"""What did not run never passes."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_an_async_method_of_a_plain_test_case_fails_with_what_to_do(suite, mode):
    result = suite(
        """
        import unittest

        class TestIt(unittest.TestCase):
            async def test_async(self):
                assert False

            def test_sync(self):
                pass
        """,
        f"--asyncio-mode={mode}",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        "test_it.py::TestIt::test_async is an async method of a unittest.TestCase, which does not "
        "await it. Derive the class from unittest.IsolatedAsyncioTestCase."
    )


def test_a_mark_does_not_make_the_methods_of_a_plain_test_case_async_tests(suite):
    result = suite("""
        import unittest

        @pytest.mark.asyncio
        class TestIt(unittest.TestCase):
            async def test_it(self):
                pass
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*unittest.IsolatedAsyncioTestCase.")


def test_the_setup_and_teardown_of_such_a_test_case_run(suite):
    result = suite(
        """
        import unittest

        class TestIt(unittest.TestCase):
            def setUp(self): print("up")
            def tearDown(self): print("down")
            async def test_it(self): pass
        """,
        "-s",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*up", "down*"])


@pytest.mark.parametrize(
    "override",
    [
        """
            def run(self, result=None):
                method = getattr(self, self._testMethodName)
                setattr(self, self._testMethodName, lambda: asyncio.run(method()))
                return super().run(result)
        """,
        """
            def __call__(self, result=None):
                method = getattr(self, self._testMethodName)
                setattr(self, self._testMethodName, lambda: asyncio.run(method()))
                return super().__call__(result)
        """,
        """
            def _callTestMethod(self, method):
                asyncio.run(method())
        """,
    ],
    ids=["run", "__call__", "_callTestMethod"],
)
def test_a_test_case_that_awaits_its_methods_itself_is_left_alone(suite, override):
    result = suite(f"""
        import unittest

        class AwaitingTestCase(unittest.TestCase):{override}
        class TestIt(AwaitingTestCase):
            async def test_passes(self):
                await asyncio.sleep(0)

            async def test_fails(self):
                await asyncio.sleep(0)
                raise LookupError
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("*LookupError*")


def test_a_method_that_a_decorator_makes_synchronous_is_left_alone(suite):
    result = suite("""
        import functools, unittest

        def synchronous(function):
            @functools.wraps(function)
            def wrapper(*args):
                return asyncio.run(function(*args))
            return wrapper

        class TestIt(unittest.TestCase):
            @synchronous
            async def test_passes(self):
                await asyncio.sleep(0)

            @synchronous
            async def test_fails(self):
                await asyncio.sleep(0)
                raise LookupError
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("*LookupError*")


def test_a_method_that_a_fixture_makes_synchronous_is_left_alone(suite):
    result = suite(
        """
        import unittest

        class TestIt(unittest.TestCase):
            async def test_passes(self):
                await asyncio.sleep(0)

            async def test_fails(self):
                await asyncio.sleep(0)
                raise LookupError
        """,
        conftest="""
            @pytest.fixture(autouse=True)
            def synchronous(request):
                method = request.function
                setattr(request.instance, request.node.name, lambda: asyncio.run(method()))
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("*LookupError*")


def test_an_async_fixture_of_another_frameworks_test_is_left_to_pytest(suite):
    result = suite(
        """
        @pytest.fixture
        async def value(): pass

        @pytest.mark.trio
        def test_it(value): pass
        """,
        ini="markers = trio",
        conftest="def pytest_configure(config): config.pluginmanager.register(object(), 'trio')",
    )
    result.stdout.no_fnmatch_line("*pytest_asyncio.fixture*")


def test_an_async_test_that_no_plugin_runs_fails(suite):
    result = suite(
        """
        @pytest.mark.trio
        async def test_it():
            pass
        """,
        ini="markers = trio",
    )
    result.assert_outcomes(failed=1)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_a_sync_test_that_returns_an_awaitable_fails(suite, mode):
    result = suite(
        """
        class Awaitable:
            def __await__(self):
                yield

        def test_it():
            return Awaitable()
        """,
        f"--asyncio-mode={mode}",
    )
    result.assert_outcomes(failed=1)


@pytest.mark.parametrize("expression", ["helper()", "old_helper()", "asyncio.Future()"])
def test_an_async_test_that_returns_what_it_has_not_awaited_fails(suite, expression):
    result = suite(
        f"""
        import types

        async def helper():
            pass

        @types.coroutine
        def old_helper():
            yield

        async def test_it():
            return {expression}
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it returned <*>, which nobody awaits. Await it in the test."
    )


def test_an_async_test_may_return_a_task_that_has_ended(suite):
    result = suite(
        """
        async def test_it():
            task = asyncio.ensure_future(asyncio.sleep(0))
            await task
            return task
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(passed=1)


def test_an_async_test_may_return_what_nobody_has_to_await(suite):
    result = suite(
        """
        async def test_it():
            return 42
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(passed=1)


def test_a_doctest_is_none_of_these(suite):
    result = suite(
        '''
        def documented():
            """
            >>> 1 + 1
            2
            """
        ''',
        "--doctest-modules",
    )
    result.assert_outcomes(passed=1)
