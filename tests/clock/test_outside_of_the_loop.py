"""Virtual time and what is outside of the loop: threads, sockets, signals, subprocesses."""

from __future__ import annotations

import sys

import pytest

import pytest_asyncio.features.clock.virtual  # noqa: F401  # else each suite imports a new one


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


@pytest.mark.parametrize("seconds", [None, 60])
def test_a_thread_that_ends_with_a_call_while_threads_are_looked_at_is_heard(virtual, seconds):
    virtual(f"""
        async def test_it(monkeypatch):
            loop, done = asyncio.get_running_loop(), asyncio.Event()
            asked, threads = threading.Event(), threading.enumerate

            def work():
                asked.wait()
                loop.call_soon_threadsafe(done.set)

            def enumerate():
                asked.set()
                thread.join()
                return threads()

            thread = threading.Thread(target=work)
            thread.start()
            monkeypatch.setattr(threading, "enumerate", enumerate)
            async with asyncio.timeout({seconds}):
                await done.wait()
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
