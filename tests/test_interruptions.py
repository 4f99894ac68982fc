"""Runs that are broken off: at which place, by what, and on a loop of which scope."""

from __future__ import annotations

import functools
import signal

import pytest

SCOPES = ("function", "class", "module", "session")

# What breaks a run off, as code in the middle of it, and pytest's exit code.
INTERRUPTED, FAILED, GOES_ON, EXITED = 2, 1, 0, 7
CAUSES = {
    "Ctrl-C in the code": ("ctrl_c()", INTERRUPTED),
    "Ctrl-C in a callback": ("call_soon(ctrl_c)", INTERRUPTED),
    "Ctrl-C in another task": ("other = asyncio.create_task(run(ctrl_c))", INTERRUPTED),
    "Ctrl-C while the loop waits": ("when_the_loop_waits(ctrl_c)", INTERRUPTED),
    "KeyboardInterrupt in a callback": ("call_soon(throw, KeyboardInterrupt)", INTERRUPTED),
    "handler that raises while the loop waits": ("when_the_loop_waits(alarm)", FAILED),
    "handler that raises in the code": ("alarm()", FAILED),
    "pytest.exit in the code": ("leave()", EXITED),
    "pytest.exit in a callback": ("call_soon(leave)", EXITED),
    "pytest.fail in the code": ("pytest.fail('no')", FAILED),
    "pytest.fail in a callback": ("call_soon(pytest.fail, 'no')", FAILED),
    "pytest.skip in a callback": ("call_soon(pytest.skip, 'no')", GOES_ON),
    "SystemExit in the code": ("sys.exit(3)", FAILED),
    "SystemExit in a callback": ("call_soon(sys.exit, 3)", FAILED),
    "GeneratorExit in the code": ("raise GeneratorExit", FAILED),
    "CancelledError in the code": ("raise asyncio.CancelledError", FAILED),
    "cancelling itself": ("asyncio.current_task().cancel()", FAILED),
    "stop() in the code": ("asyncio.get_running_loop().stop()", FAILED),
    "stop() in a callback": ("call_soon(asyncio.get_running_loop().stop)", FAILED),
    "close() in the code": ("asyncio.get_running_loop().close()", FAILED),
}
PLACES = (
    "setup of a coroutine fixture",
    "setup of a generator fixture",
    "call",
    "teardown of a generator fixture",
)

SUITE = """
    import os, pathlib, signal, sys, threading, time

    pytestmark = pytest.mark.asyncio(loop_scope="{scope}")

    def log(event):
        with open("log", "a") as file:
            print(event, file=file)

    def call_soon(callback, *args):
        asyncio.get_running_loop().call_soon(callback, *args)

    async def run(function):
        function()

    def throw(error):
        raise error

    def ctrl_c():
        signal.raise_signal(signal.SIGINT)

    def alarm():
        signal.signal(signal.SIGTERM, lambda *_: throw(TimeoutError("handler")))
        os.kill(os.getpid(), signal.SIGTERM)

    def leave():
        pytest.exit("enough", returncode=7)

    def when_the_loop_waits(act):
        main = threading.get_ident()

        def watch():
            while sys._current_frames()[main].f_code.co_name != "select":
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGTERM if act is alarm else signal.SIGINT)

        signal.signal(signal.SIGTERM, lambda *_: throw(TimeoutError("handler")))
        threading.Thread(target=watch).start()

    async def interrupted():
        try:
            {cause}
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            log("ended")

    async def goes_well():
        pass

    @pytest_asyncio.fixture(scope="{scope}")
    async def first():
        yield
        log("first")

    @pytest_asyncio.fixture(scope="{scope}")
    async def returning(first):
        await {returning}()

    @pytest_asyncio.fixture(scope="{scope}")
    async def yielding(returning):
        await {setup}()
        yield
        await {teardown}()
        log("yielding")

    @pytest_asyncio.fixture
    async def last(yielding):
        yield
        log("last")

    class TestIt:
        async def test_it(self, last):
            await {call}()

        async def test_after(self):
            assert asyncio.all_tasks() == {{asyncio.current_task()}}
            log("after")
"""


