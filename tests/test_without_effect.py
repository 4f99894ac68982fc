"""What earlier versions had, and hooks where pytest does not look: a sentence, not silence."""

from __future__ import annotations

import pytest

TEST = """
    @pytest.mark.asyncio
    async def test_it():
        pass
"""
OVERRIDE = """
    @pytest.fixture(scope="session")
    def event_loop():
        loop = asyncio.new_event_loop()
        yield loop
        loop.close()
"""
GONE = "The fixture 'event_loop' is gone since pytest-asyncio 1.0. In async code, write *"


@pytest.mark.parametrize("test", ["@pytest.mark.asyncio\nasync def", "def"])
def test_a_request_of_event_loop_says_what_to_write(suite, test):
    result = suite(f"{test} test_it(event_loop): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(f"E *{GONE}")
    result.stdout.no_fnmatch_line("*available fixtures*")


def test_so_does_that_of_a_fixture_of_any_scope_for_each_test_that_it_is_for(suite):
    result = suite("""
        @pytest.fixture(scope="session")
        def wide(event_loop): pass

        def test_wide(wide): pass

        def test_wide_again(wide): pass

        def test_one(event_loop): pass

        def test_other(event_loop): pass
    """)
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(
        [
            "*at setup of test_wide *",
            "*def wide(event_loop): pass",
            f"E *{GONE}",
            "*at setup of test_wide_again *",
            "*def wide(event_loop): pass",
            f"E *{GONE}",
            "*at setup of test_one *",
            "*def test_one(event_loop): pass",
            f"E *{GONE}",
            "*at setup of test_other *",
            "*def test_other(event_loop): pass",
            f"E *{GONE}",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py:*")


def test_a_request_that_may_fail_finds_no_event_loop(suite):
    result = suite("""
        def test_it(request):
            with pytest.raises(pytest.FixtureLookupError):
                request.getfixturevalue("event_loop")
    """)
    result.assert_outcomes(passed=1)


def test_an_override_of_event_loop_is_reported_once_where_it_is(suite):
    result = suite("", conftest=OVERRIDE, files={"test_a.py": TEST, "test_b.py": TEST})
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        "*conftest.py:3: PytestWarning: The fixture 'event_loop' does not make the loops of async "
        "tests since pytest-asyncio 1.0. Remove it. To share a loop, set asyncio_loop_scope, *"
    )


def test_an_override_that_is_requested_is_a_fixture_like_any_other(suite):
    result = suite(
        """
        def test_sync(event_loop):
            event_loop.run_until_complete(asyncio.sleep(0))

        @pytest.mark.asyncio
        async def test_async(event_loop):
            assert event_loop is not asyncio.get_running_loop()
        """,
        conftest=OVERRIDE,
    )
    result.assert_outcomes(passed=2)


def test_a_session_without_async_tests_is_not_reported(suite):
    suite("def test_it(): pass", conftest=OVERRIDE).assert_outcomes(passed=1)


MISPLACED = """
    def pytest_asyncio_loop_factories():
        return {"own": asyncio.new_event_loop}

    @pytest.mark.asyncio
    async def test_it():
        pass
"""


def test_a_hook_in_a_test_module_is_reported(suite):
    result = suite(MISPLACED)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        "*test_it.py:3: PytestWarning: The hook pytest_asyncio_loop_factories is not called, for "
        "pytest looks for hooks in conftest.py and in plugins. Move it to the conftest.py of its "
        "folder."
    )


def test_a_test_module_that_is_a_plugin_is_not_reported(suite, pytester):
    pytester.syspathinsert()
    result = suite("", "-ptest_plugin", files={"test_plugin.py": MISPLACED})
    result.assert_outcomes(passed=1)


WRONG = """
def pytest_asyncio_options(config): return {}
def pytest_asyncio_loop_factories(confg, item): return {}
"""
FAULT = (
    "conftest.py: the hook pytest_asyncio_loop_factories takes no argument 'confg'. It may "
    "take: config, item."
)


def test_a_hook_with_an_argument_that_there_is_not_is_a_usage_error(suite):
    result = suite(TEST, conftest=WRONG)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(f"ERROR: *{FAULT}")


def test_such_a_hook_of_a_folder_is_one_sentence(suite):
    result = suite(files={"folder/conftest.py": WRONG, "folder/test_it.py": TEST})
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR collecting folder*", f"*{FAULT}"], consecutive=True)


def test_the_hook_of_another_plugin_is_left_to_pytest(suite):
    result = suite(TEST, conftest="def pytest_collection_modifyitems(itms): pass")
    assert result.ret != 0
    assert "pytest_asyncio" not in result.stdout.str()


@pytest.mark.parametrize(
    "call",
    [
        "asyncio.run(work)",
        "loop.run_until_complete(work)",
        "other.run_until_complete(work)",
    ],
)
def test_a_loop_that_is_run_within_a_loop_is_advised_to_await(suite, call):
    result = suite(
        f"""
        @pytest.mark.asyncio
        async def test_it():
            loop, other = asyncio.get_running_loop(), asyncio.new_event_loop()
            work = asyncio.sleep(0)
            try:
                {call}
            finally:
                work.close()
                other.close()
        """,
        "-Wdefault",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        "E *test_it runs on an event loop, which is running. Write 'await coroutine' in place of *"
    )


def test_a_loop_that_is_closed_while_it_runs_is_reported_with_who_closes_it(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().close()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *Leave the loop to pytest-asyncio, which closes it when *")
