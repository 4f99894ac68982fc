"""Tests that wait, wait at the same time, and are reported one after another."""

from __future__ import annotations

import functools
import re
import textwrap
import warnings
from importlib.metadata import version
from xml.etree import ElementTree

import pytest

TOGETHER = """
meeting = asyncio.Barrier(2)
async def meet():
    async with asyncio.timeout(30):
        await meeting.wait()
"""
"""Only tests that run at the same time get past `await meet()`."""

ALONE = """
running = []
async def alone():
    assert not running
    running.append(1)
    for _ in range(20):
        await asyncio.sleep(0)
    running.clear()
"""
"""`await alone()` fails where another test is in the middle of it."""

MODULE = "pytestmark = pytest.mark.asyncio(concurrent=True)\n"


@pytest.fixture
def concurrent(suite):
    """Run a module whose tests are concurrent, with `meet()` and `alone()`."""

    def run(source, *args, **kwargs):
        __tracebackhide__ = True
        source = MODULE + TOGETHER + ALONE + textwrap.dedent(source)
        return suite(source, *args, **kwargs)

    return run


WAITING = """
async def test_0():
    for _ in range(20):
        await asyncio.sleep(0)
"""


@pytest.fixture(params=["at-hand", "begun-early"])
def concurrent_in_both_ways(request, concurrent):
    """Run a module, whose first test is the one at hand, or has been begun by one before it."""

    def run(source, *args, passed=0, **outcomes):
        __tracebackhide__ = True
        is_early = request.param == "begun-early"
        result = concurrent(WAITING * is_early + textwrap.dedent(source), *args)
        result.assert_outcomes(passed=passed + is_early, **outcomes)
        return result

    return run


class TestWhichTests:
    def test_the_mark_lets_tests_of_a_module_run_at_the_same_time(self, concurrent):
        concurrent(
            """
        async def test_a(): await meet()
        async def test_b(): await meet()
        """
        ).assert_outcomes(passed=2)

    def test_a_class_may_be_marked(self, suite):
        suite(
            f"{TOGETHER}\n"
            "@pytest.mark.asyncio(concurrent=True)\n"
            "class TestIt:\n"
            "    async def test_a(self): await meet()\n"
            "    async def test_b(self): await meet()\n"
        ).assert_outcomes(passed=2)

    def test_what_is_no_test_of_ours_is_left_alone(self, suite):
        result = suite(
            f"{ALONE}\n"
            "@pytest.mark.asyncio\n"
            "async def test_a(): await alone()\n"
            "async def test_b(): pass\n",
            ini="asyncio_concurrent = true",
        )
        result.assert_outcomes(passed=1, failed=1)

    @pytest.mark.parametrize("mode", ["auto", "strict"])
    def test_the_option_is_for_all_async_tests(self, suite, mode):
        mark = "pytestmark = pytest.mark.asyncio\n" if mode == "strict" else ""
        suite(
            f"{mark}{TOGETHER}\n"
            "async def test_a(): await meet()\n"
            "async def test_b(): await meet()\n",
            ini=f"asyncio_concurrent = true\nasyncio_mode = {mode}",
        ).assert_outcomes(passed=2)

    def test_a_test_may_say_no(self, concurrent):
        concurrent(
            """
        async def test_a(): await alone()
        @pytest.mark.asyncio(concurrent=False)
        async def test_b(): await alone()
        async def test_c(): await alone()
        """
        ).assert_outcomes(passed=3)

    def test_those_that_say_no_run_one_after_another(self, concurrent):
        concurrent(
            """
        @pytest.mark.asyncio(concurrent=False, loop_scope="module")
        @pytest.mark.parametrize("_", [1, 2])
        async def test_a(_): await alone()

        async def test_b(): await meet()
        async def test_c(): await meet()
        """
        ).assert_outcomes(passed=4)

    def test_synchronous_tests_between_them_run_alone(self, concurrent):
        concurrent(
            """
        async def test_a(): await alone()
        def test_sync(): assert not running
        async def test_b(): await alone()
        """
        ).assert_outcomes(passed=3)

    def test_they_share_the_loop_of_their_module(self, concurrent):
        concurrent(
            """
        loops = set()
        async def test_a(): loops.add(asyncio.get_running_loop())
        async def test_b():
            loops.add(asyncio.get_running_loop())
            assert len(loops) == 1
        """
        ).assert_outcomes(passed=2)

    def test_a_wider_loop_is_theirs_if_they_say_so(self, suite):
        suite(
            TOGETHER + "pytestmark = pytest.mark.asyncio(loop_scope='session', concurrent=True)\n"
            "loop = None\n"
            "async def test_a(): await meet()\n"
            "async def test_b(request):\n"
            "    await meet()\n"
        ).assert_outcomes(passed=2)

    def test_a_wider_loop_is_theirs_if_the_option_says_so(self, suite):
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

    def test_a_function_loop_is_refused(self, suite):
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

    def test_a_function_loop_in_the_mark_outweighs_the_option(self, suite):
        suite(
            f"{ALONE}\npytestmark = pytest.mark.asyncio(loop_scope='function')\n"
            "async def test_a(): await alone()\n"
            "async def test_b(): await alone()\n",
            ini="asyncio_concurrent = true",
        ).assert_outcomes(passed=2)

    def test_a_value_that_is_no_answer_is_refused(self, suite):
        result = suite(
            """
            @pytest.mark.asyncio(concurrent="yes")
            async def test_it(): pass
            """
        )
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["test_it.py::test_it: mark.asyncio 'concurrent' *'yes'*"])

    @pytest.mark.parametrize(
        "fixture", ["caplog", "capsys", "capfd", "monkeypatch", "recwarn", "asyncio_clock"]
    )
    def test_what_acts_on_the_whole_process_runs_alone(self, concurrent, fixture):
        concurrent(
            f"""
        async def test_a(): await alone()
        @pytest.fixture
        def indirect({fixture}): pass
        @pytest.mark.asyncio(clock={"virtual" if "clock" in fixture else "real"!r})
        async def test_b(indirect): await alone()
        async def test_c(): await alone()
        """,
        ).assert_outcomes(passed=3)

    def test_so_does_what_a_suite_names(self, concurrent):
        concurrent(
            """
        @pytest.fixture
        def database(): pass
        async def test_a(): await alone()
        async def test_b(database): await alone()
        async def test_c(): await alone()
        """,
            ini="asyncio_serial_fixtures = other database",
        ).assert_outcomes(passed=3)

    @pytest.mark.parametrize(
        "decorator",
        [
            "patch('os.sep', '|')",
            "patch.object(os, 'sep', '|')",
            "patch.multiple(os, sep='|')",
            "hidden",
        ],
    )
    def test_so_does_what_a_decorator_patches(self, concurrent, decorator):
        concurrent(
            f"""
        import functools, os
        from unittest.mock import patch
        def hidden(test):
            patched = patch("os.sep", "|")(test)
            @functools.wraps(patched, updated=())
            async def outer(): await patched()
            return outer
        async def test_a(): await alone()
        @{decorator}
        async def test_b():
            await alone()
            assert os.sep == "|"
        async def test_c(): await alone()
        """
        ).assert_outcomes(passed=3)

    def test_so_do_the_methods_of_a_class_that_is_patched(self, concurrent):
        concurrent(
            """
        from unittest.mock import patch
        @patch("os.sep")
        class TestPatched:
            async def test_a(self, sep): await alone()
            async def test_b(self, sep): await alone()
        """
        ).assert_outcomes(passed=2)

    def test_such_a_fixture_that_nobody_could_foresee_is_refused(self, concurrent):
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

    def test_what_may_be_run_again_runs_alone(self, concurrent):
        concurrent(
            """
        async def test_a(): await alone()
        @pytest.mark.flaky(reruns=2)
        async def test_b(): await alone()
        async def test_c(): await alone()
        """,
            ini="markers = flaky",
        ).assert_outcomes(passed=3)

    def test_what_has_virtual_time_runs_alone(self, concurrent):
        concurrent(
            """
        pytestmark = pytest.mark.asyncio(clock="virtual", concurrent=True)
        async def test_a(): await alone()
        async def test_b(): await alone()
        """
        ).assert_outcomes(passed=2)

    def test_what_has_an_event_loop_policy_of_its_own_runs_alone(self, concurrent):
        concurrent(
            """
        @pytest.fixture(scope="module")
        def event_loop_policy(): return asyncio.DefaultEventLoopPolicy()
        async def test_a(): await alone()
        async def test_b(): await alone()
        """,
            "-Wignore::DeprecationWarning",
        ).assert_outcomes(passed=2)

    def test_hypothesis_runs_its_examples_alone(self, concurrent):
        concurrent(
            """
        from hypothesis import given, settings, strategies
        async def test_a(): await alone()
        @settings(max_examples=3, database=None)
        @given(strategies.integers())
        async def test_b(number): await alone()
        async def test_c(): await alone()
        """
        ).assert_outcomes(passed=3)

    def test_those_with_other_parameters_of_a_wide_fixture_come_later(self, concurrent):
        concurrent(
            """
        living = []
        @pytest_asyncio.fixture(scope="module", params=[1, 2])
        async def server(request):
            living.append(request.param)
            yield request.param
            living.clear()
        async def test_a(server):
            await meet()
            assert living == [server]
        async def test_b(server):
            await meet()
            assert living == [server]
        """,
            ini="asyncio_default_fixture_loop_scope = fixture-scope",
        ).assert_outcomes(passed=4)


class TestHowMany:
    COUNTING = """
running = most = 0
@pytest.mark.parametrize("number", range(6))
async def test_it(number):
    global running, most
    running += 1
    most = max(most, running)
    for _ in range(20):
        await asyncio.sleep(0)
    running -= 1
def test_most():
    print("most:", most)
"""

    def count(self, suite, *args, **kwargs):
        result = suite(MODULE + self.COUNTING, *args, "-rP", **kwargs)
        found = re.search(r"most: (\d+)", result.stdout.str())
        assert found
        return int(found[1])

    @pytest.mark.parametrize("argument", ["--capture=fd", "--capture=no"])
    def test_the_option_says_how_many(self, suite, argument):
        assert self.count(suite, argument, ini="asyncio_concurrency = 3") == 3

    def test_the_command_line_outweighs_it(self, suite):
        assert self.count(suite, "--asyncio-concurrency=2", ini="asyncio_concurrency = 3") == 2

    def test_one_that_is_over_makes_room_for_the_next(self, concurrent):
        concurrent(
            """
        go = asyncio.Event()
        async def test_a(): await asyncio.wait_for(go.wait(), 30)
        async def test_b(): pass
        async def test_c(): go.set()
        """,
            "--asyncio-concurrency=2",
        ).assert_outcomes(passed=3)

    def test_one_is_one_after_another(self, suite):
        assert self.count(suite, "--asyncio-concurrency=1") == 1

    @pytest.mark.parametrize("value", ["0", "many", "-1", "1.5"])
    def test_what_is_no_number_is_refused(self, suite, value):
        result = suite("", f"--asyncio-concurrency={value}")
        assert result.ret is pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*{value!r} is not a valid asyncio_concurrency*"])

    def test_the_header_tells_it(self, suite):
        result = suite(MODULE + "async def test_it(): pass", ini="asyncio_concurrent = true")
        result.stdout.fnmatch_lines(["asyncio: *asyncio_concurrency=32*"])

    @pytest.mark.parametrize(
        "argument",
        ["--setup-show", "--asyncio-checks=all", "-pno:logging", "-pno:capture", "--trace-config"],
    )
    def test_what_needs_one_after_another_gets_it(self, suite, argument):
        most = self.count(suite, argument)
        assert most == (6 if argument == "--trace-config" else 1)

    def test_so_does_an_option_of_another_plugin_in_the_ini_file(self, suite):
        conftest = "def pytest_addoption(parser): parser.addini('reruns', '')"
        assert self.count(suite, ini="reruns = 1", conftest=conftest) == 1

    @pytest.mark.parametrize(
        "hook",
        [
            "def pytest_runtest_protocol(item): pass",
            "@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_protocol(item): return (yield)",
            "@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_protocol(item): yield",
        ],
        ids=["plain", "wrapper", "hookwrapper"],
    )
    def test_so_does_a_plugin_that_sees_each_test_from_start_to_end(self, suite, hook):
        assert self.count(suite, conftest=hook) == 1

    def test_so_does_one_that_is_found_late(self, suite):
        hook = "@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_protocol(): return (yield)"
        files = {"late/conftest.py": hook, "late/test_late.py": "def test_sync(): pass"}
        assert self.count(suite, files=files) == 1

    def test_such_a_plugin_is_told_once(self, suite):
        conftest = "def pytest_runtest_protocol(item): pass"
        result = suite(MODULE + self.COUNTING, conftest=conftest)
        result.assert_outcomes(passed=7, warnings=1)
        result.stdout.fnmatch_lines(
            "*PytestWarning: Concurrent tests run one after another, because a test that is begun "
            "early would not be seen from start to end by conftest.pytest_runtest_protocol()."
        )

    @pytest.mark.parametrize("argument", ["--asyncio-concurrency=1", "--asyncio-checks=all"])
    def test_it_is_not_told_where_something_else_has_them_run_so(self, suite, argument):
        conftest = "def pytest_runtest_protocol(item): pass"
        suite(MODULE + self.COUNTING, argument, conftest=conftest).assert_outcomes(passed=7)


