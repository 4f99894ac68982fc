"""The hook `pytest_asyncio_loop_factories`: a test runs once with each factory that is offered."""

from __future__ import annotations

import pytest

SCOPES = ("function", "class", "module", "package", "session")

LOOPS = """
    class A(asyncio.SelectorEventLoop): pass
    class B(asyncio.SelectorEventLoop): pass
"""
OFFERS_A = (
    LOOPS
    + """
    def pytest_asyncio_loop_factories(config, item):
        return {"a": A}
"""
)
OFFERS_A_AND_B = (
    LOOPS
    + """
    def pytest_asyncio_loop_factories(config, item):
        return {"a": A, "b": B}
"""
)
PRINTS_LOOP = """
    @pytest.mark.asyncio{arguments}
    async def test_it():
        print("loop:", type(asyncio.get_running_loop()).__name__)
"""


def loops_of(result: pytest.RunResult) -> list[str]:
    return [line.split("loop: ")[1] for line in result.outlines if "loop: " in line]


def test_each_factory_makes_a_variant_of_a_test_named_after_it(suite):
    result = suite(PRINTS_LOOP.format(arguments=""), "-v", "-s", conftest=OFFERS_A_AND_B)
    result.assert_outcomes(passed=2)
    assert loops_of(result) == ["A", "B"]
    result.stdout.fnmatch_lines(["test_it.py::test_it[[]a] *", "test_it.py::test_it[[]b] *"])


def test_a_single_factory_leaves_the_name_of_a_test_alone(suite):
    result = suite(PRINTS_LOOP.format(arguments=""), "-v", "-s", conftest=OFFERS_A)
    result.assert_outcomes(passed=1)
    assert loops_of(result) == ["A"]
    result.stdout.fnmatch_lines("test_it.py::test_it *")


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_a_single_factory_leaves_tests_in_their_order(suite, scope):
    test = """
        @pytest.mark.asyncio
        async def test_one(wide): print("ran: one")

        def test_two(): print("ran: two")

        @pytest.mark.asyncio
        async def test_three(wide): print("ran: three")
    """
    result = suite(
        test,
        "-s",
        ini=f"asyncio_default_test_loop_scope = {scope}",
        files={"test_next.py": test},
        conftest=OFFERS_A
        + """
    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def wide(): pass
""",
    )
    result.assert_outcomes(passed=6)
    ran = [line.split("ran: ")[1] for line in result.outlines if "ran: " in line]
    assert ran == ["one", "two", "three"] * 2


def test_several_factories_group_tests_by_the_loops_that_these_share(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_one(wide): pass

        def test_sync(): pass

        @pytest.mark.asyncio(loop_scope="module")
        async def test_two(wide): pass

        @pytest.mark.asyncio(loop_scope="module")
        async def test_three(): pass
        """,
        "--collect-only",
        "-q",
        conftest=OFFERS_A_AND_B
        + """
    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def wide(): pass
""",
    )
    names = [line.split("::")[1] for line in result.outlines if "::" in line]
    assert names == [
        "test_one[a]",
        "test_one[b]",
        "test_sync",
        "test_two[a]",
        "test_three[a]",
        "test_two[b]",
        "test_three[b]",
    ]


def test_the_hook_is_asked_once_for_a_test_that_has_a_single_factory(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        loops = []

        @pytest.mark.parametrize("_", range(2))
        async def test_it(_):
            loops.append(asyncio.get_running_loop())
            assert asyncio.get_running_loop() is loops[0]
        """,
        conftest="""
            import functools

            def pytest_asyncio_loop_factories():
                return {"own": functools.partial(asyncio.new_event_loop)}
        """,
    )
    result.assert_outcomes(passed=2)


