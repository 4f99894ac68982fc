"""`await pytest_asyncio.idle()` returns when all other tasks wait."""

from __future__ import annotations

import sys

import pytest

uvloop = pytest.param(
    "uvloop.new_event_loop",
    marks=pytest.mark.skipif(
        sys.platform == "win32" or sys.implementation.name != "cpython", reason="uvloop is not"
    ),
    id="uvloop",
)


@pytest.fixture(params=[pytest.param("asyncio.new_event_loop", id="asyncio"), uvloop])
def on_any_loop(request, suite):
    return lambda source, *args: suite(source, f"--asyncio-loop-factory={request.param}", *args)


def test_all_that_can_run_has_run(on_any_loop):
    on_any_loop(
        """
        @pytest.mark.asyncio
        async def test_it():
            steps, gate = [], asyncio.Event()
            async def other():
                for step in range(5):
                    steps.append(step)
                    await asyncio.sleep(0)
                await gate.wait()
                steps.append("end")
            task = asyncio.create_task(other())
            await pytest_asyncio.idle()
            assert steps == [0, 1, 2, 3, 4]
            gate.set()
            await pytest_asyncio.idle()
            assert steps[-1] == "end"
        """
    ).assert_outcomes(passed=1)


def test_tasks_that_wake_one_another_have_all_run(on_any_loop):
    on_any_loop(
        """
        @pytest.mark.asyncio
        async def test_it():
            queues = [asyncio.Queue() for _ in range(20)]
            async def pass_on(source, target):
                while True:
                    await target.put(await source.get())
            tasks = [asyncio.create_task(pass_on(*two)) for two in zip(queues, queues[1:])]
            await queues[0].put("parcel")
            await pytest_asyncio.idle()
            assert queues[-1].get_nowait() == "parcel"
        """
    ).assert_outcomes(passed=1)


def test_callbacks_that_call_others_have_all_run(suite):
    suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            calls = []
            def call(left):
                calls.append(left)
                if left:
                    asyncio.get_running_loop().call_soon(call, left - 1)
            call(50)
            await pytest_asyncio.idle()
            assert calls[-1] == 0
        """
    ).assert_outcomes(passed=1)


def test_what_arrives_from_the_same_process_has_been_answered(on_any_loop):
    on_any_loop(
        """
        @pytest.mark.asyncio
        async def test_it():
            heard = []
            async def answer(reader, writer):
                heard.append(await reader.readline())
                writer.close()
            async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
                _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                await pytest_asyncio.idle()
                writer.write(b"hello\\n")
                await pytest_asyncio.idle()
                assert heard == [b"hello\\n"]
                writer.close()
                await writer.wait_closed()
        """
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "waiting", ["asyncio.sleep(60)", "asyncio.to_thread(gate.wait)", "asyncio.Event().wait()"]
)
def test_timers_and_threads_are_not_waited_for(on_any_loop, waiting):
    on_any_loop(
        f"""
        import threading
        @pytest.mark.asyncio
        async def test_it():
            gate = threading.Event()
            async def wait():
                await {waiting}
            task = asyncio.create_task(wait())
            await pytest_asyncio.idle()
            assert not task.done()
            gate.set()
        """
    ).assert_outcomes(passed=1)


def test_no_time_passes_on_a_virtual_clock(suite):
    suite(
        """
        @pytest.mark.asyncio(clock="virtual")
        async def test_it(asyncio_clock):
            task = asyncio.create_task(asyncio.sleep(60))
            await pytest_asyncio.idle()
            assert asyncio_clock.time() == 0
            assert not task.done()
        """
    ).assert_outcomes(passed=1)


def test_several_may_wait_for_it_at_the_same_time(on_any_loop):
    on_any_loop(
        """
        @pytest.mark.asyncio
        async def test_it():
            await asyncio.gather(*(pytest_asyncio.idle() for _ in range(3)))
        """
    ).assert_outcomes(passed=1)


def test_a_task_that_never_waits_is_named(on_any_loop, monkeypatch):
    monkeypatch.setattr("pytest_asyncio.features.idle.TIMEOUT", 0.05)
    result = on_any_loop(
        """
        async def spin():
            while True:
                await asyncio.sleep(0)
        @pytest.mark.asyncio
        async def test_it():
            task = asyncio.create_task(spin(), name="spinner")
            await pytest_asyncio.idle()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*await pytest_asyncio.idle()",
            "E*TimeoutError: * 0.05 s: these tasks never wait: spinner at test_it.py:* in spin.",
        ]
    )


def test_callbacks_that_never_end_are_said_to_be_ready(suite, monkeypatch):
    monkeypatch.setattr("pytest_asyncio.features.idle.TIMEOUT", 0.05)
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            def again():
                loop.call_soon(again)
            loop = asyncio.get_running_loop()
            again()
            await pytest_asyncio.idle()
        """
    )
    result.stdout.fnmatch_lines("E*TimeoutError: *: callbacks are ready.")


def test_a_task_that_only_yields_does_not_hold_a_virtual_clock(suite):
    suite(
        """
        @pytest.mark.asyncio(clock="virtual")
        async def test_it(asyncio_clock):
            task = asyncio.create_task(asyncio.sleep(3600))
            while not task.done():
                await asyncio.sleep(0)
            assert asyncio_clock.time() == 3600
        """
    ).assert_outcomes(passed=1)
