"""Live loops: those of async fixtures go on while synchronous code runs."""

from __future__ import annotations

import signal
import sys
import textwrap

import pytest

from pytest_asyncio.features import live
from pytest_asyncio.support import interrupts

SCOPES = ("function", "class", "module", "package", "session")
SERVER = """
import contextlib, subprocess, sys, threading, time, urllib.request

async def start(answer=lambda: b"ok"):
    async def handle(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        body = answer()
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body))
        writer.write(body)
        await writer.drain()
        writer.close()
    return await asyncio.start_server(handle, "127.0.0.1", 0)

def url_of(server):
    return "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]

@contextlib.asynccontextmanager
async def serving(*args):
    async with await start(*args) as server:
        yield url_of(server)

def get(url):
    with urllib.request.urlopen(url, timeout=30) as response:
        return response.read()

def is_any_live():
    return any(thread.name.startswith("live ") for thread in threading.enumerate())

@pytest_asyncio.fixture
async def url():
    async with serving() as url:
        yield url
"""
needs_signal = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="nothing can interrupt a thread here"
)


@pytest.fixture
def server_suite(suite):
    """Run a suite that has a server in the async fixture `url`, and `get(url)`."""
    return lambda source, *args, **kwargs: suite(SERVER + textwrap.dedent(source), *args, **kwargs)


@pytest.fixture
def dying_suite(server_suite):
    """Run a suite with an async fixture `dying`: its loop, and an event that ends it."""
    return lambda scope, source: server_suite(DYING.format(scope=scope) + textwrap.dedent(source))


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


DYING = """
@pytest_asyncio.fixture(scope={scope!r}, loop_scope={scope!r})
async def dying():
    async def wait():
        await done.wait()
        raise LookupError("the cause")
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(wait())
        yield asyncio.get_running_loop(), done
        task.cancel()
"""


@needs_signal
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("wait", ["threading.Event().wait()", "time.sleep(60)"])
def test_a_fixture_that_dies_interrupts_its_test(dying_suite, scope, wait):
    result = dying_suite(
        scope,
        """
        @pytest.mark.asyncio(live=True)
        class TestClass:
            def test_dies(self, dying):
                loop, done = dying
                loop.call_soon_threadsafe(done.set)
                WAIT

            def test_has_a_new_one(self, dying):
                pass
    """.replace("WAIT", wait),
    )
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E*Cancelled: The async fixture 'dying' ended while it was in use.*"]
    )
    result.stdout.fnmatch_lines(["*LookupError: the cause"])


@needs_signal
def test_a_fixture_that_dies_ends_what_the_test_runs(dying_suite):
    result = dying_suite(
        "session",
        """
        @pytest.mark.asyncio(live=True)
        def test_it(dying, asyncio_runner):
            loop, done = dying
            loop.call_soon_threadsafe(done.set)
            asyncio_runner.run(asyncio.Event().wait())
    """,
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E*Cancelled: The async fixture 'dying' ended while it was in use.*"]
    )


@needs_signal
def test_a_fixture_that_dies_ends_what_is_set_up_on_another_live_loop(dying_suite):
    result = dying_suite(
        "session",
        """
        @pytest_asyncio.fixture
        async def client(dying):
            loop, done = dying
            loop.call_soon_threadsafe(done.set)
            await asyncio.Event().wait()

        @pytest.mark.asyncio(live=True)
        def test_it(dying, request, asyncio_runner):
            requesting = pytest_asyncio.getfixturevalue(request, "client")
            asyncio.run_coroutine_threadsafe(requesting, asyncio_runner.loop).result()
    """,
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E*Cancelled: The async fixture 'dying' ended while it was in use.*"]
    )