def test_the_names_of_factories_join_those_of_other_parameters(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        @pytest.mark.parametrize("number", [1, 2])
        async def test_it(number):
            pass
        """,
        "--collect-only",
        "-q",
        conftest=OFFERS_A_AND_B,
    )
    names = [line.split("::")[1] for line in result.outlines if "::" in line]
    assert names == ["test_it[a-1]", "test_it[a-2]", "test_it[b-1]", "test_it[b-2]"]


def test_factories_apply_in_auto_mode(suite):
    result = suite(
        """
        async def test_it():
            assert type(asyncio.get_running_loop()).__name__ == "A"
        """,
        "--asyncio-mode=auto",
        conftest=OFFERS_A,
    )
    result.assert_outcomes(passed=1)


def test_sync_tests_are_not_parametrized(suite):
    result = suite("def test_it(): pass", "-v", conftest=OFFERS_A_AND_B)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("test_it.py::test_it *")


def test_the_async_fixtures_of_a_sync_test_use_the_first_factory(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def loop():
            return asyncio.get_running_loop()

        def test_it(loop):
            assert type(loop).__name__ == "A"
        """,
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=1)


def test_the_mark_selects_factories_in_its_own_order(suite):
    result = suite(
        PRINTS_LOOP.format(arguments='(loop_factories=["b", "a"])'),
        "-v",
        "-s",
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=2)
    assert loops_of(result) == ["B", "A"]


@pytest.mark.parametrize("factories", ['["b"]', '("b",)'])
def test_the_mark_may_select_one_factory(suite, factories):
    result = suite(
        PRINTS_LOOP.format(arguments=f"(loop_factories={factories})"),
        "-v",
        "-s",
        conftest=OFFERS_A_AND_B,
    )
    assert loops_of(result) == ["B"]
    result.stdout.fnmatch_lines("test_it.py::test_it *")


def test_a_factory_that_is_not_available_skips_its_variant(suite):
    result = suite(
        PRINTS_LOOP.format(arguments='(loop_factories=["a", "missing"])'),
        "-rs",
        "-s",
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        "SKIPPED *: Loop factory 'missing' is not available. Available factories: a, b."
    )


def test_a_test_whose_only_factory_is_not_available_is_skipped(suite):
    result = suite(PRINTS_LOOP.format(arguments='(loop_factories=["missing"])'), conftest=OFFERS_A)
    result.assert_outcomes(skipped=1)


def test_factories_that_nothing_offers_fail_the_test(suite):
    result = suite(PRINTS_LOOP.format(arguments='(loop_factories=["a"])'))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: mark.asyncio 'loop_factories' requires at least one "
        "pytest_asyncio_loop_factories hook implementation."
    )


LATE_MARK = (
    OFFERS_A_AND_B
    + """
    def pytest_collection_modifyitems(items):
        for item in items:
            item.add_marker(pytest.mark.asyncio({arguments}))
"""
)


@pytest.mark.parametrize(
    ("parameters", "loops"), [(1, ["A0", "B0"]), (2, ["A0", "A1", "B0", "B1"])]
)
def test_a_late_mark_makes_variants(suite, parameters, loops):
    result = suite(
        f"""
        @pytest.mark.parametrize("number", range({parameters}))
        async def test_it(number):
            print(f"loop: {{type(asyncio.get_running_loop()).__name__}}{{number}}")
        """,
        "-s",
        "-v",
        conftest=LATE_MARK.replace("{arguments}", 'loop_factories=["b", "a"]'),
    )
    result.assert_outcomes(passed=len(loops))
    assert sorted(loops_of(result)) == loops
    result.stdout.fnmatch_lines(["*::test_it[[]0-b] *", "*::test_it[[]0-a] *"])


