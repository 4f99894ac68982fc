"""The deprecated override of the fixture `event_loop_policy`."""

from __future__ import annotations

import asyncio
import sys

import pytest

SCOPES = ("function", "class", "module", "package", "session")

# From Python 3.14 on, the very names of policies warn.
pytestmark = pytest.mark.filterwarnings("ignore:'?asyncio.*is deprecated:DeprecationWarning")
IGNORED = ("-Wignore::DeprecationWarning", "-Wignore::pytest.PytestDeprecationWarning")

POLICY = """
    class Loop(asyncio.SelectorEventLoop): pass
    class OtherLoop(asyncio.SelectorEventLoop): pass

    class Policy(asyncio.DefaultEventLoopPolicy):
        _loop_factory = Loop

    class OtherPolicy(asyncio.DefaultEventLoopPolicy):
        _loop_factory = OtherLoop

    def name_of(loop):
        return type(loop).__name__
"""
OVERRIDE = (
    POLICY
    + """
    @pytest.fixture(scope="{scope}"{more})
    def event_loop_policy(request):
        return {policy}
"""
)
PRINTS_LOOP = """
    @pytest_asyncio.fixture(loop_scope="{scope}")
    async def loop():
        return asyncio.get_running_loop()

    @pytest.mark.asyncio(loop_scope="{scope}")
    async def test_it(loop):
        assert loop is asyncio.get_running_loop()
        print("loop:", type(loop).__name__)
"""


def override(policy: str = "Policy()", scope: str = "session", more: str = "") -> str:
    return OVERRIDE.format(policy=policy, scope=scope, more=more)


def loops_of(result: pytest.RunResult) -> list[str]:
    return [line.split("loop: ")[1] for line in result.outlines if "loop: " in line]


@pytest.mark.parametrize(
    "function",
    [
        "set_event_loop_policy",
        pytest.param(
            "get_event_loop_policy",
            marks=pytest.mark.skipif(
                sys.version_info < (3, 14), reason="asyncio itself asks the policy for a loop"
            ),
        ),
    ],
)
def test_a_suite_that_overrides_nothing_needs_no_policy(suite, monkeypatch, function):
    monkeypatch.delattr(asyncio, function)
    result = suite("""
        @pytest.fixture
        def found():
            return asyncio.get_event_loop()

        @pytest.mark.asyncio
        async def test_it(found):
            assert found is asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1)


SETS_POLICY = """
    class Policy(asyncio.DefaultEventLoopPolicy):
        _loop_factory = type("Loop", (asyncio.SelectorEventLoop,), {})

    before = asyncio.get_event_loop_policy()
"""


def test_a_policy_that_a_test_sets_is_put_back_when_it_has_run(suite):
    result = suite(
        SETS_POLICY
        + """
    @pytest.mark.asyncio
    async def test_sets():
        asyncio.set_event_loop_policy(Policy())

    @pytest.mark.asyncio
    async def test_async():
        assert asyncio.get_event_loop_policy() is before
        assert type(asyncio.get_running_loop()) is not Policy._loop_factory

    def test_sync():
        assert asyncio.get_event_loop_policy() is before
    """,
        *IGNORED,
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("fixture", ["yield", "return"])
def test_a_policy_that_an_async_fixture_sets_is_in_force_until_its_teardown(suite, fixture):
    result = suite(
        SETS_POLICY
        + f"""
    @pytest_asyncio.fixture(scope="module")
    async def policy():
        policy = Policy()
        asyncio.set_event_loop_policy(policy)
        {fixture} policy

    class Test:
        def test_sync(self, policy):
            assert asyncio.get_event_loop_policy() is policy

        @pytest.mark.asyncio
        async def test_async(self, policy, request):
            assert asyncio.get_event_loop_policy() is policy
            inner = await pytest_asyncio.getfixturevalue(request, "inner")
            assert asyncio.get_event_loop_policy() is inner

        @pytest_asyncio.fixture
        async def inner(self):
            inner = Policy()
            asyncio.set_event_loop_policy(inner)
            {fixture} inner

        def test_after(self, policy):
            assert asyncio.get_event_loop_policy() is policy
    """,
        *IGNORED,
        files={
            "test_next.py": """
                def test_after(pytestconfig):
                    import test_it
                    assert asyncio.get_event_loop_policy() is test_it.before
            """
        },
    )
    result.assert_outcomes(passed=4)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_policy_that_a_synchronous_fixture_sets_makes_none_of_the_loops(suite, scope):
    result = suite(
        SETS_POLICY
        + f"""
    @pytest.fixture(scope="{scope}", autouse=True)
    def policy():
        asyncio.set_event_loop_policy(Policy())
        yield
        asyncio.set_event_loop_policy(before)

    @pytest.mark.parametrize("number", range(2))
    @pytest.mark.asyncio
    async def test_it(number):
        assert type(asyncio.get_running_loop()) is not Policy._loop_factory
    """,
        *IGNORED,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_override_makes_the_loops_of_tests_and_fixtures(suite, scope):
    result = suite(PRINTS_LOOP.format(scope=scope), "-s", *IGNORED, conftest=override())
    result.assert_outcomes(passed=1)
    assert loops_of(result) == ["Loop"]


@pytest.mark.parametrize("scope", SCOPES)
def test_the_override_may_have_any_scope(suite, scope):
    result = suite(
        PRINTS_LOOP.format(scope="function"), "-s", *IGNORED, conftest=override(scope=scope)
    )
    result.assert_outcomes(passed=1)
    assert loops_of(result) == ["Loop"]


def test_the_override_is_deprecated(suite):
    result = suite(
        PRINTS_LOOP.format(scope="function"),
        "-Wdefault",
        "-Wignore:'asyncio:DeprecationWarning",
        conftest=override(),
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        '*conftest.py:*: PytestDeprecationWarning: Overriding the "event_loop_policy" fixture is '
        "deprecated. To say what makes the event loops, set asyncio_loop_factory, such as to "
        "uvloop.new_event_loop, or implement the hook pytest_asyncio_loop_factories."
    )


def test_each_test_fails_where_the_deprecation_is_an_error(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(): pass
        @pytest.mark.asyncio
        async def test_next(): pass
        """,
        "-Wignore::DeprecationWarning",
        "-Werror::pytest.PytestDeprecationWarning",
        conftest=override(scope="session"),
    )
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(2 * ['E  *PytestDeprecationWarning: Overriding the "event_loop*'])
    result.stdout.no_fnmatch_line("*/pytest_asyncio/*")


