"""Marks that are added after the tests were collected count like those in the code."""

from __future__ import annotations

import pytest

SHARED_LOOP = """
    loops = set()

    async def test_one():
        loops.add(asyncio.get_running_loop())

    async def test_two():
        loops.add(asyncio.get_running_loop())
        assert len(loops) == 1
"""
TWO_FACTORIES = """
    class A(asyncio.SelectorEventLoop): pass
    class B(asyncio.SelectorEventLoop): pass

    def pytest_asyncio_loop_factories(config, item):
        return {"a": A, "b": B}
"""


def test_the_loop_scope_of_a_late_mark_counts(suite):
    result = suite(
        SHARED_LOOP,
        conftest="""
            def pytest_collection_modifyitems(items):
                for item in items:
                    item.add_marker(pytest.mark.asyncio(loop_scope="module"))
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_late_mark_may_be_added_to_a_module(suite):
    result = suite(
        SHARED_LOOP,
        conftest="""
            def pytest_collection_modifyitems(items):
                items[0].parent.add_marker(pytest.mark.asyncio(loop_scope="module"))
        """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("append", "scope"), [(True, "module"), (False, "session")], ids=["behind", "before"]
)
def test_a_late_mark_merges_with_those_in_the_code_in_the_order_of_pytest(suite, append, scope):
    result = suite(
        f"""
        @pytest_asyncio.fixture(loop_scope="{scope}")
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
        """,
        conftest=f"""
            def pytest_collection_modifyitems(items):
                items[0].add_marker(pytest.mark.asyncio(loop_scope="session"), append={append})
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("node", ["item", "item.parent"], ids=["function", "module"])
def test_a_late_mark_counts_in_auto_mode(suite, node):
    result = suite(
        SHARED_LOOP,
        "--asyncio-mode=auto",
        conftest=f"""
            def pytest_collection_modifyitems(items):
                for item in items:
                    {node}.add_marker(pytest.mark.asyncio(loop_scope="module"))
        """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_a_late_mark_is_hidden_by_one_without_keywords_in_the_code(suite, mode):
    result = suite(
        """
        loops = set()

        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", [1, 2])
        async def test_it(_):
            assert asyncio.get_running_loop() not in loops
            loops.add(asyncio.get_running_loop())
        """,
        f"--asyncio-mode={mode}",
        conftest="""
            def pytest_collection_modifyitems(items):
                for item in items:
                    item.add_marker(pytest.mark.asyncio(loop_scope="module"))
        """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("mark", ["", "@pytest.mark.asyncio"], ids=["marked late", "marked"])
def test_a_late_mark_may_have_the_deprecated_scope(suite, mark):
    result = suite(
        f"""
        loops = set()

        {mark}
        @pytest.mark.parametrize("_", [1, 2])
        async def test_it(_):
            loops.add(asyncio.get_running_loop())
            assert len(loops) == 1
        """,
        conftest="""
            def pytest_collection_modifyitems(items):
                for item in items:
                    item.add_marker(pytest.mark.asyncio(scope="session"), append=False)
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_late_mark_of_a_parameter_is_for_that_parameter(suite):
    result = suite(
        """
        @pytest.fixture(params=[1, 2])
        def number(request):
            return request.param

        async def test_it(number):
            asyncio.get_running_loop()
        """,
        "-Wdefault",
        "-rf",
        conftest="""
            def pytest_collection_modifyitems(items):
                for item in items:
                    if item.callspec.params["number"] == 1:
                        item.add_marker(pytest.mark.asyncio)
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("FAILED test_it.py::test_it[[]2] - *async def functions are not *")


def test_a_fixture_may_choose_the_loop_scope_of_its_test(suite):
    result = suite("""
        @pytest.fixture
        def on_the_shared_loop(request):
            request.applymarker(pytest.mark.asyncio(loop_scope="module"))

        @pytest_asyncio.fixture(loop_scope="module")
        async def loop():
            return asyncio.get_running_loop()

        async def test_it(on_the_shared_loop, loop):
            assert loop is asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1)


def test_a_mark_that_a_fixture_applies_to_an_async_test_comes_too_late_to_change_it(suite):
    result = suite("""
        @pytest.fixture
        def too_late(request):
            request.applymarker(pytest.mark.asyncio(loop_scope="module"))

        @pytest_asyncio.fixture
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio
        async def test_it(too_late, loop):
            assert loop is asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1)


def test_an_invalid_mark_that_a_fixture_applies_fails_the_test(suite):
    result = suite("""
        @pytest.fixture
        def invalid(request):
            request.applymarker(pytest.mark.asyncio(loop_scope="modul"))

        async def test_it(invalid):
            pass
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*mark.asyncio got an unexpected loop scope value 'modul'.*")
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_the_factories_of_late_marks_are_grouped_by_the_loops_that_tests_share(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def server():
            print("server:", type(asyncio.get_running_loop()).__name__)

        async def test_one(server): pass
        async def test_two(server): pass
        """,
        "-s",
        conftest=TWO_FACTORIES
        + """
    def pytest_collection_modifyitems(items):
        for item in items:
            item.add_marker(pytest.mark.asyncio(loop_scope="module"))
""",
    )
    result.assert_outcomes(passed=4)
    servers = [line[-1] for line in result.outlines if "server: " in line]
    assert servers == ["A", "B"]


def test_late_marks_keep_the_order_of_the_other_tests(suite):
    result = suite(
        """
        def test_first(): pass
        async def test_it(): pass
        def test_last(): pass
        """,
        "-v",
        conftest=TWO_FACTORIES
        + """
    def pytest_collection_modifyitems(items):
        items[1].add_marker(pytest.mark.asyncio)
""",
    )
    names = [line.split("::")[1].split()[0] for line in result.outlines if "PASSED" in line]
    assert names == ["test_first", "test_it[a]", "test_it[b]", "test_last"]


def test_variants_that_a_late_mark_does_not_select_are_reported_as_deselected(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            pass
        """,
        "-v",
        conftest=TWO_FACTORIES
        + """
    def pytest_collection_modifyitems(items):
        for item in items:
            item.add_marker(pytest.mark.asyncio(loop_factories=["a"]), append=False)

    def pytest_deselected(items):
        print("deselected:", *(item.name for item in items))
""",
    )
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["*deselected: test_it[[]b]", "*::test_it[[]a] PASSED*"])
