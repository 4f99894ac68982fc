"""What is reported of tests that run at the same time."""

from __future__ import annotations

import re
import sys
import warnings
from xml.etree import ElementTree

import pytest
from together import MODULE, TOGETHER, WAITING


def test_output_and_logs_are_those_of_their_test(concurrent):
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


def test_logs_below_the_level_are_left_out(concurrent):
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


def test_a_log_file_has_a_level_of_its_own(concurrent, pytester):
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


def test_what_is_logged_before_a_wait_is_reported_too(concurrent):
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


def test_output_that_is_shown_at_once_comes_in_order(concurrent):
    result = concurrent(
        """
    import sys
    async def test_a():
        print("a begins")
        await meet()
        await alone()
        print("a ends")
        sys.stdout.flush()
    async def test_b():
        print("b begins")
        await meet()
        print("b ends")
    """,
        "-s",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*a begins", "a ends", "*b begins", "b ends"])


def test_live_logs_come_in_order(concurrent):
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


def test_output_of_no_test_is_shown_with_the_current_one(concurrent_in_both_ways):
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


def test_output_after_a_wide_async_fixture_is_that_of_its_test(concurrent):
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


def test_streams_and_log_handlers_are_put_back(concurrent):
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


@pytest.mark.parametrize("capture", ["fd", "sys", "tee-sys"])
def test_the_streams_are_those_that_a_module_has_imported(concurrent, capture):
    result = concurrent(
        """
    import logging, sys
    from sys import stdout, stderr
    out, err = stdout.buffer, stderr.buffer
    log = logging.StreamHandler(stdout)
    async def say(name):
        await meet()
        assert (sys.stdout, sys.stderr) == (stdout, stderr)
        assert (sys.stdout.buffer, sys.stderr.buffer) == (out, err)
        print(f"{name} out", file=stdout)
        out.write(f"{name} bytes\\n".encode())
        log.handle(logging.makeLogRecord({"msg": f"{name} log"}))
        await asyncio.sleep(0)
        err.writelines([f"{name} err\\n".encode()])
    async def test_a(): await say("a")
    async def test_b(): await say("b")
    def test_sync():
        assert (sys.stdout, sys.stderr) == (stdout, stderr)
        assert (sys.stdout.buffer, sys.stderr.buffer) == (out, err)
    """,
        "-rP",
        f"--capture={capture}",
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            line
            for name in "ab"
            for line in (
                f"*___ test_{name} ___*",
                "*Captured stdout call*",
                f"{name} out",
                f"{name} bytes",
                f"{name} log",
                "*Captured stderr call*",
                f"{name} err",
            )
        ],
        consecutive=False,
    )
    assert result.stdout.str().count("a log") == 1 + (capture == "tee-sys")


def test_a_stream_that_a_plugin_has_put_in_place_before_the_tests_is_no_obstacle(concurrent):
    concurrent(
        """
    async def test_a(): await meet()
    async def test_b(): await meet()
    """,
        conftest="""
    import io, sys
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish():
        pytest.before, sys.stdout = sys.stdout, io.StringIO()
    def pytest_unconfigure():
        sys.stdout = pytest.before
    """,
    ).assert_outcomes(passed=2)


def test_the_streams_are_what_they_were_when_the_session_is_over(concurrent):
    concurrent(
        """
    async def test_a(): await meet()
    async def test_b(): await meet()
    """,
        conftest="""
    import sys
    streams = [sys.stdout, sys.stderr, sys.stdout.buffer, sys.stderr.buffer]
    def pytest_unconfigure():
        assert all(stream.write.__self__ is stream for stream in streams)
    """,
    ).assert_outcomes(passed=2)


def test_how_warnings_are_shown_is_put_back(concurrent):
    by = warnings._showwarnmsg_impl
    concurrent(
        """
    async def test_a(): await meet()
    async def test_b(): await meet()
    """,
        "-pno:warnings",
    ).assert_outcomes(passed=2)
    assert warnings._showwarnmsg_impl is by


def test_threads_with_the_context_of_a_test_write_for_it(concurrent):
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


def test_what_a_thread_of_the_current_test_writes_while_pytest_looks_at_another_is_its_own(
    concurrent,
):
    result = concurrent(
        """
    import logging
    def write():
        assert pytest.go.wait(20)
        print("of a")
        logging.warning("logged by a")
        pytest.gone.set()
    async def test_a(): await asyncio.to_thread(write)
    async def test_b(): pass
    """,
        "-rP",
        conftest="""
    import threading
    pytest.go, pytest.gone = threading.Event(), threading.Event()
    def pytest_runtest_call(item):
        if item.name == "test_b":
            pytest.go.set()
            assert pytest.gone.wait(20)
    """,
    )
    result.assert_outcomes(passed=2)
    lines = [
        "*_ test_a _*",
        "*Captured stdout call*",
        "of a",
        "*Captured log call*",
        "*logged by a",
    ]
    result.stdout.fnmatch_lines(lines)


