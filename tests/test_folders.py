"""`pytest_asyncio_options`: what a `conftest.py` says for the tests of its folder."""

from __future__ import annotations

import pytest

TEST = """
    async def test_it():
        pass
"""


def options(**values: object) -> str:
    return f"def pytest_asyncio_options(): return {values!r}"


def test_a_folder_has_a_mode_of_its_own(suite):
    result = suite(
        files={
            "unit/test_unit.py": TEST,
            "auto/conftest.py": options(asyncio_mode="auto")
            + """
@pytest.fixture
async def loop(): return asyncio.get_running_loop()
""",
            "auto/inner/test_auto.py": """
                async def test_auto(loop):
                    assert loop is asyncio.get_running_loop()
            """,
        }
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("FAILED unit/test_unit.py::test_it - *")


def test_a_folder_is_left_out_of_auto_mode(suite):
    result = suite(
        "",
        "--runxfail",
        ini="asyncio_mode = auto",
        files={
            "strict/conftest.py": options(asyncio_mode="strict"),
            "strict/test_strict.py": """
                def test_it(request):
                    assert not pytest_asyncio.is_async_test(request.node)

                @pytest.mark.asyncio
                async def test_marked():
                    pass
            """,
            "auto/test_auto.py": TEST,
        },
    )
    result.assert_outcomes(passed=3)


def test_the_closest_folder_goes_first_and_the_command_line_before_it(suite):
    hangs = """
        async def test_it():
            await asyncio.Event().wait()
    """
    files = {
        "conftest.py": options(asyncio_mode="auto", asyncio_timeout=0.01),
        "test_outer.py": hangs,
        "inner/conftest.py": options(asyncio_timeout="0.02"),
        "inner/test_inner.py": hangs,
    }
    result = suite(files=files, ini="asyncio_timeout = 60")
    result.stdout.fnmatch_lines(["*test_it took longer than the 0.02 s *"])
    result.stdout.fnmatch_lines(["*test_it took longer than the 0.01 s *"])
    result = suite("", "--asyncio-timeout=0.03", files=files)
    assert result.stdout.str().count("test_it took longer than the 0.03 s") >= 2


def test_a_folder_has_a_loop_scope(suite):
    result = suite(
        ini="asyncio_mode = auto",
        conftest="""
            @pytest.fixture
            async def loop():
                return asyncio.get_running_loop()
        """,
        files={
            "shared/conftest.py": options(asyncio_loop_scope="session"),
            "shared/test_shared.py": """
                loops = set()

                @pytest.mark.parametrize("_", "ab")
                async def test_it(_, loop):
                    assert loop is asyncio.get_running_loop()
                    loops.add(loop)
                    assert len(loops) == 1
            """,
            "own/test_own.py": """
                loops = set()

                @pytest.mark.parametrize("_", "ab")
                async def test_it(_, loop):
                    assert loop is asyncio.get_running_loop() not in loops
                    loops.add(loop)
            """,
        },
    )
    result.assert_outcomes(passed=4)


def test_a_folder_has_a_time_out_for_fixtures_of_synchronous_tests(suite):
    result = suite(
        files={
            "slow/conftest.py": options(asyncio_timeout=0.01),
            "slow/test_it.py": """
                @pytest_asyncio.fixture
                async def hang():
                    await asyncio.Event().wait()

                def test_it(hang):
                    pass
            """,
        },
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*fixture 'hang' took longer than the 0.01 s *")


def test_the_tests_of_one_folder_run_at_the_same_time(suite):
    test = """
        running = []

        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", "ab")
        async def test_it(_):
            running.append(_)
            await asyncio.sleep(0.01)
            print("beside:", len(running))
            running.remove(_)
    """
    result = suite(
        "",
        "-rP",
        files={
            "beside/conftest.py": options(asyncio_concurrent=True),
            "beside/test_beside.py": test,
            "alone/test_alone.py": test,
        },
    )
    result.assert_outcomes(passed=4)
    assert [line for line in result.outlines if line.startswith("beside:")].count("beside: 2") == 1


def test_a_plugin_may_set_options_for_all_tests(suite, pytester):
    pytester.syspathinsert()
    result = suite(TEST, "-p", "for_all", files={"for_all.py": options(asyncio_mode="auto") + ""})
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("hook", "error"),
    [
        (options(asyncio_mode="x"), "'x' is not a valid asyncio_mode. Valid modes: auto, strict."),
        (options(asyncio_checks="all"), "pytest_asyncio_options cannot set 'asyncio_checks' for *"),
        ("def pytest_asyncio_options(): return ['x']", "pytest_asyncio_options must return a *"),
        ("def pytest_asyncio_options(): return {1: 'x'}", "pytest_asyncio_options cannot set 1 *"),
    ],
)
def test_what_a_folder_cannot_say_is_a_usage_error(suite, hook, error):
    result = suite(files={"folder/conftest.py": hook, "folder/test_it.py": TEST})
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(f"ERROR: {error}")


def test_a_hook_without_an_opinion_says_nothing(suite):
    result = suite(
        TEST, "--asyncio-mode=auto", conftest="def pytest_asyncio_options(config): return None"
    )
    result.assert_outcomes(passed=1)
