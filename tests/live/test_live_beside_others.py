"""Live loops beside the other features: clocks, checks, traces, concurrent tests, uvloop."""

from __future__ import annotations

import sys

import pytest


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
            time.sleep(1)

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