def expected_log(place, scope, goes_on):
    """What happens after the run was broken off, in order."""
    events = {
        PLACES[0]: ["ended", "first"],
        PLACES[1]: ["ended", "first"],
        PLACES[2]: ["ended", "last", "yielding", "first"],
        PLACES[3]: ["last", "ended", "first"],
    }[place]
    narrow = [event for event in events if event == "last"]
    if not goes_on and not (place == PLACES[3] and scope != "function"):
        return events
    if scope == "function":
        return [*events, "after"]
    if place == PLACES[3]:
        return ["last", "after", "ended", "first"]
    return ["ended", *narrow, "after", *(e for e in events if e not in ("ended", "last"))]


@pytest.fixture(autouse=True)
def interruptible(pytester, monkeypatch):
    """Keep Ctrl-C, and what a suite does to signals, inside of it."""
    run = functools.partial(pytester.runpytest_inprocess, no_reraise_ctrlc=True)
    monkeypatch.setattr(pytester, "runpytest", run)
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("cause", CAUSES)
def test_what_is_broken_off_ends_before_anything_else_is_done(suite, pytester, cause, place, scope):
    code, exit_code = CAUSES[cause]
    at_place = ["interrupted" if place == other else "goes_well" for other in PLACES]
    returning, setup, call, teardown = at_place
    result = suite(
        SUITE.format(
            cause=code, scope=scope, returning=returning, setup=setup, call=call, teardown=teardown
        )
    )
    goes_on = exit_code in (FAILED, GOES_ON)
    log = (pytester.path / "log").read_text().split()
    assert result.ret == exit_code
    assert log == expected_log(place, scope, goes_on)