def test_variants_of_a_late_mark_share_the_loop_of_their_widest_fixture(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module")
        async def wide():
            return asyncio.get_running_loop()

        async def test_it(wide):
            assert asyncio.get_running_loop() is wide
        """,
        conftest="""
        def pytest_asyncio_loop_factories():
            return {"a": asyncio.new_event_loop, "b": asyncio.SelectorEventLoop}

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.asyncio)
        """,
        ini="asyncio_loop_scope = auto",
    )
    result.assert_outcomes(passed=2)


def test_a_late_mark_that_selects_one_factory_leaves_the_name_of_a_test_alone(suite):
    result = suite(
        """
        async def test_it():
            assert type(asyncio.get_running_loop()).__name__ == "B"
        """,
        "-v",
        conftest=LATE_MARK.replace("{arguments}", 'loop_factories=["b"]'),
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("test_it.py::test_it PASSED*")


def test_a_late_mark_without_a_selection_makes_a_variant_for_each_factory(suite):
    result = suite("async def test_it(): pass", conftest=LATE_MARK.replace("{arguments}", ""))
    result.assert_outcomes(passed=2)


def test_a_late_mark_skips_a_factory_that_is_not_available(suite):
    result = suite(
        "async def test_it(): pass",
        "-rs",
        conftest=LATE_MARK.replace("{arguments}", 'loop_factories=["a", "missing"]'),
    )
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines("SKIPPED *: Loop factory 'missing' is not available. *")


def test_an_invalid_late_mark_fails_its_test(suite):
    result = suite(
        "async def test_it(): pass",
        conftest=LATE_MARK.replace("{arguments}", "loop_factories=[]"),
    )
    result.assert_outcomes(errors=1)


def test_a_late_mark_says_nothing_about_sync_tests(suite):
    result = suite(
        """
        @pytest.mark.parametrize("number", [1, 2])
        def test_it(number):
            pass
        """,
        "-Wdefault",
        conftest=LATE_MARK.replace("{arguments}", 'loop_factories=["a"]'),
    )
    result.assert_outcomes(passed=2)


def test_a_mark_that_a_fixture_applies_selects_the_first_of_its_factories(suite):
    result = suite(
        """
        @pytest.fixture(autouse=True)
        def asynchronous(request):
            request.applymarker(pytest.mark.asyncio(loop_factories=["b", "a"]))

        async def test_it():
            assert type(asyncio.get_running_loop()).__name__ == "B"
        """,
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("factories", "shown"),
    [
        ("{}", "{}"),
        ("{'': A}", "{'': *}"),
        ("{1: A}", "{1: *}"),
        ("{'a': 1}", "{'a': 1}"),
        ("[A]", "[[]*]"),
        ("A", "<class 'conftest.A'>"),
    ],
)
def test_what_is_not_a_mapping_of_names_to_callables_fails_the_test(suite, factories, shown):
    result = suite(
        PRINTS_LOOP.format(arguments="") + "\n    def test_sync(): pass\n",
        conftest=LOOPS
        + f"""
    def pytest_asyncio_loop_factories(config, item):
        return {factories}
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: pytest_asyncio_loop_factories must return a non-empty mapping of "
        f"factory names to callables, not {shown}."
    )


def test_none_means_that_the_next_implementation_is_asked(suite):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        "-s",
        conftest=LOOPS
        + """
    class Second:
        def pytest_asyncio_loop_factories(self, config, item):
            return {"b": B}

    def pytest_configure(config):
        config.pluginmanager.register(Second())

    @pytest.hookimpl(tryfirst=True)
    def pytest_asyncio_loop_factories(config, item):
        return None
""",
    )
    result.assert_outcomes(passed=1)
    assert loops_of(result) == ["B"]


def test_where_none_has_an_opinion_the_loop_is_the_default_one(suite):
    other = PRINTS_LOOP.format(arguments="")
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        "-s",
        conftest=LOOPS
        + """
    def pytest_asyncio_loop_factories(item):
        return {"a": A, "b": B} if item.path.name == "test_it.py" else None
""",
        files={"test_other.py": other, "test_synchronous.py": "def test_it(): pass"},
        ini="asyncio_loop_factory = asyncio.SelectorEventLoop",
    )
    result.assert_outcomes(passed=4)
    assert sorted(loops_of(result)) == ["A", "B", "_UnixSelectorEventLoop"]


@pytest.mark.parametrize("body", ["return None", "pass", "if item: return\n        return None"])
def test_a_hook_that_never_returns_anything_is_an_error_of_each_test(suite, body):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        conftest=f"""
    def pytest_asyncio_loop_factories(item):
        {body}
""",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: pytest_asyncio_loop_factories must return a non-empty mapping of "
        "factory names to callables, not None."
    )


