"""Live loops: those of async fixtures go on while synchronous code runs."""

from __future__ import annotations

import pytest

SCOPES = ("function", "class", "module", "package", "session")


def test_a_server_of_an_async_fixture_answers_a_synchronous_test(server_suite):
    result = server_suite("""
        @pytest.mark.asyncio(live=True)
        def test_it(url):
            assert get(url) == get(url) == b"ok"
    """)
    result.assert_outcomes(passed=1)


def test_a_server_answers_a_subprocess(server_suite):
    result = server_suite("""
        SOURCE = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"

        @pytest.mark.asyncio(live=True)
        def test_it(url):
            command = [sys.executable, "-c", SOURCE, url]
            assert subprocess.check_output(command, text=True).strip() == "ok"
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", ["yield", "return"])
def test_fixtures_of_all_loop_scopes_go_on(server_suite, scope, kind):
    result = server_suite(f"""
        @pytest_asyncio.fixture(scope={scope!r}, loop_scope={scope!r})
        async def wide(request):
            server = await start()
            request.addfinalizer(server.close)
            {kind} url_of(server)

        @pytest.mark.asyncio(live=True)
        class TestClass:
            def test_live(self, wide):
                assert get(wide) == b"ok"

            def test_again(self, wide):
                assert get(wide) == b"ok"
    """)
    result.assert_outcomes(passed=2)


def test_the_loops_of_several_scopes_go_on_at_the_same_time(server_suite):
    result = server_suite("""
        @pytest_asyncio.fixture(loop_scope="session")
        async def other(url):
            def ask():
                return get(url)  # of the other loop, which is live beside this one
            async with serving(ask) as other:
                yield other

        @pytest.mark.asyncio(live=True)
        def test_it(other):
            assert get(other) == b"ok"
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("place", ["class", "module", "option", "folder"])
def test_live_is_said_for_many_tests_at_once(server_suite, place):
    mark = "pytest.mark.asyncio(live=True)"
    result = server_suite(
        f"""
        pytestmark = [{mark}] if {place!r} == "module" else []

        class TestIt:
            pytestmark = [{mark}] if {place!r} == "class" else []

            def test_synchronous(self, url):
                assert get(url) == b"ok"

            def test_without_fixtures(self):
                assert not is_any_live()

            @pytest.mark.asyncio
            async def test_async(self, url):
                assert await asyncio.to_thread(get, url) == b"ok"
        """,
        ini="asyncio_live = true" if place == "option" else "",
        conftest="""
            def pytest_asyncio_options(config):
                return {"asyncio_live": True}
        """
        if place == "folder"
        else "",
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("mark", ["", "live=None", "live=False"])
def test_the_closest_mark_counts(server_suite, mark):
    result = server_suite(f"""
        @pytest.mark.asyncio(live=True)
        class TestIt:
            @pytest.mark.asyncio({mark or "timeout=30"})
            def test_it(self, url):
                assert is_any_live() != ({mark!r} == "live=False")
    """, "-Wignore:The test:pytest.PytestWarning")  # fmt: skip
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("kind", ["", "async "])
def test_a_value_that_is_no_flag_fails_the_test(suite, kind):
    result = suite(f"""
        @pytest.mark.asyncio(live="yes")
        {kind}def test_it():
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*mark.asyncio 'live' must be True or False, not 'yes'."])


def test_a_unittest_has_live_loops(server_suite):
    result = server_suite("""
        import unittest

        @pytest.mark.asyncio(live=True)
        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _url(self, url):
                self.url = url

            def test_it(self):
                assert get(self.url) == b"ok"
    """)
    result.assert_outcomes(passed=1)


def test_examples_of_hypothesis_have_live_loops(server_suite):
    pytest.importorskip("hypothesis")
    result = server_suite("""
        from hypothesis import HealthCheck, given, settings, strategies

        @pytest.mark.asyncio(live=True)
        @settings(max_examples=3, database=None, deadline=None,
                  suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(strategies.integers())
        def test_it(url, number):
            assert get(url) == b"ok"
    """)
    result.assert_outcomes(passed=1)


def test_a_loop_is_live_in_a_block_and_stands_still_after_it(server_suite):
    result = server_suite("""
        def test_it(url, asyncio_runner):
            assert not asyncio_runner.loop.is_running()
            with asyncio_runner.live():
                assert asyncio_runner.loop.is_running()
                assert get(url) == b"ok"
            assert not asyncio_runner.loop.is_running()
            assert not is_any_live()
    """)
    result.assert_outcomes(passed=1)


def test_a_synchronous_fixture_has_live_loops_for_the_rest_of_the_test(server_suite):
    result = server_suite("""
        @pytest.fixture
        def live(url, asyncio_runner):
            with asyncio_runner.live():
                assert get(url) == b"ok"
                yield
                assert get(url) == b"ok"
            assert not asyncio_runner.loop.is_running()

        @pytest_asyncio.fixture
        async def later(live):
            async with serving() as later:
                yield later

        @pytest.fixture
        def asked(later):
            yield get(later)
            assert get(later) == b"ok"

        def test_synchronous(url, later, asked):
            assert get(url) == get(later) == asked == b"ok"

        @pytest.mark.asyncio
        async def test_async(url, later, asked):
            assert await asyncio.to_thread(get, url) == b"ok"
    """)
    result.assert_outcomes(passed=2)


def test_blocks_may_be_nested(server_suite):
    result = server_suite("""
        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            with asyncio_runner.live():
                with asyncio_runner.live():
                    assert get(url) == b"ok"
                assert get(url) == b"ok"
            assert get(url) == b"ok"
    """)
    result.assert_outcomes(passed=1)


def test_a_fixture_that_is_requested_meanwhile_is_live_too(server_suite):
    result = server_suite("""
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide():
            async with serving() as wide:
                yield wide

        @pytest.mark.asyncio(live=True)
        def test_it(request, url):
            assert get(url) == b"ok"
            assert get(request.getfixturevalue("wide")) == b"ok"
            assert get(url) == b"ok"
    """)
    result.assert_outcomes(passed=1)


def test_a_session_loop_is_live_in_one_test_and_not_in_the_next(server_suite):
    result = server_suite("""
        pytestmark = pytest.mark.asyncio(loop_scope="session")
        loops = []

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def wide():
            async with serving() as wide:
                loops.append(asyncio.get_running_loop())
                yield wide

        @pytest.mark.asyncio(live=True)
        def test_live(wide):
            assert loops[0].is_running()
            assert get(wide) == b"ok"

        def test_not_live(wide):
            assert not loops[0].is_running()

        async def test_async(wide):
            assert asyncio.get_running_loop() is loops[0]
            assert threading.current_thread() is threading.main_thread()
            assert await asyncio.to_thread(get, wide) == b"ok"

        @pytest.mark.asyncio(live=True)
        def test_live_again(wide):
            assert get(wide) == b"ok"

        @pytest.mark.asyncio(live=True)
        def test_without_it():
            assert not loops[0].is_running()
    """)
    result.assert_outcomes(passed=5)


def test_synchronous_code_is_in_the_main_thread_and_runs_are_too(server_suite):
    result = server_suite("""
        threads = []

        @pytest_asyncio.fixture
        async def where():
            threads.append(threading.current_thread())
            yield asyncio.get_running_loop()
            threads.append(threading.current_thread())

        async def thread():
            return threading.current_thread()

        @pytest.mark.asyncio(live=True)
        def test_it(where, asyncio_runner):
            assert threading.current_thread() is threading.main_thread()
            beside = asyncio.run_coroutine_threadsafe(thread(), where).result()
            assert beside is not threading.main_thread()
            assert asyncio_runner.run(thread()) is threading.main_thread()

        def test_the_fixture():
            assert threads == [threading.main_thread()] * 2
    """)
    result.assert_outcomes(passed=2)


def test_a_coroutine_is_run_meanwhile_and_the_loop_goes_on(server_suite):
    result = server_suite("""
        async def ask(url):
            return await asyncio.to_thread(get, url)

        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            assert get(url) == asyncio_runner.run(ask(url)) == get(url) == b"ok"
    """)
    result.assert_outcomes(passed=1)


def test_another_thread_is_advised_to_hand_its_coroutine_over(server_suite):
    result = server_suite("""
        import concurrent.futures

        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            with concurrent.futures.ThreadPoolExecutor() as pool:
                pool.submit(asyncio_runner.run, asyncio.sleep(0)).result()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*::test_it: asyncio_runner.run() was called in another thread than the test's*"]
    )
    result.stdout.no_fnmatch_line("*never awaited*")


@pytest.mark.parametrize("call", ["run(asyncio.sleep(0))", "live().__enter__()"])
def test_code_on_a_live_loop_is_advised_that_it_is_there(server_suite, call):
    result = server_suite(f"""
        async def on_the_loop(asyncio_runner):
            asyncio_runner.{call}

        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            coroutine = on_the_loop(asyncio_runner)
            asyncio.run_coroutine_threadsafe(coroutine, asyncio_runner.loop).result()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*was called by code that runs on an event loop*"])


def test_code_on_a_live_loop_requests_a_fixture(server_suite):
    result = server_suite("""
        @pytest_asyncio.fixture
        async def number():
            yield 42

        async def ask(request):
            return await pytest_asyncio.getfixturevalue(request, "number")

        @pytest.mark.asyncio(live=True)
        def test_it(request, url, asyncio_runner):
            asking = asyncio.run_coroutine_threadsafe(ask(request), asyncio_runner.loop)
            assert asking.result() == 42
    """)
    result.assert_outcomes(passed=1)


def test_the_current_loop_of_the_main_thread_is_the_live_one(server_suite):
    result = server_suite("""
        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            assert asyncio.get_event_loop() is asyncio_runner.loop
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1)


def test_other_loops_run_in_the_main_thread_meanwhile(server_suite):
    result = server_suite("""
        async def ask(url):
            return await asyncio.to_thread(get, url)

        @pytest.mark.asyncio(live=True)
        def test_it(url):
            with asyncio.Runner() as runner:
                assert runner.run(ask(url)) == b"ok"
    """)
    result.assert_outcomes(passed=1)


def test_context_variables_of_fixtures_are_seen_on_both_sides(server_suite):
    result = server_suite("""
        import contextvars
        var = contextvars.ContextVar("var", default="unset")

        @pytest_asyncio.fixture
        async def named():
            var.set("fixture")
            async with serving(lambda: var.get().encode()) as url:
                yield url

        @pytest.mark.asyncio(live=True)
        def test_it(named):
            assert var.get() == "fixture"
            var.set("test")
            assert get(named) == b"fixture"
            assert var.get() == "test"
    """)
    result.assert_outcomes(passed=1)


def test_a_live_loop_that_a_test_runs_is_told_as_that_in_a_second_session_too(suite):
    suite("@pytest.mark.asyncio\nasync def test_it(): assert 0").assert_outcomes(failed=1)
    result = suite(
        """
        @pytest.mark.asyncio(live=True)
        def test_it(asyncio_runner):
            asyncio_runner.loop.run_until_complete(asyncio.sleep(0))
        """,
        "-Wignore",
    )
    result.stdout.fnmatch_lines("E *The loops of test_it are live, in threads of their own. *")
