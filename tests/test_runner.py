"""`asyncio_runner`: the loop of a test for synchronous tests and fixtures."""

from __future__ import annotations

import pytest

SCOPES = ("function", "class", "module", "package", "session")


def test_a_synchronous_test_runs_coroutines_on_the_loop_of_its_fixtures(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def loop():
            yield asyncio.get_running_loop()

        async def running():
            return asyncio.get_running_loop()

        def test_it(asyncio_runner, loop):
            assert asyncio_runner.run(running()) is asyncio_runner.loop is loop
            assert asyncio_runner.get_loop() is loop
            assert isinstance(asyncio_runner, asyncio.Runner)
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_synchronous_fixture_has_the_loop_of_its_async_test(suite, scope):
    result = suite(f"""
        async def running():
            return asyncio.get_running_loop()

        @pytest.fixture
        def loop(asyncio_runner):
            yield asyncio_runner.run(running())
            asyncio_runner.run(asyncio.sleep(0))

        @pytest.mark.asyncio(loop_scope="{scope}")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1)


def test_what_a_coroutine_raises_is_raised(suite):
    result = suite("""
        async def fail():
            raise LookupError

        def test_it(asyncio_runner):
            with pytest.raises(LookupError):
                asyncio_runner.run(fail())
    """)
    result.assert_outcomes(passed=1)


def test_all_calls_share_a_context_unless_one_is_given(suite):
    result = suite("""
        import contextvars

        var = contextvars.ContextVar("var", default="unset")

        async def exchange(value):
            before = var.get()
            var.set(value)
            return before

        def test_it(asyncio_runner):
            assert asyncio_runner.run(exchange("first")) == "unset"
            assert asyncio_runner.run(exchange("second")) == "first"
            other = contextvars.copy_context()
            assert asyncio_runner.run(exchange("third"), context=other) == "unset"
            assert asyncio_runner.run(exchange("fourth")) == "second"
            assert var.get() == "unset"
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("awaitable", ["coroutine()", "asyncio.Future()"])
def test_code_that_runs_on_the_loop_is_advised_to_await(suite, awaitable):
    result = suite(f"""
        async def coroutine():
            pass

        @pytest.mark.asyncio
        async def test_it(asyncio_runner):
            asyncio_runner.run({awaitable})
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["test_it.py::test_it: asyncio_runner.run() was called by code that runs on an event loop*"]
    )
    result.stdout.no_fnmatch_line("*never awaited*")


def test_the_context_that_is_given_may_be_empty(suite):
    result = suite("""
        from contextvars import Context, ContextVar
        var = ContextVar("var")

        async def set_it():
            var.set(42)

        def test_it(asyncio_runner):
            given = Context()
            asyncio_runner.run(set_it(), context=given)
            assert given[var] == 42
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("arguments", ["5", "asyncio.sleep", "future, context=5"])
def test_what_cannot_be_run_is_reported_at_the_users_line(suite, arguments):
    result = suite(f"""
        def test_it(asyncio_runner):
            future = asyncio_runner.loop.create_future()
            asyncio_runner.run({arguments})
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [">*asyncio_runner.run(*", "E*TypeError: asyncio_runner.run() needs a co*, not *"]
    )
    result.stdout.no_fnmatch_line("*runners.py*")


def test_the_runner_sees_what_was_set_before_its_first_run(suite):
    result = suite("""
        import contextvars
        user = contextvars.ContextVar("user", default=None)

        @pytest_asyncio.fixture
        async def alice():
            user.set("alice")

        async def who():
            return user.get()

        def test_fixture(asyncio_runner, alice):
            assert asyncio_runner.run(who()) == "alice"

        def test_itself(asyncio_runner):
            user.set("bob")
            assert asyncio_runner.run(who()) == "bob"
    """)
    result.assert_outcomes(passed=2)


def test_closing_the_runner_leaves_the_loop_to_its_owner(suite):
    result = suite("""
        async def coroutine():
            return 42

        def test_it(asyncio_runner):
            asyncio_runner.close()
            with asyncio_runner as runner:
                assert runner.run(coroutine()) == 42
            assert asyncio_runner.run(coroutine()) == 42
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", SCOPES)
def test_other_plugins_find_the_loop_by_the_hidden_runner_fixtures(suite, scope):
    result = suite(f"""
        @pytest.fixture
        def loop(request):
            return request.getfixturevalue("_{scope}_scoped_runner").get_loop()

        @pytest.mark.asyncio(loop_scope="{scope}")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1)


def test_the_hidden_runner_fixture_of_packages_has_the_loop_of_each(suite):
    test = """
        @pytest.mark.asyncio(loop_scope="package")
        async def test_it(_package_scoped_runner, used):
            assert _package_scoped_runner.get_loop() is asyncio.get_running_loop()
    """
    result = suite(
        conftest="""
            @pytest.fixture(scope="package")
            def used(_package_scoped_runner):
                yield
                _package_scoped_runner.run(asyncio.sleep(0))
        """,
        files={
            "a/__init__.py": "",
            "a/test_a.py": test,
            "b/__init__.py": "",
            "b/test_b.py": test,
        },
    )
    result.assert_outcomes(passed=2)


def test_it_has_the_loop_of_the_fixtures_where_async_tests_share_theirs(suite):
    result = suite(
        """
        async def running():
            return asyncio.get_running_loop()

        @pytest_asyncio.fixture
        async def loop():
            return await running()

        def test_it(asyncio_runner, loop):
            assert asyncio_runner.run(running()) is loop
        """,
        "--asyncio-concurrent",
    )
    result.assert_outcomes(passed=1)
