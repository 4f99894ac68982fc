"""Loop scopes: which tests and fixtures share a loop."""

from __future__ import annotations

import pytest

SCOPES = ("function", "class", "module", "package", "session")


# Two tests for each step of the tree. Each reports by `see(...)` which loop it runs on.
TREE_TEST = """
    pytestmark = pytest.mark.asyncio

    async def test_one(see): see()
    async def test_two(see): see()

    class TestIt:
        async def test_one(self, see): see()
        async def test_two(self, see): see()
"""


TREE_FILES = {
    "test_top.py": TREE_TEST,
    "pkg/__init__.py": "",
    "pkg/test_a.py": TREE_TEST,
    "pkg/test_b.py": TREE_TEST,
    "pkg/sub/__init__.py": "",
    "pkg/sub/test_c.py": TREE_TEST,
}


TREE_CONFTEST = """
    loops = []
    seen = {}

    @pytest.fixture
    def see(request):
        def see():
            loop = asyncio.get_running_loop()
            if loop not in loops:
                loops.append(loop)
            seen[request.node.nodeid] = loops.index(loop)
        return see

    def pytest_terminal_summary(terminalreporter):
        groups = [[name for name in seen if seen[name] == i] for i in range(len(loops))]
        terminalreporter.write_line(f"loops: {[len(group) for group in groups]}")
"""


@pytest.mark.parametrize(
    ("scope", "tests_on_each_loop"),
    [
        ("function", [1] * 16),
        # A function outside of a class is a class of its own.
        ("class", [1, 1, 2] * 4),
        ("module", [4, 4, 4, 4]),
        # What is in no package runs on the session's loop, and a sub-package on its own.
        ("package", [8, 4, 4]),
        ("session", [16]),
    ],
)
def test_a_loop_is_shared_by_the_tests_in_its_scope(suite, scope, tests_on_each_loop):
    result = suite(
        conftest=TREE_CONFTEST, files=TREE_FILES, ini=f"asyncio_default_test_loop_scope = {scope}"
    )
    result.assert_outcomes(passed=16)
    (line,) = (line for line in result.outlines if line.startswith("loops: "))
    assert sorted(eval(line.removeprefix("loops: "))) == sorted(tests_on_each_loop)


