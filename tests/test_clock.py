"""Virtual time: `clock="virtual"`, the fixture `asyncio_clock`, and what the clock waits for."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Mapping
from importlib.util import find_spec

import pytest

import pytest_asyncio.features.clock.virtual  # noqa: F401  # else each suite imports a new one

VIRTUAL = """
import sys, threading, time
pytestmark = pytest.mark.asyncio(clock="virtual")
"""


@pytest.fixture
def virtual(suite: Callable[..., pytest.RunResult]) -> Callable[..., pytest.RunResult]:
    """Write a suite whose tests have a virtual clock, and run it."""

    def run(source: str, **kwargs: str | Mapping[str, str]) -> pytest.RunResult:
        __tracebackhide__ = True
        return suite(VIRTUAL + textwrap.dedent(source), **kwargs)

    return run


# What goes by the clock


def test_an_hour_passes_at_once(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            await asyncio.sleep(3600)
            assert asyncio_clock.time() == asyncio.get_running_loop().time() == 3600
        """
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "wait",
    [
        "asyncio.wait_for(asyncio.Event().wait(), 60)",
        "asyncio.wait_for(asyncio.Queue().get(), 60)",
        "asyncio.wait([asyncio.create_task(asyncio.sleep(3600))], timeout=60)",
        "called(lambda done: asyncio.get_running_loop().call_later(60, done.set))",
        "called(lambda done: asyncio.get_running_loop().call_at(60, done.set))",
    ],
)
def test_all_that_asyncio_times_goes_by_the_clock(virtual, wait):
    virtual(
        f"""
        from contextlib import suppress

        async def called(schedule):
            done = asyncio.Event()
            schedule(done)
            await done.wait()

        async def test_it(asyncio_clock):
            with suppress(TimeoutError):
                await {wait}
            assert asyncio_clock.time() == 60
        """
    ).assert_outcomes(passed=1)


def test_a_timeout_fires_before_a_later_timer(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(10):
                    await asyncio.sleep(20)
            assert asyncio_clock.time() == 10
        """
    ).assert_outcomes(passed=1)


def test_what_runs_takes_no_time(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            await asyncio.sleep(1)
            time.sleep(0.02)
            await asyncio.sleep(1)
            assert asyncio_clock.time() == 2
        """
    ).assert_outcomes(passed=1)


def test_the_clock_arrives_at_each_timer_exactly(virtual):
    virtual(
        """
        @pytest.mark.parametrize("start", [0.0, 1e-7, 0.2, 1e8 / 3, 1e15 / 3])
        async def test_it(start, asyncio_clock):
            await asyncio.sleep(start)
            later = asyncio_clock.time() + 0.21
            await asyncio.sleep(0.21)
            assert asyncio_clock.time() == later
        """
    ).assert_outcomes(passed=5)


def test_timers_fire_in_the_order_of_a_real_loop(suite):
    suite(
        """
        async def order(delays):
            seen, done = [], asyncio.Event()
            loop = asyncio.get_running_loop()
            start = loop.time()
            for number, delay in enumerate(delays):
                loop.call_at(start + delay, seen.append, number)
            loop.call_at(start + 0.01, done.set)
            await done.wait()
            return seen

        DELAYS = [0, 0.001, 0, 0.001, 0.002, 0, 0.001, 0.002, 0]

        @pytest.mark.asyncio(clock="virtual")
        async def test_it(expected):
            assert await order(DELAYS) == expected

        @pytest.fixture
        def expected():
            loop = asyncio.SelectorEventLoop()
            yield loop.run_until_complete(order(DELAYS))
            loop.close()
        """
    ).assert_outcomes(passed=1)


