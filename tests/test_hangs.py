"""Whatever a user does to a test that hangs, they see where it hangs."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time

import pytest

SIGNALS = [name for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
posix = pytest.mark.skipif(os.name == "nt", reason="there are no such signals")

DOING = "*- what async tests were doing -*"

CONFTEST = """
    import os, signal, sys, threading, time

    def end_when(is_there, number=signal.SIGINT):
        main = threading.get_ident()

        def watch():
            while not is_there(sys._current_frames()[main]):
                time.sleep(0.001)
            os.kill(os.getpid(), number)

        threading.Thread(target=watch, daemon=True).start()

    def waits(frame):
        return frame.f_code.co_name in ("select", "run_until_complete")

    def blocks(frame):
        while frame is not None and frame.f_code.co_name != "block":
            frame = frame.f_back
        return frame is not None
"""
HEADER = """
    import signal, threading
    from conftest import blocks, end_when, waits
"""


@pytest.fixture
def interrupted(suite, pytester, monkeypatch):
    """Run a suite that interrupts itself; what it imports is its own."""
    run = functools.partial(pytester.runpytest_inprocess, no_reraise_ctrlc=True)
    monkeypatch.setattr(pytester, "runpytest", run)
    return lambda source, *args, **kw: suite(HEADER + source, *args, conftest=CONFTEST, **kw)


WAITING = """
    async def wait():
        await asyncio.Event().wait()

    @pytest.mark.asyncio
    async def test_it():
        end_when(waits)
        await wait()
"""


def test_ctrl_c_shows_the_test_its_line_and_the_tasks(interrupted):
    result = interrupted(WAITING)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        [
            DOING,
            "test_it.py::test_it: its call has taken *.* s, and is at test_it.py:* in wait",
            "Tasks of the loop of test_it.py::test_it:",
            "test_it (Task-*)",
            "    test_it.py:* in test_it",
            "    test_it.py:* in wait",
            "    waits for Event.wait",
            "!!* KeyboardInterrupt !!*",
            "*test_it.py:7: KeyboardInterrupt",
        ]
    )


def test_ctrl_c_says_where_a_thread_has_not_woken_the_loop(interrupted):
    result = interrupted("""
    @pytest.mark.asyncio
    async def test_it():
        event = asyncio.Event()
        threading.Timer(0.1, event.set).start()
        end_when(lambda frame: event.is_set() and waits(frame))
        await event.wait()
    """)
    result.stdout.fnmatch_lines(
        [
            DOING,
            "A thread has called something, such as Event.set(), that does not wake the loop:",
            "let it call that by loop.call_soon_threadsafe().",
            "test_it (Task-*)",
        ]
    )


def test_ctrl_c_that_wakes_uvloop_says_that_a_thread_has_not(interrupted):
    pytest.importorskip("uvloop")
    result = interrupted(
        """
    @pytest.mark.asyncio
    async def test_it():
        event = asyncio.Event()
        threading.Timer(0.1, event.set).start()
        end_when(lambda _: event.is_set())
        await event.wait()
    """,
        "--asyncio-loop-factory=uvloop.new_event_loop",
    )
    result.stdout.fnmatch_lines(
        [
            DOING,
            "test_it.py::test_it: its call has taken *, and has ended just now",
            "A thread has called something, such as Event.set(), that does not wake the loop:",
        ]
    )


@pytest.mark.parametrize(
    "interrupt", ["loop.create_task(interrupting())", "loop.call_soon(signal.raise_signal, 2)"]
)
def test_a_test_that_has_ended_when_something_else_is_interrupted_was_not_overlooked(
    interrupted, interrupt
):
    result = interrupted(f"""
    async def interrupting():
        signal.raise_signal(signal.SIGINT)

    @pytest.mark.asyncio
    async def test_it():
        loop = asyncio.get_running_loop()
        {interrupt}
    """)
    result.stdout.fnmatch_lines([DOING, "test_it.py::test_it: its call *, and has ended just now*"])
    result.stdout.no_fnmatch_line("A thread has called something*")


def test_ctrl_c_ends_a_session_that_writes_to_no_terminal(interrupted):
    result = interrupted(WAITING, "-pno:terminal")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stderr.no_fnmatch_line("*Traceback*")


def test_a_full_trace_begins_with_the_lines_of_the_user(interrupted):
    lines = interrupted(WAITING, "--full-trace").outlines
    after = lines[next(i for i, line in enumerate(lines) if "!! KeyboardInterrupt !!" in line) :]
    entries = [line for line in after if line.startswith(("test_it.py:", "/"))]
    assert entries[:2] == ["test_it.py:12: ", "test_it.py:7: "]


@pytest.mark.parametrize(
    ("fixture", "phase"),
    [
        ("end_when(waits); await wait(); yield", "setup"),
        ("yield; end_when(waits); await wait()", "teardown"),
        ("end_when(blocks); block(); yield", "setup"),
    ],
)
def test_ctrl_c_names_the_fixture_that_hangs(interrupted, fixture, phase):
    result = interrupted(
        f"""
    def block():
        threading.Event().wait()

    async def wait():
        await asyncio.Event().wait()

    @pytest_asyncio.fixture
    async def server():
        {fixture}

    @pytest.mark.asyncio
    async def test_it(server): pass
    """
    )
    result.stdout.fnmatch_lines(
        [
            DOING,
            f"test_it.py::test_it: the {phase} of fixture 'server' has taken * is at test_it.py:*",
        ]
    )


REFUSING = """
    async def work():
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

    @pytest.mark.asyncio
    async def test_it():
        end_when(waits)
        task = asyncio.create_task(work(), name="worker")
        await asyncio.gather(task, return_exceptions=True)