class TestFixtures:
    def test_they_wait_at_the_same_time_too(self, concurrent_in_both_ways):
        concurrent_in_both_ways(
            """
        @pytest_asyncio.fixture
        async def slow():
            await meet()
            yield
            await meet()
        async def test_a(slow): pass
        async def test_b(slow): pass
        """,
            passed=2,
        )

    def test_each_test_has_its_own(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture
        async def outer(request): return [request.node.name]
        @pytest.fixture
        def middle(outer): return outer
        @pytest_asyncio.fixture
        async def inner(middle):
            await meet()
            yield middle
        async def test_a(inner, outer, request):
            await meet()
            assert inner is outer
            assert outer == [request.node.name]
        async def test_b(inner, outer, request):
            await meet()
            assert outer == [request.node.name]
        """
        ).assert_outcomes(passed=2)

    def test_so_it_has_of_what_it_requests_late(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture
        async def late(request): return request.node.name

        @pytest.mark.parametrize("_", "abc")
        async def test_it(request, _):
            value = await pytest_asyncio.getfixturevalue(request, "late")
            await asyncio.sleep(0.01)
            assert value == request.node.name
        """
        ).assert_outcomes(passed=3)

    @pytest.mark.parametrize("before", ["pass", "await asyncio.sleep(0.01)"])
    def test_a_wide_one_that_one_test_awaits_late_is_that_of_the_others(
        self, concurrent_in_both_ways, before
    ):
        concurrent_in_both_ways(
            f"""
        setups = []
        @pytest_asyncio.fixture(scope="module")
        async def wide():
            setups.append(1)
            await asyncio.sleep(0.05)
            yield len(setups)
        @pytest_asyncio.fixture(scope="module")
        async def on_top(wide): return wide
        async def test_a(request):
            {before}
            assert await pytest_asyncio.getfixturevalue(request, "on_top") == 1
        async def test_b(wide): assert wide == 1
        async def test_c(on_top): assert on_top == 1
        """,
            passed=3,
        )

    def test_one_that_others_await_cannot_be_requested_by_a_synchronous_one_meanwhile(
        self, concurrent
    ):
        result = concurrent(
            """
        @pytest_asyncio.fixture(scope="module")
        async def wide():
            await asyncio.sleep(0.05)
            return 1
        @pytest_asyncio.fixture
        async def before(): await asyncio.sleep(0.01)
        @pytest.fixture
        def own(before, request): return request.getfixturevalue("wide")
        async def test_a(request):
            assert await pytest_asyncio.getfixturevalue(request, "wide") == 1
        async def test_b(own): pass
        """
        )
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(
            "The async fixture 'wide' was requested synchronously while another test awaited its "
            "setup. Request it as an argument."
        )

    def test_one_that_asks_for_a_loop_of_its_own_gets_it(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture(loop_scope="function")
        async def own(): return asyncio.get_running_loop()
        async def test_a(own): assert asyncio.get_running_loop() is not own
        async def test_b(own): assert asyncio.get_running_loop() is not own
        """
        ).assert_outcomes(passed=2)

    def test_one_on_another_loop_may_request_others_there(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture(loop_scope="session")
        async def inner(): return asyncio.get_running_loop()
        @pytest_asyncio.fixture(loop_scope="session")
        async def outer(request):
            return await pytest_asyncio.getfixturevalue(request, "inner")
        async def test_a(outer): await meet()
        async def test_b(outer): await meet()
        """
        ).assert_outcomes(passed=2)

    def test_one_may_skip_its_test(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture
        async def skipping():
            await meet()
            pytest.skip("no")
        async def test_a(skipping): pass
        async def test_b(skipping): pass
        """
        ).assert_outcomes(skipped=2)

    @pytest.mark.parametrize("capture", ["fd", "no"])
    def test_a_test_is_not_called_without_them(self, concurrent, capture):
        concurrent(
            """
        called = []

        @pytest_asyncio.fixture
        async def failing():
            await alone()
            raise LookupError

        async def test_a(): await alone()

        @pytest.mark.skip
        async def test_b(): called.append("b")

        @pytest.mark.usefixtures("failing")
        async def test_c(): called.append("c")

        def test_d(): assert not called
        """,
            f"--capture={capture}",
        ).assert_outcomes(passed=2, skipped=1, errors=1)

    def test_a_test_is_not_called_after_a_setup_that_a_hook_lets_fail(self, concurrent):
        concurrent(
            """
        called = []
        async def test_a(): await alone()
        async def test_b(): called.append("b")
        def test_c(): assert not called
        """,
            conftest="""
            @pytest.hookimpl(wrapper=True)
            def pytest_runtest_makereport(item, call):
                report = yield
                if (item.name, call.when) == ("test_b", "setup"):
                    report.outcome = "failed"
                return report
            """,
        ).assert_outcomes(passed=2, errors=1)

    def test_one_that_is_not_there_is_told(self, concurrent_in_both_ways):
        concurrent_in_both_ways(
            """
        async def test_a(request):
            await asyncio.sleep(0)
            with pytest.raises(pytest.FixtureLookupError, match="unknown"):
                request.getfixturevalue("unknown")
        """,
            passed=1,
        )

    def test_a_test_that_is_run_twice_has_them_twice(self, concurrent):
        result = concurrent(
            """
        @pytest_asyncio.fixture
        async def one():
            await asyncio.sleep(0)
            yield
        async def test_a(one):
            await asyncio.sleep(0.01)
            print("called")
        async def test_b(one):
            await asyncio.sleep(0)
            print("called")
        """,
            "-s",
            conftest="""
        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtestloop(session):
            done = yield
            for item, nextitem in zip(session.items, [*session.items[1:], None]):
                item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            return done
        """,
        )
        result.assert_outcomes(passed=4)
        assert result.stdout.str().count("called") == 4

    def test_those_of_a_test_are_torn_down_although_one_before_it_ends_meanwhile(self, concurrent):
        concurrent(
            """
        torn_down = []
        begun, go = asyncio.Event(), asyncio.Event()

        @pytest_asyncio.fixture
        async def own(request):
            yield
            torn_down.append(request.node.name)

        async def test_a(own): await meet()

        async def test_b(own):
            await meet()
            await begun.wait()

        async def test_c(own):
            begun.set()
            await go.wait()

        async def test_d(own): go.set()

        def test_sync(): assert sorted(torn_down) == ["test_a", "test_b", "test_c", "test_d"]
        """,
            "--asyncio-concurrency=2",
        ).assert_outcomes(passed=5)

    def test_their_values_are_let_go(self, concurrent_in_both_ways):
        concurrent_in_both_ways(
            """
        import gc, weakref

        class Value: pass
        values = weakref.WeakSet()

        @pytest_asyncio.fixture
        async def value():
            values.add(value := Value())
            return value

        async def test_a(value): await meet()
        async def test_b(value): await meet()

        def test_sync():
            for _ in range(5):  # PyPy finds what is left in layers.
                gc.collect()
            assert not values
        """,
            passed=3,
        )

    def test_a_test_that_is_skipped_leaves_those_of_the_others_alone(self, concurrent):
        concurrent(
            """
        torn_down = []

        @pytest.fixture
        def own():
            yield
            torn_down.append("own")

        async def test_a(own): await alone()
        @pytest.mark.skip
        async def test_b(): pass
        def test_sync(): assert torn_down
        """
        ).assert_outcomes(passed=2, skipped=1)

    def test_a_test_that_another_one_precedes_after_all_is_begun_anew(self, concurrent):
        concurrent(
            """
        begun = []

        @pytest.fixture
        def noted(): begun.append("test_b")

        async def test_a(): await meet()

        async def test_b(noted):
            if len(begun) == 1:
                await meet()
                await asyncio.Event().wait()

        async def test_c(): assert begun == ["test_b"]
        """,
            "--asyncio-concurrency=2",
            conftest="""
        def pytest_runtestloop(session):
            a, b, c = session.items
            for item, nextitem in [(a, b), (c, b), (b, None)]:
                item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            return True
        """,
        ).assert_outcomes(passed=3)

    def test_wider_ones_are_shared_and_outlive_the_tests(self, concurrent):
        result = concurrent(
            """
        @pytest_asyncio.fixture(scope="module")
        async def server():
            print("set up")
            yield []
            print("torn down")
        async def test_a(server):
            server.append("a")
            await meet()
            print(*sorted(server))
        async def test_b(server):
            server.append("b")
            await meet()
        """,
            "-s",
            ini="asyncio_default_fixture_loop_scope = fixture-scope",
        )
        result.assert_outcomes(passed=2)
        shown = [line for line in result.stdout.lines if "set up" in line or "torn" in line]
        assert len(shown) == 2
        result.stdout.fnmatch_lines(["*set up", "a b", "*torn down"])

    @pytest.mark.parametrize("scope", ["function", "class"])
    def test_context_variables_are_those_of_each_test(self, concurrent_in_both_ways, scope):
        concurrent_in_both_ways(
            f"""
        from contextvars import ContextVar
        variable = ContextVar("variable", default="none")
        @pytest_asyncio.fixture
        async def met(): await meet()
        @pytest_asyncio.fixture(scope={scope!r}, loop_scope="module")
        async def named(request):
            variable.set(request.node.name)
        async def test_a(named, met):
            await meet()
            assert variable.get() == "test_a"
        async def test_b():
            assert variable.get() == "none"
            await meet()
            await meet()
        def test_sync(): assert variable.get() == "none"
        """,
            passed=3,
        )

    def test_context_variables_of_synchronous_ones_are_those_of_each_test_too(self, concurrent):
        concurrent(
            """
        from contextvars import ContextVar
        variable = ContextVar("variable", default="none")
        @pytest.fixture
        def named(request):
            token = variable.set(request.node.name)
            yield
            variable.reset(token)
        async def test_a(named):
            await meet()
            assert variable.get() == "test_a"
        async def test_b(named):
            assert variable.get() == "test_b"
            await meet()
        def test_sync(): assert variable.get() == "none"
        """
        ).assert_outcomes(passed=3)

    @pytest.mark.parametrize("kind", ["async ", ""])
    def test_a_wider_one_that_is_overridden_is_shared_too(self, concurrent, kind):
        concurrent(
            f"""
        setups = []

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        {kind}def server():
            setups.append("server")
            yield
            assert setups == ["server"]

        class TestIt:
            @pytest_asyncio.fixture
            async def server(self, server): await meet()

            async def test_a(self, server): assert setups == ["server"]
            async def test_b(self, server): assert setups == ["server"]
        """
        ).assert_outcomes(passed=2)

    def test_context_variables_of_wider_ones_are_those_of_all_tests(self, concurrent):
        concurrent(
            """
        from contextvars import ContextVar
        variable = ContextVar("variable", default="none")

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide(): variable.set("wide")

        async def test_a(wide): await meet()
        async def test_b(wide):
            await meet()
            assert variable.get() == "wide"
        """
        ).assert_outcomes(passed=2)

    def test_the_teardown_of_its_own_sees_the_context_variables_that_a_test_has_set(
        self, concurrent
    ):
        concurrent(
            """
        from contextvars import ContextVar
        variable = ContextVar("variable", default="none")
        @pytest.fixture
        def own(request):
            yield
            assert variable.get() == request.node.name
        async def test_a(own):
            variable.set("test_a")
            await meet()
        async def test_b(own):
            variable.set("test_b")
            await meet()
        def test_sync(): assert variable.get() == "none"
        """
        ).assert_outcomes(passed=3)

    @pytest.mark.parametrize(("one", "other"), ["ab", "ba"])
    def test_their_failures_are_those_of_their_tests(self, concurrent, one, other):
        result = concurrent(
            """
        @pytest_asyncio.fixture
        async def failing(request):
            await meet()
            if request.node.name == failing_setup:
                raise OSError("setup of one")
            yield
            raise OSError("teardown of the other")
        async def test_a(failing): pass
        async def test_b(failing): pass
        async def test_c(): pass
        """.replace("failing_setup", f"'test_{one}'")
        )
        result.assert_outcomes(passed=2, errors=2)
        result.stdout.fnmatch_lines(
            [
                f"*ERROR at setup of test_{one}*",
                "E * OSError: setup of one",
            ]
        )
        result.stdout.fnmatch_lines(
            [
                f"*ERROR at teardown of test_{other}*",
                "E * OSError: teardown of the other",
            ]
        )

    def test_a_wide_one_that_only_one_asks_for_is_seen_by_all(self, concurrent_in_both_ways):
        concurrent_in_both_ways(
            """
        from contextvars import ContextVar
        variable = ContextVar("variable", default="none")
        @pytest.fixture(scope="module")
        def wide(): variable.set("wide")
        @pytest_asyncio.fixture
        async def asks(request): return await pytest_asyncio.getfixturevalue(request, "wide")
        async def test_a(asks): await meet()
        async def test_b(): await meet()
        async def test_c(): assert variable.get() == "wide"
        """,
            "--asyncio-concurrency=2",
            passed=3,
        )

    def test_what_a_test_sets_on_the_loop_is_put_back(self, concurrent):
        concurrent(
            """
        async def test_a(): await meet()
        async def test_b():
            await meet()
            await alone()
            asyncio.get_running_loop().set_exception_handler(print)
        @pytest.mark.asyncio(concurrent=False, loop_scope="module")
        async def test_c(): assert asyncio.get_running_loop().get_exception_handler() is None
        """
        ).assert_outcomes(passed=3)

    def test_a_wide_one_that_several_ask_for_is_set_up_once(self, concurrent):
        concurrent(
            """
        setups = []
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide():
            setups.append("wide")
            await asyncio.sleep(0.01)
            yield
            assert setups == ["wide"]
        @pytest.mark.parametrize("_", "abc")
        async def test_it(request, _):
            await asyncio.sleep(0.01)
            await pytest_asyncio.getfixturevalue(request, "wide")
            assert setups == ["wide"]
        """
        ).assert_outcomes(passed=3)

    def test_setup_and_teardown_of_the_class_surround_its_tests(self, concurrent):
        concurrent(
            """
        class TestIt:
            async def setup_method(self): self.ready = True
            async def test_a(self):
                await meet()
                assert self.ready
            async def test_b(self):
                await meet()
                assert self.ready
        """
        ).assert_outcomes(passed=2)

    def test_a_fixture_may_override_another_one(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture
        async def it():
            return "base"

        class TestIt:
            @pytest_asyncio.fixture
            async def it(self, it):
                return it, "mine"

            async def test_before(self): await alone()
            async def test_it(self, it):
                assert it == ("base", "mine")
        """
        ).assert_outcomes(passed=2)