def test_what_a_thread_begins_to_write_while_nothing_is_captured_is_its_tests(concurrent):
    result = concurrent(
        """
    import sys
    def write():
        assert pytest.go.wait(20)
        stream = sys.stdout  # as print() does first
        pytest.gone.set()
        assert pytest.is_over.wait(20)
        print("of a", file=stream)
    async def test_a(): await asyncio.to_thread(write)
    async def test_b(): pass
    """,
        "-rP",
        conftest="""
    import threading
    pytest.go, pytest.gone, pytest.is_over = (threading.Event() for _ in range(3))
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(item):
        if item.name == "test_b":  # Its output is not captured yet, nor that of the other any more.
            pytest.go.set()
            assert pytest.gone.wait(20)
        return (yield)
    def pytest_runtest_makereport(item, call):
        if item.name == "test_b" and call.when == "call":
            pytest.is_over.set()
    """,
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*___ test_a ___*", "*Captured stdout call*", "of a"])


@pytest.mark.parametrize("hook", ["teardown", "logfinish"])
def test_what_a_thread_writes_while_pytest_looks_at_another_test_is_its_tests(concurrent, hook):
    result = concurrent(
        """
    def write():
        assert pytest.go.wait(20)
        print("of b")
        pytest.gone.set()
    async def test_a(): await meet()
    async def test_b():
        await meet()
        await asyncio.to_thread(write)
    """,
        "-rP",
        conftest=f"""
    import threading
    pytest.go, pytest.gone = threading.Event(), threading.Event()
    def pytest_runtest_{hook}():
        pytest.go.set()
        assert pytest.gone.wait(20)
    """,
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*___ test_b ___*", "*Captured stdout call*", "of b"])


def test_output_of_a_synchronous_teardown_is_reported_with_its_test(concurrent_in_both_ways):
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
    result.stdout.fnmatch_lines(["*___ test_b ___*", "up", "*Captured stdout teardown*", "down"])


def test_what_a_test_has_left_behind_is_shown_with_the_current_one(concurrent):
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


def test_warnings_are_reported_with_the_test_that_caused_them(concurrent):
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


needs_references = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="it counts no references"
)

DROPS = {
    "the current test": ("test_a", "drop(); await meet()", "await meet()", ""),
    "the current test before it waits": ("test_a", "drop(); await meet()", "await meet()", "pass"),
    "one that was begun early": ("test_b", "await meet()", "drop(); await meet()", ""),
    "a setup": ("test_b", "await meet()", "pass", "drop(); await meet()"),
    "a teardown": ("test_b", "await meet()", "await meet()", "yield; drop()"),
    "a thread": ("test_a", "fail_in_a_thread(); await meet()", "await meet()", ""),
}


@needs_references
@pytest.mark.parametrize("where", DROPS)
def test_what_cannot_be_raised_is_reported_with_the_test_that_caused_it(concurrent, where):
    name, in_a, in_b, in_fixture = DROPS[where]
    result = concurrent(
        f"""
        import threading
        class Broken:
            def __del__(self): raise OSError("cannot be raised")
        def drop(): Broken()
        def fail_in_a_thread():
            thread = threading.Thread(target=int, args=("no number",))
            thread.start()
            thread.join()
        @pytest_asyncio.fixture
        async def own():
            {in_fixture or "pass"}
        async def test_a(): {in_a}
        async def test_b(own): {in_b}
        async def test_c(): pass
        """,
        "-rfE",
    )
    assert result.parseoutcomes()["passed"] >= 2
    lines = [it for it in result.outlines if it.startswith(("FAILED", "ERROR test"))]
    assert len(lines) == 1
    assert f"test_it.py::{name} - pytest.PytestUn" in lines[0]


@needs_references
def test_what_could_not_be_raised_before_a_setup_failed_is_reported_with_its_teardown(concurrent):
    result = concurrent(
        """
        class Broken:
            def __init__(self, name): self.name = name
            def __del__(self): raise OSError(self.name)
        @pytest_asyncio.fixture
        async def own():
            Broken("first")
            Broken("second")
            await meet()
            raise LookupError
        async def test_a():
            await meet()
            for _ in range(20): await asyncio.sleep(0)
        async def test_b(own): pass
        """
    )
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_b*", "*ERROR at teardown of test_b*"])
    result.stdout.fnmatch_lines(["*OSError: second", "*OSError: first"])  # as pytest has it


def test_a_hook_for_what_cannot_be_raised_that_a_test_sets_stays(concurrent):
    concurrent(
        """
        import sys
        async def test_a():
            await meet()
            sys.unraisablehook = print
        async def test_b(): await meet()
        def test_sync(): assert sys.unraisablehook is print
        """
    ).assert_outcomes(passed=3)


@needs_references
def test_what_could_not_be_raised_before_a_call_failed_is_not_that_of_the_test_between(concurrent):
    result = concurrent(
        """
        class Broken:
            def __del__(self): raise OSError("cannot be raised")
        async def test_a(): await meet()
        def test_b(): pass
        async def test_c():
            await meet()
            await asyncio.sleep(0.01)
            Broken()
            raise LookupError
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=2, failed=1, warnings=1)
    result.stdout.fnmatch_lines(["test_it.py::test_c", "*PytestUnraisableExceptionWarning*"])


@needs_references
def test_a_coroutine_that_is_not_awaited_is_reported_with_its_test(concurrent):
    result = concurrent(
        """
        async def work(): pass
        async def test_a():
            work()
            await meet()
        async def test_b(): await meet()
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E *coroutine 'work' was never awaited*", "FAILED *::test_a - *"])


def test_a_warning_is_reported_once_for_each_place(concurrent):
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


def test_a_stream_that_a_test_puts_in_place_gets_what_is_written(concurrent_in_both_ways):
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


def test_that_of_the_current_test_stays_where_others_are_reported(concurrent):
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


def test_what_a_test_writes_when_such_a_stream_is_gone_is_reported(concurrent_in_both_ways):
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


def test_what_the_others_write_then_is_reported_too(concurrent):
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


def test_a_session_within_a_test_takes_none_of_its_output(concurrent):
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


def test_such_a_stream_of_the_current_test_gets_nothing_of_the_others(concurrent):
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


def test_warnings_that_are_errors_fail_the_test_that_caused_them(concurrent):
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


def test_tests_with_filters_of_their_own_run_beside_those_with_the_same(concurrent):
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
def test_each_phase_has_a_duration_of_its_own(concurrent, capture):
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


def test_its_duration_has_what_is_done_synchronously(concurrent):
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


def test_each_ends_when_its_duration_is_over(concurrent):
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


def test_junit_xml_has_their_output_and_properties(concurrent, pytester):
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


def test_skips_and_expected_failures_are_reported_as_ever(concurrent):
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


def test_a_traceback_shows_nothing_of_the_plugin(concurrent):
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


@pytest.mark.skipif(pytest.version_tuple < (9, 2), reason="pytest needs a line of each group")
def test_a_group_of_errors_of_fixtures_that_ended_too_early_shows_nothing_of_the_plugin(
    concurrent_in_both_ways,
):
    result = concurrent_in_both_ways(
        """
    killed = asyncio.Event()
    async def die():
        await killed.wait()
        raise OSError
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def one():
        async with asyncio.TaskGroup() as group:
            group.create_task(die())
            yield
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def other():
        async with asyncio.TaskGroup() as group:
            group.create_task(die())
            yield
    @pytest.fixture
    def own():
        yield
        raise OSError
    async def test_a(one, other, own):
        killed.set()
        await asyncio.Event().wait()
    """,
        failed=1,
        errors=1,
    )
    result.stdout.fnmatch_lines("*errors at the end of fixtures that ended too early*")
    result.stdout.no_fnmatch_line("*/pytest_asyncio/*")


def test_they_come_in_the_order_of_collection(concurrent):
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


def test_hooks_of_plugins_see_a_serial_run(concurrent):
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


def test_plugins_may_look_into_each_failure(concurrent):
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
def test_what_a_plugin_raises_about_a_test_ends_the_session_in_its_turn(concurrent, when):
    result = concurrent(
        WAITING + "async def test_b(): pass\nasync def test_c(): pass",
        conftest=REFUSING.format(when=when),
    )
    assert result.ret is pytest.ExitCode.INTERNAL_ERROR
    result.assert_outcomes(passed=2 if when == "teardown" else 1)
    result.stdout.fnmatch_lines(["INTERNALERROR> LookupError: not known"])
    result.stdout.no_fnmatch_line("*AssertionError*")


def test_nothing_is_raised_about_one_that_does_not_get_its_turn(concurrent):
    result = concurrent(
        WAITING + "    assert 0\nasync def test_b(): pass",
        "-x",
        conftest=REFUSING.format(when="setup"),
    )
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)


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


BESIDE = "*- tests that ran at the same time -*"


def test_a_failure_names_the_tests_that_ran_at_the_same_time(concurrent):
    result = concurrent(
        """
    async def test_a(): await meet()
    async def test_b():
        await meet()
        assert False
    class TestC:
        async def test_c(self): await asyncio.sleep(0.01)
    """,
        files={"test_other.py": MODULE + "async def test_d(): await asyncio.sleep(0.01)"},
    )
    result.stdout.fnmatch_lines([BESIDE, "test_a, TestC::test_c and test_other.py::test_d"])


def test_a_failure_of_the_first_test_names_those_that_began_beside_it(concurrent):
    result = concurrent(
        """
    async def test_a():
        await meet()
        assert False
    async def test_b(): await meet()
    """
    )
    result.stdout.fnmatch_lines([BESIDE, "test_b"])


def test_of_many_tests_that_ran_at_the_same_time_the_first_are_named(concurrent):
    result = concurrent(
        """
    async def test_a():
        await asyncio.sleep(0.1)
        assert False
    @pytest.mark.parametrize("number", range(12))
    async def test_b(number): await asyncio.sleep(0.01)
    """
    )
    result.stdout.fnmatch_lines([BESIDE, "test_b[[]0], *, test_b[[]7] and 4 more"])


def test_a_failure_names_none_that_began_later(concurrent):
    result = concurrent(
        """
    async def test_a(): await asyncio.sleep(0.01)
    @pytest.fixture
    def broken():
        yield
        assert False
    async def test_b(broken): pass
    """,
        files={
            "test_other.py": """
                pytestmark = pytest.mark.asyncio(concurrent=True)
                @pytest.fixture
                def at_last(capfd): pass
                async def test_c(at_last): pass
            """
        },
    )
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines([BESIDE, "test_a"])


def test_a_test_that_runs_alone_names_none(concurrent):
    result = concurrent(
        """
    async def test_a(): await asyncio.sleep(0.01)
    @pytest.mark.asyncio(concurrent=False)
    async def test_b():
        await asyncio.sleep(0.01)
        assert False
    def test_c(): assert False
    async def test_d(): await asyncio.sleep(0.01)
    """
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.no_fnmatch_line(BESIDE)


@pytest.mark.parametrize("phase", ["setup", "teardown"])
def test_a_fixture_that_nobody_answers_is_not_told_to_need_itself(concurrent_in_both_ways, phase):
    steps = {"setup": "pass", "teardown": "pass", phase: "raise OSError"}
    result = concurrent_in_both_ways(
        f"""
    @pytest_asyncio.fixture
    async def own():
        await meet()
        {steps["setup"]}
        yield
        {steps["teardown"]}
    @pytest.fixture
    def needing(own): pass
    async def test_a(own, needing): pass
    async def test_b(own, needing): pass
    """,
        passed=2 if phase == "teardown" else 0,
        errors=2,
    )
    result.stdout.no_fnmatch_line("*If 'own' needs*")


@pytest.mark.parametrize(
    "fails",
    [
        "asyncio.get_running_loop().call_soon(fail)",
        "asyncio.create_task(fail_later())",
    ],
    ids=["callback", "task"],
)
def test_what_asyncio_logs_of_a_callback_or_task_is_in_the_report_of_its_test(concurrent, fails):
    result = concurrent(
        f"""
        import gc
        def fail(): raise LookupError
        async def fail_later(): fail()
        async def test_a():
            await meet()
            await meet()
            assert 0
        async def test_b():
            await meet()
            {fails}
            await asyncio.sleep(0.01)
            gc.collect()
            await meet()
            assert 0
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*_ test_b _*", "*Captured log call*", "*LookupError*"])


def test_the_tree_of_tasks_says_of_which_test_each_fixture_is(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture(parallel=True)
    async def waits():
        await asyncio.sleep(0.5)
        yield
    @pytest_asyncio.fixture(parallel=True)
    async def waits_too(): await asyncio.sleep(0.5)
    async def test_a(waits, waits_too): pass
    async def test_b(waits, waits_too): pass
    async def test_c(waits, waits_too): pass
    """,
        "--asyncio-timeout=0.1",
    )
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(
        [f"fixture 'waits{too}' of test_{test}" for too in ("", "_too") for test in "bc"]
    )
    result.stdout.no_fnmatch_line("*_live()*")