def test_a_mark_has_nothing_to_choose_from_where_none_has_an_opinion(suite):
    result = suite(
        """
        @pytest.mark.asyncio(loop_factories=["a"])
        async def test_it():
            pass
        """,
        conftest="def pytest_asyncio_loop_factories(item): return getattr(item, 'factories', None)",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: mark.asyncio 'loop_factories' requires at least one "
        "pytest_asyncio_loop_factories hook implementation."
    )


def test_the_conftest_next_to_the_test_is_asked_first(suite):
    test = PRINTS_LOOP.format(arguments="")
    result = suite(
        test,
        "-s",
        conftest=OFFERS_A,
        files={
            "sub/test_sub.py": test,
            "sub/conftest.py": LOOPS
            + """
    def pytest_asyncio_loop_factories(config, item):
        return {"b": B}
""",
        },
    )
    result.assert_outcomes(passed=2)
    assert sorted(loops_of(result)) == ["A", "B"]


def test_a_conftest_says_nothing_about_tests_outside_of_its_folder(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            assert type(asyncio.get_running_loop()).__name__ not in {"A", "B"}

        @pytest.mark.asyncio(loop_factories=["a"])
        async def test_nothing_is_offered():
            pass
        """,
        files={"sub/conftest.py": OFFERS_A_AND_B, "sub/test_sub.py": "def test_sub(): pass"},
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines("*mark.asyncio 'loop_factories' requires at least one *")


@pytest.mark.parametrize("scope", SCOPES)
def test_factories_may_differ_from_test_to_test(suite, scope):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        async def test_a(loop):
            assert type(asyncio.get_running_loop()).__name__ == type(loop).__name__ == "A"

        async def test_b(loop):
            assert type(asyncio.get_running_loop()).__name__ == type(loop).__name__ == "B"

        async def test_a_again(loop):
            assert type(asyncio.get_running_loop()).__name__ == type(loop).__name__ == "A"
        """,
        ini=f"asyncio_default_test_loop_scope = {scope}",
        conftest=LOOPS
        + f"""
    @pytest_asyncio.fixture(loop_scope="{scope}", scope="{scope}")
    async def loop():
        yield asyncio.get_running_loop()

    def pytest_asyncio_loop_factories(config, item):
        return {{"a": A}} if "_a" in item.name else {{"b": B}}
""",
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_fixture_lives_once_for_each_factory(suite, scope):
    test = """
        @pytest.mark.asyncio(loop_scope="LOOP_SCOPE")
        async def test_one(server):
            assert type(asyncio.get_running_loop()).__name__ == server

        @pytest.mark.asyncio(loop_scope="LOOP_SCOPE")
        async def test_two(server):
            assert type(asyncio.get_running_loop()).__name__ == server
    """.replace("LOOP_SCOPE", scope)
    result = suite(
        "",
        "-s",
        conftest=OFFERS_A_AND_B
        + f"""
    @pytest_asyncio.fixture(scope="{scope}", loop_scope="{scope}")
    async def server():
        name = type(asyncio.get_running_loop()).__name__
        print("server loop:", name)
        yield name
""",
        files={"pkg/__init__.py": "", "pkg/test_a.py": test, "pkg/test_b.py": test},
    )
    result.assert_outcomes(passed=8)
    servers_of_each = {"session": 1, "package": 1, "module": 2}.get(scope, 4)
    assert sorted(loops_of(result)) == ["A"] * servers_of_each + ["B"] * servers_of_each


def test_other_parameters_do_not_part_the_tests_of_a_factory(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="session")

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def server():
            print("loop:", type(asyncio.get_running_loop()).__name__)

        @pytest.mark.parametrize("_", "xy")
        async def test_one(server, _): pass

        @pytest.mark.parametrize("_", "xyz")
        async def test_two(server, _): pass
        """,
        "-s",
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=10)
    assert loops_of(result) == ["A", "B"]


@pytest.mark.parametrize("clock", ["real", "virtual"])
@pytest.mark.parametrize("paths", [["test_a.py", "pkg"], ["pkg", "test_a.py"]], ids=" ".join)
def test_a_fixture_lives_once_more_where_only_some_tests_have_factories(suite, paths, clock):
    test = """
        @pytest.mark.asyncio(loop_scope="session")
        async def test_it(loop):
            assert asyncio.get_running_loop() is loop
    """
    result = suite(
        "",
        *paths,
        ini=f"asyncio_clock = {clock}",
        conftest="""
        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def loop():
            yield asyncio.get_running_loop()
        """,
        files={
            "test_a.py": test,
            "pkg/test_b.py": test,
            "pkg/conftest.py": """
            def pytest_asyncio_loop_factories(config, item):
                return {"a": asyncio.SelectorEventLoop}
            """,
        },
    )
    result.assert_outcomes(passed=2)


def test_a_sync_test_between_two_async_ones_disturbs_no_fixture(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="session")
        async def server():
            print("loop: server")
            yield

        @pytest.mark.asyncio(loop_scope="session")
        async def test_one(server): pass

        def test_sync(server): pass

        @pytest.mark.asyncio(loop_scope="session")
        async def test_two(server): pass
        """,
        "-s",
        conftest=OFFERS_A,
    )
    result.assert_outcomes(passed=3)
    assert loops_of(result) == ["server"]