def test_a_year_of_ten_thousand_timers_is_short(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            loop, fired, year = asyncio.get_running_loop(), [], 365 * 86400
            for number in range(10_000):
                loop.call_later(number * year / 10_000, lambda: fired.append(asyncio_clock.time()))
            before = time.perf_counter()
            await asyncio.sleep(year)
            assert len(fired) == 10_000 and fired == sorted(fired)
            assert time.perf_counter() - before < 20  # a tenth of a second on a free machine
        """
    ).assert_outcomes(passed=1)


# Whose clock it is


def test_each_test_on_a_loop_of_its_own_starts_at_zero(virtual):
    virtual(
        """
        @pytest.mark.parametrize("number", [1, 2])
        async def test_it(number, asyncio_clock):
            assert asyncio_clock.time() == 0
            await asyncio.sleep(5)
        """
    ).assert_outcomes(passed=2)


def test_the_clock_of_a_shared_loop_stands_still_between_tests(suite):
    suite(
        """
        pytestmark = pytest.mark.asyncio(clock="virtual", loop_scope="module")

        async def test_one(asyncio_clock):
            assert asyncio_clock.time() == 0
            await asyncio.sleep(5)

        def test_between():
            pass

        async def test_two(asyncio_clock):
            assert asyncio_clock.time() == 5
        """
    ).assert_outcomes(passed=3)


def test_fixtures_on_the_loop_share_its_clock(virtual):
    virtual(
        """
        @pytest_asyncio.fixture
        async def an_hour(asyncio_clock):
            await asyncio.sleep(3600)
            yield
            assert asyncio_clock.time() == 3601

        async def test_it(an_hour, asyncio_clock):
            assert asyncio_clock.time() == 3600
            await asyncio.sleep(1)
        """
    ).assert_outcomes(passed=1)


def test_a_wide_fixture_is_set_up_anew_for_tests_with_the_other_clock(suite):
    suite(
        """
        @pytest_asyncio.fixture(scope="module")
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        @pytest.mark.parametrize("number", [
            1,
            pytest.param(2, marks=pytest.mark.asyncio(clock="virtual")),
            pytest.param(3, marks=pytest.mark.asyncio(clock="virtual")),
            4,
        ])
        async def test_it(loop, number):
            assert loop is asyncio.get_running_loop()
            assert (loop.time() == 0) == (number in (2, 3))
        """
    ).assert_outcomes(passed=4)


def test_the_loop_is_still_one_of_the_factorys_class(virtual):
    virtual(
        """
        from conftest import Loop

        async def test_it():
            assert isinstance(asyncio.get_running_loop(), Loop)
        """,
        conftest="""
        class Loop(asyncio.SelectorEventLoop): pass

        def pytest_asyncio_loop_factories(config, item):
            return {"mine": Loop}
        """,
    ).assert_outcomes(passed=1)


def test_synchronous_code_runs_coroutines_in_virtual_time(suite):
    suite(
        """
        def test_it(asyncio_runner, asyncio_clock):
            asyncio_runner.run(asyncio.sleep(3600))
            assert asyncio_clock.time() == 3600
        """,
        ini="asyncio_clock = virtual",
    ).assert_outcomes(passed=1)


# How it is asked for


def test_the_option_gives_every_test_a_virtual_clock(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(asyncio_clock):
            await asyncio.sleep(3600)
        """,
        ini="asyncio_clock = virtual",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("asyncio: *asyncio_clock=virtual*")


def test_a_mark_counts_before_the_option(suite):
    suite(
        """
        @pytest.mark.asyncio(clock="real")
        async def test_it():
            assert asyncio.get_running_loop().time() > 0
        """,
        ini="asyncio_clock = virtual",
    ).assert_outcomes(passed=1)


def test_an_unknown_clock_of_a_mark_is_a_failure(suite):
    result = suite("""
        @pytest.mark.asyncio(clock="fast")
        async def test_it():
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: mark.asyncio 'clock' must be one of 'real', 'virtual', not 'fast'."
    )


def test_an_unknown_clock_of_the_option_is_a_usage_error(suite):
    result = suite("def test_it(): pass", ini="asyncio_clock = fast")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        "*'fast' is not a valid asyncio_clock. Valid clocks: real, virtual*"
    )


def test_the_fixture_is_refused_where_the_clock_is_real(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it(asyncio_clock):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("test_it.py::test_it requests the fixture 'asyncio_clock', but*")


@pytest.mark.parametrize(
    "make",
    [
        "OwnTime",
        "lambda: 42",
        pytest.param(
            "__import__('uvloop').new_event_loop",
            marks=pytest.mark.skipif(find_spec("uvloop") is None, reason="no uvloop"),
        ),
    ],
)
def test_a_loop_that_cannot_is_refused(virtual, make):
    result = virtual(
        "async def test_it(): pass",
        conftest=f"""
        class OwnTime(asyncio.SelectorEventLoop):
            def time(self):
                return 0.0

        def pytest_asyncio_loop_factories(config, item):
            return {{"mine": {make}}}
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: clock='virtual' needs an event loop of asyncio's own*'mine' returned*"
    )


HAS_OWN_TIME = "asyncio_loop_factory = conftest.OwnTime"
OWN_TIME = """
    class OwnTime(asyncio.SelectorEventLoop):
        def time(self):
            return 0.0
"""


def test_each_test_on_such_a_loop_is_shown_what_to_write(virtual):
    result = virtual(
        """
        async def test_a(): pass
        async def test_b(): pass
        """,
        ini=HAS_OWN_TIME,
        conftest=OWN_TIME,
    )
    for name in "ab":
        result.stdout.fnmatch_lines(
            f"test_it.py::test_{name}: clock='virtual' needs * Write loop_factories=[[]'asyncio'] "
            "in the mark of the test."
        )


@pytest.mark.parametrize("hook", [None, '{"own": OwnTime, "asyncio": asyncio.new_event_loop}'])
def test_what_it_is_advised_to_write_works(suite, hook):
    result = suite(
        """
        @pytest.mark.asyncio(clock="virtual", loop_factories=["asyncio"])
        async def test_it():
            await asyncio.sleep(3600)

        @pytest.mark.asyncio
        async def test_other():
            pass
        """,
        ini=HAS_OWN_TIME,
        conftest=OWN_TIME
        + (f"\n    def pytest_asyncio_loop_factories(): return {hook}" if hook else ""),
    )
    assert result.parseoutcomes()["passed"] == (3 if hook else 2)


def test_a_hook_that_offers_none_of_asyncio_is_to_offer_it(virtual):
    result = virtual(
        "async def test_it(): pass",
        conftest=OWN_TIME + "\n    def pytest_asyncio_loop_factories(): return {'own': OwnTime}",
    )
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: clock='virtual' needs * Offer asyncio's by the hook "
        "pytest_asyncio_loop_factories, {'asyncio': asyncio.new_event_loop}, and write "
        "loop_factories=[[]'asyncio'] in the mark of the test."
    )


