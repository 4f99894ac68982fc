"""Time-outs: each phase of a test or fixture is bounded by itself."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest

from interruptible import needs_signal
from pytest_asyncio.features import task_tree, timeouts
from pytest_asyncio.support import interrupts

HANG = "await asyncio.Event().wait()"


@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_test_that_hangs_fails_at_its_line_and_the_next_one_runs(suite, scope):
    result = suite(
        f"""
        pytestmark = pytest.mark.asyncio(loop_scope={scope!r})
        torn_down = []
        @pytest_asyncio.fixture(loop_scope={scope!r})
        async def resource():
            yield
            torn_down.append(True)
        async def wait():
            {HANG}  # here
        @pytest.mark.asyncio(timeout=0.05)
        async def test_hangs(resource): await wait()
        async def test_next(): assert torn_down
        """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*# here",
            "E*TimeoutError: *test_hangs took longer than the 0.05 s of its timeout.",
            "",
            "test_it.py:*: TimeoutError",
        ]
    )


@pytest.mark.parametrize("scope", ["function", "module"])
def test_the_setup_of_a_fixture_is_bounded(suite, scope):
    result = suite(
        f"""
        @pytest_asyncio.fixture(scope={scope!r}, timeout=0.05)
        async def slow(): {HANG}
        @pytest.mark.asyncio
        async def test_it(slow): pass
        @pytest.mark.asyncio
        async def test_next(): pass
        """
    )
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*TimeoutError: *The setup of fixture 'slow' took longer than*"])


@pytest.mark.parametrize("scope", ["function", "module"])
def test_the_teardown_of_a_fixture_is_bounded(suite, scope):
    result = suite(
        f"""
        @pytest_asyncio.fixture(scope={scope!r})
        async def outer():
            yield
            print("torn down after")
        @pytest_asyncio.fixture(scope={scope!r}, timeout=0.05)
        async def slow(outer):
            yield
            {HANG}
        @pytest.mark.asyncio(loop_scope={scope!r})
        async def test_it(slow): pass
        """,
        "-s",
    )
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        ["*torn down after*", "*TimeoutError: *The teardown of fixture 'slow' took longer than*"]
    )


@pytest.mark.parametrize("block", [HANG, pytest.param("time.sleep(60)", marks=needs_signal)])
def test_the_setup_of_a_fixture_that_its_test_awaits_is_bounded(suite, block):
    result = suite(
        f"""
        import time

        @pytest_asyncio.fixture(timeout=0.05)
        async def slow():
            {block}

        @pytest.mark.asyncio
        async def test_it(request):
            with pytest.raises(TimeoutError, match="The setup of fixture 'slow' took longer than"):
                await pytest_asyncio.getfixturevalue(request, "slow")
            await asyncio.sleep(0)

        @pytest.mark.asyncio
        async def test_next():
            await asyncio.sleep(0)
        """
    )
    result.assert_outcomes(passed=2)


@pytest.mark.usefixtures("_impatient")
def test_a_setup_that_its_test_awaits_and_that_refuses_to_end_ends_the_test(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(timeout=0.05)
        async def stubborn():
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass

        @pytest.mark.asyncio
        async def test_it(request):
            await pytest_asyncio.getfixturevalue(request, "stubborn")

        @pytest.mark.asyncio
        async def test_next():
            await asyncio.sleep(0)
        """,
        "-Wdefault",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*TimeoutError: *The setup of fixture 'stubborn' took longer than the 0.05 s of its *",
            "*fixture 'stubborn' at test_it.py:* in stubborn did not end when it was cancelled, *",
        ]
    )