class TestReports:
    def test_output_and_logs_are_those_of_their_test(self, concurrent):
        result = concurrent(
            """
        import logging, sys
        async def say(name):
            for number in range(3):
                print(f"{name} out {number}")
                print(f"{name} err {number}", file=sys.stderr)
                numbers = [number]
                logging.warning("%s log %s", name, numbers)
                numbers.clear()
                await asyncio.sleep(0)
            await meet()
            lengths = sys.stdout.write("text"), sys.stdout.buffer.write(b"bytes\\n")
            sys.stdout.writelines([f"{name} lines\\n"])
            assert lengths == (0, 0)
        async def test_a(): await say("a")
        async def test_b(): await say("b")
        """
        )
        result.assert_outcomes(failed=2)
        assert result.stdout.str().count("assert (4, 6) == (0, 0)") == 4
        for name in "ab":
            result.stdout.fnmatch_lines(
                [
                    f"*___ test_{name} ___*",
                    "*Captured stdout call*",
                    *(f"{name} out {number}" for number in range(3)),
                    "textbytes",
                    f"{name} lines",
                    "*Captured stderr call*",
                    *(f"{name} err {number}" for number in range(3)),
                    "*Captured log call*",
                    *(f"WARNING *{name} log ?{number}?" for number in range(3)),
                ],
                consecutive=False,
            )
        assert result.stdout.str().count("a out 1") == 1

    def test_logs_below_the_level_are_left_out(self, concurrent):
        result = concurrent(
            """
        import logging
        async def test_a():
            await meet()
            logging.warning("small")
            logging.error("great")
        async def test_b(): await meet()
        """,
            "--log-level=ERROR",
            "-rP",
        )
        result.stdout.fnmatch_lines(["ERROR * great"])
        result.stdout.no_fnmatch_line("*small*")

    def test_a_log_file_has_a_level_of_its_own(self, concurrent, pytester):
        concurrent(
            """
        import logging
        async def test_a(): await meet()
        async def test_b():
            await meet()
            logging.warning("small")
            logging.error("great")
        """,
            "--log-file=log.txt",
            "--log-file-level=ERROR",
        ).assert_outcomes(passed=2)
        (line,) = (pytester.path / "log.txt").read_text(encoding="utf-8").splitlines()
        assert "great" in line

    def test_what_is_logged_before_a_wait_is_told_too(self, concurrent):
        result = concurrent(
            """
        import logging
        @pytest.fixture
        def own(): logging.warning("of its fixture")
        async def test_a(): await meet()
        async def test_b(): await meet(); await alone()
        async def test_c(own): assert 0
        """,
            "--asyncio-concurrency=2",
        )
        result.stdout.fnmatch_lines(["*Captured log setup*", "WARNING*of its fixture"])

    def test_output_that_is_shown_at_once_comes_in_order(self, concurrent):
        result = concurrent(
            """
        async def test_a():
            print("a begins")
            await meet()
            await alone()
            print("a ends")
        async def test_b():
            print("b begins")
            await meet()
            print("b ends")
        """,
            "-s",
        )
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(["*a begins", "a ends", "*b begins", "b ends"])

    def test_live_logs_come_in_order(self, concurrent):
        result = concurrent(
            """
        import logging
        async def test_a():
            logging.warning("a begins")
            await meet()
            await alone()
            logging.warning("a ends")
        async def test_b():
            logging.warning("b begins")
            await meet()
        """,
            "--log-cli-level=INFO",
        )
        result.stdout.fnmatch_lines(
            [
                "*::test_a *",
                "*live log call*",
                "WARNING * a begins*",
                "WARNING * a ends*",
                "PASSED*",
                "*::test_b *",
                "WARNING * b begins*",
                "PASSED*",
            ]
        )

    def test_output_of_no_test_is_told_with_the_one_at_hand(self, concurrent_in_both_ways):
        result = concurrent_in_both_ways(
            """
        import logging, os, subprocess, sys, threading
        @pytest.fixture
        def own():
            yield
            os.write(1, b"of its teardown\\n")
        async def test_a(own):
            await meet()
            threading.Thread(target=print, args=["of a thread"]).start()
            threading.Thread(target=logging.warning, args=["in its log"]).start()
            subprocess.run([sys.executable, "-c", "print('of a process')"])
            os.write(1, b"of a file\\n")
        async def test_b(): await meet()
        def test_sync(): pass
        """,
            "-rP",
            "--asyncio-concurrency=2",
            passed=3,
        )
        told = result.stdout.str()
        assert told.count("in its log") == 1
        call, _, teardown = told.partition("Captured stdout teardown")
        for text in ("of a thread", "of a process", "of a file"):
            assert (call.count(f"{text}\n"), teardown.count(f"{text}\n")) == (1, 0)
        assert teardown.count("of its teardown\n") == 1

    def test_output_after_a_wide_async_fixture_is_that_of_its_test(self, concurrent):
        result = concurrent(
            """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide(): await asyncio.sleep(0)
        @pytest.fixture
        def own(wide): print("of b")
        async def test_a(): await meet()
        async def test_b(own): await meet()
        """,
            "-rP",
        )
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(["*___ test_b ___*", "of b"])

    def test_streams_and_log_handlers_are_put_back(self, concurrent):
        concurrent(
            """
        import logging, sys
        streams = sys.stdout, sys.stderr
        async def test_a(): await meet()
        async def test_b(): await meet()
        def test_sync():
            assert (sys.stdout, sys.stderr) == streams
            assert not any(handler.filters for handler in logging.getLogger().handlers)
        """,
            "-s",
        ).assert_outcomes(passed=3)

    def test_how_warnings_are_shown_is_put_back(self, concurrent):
        by = warnings._showwarnmsg_impl
        concurrent(
            """
        async def test_a(): await meet()
        async def test_b(): await meet()
        """,
            "-pno:warnings",
        ).assert_outcomes(passed=2)
        assert warnings._showwarnmsg_impl is by

    def test_threads_with_the_context_of_a_test_write_for_it(self, concurrent):
        result = concurrent(
            """
        async def test_a(): await meet()
        async def test_b():
            await asyncio.to_thread(print, "of b")
            await meet()
        """,
            "-rP",
        )
        result.stdout.fnmatch_lines(["*___ test_b ___*", "*Captured stdout call*", "of b"])

    def test_output_of_a_synchronous_teardown_is_told_with_its_test(self, concurrent_in_both_ways):
        result = concurrent_in_both_ways(
            """
        down = asyncio.Event()
        @pytest.fixture
        def own():
            yield
            print("down")
            down.set()
        async def test_a():
            await meet()
            await down.wait()
        async def test_b(own):
            await meet()
            print("up")
        """,
            "-rP",
            "--asyncio-concurrency=2",
            passed=2,
        )
        result.stdout.fnmatch_lines(
            ["*___ test_b ___*", "up", "*Captured stdout teardown*", "down"]
        )

    def test_what_a_test_has_left_behind_is_told_of_with_the_one_at_hand(self, concurrent):
        result = concurrent(
            """
        import warnings
        go, warned = asyncio.Event(), asyncio.Event()
        left = []
        async def leave():
            await go.wait()
            warnings.warn("late")
            warned.set()
        async def test_a(): await meet()
        async def test_b():
            await meet()
            left.append(asyncio.create_task(leave()))
        @pytest.mark.asyncio(loop_scope="module", concurrent=True)
        class TestLater:
            async def test_c(self):
                await meet()
                go.set()
                await warned.wait()
            async def test_d(self): await meet()
        """,
            "-Wdefault",
        )
        result.assert_outcomes(passed=4, warnings=1)
        result.stdout.fnmatch_lines(["test_it.py::TestLater::test_c", "*late*"])

    def test_warnings_are_told_with_the_test_that_caused_them(self, concurrent):
        result = concurrent(
            """
        import warnings
        async def warn():
            await meet()
            warnings.warn("same")
        async def test_a(): await warn()
        async def test_b(): await warn()
        """,
            "-Wdefault",
        )
        result.assert_outcomes(passed=2, warnings=2)
        result.stdout.fnmatch_lines(["test_it.py::test_a", "test_it.py::test_b", "*same*"])

    def test_a_warning_is_told_once_for_each_place(self, concurrent):
        result = concurrent(
            """
        import threading, warnings
        async def test_a():
            await meet()
            for _ in range(3):
                warnings.warn("of a")
                warnings.warn("always", FutureWarning)
                warnings.warn("wanted always")
        async def test_b():
            await meet()
            thread = threading.Thread(target=warnings.warn, args=["of a thread"])
            thread.start()
            thread.join()
        """,
            "-Wdefault",
            "-Walways::FutureWarning",
            "-Walways:wanted",
            "-Walways:::of_no_module:9999",
        )
        result.assert_outcomes(passed=2, warnings=8)

    def test_a_stream_that_a_test_puts_in_place_gets_what_is_written(self, concurrent_in_both_ways):
        concurrent_in_both_ways(
            """
        import contextlib, io, sys
        async def test_a():
            with contextlib.redirect_stdout(io.StringIO()) as stream:
                print("of a")
                await meet()
            sys.stdout.buffer.flush()
            assert stream.getvalue() == "of a\\n"
        async def test_b(): await meet()
        async def test_c():
            with contextlib.redirect_stderr(io.StringIO()):
                await asyncio.sleep(0.05)
        """,
            passed=3,
        )

    def test_that_of_the_test_at_hand_stays_where_others_are_reported(self, concurrent):
        concurrent(
            """
        import contextlib, io
        reported = asyncio.Event()
        @pytest.fixture
        def own():
            yield
            reported.set()
        async def test_a():
            with contextlib.redirect_stdout(io.StringIO()) as stream:
                await reported.wait()
                print("of a")
            assert stream.getvalue() == "of a\\n"
        async def test_b(own): pass
        """
        ).assert_outcomes(passed=2)

    def test_what_a_test_writes_when_such_a_stream_is_gone_is_told(self, concurrent_in_both_ways):
        result = concurrent_in_both_ways(
            """
        import contextlib, io
        @pytest_asyncio.fixture
        async def silent():
            with contextlib.redirect_stdout(io.StringIO()):
                await meet()
        @pytest.fixture
        def telling(silent): print("told")
        async def test_a(telling): pass
        async def test_b(): await meet()
        """,
            "-rP",
            passed=2,
        )
        result.stdout.fnmatch_lines(["*Captured stdout setup*", "told"])

    def test_what_the_others_write_then_is_told_too(self, concurrent):
        result = concurrent(
            """
        import contextlib, io
        begun, gone = asyncio.Event(), asyncio.Event()
        @pytest_asyncio.fixture
        async def met(): await meet()
        async def test_a():
            await gone.wait()
            print("told")
        async def test_b():
            with contextlib.redirect_stdout(io.StringIO()):
                await meet()
                await begun.wait()
            gone.set()
        async def test_c(met): begun.set()
        """,
            "-rP",
        )
        result.assert_outcomes(passed=3)
        result.stdout.fnmatch_lines(["*___ test_a ___*", "told"])

    def test_a_session_within_a_test_takes_none_of_its_output(self, concurrent):
        two = "async def test_a(): await meet()\nasync def test_b(): await meet()"
        result = concurrent(
            """
        from pytest_asyncio import plugin
        async def test_a():
            await meet()
            await meet()
        async def test_b():
            await meet()
            assert pytest.main(["-s", "-pno:cacheprovider", "inner.py"], [plugin]) == 0
            print("of b")
            await meet()
        """,
            "-rP",
            files={"inner.py": f"{MODULE}{TOGETHER}\n{two}"},
        )
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(["*___ test_b ___*", "of b"])

    def test_such_a_stream_of_the_test_at_hand_gets_nothing_of_the_others(self, concurrent):
        result = concurrent(
            """
        import contextlib, io
        go, over = asyncio.Event(), asyncio.Event()
        @pytest_asyncio.fixture
        async def waiting(): await go.wait()
        @pytest.fixture
        def telling(waiting): print("of b")
        async def test_a():
            await alone()
            with contextlib.redirect_stdout(io.StringIO()) as stream:
                go.set()
                await over.wait()
            assert not stream.getvalue()
        async def test_b(telling): over.set()
        """,
            "-rP",
        )
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(["*___ test_b ___*", "of b"])

    def test_warnings_that_are_errors_fail_the_test_that_caused_them(self, concurrent):
        result = concurrent(
            """
        import warnings
        async def test_a():
            await meet()
            warnings.warn("no")
        async def test_b(): await meet()
        """
        )
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["FAILED test_it.py::test_a - UserWarning: no"])

    def test_tests_with_filters_of_their_own_run_beside_those_with_the_same(self, concurrent):
        concurrent(
            """
        import warnings
        @pytest.mark.filterwarnings("ignore:no")
        async def test_a():
            await alone()
            warnings.warn("no")
        async def test_b(): await alone()
        """
        ).assert_outcomes(passed=2)

    @pytest.mark.parametrize("capture", ["fd", "no"])
    def test_each_phase_has_a_duration_of_its_own(self, concurrent, capture):
        result = concurrent(
            """
        async def test_slow(): await asyncio.sleep(0.3)
        async def test_slow_too(): await asyncio.sleep(0.3)
        async def test_fast(): pass
        """,
            "--durations=0",
            "-vv",
            f"--capture={capture}",
        )
        durations = re.findall(r"([\d.]+)s (\w+) +test_it.py::(\w+)", result.stdout.str())
        seconds = {(phase, name): float(number) for number, phase, name in durations}
        assert len(seconds) == 9
        slow = [seconds.pop(("call", "test_slow")), seconds.pop(("call", "test_slow_too"))]
        assert all(duration >= 0.29 for duration in slow)
        assert all(duration < 0.25 for duration in seconds.values())

    def test_its_duration_has_what_is_done_synchronously(self, concurrent):
        result = concurrent(
            """
        import time
        @pytest.fixture(scope="module", autouse=True)
        def wide():
            yield
            time.sleep(0.02)
        @pytest.fixture
        def before(): time.sleep(0.02)
        @pytest_asyncio.fixture
        async def met(before):
            await meet()
            yield
        @pytest.fixture
        def after(met):
            time.sleep(0.02)
            yield
            time.sleep(0.02)
        async def test_a(): await meet()
        async def test_b(after): time.sleep(0.02)
        """,
            "--durations=0",
            "-vv",
        )
        durations = re.findall(r"([\d.]+)s (\w+) +test_it.py::test_b", result.stdout.str())
        seconds = {phase: float(number) for number, phase in durations}
        assert seconds["setup"] >= 0.04
        assert seconds["call"] >= 0.02
        assert seconds["teardown"] >= 0.04

    def test_each_ends_when_its_duration_is_over(self, concurrent):
        concurrent(
            """
        import time
        @pytest.fixture
        def working(): time.sleep(0.01)
        async def test_a(): await asyncio.sleep(0.01)
        async def test_b(working): await asyncio.sleep(0.01)
        async def test_c(working): await asyncio.sleep(0.01)
        """,
            conftest="""
        def pytest_runtest_logreport(report):
            assert abs(report.stop - report.start - report.duration) < 0.001
        """,
        ).assert_outcomes(passed=3)

    def test_junit_xml_has_their_output_and_properties(self, concurrent, pytester):
        concurrent(
            """
        async def test_a(record_property):
            record_property("name", "a")
            await meet()
            print("of a")
        async def test_b(record_property):
            record_property("name", "b")
            await meet()
            assert 0
        """,
            "--junit-xml=junit.xml",
            "-ojunit_logging=all",
            "-ojunit_family=xunit1",
        )
        cases = ElementTree.parse(pytester.path / "junit.xml").getroot().findall(".//testcase")
        assert [case.get("name") for case in cases] == ["test_a", "test_b"]
        assert [case.find(".//property").get("value") for case in cases] == ["a", "b"]
        assert "of a" in cases[0].findtext("system-out")
        assert cases[1].find("failure") is not None

    def test_skips_and_expected_failures_are_told_as_ever(self, concurrent):
        result = concurrent(
            """
        @pytest.mark.skip(reason="by mark")
        async def test_skip(): pass
        async def test_skips():
            await meet()
            pytest.skip("by call")
        @pytest.mark.xfail(reason="expected")
        async def test_xfail():
            await meet()
            assert 0
        @pytest.mark.xfail(run=False)
        async def test_not_run(): pass
        @pytest.mark.xfail
        async def test_xpass(): pass
        async def test_xfails(): pytest.xfail("by call")
        """,
            "-ra",
        )
        result.assert_outcomes(skipped=2, xfailed=3, xpassed=1)
        result.stdout.fnmatch_lines(["SKIPPED*by mark", "SKIPPED*by call", "XFAIL*expected"])

    def test_a_traceback_shows_nothing_of_the_plugin(self, concurrent):
        result = concurrent(
            """
        async def test_a(): await meet()
        async def test_b():
            await meet()
            assert 0
        """,
            "--tb=native",
        )
        assert "pytest_asyncio" not in result.stdout.str().partition("= FAILURES =")[2]

    def test_they_come_in_the_order_of_collection(self, concurrent):
        result = concurrent(
            """
        first_may_end = asyncio.Event()
        async def test_first(): await first_may_end.wait()
        async def test_second(): pass
        async def test_last(): first_may_end.set()
        """,
            "-v",
        )
        result.stdout.fnmatch_lines(["*::test_first *", "*::test_second *", "*::test_last *"])

    def test_hooks_of_plugins_see_a_serial_run(self, concurrent):
        result = concurrent(
            """
        @pytest_asyncio.fixture
        async def asks(request):
            yield
            print("call was", request.node.stash["call"].outcome)
        async def test_a(asks):
            await meet()
            assert 0
        async def test_b(asks): await meet()
        """,
            "-s",
            conftest="""
            @pytest.hookimpl(wrapper=True)
            def pytest_runtest_makereport(item, call):
                report = yield
                item.stash[call.when] = report
                return report
            def pytest_runtest_logstart(nodeid): print("start", nodeid)
            def pytest_runtest_logfinish(nodeid): print("finish", nodeid)
            """,
        )
        result.stdout.fnmatch_lines(
            [
                "*start test_it.py::test_a",
                "*call was failed",
                "*finish test_it.py::test_a",
                "*start test_it.py::test_b",
                "*call was passed",
                "*finish test_it.py::test_b",
            ]
        )

    def test_plugins_may_look_into_each_failure(self, concurrent):
        result = concurrent(
            """
        async def test_a():
            await meet()
            assert 0
        async def test_b():
            await meet()
            assert 0
        """,
            "-s",
            conftest="""
            def pytest_exception_interact(node, call):
                print("looked into", node.name, call.when)
            """,
        )
        looks = re.findall(r"looked into .*", result.stdout.str())
        assert looks == ["looked into test_a call", "looked into test_b call"]

    REFUSING = """
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if item.name == "test_b" and call.when == {when!r}:
                raise LookupError("not known")
            return report
    """

    @pytest.mark.parametrize("when", ["setup", "call", "teardown"])
    def test_what_a_plugin_raises_about_a_test_ends_the_session_in_its_turn(self, concurrent, when):
        result = concurrent(
            WAITING + "async def test_b(): pass\nasync def test_c(): pass",
            conftest=self.REFUSING.format(when=when),
        )
        assert result.ret is pytest.ExitCode.INTERNAL_ERROR
        result.assert_outcomes(passed=2 if when == "teardown" else 1)
        result.stdout.fnmatch_lines(["INTERNALERROR> LookupError: not known"])
        result.stdout.no_fnmatch_line("*AssertionError*")

    def test_nothing_is_raised_about_one_that_does_not_get_its_turn(self, concurrent):
        result = concurrent(
            WAITING + "    assert 0\nasync def test_b(): pass",
            "-x",
            conftest=self.REFUSING.format(when="setup"),
        )
        assert result.ret is pytest.ExitCode.TESTS_FAILED
        result.assert_outcomes(failed=1)