# What is outside of the loop


def test_a_thread_that_is_awaited_is_not_overtaken(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            async with asyncio.timeout(60):
                await asyncio.to_thread(time.sleep, 0.1)
            assert asyncio_clock.time() == 0
        """
    ).assert_outcomes(passed=1)


def test_a_timer_takes_its_real_time_while_a_thread_is_awaited(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            blocked, before = threading.Event(), time.perf_counter()
            call = asyncio.get_running_loop().run_in_executor(None, blocked.wait)
            await asyncio.sleep(0.1)
            assert time.perf_counter() - before >= 0.1
            assert asyncio_clock.time() == 0.1
            blocked.set()
            assert await call
        """
    ).assert_outcomes(passed=1)


def test_a_thread_that_has_been_awaited_holds_nothing_up(virtual):
    virtual(
        """
        async def test_it():
            await asyncio.to_thread(int)
            before = time.perf_counter()
            for _ in range(1000):
                await asyncio.sleep(1)
            assert time.perf_counter() - before < 20  # not a thousand times the grace
        """
    ).assert_outcomes(passed=1)


def test_a_thread_of_the_tests_own_is_not_overtaken(virtual):
    virtual(
        """
        async def test_it():
            loop, answered = asyncio.get_running_loop(), asyncio.Event()
            asked = threading.Event()

            def answer():
                asked.wait()
                loop.call_soon_threadsafe(answered.set)

            thread = threading.Thread(target=answer)
            thread.start()
            async with asyncio.timeout(60):
                asked.set()
                await answered.wait()
            thread.join()
        """
    ).assert_outcomes(passed=1)


def test_a_server_on_the_loop_is_not_overtaken(virtual):
    virtual(
        """
        async def echo(reader, writer):
            writer.write(await reader.readline())
            writer.close()

        async def test_it(asyncio_clock):
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            async with server, asyncio.timeout(1):
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"ping\\n")
                assert await reader.readline() == b"ping\\n"
                writer.close()
            assert asyncio_clock.time() == 0
        """
    ).assert_outcomes(passed=1)


def test_an_idle_server_holds_nothing_up(virtual):
    virtual(
        """
        async def test_it():
            async with await asyncio.start_server(print, "127.0.0.1", 0):
                await asyncio.sleep(3600)
        """
    ).assert_outcomes(passed=1)


