"""The hook `pytest_asyncio_loop_factories`: a test runs once with each factory that is offered."""

from __future__ import annotations

import pytest
from offers import LOOPS, OFFERS_A, OFFERS_A_AND_B, PRINTS_LOOP, loops_of

SCOPES = ("function", "class", "module", "package", "session")


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
        [
            (
                "test_it.py::test_it: mark.asyncio 'loop_factories' requires at least one "
                "pytest_asyncio_loop_factories hook implementation."
            ),
            "Without one there is 'asyncio'; asyncio_loop_factory names the one factory of all *",
        ]
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