def test_functions_that_the_hook_makes_anew_are_one_factory(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        loops = set()

        async def test_one():
            loops.add(asyncio.get_running_loop())

        async def test_two():
            assert asyncio.get_running_loop() in loops
        """,
        conftest=LOOPS
        + """
    def pytest_asyncio_loop_factories(config, item):
        kind = A
        return {"a": lambda: kind()}
""",
    )
    result.assert_outcomes(passed=2)


def test_functions_with_other_variables_are_other_factories(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_a():
            assert type(asyncio.get_running_loop()).__name__ == "A"

        async def test_b():
            assert type(asyncio.get_running_loop()).__name__ == "B"
        """,
        conftest=LOOPS
        + """
    def pytest_asyncio_loop_factories(config, item):
        kind = A if item.name == "test_a" else B
        return {"custom": lambda: kind()}
""",
    )
    result.assert_outcomes(passed=2)


def test_a_factory_that_raises_fails_its_test(suite):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        conftest="""
            def broken():
                raise OSError("too many loops")

            def pytest_asyncio_loop_factories(config, item):
                return {"broken": broken}
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("E * OSError: too many loops")
    result.stdout.no_fnmatch_line("*pytest_asyncio*loops.py*")


def test_a_factory_that_makes_no_loop_fails_its_test_by_the_name_of_the_factory(suite):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        conftest="""
            def pytest_asyncio_loop_factories(config, item):
                return {"broken": lambda: 1}
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: the loop factory 'broken' returned 1, which is not an event loop."
    )


def test_a_factory_that_returns_its_closed_loop_again_fails_the_next_test(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(): pass

        @pytest.mark.asyncio
        async def test_next(): pass
        """,
        conftest="""
            loop = asyncio.new_event_loop()

            def pytest_asyncio_loop_factories(config, item):
                return {"one": lambda: loop}
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_next: the loop factory 'one' returned an event loop that is closed. *"
    )


@pytest.mark.parametrize("mark", ["", "(clock='virtual')"])
@pytest.mark.parametrize("factory", ["len", "lambda loop: loop", "broken"])
def test_a_factory_that_cannot_be_called_without_arguments_is_reported(suite, factory, mark):
    result = suite(
        PRINTS_LOOP.format(arguments=mark),
        conftest=f"""
            async def broken(loop):
                pass

            def pytest_asyncio_loop_factories(config, item):
                return {{"own": {factory}}}
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: the loop factory 'own', called without arguments, raised TypeError: *"
    )
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py*")


def test_a_factory_whose_own_code_raises_a_type_error_shows_that_code(suite):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        conftest="""
            def pytest_asyncio_loop_factories(config, item):
                return {"own": lambda: len()}
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [">   *lambda: len()*", "E * TypeError: len() *", "conftest.py:*: TypeError"]
    )
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py*")