class TestTheTestAtHand:
    """pytest runs it itself, and what follows is begun only where it waits."""

    def test_what_never_waits_begins_no_other(self, concurrent):
        concurrent(
            """
        begun = []
        @pytest_asyncio.fixture(autouse=True)
        async def noted(request):
            begun.append(request.node.name)
            yield
        async def test_a():
            await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
            assert begun == ["test_a"]
        async def test_b(): assert begun == ["test_a", "test_b"]
        """
        ).assert_outcomes(passed=2)

    def test_it_may_wait_in_each_phase(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture
        async def met_before():
            await meet()
        @pytest_asyncio.fixture
        async def met_behind():
            yield
            await meet()
        async def test_a(met_before): pass
        async def test_b(met_before): pass
        async def test_c(): await meet()
        async def test_d(): await meet()
        async def test_e(met_behind): pass
        async def test_f(met_behind): pass
        async def test_g(): await meet()
        """,
            "--asyncio-concurrency=2",
            "--deselect=test_it.py::test_g",
        ).assert_outcomes(passed=6, deselected=1)

    def test_what_waits_on_another_loop_begins_no_other(self, concurrent):
        concurrent(
            """
        begun = []

        @pytest.fixture(autouse=True)
        def noted(request): begun.append(request.node.name)

        @pytest_asyncio.fixture(loop_scope="session")
        async def elsewhere():
            await alone()
            assert begun == ["test_a"]

        async def test_a(elsewhere): pass
        async def test_b(): pass
        """
        ).assert_outcomes(passed=2)

    @pytest.mark.parametrize("call", ["pass", "await alone()"])
    def test_its_teardown_that_waits_ends_nothing_of_the_others(self, concurrent, call):
        concurrent(
            f"""
        begun, down, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        @pytest.fixture
        def end():
            yield
            ended.set()

        @pytest_asyncio.fixture
        async def waiting_at_its_end(end):
            yield
            begun.set()
            await down.wait()

        @pytest.fixture
        def resource():
            resource = ["open"]
            yield resource
            resource.clear()

        @pytest.fixture
        def tell():
            yield
            down.set()

        async def test_a(waiting_at_its_end): {call}

        @pytest.mark.parametrize("_", "bc")
        async def test_b(resource, _):
            await ended.wait()
            assert resource

        async def test_d(tell): await begun.wait()
        """
        ).assert_outcomes(passed=4)

    def test_a_wide_fixture_that_waits_is_set_up_once(self, concurrent_in_both_ways):
        concurrent_in_both_ways(
            """
        setups = []

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide():
            setups.append("wide")
            await alone()

        async def test_a(wide): await meet()
        async def test_b(wide):
            await meet()
            assert len(setups) == 1
        """,
            passed=2,
        )

    def test_another_one_may_wait_for_what_its_synchronous_fixture_requests(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture
        async def slow(): await alone()

        @pytest.fixture
        def requesting(request): request.getfixturevalue("slow")

        async def test_a(): await meet()
        async def test_b(requesting): await meet()
        async def test_c(): pass
        """
        ).assert_outcomes(passed=3)

    @pytest.mark.parametrize("waits", [False, True])
    def test_a_warning_that_python_shows_again_comes_again_before_it_waits(self, concurrent, waits):
        result = concurrent(
            f"""
        import warnings

        async def test_a():
            for _ in range(2):
                with warnings.catch_warnings():
                    warnings.warn("again")
            if {waits}:
                await meet()

        async def test_b():
            if {waits}:
                await meet()
        """,
            "-Wdefault",
        )
        result.assert_outcomes(passed=2, warnings=2)

    def test_what_it_has_changed_is_not_seen_by_the_others(self, concurrent):
        concurrent(
            """
        import contextvars
        of_sync = contextvars.ContextVar("of_sync", default="nothing")
        of_async = contextvars.ContextVar("of_async", default="nothing")
        @pytest.fixture
        def in_sync(request):
            token = of_sync.set(request.node.name)
            yield
            assert of_sync.get() == request.node.name
            of_sync.reset(token)
        @pytest_asyncio.fixture
        async def in_async(request):
            of_async.set(request.node.name)
            yield
        async def test_a(in_sync, in_async, request):
            await meet()
            assert (of_sync.get(), of_async.get()) == ("test_a", "test_a")
        async def test_b(request):
            assert (of_sync.get(), of_async.get()) == ("nothing", "nothing")
            await meet()
        """
        ).assert_outcomes(passed=2)

    def test_a_wide_fixture_that_another_test_sets_up_is_seen_until_its_teardown(self, concurrent):
        concurrent(
            """
        import contextvars
        variable = contextvars.ContextVar("variable", default="nothing")
        @pytest_asyncio.fixture(scope="class", loop_scope="module")
        async def wide():
            variable.set("wide")
            yield
        class TestIt:
            async def test_a(self): await meet()
            async def test_b(self, wide): await meet()
            @pytest.mark.asyncio(concurrent=False)
            async def test_c(self): assert variable.get() == "wide"
        def test_after(): assert variable.get() == "nothing"
        """
        ).assert_outcomes(passed=4)

    def test_its_teardown_may_wait_while_none_of_the_others_goes_on(self, concurrent):
        concurrent(
            """
        go = asyncio.Event()
        @pytest_asyncio.fixture
        async def own():
            yield
            for _ in range(20): await asyncio.sleep(0)
            go.set()
        async def test_a(own): await meet()
        async def test_b():
            await meet()
            await go.wait()
        """
        ).assert_outcomes(passed=2)

    def test_tests_run_one_by_one_where_a_plugin_runs_them_by_itself(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture
        async def own(): pass
        async def test_a(own): await alone()
        async def test_b(own): await alone()
        """,
            conftest="""
        from _pytest.runner import runtestprotocol
        def pytest_runtestloop(session):
            for item in session.items: runtestprotocol(item, nextitem=None)
            return True
        """,
        ).assert_outcomes(passed=2)

    def test_none_is_begun_again_where_a_plugin_runs_them_in_another_order(self, concurrent):
        result = concurrent(
            """
        setups = []
        @pytest.fixture(scope="module", autouse=True)
        def tell():
            yield
            print("setups:", len(setups))
        @pytest.fixture(autouse=True)
        def own(): setups.append(1)
        async def test_a(): await alone()
        async def test_b(): await alone()
        async def test_c(): await alone()
        """,
            "-s",
            conftest="""
        def pytest_runtestloop(session):
            order = session.items[::-1]
            for item, nextitem in zip(order, [*order[1:], None]):
                item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            return True
        """,
        )
        result.assert_outcomes(passed=3)
        result.stdout.fnmatch_lines(["*setups: 3"])

    def test_the_environment_tells_which_one_runs(self, concurrent):
        concurrent(
            """
        import os
        def current(): return os.environ["PYTEST_CURRENT_TEST"].partition("::")[2]
        @pytest_asyncio.fixture
        async def met(): await meet()
        @pytest.fixture
        def told(met, request):
            assert current() == f"{request.node.name} (setup)"
            yield
            assert current() == f"{request.node.name} (teardown)"
        async def test_a(told): await meet()
        async def test_b(told):
            await meet()
            for _ in range(20): await asyncio.sleep(0)
            assert current() == "test_b (call)"
        """
        ).assert_outcomes(passed=2)

    def test_it_is_the_current_test_again_when_it_goes_on(self, concurrent):
        concurrent(
            """
        import os
        async def test_a():
            await meet()
            assert os.environ["PYTEST_CURRENT_TEST"].endswith("::test_a (call)")
        async def test_b(): await meet()
        """
        ).assert_outcomes(passed=2)

    def test_its_output_and_logs_stay_its_own(self, concurrent):
        result = concurrent(
            """
        import logging
        async def test_a(request):
            print("a says one")
            logging.warning("a logs one")
            await meet()
            print("a says two")
            logging.warning("a logs two")
        @pytest.fixture
        def telling():
            print("b sets up")
            logging.warning("b logs at setup")
        async def test_b(telling):
            print("b says one")
            await meet()
            logging.warning("b logs one")
        """,
            "-rP",
        )
        result.assert_outcomes(passed=2)
        lines = [line for line in result.outlines if line.startswith(("a ", "b ", "WARNING", "_"))]
        assert [re.sub(r"_+ (\w+) _+|.*py:\d+ ", r"\1", line) for line in lines] == [
            *("test_a", "a says one", "a says two", "a logs one", "a logs two"),
            *("test_b", "b sets up", "b logs at setup", "b says one", "b logs one"),
        ]

    def test_it_gets_no_output_of_what_goes_on_while_it_does(self, concurrent):
        result = concurrent(
            """
        @pytest_asyncio.fixture
        async def met(request):
            await meet()
            if request.node.name == "test_b":
                for _ in range(4):
                    await asyncio.sleep(0)
                print("b goes on")
        async def test_a(met):
            for _ in range(20):
                await asyncio.sleep(0)
        async def test_b(met): pass
        """,
            "-rP",
        )
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(["*___ test_b ___*", "b goes on"])
        assert "b goes on" not in result.stdout.str().partition(" test_b ")[0]

    def test_a_warning_comes_once_for_each_test_that_causes_it(self, concurrent):
        result = concurrent(
            """
        import warnings
        def warn(): warnings.warn("old")
        @pytest.mark.parametrize("number", range(2))
        async def test_it(number):
            warn()
            await meet()
            warn()
        """,
            "-Wdefault",
        )
        result.assert_outcomes(passed=2, warnings=2)

    def test_a_synchronous_test_may_wait_for_fixtures_between_them(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture
        async def slow():
            await alone()
            yield
            await alone()
        async def test_a(): await alone()
        def test_sync(slow): assert not running
        """
        ).assert_outcomes(passed=2)

    def test_what_acts_on_the_process_and_nobody_could_foresee_keeps_it_alone(self, concurrent):
        concurrent(
            """
        async def test_a(request):
            request.getfixturevalue("monkeypatch").setattr(asyncio, "shared", 1, raising=False)
            await alone()
        async def test_b(): assert not hasattr(asyncio, "shared")
        """
        ).assert_outcomes(passed=2)

    def test_what_it_raises_while_another_sets_a_wide_fixture_up_is_its_own(
        self, concurrent_in_both_ways
    ):
        result = concurrent_in_both_ways(
            """
        @pytest_asyncio.fixture(scope="module")
        async def wide():
            for _ in range(40):
                await asyncio.sleep(0)
        async def test_a():
            for _ in range(20):
                await asyncio.sleep(0)
            raise SystemExit(3)
        async def test_b(wide): pass
        """,
            passed=1,
            failed=1,
        )
        result.stdout.fnmatch_lines(["FAILED test_it.py::test_a - SystemExit: 3"])

    @pytest.mark.parametrize("culprit", ["test_a", "test_b"])
    def test_a_plugin_that_keeps_pytest_from_tearing_one_down_fails_that_one(
        self, concurrent, culprit
    ):
        result = concurrent(
            f"""
        @pytest_asyncio.fixture
        async def own(request):
            yield
            if request.node.name == {culprit!r}: raise OSError("torn down")
        async def test_a(own): await meet()
        async def test_b(own): await meet()
        async def test_c(own): pass
        """,
            conftest=f"""
            def pytest_runtest_teardown(item):
                if item.name == {culprit!r}: raise LookupError("not known")
            """,
        )
        assert result.ret is pytest.ExitCode.TESTS_FAILED
        result.assert_outcomes(passed=3, errors=1)
        result.stdout.fnmatch_lines(
            [
                f"*ERROR at teardown of {culprit}*",
                "E*LookupError: not known",
                "E*OSError: torn down",
            ]
        )

    def test_its_failure_ends_the_others_before_its_teardown(self, concurrent):
        result = concurrent(
            """
        down = []
        @pytest_asyncio.fixture(scope="module")
        async def wide():
            yield
            print("down:", *down)
        @pytest_asyncio.fixture
        async def own(wide, request):
            yield
            down.append(request.node.name)
        async def test_a(own):
            await meet()
            assert 0
        async def test_b(own):
            await meet()
            await asyncio.Event().wait()
        """,
            "-x",
            "-s",
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*down: test_b test_a"])


class TestBreakingOff:
    @pytest.fixture
    def _ctrl_c_is_of_the_inner_run(self, pytester, monkeypatch):
        run = functools.partial(pytester.runpytest_inprocess, no_reraise_ctrlc=True)
        monkeypatch.setattr(pytester, "runpytest", run)

    FLYING = """
        torn_down = []
        @pytest_asyncio.fixture
        async def used(request):
            yield
            await asyncio.sleep(0)
            torn_down.append(request.node.name)
        @pytest.fixture(scope="module", autouse=True)
        def tell():
            yield
            print("torn down:", *sorted(torn_down))
        async def test_fails(used):
            await meet()
            {}
        async def test_waits(used):
            await meet()
            await asyncio.Event().wait()
        async def test_waits_too(used): await asyncio.Event().wait()
    """

    def test_what_those_raise_together_that_are_ended_ends_nothing_else(self, concurrent):
        concurrent(
            """
        async def test_a():
            await asyncio.sleep(0.01)
            assert 0
        @pytest.mark.parametrize("_", range(5))
        async def test_b(_):
            try:
                await asyncio.Event().wait()
            finally:
                raise SystemExit(3)
        """,
            "-x",
        ).assert_outcomes(failed=1)

    def test_who_ends_with_the_process_when_another_is_over_ends_alone(self, concurrent):
        result = concurrent(
            """
        is_set = asyncio.Event()
        async def test_a(): await asyncio.sleep(0.1)
        async def test_b(): await is_set.wait()
        async def test_c():
            await asyncio.sleep(0.01)
            is_set.set()
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, exit, 3)  # in the turn that tells that test_b is over
            await asyncio.Event().wait()
        """
        )
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(["*___ test_c ___*", "*SystemExit: 3"])

    def test_who_ends_with_the_process_in_the_teardown_of_another_ends_alone(self, concurrent):
        result = concurrent(
            """
        is_down = asyncio.Event()
        @pytest_asyncio.fixture
        async def used():
            yield
            is_down.set()
            await asyncio.sleep(0.1)
        async def test_a(used): await asyncio.sleep(0.05)
        async def test_b():
            await is_down.wait()
            asyncio.get_running_loop().call_soon(exit, 3)
            await asyncio.Event().wait()
        """
        )
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["*___ test_b ___*", "*SystemExit: 3"])

    @pytest.mark.parametrize("argument", ["-x", "--maxfail=1"])
    def test_the_first_failure_ends_all_and_nothing_is_told_of_the_others(
        self, concurrent, argument
    ):
        result = concurrent(self.FLYING.format("assert 0"), argument, "-s")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*torn down: test_fails test_waits test_waits_too"])

    def test_a_session_that_is_to_stop_begins_no_other(self, concurrent, pytester):
        concurrent(
            """
        import pathlib

        async def test_a(request):
            request.session.shouldstop = "enough"
            await alone()
        async def test_b(): pathlib.Path("begun").touch()
        """
        ).assert_outcomes(passed=1)
        assert not (pytester.path / "begun").exists()

    def test_the_end_of_a_session_ends_the_others(self, concurrent, pytester):
        concurrent(
            """
        import pathlib

        ended = []

        @pytest.fixture
        def resource():
            yield
            pathlib.Path("torn down").write_text(f"the test has ended: {bool(ended)}")

        async def test_a(request):
            await meet()
            request.session.shouldstop = "enough"

        async def test_b(resource):
            await meet()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("test_b")
        """
        ).assert_outcomes(passed=1)
        assert (pytester.path / "torn down").read_text() == "the test has ended: True"

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    @pytest.mark.parametrize("act", ["assert 0", "pytest.exit('no')", "raise KeyboardInterrupt"])
    def test_nothing_is_shown_of_what_the_others_write_then(self, concurrent, act):
        result = concurrent(
            f"""
        import os, sys
        async def test_fails():
            await meet()
            {act}
        async def test_waits():
            try:
                await meet()
                await asyncio.Event().wait()
            finally:
                print("in vain")
                print("in vain", file=sys.stderr)
                os.write(1, b"in vain")
                await asyncio.sleep(0)
                print("in vain")
        """,
            "-x",
            "-rA",
        )
        assert result.ret is not pytest.ExitCode.OK
        assert "in vain" not in result.stdout.str() + result.stderr.str()

    @pytest.mark.parametrize("kind", ["async ", ""])
    @pytest.mark.parametrize("early", ["", "async def test_early(): await go.wait()"])
    def test_nor_of_a_wide_fixture_that_was_set_up_for_those_alone(self, concurrent, early, kind):
        result = concurrent(
            f"""
        go, torn_down = asyncio.Event(), []
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        {kind}def wide():
            print("in vain")
            yield
            print("in vain")
            torn_down.append("wide")
            raise LookupError
        @pytest.fixture(scope="module", autouse=True)
        def shared():
            yield
            assert torn_down == ["wide"]
            print("told")
        {early}
        async def test_fails():
            await meet()
            go.set()
            assert 0
        async def test_waits(wide):
            await meet()
            await asyncio.Event().wait()
        """,
            "-x",
        )
        result.assert_outcomes(failed=1, passed=1 if early else 0)
        assert "in vain" not in result.stdout.str()
        result.stdout.fnmatch_lines(["told"])

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_ctrl_c_in_a_wide_fixture_of_those_alone_ends_the_session_too(self, concurrent):
        result = concurrent(
            """
        @pytest.fixture(scope="module")
        def wide():
            yield
            raise KeyboardInterrupt
        async def test_fails():
            await meet()
            assert 0
        async def test_waits(wide):
            await meet()
            await asyncio.Event().wait()
        """,
            "-x",
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED

    def test_a_wide_fixture_that_the_first_failure_has_used_too_is_told(self, concurrent):
        result = concurrent(
            """
        @pytest.fixture(scope="module")
        def other():
            yield
            print("in vain")
        @pytest.fixture(scope="module")
        def wide():
            yield
            print("told")
        async def test_fails(request):
            await meet()
            request.getfixturevalue("wide")
            assert 0
        async def test_waits(other, wide):
            await meet()
            await asyncio.Event().wait()
        """,
            "-x",
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*Captured stdout teardown*", "told"])
        result.stdout.no_fnmatch_line("in vain")

    def test_a_first_failure_in_a_teardown_ends_all_too(self, concurrent_in_both_ways):
        result = concurrent_in_both_ways(
            """
        @pytest_asyncio.fixture
        async def failing():
            yield
            await asyncio.sleep(0)
            raise LookupError
        @pytest_asyncio.fixture
        async def in_vain():
            yield
            print("torn down", flush=True)
            raise LookupError
        @pytest.fixture(scope="module")
        def wide(): pass
        async def test_fails(failing): await meet()
        async def test_waits(in_vain, wide):
            await meet()
            await asyncio.Event().wait()
        """,
            "-x",
            passed=1,
            errors=1,
        )
        assert result.ret is pytest.ExitCode.TESTS_FAILED
        result.stdout.no_fnmatch_line("*torn down*")

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_ctrl_c_in_one_that_has_begun_early_ends_all(self, concurrent):
        result = concurrent(
            """
        async def test_a():
            await meet()
            await asyncio.Event().wait()
        async def test_b():
            await meet()
            raise KeyboardInterrupt
        """
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_ctrl_c_ends_all(self, concurrent):
        result = concurrent(self.FLYING.format("raise KeyboardInterrupt"), "-s")
        assert result.ret is pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*torn down: test_fails test_waits test_waits_too"])

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_ctrl_c_in_what_a_plugin_does_about_one_that_has_begun_early_ends_all(self, concurrent):
        result = concurrent(
            WAITING + "async def test_b(): pass",
            conftest="""
            def pytest_runtest_makereport(item):
                if item.name == "test_b": raise KeyboardInterrupt
            """,
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED
        result.assert_outcomes()

    def test_pytest_exit_ends_all(self, concurrent):
        result = concurrent(self.FLYING.format("pytest.exit('enough', 7)"), "-s")
        assert result.ret == 7
        result.stdout.fnmatch_lines(
            ["*torn down: test_fails test_waits test_waits_too", "*_pytest.outcomes.Exit: enough*"]
        )

    @pytest.mark.parametrize("capture", ["fd", "no"])
    def test_pytest_exit_in_one_that_has_begun_early_ends_all_in_its_turn(
        self, concurrent, capture
    ):
        result = concurrent(
            """
        async def test_a():
            await meet()
            await alone()
        async def test_b():
            await meet()
            pytest.exit("enough", 7)
        """,
            f"--capture={capture}",
        )
        assert result.ret == 7
        result.assert_outcomes(passed=1)

    def test_tests_that_are_ended_for_others_to_come_first_are_begun_anew(self, concurrent):
        result = concurrent(
            """
        begun = asyncio.Event()
        @pytest_asyncio.fixture
        async def slow():
            print("set up")
            begun.set()
            for _ in range(20):
                await asyncio.sleep(0)
        async def test_a(): await begun.wait()
        async def test_b(slow): pass
        def test_sync(): assert begun.is_set()
        """,
            "-s",
            conftest="""
        def pytest_runtestloop(session):
            a, b, sync = session.items
            for item, nextitem in [(a, b), (sync, b), (b, None)]:
                item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            return True
        """,
        )
        result.assert_outcomes(passed=3)
        assert result.stdout.str().count("set up") == 1

    def test_what_had_not_begun_then_makes_room(self, concurrent):
        concurrent(
            """
        meeting, begun = asyncio.Barrier(3), asyncio.Event()
        @pytest_asyncio.fixture(scope="module")
        async def wide():
            begun.set()
            for _ in range(20):
                await asyncio.sleep(0)
        async def test_a(): await begun.wait()
        @pytest.mark.parametrize("number", range(3))
        async def test_b(wide, number): await meet()
        def test_sync(): pass
        """,
            ini="asyncio_concurrency = 4",
            conftest="""
        def pytest_runtestloop(session):
            a, *others, sync = session.items
            order = [a, sync, *others]
            for item, nextitem in zip(order, [others[0], *others, None]):
                item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            return True
        """,
        ).assert_outcomes(passed=5)

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    @pytest.mark.parametrize("kind", ["async ", ""])
    @pytest.mark.parametrize("scope", ["module", "function"])
    def test_ctrl_c_in_a_setup_ends_all(self, concurrent, scope, kind):
        result = concurrent(
            f"""
        @pytest_asyncio.fixture
        async def first(): yield
        @pytest_asyncio.fixture(scope={scope!r})
        {kind}def interrupted():
            raise KeyboardInterrupt
        @pytest.fixture(scope="module", autouse=True)
        def tell():
            yield
            print("all torn down")
        async def test_a(first): await asyncio.Event().wait()
        async def test_b(first, interrupted): pass
        async def test_c(first): pass
        """,
            "-s",
            "-Wignore",
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*all torn down"])

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_ctrl_c_in_a_callback_ends_all(self, concurrent):
        result = concurrent(
            """
        def interrupt(): raise KeyboardInterrupt
        async def test_a():
            await meet()
            asyncio.get_running_loop().call_soon(interrupt)
            await asyncio.Event().wait()
        async def test_b():
            await meet()
            await asyncio.Event().wait()
        """
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_ctrl_c_in_a_callback_ends_all_although_they_go_on(self, concurrent_in_both_ways):
        result = concurrent_in_both_ways(
            """
        import contextlib
        over = asyncio.Event()

        async def go_on():
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()
            over.set()

        def interrupt(): raise KeyboardInterrupt

        async def test_a(): await go_on()

        async def test_b():
            for _ in range(40): await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(interrupt)
            await go_on()
        """
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED

    def test_what_is_torn_down_at_that_moment_is_not_cancelled(self, concurrent):
        result = concurrent(
            """
        pytest.torn_down = []
        go = asyncio.Event()

        @pytest_asyncio.fixture
        async def own():
            yield
            go.set()
            for _ in range(20): await asyncio.sleep(0)
            pytest.torn_down.append("own")

        async def test_fails():
            await go.wait()
            assert 0

        async def test_ends(own): pass
        """,
            "-x",
            conftest=self.TELLING,
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["torn down: own"])

    @pytest.mark.usefixtures("_impatient")
    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_ctrl_c_breaks_off_what_is_torn_down_at_that_moment(self, concurrent, pytester):
        result = concurrent(
            """
        import pathlib
        ending = asyncio.Event()
        @pytest_asyncio.fixture
        async def own():
            yield
            ending.set()
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                pathlib.Path("broken off").touch()
                raise
        async def test_a():
            await ending.wait()
            raise KeyboardInterrupt
        async def test_b(own): pass
        """
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED
        assert (pytester.path / "broken off").exists()

    def test_a_setup_that_goes_on_although_it_is_cancelled_is_torn_down(self, concurrent):
        result = concurrent(
            """
        import contextlib
        pytest.torn_down = []

        @pytest_asyncio.fixture
        async def own():
            await meet()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            yield
            pytest.torn_down.append("own")

        async def test_fails():
            await meet()
            assert 0

        async def test_waits(own): await asyncio.Event().wait()
        """,
            "-x",
            conftest=self.TELLING,
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["torn down: own"])

    def test_what_has_not_begun_then_is_not_begun(self, concurrent, pytester):
        concurrent(
            """
        import pathlib

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def slow():
            for _ in range(40): await asyncio.sleep(0)

        @pytest.fixture(scope="module")
        def noted(): pathlib.Path("begun").touch()

        async def test_fails():
            for _ in range(20): await asyncio.sleep(0)
            assert 0

        async def test_waits(slow): await asyncio.Event().wait()
        async def test_next(noted): pass
        """,
            "-x",
        ).assert_outcomes(failed=1)
        assert not (pytester.path / "begun").exists()

    def test_a_setup_of_many_fixtures_is_not_gone_on_with(self, concurrent):
        result = concurrent(
            """
        begun = []
        @pytest_asyncio.fixture
        async def one():
            begun.append("one")
            await asyncio.Event().wait()
        @pytest_asyncio.fixture
        async def two(one): begun.append("two")
        @pytest.fixture(scope="module", autouse=True)
        def tell():
            yield
            print(begun)
        async def test_fails():
            while not begun:
                await asyncio.sleep(0)
            assert 0
        async def test_is_set_up(two): pass
        """,
            "-x",
            "-s",
            conftest="""
        def pytest_runtest_makereport(item): print("reports", item.name)
        """,
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*'one'*"])
        result.stdout.no_fnmatch_line("*two*")
        result.stdout.no_fnmatch_line("*reports test_is_set_up")

    def test_nor_is_a_test_called_whose_setup_is_over(self, concurrent):
        result = concurrent(
            """
        begun, go, called = asyncio.Event(), asyncio.Event(), []
        @pytest_asyncio.fixture
        async def waiting():
            begun.set()
            await go.wait()
        @pytest.fixture(scope="module", autouse=True)
        def tell():
            yield
            print("calls:", len(called))
        async def test_fails():
            await begun.wait()
            go.set()
            assert 0
        @pytest.mark.usefixtures("waiting")
        async def test_is_set_up(): called.append("test_is_set_up")
        """,
            "-x",
            "-s",
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*calls: 0"])

    def test_a_teardown_that_goes_on_is_not_cancelled(self, concurrent):
        result = concurrent(
            """
        torn_down = []
        @pytest_asyncio.fixture
        async def own():
            yield
            await meet()
            await alone()
            torn_down.append("own")
        @pytest.fixture(scope="module", autouse=True)
        def tell():
            yield
            print("torn down:", *torn_down)
        async def test_fails():
            await meet()
            assert 0
        async def test_ends(own): pass
        """,
            "-x",
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["torn down: own"])

    def test_a_fixture_that_is_set_up_at_that_moment_is_not_cancelled(self, concurrent):
        result = concurrent(
            """
        pytest.torn_down = []
        go = asyncio.Event()

        @pytest_asyncio.fixture
        async def own():
            await go.wait()
            yield
            await asyncio.sleep(0)
            pytest.torn_down.append("own")

        async def test_fails():
            await alone()
            go.set()
            assert 0

        async def test_waits(own): await asyncio.Event().wait()
        """,
            "-x",
            conftest=self.TELLING,
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["torn down: own"])

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_the_others_end_without_their_loop_if_it_is_closed(self, concurrent):
        result = concurrent(
            """
        @pytest.fixture
        def closing():
            yield
            loop.close()
            raise KeyboardInterrupt
        @pytest.fixture(scope="module", autouse=True)
        def tell():
            yield
            print("all torn down")
        async def test_a(closing):
            global loop
            loop = asyncio.get_running_loop()
            await meet()
        async def test_waits():
            await meet()
            await asyncio.Event().wait()
        """,
            "-s",
            "-Wignore",
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*all torn down"])

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_ctrl_c_in_the_middle_of_a_setup_ends_all(self, concurrent):
        result = concurrent(
            """
        @pytest_asyncio.fixture
        async def first():
            yield
            print("first is torn down")
        @pytest.fixture
        def interrupted(first): raise KeyboardInterrupt
        async def test_a(first): await asyncio.Event().wait()
        async def test_b(interrupted): pass
        """,
            "-s",
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*first is torn down"])

    def test_it_may_end_before_any_other_has_begun(self, concurrent):
        result = concurrent(
            """
        @pytest.fixture
        def failing(): assert 0
        async def test_fails(failing): pass
        async def test_next(): print("never begun")
        """,
            "-x",
            "-s",
        )
        result.assert_outcomes(errors=1)
        result.stdout.no_fnmatch_line("*never begun*")

    def test_it_may_end_before_some_have_begun(self, concurrent):
        result = concurrent(
            """
        async def test_fails(): assert 0
        @pytest.mark.parametrize("number", range(40))
        async def test_waits(number): await asyncio.Event().wait()
        """,
            "-x",
        )
        result.assert_outcomes(failed=1)

    def test_a_test_that_has_its_turn_first_is_told_before(self, concurrent):
        result = concurrent(
            """
        release = asyncio.Event()
        async def test_first():
            await release.wait()
        async def test_fails():
            release.set()
            assert 0
        async def test_waits(): await asyncio.Event().wait()
        """,
            "-x",
        )
        result.assert_outcomes(passed=1, failed=1)
        assert result.ret is pytest.ExitCode.TESTS_FAILED

    def test_system_exit_is_a_failure_of_its_test(self, concurrent_in_both_ways):
        concurrent_in_both_ways(
            """
        async def test_a():
            await meet()
            raise SystemExit(3)
        async def test_b(): await meet()
        """,
            passed=1,
            failed=1,
        )

    @pytest.mark.parametrize("quick", [True, False], ids=["quick", "waits"])
    @pytest.mark.parametrize(
        "act",
        [
            "raise SystemExit(3)",
            "asyncio.get_running_loop().call_soon(exit); await asyncio.sleep(1)",
            "asyncio.get_running_loop().stop(); await asyncio.sleep(1)",
        ],
    )
    def test_what_ends_a_test_that_has_begun_early_ends_that_one(self, concurrent, act, quick):
        result = concurrent(
            f"""
        def exit(): raise SystemExit(3)
        go, over = asyncio.Event(), asyncio.Event()
        @pytest_asyncio.fixture
        async def met(): await meet()
        async def test_first(met):
            go.set()
            if {quick}:
                for _ in range(3): await asyncio.sleep(0)
            else:
                await over.wait()
        async def test_ends():
            await meet()
            await go.wait()
            try:
                {act}
            finally:
                over.set()
        """
        )
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["FAILED *test_ends*"])

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    @pytest.mark.parametrize("kind", ["async ", ""])
    def test_ctrl_c_in_a_teardown_ends_all(self, concurrent, kind):
        result = concurrent(
            f"""
        pytest.torn_down = []
        @pytest_asyncio.fixture
        async def first(request):
            yield
            pytest.torn_down.append(request.node.name)
        @pytest_asyncio.fixture
        {kind}def interrupted(first):
            yield
            raise KeyboardInterrupt
        async def test_a(first): await asyncio.Event().wait()
        async def test_b(interrupted): await asyncio.sleep(0)
        async def test_c(first): await asyncio.Event().wait()
        """,
            conftest=self.TELLING,
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*torn down: test_a test_b test_c"])

    BREAKING_OFF_AN_END = """
        pytest.torn_down = []
        def interrupt(): raise KeyboardInterrupt
        @pytest_asyncio.fixture(loop_scope="module")
        async def first(request):
            yield
            pytest.torn_down.append(request.node.name)
        @pytest_asyncio.fixture(loop_scope="module")
        async def hanging(first):
            yield
            asyncio.get_running_loop().call_soon(interrupt)
            await asyncio.Event().wait()
        async def test_fails(first):
            await meet()
            {}
        async def test_waits(hanging):
            await meet()
            await asyncio.Event().wait()
        async def test_waits_too(first):
            await asyncio.Event().wait()
    """
    TELLING = """
        def pytest_unconfigure(): print("torn down:", *sorted(pytest.torn_down))
    """

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    @pytest.mark.parametrize(
        ("act", "argument"), [("raise KeyboardInterrupt", "-q"), ("assert 0", "-x")]
    )
    def test_ctrl_c_while_they_end_breaks_off_what_they_run(self, concurrent, act, argument):
        result = concurrent(self.BREAKING_OFF_AN_END.format(act), argument, conftest=self.TELLING)
        assert result.ret is pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*torn down: test_fails test_waits test_waits_too"])

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_ctrl_c_in_what_is_cancelled_ends_the_session_too(self, concurrent):
        result = concurrent(
            """
        async def test_fails():
            await meet()
            assert 0
        async def test_waits():
            try:
                await meet()
                await asyncio.Event().wait()
            finally:
                raise KeyboardInterrupt
        """,
            "-x",
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED

    @pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
    def test_ctrl_c_in_one_of_those_teardowns_lets_the_others_go_on(self, concurrent):
        result = concurrent(
            """
        pytest.torn_down = []
        ending = asyncio.Event()
        @pytest_asyncio.fixture
        async def slow(request):
            yield
            ending.set()
            await alone()
            pytest.torn_down.append(request.node.name)
        @pytest.fixture
        def interrupted():
            yield
            raise KeyboardInterrupt
        @pytest_asyncio.fixture
        async def later(interrupted):
            yield
            await ending.wait()
        async def test_fails():
            await meet()
            assert 0
        async def test_b(slow):
            await meet()
            await asyncio.Event().wait()
        async def test_c(later): await asyncio.Event().wait()
        """,
            "-x",
            conftest=self.TELLING,
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*torn down: test_b"])

    @pytest.mark.parametrize("error", ["SystemExit", "GeneratorExit", "asyncio.CancelledError"])
    def test_what_a_synchronous_teardown_raises_is_an_error_of_its_test(self, concurrent, error):
        result = concurrent(
            f"""
        @pytest_asyncio.fixture
        async def first():
            yield
            print("first is torn down")
        @pytest.fixture
        def odd(first):
            yield
            raise {error}
        async def test_a(): await meet()
        async def test_b(odd): await meet()
        """
        )
        result.assert_outcomes(passed=2, errors=1)
        result.stdout.fnmatch_lines(["*ERROR at teardown of test_b*", "first is torn down"])

    def test_system_exit_ends_the_test_at_hand_although_that_goes_on(self, concurrent):
        result = concurrent(
            """
        import contextlib

        async def test_a():
            await alone()
            asyncio.get_running_loop().call_soon(exit, 3)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

        async def test_b(): pass
        """
        )
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines("E*SystemExit: 3")

    def test_system_exit_in_a_callback_is_a_failure_of_its_test(self, concurrent):
        result = concurrent(
            """
        async def test_a(): await meet()
        async def test_b():
            await meet()
            asyncio.get_running_loop().call_soon(exit, 3)
            await asyncio.Event().wait()
        """
        )
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["*___ test_b ___*", "*SystemExit: 3*"])

    @pytest.mark.usefixtures("_impatient", "_ctrl_c_is_of_the_inner_run")
    def test_what_refuses_to_end_is_told(self, concurrent):
        result = concurrent(
            """
        async def test_fails():
            await meet()
            raise KeyboardInterrupt
        async def test_refuses():
            await meet()
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass
        """
        )
        assert result.ret is pytest.ExitCode.INTERRUPTED


class TestTimeouts:
    def test_they_count_from_the_start_of_each(self, concurrent):
        result = concurrent(
            """
        async def test_slow(): await asyncio.sleep(0.4)
        @pytest.mark.asyncio(timeout=0.1)
        async def test_hangs(): await asyncio.Event().wait()
        @pytest.mark.asyncio(timeout=30)
        async def test_fine(): await asyncio.sleep(0.2)
        """
        )
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(["*___ test_hangs ___*", "E*TimeoutError: *0.1 s*"])

    def test_those_of_fixtures_are_told_with_their_tests(self, concurrent_in_both_ways):
        result = concurrent_in_both_ways(
            """
        @pytest_asyncio.fixture(timeout=0.1)
        async def hanging(): await asyncio.Event().wait()
        async def test_a(hanging): pass
        async def test_b(): await asyncio.sleep(0.2)
        """,
            passed=1,
            errors=1,
        )
        result.stdout.fnmatch_lines(["*ERROR at setup of test_a*", "E*TimeoutError: *'hanging'*"])

    @pytest.mark.usefixtures("_impatient")
    @pytest.mark.parametrize("end", ["return", "yield"])
    @pytest.mark.parametrize("scope", ["function", "module"])
    def test_a_fixture_that_refuses_to_end_is_told_with_its_test(
        self, concurrent_in_both_ways, scope, end
    ):
        result = concurrent_in_both_ways(
            f"""
        @pytest_asyncio.fixture(scope={scope!r}, loop_scope="module", timeout=0.05)
        async def refusing():
            for _ in range(3):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass
            {end}
        async def test_a(refusing): pass
        async def test_b():
            for _ in range(40): await asyncio.sleep(0)
        def test_next(): pass
        """,
            "-Wdefault",
            passed=2,
            errors=1,
        )
        result.stdout.fnmatch_lines(["*ERROR at setup of test_a*", "E*TimeoutError: *'refusing'*"])

    @pytest.mark.usefixtures("_impatient")
    def test_who_blocks_the_loop_is_not_broken_off_for_another(self, concurrent):
        result = concurrent(
            """
        import time
        @pytest.mark.asyncio(timeout=0.05)
        async def test_a(): await asyncio.Event().wait()
        async def test_b(): time.sleep(0.5)
        """
        )
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["FAILED test_it.py::test_a - TimeoutError: *"])

    @pytest.mark.usefixtures("_impatient")
    def test_what_refuses_to_end_loses_the_loop_and_the_next_tests_get_another(
        self, concurrent_in_both_ways
    ):
        result = concurrent_in_both_ways(
            """
        loops = []
        @pytest.mark.asyncio(timeout=0.05)
        async def test_refuses():
            loops.append(asyncio.get_running_loop())
            refused = 0
            while refused < 3:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    refused += 1
        def test_between(): pass
        async def test_next(): assert asyncio.get_running_loop() not in loops
        """,
            "-Wdefault",
            passed=2,
            failed=1,
        )
        result.stdout.fnmatch_lines(["E*TimeoutError: *"])

    @pytest.mark.usefixtures("_impatient")
    def test_who_refuses_to_end_while_another_sets_a_wide_fixture_up_fails_alone(
        self, concurrent_in_both_ways
    ):
        result = concurrent_in_both_ways(
            """
        async def refuse():
            for _ in range(3):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass
        @pytest.mark.asyncio(timeout=0.05)
        async def test_a(): await refuse()
        @pytest.mark.asyncio(timeout=0.1)
        async def test_b(): await refuse()
        @pytest_asyncio.fixture(scope="module")
        async def wide(): await asyncio.sleep(0.4)
        async def test_c(wide): pass
        """,
            "-Wdefault",
            "-rfP",
            passed=1,
            failed=2,
        )
        result.stdout.no_fnmatch_line("*Exception in callback*")
        result.stdout.fnmatch_lines(["FAILED *::test_a - TimeoutError*", "FAILED *::test_b - Tim*"])

    @pytest.mark.usefixtures("_impatient")
    def test_a_fixture_that_refuses_to_end_fails_its_test(self, concurrent):
        result = concurrent(
            """
        @pytest_asyncio.fixture(timeout=0.05)
        async def refusing():
            refused = 0
            while refused < 3:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    refused += 1
        async def test_a(refusing): pass
        async def test_b(): pass
        """,
            "-Wdefault",
        )
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(["*ERROR at setup of test_a*", "E*TimeoutError: *'refusing'*"])

    def test_pytest_timeout_goes_on_working(self, concurrent):
        result = concurrent(
            """
        async def test_a(): await meet()
        @pytest.mark.timeout(0.3)
        async def test_hangs(): await meet(); await asyncio.Event().wait()
        async def test_b(): pass
        """,
            "-ppytest_timeout",
        )
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(["FAILED test_it.py::test_hangs - Failed: Timeout*"])


class TestMisuse:
    def test_who_stops_the_loop_fails(self, concurrent_in_both_ways):
        result = concurrent_in_both_ways(
            """
        async def test_stops():
            await meet()
            asyncio.get_running_loop().stop()
            await asyncio.Event().wait()
        async def test_fine():
            await meet()
            await asyncio.sleep(0.01)
        """,
            passed=1,
            failed=1,
        )
        result.stdout.fnmatch_lines(
            ["*___ test_stops ___*", "*has called stop() on the event loop*"]
        )

    def test_a_stop_that_nobody_has_asked_for_fails_the_test_at_hand(self, concurrent):
        result = concurrent(
            """
        import contextvars
        async def test_a():
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.stop, context=contextvars.Context())
            await asyncio.Event().wait()
        async def test_b(): await asyncio.sleep(0.01)
        """
        )
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["*___ test_a ___*", "*has called stop() on the event loop*"])

    @pytest.mark.usefixtures("_impatient")
    def test_a_wide_fixture_that_stops_it_and_refuses_to_end_fails_its_test(self, concurrent):
        result = concurrent(
            """
        @pytest_asyncio.fixture(scope="module")
        async def wide():
            asyncio.get_running_loop().stop()
            for _ in range(3):
                try:
                    await asyncio.sleep(30)
                except asyncio.CancelledError:
                    pass
        async def test_a(): await alone()
        async def test_b(wide): pass
        """,
            "-Wdefault",
        )
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(["ERROR *::test_b - Failed: Event loop stopped *"])

    def test_a_loop_that_is_closed_fails_those_on_it(self, concurrent_in_both_ways):
        result = concurrent_in_both_ways(
            """
        async def test_a(): await asyncio.Event().wait()

        @pytest_asyncio.fixture
        async def own(): yield

        @pytest.fixture
        def closing(own):
            yield
            loop.close()

        async def test_b(closing):
            global loop
            loop = asyncio.get_running_loop()
            for _ in range(40): await asyncio.sleep(0)

        async def test_c(): await asyncio.Event().wait()
        """,
            "-Wdefault",
            passed=1,
            failed=2,
            errors=1,
        )
        result.stdout.fnmatch_lines(
            [
                "*ERROR at teardown of test_b*",
                "The async fixture 'own' cannot be torn down: its event loop is closed.",
            ]
        )
        result.stdout.fnmatch_lines(
            [
                "FAILED *::test_a - Failed: Something has closed the event loop of *",
                "FAILED *::test_c - Failed: Something has closed the event loop of *",
            ]
        )

    def test_pytest_fail_in_a_callback_fails_its_test(self, concurrent_in_both_ways):
        result = concurrent_in_both_ways(
            """
        async def test_a():
            await meet()
            asyncio.get_running_loop().call_soon(pytest.fail, "in a callback")
            await asyncio.Event().wait()
        async def test_b(): await meet()
        """,
            passed=1,
            failed=1,
        )
        result.stdout.fnmatch_lines(["FAILED test_it.py::test_a - Failed: in a callback"])

    def test_pytest_fail_in_a_callback_leaves_the_test_at_hand_alone(self, concurrent):
        result = concurrent(
            """
        failed = asyncio.Event()
        def fail():
            failed.set()
            pytest.fail("in a callback")
        async def test_a(): await failed.wait()
        async def test_b():
            asyncio.get_running_loop().call_soon(fail)
            await asyncio.Event().wait()
        """
        )
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["FAILED test_it.py::test_b - Failed: in a callback"])

    def test_an_async_fixture_that_is_requested_synchronously_is_refused(self, concurrent):
        result = concurrent(
            """
        @pytest_asyncio.fixture
        async def late(): pass
        async def test_a(request): request.getfixturevalue("late")
        async def test_b(): await alone()
        """
        )
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["The async fixture 'late' is requested by code that runs on*"])

    def test_such_a_request_by_what_a_test_has_left_behind_is_refused_too(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def another(): pass

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def requesting(request):
            async def go_on():
                await asking.wait()
                request.getfixturevalue("another")

            asking = asyncio.Event()
            return asking, asyncio.create_task(go_on())

        async def test_a(): await meet()
        async def test_b(requesting): await meet()

        @pytest.mark.asyncio(concurrent=False, loop_scope="module")
        async def test_c(requesting):
            asking, task = requesting
            asking.set()
            with pytest.raises(pytest.fail.Exception, match="cannot wait for it synchronously"):
                await task
        """
        ).assert_outcomes(passed=3)

    def test_a_test_that_is_synchronous_after_all_is_run(self, concurrent_in_both_ways):
        result = concurrent_in_both_ways(
            """
        import functools
        async def awaited(): await meet()
        async def test_a(): await meet()
        async def test_b(): await meet()
        @pytest.fixture(autouse=True)
        def replace(request):
            if request.node.name == "test_c":
                request.node.obj = lambda: print("called")
        @pytest.mark.asyncio
        async def test_c(): pass
        """,
            "-s",
            "-Wdefault",
            passed=3,
            warnings=1,
        )
        result.stdout.fnmatch_lines(["*called*", "*PytestWarning: * is not an async function*"])

    def test_what_it_returns_is_told(self, concurrent):
        result = concurrent(
            """
        async def test_a(): await alone()
        @pytest.fixture
        def replaced(request): request.node.obj = lambda replaced: 1
        async def test_b(replaced): pass
        """,
            "-Wdefault",
        )
        result.stdout.fnmatch_lines(["*None, but *test_b returned*"])

    def test_so_is_one_whose_setup_is_not_over_in_its_turn(self, concurrent):
        concurrent(
            """
        @pytest_asyncio.fixture
        async def slow(request):
            await meet()
            await alone()
            request.node.obj = lambda slow: None
        async def test_a(): await meet()
        async def test_b(slow): pass
        """
        ).assert_outcomes(passed=2)

    def test_one_whose_mark_is_wrong_fails_alone(self, concurrent):
        result = concurrent(
            """
        async def test_a(): await alone()
        @pytest.mark.asyncio(timeout="soon")
        async def test_b(): await alone()
        async def test_c(): await alone()
        """
        )
        result.assert_outcomes(passed=2, errors=1)

    @pytest.mark.usefixtures("_impatient")
    def test_one_that_refuses_to_end_keeps_the_loop_until_the_others_are_over(self, concurrent):
        result = concurrent(
            """
        given_up, seen = asyncio.Event(), []
        @pytest.fixture
        def telling():
            yield
            given_up.set()
        async def test_refuses(telling):
            await meet()
            asyncio.get_running_loop().call_soon(pytest.fail, "in a callback")
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass
        async def test_b():
            await meet()
            seen.append(asyncio.get_running_loop())
            await given_up.wait()
        async def test_is_over_after_that():
            await given_up.wait()
            await alone()
        async def test_next(): assert asyncio.get_running_loop() not in seen
        """,
            "-Wdefault",
            ini="asyncio_concurrency = 3",
        )
        result.assert_outcomes(passed=3, failed=1)
        result.stdout.fnmatch_lines(
            [
                "E*did not end when it was cancelled, so the event loop of * was given up.",
                "FAILED test_it.py::test_refuses - Failed: in a callback",
            ]
        )


class TestXdist:
    """They run in processes that find the plugin as it is installed."""

    SUITE = (
        MODULE
        + """
import asyncio
import os
import pytest
pytestmark = [pytestmark, pytest.mark.xdist_group("all")]
meeting = asyncio.Barrier(3)
@pytest.mark.parametrize("number", range(3))
async def test_it(number):
    async with asyncio.timeout(30):
        await meeting.wait()
    assert number != 1
"""
    )

    @pytest.fixture
    def workers(self, pytester):
        def run(source, *args):
            pytester.makepyfile(
                test_a=f"import pytest\n{source}", test_b=f"import pytest\n{source}"
            )
            pytester.makeini("[pytest]")
            return pytester.runpytest_subprocess("-pno:cacheprovider", *args)

        return run

    @pytest.mark.parametrize("dist", ["loadscope", "loadfile"])
    def test_tests_of_a_worker_run_at_the_same_time(self, workers, dist):
        workers(self.SUITE, "-n2", f"--dist={dist}").assert_outcomes(passed=4, failed=2)

    @pytest.mark.parametrize("dist", ["load", "loadgroup", "worksteal"])
    def test_each_is_run_and_reported_once(self, workers, dist, pytester):
        source = self.SUITE.replace(
            "await meeting.wait()",
            "with open('ran', 'a') as ran: print(__name__, number, file=ran)\n"
            "        await asyncio.sleep(0.01)",
        ).replace("range(3)", "range(20)")
        result = workers(source, "-n2", f"--dist={dist}", "-v")
        result.assert_outcomes(passed=38, failed=2)
        told = re.findall(r"(?:PASSED|FAILED) (test_\w.py::test_it\[\d+\])", result.stdout.str())
        ran = (pytester.path / "ran").read_text().splitlines()
        assert len({*told}) == len({*ran}) == len(ran) == 40

    def test_the_last_one_of_a_worker_waits_alone(self, workers):
        result = workers(
            f"{MODULE}import asyncio\nasync def test_it(): await asyncio.sleep(0.01)", "-n2"
        )
        result.assert_outcomes(passed=2)

    @pytest.mark.skipif(
        version("pytest-xdist").startswith("3.5."), reason="its workers go on until they are told"
    )
    def test_the_first_failure_ends_a_worker(self, workers):
        source = self.SUITE.replace("Barrier(3)", "Barrier(1)").replace("number != 1", "0")
        result = workers(source, "-n1", "-x")
        result.assert_outcomes(failed=1)

    def test_a_worker_that_crashes_is_told_as_ever(self, workers):
        source = self.SUITE.replace("assert number != 1", "if number == 1: os._exit(1)")
        result = workers(source, "-n1", "--dist=loadfile", "--max-worker-restart=0")
        result.stdout.fnmatch_lines(["*worker 'gw0' crashed while running*test_a.py::test_it*"])


def test_output_goes_to_its_test_also_after_another_one_has_logged_live(concurrent):
    result = concurrent(
        """
        import logging

        async def test_logs():
            await meet()
            logging.info("live")
            await meet()

        async def test_prints():
            await meet()
            await meet()
            print("out of the second")
            raise OSError
        """,
        "-rP",
        ini="log_cli = true\nlog_cli_level = INFO",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["INFO *live", "*= FAILURES =*", "*_ test_prints _*", "out of the second", "*= PASSES =*"]
    )