SWALLOWING = """
    import os, signal, sys, threading, time

    def ctrl_c_when_the_loop_waits():
        main = threading.get_ident()

        def watch():
            while sys._current_frames()[main].f_code.co_name != "select":
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=watch).start()

    async def swallow(*, again):
        ctrl_c_when_the_loop_waits()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                print("swallowed")
                if again:
                    ctrl_c_when_the_loop_waits()
"""


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("again", [True, False], ids=["twice", "once"])
def test_ctrl_c_ends_the_session_although_the_code_swallows_it(
    suite, monkeypatch, again, place, scope
):
    if not again:
        monkeypatch.setattr("pytest_asyncio.engine.event_loop.GRACE", 0.01)
        monkeypatch.setattr("pytest_asyncio.engine.event_loop.LAST_GRACE", 0.01)
    at_place = ["swallow" if place == other else "goes_well" for other in PLACES]
    returning, setup, call, teardown = at_place
    result = suite(
        SWALLOWING
        + f"""
    pytestmark = pytest.mark.asyncio(loop_scope="{scope}")

    async def goes_well(**_):
        pass

    @pytest_asyncio.fixture(scope="{scope}")
    async def first():
        yield
        print("never")

    @pytest_asyncio.fixture(scope="{scope}")
    async def returning(first):
        await {returning}(again={again})

    @pytest_asyncio.fixture(scope="{scope}")
    async def yielding(returning):
        await {setup}(again={again})
        yield
        await {teardown}(again={again})

    async def test_it(yielding):
        await {call}(again={again})

    async def test_never():
        print("never")
    """
        if place != PLACES[3] or scope == "function"
        else SWALLOWING
        + f"""
    pytestmark = pytest.mark.asyncio(loop_scope="{scope}")

    @pytest_asyncio.fixture(scope="{scope}")
    async def yielding():
        yield
        await swallow(again={again})

    async def test_it(yielding):
        pass
    """,
        "-s",
        "-Wdefault",
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*swallowed", "*KeyboardInterrupt*"])
    result.stdout.no_fnmatch_line("never")


def test_what_comes_after_a_stubborn_test_gets_a_new_loop(suite, monkeypatch):
    monkeypatch.setattr("pytest_asyncio.engine.event_loop.GRACE", 0.01)
    monkeypatch.setattr("pytest_asyncio.engine.event_loop.LAST_GRACE", 0.01)
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        @pytest_asyncio.fixture(scope="module")
        async def resource():
            yield

        async def test_stubborn(resource):
            asyncio.get_running_loop().call_soon(pytest.fail, "no")
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass

        async def test_next():
            assert asyncio.all_tasks() == {asyncio.current_task()}
        """,
        "-Wdefault",
        ini="asyncio_default_fixture_loop_scope = module",
    )
    result.assert_outcomes(passed=1, failed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*did not end when it was cancelled, so the event loop of test_it.py was given up.*",
            "*The async fixture 'resource' cannot be torn down*",
        ]
    )


def test_what_is_broken_off_may_raise_in_its_clean_up(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            try:
                asyncio.get_running_loop().call_soon(pytest.fail, "broken off")
                await asyncio.Event().wait()
            finally:
                raise ValueError("clean-up")
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Failed: broken off", "*ValueError: clean-up"])


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit"])
@pytest.mark.parametrize("act", ["await fail()", "await after_cancellation(create_task(fail()))"])
def test_what_ends_both_a_test_and_its_run_is_reported_once(suite, act, error):
    result = suite(
        f"""
        from asyncio import create_task

        async def fail():
            raise {error}

        async def after_cancellation(task):
            try:
                await asyncio.Event().wait()
            finally:
                await task

        @pytest.mark.asyncio
        async def test_it():
            {act}
        """,
        "--log-cli-level=ERROR",
    )
    result.stdout.fnmatch_lines(f"*{error}*")
    result.stdout.no_fnmatch_line("*unhandled exception*")


def test_what_is_broken_off_is_left_in_peace_while_it_cleans_up(suite):
    result = suite(
        """
        async def fail(failed):
            failed.set()
            raise ValueError("in the group")

        @pytest_asyncio.fixture
        async def group():
            async with asyncio.TaskGroup() as group:
                yield group

        @pytest.mark.asyncio
        async def test_it(group):
            try:
                asyncio.get_running_loop().call_soon(exit, 3)
                await asyncio.Event().wait()
            finally:
                failed = asyncio.Event()
                group.create_task(fail(failed))
                await failed.wait()
                await asyncio.sleep(0.01)
                print("cleaned up")
        """,
        "-s",
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*cleaned up", "*ValueError: in the group", "*SystemExit: 3"])


_ENDS_ALL = """
        async def end_all():
            try:
                await asyncio.Event().wait()
            finally:
                others = asyncio.all_tasks() - {asyncio.current_task()}
                for other in others:
                    other.cancel()
                await asyncio.gather(*others, return_exceptions=True)
                print("all has ended")
"""


@pytest.mark.parametrize(
    "how", ['call_soon(pytest.fail, "no")', "call_soon(signal.raise_signal, signal.SIGINT)"]
)
def test_what_is_broken_off_may_cancel_all_other_tasks(suite, how):
    result = suite(
        _ENDS_ALL
        + f"""
        import signal

        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().{how}
            await end_all()
        """,
        "-s",
    )
    result.stdout.fnmatch_lines(["*all has ended*"])
    result.stdout.no_fnmatch_line("*did not end*")


@pytest.mark.parametrize("checks", ["", "leaked-tasks"])
def test_what_a_test_leaves_behind_may_cancel_all_other_tasks(suite, checks):
    result = suite(
        _ENDS_ALL
        + """
        @pytest.mark.asyncio
        async def test_it():
            test_it.task = asyncio.create_task(end_all())
            await asyncio.sleep(0)
        """,
        "-s",
        "-Wdefault",
        f"--asyncio-checks={checks}",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*all has ended*"])
    result.stdout.no_fnmatch_line("*did not end*")


def test_ctrl_c_while_a_test_that_has_failed_goes_on_ends_the_session(suite):
    result = suite(
        SWALLOWING
        + """
    @pytest.mark.asyncio
    async def test_stubborn():
        asyncio.get_running_loop().call_soon(pytest.fail, "no")
        try:
            await asyncio.Event().wait()
        finally:
            await swallow(again=True)

    def test_never():
        print("never")
    """,
        "-s",
        "-Wdefault",
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.no_fnmatch_line("never")


def test_ctrl_c_that_reaches_the_waiting_task_too_lets_the_loop_be_closed(suite):
    result = suite(
        """
        import signal

        async def interrupted():
            signal.raise_signal(signal.SIGINT)

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def resource():
            pytest.loop = asyncio.get_running_loop()
            yield
            async with asyncio.TaskGroup() as group:
                group.create_task(interrupted())
                await asyncio.Event().wait()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(resource):
            pass
        """,
        conftest="""
        def pytest_unconfigure():
            print("closed:", pytest.loop.is_closed())
        """,
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["closed: True"])


def test_tasks_that_pass_ctrl_c_on_to_one_another_leave_their_test_time_to_end(suite):
    result = suite(
        """
        async def interrupted():
            raise KeyboardInterrupt

        async def waiting(task):
            await task

        @pytest.mark.asyncio
        async def test_it():
            try:
                await asyncio.create_task(waiting(asyncio.create_task(interrupted())))
            finally:
                await asyncio.sleep(0)
                print("the test has ended")
        """,
        "-s",
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*the test has ended"])
    result.stdout.no_fnmatch_line("*was given up*")


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        ("KeyboardInterrupt", INTERRUPTED),
        ("SystemExit", FAILED),
        ("GeneratorExit", FAILED),
        ("asyncio.CancelledError", FAILED),
    ],
)
def test_what_a_synchronous_teardown_raises_keeps_no_other_one_from_taking_place(
    suite, error, exit_code, scope
):
    result = suite(
        f"""
        @pytest_asyncio.fixture(scope="{scope}", loop_scope="{scope}")
        async def first():
            pytest.loop = asyncio.get_running_loop()
            yield
            await asyncio.sleep(0)
            print("first is torn down")

        @pytest.fixture(scope="{scope}")
        def second():
            yield
            print("second is torn down")

        @pytest.fixture(scope="{scope}")
        def third():
            yield
            raise {error}

        @pytest.mark.asyncio(loop_scope="{scope}")
        async def test_it(first, second, third):
            pass
        """,
        "-s",
        conftest="""
        def pytest_unconfigure():
            print("closed:", pytest.loop.is_closed())
        """,
        files={"test_other.py": "def test_other(): pass"},
    )
    assert result.ret == exit_code
    if exit_code == FAILED:
        result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*second is torn down", "first is torn down", "*closed: True"])


@pytest.mark.parametrize("scope", SCOPES)
def test_what_the_end_of_a_session_tears_down_is_so_too(suite, capsys, scope):
    with pytest.raises(GeneratorExit):
        suite(
            f"""
            @pytest_asyncio.fixture(scope="{scope}", loop_scope="{scope}")
            async def first():
                yield
                await asyncio.sleep(0)
                print("first is torn down")

            @pytest.fixture(scope="{scope}")
            def second():
                yield
                raise GeneratorExit

            @pytest.mark.asyncio(loop_scope="{scope}")
            async def test_it(first, second):
                raise KeyboardInterrupt
            """,
            "-s",
        )
    assert "first is torn down" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "exit_code", "shown"),
    [
        ("Exception", FAILED, "*ExceptionGroup: errors during test teardown*"),
        ("KeyboardInterrupt", INTERRUPTED, "*KeyboardInterrupt*"),
    ],
)
def test_a_synchronous_teardown_after_one_that_raises_may_raise_too(suite, error, exit_code, shown):
    result = suite(
        f"""
        @pytest.fixture
        def first():
            yield
            raise {error}

        @pytest.fixture
        def second():
            yield
            raise SystemExit

        @pytest.mark.asyncio
        async def test_it(first, second):
            pass
        """
    )
    assert result.ret == exit_code
    result.stdout.fnmatch_lines([shown])


def test_ctrl_c_while_a_loop_is_closed_ends_the_session(suite):
    result = suite(
        SWALLOWING
        + """
    async def leftover():
        try:
            await asyncio.Event().wait()
        finally:
            ctrl_c_when_the_loop_waits()
            await asyncio.Event().wait()

    @pytest.fixture(scope="module", autouse=True)
    def first():
        yield
        print("first is torn down")

    @pytest.mark.asyncio(loop_scope="module")
    async def test_it():
        task = asyncio.create_task(leftover())
        await asyncio.sleep(0)
    """,
        "-s",
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*first is torn down"])


@pytest.mark.parametrize(
    ("act", "shown"),
    [
        ("asyncio.get_running_loop().stop()", None),
        ("asyncio.get_running_loop().call_soon(pytest.fail, 'too late')", "*too late*"),
        ("raise SystemExit(3)", "*SystemExit: 3*"),
    ],
)
def test_a_loop_is_wound_up_whatever_a_leftover_task_does(suite, act, shown):
    result = suite(
        f"""
        async def leftover():
            try:
                await asyncio.Event().wait()
            finally:
                asyncio.get_running_loop().call_soon(print, "called")
                {act}

        async def generate():
            try:
                yield
            finally:
                print("generator closed")

        @pytest.mark.asyncio
        async def test_it():
            global generator
            generator = generate()
            await anext(generator)
            task = asyncio.create_task(leftover())
            await asyncio.sleep(0)
        """,
        "-s",
    )
    result.assert_outcomes(passed=1, errors=1 if shown else 0)
    result.stdout.fnmatch_lines(["*generator closed", *([shown] if shown else [])])


# The terminal is a fork, and the workers of xdist have threads.
in_a_terminal = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")


@pytest.mark.parametrize("place", ["test", "setup", "teardown"])
@pytest.mark.parametrize("loop_scope", ["function", "session"])
@in_a_terminal
def test_breakpoint_works_everywhere(pytester, place, loop_scope):
    pytest.importorskip("pexpect")
    stops = {name: "breakpoint()" if name == place else "pass" for name in PDB_PLACES}
    pytester.makepyfile(PDB_SUITE.format(loop_scope=loop_scope, **stops))
    child = pytester.spawn_pytest("-p no:cacheprovider test_breakpoint_works_everywhere.py")
    child.expect(r"\(Pdb\)")
    child.sendline("p 'here ' + 'I am'")
    child.expect("here I am")
    child.expect(r"\(Pdb\)")
    child.sendline("c")
    child.expect("1 passed")
    child.wait()


@pytest.mark.parametrize("place", ["test", "setup", "teardown"])
@in_a_terminal
def test_a_timeout_does_not_count_while_the_user_is_in_the_debugger(pytester, place):
    pytest.importorskip("pexpect")
    stops = {name: "breakpoint()" if name == place else "pass" for name in PDB_PLACES}
    pytester.makepyfile(test_it=PDB_SUITE.format(loop_scope="function", **stops))
    child = pytester.spawn_pytest("-p no:cacheprovider -o asyncio_timeout=0.3 test_it.py")
    child.expect(r"\(Pdb\)")
    child.sendline("import time; time.sleep(0.6)  # more than the timeout, which is the point")
    child.expect(r"\(Pdb\)")
    child.sendline("c")
    child.expect("1 passed")
    child.wait()


@pytest.mark.parametrize("place", ["test", "setup", "teardown"])
@pytest.mark.parametrize("loop_scope", ["function", "session"])
@in_a_terminal
def test_pdb_shows_the_failure(pytester, place, loop_scope):
    pytest.importorskip("pexpect")
    stops = {name: "assert marker == 2" if name == place else "pass" for name in PDB_PLACES}
    pytester.makepyfile(PDB_SUITE.format(loop_scope=loop_scope, **stops))
    child = pytester.spawn_pytest("--pdb -p no:cacheprovider test_pdb_shows_the_failure.py")
    child.expect(r"\(Pdb\)")
    child.sendline("p 'marker is', marker")
    child.expect("'marker is', 1")
    child.expect(r"\(Pdb\)")
    child.sendline("c")
    child.expect("1 failed" if place == "test" else "1 error")
    child.wait()


PDB_PLACES = ("test", "setup", "teardown")
PDB_SUITE = """
import asyncio, pytest, pytest_asyncio

@pytest_asyncio.fixture(loop_scope="{loop_scope}")
async def fixture():
    marker = 1
    await asyncio.sleep(0)
    {setup}
    yield
    {teardown}
    await asyncio.sleep(0)

@pytest.mark.asyncio(loop_scope="{loop_scope}")
async def test_it(fixture):
    marker = 1
    await asyncio.sleep(0)
    {test}
    await asyncio.sleep(0)
"""