@pytest.mark.skipif(sys.platform == "win32", reason="no signal handlers on loops")
def test_a_signal_is_not_overtaken(virtual):
    virtual(
        """
        import os, signal

        async def test_it():
            received = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, received.set)
            os.kill(os.getpid(), signal.SIGUSR1)
            async with asyncio.timeout(60):
                await received.wait()
        """
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("start", "wait"),
    [
        ("asyncio.create_subprocess_exec(sys.executable, '-c', CODE, stdout=PIPE)", "communicate"),
        ("asyncio.create_subprocess_exec(sys.executable, '-c', CODE)", "wait"),
        ("asyncio.create_subprocess_shell(f'{sys.executable} -c {CODE!r}')", "wait"),
    ],
)
def test_a_subprocess_that_is_awaited_is_not_overtaken(virtual, start, wait):
    virtual(
        f"""
        from subprocess import PIPE
        CODE = "import time; time.sleep(0.1)"

        async def test_it(asyncio_clock):
            process = await {start}
            async with asyncio.timeout(60):
                await process.{wait}()
            assert process.returncode == 0
            assert asyncio_clock.time() == 0
        """
    ).assert_outcomes(passed=1)


def test_a_subprocess_with_a_protocol_of_the_users_is_not_overtaken(virtual):
    virtual(
        """
        class Protocol(asyncio.SubprocessProtocol):
            def __init__(self):
                self.exited = asyncio.Event()
            def process_exited(self):
                self.exited.set()

        async def test_it():
            code = "import time; time.sleep(0.1)"
            transport, protocol = await asyncio.get_running_loop().subprocess_exec(
                Protocol, sys.executable, "-c", code
            )
            async with asyncio.timeout(60):
                await protocol.exited.wait()
            transport.close()
        """
    ).assert_outcomes(passed=1)


def test_a_subprocess_that_nobody_awaits_holds_nothing_up(virtual):
    virtual(
        """
        async def test_it():
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "input()", stdin=-1
            )
            await asyncio.sleep(3600)
            await process.communicate(b"go on")
            await asyncio.sleep(3600)
        """
    ).assert_outcomes(passed=1)


def test_a_time_out_of_the_plugin_counts_real_time(suite):
    result = suite("""
        @pytest.mark.asyncio(clock="virtual", timeout=0.1)
        async def test_it():
            while True:
                await asyncio.sleep(1)
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *TimeoutError*")


# Deadlocks


@pytest.mark.usefixtures("_no_debug_mode")
def test_a_deadlock_is_a_failure_that_shows_what_every_task_waits_for(virtual):
    result = virtual(
        """
        async def wait(event):
            await event.wait()

        async def test_it():
            task = asyncio.create_task(wait(asyncio.Event()), name="waiter")
            await task
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       await task",
            "E       Failed: Deadlock: every task *",
            "*asyncio tasks*",
            "test_it (*",
            "*waiter",
            "*in wait",
        ]
    )
    result.stdout.no_fnmatch_line("*clock.py*")


def test_a_deadlock_in_a_fixture_is_an_error(virtual):
    result = virtual(
        """
        @pytest_asyncio.fixture
        async def stuck():
            await asyncio.Event().wait()

        async def test_it(stuck):
            pass

        async def test_next():
            pass
        """
    )
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines("E *Deadlock*")