"""


@pytest.mark.usefixtures("_impatient")
def test_what_ctrl_c_does_not_end_is_named(interrupted):
    result = interrupted(REFUSING)
    result.stdout.fnmatch_lines(
        [
            DOING,
            "*- what Ctrl-C has not ended -*",
            "Task-*: test_it() at test_it.py:17 in test_it did not end when it was cancelled, *",
            "!!* KeyboardInterrupt !!*",
        ]
    )


def test_ctrl_c_names_the_fixtures_that_one_may_wait_for_in_vain(interrupted):
    result = interrupted("""
    @pytest.fixture
    def queue():
        return asyncio.Queue()

    @pytest_asyncio.fixture
    async def producer(queue):
        yield
        queue.put_nowait(1)
        end_when(waits)
        await queue.join()

    @pytest_asyncio.fixture
    async def worker(queue):
        async def work():
            while True:
                await queue.get()
                queue.task_done()
        working = asyncio.create_task(work())
        yield
        working.cancel()

    @pytest.mark.asyncio
    async def test_it(producer, worker): pass
    """)
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_it: the teardown of fixture 'producer' has taken *",
            "'worker' was torn down by then. If 'producer' needs it, add that to its arguments: *",
        ]
    )


def test_ctrl_c_shows_which_fixture_is_on_a_loop_that_stands_still(interrupted):
    result = interrupted("""
    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def worker():
        working = asyncio.create_task(asyncio.Event().wait())
        yield
        working.cancel()

    @pytest.mark.asyncio
    async def test_it(worker):
        end_when(waits)
        await asyncio.Event().wait()
    """)
    result.stdout.fnmatch_lines(
        [
            DOING,
            "test_it.py::test_it: its call has taken *",
            "What test_it uses may be on a loop that stands still meanwhile.",
            "The fixture 'worker' runs on a loop of scope 'session', and test_it on * Write *",
            "!!* KeyboardInterrupt !!*",
        ]
    )


def test_ctrl_c_shows_what_blocks_the_loop_in_another_task(interrupted):
    result = interrupted(
        """
    def block():
        threading.Event().wait()

    async def work():
        block()

    @pytest.mark.asyncio
    async def test_it():
        end_when(blocks)
        task = asyncio.create_task(work(), name="worker")
        await asyncio.Event().wait()
    """
    )
    result.stdout.fnmatch_lines(
        [
            DOING,
            "*::test_it: its call has taken * in test_it, while worker has the loop at * in block",
            "test_it (Task-*)",
            "worker, running",
            "    test_it.py:* in work",
            "    test_it.py:* in block",
            "    is in Event.wait",
            "*test_it.py:7: KeyboardInterrupt",
        ]
    )


def test_ctrl_c_shows_all_tests_that_run_at_the_same_time(interrupted):
    result = interrupted(
        """
    pytestmark = pytest.mark.asyncio(concurrent=True)

    async def test_one():
        await asyncio.sleep(60)

    async def test_two():
        end_when(waits)
        await asyncio.sleep(60)
    """
    )
    result.stdout.fnmatch_lines(
        [
            DOING,
            "test_it.py::test_one: its call has taken *, and is at test_it.py:* in test_one",
            "test_it.py::test_two: its call has taken *, and is at test_it.py:* in test_two",
            "Tasks of the loop of test_it.py:",
            "test_one (Task-*)",
            "test_two (Task-*)",
        ]
    )


def test_ctrl_c_in_a_synchronous_fixture_shows_the_tasks_that_stand_still(interrupted):
    result = interrupted(
        """
    async def work():
        await asyncio.sleep(60)

    @pytest_asyncio.fixture(loop_scope="session", scope="session")
    async def worker():
        task = asyncio.create_task(work(), name="worker")
        await asyncio.sleep(0)
        yield task

    def block(task):
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), task.get_loop()).result()

    @pytest.fixture
    def client(worker):
        end_when(blocks)
        block(worker)

    @pytest.mark.asyncio
    async def test_it(client): pass
    """
    )
    result.stdout.fnmatch_lines(
        [
            DOING,
            "test_it.py::test_it: its setup has not ended, and is at test_it.py:* in block",
            "Tasks of the loop of the session, which stands still:",
            "worker",
            "    test_it.py:* in work",
            "    waits for asyncio.sleep",
            "*test_it.py:16: KeyboardInterrupt",
        ]
    )


def test_ctrl_c_between_tests_shows_nothing(interrupted):
    result = interrupted(
        """
    @pytest.mark.asyncio
    async def test_it(): pass
    """,
        files={"plugin.py": "def pytest_runtest_logfinish(): raise KeyboardInterrupt"},
        ini="addopts = -p plugin\npythonpath = .",
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.no_fnmatch_line(DOING)


@pytest.fixture
def ended(suite_alone):
    """Run a suite that ends its own process."""
    return lambda source, *args, **kw: suite_alone(HEADER + source, *args, conftest=CONFTEST, **kw)


def waiting_for(number):
    return WAITING.replace("end_when(waits)", f"end_when(waits, signal.{number})")


def test_what_ctrl_c_does_not_end_is_not_logged_too(ended):
    impatience = """
    from pytest_asyncio.engine import event_loop
    event_loop.GRACE = event_loop.LAST_GRACE = 0.05
    """
    result = ended(impatience + REFUSING)
    result.stdout.fnmatch_lines("!!* KeyboardInterrupt !!*")
    result.stderr.no_fnmatch_line("*Task was destroyed*")


@posix
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_that_ends_the_process_shows_the_test_and_then_ends_it(ended, name):
    result = ended(waiting_for(name))
    assert result.ret == -getattr(signal, name)
    result.stderr.fnmatch_lines(
        [
            f"*- what async tests were doing, at {name} -*",
            "test_it.py::test_it: its call has taken *.* s, and is at test_it.py:7 in wait",
            "Tasks of the loop of test_it.py::test_it:",
            "test_it (Task-*)",
        ]
    )


@posix
def test_a_handler_of_the_suite_for_such_a_signal_is_called(ended):
    result = ended(
        """
    @pytest.fixture(autouse=True, scope="session")
    def handled():
        signal.signal(signal.SIGTERM, lambda *_: pytest.exit("handled", returncode=7))

    @pytest.mark.asyncio
    async def test_first(): pass
    """
        + waiting_for("SIGTERM")
    )
    assert result.ret == 7
    result.stdout.fnmatch_lines("*handled*")


@posix
def test_what_a_suite_has_set_before_is_left_alone_and_put_back(ended):
    result = ended(
        """
    @pytest.mark.asyncio
    async def test_it():
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    """,
        files={
            "plugin.py": """
            import signal
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            def pytest_unconfigure(config):
                config.add_cleanup(print_handlers)
            def print_handlers():
                for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
                    print(number.name, int(signal.getsignal(number)))
            """
        },
        ini="addopts = -p plugin\npythonpath = .",
    )
    result.assert_outcomes(passed=1)


@posix
def test_a_child_process_that_is_forked_shows_nothing(ended):
    result = ended(
        """
    import os

    @pytest.mark.asyncio
    async def test_it():
        pid = os.fork()
        if not pid:
            os.kill(os.getpid(), signal.SIGTERM)
        assert os.waitpid(pid, 0)[1] == signal.SIGTERM
    """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1)
    result.stderr.no_fnmatch_line("*what async tests were doing*")


@posix
@pytest.mark.skipif("sys.implementation.name == 'pypy'", reason="it has no handlers like that")
def test_a_suite_finds_and_keeps_the_default_handlers_of_signals_that_end_the_process(suite):
    suite(
        """
        import os, signal
        @pytest.mark.asyncio
        async def test_it():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
            received = []
            before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
            assert before is signal.SIG_DFL
            os.kill(os.getpid(), signal.SIGTERM)
            assert received == [signal.SIGTERM]
            signal.signal(signal.SIGTERM, before)
        """
    ).assert_outcomes(passed=1)


@posix
def test_the_handler_restores_what_would_have_happened(suite, monkeypatch, capfd):
    raised = []
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    kept = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        suite(
            """
        import os, signal
        @pytest.mark.asyncio
        async def test_it():
            os.kill(os.getpid(), signal.SIGTERM)
        """
        ).assert_outcomes(passed=1)
    finally:
        signal.signal(signal.SIGTERM, kept)
    assert raised == [signal.SIGTERM]
    assert "what async tests were doing, at SIGTERM" in capfd.readouterr().err


@posix
def test_a_signal_that_an_option_names_shows_what_tests_do_and_they_go_on(suite, capfd):
    before = signal.getsignal(signal.SIGUSR1)
    suite(
        """
        import os, signal
        @pytest.mark.asyncio
        async def test_it():
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0)
        """,
        ini="asyncio_dump_signal = SIGUSR1",
    ).assert_outcomes(passed=1)
    assert signal.getsignal(signal.SIGUSR1) == before
    output = capfd.readouterr().err
    assert "what async tests were doing, at SIGUSR1" in output
    assert "test_it.py::test_it: its call has taken" in output


@posix
def test_such_a_signal_between_two_tests_shows_nothing(suite, capfd):
    suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            pass
        """,
        ini="asyncio_dump_signal = SIGUSR1",
        conftest="""
            import signal
            def pytest_runtest_logfinish():
                signal.raise_signal(signal.SIGUSR1)
        """,
    ).assert_outcomes(passed=1)
    assert "what async tests were doing" not in capfd.readouterr().err


