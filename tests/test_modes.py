"""Strict mode runs what is marked as asyncio's; auto mode runs all that is async."""

from __future__ import annotations

import pytest

import pytest_asyncio

COLLECT_ONLY = ("--collect-only", "-q")


def test_strict_mode_runs_marked_tests(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it():
            await asyncio.sleep(0)
    """)
    result.assert_outcomes(passed=1)


def test_strict_mode_leaves_unmarked_tests_to_pytest(suite):
    result = suite("async def test_it(): pass", "-Wdefault")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*async def functions are not natively supported.*")


def test_auto_mode_runs_async_functions_methods_and_static_methods(suite):
    result = suite(
        """
        async def test_function():
            await asyncio.sleep(0)

        class TestClass:
            async def test_method(self):
                await asyncio.sleep(0)

            @staticmethod
            async def test_static_method():
                await asyncio.sleep(0)
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(passed=3)


def test_a_failure_of_an_async_test_is_a_failure(suite):
    result = suite(
        """
        async def test_it():
            await asyncio.sleep(0)
            assert 1 == 2
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">       assert 1 == 2", "E       assert 1 == 2"])


PLAIN_ASYNC_FIXTURES = """
    @pytest.fixture
    async def coroutine():
        return 1

    @pytest.fixture
    async def generator():
        yield 1

    @pytest.mark.asyncio
    async def test_coroutine(coroutine):
        assert coroutine == 1

    @pytest.mark.asyncio
    async def test_generator(generator):
        assert generator == 1
"""


def test_auto_mode_runs_plain_async_fixtures(suite):
    suite(PLAIN_ASYNC_FIXTURES, "--asyncio-mode=auto").assert_outcomes(passed=2)


def test_strict_mode_leaves_plain_async_fixtures_alone_and_says_so(suite):
    result = suite(
        """
        @pytest.fixture
        async def coroutine():
            return 1

        @pytest.fixture
        async def generator():
            yield 1

        @pytest.mark.asyncio
        async def test_coroutine(coroutine):
            coroutine.close()

        @pytest.mark.asyncio
        async def test_generator(generator):
            await generator.aclose()
        """,
        "-Wdefault",
    )
    outcome = "passed" if pytest.version_tuple < (9, 1) else "errors"  # pytest refuses them.
    assert result.parseoutcomes()[outcome] == 2
    for name in ("coroutine", "generator"):
        result.stdout.fnmatch_lines(
            f"*test_it.py:*: asyncio test 'test_{name}' requested async @pytest.fixture "
            f"'{name}' in strict mode. You might want to use @pytest_asyncio.fixture or switch to "
            "auto mode.*"
        )


@pytest.mark.skipif(pytest.version_tuple < (9, 1), reason="pytest leaves the coroutine to the test")
def test_each_test_is_shown_which_fixture_to_declare_otherwise(suite):
    result = suite(
        """
        @pytest.fixture(scope="module")
        async def plain():
            return 1

        @pytest.mark.asyncio
        async def test_async(plain):
            pass

        def test_sync(plain):
            pass

        @pytest.mark.asyncio
        async def test_other(plain):
            pass
        """,
        "-Wdefault",
    )
    result.assert_outcomes(errors=3, warnings=2)
    for test in ("test_async", "test_sync", "test_other"):
        result.stdout.fnmatch_lines(
            f"{test} requests the fixture 'plain' (test_it.py:3), which is async and is declared "
            "by @pytest.fixture, so that nothing awaits it. Declare it by @pytest_asyncio.fixture, "
            "or set the option asyncio_mode to 'auto'."
        )


@pytest.mark.skipif(pytest.version_tuple < (9, 1), reason="pytest leaves the coroutine to the test")
def test_that_stands_alone_also_where_no_test_is_asyncios(suite):
    result = suite("""
        @pytest.fixture
        async def plain():
            return 1

        def test_sync(plain):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("test_sync requests the fixture 'plain' (test_it.py:3), which *")
    result.stdout.no_fnmatch_line("*entries are hidden*")


@pytest.mark.parametrize("declaration", ["@pytest_asyncio.fixture\nasync ", "@pytest.fixture\n"])
def test_a_test_that_fails_with_an_async_generator_for_a_value_is_reported(suite, declaration):
    result = suite(
        f"""
async def numbers():
    yield 1

{declaration}def number():
    return numbers()

@pytest.mark.asyncio
async def test_it(number, request):
    assert number == 1
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        "E *The value of the fixture 'number' (test_it.py:6) is an async generator, of which "
        "nothing has run. If it is to be set up and torn down, write 'yield' in the fixture "
        "itself, and declare that by @pytest_asyncio.fixture."
    )


@pytest.mark.skipif(pytest.version_tuple >= (9, 1), reason="pytest refuses the fixture")
@pytest.mark.parametrize(
    ("statement", "closing"), [("return", "plain.close()"), ("yield", "await plain.aclose()")]
)
def test_a_test_that_fails_with_a_plain_async_fixture_is_reported(suite, statement, closing):
    result = suite(
        f"""
        @pytest.fixture
        async def plain():
            {statement} 1

        @pytest.mark.asyncio
        async def test_it(plain):
            {closing}
            assert plain == 1
        """,
        "-Wdefault",
    )
    result.assert_outcomes(failed=1, warnings=2)
    result.stdout.fnmatch_lines("E *test_it requests the fixture 'plain' (test_it.py:3), which *")


def test_strict_mode_says_so_too_where_code_on_the_loop_requests_a_plain_async_fixture(suite):
    result = suite(
        """
        @pytest.fixture
        async def plain():
            return 1

        @pytest.mark.asyncio
        async def test_it(request):
            (await pytest_asyncio.getfixturevalue(request, "plain")).close()
        """,
        "-Wdefault",
    )
    outcome = "passed" if pytest.version_tuple < (9, 1) else "failed"  # pytest refuses it.
    assert result.parseoutcomes()[outcome] == 1
    result.stdout.fnmatch_lines("*asyncio test 'test_it' requested async @pytest.fixture 'plain'*")


def test_strict_mode_says_nothing_of_a_plain_fixture_that_a_decorator_makes_synchronous(suite):
    result = suite("""
        import functools

        def run(function):
            @functools.wraps(function)
            def synchronous():
                return asyncio.run(function())
            return synchronous

        @pytest.fixture
        @run
        async def value():
            return 42

        @pytest.mark.asyncio
        async def test_it(value):
            assert value == 42
    """)
    result.assert_outcomes(passed=1)


def test_strict_mode_says_nothing_of_a_plain_async_fixture_that_a_hook_makes_synchronous(suite):
    result = suite(
        """
        @pytest.fixture
        async def number():
            return 1

        @pytest.mark.asyncio
        async def test_it(number):
            assert number == 1
        """,
        conftest="""
            @pytest.hookimpl(tryfirst=True)
            def pytest_fixture_setup(fixturedef, request):
                function = fixturedef.func
                if fixturedef.argname == "number":
                    fixturedef.func = lambda: asyncio.run(function())
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_conftest_may_name_what_1_5_had_in_its_plugin(suite):
    result = suite(
        "async def test_it(): pass",
        conftest="""
            from pytest_asyncio.plugin import LoopFactory, Mode

            def pytest_configure(config):
                config.option.asyncio_mode = Mode.AUTO

            def pytest_asyncio_loop_factories() -> dict[str, LoopFactory]:
                return {"own": asyncio.new_event_loop}
        """,
    )
    result.assert_outcomes(passed=1)


def test_auto_mode_does_not_mark_what_is_marked(suite):
    result = suite(
        """
        @pytest.mark.asyncio(loop_scope="session")
        async def test_it(request):
            assert [mark.name for mark in request.node.iter_markers()] == ["asyncio"]
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(passed=1)


def test_auto_mode_keeps_other_marks_as_they_are(suite):
    result = suite(
        """
        @pytest.mark.dummy
        async def test_it(request):
            assert len(list(request.node.iter_markers("dummy"))) == 1
        """,
        "--asyncio-mode=auto",
        ini="markers = dummy",
    )
    result.assert_outcomes(passed=1)


def test_in_auto_mode_async_tests_can_be_selected_by_their_mark(suite):
    result = suite(
        """
        async def test_async(): pass
        def test_sync(): pass
        """,
        "--asyncio-mode=auto",
        "-m",
        "asyncio",
    )
    result.assert_outcomes(passed=1, deselected=1)


def test_auto_mode_does_not_mark_the_methods_of_test_cases(suite):
    result = suite(
        """
        import unittest

        class TestIt(unittest.IsolatedAsyncioTestCase):
            async def test_of_unittest(self): pass

        async def test_it(): pass
        """,
        "--asyncio-mode=auto",
        "-m",
        "not asyncio",
    )
    result.assert_outcomes(passed=1, deselected=1)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_is_async_test_knows_what_the_plugin_runs(suite, mode):
    result = suite(
        """
        import unittest

        def test_sync(): pass

        @pytest.mark.asyncio
        def test_marked_but_sync(): pass

        @pytest.mark.asyncio
        async def test_marked(): pass

        async def test_plain(): pass

        class TestClass:
            @pytest.mark.asyncio
            async def test_method(self): pass

        class TestCase(unittest.IsolatedAsyncioTestCase):
            @pytest.mark.asyncio
            async def test_of_unittest(self): pass
        """,
        "-q",
        "--collect-only",
        f"--asyncio-mode={mode}",
        conftest="""
            def pytest_collection_modifyitems(items):
                print(*(item.name for item in items if pytest_asyncio.is_async_test(item)))
        """,
    )
    plain = " test_plain" if mode == "auto" else ""
    result.stdout.fnmatch_lines(f"test_marked{plain} test_method")


def test_is_async_test_knows_tests_that_are_being_made(suite):
    result = suite(
        """
        def test_sync(): pass

        async def test_async(): pass
        """,
        "-q",
        "--collect-only",
        "--asyncio-mode=auto",
        conftest="""
            told = {}

            @pytest.hookimpl(wrapper=True)
            def pytest_pycollect_makeitem():
                made = yield
                if isinstance(made, list):
                    told.update((item.name, pytest_asyncio.is_async_test(item)) for item in made)
                return made

            def pytest_collection_modifyitems():
                print(told)
        """,
    )
    result.stdout.fnmatch_lines("{'test_sync': False, 'test_async': True}")


@pytest.mark.parametrize("value", [None, 5, pytest])
def test_is_async_test_is_false_for_what_is_no_item(value):
    assert not pytest_asyncio.is_async_test(value)


def test_is_async_test_is_false_for_what_is_not_a_function(suite):
    result = suite(
        """
        def documented():
            '''
            >>> 1 + 1
            2
            '''
        """,
        "--doctest-modules",
        "--asyncio-mode=auto",
        conftest="""
            def pytest_collection_modifyitems(items):
                (item,) = items
                item.add_marker("asyncio")
                assert not pytest_asyncio.is_async_test(item)
        """,
    )
    result.assert_outcomes(passed=1)


def test_items_of_other_plugins_may_be_marked(suite):
    result = suite(
        """
        async def test_it():
            pass
        """,
        conftest="""
            class Sheet(pytest.File):
                def collect(self):
                    yield Row.from_parent(self, name="row")

            class Row(pytest.Item):
                def runtest(self):
                    pass

            def pytest_collect_file(file_path, parent):
                if file_path.suffix == ".csv":
                    return Sheet.from_parent(parent, path=file_path)

            def pytest_collection_modifyitems(items):
                for item in items:
                    item.add_marker("asyncio")
        """,
        files={"sheet.csv": ""},
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("framework", ["anyio", "trio"])
def test_auto_mode_leaves_the_tests_of_other_frameworks_alone(suite, framework):
    result = suite(
        f"""
        @pytest.mark.{framework}
        async def test_it():
            pass
        """,
        *COLLECT_ONLY,
        "--asyncio-mode=auto",
        conftest=f"""
            import types

            def pytest_configure(config):
                config.addinivalue_line("markers", "{framework}")
                if not config.pluginmanager.hasplugin("{framework}"):
                    config.pluginmanager.register(types.ModuleType("fake"), "{framework}")

            def pytest_collection_modifyitems(items):
                assert not pytest_asyncio.is_async_test(items[0])
        """,
    )
    assert result.ret is pytest.ExitCode.OK


def test_a_mark_of_a_framework_that_is_not_installed_is_only_a_mark(suite):
    result = suite(
        """
        @pytest.mark.trio
        async def test_it():
            asyncio.get_running_loop()
        """,
        "--asyncio-mode=auto",
        ini="markers = trio",
    )
    result.assert_outcomes(passed=1)


def test_a_fixture_that_another_plugin_refuses_to_one_test_is_set_up_for_the_next(suite):
    result = suite(
        """
        @pytest.fixture(scope="module")
        def refused():
            return 1

        @pytest.mark.asyncio
        async def test_refused(refused):
            pass

        @pytest.mark.asyncio
        async def test_admitted(refused):
            assert refused == 1
        """,
        conftest="""
            @pytest.hookimpl(tryfirst=True)
            def pytest_fixture_setup(fixturedef, request):
                if request._pyfuncitem.name == "test_refused":
                    raise RuntimeError("refused")
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("E *RuntimeError: refused")
