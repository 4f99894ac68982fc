"""Which tests run at the same time."""

from __future__ import annotations

import pytest
from together import ALONE, MODULE, TOGETHER

from pytest_asyncio.features.concurrency import lookahead


def test_the_mark_lets_tests_of_a_module_run_at_the_same_time(concurrent):
    concurrent(
        """
    async def test_a(): await meet()
    async def test_b(): await meet()
    """
    ).assert_outcomes(passed=2)


def test_a_class_may_be_marked(suite):
    suite(
        f"{TOGETHER}\n"
        "@pytest.mark.asyncio(concurrent=True)\n"
        "class TestIt:\n"
        "    async def test_a(self): await meet()\n"
        "    async def test_b(self): await meet()\n"
    ).assert_outcomes(passed=2)


def test_what_is_no_test_of_ours_is_left_alone(suite):
    result = suite(
        f"{ALONE}\n"
        "@pytest.mark.asyncio\n"
        "async def test_a(): await alone()\n"
        "async def test_b(): pass\n",
        ini="asyncio_concurrent = true",
    )
    result.assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_option_is_for_all_async_tests(suite, mode):
    mark = "pytestmark = pytest.mark.asyncio\n" if mode == "strict" else ""
    suite(
        f"{mark}{TOGETHER}\nasync def test_a(): await meet()\nasync def test_b(): await meet()\n",
        ini=f"asyncio_concurrent = true\nasyncio_mode = {mode}",
    ).assert_outcomes(passed=2)


def test_a_test_may_say_no(concurrent):
    concurrent(
        """
    async def test_a(): await beside()
    @pytest.mark.asyncio(concurrent=False)
    async def test_b(): await alone()
    async def test_c(): await beside()
    """
    ).assert_outcomes(passed=3)


def test_those_that_say_no_run_one_after_another(concurrent):
    concurrent(
        """
    @pytest.mark.asyncio(concurrent=False, loop_scope="module")
    @pytest.mark.parametrize("_", [1, 2])
    async def test_a(_): await alone()

    async def test_b(): await meet()
    async def test_c(): await meet()
    """
    ).assert_outcomes(passed=4)


def test_synchronous_tests_between_them_run_alone(concurrent):
    concurrent(
        """
    async def test_a(): await beside()
    def test_sync(): assert not running
    async def test_b(): await beside()
    """
    ).assert_outcomes(passed=3)


def test_they_share_the_loop_of_their_module(concurrent):
    concurrent(
        """
    loops = set()
    async def test_a(): loops.add(asyncio.get_running_loop())
    async def test_b():
        loops.add(asyncio.get_running_loop())
        assert len(loops) == 1
    """
    ).assert_outcomes(passed=2)


def test_a_wider_loop_is_theirs_if_they_say_so(suite):
    suite(
        TOGETHER + "pytestmark = pytest.mark.asyncio(loop_scope='session', concurrent=True)\n"
        "loop = None\n"
        "async def test_a(): await meet()\n"
        "async def test_b(request):\n"
        "    await meet()\n"
    ).assert_outcomes(passed=2)


def test_a_wider_loop_is_theirs_if_the_option_says_so(suite):
    suite(
        MODULE
        + TOGETHER
        + """
@pytest_asyncio.fixture(scope="session")
async def shared(): return asyncio.get_running_loop()
async def test_a(shared):
    await meet()
    assert asyncio.get_running_loop() is shared
async def test_b(shared): await meet()
""",
        ini="asyncio_default_test_loop_scope = session",
    ).assert_outcomes(passed=2)


def test_a_function_loop_is_refused(suite):
    result = suite(
        """
        @pytest.mark.asyncio(loop_scope="function", concurrent=True)
        async def test_it(): pass
        @pytest.mark.asyncio
        async def test_next(): pass
        """
    )
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        ["test_it.py::test_it: *concurrent=True*scope*: class, module, package, session; *"]
    )