@pytest.mark.parametrize("scope", SCOPES)
def test_each_loop_scope_may_be_written_on_a_test(suite, scope):
    result = suite(f"""
        loops = set()

        class TestIt:
            @pytest.mark.asyncio(loop_scope="{scope}")
            async def test_one(self):
                loops.add(asyncio.get_running_loop())

            @pytest.mark.asyncio(loop_scope="{scope}")
            async def test_two(self):
                assert (asyncio.get_running_loop() in loops) == ("{scope}" != "function")
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("test_scope", SCOPES)
@pytest.mark.parametrize("fixture_scope", SCOPES)
def test_test_and_fixture_share_a_loop_if_they_have_the_same_loop_scope(
    suite, test_scope, fixture_scope
):
    result = suite(
        f"""
        class TestIt:
            @pytest.mark.asyncio(loop_scope="{test_scope}")
            async def test_it(self, loop):
                is_same = loop is asyncio.get_running_loop()
                assert is_same == ("{test_scope}" == "{fixture_scope}")
        """,
        files={
            "__init__.py": "",
            "conftest.py": f"""
                @pytest_asyncio.fixture(loop_scope="{fixture_scope}")
                async def loop():
                    return asyncio.get_running_loop()
            """,
        },
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("scope", "loop_scope"),
    [(scope, loop) for i, scope in enumerate(SCOPES) for loop in SCOPES[i:]],
)
def test_the_loop_scope_of_a_fixture_may_be_wider_than_its_scope(suite, scope, loop_scope):
    result = suite(
        f"""
        @pytest_asyncio.fixture(scope="{scope}", loop_scope="{loop_scope}")
        async def loop():
            loop = asyncio.get_running_loop()
            yield loop
            assert loop is asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="{loop_scope}")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
        """,
        files={"__init__.py": ""},
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("default", ["", "fixture-scope", *SCOPES])
def test_the_default_loop_scope_of_a_fixture_is_at_least_its_scope(suite, scope, default):
    expected = max(scope, default, key=lambda name: SCOPES.index(name) if name in SCOPES else -1)
    result = suite(
        f"""
        @pytest_asyncio.fixture(scope="{scope}")
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="{expected}")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
        """,
        ini=f"asyncio_default_fixture_loop_scope = {default}",
        files={"__init__.py": ""},
    )
    result.assert_outcomes(passed=1)


def test_a_parameter_that_lasts_longer_than_its_fixture_widens_its_loop(suite):
    result = suite("""
        @pytest_asyncio.fixture(loop_scope="function")
        async def number(request):
            loop = asyncio.get_running_loop()
            yield request.param
            assert asyncio.get_running_loop() is loop

        @pytest.mark.asyncio
        @pytest.mark.parametrize("number", [1, 2], indirect=True, scope="module")
        async def test_it(number):
            pass
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("scope", "loop_scope"),
    [(scope, loop) for i, scope in enumerate(SCOPES) for loop in SCOPES[:i]],
)
def test_a_narrower_loop_scope_is_refused_with_both_scopes(suite, scope, loop_scope):
    result = suite(f"""
        @pytest_asyncio.fixture(scope="{scope}", loop_scope="{loop_scope}")
        async def database():
            pass

        @pytest.mark.asyncio
        async def test_it(database):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        f"Fixture 'database' has scope='{scope}' and loop_scope='{loop_scope}': its loop would be "
        f"closed before the fixture is torn down. Write loop_scope='{scope}' or a wider one."
    )


def test_an_unknown_loop_scope_of_a_fixture_is_refused(suite):
    result = suite("""
        @pytest_asyncio.fixture(loop_scope="modul")
        async def database():
            pass

        @pytest.mark.asyncio
        async def test_it(database):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("Fixture 'database': 'modul' is not a valid loop_scope. *")


def test_packages_share_a_loop_with_the_package_fixtures_that_they_see(suite):
    test = """
        @pytest.mark.asyncio(loop_scope="package")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
    """
    result = suite(
        "def test_first(): pass",
        "-s",
        conftest="""
            @pytest_asyncio.fixture(scope="package", loop_scope="package")
            async def loop():
                print("set up")
                loop = asyncio.get_running_loop()
                yield loop
                assert loop is asyncio.get_running_loop()
        """,
        files={
            "a/__init__.py": "",
            "a/test_a.py": test,
            "a/c/__init__.py": "",
            "a/c/test_c.py": test,
            "b/__init__.py": "",
            "b/test_b.py": test,
        },
    )
    result.assert_outcomes(passed=4)
    assert str(result.stdout).count("set up") == 1


def test_packages_that_see_a_package_fixture_share_a_loop_although_they_do_not_use_it(suite):
    fixture = """
        @pytest_asyncio.fixture(scope="package")
        async def used():
            return asyncio.get_running_loop()
    """
    result = suite(
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
        files={
            "a/__init__.py": "",
            "a/conftest.py": "        loops = set()\n" + fixture,
            "a/b/__init__.py": "",
            "a/b/conftest.py": fixture.replace("used", "inner"),
            "a/b/test_b.py": """
                from ..conftest import loops

                @pytest.mark.asyncio(loop_scope="package")
                async def test_it(inner):
                    loops.add(asyncio.get_running_loop())
                    assert loops == {inner}
            """,
            "a/test_a.py": """
                from .conftest import loops

                @pytest.mark.asyncio(loop_scope="package")
                async def test_it(request):
                    loops.add(asyncio.get_running_loop())

                def test_dynamically(request):
                    assert loops == {request.getfixturevalue("used")}
            """,
        },
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    "arguments", ["loop_scope='session'", "loop_scope='function'", "loop_scope='packet'"]
)
def test_fixtures_on_other_loops_let_each_package_have_its_own(suite, arguments):
    test = """
        @pytest.mark.asyncio(loop_scope="package")
        async def test_it():
            loops.add(asyncio.get_running_loop())
            assert len(loops) == {count}
    """
    result = suite(
        conftest=f"""
            @pytest_asyncio.fixture(scope="package", {arguments})
            async def other(): pass
        """,
        files={
            "a/__init__.py": "loops = set()",
            "a/test_a.py": "        from . import loops\n" + test.format(count=2),
            "a/b/__init__.py": "",
            "a/b/test_b.py": "        from .. import loops\n" + test.format(count=1),
        },
    )
    result.assert_outcomes(passed=2)


def test_a_package_fixture_is_shared_by_the_packages_below(suite):
    test = "def test_it(setups): assert setups == [1]"
    result = suite(
        files={
            "a/__init__.py": "",
            "a/conftest.py": """
                count = []

                @pytest_asyncio.fixture(scope="package", loop_scope="package")
                async def setups():
                    count.append(1)
                    return count
            """,
            "a/one/__init__.py": "",
            "a/one/test_one.py": test,
            "a/two/__init__.py": "",
            "a/two/test_two.py": test,
        },
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("first", ["TestOuter", "TestInner"])
def test_a_class_shares_the_loop_that_the_class_around_it_has_by_then(suite, first):
    inner = """
            class TestInner:
                class TestInnermost:
                    async def test_innermost(self, loop):
                        assert asyncio.get_running_loop() is loop
                        loops.append(loop)

                async def test_inner(self, loop):
                    assert asyncio.get_running_loop() is loop
                    loops.append(loop)
    """
    outer = """
            async def test_outer(self, loop):
                assert asyncio.get_running_loop() is loop
                loops.append(loop)
    """
    result = suite(
        """
        loops = []

        @pytest.mark.asyncio(loop_scope="class")
        class TestOuter:
            @pytest_asyncio.fixture(scope="class", loop_scope="class")
            @classmethod
            async def loop(cls):
                yield asyncio.get_running_loop()
    """
        + (outer + inner if first == "TestOuter" else inner + outer)
        + """
        def test_loops():
            assert len(set(loops)) == COUNT
    """.replace("COUNT", "1" if first == "TestOuter" else "3")
    )
    result.assert_outcomes(passed=4)


def test_a_module_within_a_module_shares_its_loop_as_a_block_of_pytest_describe_does(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def loop():
            yield asyncio.get_running_loop()

        def describe_it():
            async def test_outer(loop):
                assert asyncio.get_running_loop() is loop

            def describe_more():
                async def test_inner(loop):
                    assert asyncio.get_running_loop() is loop

                return locals()

            return locals()

        def describe_other():
            async def test_other(loop):
                assert asyncio.get_running_loop() is loop

            return locals()
        """,
        conftest="""
        import types

        class Block(pytest.Module):
            def _getobj(self):
                module = types.ModuleType(self.name)
                vars(module).update(getattr(self.parent.obj, self.name)())
                return module

        def pytest_pycollect_makeitem(collector, name, obj):
            if name.startswith("describe_"):
                nodeid = f"{collector.nodeid}::{name}"
                block = Block.from_parent(collector, path=collector.path, nodeid=nodeid)
                block.name = name
                return block
        """,
    )
    result.assert_outcomes(passed=3)


def test_what_is_in_no_module_is_its_own(suite):
    result = suite(
        "",
        "--asyncio-mode=auto",
        ini="asyncio_default_test_loop_scope = module",
        conftest="""
        class Suite(pytest.File):
            def collect(self):
                async def test():
                    await asyncio.sleep(0)

                yield pytest.Function.from_parent(self, name="test_it", callobj=test)

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".suite":
                return Suite.from_parent(parent, path=file_path)
        """,
        files={"one.suite": ""},
    )
    result.assert_outcomes(passed=1)


def test_a_wide_fixture_that_a_parameter_sets_up_for_each_test_keeps_the_loop_of_its_scope(suite):
    result = suite(
        """
        @pytest.fixture
        def wide(request, wide):
            return request.param, wide

        class TestIt:
            @pytest.mark.parametrize("wide", ["x", "y"], indirect=True)
            def test_it(self, wide):
                loops.add(wide[1])
                assert len(loops) == 1

        loops = set()
        """,
        conftest="""
        @pytest_asyncio.fixture(scope="session")
        async def wide(request):
            return asyncio.get_running_loop()
        """,
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
    )
    result.assert_outcomes(passed=2)