def test_a_fixture_that_dies_where_nothing_can_be_interrupted_fails_the_test(
    dying_suite, monkeypatch
):
    monkeypatch.setattr(interrupts, "_SIGNAL", None)
    result = dying_suite(
        "function",
        """
        @pytest.mark.asyncio(live=True)
        def test_it(dying):
            loop, done = dying
            (task,) = asyncio.all_tasks(loop)
            ended = threading.Event()
            loop.call_soon_threadsafe(task.add_done_callback, lambda _: ended.set())
            loop.call_soon_threadsafe(done.set)
            ended.wait()
    """,
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["E*Cancelled: The async fixture 'dying' ended*"])


@needs_signal
def test_the_error_of_a_client_is_reported_with_what_came_before(dying_suite):
    result = dying_suite(
        "function",
        """
        @pytest.mark.asyncio(live=True)
        def test_it(dying):
            loop, done = dying
            try:
                loop.call_soon_threadsafe(done.set)
                threading.Event().wait()
            except BaseException:
                raise ConnectionError("no answer")
    """,
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E*ConnectionError: no answer", "E*Before that: The async fixture 'dying' ended*"]
    )


@pytest.mark.parametrize("can_interrupt", [pytest.param(True, marks=needs_signal), False])
def test_a_test_that_goes_on_after_the_end_of_its_fixture_fails(
    dying_suite, monkeypatch, can_interrupt
):
    if not can_interrupt:
        monkeypatch.setattr(interrupts, "_SIGNAL", None)
    result = dying_suite(
        "function",
        """
        @pytest.mark.asyncio(live=True)
        def test_it(dying):
            loop, done = dying
            ended = threading.Event()
            loop.call_soon_threadsafe(done.set)
            with contextlib.suppress(BaseException):
                while loop.is_running():
                    time.sleep(0.001)
    """,
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E*Cancelled: The async fixture 'dying' ended while it was in use.*"]
    )


@needs_signal
def test_an_interrupt_waits_for_the_end_of_pytests_own_code(dying_suite, monkeypatch):
    monkeypatch.setattr(live, "SOON", 0.001)
    result = dying_suite(
        "function",
        """
        def wait_as_pytest_does(thread):
            # in the name of a module of pytest
            exec("thread.join()", {"__name__": "_pytest.runner", "thread": thread})

        @pytest.mark.asyncio(live=True)
        def test_it(dying):
            loop, done = dying
            sleeper = threading.Thread(target=time.sleep, args=(0.1,))
            sleeper.start()
            loop.call_soon_threadsafe(done.set)
            wait_as_pytest_does(sleeper)
            assert not sleeper.is_alive()
            threading.Event().wait()
        """,
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["E*Cancelled: The async fixture 'dying' ended*"])


@pytest.mark.parametrize(
    ("act", "error"),
    [
        ("pytest.fail('by a callback')", "Failed: by a callback"),
        ("sys.exit('by a callback')", "SystemExit: by a callback"),
        ("asyncio.get_running_loop().stop()", "*Something has called stop() on the event loop*"),
    ],
)
@needs_signal
def test_what_ends_a_live_loop_interrupts_the_test(server_suite, act, error):
    result = server_suite(f"""
        def act():
            {act}

        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            asyncio_runner.loop.call_soon_threadsafe(act)
            threading.Event().wait()

        @pytest.mark.asyncio(live=True)
        def test_next(url):
            assert get(url) == b"ok"
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([f"E*{error}*"])


@needs_signal
@pytest.mark.parametrize("way", ["mark", "block", "fixture"])
@pytest.mark.parametrize(
    "wait",
    ["threading.Event().wait()", "time.sleep(60)", "while True: pass",
     "asyncio_runner.run(asyncio.Event().wait())"],
)  # fmt: skip
def test_a_synchronous_test_is_bounded_by_its_time_out(server_suite, way, wait):
    result = server_suite(f"""
        @pytest.fixture
        def live(asyncio_runner, url):
            if {way!r} == "fixture":
                with asyncio_runner.live():
                    yield
            else:
                yield

        @pytest.mark.asyncio(timeout=0.1, **dict(live=True) if {way!r} == "mark" else {{}})
        class TestClass:
            def test_it(self, live, url, asyncio_runner):
                with asyncio_runner.live() if {way!r} == "block" else contextlib.nullcontext():
                    {wait}
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f">*{wait}", "E*TimeoutError: test_it took longer than the 0.1 s*"]
    )


