"""What ends a synchronous test whose loops are live: a fixture that dies, a time-out, Ctrl-C."""

from __future__ import annotations

import signal

import pytest

from interruptible import needs_signal
from pytest_asyncio.features import live
from pytest_asyncio.support import interrupts

SCOPES = ("function", "class", "module", "package", "session")


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
def test_an_interrupt_comes_again_if_python_has_not_seen_it(server_suite, monkeypatch):
    send, sent = signal.pthread_kill, []

    def lose_the_first(*args):
        sent.append(args)
        if len(sent) > 1:
            send(*args)

    monkeypatch.setattr(signal, "pthread_kill", lose_the_first)
    result = server_suite("""
        @pytest.mark.asyncio(live=True)
        def test_it(url, asyncio_runner):
            asyncio_runner.loop.call_soon_threadsafe(pytest.fail, "by a callback")
            threading.Event().wait(30)
            print("has waited to the end")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Failed: by a callback*"])
    result.stdout.no_fnmatch_line("*has waited to the end*")


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