def test_each_phase_has_the_whole_time(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def slow():
            await asyncio.sleep(0.3)
            yield
            await asyncio.sleep(0.3)
        @pytest.mark.asyncio(timeout=0.6)
        async def test_it(slow): await asyncio.sleep(0.3)
        """
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("args", "ini"),
    [((), "asyncio_timeout = 0.05"), (("--asyncio-timeout=0.05",), "asyncio_timeout = 60")],
)
def test_an_option_bounds_all_and_the_command_line_wins(suite, args, ini):
    result = suite(
        f"""
        @pytest.mark.asyncio
        async def test_it(): {HANG}
        """,
        *args,
        ini=ini,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["asyncio: *asyncio_timeout=0.05*", "*the 0.05 s of its timeout*"])


@pytest.mark.parametrize("off", ["0", "None"])
def test_a_closer_word_switches_an_outer_one_off(suite, off):
    result = suite(
        f"""
        pytestmark = pytest.mark.asyncio(timeout=0.05)
        @pytest_asyncio.fixture(timeout={off})
        async def slow(): await asyncio.sleep(0.2)
        @pytest.mark.asyncio(timeout={off})
        async def test_it(slow): await asyncio.sleep(0.2)
        """,
        ini="asyncio_timeout = 0.05",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("off", ["0", "None"])
def test_a_fixture_may_take_its_time_although_its_test_may_not(suite, off):
    result = suite(
        f"""
        @pytest_asyncio.fixture(timeout={off})
        async def slow(): await asyncio.sleep(0.2)
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(slow): pass
        """
    )
    result.assert_outcomes(passed=1)


def test_a_mark_counts_for_the_fixtures_of_its_test_alone(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide(): await asyncio.sleep(0.2)
        @pytest_asyncio.fixture
        async def own(wide): await asyncio.sleep(60)
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(own): pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*The setup of fixture 'own' took longer than*"])


def test_a_fixture_of_a_synchronous_test_is_bounded_by_the_option(suite):
    result = suite(
        f"""
        @pytest_asyncio.fixture
        async def slow(): {HANG}
        def test_it(slow): pass
        """,
        ini="asyncio_timeout = 0.05",
    )
    result.assert_outcomes(errors=1)


@pytest.mark.parametrize("value", ["-1", "'1'", "float('nan')", "float('inf')"])
def test_a_mark_with_what_is_no_time_fails_its_test(suite, value):
    result = suite(
        f"""
        @pytest.mark.asyncio(timeout={value})
        async def test_it(): pass
        """
    )
    assert result.ret != 0
    result.stdout.fnmatch_lines(["test_it.py::test_it: mark.asyncio 'timeout' must be a number*"])


def test_a_fixture_with_what_is_no_time_is_reported_by_name(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(timeout="1")
        async def slow(): pass
        @pytest.mark.asyncio
        async def test_it(slow): pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["Fixture 'slow': timeout must be a number of seconds*not '1'*"])


@pytest.mark.parametrize("value", ["soon", "-1", "inf"])
def test_an_option_with_what_is_no_time_is_a_usage_error(suite, value):
    result = suite("", f"--asyncio-timeout={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*'{value}' is not a valid asyncio_timeout. Give a number*"])


def test_a_test_that_catches_the_cancellation_fails_all_the_same(suite):
    result = suite(
        """
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*await asyncio.sleep(60)", "E*TimeoutError: *test_it took*"])


def test_an_error_in_the_clean_up_is_shown_as_the_cause(suite):
    result = suite(
        """
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            try:
                await asyncio.sleep(60)
            finally:
                raise ValueError("in the clean-up")
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ValueError: in the clean-up", "E*TimeoutError: *test_it took*"])


def test_a_setup_that_catches_the_cancellation_fails_and_is_torn_down(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(timeout=0.05)
        async def slow():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
            yield
            print("torn down")
        @pytest.mark.asyncio
        async def test_it(slow): pass
        """,
        "-s",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*torn down*", "E*TimeoutError: *The setup of fixture 'slow'*"])


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_task_that_refuses_to_end_is_reported_and_its_loop_given_up(suite, scope):
    result = suite(
        f"""
        pytestmark = pytest.mark.asyncio(loop_scope={scope!r})
        used = []
        @pytest.mark.asyncio(timeout=0.05)
        async def test_refuses():
            used.append(asyncio.get_running_loop())
            refused = 0
            while refused < 2:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    refused += 1
            await asyncio.Event().wait()
        async def test_next():
            assert used[0].is_closed()
            assert asyncio.get_running_loop() is not used[0]
        """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "E*TimeoutError: *test_refuses took longer than the 0.05 s of its timeout.",
            "E *It was given 0.1 s to end after it was cancelled.",
            "E*did not end when it was cancelled, so the event loop of test_it.py* was given up.",
        ]
    )


@pytest.mark.usefixtures("_impatient")
def test_a_second_chance_is_enough(suite):
    result = suite(
        """
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*given up*")


@needs_signal
@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("scope", ["function", "module"])
@pytest.mark.parametrize(
    "block",
    ["time.sleep(60)", "threading.Event().wait()", "while True: pass"],
    ids=["sleep", "lock", "computation"],
)
def test_what_blocks_the_loop_is_reported_and_broken_off(suite, block, scope):
    result = suite(
        f"""
        import threading, time
        pytestmark = pytest.mark.asyncio(loop_scope={scope!r})
        @pytest.mark.asyncio(timeout=0.05)
        async def test_blocks():
            {block}
        async def test_next(): pass
        """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            f">*{block}",
            (
                "E*TimeoutError: test_it.py:* in test_blocks *: test_blocks "
                "took longer than the 0.05 s of its timeout."
            ),
        ]
    )


@needs_signal
@pytest.mark.usefixtures("_impatient")
def test_of_tests_at_the_same_time_the_one_that_blocks_is_reported(suite):
    result = suite(
        """
        import time
        pytestmark = pytest.mark.asyncio(concurrent=True, timeout=0.05)
        async def test_waits():
            await asyncio.Event().wait()
        async def test_blocks():
            time.sleep(60)
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E*TimeoutError: *test_waits took longer than the 0.05 s of its timeout.",
            "E*TimeoutError: *test_it.py:* *: test_blocks took longer*",
        ]
    )