@needs_signal
def test_the_end_of_a_time_out_shows_what_the_loops_were_doing(server_suite):
    result = server_suite("""
        @pytest_asyncio.fixture
        async def worker():
            async def work():
                await asyncio.Event().wait()  # here
            task = asyncio.create_task(work(), name="worker")
            yield
            task.cancel()

        @pytest.mark.asyncio(live=True, timeout=0.1)
        def test_it(worker):
            threading.Event().wait()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*asyncio tasks*", "*test_it: its call has not ended*", "worker*"])


@needs_signal
@pytest.mark.usefixtures("_impatient")
def test_a_loop_that_is_blocked_for_good_is_given_up(server_suite):
    result = server_suite("""
        blocked, go_on = threading.Event(), threading.Event()
        threads = []

        def block():
            threads.append(threading.current_thread())
            blocked.set()
            go_on.wait()

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide():
            yield asyncio.get_running_loop()

        @pytest.mark.asyncio(live=True)
        def test_blocks(wide):
            wide.call_soon_threadsafe(block)
            assert blocked.wait()

        @pytest.mark.asyncio(live=True)
        def test_next(wide):
            assert wide.is_running()

        def test_the_end():
            go_on.set()
            threads[0].join()
    """, "-Wdefault")  # fmt: skip
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["*::test_blocks: the event loop of test_it.py is blocked at test_it.py:* in block*"]
    )


@needs_signal
def test_ctrl_c_ends_the_session_and_tears_down(pytester):
    pytester.makepyfile(
        """
        import asyncio, os, pytest, pytest_asyncio, signal, threading

        @pytest_asyncio.fixture
        async def resource():
            yield asyncio.get_running_loop()
            await asyncio.sleep(0)
            print("torn down")

        @pytest.mark.asyncio(live=True)
        def test_it(resource):
            resource.call_soon_threadsafe(os.kill, os.getpid(), signal.SIGINT)
            threading.Event().wait()

        def test_is_not_run():
            pass
        """
    )
    result = pytester.runpytest_subprocess("-s", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*torn down*", "*KeyboardInterrupt*"])
    result.assert_outcomes()


def test_a_virtual_clock_cannot_be_live(suite):
    result = suite("""
        @pytest.mark.asyncio(live=True, clock="virtual")
        def test_it():
            pass
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*::test_it: mark.asyncio got live=True, but a virtual clock*"])


def test_the_option_leaves_tests_on_a_virtual_clock_alone(server_suite):
    result = server_suite(
        """
        def test_it(url):
            assert not is_any_live()
        """,
        ini="asyncio_live = true\nasyncio_clock = virtual",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["asyncio: asyncio_live is not in force for tests with a virtual*"])


def test_a_block_on_a_virtual_clock_says_so(suite):
    result = suite("""
        @pytest.mark.asyncio(clock="virtual")
        class TestClass:
            def test_it(self, asyncio_runner):
                with asyncio_runner.live():
                    pass
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*::test_it: asyncio_runner.live() was called, but a virtual clock*"]
    )


def test_debug_mode_finds_what_the_test_does_to_a_live_loop(server_suite):
    result = server_suite(
        """
        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            assert get(url) == b"ok"
            with pytest.raises(RuntimeError, match="Non-thread-safe operation"):
                asyncio_runner.loop.call_soon(print)
        """,
        "--asyncio-debug",
    )
    result.assert_outcomes(passed=1)


def test_uvloop_may_be_live(server_suite):
    pytest.importorskip("uvloop")
    result = server_suite(
        """
        SOURCE = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"

        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            assert type(asyncio_runner.loop).__module__ == "uvloop"
            assert get(url) == b"ok"
            asyncio_runner.run(asyncio.sleep(0))
            command = [sys.executable, "-c", SOURCE, url]
            assert subprocess.check_output(command, text=True).strip() == "ok"
        """,
        "--asyncio-loop-factory=uvloop.new_event_loop",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.skipif(sys.platform == "win32", reason="no signal handlers on loops")
def test_a_live_loop_calls_its_handlers_of_signals(server_suite):
    result = server_suite("""
        import os, signal

        @pytest_asyncio.fixture
        async def received():
            received = threading.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, received.set)
            yield received
            asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)

        @pytest.mark.asyncio(live=True)
        def test_it(received):
            os.kill(os.getpid(), signal.SIGUSR1)
            assert received.wait(30)
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("factory", ["asyncio.new_event_loop", "uvloop.new_event_loop"])
def test_a_live_loop_starts_subprocesses(server_suite, factory):
    pytest.importorskip(factory.partition(".")[0])
    result = server_suite(
        """
        async def child():
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print(42)", stdout=subprocess.PIPE
            )
            output, _ = await process.communicate()
            return int(output)

        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            running = asyncio.run_coroutine_threadsafe(child(), asyncio_runner.loop)
            assert running.result() == 42
        """,
        f"--asyncio-loop-factory={factory}",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("options", [["--asyncio-checks=all"], ["--asyncio-durations=0"]])
def test_a_live_test_passes_all_checks(server_suite, options):
    result = server_suite(
        """
        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            assert get(url) == b"ok"
            asyncio_runner.run(asyncio.sleep(0))
            assert get(url) == b"ok"
        """,
        *options,
    )
    result.assert_outcomes(passed=1)


def test_checks_see_what_a_live_loop_does(server_suite):
    result = server_suite(
        """
        def block():
            time.sleep(0.2)

        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            asyncio_runner.loop.call_soon_threadsafe(block)
            assert get(url) == b"ok"
        """,
        "--asyncio-checks=blocked-loop",
        "-Wdefault",
        ini="asyncio_blocked_loop_threshold = 0.05",
    )
    result.stdout.fnmatch_lines(["*BlockedLoopWarning: test_it held the event loop*in block*"])


def test_a_trace_shows_what_is_live(server_suite, pytester):
    result = server_suite(
        """
        @pytest.mark.asyncio(live=True)
        def test_it(url):
            assert get(url) == b"ok"
        """,
        "--asyncio-trace=trace.json",
    )
    result.assert_outcomes(passed=1)
    assert '"name": "test_it"' in (pytester.path / "trace.json").read_text(encoding="utf-8")


def test_live_tests_stand_among_concurrent_ones(server_suite):
    result = server_suite("""
        pytestmark = pytest.mark.asyncio(concurrent=True)
        running = []

        async def test_before():
            running.append(1)
            await asyncio.sleep(0.05)
            running.pop()

        @pytest.mark.asyncio(live=True)
        def test_live(url):
            assert not running
            assert get(url) == b"ok"

        async def test_after():
            running.append(1)
            await asyncio.sleep(0.05)
            running.pop()
    """)
    result.assert_outcomes(passed=3)


def test_tasks_that_the_test_counts_are_its_own(server_suite):
    result = server_suite("""
        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            assert asyncio.all_tasks(asyncio_runner.loop) == set()
    """)
    result.assert_outcomes(passed=1)


def test_a_test_that_closes_the_loop_is_reported(server_suite):
    result = server_suite("""
        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            with pytest.raises(RuntimeError, match="Cannot close a running event loop"):
                asyncio_runner.loop.close()
            assert get(url) == b"ok"
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "error",
    [
        "TimeoutError('timed out')",
        "subprocess.TimeoutExpired('curl', 1)",
        "OSError('the read operation timed out')",
        "type('ReadTimeout', (Exception,), {})('no answer')",
        "pytest.fail.Exception('Timeout (>1.0s) from pytest-timeout.')",
    ],
)
def test_a_time_out_of_a_test_whose_loop_stands_still_says_to_let_it_go_on(server_suite, error):
    result = server_suite(f"""
        def test_it(url):
            raise {error}

        @pytest.mark.asyncio(live=True)
        def test_live(url):
            raise {error}

        def test_without_fixtures():
            raise {error}
    """)
    result.assert_outcomes(failed=3)
    advice = "*on the event loop of the fixture 'url', which stands still while synchronous code*"
    assert sum("stands still" in line for line in result.outlines) == 1
    result.stdout.fnmatch_lines([advice, "*", "*test_live*"])
    result.stdout.fnmatch_lines(
        ["*Write @pytest.mark.asyncio(live=True) at test_it to let it go on.*"]
    )


@needs_signal
def test_ctrl_c_in_a_test_whose_loop_stands_still_says_to_let_it_go_on(pytester):
    pytester.makepyfile(
        """
        import os, pytest, pytest_asyncio, signal

        @pytest_asyncio.fixture
        async def one():
            yield

        @pytest_asyncio.fixture
        async def other():
            yield

        def test_it(one, other):
            os.kill(os.getpid(), signal.SIGINT)
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    (advice,) = (line for line in result.outlines if "stands still while synchronous" in line)
    assert "the fixtures 'one', 'other', which stands still" in advice


@needs_signal
def test_a_teardown_goes_on_although_a_fixture_dies(dying_suite):
    result = dying_suite(
        "function",
        """
        @pytest.fixture
        def live(dying, asyncio_runner):
            loop, done = dying
            with asyncio_runner.live():
                yield
                loop.call_soon_threadsafe(done.set)
                while loop.is_running():
                    time.sleep(0.001)
                print("goes on")

        def test_it(live):
            pass
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*Cancelled: The async fixture 'dying' ended*", "goes on"])


def test_a_loop_may_be_closed_while_others_are_live(server_suite):
    result = server_suite("""
        @pytest.fixture
        def live(asyncio_runner):
            with asyncio_runner.live():
                yield asyncio_runner.loop

        @pytest_asyncio.fixture(loop_scope="function")
        async def own(live):
            yield asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        class TestClass:
            def test_it(self, live, own):
                assert own is not live
                assert own.is_running()
                assert live.is_running()
    """)
    result.assert_outcomes(passed=1)


@needs_signal
def test_a_time_out_waits_for_the_end_of_a_debugger(server_suite):
    result = server_suite("""
        from pytest_asyncio.support import debuggers

        @pytest.mark.asyncio(live=True, timeout=0.05)
        def test_it(url, monkeypatch):
            asked = threading.Semaphore(0)
            monkeypatch.setattr(debuggers, "is_active", lambda *_: asked.release() or True)
            assert asked.acquire() and asked.acquire()
    """)
    result.assert_outcomes(passed=1)


def test_a_live_loop_that_is_run_by_itself_says_what_to_write(server_suite):
    result = server_suite("""
        @pytest.mark.asyncio(live=True)
        def test_it(url):
            waiting = asyncio.sleep(0)
            try:
                asyncio.get_event_loop().run_until_complete(waiting)
            finally:
                waiting.close()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*This event loop is already running", "*Write asyncio_runner.run(coroutine), with the*"]
    )


def test_a_task_of_asyncio_tasks_runs_beside_synchronous_code(server_suite):
    result = server_suite("""
        async def work(done):
            done.set()

        @pytest.mark.asyncio(live=True)
        def test_it(asyncio_tasks):
            done = threading.Event()
            asyncio_tasks.create_task(work(done))
            assert done.wait(30)
    """)
    result.assert_outcomes(passed=1)