def test_a_sleep_for_ever_is_no_timer(virtual):
    result = virtual(
        """
        async def test_it():
            await asyncio.sleep(float("inf"))
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *Deadlock*")


def test_a_deadlock_that_the_test_catches_is_still_a_failure(virtual):
    result = virtual(
        """
        async def test_it():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("Deadlock*")


def test_a_deadlock_that_the_test_will_not_leave_is_broken_off(virtual):
    result = virtual(
        """
        async def test_it():
            for _ in range(2):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("Deadlock*")


def test_a_deadlock_while_the_loop_is_closed_is_an_error(virtual):
    result = virtual(
        """
        async def endless():
            try:
                yield
            finally:
                await asyncio.Event().wait()

        async def test_it(request):
            request.node.generator = endless()
            await anext(request.node.generator)
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("Deadlock*")


@pytest.mark.parametrize(
    "thread",
    [
        "threading.Thread(target=lambda: (time.sleep(0.1), wake()))",
        "threading.Thread(target=lambda: (asked.get(), wake()))",
        "threading.Timer(0.1, wake)",
    ],
)
def test_a_wait_for_a_thread_is_no_deadlock(virtual, thread):
    virtual(
        f"""
        import queue

        async def test_it():
            loop, woken, asked = asyncio.get_running_loop(), asyncio.Event(), queue.Queue()

            def wake():
                loop.call_soon_threadsafe(woken.set)

            thread = {thread}
            thread.start()
            await asyncio.sleep(60)
            asked.put("wake")
            await woken.wait()
            thread.join()
        """
    ).assert_outcomes(passed=1)


def test_a_thread_that_does_not_wait_for_another_is_not_overtaken(virtual, monkeypatch):
    monkeypatch.setattr("pytest_asyncio.features.clock.virtual.WAIT_FOR_SIGN", 0.0)
    virtual("""
        async def test_it():
            loop, done = asyncio.get_running_loop(), asyncio.Event()

            def work():
                time.sleep(0.1)
                loop.call_soon_threadsafe(done.set)

            thread = threading.Thread(target=work)
            thread.start()
            await done.wait()
            thread.join()
    """).assert_outcomes(passed=1)


def test_a_thread_that_was_woken_is_waited_for_however_late_it_runs(virtual, monkeypatch):
    monkeypatch.setattr("pytest_asyncio.features.clock.virtual.WAIT_FOR_SIGN", 0.0)
    virtual("""
        import queue

        async def test_it():
            loop, asked = asyncio.get_running_loop(), queue.Queue()

            def answer():
                while (future := asked.get()) is not None:
                    loop.call_soon_threadsafe(future.set_result, None)

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            for _ in range(200):
                future = loop.create_future()
                asked.put(future)
                await future
            asked.put(None)
            thread.join()
    """).assert_outcomes(passed=1)


def test_a_wait_for_a_thread_that_waits_itself_is_a_deadlock(virtual):
    result = virtual(
        """
        @pytest.fixture
        def waiting():
            event = threading.Event()
            thread = threading.Thread(target=event.wait)
            yield thread
            event.set()
            thread.join()

        async def test_it(waiting):
            waiting.start()
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *Deadlock*")


# The clock by hand


def test_advance_runs_all_that_falls_due_in_order(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            asyncio_clock.autojump = False
            seen = []

            async def work():
                for delay in (1, 2, 3):
                    await asyncio.sleep(delay)
                    await asyncio.to_thread(int)
                    seen.append(asyncio_clock.time())

            task = asyncio.create_task(work())
            await asyncio_clock.advance(3)
            assert (seen, asyncio_clock.time()) == ([1, 3], 3)
            await asyncio_clock.advance(100)
            assert (seen, asyncio_clock.time()) == ([1, 3, 6], 103)
            await task
        """
    ).assert_outcomes(passed=1)


def test_advance_by_nothing_runs_what_can_run_now(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            done = asyncio.Event()

            async def work():
                for _ in range(10):
                    await asyncio.sleep(0)
                done.set()
                await asyncio.sleep(1)

            task = asyncio.create_task(work())
            await asyncio_clock.advance(0)
            assert done.is_set() and not task.done()
            await task
        """
    ).assert_outcomes(passed=1)


def test_advance_does_not_go_back(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            with pytest.raises(ValueError, match="not -1"):
                await asyncio_clock.advance(-1)
        """
    ).assert_outcomes(passed=1)


def test_two_tasks_may_advance_the_clock(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            async def advance(seconds):
                await asyncio_clock.advance(seconds)
                return asyncio_clock.time()

            assert await asyncio.gather(advance(5), advance(3)) == [5, 3]
        """
    ).assert_outcomes(passed=1)


def test_an_advance_that_is_cancelled_moves_nothing(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio_clock.advance(5), 3)
            await asyncio.sleep(60)
            assert asyncio_clock.time() == 63
        """
    ).assert_outcomes(passed=1)


def test_without_autojump_waiting_for_a_timer_is_a_deadlock(virtual):
    result = virtual(
        """
        async def test_it(asyncio_clock):
            asyncio_clock.autojump = False
            await asyncio.sleep(5)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *Deadlock*asyncio_clock.autojump is False*")


def test_autojump_is_put_back_after_the_test(suite):
    suite("""
        pytestmark = pytest.mark.asyncio(clock="virtual", loop_scope="module")

        async def test_one(asyncio_clock):
            asyncio_clock.autojump = False

        async def test_two():
            await asyncio.sleep(5)
    """).assert_outcomes(passed=2)


def test_what_ends_a_test_may_jump_although_the_test_may_not(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            asyncio_clock.autojump = False
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass

        async def test_next():
            pass
        """
    ).assert_outcomes(failed=1, passed=1)


# The time and datetime modules


@pytest.mark.parametrize(
    "read",
    [
        "time.time()",
        "time.time_ns() / 1e9",
        "time.monotonic()",
        "time.monotonic_ns() / 1e9",
        "renamed()",
        "datetime.datetime.now().timestamp()",
        "datetime.datetime.now(datetime.timezone.utc).timestamp()",
        "datetime.datetime.today().timestamp()",
        "datetime.datetime.utcnow().replace(tzinfo=datetime.timezone.utc).timestamp()",
        "DateTime.now().timestamp()",
    ],
)
def test_patched_time_goes_on_as_the_clock_does(virtual, read):
    virtual(
        f"""
        import datetime
        from datetime import datetime as DateTime
        from time import time as renamed

        @pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")
        async def test_it(asyncio_clock):
            with asyncio_clock.patch_time():
                before = {read}
                await asyncio.sleep(86400)
                assert {read} - before == pytest.approx(86400, abs=1e-3)
                before = {read}
            assert {read} < before
        """
    ).assert_outcomes(passed=1)


def test_the_patched_date_goes_on_as_the_clock_does(virtual):
    virtual(
        """
        from datetime import date, timedelta

        async def test_it(asyncio_clock):
            with asyncio_clock.patch_time():
                today = date.today()
                await asyncio.sleep(86400)
                assert date.today() - today == timedelta(days=1)
        """
    ).assert_outcomes(passed=1)


def test_patched_time_is_real_off_the_loop(virtual):
    virtual(
        """
        @pytest_asyncio.fixture
        async def patched(asyncio_clock):
            with asyncio_clock.patch_time():
                await asyncio.sleep(86400)
                yield

        @pytest.fixture
        def seen_by_pytest(patched):
            return time.time()

        async def test_it(seen_by_pytest):
            assert time.time() - seen_by_pytest > 86000
            assert time.time() - await asyncio.to_thread(time.time) > 86000
        """
    ).assert_outcomes(passed=1)


def test_objects_of_the_patched_classes_are_plain(virtual):
    virtual(
        """
        import datetime

        REAL = datetime.datetime(2020, 1, 1), datetime.date(2020, 1, 1)

        async def test_it(asyncio_clock):
            with asyncio_clock.patch_time():
                now, made = datetime.datetime.now(), datetime.datetime.fromisoformat("2020-01-01")
                assert isinstance(now, datetime.datetime) and isinstance(now, datetime.date)
                assert issubclass(datetime.datetime, datetime.date)
                assert (made, datetime.date(2020, 1, 1)) == REAL

                class Derived(datetime.datetime):
                    pass

            assert type(now) is type(made) is datetime.datetime
            assert Derived.__bases__ == (datetime.datetime,)
            assert type(Derived.now()) is Derived
        """
    ).assert_outcomes(passed=1)


def test_modules_that_were_imported_while_time_was_patched_are_put_right(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            with asyncio_clock.patch_time():
                import clockwork
                assert clockwork.time is time.time
            assert clockwork.time is time.time
        """,
        files={"clockwork.py": "from time import time"},
    ).assert_outcomes(passed=1)


def test_patched_time_goes_on_from_where_another_library_has_put_it(virtual):
    virtual(
        """
        import datetime

        class Meta(type):
            pass

        class Frozen(datetime.datetime, metaclass=Meta):
            pass

        async def test_it(asyncio_clock, monkeypatch):
            monkeypatch.setattr(time, "time", lambda: 1e9)
            monkeypatch.setattr(datetime, "datetime", Frozen)
            with asyncio_clock.patch_time():
                await asyncio.sleep(5)
                assert time.time() == datetime.datetime.now().timestamp() == 1e9 + 5
            assert time.time() == 1e9
            assert datetime.datetime is Frozen
        """
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize(("used", "setups"), [("fake", 1), ("fake of 1", 3)])
def test_a_test_that_overrides_a_wide_fixture_leaves_it_alone_unless_it_uses_it(
    suite, used, setups
):
    arguments = "" if used == "fake" else "server"
    value = "'fake'" if used == "fake" else "f'fake of {server - 1}'"
    uses_it = """
        @pytest.mark.asyncio(loop_scope="session")
        async def test_it(server): print("server:", server)
    """
    result = suite(
        "",
        "-s",
        conftest="""
            setups = []

            @pytest_asyncio.fixture(scope="session", loop_scope="session")
            async def server():
                setups.append(1)
                yield len(setups)
        """,
        files={
            "test_1.py": uses_it,
            "test_2.py": f"""
                @pytest.fixture
                def server({arguments}): return {value}

                @pytest.mark.asyncio(clock="virtual")
                async def test_it(server): assert server == "{used}"
            """,
            "test_3.py": uses_it,
        },
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*server: 1", f"*server: {setups}"])
