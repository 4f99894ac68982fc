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
def test_what_is_broken_off_ends_before_anything_else_is_done(
    suite, pytester, cause, place, scope
):
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