@needs_signal
@pytest.mark.usefixtures("_impatient")
def test_no_time_out_is_lost_where_several_are_due_on_a_blocked_loop(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(concurrent=True, timeout=0.1)
        async def test_blocks():
            await asyncio.sleep(0.01)
            while True:
                pass
        async def test_waits():
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=2)


@needs_signal
@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_fixture_that_blocks_is_reported_and_broken_off(suite, scope):
    result = suite(
        f"""
        import time
        @pytest_asyncio.fixture(scope={scope!r}, timeout=0.05)
        async def blocking():
            time.sleep(60)
        @pytest_asyncio.fixture(scope={scope!r}, timeout=0.05)
        async def ending():
            yield
            time.sleep(60)
        @pytest.mark.asyncio
        async def test_setup(blocking): pass
        @pytest.mark.asyncio
        async def test_teardown(ending): pass
        """
    )
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(
        [
            "E*blocked the event loop: The setup of fixture 'blocking' took longer*",
            "E*blocked the event loop: The teardown of fixture 'ending' took longer*",
        ]
    )


@needs_signal
@pytest.mark.usefixtures("_impatient")
def test_what_blocks_the_loop_is_cancelled_once_so_that_it_can_clean_up(suite):
    result = suite(
        """
        import threading

        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            try:
                threading.Event().wait()
            finally:
                await asyncio.sleep(0)
                print("cleaned up")
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["cleaned up"])


@needs_signal
@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("checks", ["", "all"])
def test_a_callback_that_blocks_is_reported_where_the_test_waits(suite, checks):
    result = suite(
        """
        import time
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            asyncio.get_running_loop().call_soon(time.sleep, 60)
            other = asyncio.create_task(block())
            await asyncio.Event().wait()
        async def block():
            time.sleep(60)
        """,
        f"--asyncio-checks={checks}",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [">*await asyncio.Event().wait()", "E*blocked the event loop: test_it took longer*"]
    )
    result.stdout.no_fnmatch_line("*Exception in callback*")


@needs_signal
@pytest.mark.usefixtures("_impatient")
def test_the_report_of_what_blocks_is_not_interrupted_however_long_it_takes(suite, monkeypatch):
    attach, attached = task_tree.attach, []

    def attach_slowly(*args):
        attached.append(args)
        time.sleep(0.5)
        attach(*args)

    monkeypatch.setattr(task_tree, "attach", attach_slowly)
    result = suite(
        """
        import time
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            asyncio.get_running_loop().call_soon(time.sleep, 60)
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    assert len(attached) == 1
    result.stdout.fnmatch_lines(
        [">*await asyncio.Event().wait()", "E*blocked the event loop: test_it took longer*"]
    )


@needs_signal
@pytest.mark.usefixtures("_impatient")
def test_a_task_of_the_test_that_blocks_is_named(suite):
    result = suite(
        """
        import time
        async def work():
            time.sleep(60)
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            other = asyncio.create_task(work(), name="refresh")
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        "E*: test_it.py:5 in work, in the task 'refresh', blocked the event loop: test_it took *"
    )


@needs_signal
@pytest.mark.usefixtures("_impatient")
def test_the_tasks_that_what_blocks_keeps_from_going_on_are_told_from_those_that_wait(suite):
    result = suite(
        """
        import time
        async def step(): await asyncio.sleep(0)
        async def wait(): await asyncio.Event().wait()
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            for name, coroutine in {"steps": step(), "waits": wait()}.items():
                asyncio.create_task(coroutine, name=name)
            await asyncio.sleep(0)
            time.sleep(60)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*steps, ready to go on*", "*waits*"])
    result.stdout.no_fnmatch_line("*waits, ready*")


def test_the_debug_mode_shows_which_line_of_the_suite_has_had_a_task_made(suite):
    result = suite(
        """
        async def work(): await asyncio.Event().wait()
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            asyncio.get_running_loop().set_debug(True)
            await asyncio.gather(work(), work())
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*work()*, created at test_it.py:7*"])


@needs_signal
@pytest.mark.usefixtures("_impatient")
def test_a_test_that_blocks_again_while_it_is_cancelled_is_broken_off_again(suite):
    result = suite(
        """
        import time
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                time.sleep(60)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*TimeoutError: *test_it took longer*"])


@pytest.mark.usefixtures("_impatient")
def test_where_nothing_can_be_interrupted_the_line_is_reported_at_once(suite, monkeypatch):
    monkeypatch.setattr(interrupts, "_SIGNAL", None)
    result = suite(
        """
        import threading
        told = threading.Event()
        @pytest.fixture(autouse=True)
        def stderr(monkeypatch):
            class Stderr:
                text = ""
                def write(self, text):
                    self.text += text
                def flush(self):
                    told.set()
            import sys
            monkeypatch.setattr(sys, "__stderr__", Stderr())
            return sys.__stderr__
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(stderr):
            told.wait()
            told.clear()
            print(stderr.text)
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*TimeoutError: *test_it.py:* blocked the event loop: test_it took longer*",
            "test_it.py:* blocked the event loop: test_it took longer than*",
        ]
    )


@pytest.mark.usefixtures("_impatient")
def test_a_session_without_stderr_is_reported_in_the_report(suite, monkeypatch):
    monkeypatch.setattr(interrupts, "_SIGNAL", None)
    result = suite(
        """
        import sys, time
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(monkeypatch):
            monkeypatch.setattr(sys, "__stderr__", None)
            time.sleep(0.5)
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*blocked the event loop: test_it took longer*"])


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="it counts no references")
def test_a_run_that_was_bounded_is_not_left_to_the_garbage_collector(suite):
    suite(
        """
        import gc, weakref
        @pytest.fixture(scope="module", autouse=True)
        def no_garbage_collector():
            gc.disable()
            yield
            gc.enable()
        loops = []
        @pytest.mark.asyncio(timeout=60)
        async def test_it():
            loops.append(weakref.ref(asyncio.get_running_loop()))
        def test_next(): assert loops[0]() is None
        """
    ).assert_outcomes(passed=2)


@needs_signal
def test_the_handler_of_the_signal_is_put_back(suite):
    before = signal.getsignal(signal.SIGURG)
    suite(
        """
        @pytest.mark.asyncio(timeout=60)
        async def test_it(): pass
        """
    ).assert_outcomes(passed=1)
    assert signal.getsignal(signal.SIGURG) == before


@needs_signal
def test_a_signal_that_comes_too_late_does_no_harm(suite):
    suite(
        """
        import signal
        @pytest.mark.asyncio(timeout=60)
        async def test_it(): pass
        def test_next(): signal.raise_signal(signal.SIGURG)
        """
    ).assert_outcomes(passed=2)


@pytest.mark.usefixtures("_impatient")
def test_a_fixture_that_died_does_not_stop_the_clock(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def dying():
            async with asyncio.timeout(0.05):
                yield
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it(dying):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1, errors=1)


def test_a_debugger_suspends_it(suite):
    result = suite(
        """
        import time
        @pytest.fixture
        def debugger(pytestconfig):
            pytestconfig.hook.pytest_enter_pdb(config=pytestconfig, pdb=None)
            return pytestconfig
        @pytest.mark.asyncio(timeout=0.05)
        async def test_is_not_ended(debugger):
            await asyncio.sleep(0.2)
        @pytest.mark.asyncio(timeout=0.05)
        async def test_is_ended_after_it(pytestconfig):
            await asyncio.sleep(0.2)
            pytestconfig.hook.pytest_leave_pdb(config=pytestconfig, pdb=None)
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1, passed=1)


def test_a_debugger_that_is_entered_too_late_is_not_interrupted(suite, monkeypatch):
    monkeypatch.setattr(timeouts, "REACTION", 0.5)
    result = suite(
        """
        import time
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(pytestconfig):
            time.sleep(0.2)
            pytestconfig.hook.pytest_enter_pdb(config=pytestconfig, pdb=None)
            time.sleep(0.6)
            pytestconfig.hook.pytest_leave_pdb(config=pytestconfig, pdb=None)
            await asyncio.Event().wait()  # here
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*# here", "E*the 0.05 s of its timeout."])


def test_a_tracing_debugger_suspends_it(suite):
    suite(
        """
        import bdb, sys
        class Debugger(bdb.Bdb):
            def user_line(self, frame): pass
        @pytest.fixture
        def traced():
            before = sys.gettrace()
            debugger = Debugger()
            debugger.reset()
            sys.settrace(debugger.trace_dispatch)
            yield
            sys.settrace(before)
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(traced):
            await asyncio.sleep(0.2)
        """
    ).assert_outcomes(passed=1)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 has sys.monitoring first")
def test_a_monitoring_debugger_suspends_it(suite):
    suite(
        """
        import sys
        @pytest.fixture
        def debugger():
            sys.monitoring.use_tool_id(sys.monitoring.DEBUGGER_ID, "debugger")
            yield
            sys.monitoring.free_tool_id(sys.monitoring.DEBUGGER_ID)
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(debugger):
            await asyncio.sleep(0.2)
        """
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("how", ["mark", "option"])
def test_pytest_timeout_works_beside_it(suite, how):
    args = ("--timeout=0.3", "-otimeout_func_only=true") if how == "option" else ()
    mark = "@pytest.mark.timeout(0.3, func_only=True)" if how == "mark" else ""
    result = suite(
        f"""
        {mark}
        @pytest.mark.asyncio(timeout=60)
        async def test_theirs(): {HANG}
        @pytest.mark.timeout(60)
        @pytest.mark.asyncio(timeout=0.05)
        async def test_ours(): {HANG}
        """,
        "-p",
        "pytest_timeout",
        *args,
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["E*Timeout *>0.3s*", "E*the 0.05 s of*"])


@pytest.mark.parametrize("arguments", ["", "timeout=None", "timeout=0"])
def test_a_time_out_needs_no_thread_where_nothing_is_bounded(suite, arguments):
    suite(
        f"""
        import threading
        @pytest.mark.asyncio({arguments})
        async def test_it():
            assert "pytest-asyncio alarms" not in [it.name for it in threading.enumerate()]
        """
    ).assert_outcomes(passed=1)


def test_its_thread_ends_with_the_session(suite):
    before = threading.enumerate()
    suite(
        """
        @pytest.mark.asyncio(timeout=60)
        async def test_it(): pass
        """
    ).assert_outcomes(passed=1)
    assert threading.enumerate() == before


def test_it_is_real_time_under_a_virtual_clock(suite):
    result = suite(
        """
        @pytest.mark.asyncio(clock="virtual", timeout=0.2)
        async def test_an_hour(): await asyncio.sleep(3600)
        @pytest.mark.asyncio(clock="virtual", timeout=0.05)
        async def test_busy():
            while True:
                await asyncio.sleep(1)
        """
    )
    result.assert_outcomes(passed=1, failed=1)


def test_no_time_out_leaves_a_thread_to_a_suite_that_looks_for_those(suite):
    result = suite(
        """
        import threading
        @pytest.fixture(autouse=True)
        def leaks_no_thread():
            before = threading.enumerate()
            yield
            assert threading.enumerate() == before
        @pytest.mark.asyncio(timeout=60)
        async def test_it(): pass
        """,
    )
    result.assert_outcomes(passed=1)


@needs_signal
@pytest.mark.usefixtures("_impatient")
def test_code_that_goes_on_and_on_is_distinguished_from_a_line_that_blocks(suite):
    result = suite(
        """
        async def spin():
            number = 0
            while True:
                number += 1
                number -= 1
                await ready()
        async def ready(): pass
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            await spin()
        """
    )
    result.stdout.fnmatch_lines("E*TimeoutError: test_it.py:* ran on, with no await that waits: *")


@needs_signal
@pytest.mark.usefixtures("_impatient")
def test_a_short_loop_goes_on_and_on_too(suite):
    result = suite("""
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            while True: pass
        """)
    result.stdout.fnmatch_lines("E*TimeoutError: test_it.py:* ran on, with no await that waits: *")


@needs_signal
@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    "begin",
    ["asyncio.create_task(work())", "asyncio.get_running_loop().call_soon(block)"],
    ids=["task", "callback"],
)
def test_the_line_that_blocks_the_loop_is_shown_as_it_is_named(suite, begin):
    result = suite(
        f"""
        import threading

        def block():
            threading.Event().wait(60)

        async def work():
            block()

        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            kept = {begin}
            await asyncio.Event().wait()
        """
    )
    result.stdout.fnmatch_lines(
        [
            "> *threading.Event().wait(60)",
            "E *TimeoutError: test_it.py:6 in block* blocked the event loop: *",
            "test_it.py:6: TimeoutError",
        ]
    )


def test_the_time_that_a_clean_up_takes_is_explained(suite, monkeypatch):
    monkeypatch.setattr("pytest_asyncio.features.timeouts.REACTION", 0.05)
    result = suite(
        """
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.1)
        """
    )
    result.stdout.fnmatch_lines("E *It took * s more to end after it was cancelled.")


def test_a_timeout_is_reported_where_the_test_has_deleted_its_current_directory(suite):
    result = suite("""
        @pytest.mark.asyncio(timeout=0.1)
        async def test_it(tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)
            tmp_path.rmdir()
            await asyncio.Event().wait()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *at *test_it.py:* in test_it: test_it took longer than *")


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("refuses", ["await refuse()", "asyncio.create_task(refuse())"])
def test_a_task_that_refuses_to_end_is_not_logged_in_the_report_of_another_test(suite, refuses):
    result = suite(
        f"""
        import gc
        async def refuse():
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass

        @pytest.mark.asyncio(timeout=0.05)
        async def test_refuses():
            {refuses}
            await asyncio.sleep(0)

        def test_next(caplog):
            gc.collect()
            assert not caplog.records
        """,
        "-Wdefault",
    )
    assert result.parseoutcomes()["passed"] >= 1
    assert "Task was destroyed" not in result.stdout.str()


@pytest.mark.parametrize("wait", ["await asyncio.gather(task)", "await task"])
def test_the_line_that_is_shown_is_the_one_that_is_named(suite, wait):
    result = suite(
        f"""
        async def work():
            await asyncio.Event().wait()

        @pytest.mark.asyncio(timeout=0.05)
        async def test_it():
            task = asyncio.create_task(work())
            {wait}
        """
    )
    result.stdout.fnmatch_lines(
        [
            f"> *{wait}",
            "E *TimeoutError: at test_it.py:9 in test_it: *",
            "test_it.py:9: TimeoutError",
        ]
    )