def test_a_function_loop_in_the_mark_outweighs_the_option(suite):
    suite(
        f"{ALONE}\npytestmark = pytest.mark.asyncio(loop_scope='function')\n"
        "async def test_a(): await alone()\n"
        "async def test_b(): await alone()\n",
        ini="asyncio_concurrent = true",
    ).assert_outcomes(passed=2)


def test_a_value_that_is_no_answer_is_refused(suite):
    result = suite(
        """
        @pytest.mark.asyncio(concurrent="yes")
        async def test_it(): pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["test_it.py::test_it: mark.asyncio 'concurrent' *'yes'*"])


@pytest.mark.parametrize("fixture", ["capfd", "monkeypatch", "recwarn", "asyncio_clock"])
def test_what_acts_on_the_whole_process_runs_alone(concurrent, fixture):
    concurrent(
        f"""
    async def test_a(): await beside()
    @pytest.fixture
    def indirect({fixture}): pass
    @pytest.mark.asyncio(clock={"virtual" if "clock" in fixture else "real"!r})
    async def test_b(indirect): await alone()
    async def test_c(): await beside()
    """,
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize(
    "action",
    [
        "caplog.set_level(0)",
        "caplog.at_level(0)",
        "capsys.disabled()",
        "(lambda: capsys.disabled())",
    ],
)
@pytest.mark.parametrize("place", ["test", "fixture"])
def test_so_does_what_acts_on_it_by_a_fixture_that_is_each_tests_own(concurrent, action, place):
    concurrent(
        f"""
    @pytest.fixture
    def acting(caplog, capsys): {action if place == "fixture" else "pass"}
    async def test_a(): await beside()
    async def test_b(acting, caplog, capsys):
        {action if place == "test" else "pass"}
        await alone()
    async def test_c(): await beside()
    """
    ).assert_outcomes(passed=3)


def test_so_does_what_a_suite_names(concurrent):
    concurrent(
        """
    @pytest.fixture
    def database(): pass
    async def test_a(): await beside()
    async def test_b(database): await alone()
    async def test_c(): await beside()
    """,
        ini="asyncio_serial_fixtures = other database",
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize(
    "decorator",
    [
        "patch('os.sep', '|')",
        "patch.object(os, 'sep', '|')",
        "patch.multiple(os, sep='|')",
        "patch.dict(os.__dict__, sep='|')",
        "hidden",
    ],
)
def test_so_does_what_a_decorator_patches(concurrent, decorator):
    concurrent(
        f"""
    import functools, os
    from unittest.mock import patch
    def hidden(test):
        patched = patch("os.sep", "|")(test)
        @functools.wraps(patched, updated=())
        async def outer(): await patched()
        return outer
    async def test_a(): await beside()
    @{decorator}
    async def test_b():
        await alone()
        assert os.sep == "|"
    async def test_c(): await beside()
    """
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("imports", "block"),
    [
        ("from unittest.mock import patch", "patch('os.sep', '|')"),
        ("from unittest.mock import patch", "patch.dict('os.__dict__', sep='|')"),
        ("from unittest import mock", "mock.patch.object(os, 'sep', '|')"),
        ("import unittest.mock", "unittest.mock.patch('os.sep', '|')"),
        ("from contextlib import chdir", "chdir('.')"),
        ("import pytest", "pytest.MonkeyPatch.context()"),
        ("from pytest import MonkeyPatch", "MonkeyPatch.context()"),
        ("import warnings", "warnings.catch_warnings()"),
        ("from warnings import catch_warnings", "catch_warnings(record=True)"),
    ],
)
@pytest.mark.parametrize("place", ["test", "import in test", "fixture"])
def test_so_does_what_patches_the_process_in_a_block(concurrent, imports, block, place):
    concurrent(
        f"""
    import os
    {imports if place != "import in test" else ""}
    @pytest.fixture
    def patched():
        {f"with {block}: yield" if place == "fixture" else "pass"}
    async def test_a(): await beside()
    async def test_b(patched):
        {imports if place == "import in test" else "pass"}
        with {block if place != "fixture" else "open(__file__)"}: await alone()
    async def test_c(): await beside()
    """
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("import gc", "gc.disable(); gc.enable()"),
        ("from gc import get_objects", "get_objects()"),
        ("import os", "os.chdir('.')"),
        ("from os import chdir", "chdir('.')"),
        ("import os", "os.kill(os.getpid(), 0)"),
        ("from os import kill, getpid", "kill(getpid(), 0)"),
        ("import signal", "signal.setitimer(signal.ITIMER_VIRTUAL, 0)"),
        ("from signal import setitimer", "setitimer(1, 0)"),
        ("import signal", "asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print)"),
        ("import tracemalloc", "tracemalloc.start(); tracemalloc.stop()"),
    ],
)
@pytest.mark.parametrize("place", ["test", "fixture"])
def test_so_does_what_acts_on_the_process_by_a_call(concurrent, imports, call, place):
    concurrent(
        f"""
    {imports}
    @pytest_asyncio.fixture
    async def acting():
        {call if place == "fixture" else "pass"}
    async def test_a(): await beside()
    async def test_b(acting):
        {call if place == "test" else "pass"}
        await alone()
    async def test_c(): await beside()
    """
    ).assert_outcomes(passed=3)


def test_what_names_a_signal_for_another_process_does_not_run_alone(concurrent):
    concurrent(
        """
    import signal, subprocess, sys
    async def test_a(): await beside()
    async def test_b():
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        process.send_signal(signal.SIGTERM)
        process.communicate()
        await beside()
    """
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("imports", "decorator", "block"),
    [
        ("import respx", "respx.mock", "respx.mock"),
        ("from respx import mock", "mock", "mock"),
        ("import respx.router", "respx.router.Router()", "respx.router.Router()"),
    ],
)
@pytest.mark.parametrize("place", ["decorator", "test", "fixture", "plugin"])
def test_so_does_what_a_library_patches_that_the_test_has(
    concurrent, imports, decorator, block, place
):
    concurrent(
        f"""
    {imports}
    from contextlib import nullcontext
    @pytest.fixture
    def patched():
        with {block if place == "fixture" else "nullcontext()"}: yield
    async def test_a(): await beside()
    {f"@{decorator}" if place == "decorator" else ""}
    async def test_b(patched, {"respx_router" if place == "plugin" else "request"}):
        with {block if place == "test" else "nullcontext()"}: await alone()
    async def test_c(): await beside()
    """,
        conftest="from respx.router import respx_router",
        files={
            "respx/__init__.py": "from .router import mock",
            "respx/router.py": """
                import functools

                class Router:
                    def __enter__(self): pass
                    def __exit__(self, *_): pass
                    def __call__(self, test):
                        @functools.wraps(test)
                        async def patched(*args, **kwargs):
                            return await test(*args, **kwargs)
                        return patched

                mock = Router()

                @pytest.fixture
                def respx_router(): return Router()
            """,
        },
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize("mark", ["order(1)", "dependency", "vcr", "disable_socket", "django_db"])
def test_so_does_what_a_mark_of_another_plugin_says_that_of(concurrent, mark):
    concurrent(
        f"""
    async def test_a(): await beside()
    @pytest.mark.{mark}
    async def test_b(): await alone()
    async def test_c(): await beside()
    """,
        ini="markers =\n order\n dependency\n vcr\n disable_socket\n django_db",
    ).assert_outcomes(passed=3)


def test_what_overrides_dependencies_of_an_app_runs_alone(concurrent):
    concurrent(
        """
    from types import SimpleNamespace
    app = SimpleNamespace(dependency_overrides={})
    @pytest.fixture
    def overridden():
        app.dependency_overrides[int] = float
        yield
        app.dependency_overrides.clear()
    async def test_a(): await beside()
    async def test_b(overridden): await alone()
    async def test_c(): await beside()
    """
    ).assert_outcomes(passed=3)


def test_what_sets_the_executor_of_its_loop_runs_alone_on_a_loop_of_its_own(suite):
    suite(
        """
        from concurrent.futures import ThreadPoolExecutor
        @pytest_asyncio.fixture
        async def threads():
            with ThreadPoolExecutor(1) as executor:
                asyncio.get_running_loop().set_default_executor(executor)
                yield
        @pytest.mark.asyncio
        async def test_a(threads): assert await asyncio.to_thread(int) == 0
        @pytest.mark.asyncio
        async def test_b(): assert await asyncio.to_thread(int) == 0
        """,
        ini="asyncio_concurrent = true",
    ).assert_outcomes(passed=2)


def test_steps_of_which_none_is_to_run_after_one_that_failed_are_those_of_a_serial_run(concurrent):
    """As pytest's documentation has them, under "incremental testing"."""
    concurrent(
        """
    @pytest.mark.incremental
    class TestSteps:
        async def test_login(self): await beside()
        async def test_change(self):
            await beside()
            assert False
        async def test_delete(self): await beside()
    """,
        ini="markers = incremental",
        conftest="""
        def pytest_runtest_makereport(item, call):
            if "incremental" in item.keywords and call.excinfo is not None:
                item.parent.failed = item

        def pytest_runtest_setup(item):
            if failed := getattr(item.parent, "failed", None):
                pytest.xfail(f"after {failed.name}")
        """,
    ).assert_outcomes(passed=1, failed=1, xfailed=1)


@pytest.mark.parametrize("imports", ["", "from pytest import warns, deprecated_call"])
@pytest.mark.parametrize("catcher", ["warns(DeprecationWarning)", "deprecated_call()"])
def test_so_does_what_waits_for_warnings(concurrent, imports, catcher):
    result = concurrent(
        f"""
    import warnings
    {imports}
    async def test_a():
        with {"" if imports else "pytest."}{catcher} as caught:
            await alone()
            warnings.warn("of a", DeprecationWarning)
        assert len(caught) == 1
    async def test_b():
        await beside()
        warnings.warn("of b")
    async def test_c():
        with {"" if imports else "pytest."}{catcher}:
            await alone()
            warnings.warn("of c", DeprecationWarning)
    """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines("*UserWarning: of b")


@pytest.mark.parametrize(
    "looks_like_it", ["client.patch()", "await mock.AsyncMock()()"], ids=["method", "mock"]
)
def test_what_only_looks_like_that_runs_beside_others(concurrent, looks_like_it):
    concurrent(
        f"""
    from unittest import mock
    client = mock.Mock()
    @pytest.fixture(scope="module", autouse=True)
    def patched():
        with mock.patch("os.sep", "|"): yield
    async def test_a(): await meet()
    async def test_b():
        {looks_like_it}
        await meet()
    """
    ).assert_outcomes(passed=2)


def test_so_do_the_methods_of_a_class_that_is_patched(concurrent):
    concurrent(
        """
    from unittest.mock import patch
    @patch("os.sep")
    class TestPatched:
        async def test_a(self, sep): await alone()
        async def test_b(self, sep): await alone()
    """
    ).assert_outcomes(passed=2)


def test_such_a_fixture_that_nobody_could_foresee_is_refused(concurrent):
    result = concurrent(
        """
    async def test_a(request):
        await meet()
        request.getfixturevalue("monkeypatch")
    async def test_b(): await meet()
    """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["test_it.py::test_a runs beside other tests, and asks for 'monkeypatch' by *"]
    )


def test_what_may_be_run_again_runs_alone(concurrent):
    concurrent(
        """
    async def test_a(): await beside()
    @pytest.mark.flaky(reruns=2)
    async def test_b(): await alone()
    async def test_c(): await beside()
    """,
        ini="markers = flaky",
    ).assert_outcomes(passed=3)


def test_what_has_virtual_time_runs_alone(concurrent):
    concurrent(
        """
    pytestmark = pytest.mark.asyncio(clock="virtual", concurrent=True)
    async def test_a(): await alone()
    async def test_b(): await alone()
    """
    ).assert_outcomes(passed=2)


def test_what_has_virtual_time_keeps_a_clock_of_its_own_that_starts_at_zero(suite):
    suite(
        """
        pytestmark = pytest.mark.asyncio(clock="virtual")

        @pytest.mark.parametrize("_", [1, 2])
        async def test_it(_, asyncio_clock):
            await asyncio.sleep(60)
            assert asyncio_clock.time() == 60
        """,
        "--asyncio-concurrent",
    ).assert_outcomes(passed=2)


def test_what_has_an_event_loop_policy_of_its_own_runs_alone(concurrent):
    concurrent(
        """
    @pytest.fixture(scope="module")
    def event_loop_policy(): return asyncio.DefaultEventLoopPolicy()
    async def test_a(): await alone()
    async def test_b(): await alone()
    """,
        "-Wignore::DeprecationWarning",
    ).assert_outcomes(passed=2)


def test_so_it_does_beside_tests_that_have_the_default_one(concurrent):
    concurrent(
        """
    class TestPolicy:
        @pytest.fixture
        def event_loop_policy(self): return asyncio.DefaultEventLoopPolicy()
        async def test_a(self): await alone()
    async def test_b(): await beside()
    """,
        "-Wignore::DeprecationWarning",
    ).assert_outcomes(passed=2)


def test_hypothesis_runs_its_examples_alone(concurrent):
    concurrent(
        """
    from hypothesis import given, settings, strategies
    async def test_a(): await beside()
    @settings(max_examples=3, database=None)
    @given(strategies.integers())
    async def test_b(number): await alone()
    async def test_c(): await beside()
    """
    ).assert_outcomes(passed=3)


def test_those_with_other_parameters_of_a_wide_fixture_come_later(concurrent):
    concurrent(
        """
    servers = []
    @pytest_asyncio.fixture(scope="module", params=[1, 2])
    async def server(request):
        servers.append(request.param)
        yield request.param
        servers.clear()
    async def test_a(server):
        await meet()
        assert servers == [server]
    async def test_b(server):
        await meet()
        assert servers == [server]
    """,
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
    ).assert_outcomes(passed=4)


def test_doctests_run_alone_between_them(concurrent):
    result = concurrent(
        """
        async def test_a(): await meet()
        async def test_b(): await meet()
        """,
        "--doctest-modules",
        files={
            "test_z.py": """
                def documented():
                    '''
                    >>> 1
                    1
                    '''
            """
        },
    )
    result.assert_outcomes(passed=3)


def test_so_many_are_known_before_their_turn_at_most(concurrent, monkeypatch):
    monkeypatch.setattr(lookahead, "MOST_TESTS", 1)
    result = concurrent("""
        async def test_a(): await meet()
        async def test_b():
            await meet()
            running.append(1)
            await asyncio.sleep(0)
            assert running == [1]
        async def test_c(): running.append(1)
    """)
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("keywords", ["cancel=True", "schedules=2, clock='virtual'"])
def test_one_that_is_run_more_than_once_runs_alone_and_keeps_no_others_from_it(
    concurrent, keywords
):
    result = concurrent(
        f"""
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def shared(): yield await asyncio.sleep(0)
    @pytest_asyncio.fixture
    async def own(): yield await asyncio.sleep(0)
    async def test_a(shared, own): await meet()
    @pytest.mark.asyncio(concurrent=False, {keywords})
    async def test_repeated(own):
        assert not running
        await asyncio.wait([asyncio.ensure_future(asyncio.sleep(s)) for s in (0.001, 0.002)])
    async def test_b(shared, own): await meet()
    async def test_c(shared, own): await beside()
    """,
        "-v",
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines("*test_repeated PASSED (* runs)*")