@posix
def test_the_threads_that_run_code_of_the_suite_are_shown_too(suite, capfd):
    suite(
        """
        import os, signal, threading
        def serve(begun, over):
            begun.set()
            over.wait()
        @pytest.mark.asyncio
        async def test_it():
            begun, over = threading.Event(), threading.Event()
            thread = threading.Thread(target=serve, args=(begun, over), name="server")
            thread.start()
            begun.wait()
            os.kill(os.getpid(), signal.SIGUSR1)
            over.set()
            thread.join()
        """,
        ini="asyncio_dump_signal = SIGUSR1",
    ).assert_outcomes(passed=1)
    output = capfd.readouterr().err
    assert "Thread 'server':\n    test_it.py:" in output


@posix
def test_a_child_process_that_goes_on_shows_nothing_at_such_a_signal(ended):
    result = ended(
        """
    import os

    @pytest.mark.asyncio
    async def test_it():
        pid = os.fork()
        if not pid:
            os.kill(os.getpid(), signal.SIGUSR1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    """,
        *("-Wdefault", "-oasyncio_dump_signal=SIGUSR1"),
    )
    result.assert_outcomes(passed=1)
    result.stderr.no_fnmatch_line("*what async tests were doing*")


def test_signals_in_a_session_outside_of_the_main_thread_are_left_alone(suite):
    before = signal.getsignal(signal.SIGTERM)
    results = []
    source = """
        import signal
        @pytest.mark.asyncio
        async def test_it():
            print("handler:", signal.getsignal(signal.SIGTERM))
    """
    thread = threading.Thread(target=lambda: results.append(suite(source, "-s")))
    thread.start()
    thread.join()
    results[0].stdout.fnmatch_lines(f"*handler: {before}*")