def test_a_hook_that_raises_shows_its_own_code_only(suite):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        conftest="""
            def pytest_asyncio_loop_factories(config, item):
                raise OSError("no loops today")
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["conftest.py:*", "E   OSError: no loops today"])
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py*")


def test_late_variants_are_grouped_although_others_are_deselected(suite):
    result = suite(
        """
        async def test_one(): pass

        @pytest.mark.asyncio(loop_scope="module")
        async def test_two(): pass
        """,
        "-v",
        conftest=OFFERS_A_AND_B
        + """
    def pytest_collection_modifyitems(items):
        one, *two = items
        one.add_marker(pytest.mark.asyncio(loop_scope="module"))
        for item in two:
            item.add_marker(pytest.mark.asyncio(loop_factories=["a"]))
""",
    )
    result.assert_outcomes(passed=3, deselected=1)
    result.stdout.fnmatch_lines(["*::test_one[[]a] *", "*::test_two[[]a] *", "*::test_one[[]b] *"])


def test_a_hook_that_raises_for_a_late_mark_fails_that_test_only(suite):
    result = suite(
        "async def test_it(): pass\ndef test_sync(): pass",
        conftest="""
            def pytest_asyncio_loop_factories(config, item):
                raise OSError("no loops today")

            def pytest_collection_modifyitems(items):
                items[0].add_marker(pytest.mark.asyncio)
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["conftest.py:*: OSError"])
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py*")


def test_uvloop_can_be_one_of_the_factories(suite):
    pytest.importorskip("uvloop")
    result = suite(
        """
        import uvloop

        @pytest_asyncio.fixture(scope="module")
        async def wide():
            task = asyncio.create_task(asyncio.Event().wait())
            yield asyncio.get_running_loop()
            task.cancel()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(wide):
            assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
            assert wide is asyncio.get_running_loop()
            asyncio.create_task(asyncio.Event().wait())
            await asyncio.to_thread(int)
        """,
        conftest="""
            import uvloop

            def pytest_asyncio_loop_factories(config, item):
                return {"uvloop": uvloop.new_event_loop}
        """,
    )
    result.assert_outcomes(passed=1)


LEFT_OPEN = """
    LEFT = []

    @pytest.mark.asyncio(loop_scope="{scope}")
    async def test_leaves_a_server_and_a_connection():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        LEFT.extend([server, await loop.create_connection(asyncio.Protocol, *address)])

    @pytest.mark.asyncio
    async def test_next(): ...
"""
OFFERS_UVLOOP = """
    import uvloop

    def pytest_asyncio_loop_factories(config, item):
        return {"uvloop": uvloop.new_event_loop}
"""


@pytest.mark.parametrize("scope", ["function", "session"])
def test_what_is_left_open_on_uvloop_is_an_error_where_warnings_are(suite, scope):
    pytest.importorskip("uvloop")
    result = suite(LEFT_OPEN.format(scope=scope), conftest=OFFERS_UVLOOP)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines("*ResourceWarning: unclosed resource <TCPServer *")
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py*")


def test_what_is_left_open_on_uvloop_is_warned_of_at_its_test(suite):
    pytest.importorskip("uvloop")
    result = suite(LEFT_OPEN.format(scope="function"), "-Wdefault", conftest=OFFERS_UVLOOP)
    result.assert_outcomes(passed=2, warnings=3)
    result.stdout.fnmatch_lines("*test_it.py:*: ResourceWarning: unclosed resource <TCPServer *")


def test_sync_fixtures_find_the_loop_of_the_factory(suite):
    result = suite(
        """
        @pytest.fixture
        def found():
            return asyncio.get_event_loop()

        @pytest.mark.asyncio
        async def test_it(found):
            assert found is asyncio.get_running_loop()
        """,
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=2)


SERVER = """
    @pytest_asyncio.fixture(scope="session")
    async def server():
        name = type(asyncio.get_running_loop()).__name__
        print("server loop:", name)
        yield name
        assert type(asyncio.get_running_loop()).__name__ == name
"""