@pytest.mark.parametrize(
    "ignored",
    [
        "ignore::pytest.PytestDeprecationWarning:pytest_asyncio.plugin",
        'ignore:Overriding the "event_loop_policy" fixture is deprecated',
    ],
    ids=["module", "text"],
)
def test_the_deprecation_may_be_ignored_by_module_or_text(suite, ignored):
    result = suite(
        PRINTS_LOOP.format(scope="function"),
        "-Wignore:'asyncio:DeprecationWarning",
        f"-W{ignored}",
        conftest=override(),
    )
    result.assert_outcomes(passed=1)


def test_only_the_tests_that_see_the_override_use_it(suite):
    test = PRINTS_LOOP.format(scope="function")
    result = suite(
        test,
        "-s",
        *IGNORED,
        files={"sub/conftest.py": override(), "sub/test_sub.py": test},
    )
    result.assert_outcomes(passed=2)
    assert len(set(loops_of(result))) == 2


def test_the_override_of_a_class_is_for_its_tests(suite):
    result = suite(
        """
        from conftest import Policy, name_of

        class TestIt:
            @pytest.fixture(scope="class")
            def event_loop_policy(self):
                return Policy()

            @pytest.mark.asyncio(loop_scope="class")
            async def test_it(self):
                assert name_of(asyncio.get_running_loop()) == "Loop"

        @pytest.mark.asyncio
        async def test_outside():
            assert name_of(asyncio.get_running_loop()) != "Loop"
        """,
        *IGNORED,
        conftest=POLICY,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_parametrized_override_runs_each_test_with_each_policy(suite, scope):
    result = suite(
        PRINTS_LOOP.format(scope=scope),
        "-v",
        "-s",
        *IGNORED,
        conftest=override(
            "request.param", more=', params=[Policy(), OtherPolicy()], ids=["one", "other"]'
        ),
    )
    result.assert_outcomes(passed=2)
    assert loops_of(result) == ["Loop", "OtherLoop"]
    result.stdout.fnmatch_lines(["*::test_it[[]one] *", "*::test_it[[]other] *"])


def test_the_policy_is_in_force_while_a_test_runs(suite):
    result = suite(
        """
        before = asyncio.get_event_loop_policy()

        @pytest.mark.asyncio
        async def test_async(event_loop_policy):
            assert asyncio.get_event_loop_policy() is event_loop_policy

        def test_sync():
            assert asyncio.get_event_loop_policy() is before
        """,
        *IGNORED,
        conftest=override(),
    )
    result.assert_outcomes(passed=2)


def test_an_override_with_the_policy_in_force_changes_nothing(suite):
    result = suite(
        """
        before = asyncio.get_event_loop_policy()

        @pytest.mark.asyncio
        async def test_async(event_loop_policy):
            assert asyncio.get_event_loop_policy() is event_loop_policy is before
        """,
        *IGNORED,
        conftest=override("asyncio.get_event_loop_policy()"),
    )
    result.assert_outcomes(passed=1)


def test_the_override_may_depend_on_other_fixtures(suite):
    result = suite(
        PRINTS_LOOP.format(scope="module"),
        "-s",
        *IGNORED,
        conftest=POLICY
        + """
    @pytest.fixture(scope="session")
    def policy():
        return Policy()

    @pytest.fixture(scope="session", autouse=True)
    def event_loop_policy(policy):
        return policy
""",
    )
    result.assert_outcomes(passed=1)
    assert loops_of(result) == ["Loop"]


def test_an_override_that_fails_fails_the_test(suite):
    result = suite(PRINTS_LOOP.format(scope="function"), *IGNORED, conftest=override("1 / 0"))
    result.assert_outcomes(errors=1)


def test_sync_tests_run_with_the_override_too(suite):
    result = suite(
        """
        def test_it(request):
            assert "event_loop_policy" in request.fixturenames
        """,
        *IGNORED,
        conftest=override(),
    )
    result.assert_outcomes(passed=1)


def test_the_async_fixtures_of_a_sync_test_use_the_override(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def loop():
            return asyncio.get_running_loop()

        def test_it(loop):
            assert type(loop).__name__ == "Loop"
        """,
        *IGNORED,
        conftest=override(),
    )
    result.assert_outcomes(passed=1)


def test_the_default_policy_can_be_requested_without_a_warning(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it(event_loop_policy):
            assert hasattr(event_loop_policy, "new_event_loop")
    """)
    result.assert_outcomes(passed=1)


def test_a_suite_may_ask_in_its_override_for_what_it_overrides(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            pass
        """,
        *IGNORED,
        conftest="""
            @pytest.fixture(scope="session")
            def event_loop_policy(event_loop_policy):
                return event_loop_policy
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("def event_loop_policy(): return 5", "must return an event loop policy, not 5."),
        ("async def event_loop_policy(): pass", "cannot be async, for it says what makes*"),
    ],
)
def test_an_override_that_is_no_policy_fails_the_test_clearly(suite, override, sentence):
    result = suite(
        f"""
        @pytest_asyncio.fixture
        {override}

        @pytest.mark.asyncio
        async def test_it():
            pass
        """,
        *IGNORED,
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*he fixture 'event_loop_policy' {sentence}"])


def test_an_override_that_returns_nothing_leaves_the_loops_to_asyncio(suite):
    result = suite(
        SETS_POLICY
        + """
    @pytest.fixture(scope="session")
    def event_loop_policy():
        asyncio.set_event_loop_policy(Policy())
        yield
        asyncio.set_event_loop_policy(before)

    @pytest.mark.asyncio
    async def test_it():
        assert type(asyncio.get_running_loop()) is not Policy._loop_factory
    """,
        *IGNORED,
    )
    result.assert_outcomes(passed=1)


def test_an_override_may_be_declared_like_the_fixtures_of_this_plugin(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        def event_loop_policy():
            return asyncio.DefaultEventLoopPolicy()

        @pytest.mark.asyncio
        async def test_it():
            pass
        """,
        *IGNORED,
    )
    result.assert_outcomes(passed=1)


SHARES = """
    @pytest_asyncio.fixture(scope="{scope}", loop_scope="{scope}")
    async def loop():
        yield asyncio.get_running_loop()
        print("loop:", type(asyncio.get_running_loop()).__name__)

    @pytest.mark.asyncio(loop_scope="{scope}")
    async def test_it(loop):
        assert asyncio.get_running_loop() is loop
        assert not loop.is_closed()
"""


@pytest.mark.parametrize("scope", SCOPES)
def test_wide_fixtures_end_with_the_policy_of_their_loop(suite, scope):
    more = ', params=[Policy(), OtherPolicy()], ids=["one", "other"]'
    result = suite(
        SHARES.format(scope=scope), "-s", *IGNORED, conftest=override("request.param", more=more)
    )
    result.assert_outcomes(passed=2)
    assert loops_of(result) == ["Loop", "OtherLoop"]


def test_a_test_whose_setup_has_failed_was_not_the_first_on_a_wide_loop(suite):
    own = override("request.param", more=", params=[Policy(), OtherPolicy()]")
    result = suite(
        "",
        "-s",
        *IGNORED,
        files={
            "test_1.py": """
                @pytest.fixture
                def fails(): pytest.fail("deliberately")

                @pytest.mark.asyncio(loop_scope="session")
                async def test_it(fails): pass
            """,
            "test_2.py": own + PRINTS_LOOP.format(scope="session"),
        },
    )
    result.assert_outcomes(errors=1, passed=2)
    assert loops_of(result) == ["Loop", "OtherLoop"]


def test_fixtures_end_with_their_policy_in_reverse_order_on_whichever_loops_they_are(suite):
    suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="session")
        events = []
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def database():
            events.append("database")
            yield
            assert events.pop() == "database"

        @pytest_asyncio.fixture(scope="module", loop_scope="session")
        async def server():
            events.append("server")
            yield
            assert events.pop() == "server"

        async def test_it(database, server):
            assert events == ["database", "server"]
        """,
        *IGNORED,
        conftest=override("request.param", more=", params=[Policy(), OtherPolicy()]"),
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", ["package", "session"])
def test_who_is_the_first_on_a_wide_loop_says_which_policy_makes_it(suite, scope):
    test = f"""
    @pytest.mark.asyncio(loop_scope="{scope}")
    async def test_it(loop, count):
        assert asyncio.get_running_loop() is loop
        assert count == 1
        assert type(loop).__name__ == "Loop"
    """
    result = suite(
        "",
        *IGNORED,
        conftest=f"""
            COUNT = 0
            @pytest_asyncio.fixture(scope="{scope}", loop_scope="{scope}")
            async def loop():
                global COUNT
                COUNT += 1
                return asyncio.get_running_loop()
            @pytest.fixture
            def count():
                return COUNT
        """,
        files={
            "sub/__init__.py": "",
            "sub/test_a.py": override() + test,
            "sub/test_b.py": test,
            "sub/test_c.py": override("OtherPolicy()") + test,
        },
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_policy_is_in_force_while_its_loop_is_open(suite, scope):
    result = suite(
        f"""
        before = asyncio.get_event_loop_policy()

        class Test:
            @pytest.mark.asyncio(loop_scope="{scope}")
            async def test_async(self, event_loop_policy):
                assert asyncio.get_event_loop_policy() is event_loop_policy

            def test_sync(self, event_loop_policy):
                expected = before if "{scope}" == "function" else event_loop_policy
                assert asyncio.get_event_loop_policy() is expected
        """,
        *IGNORED,
        conftest=override(),
    )
    result.assert_outcomes(passed=2)


def test_unittest_and_doctest_use_the_override(suite):
    result = suite(
        """
        import unittest

        class TestIt(unittest.TestCase):
            @pytest_asyncio.fixture(autouse=True)
            async def set_up(self):
                self.loop = asyncio.get_running_loop()

            def test_it(self):
                assert type(self.loop).__name__ == "Loop"

        def function():
            '''
            >>> type(loop).__name__
            'Loop'
            '''
        """,
        "--doctest-modules",
        *IGNORED,
        conftest=override()
        + """
    @pytest_asyncio.fixture
    async def loop():
        return asyncio.get_running_loop()

    @pytest.fixture(autouse=True)
    def in_namespace(doctest_namespace, loop):
        doctest_namespace["loop"] = loop
""",
    )
    result.assert_outcomes(passed=2)


def test_the_policy_of_a_wide_loop_outlasts_a_narrower_loop_that_was_there_before(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide():
            pass

        @pytest.mark.asyncio(loop_scope="function")
        async def test_async(wide):
            pass

        def test_sync(event_loop_policy):
            assert asyncio.get_event_loop_policy() is event_loop_policy
        """,
        *IGNORED,
        conftest=override(),
        files={
            "test_next.py": """
                def test_sync(event_loop_policy):
                    assert asyncio.get_event_loop_policy() is not event_loop_policy
            """
        },
    )
    result.assert_outcomes(passed=3)


def test_a_policy_that_makes_no_loop_fails_its_test_by_the_name_of_what_makes_it(suite):
    result = suite(
        """
        class Policy(asyncio.DefaultEventLoopPolicy):
            def new_event_loop(self):
                return 5

        @pytest.fixture(scope="session")
        def event_loop_policy():
            return Policy()

        @pytest.mark.asyncio
        async def test_it():
            pass
        """,
        *IGNORED,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*the loop factory <bound method Policy.new_event_loop*returned 5*")