@pytest.mark.parametrize("value", ["SIGKILL", "SIGNONE", "x", "signal", "SIG_DFL"])
def test_a_dump_signal_that_there_is_not_is_a_usage_error(suite, value):
    result = suite("", f"--asyncio-dump-signal={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(f"ERROR: '{value}' is not a valid asyncio_dump_signal. *SIGUSR1.")


@posix
def test_workers_of_xdist_show_where_they_hang(ended):
    result = ended(waiting_for("SIGTERM"), "-pxdist", "-n1", "--max-worker-restart=0")
    result.stderr.fnmatch_lines(
        [
            "*- what async tests were doing in gw0, at SIGTERM -*",
            "test_it.py::test_it: its call has taken *, and is at test_it.py:7 in wait",
        ]
    )


@posix
def test_ctrl_c_in_a_worker_of_xdist_is_shown_on_its_stderr(ended):
    result = ended(waiting_for("SIGINT"), "-pxdist", "-n1")
    result.stderr.fnmatch_lines(
        [
            "*- what async tests were doing -*",
            "test_it.py::test_it: its call has taken *, and is at test_it.py:7 in wait",
        ]
    )


@posix
def test_workers_of_xdist_show_where_they_hang_when_their_controller_is_killed(ended, pytester):
    source = WAITING.replace("end_when(waits)", "os.kill(os.getppid(), signal.SIGKILL)")
    result = ended("    import os\n" + source, "-pxdist", "-n1")
    assert result.ret == -signal.SIGKILL
    shown = "what async tests were doing in gw0, at the end of the controller of pytest-xdist"
    deadline = time.monotonic() + 20
    while shown not in (pytester.path / "stderr").read_text():  # The worker outlives it.
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_time_out_of_faulthandler_shows_the_tasks(suite, capfd):
    result = suite(
        """
        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", [1, 2])
        async def test_it(_):
            await asyncio.sleep(1)
        """,
        "-pfaulthandler",
        ini="faulthandler_timeout = 0.3",
    )
    result.assert_outcomes(passed=2)
    output = capfd.readouterr().err
    assert output.count("doing, before the 0.3 s of faulthandler_timeout") == 2
    assert "test_it.py::test_it[2]: its call has taken" in output


TIMED = """
    def block():
        threading.Event().wait()

    async def work():
        {act}

    @pytest.mark.asyncio
    async def test_it():
        worker = asyncio.create_task(work(), name="worker")
        await worker
"""


@posix
@pytest.mark.parametrize("act", ["block()", "await asyncio.Event().wait()"])
def test_pytest_timeout_by_a_signal_shows_the_tasks(ended, act):
    args = ("-ppytest_timeout", "--timeout=1", "--timeout-method=signal")
    result = ended(TIMED.format(act=act), *args)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- asyncio tasks -*", "test_it (Task-*", "*worker*"])
    result.stdout.fnmatch_lines("*test_it.py:* in work")


def test_pytest_timeout_that_hits_a_waiting_loop_shows_the_line_of_the_test(ended):
    args = ("-ppytest_timeout", "--timeout=1", "--timeout-method=signal")
    result = ended(TIMED.format(act="await asyncio.Event().wait()"), *args)
    result.stdout.fnmatch_lines(["> *await worker", "E *Failed: Timeout*"])
    result.stdout.no_fnmatch_line("*selectors.py*")


def test_pytest_timeout_by_a_thread_shows_the_tasks(ended):
    args = ("-ppytest_timeout", "--timeout=1", "--timeout-method=thread")
    result = ended(TIMED.format(act="block()"), *args)
    assert result.ret == 1
    result.stderr.fnmatch_lines(
        [
            "*- what async tests were doing, after the 1 s of its time-out -*",
            "test_it.py::test_it: its call has taken *",
            "test_it (Task-*)",
            "└── worker, running",
        ]
    )


def test_pytest_timeout_by_a_thread_leaves_what_ends_in_time_alone(ended):
    args = ("-ppytest_timeout", "--timeout=30", "--timeout-method=thread")
    result = ended("    def test_it(): pass", *args)
    result.assert_outcomes(passed=1)


def test_pytest_timeout_by_a_thread_shows_nothing_while_the_user_is_in_the_debugger(ended):
    result = ended(
        """
    import threading

    @pytest.mark.asyncio
    async def test_it(pytestconfig, monkeypatch):
        asked, module = threading.Event(), pytestconfig.pluginmanager.get_plugin("pytest_timeout")
        monkeypatch.setattr(module, "is_debugging", lambda: asked.set() or True)
        pytestconfig.hook.pytest_enter_pdb(config=pytestconfig, pdb=None)
        asked.wait()
        pytestconfig.hook.pytest_leave_pdb(config=pytestconfig, pdb=None)
    """,
        *("-ppytest_timeout", "--timeout=1", "--timeout-method=thread"),
    )
    result.assert_outcomes(passed=1)
    result.stderr.no_fnmatch_line("*what async tests were doing*")


def test_pytest_timeout_by_a_signal_ends_what_waits_on_uvloop(ended):
    pytest.importorskip("uvloop")
    args = ("-ppytest_timeout", "--timeout=1", "--timeout-method=signal")
    result = ended(
        TIMED.format(act="await asyncio.Event().wait()"),
        "--asyncio-loop-factory=uvloop.new_event_loop",
        *args,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["> *await worker", "*- asyncio tasks -*", "test_it (Task-*"])


@posix
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_pytest_timeout_by_a_signal_shows_what_a_thread_does_for_a_test_among_others(ended, loop):
    pytest.importorskip(loop)
    result = ended(
        """
    import threading

    @pytest.mark.asyncio
    async def test_beside():
        await asyncio.sleep(0.01)

    @pytest.mark.asyncio
    async def test_it():
        await asyncio.to_thread(threading.Event().wait, 2)
    """,
        *("-ppytest_timeout", "--timeout=1", "--timeout-method=signal"),
        "-oasyncio_concurrent=true",
        f"--asyncio-loop-factory={loop}.new_event_loop",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*- asyncio tasks -*", "test_it (Task-*", "*Event.wait*"])


LONE = """
    @pytest.mark.asyncio
    async def test_first():
        await asyncio.sleep(0.1)

    @pytest.mark.asyncio(loop_scope="function")
    async def test_alone():
        pass

    @pytest.mark.asyncio
    async def test_hangs():
        await asyncio.Event().wait()
"""


def test_pytest_timeout_bounds_what_has_begun_before_its_turn(ended):
    result = ended(
        LONE,
        *("-ppytest_timeout", "--timeout=0.5", "--timeout-method=signal", "--asyncio-concurrent"),
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines("E *Failed: Timeout (>0.5s) from pytest-timeout.")