def test_in_any_order_a_fixture_lives_with_the_factory_of_its_test(suite):
    result = suite(
        """
        @pytest.fixture(scope="session")
        def client(server):
            return f"client of {server}"

        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", [1, 2])
        async def test_it(client, server, _):
            assert client == f"client of {server}"
            assert type(asyncio.get_running_loop()).__name__ == server
        """,
        "-s",
        conftest=OFFERS_A_AND_B
        + SERVER
        + """
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(items):
        items[:] = [items[0], items[2], items[1], items[3]]
""",
    )
    result.assert_outcomes(passed=4)
    assert loops_of(result) == ["A", "B", "A", "B"]


@pytest.mark.parametrize(
    "between",
    [
        "def test_two(): pass",
        "def test_two(server): pass",
        "pytestmark = pytest.mark.asyncio\n\n        def test_two(server): pass",
    ],
    ids=["sync", "sync with the fixture", "sync with fixture and mark"],
)
def test_a_sync_test_leaves_the_fixture_of_another_factory_alone(suite, between):
    result = suite(
        f"""
        @pytest.mark.asyncio(loop_factories=["b"])
        async def test_one(server): pass

        {between}

        @pytest.mark.asyncio(loop_factories=["b"])
        async def test_three(server): pass
        """,
        "-s",
        conftest=OFFERS_A_AND_B
        + SERVER
        + """
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(items):
        items.sort(key=lambda item: ["test_one", "test_two", "test_three"].index(item.originalname))
""",
    )
    result.assert_outcomes(passed=3)
    assert loops_of(result) == ["B"]


def test_a_loop_that_cannot_be_made_fails_its_test_and_not_the_wide_fixture_that_was_next(suite):
    result = suite(
        """
        @pytest.fixture(scope="session")
        def wide():
            return 5

        @pytest.mark.asyncio
        async def test_first(wide): pass

        def test_sync(wide):
            assert wide == 5

        @pytest.mark.asyncio
        async def test_async(wide):
            assert wide == 5
        """,
        conftest="""
            calls = []

            def make():
                calls.append(True)
                if len(calls) == 1:
                    raise OSError("too many loops")
                return asyncio.new_event_loop()

            def pytest_asyncio_loop_factories():
                return {"own": make}
        """,
    )
    result.assert_outcomes(errors=1, passed=2)


@pytest.mark.parametrize("scope", ["module", "session"])
def test_with_another_factory_all_of_the_one_before_has_ended_in_reverse_order(suite, scope):
    result = suite(
        """
        import contextvars

        pytestmark = pytest.mark.asyncio(loop_scope="SCOPE")
        events = []
        user = contextvars.ContextVar("user", default="nobody")

        @pytest_asyncio.fixture(scope="SCOPE")
        async def database():
            user.set("admin")
            events.append("up")
            yield
            assert events.pop() == "up"

        @pytest.fixture(scope="SCOPE")
        def client(database):
            events.append("client")
            yield
            assert events.pop() == "client"

        @pytest_asyncio.fixture(scope="module", loop_scope="session")
        async def server():
            events.append("server")
            yield
            assert events.pop() == "server"

        async def test_before():
            assert not events
            assert user.get() == "nobody"

        async def test_it(client, server):
            assert events == ["up", "client", "server"]
        """.replace("SCOPE", scope),
        "-v",
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=4)
    tests = [line.split("::")[1].split()[0] for line in result.outlines if "PASSED" in line]
    assert tests == ["test_before[a]", "test_it[a]", "test_before[b]", "test_it[b]"]


def test_what_fails_while_a_factory_ends_is_reported_by_the_test_with_the_next_one(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        @pytest_asyncio.fixture(scope="module")
        async def first():
            yield
            raise ValueError("first is down")

        @pytest_asyncio.fixture(scope="module")
        async def second():
            yield
            raise ValueError("second is down")

        async def test_it(first, second): pass
        """,
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_it[[]b[]]*", "*ValueError: second is down", "*first is down"]
    )


def test_two_names_of_one_factory_share_its_loops(suite):
    result = suite(
        """
        loops = set()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it():
            loops.add(asyncio.get_running_loop())
            assert len(loops) == 1
        """,
        conftest="""
            def pytest_asyncio_loop_factories():
                return {"one": asyncio.new_event_loop, "two": asyncio.new_event_loop}
        """,
    )
    result.assert_outcomes(passed=2)
