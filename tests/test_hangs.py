"""Whatever a user does to a test that hangs, it tells where."""

from __future__ import annotations

import functools
import signal

import pytest

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
    from conftest import blocks, end_when, waits
    import threading
"""


@pytest.fixture
def interrupted(suite, pytester, monkeypatch):
    """Run a suite that interrupts itself; what it imports is its own."""
    run = functools.partial(pytester.runpytest_inprocess, no_reraise_ctrlc=True)
    monkeypatch.setattr(pytester, "runpytest", run)
    kept = signal.getsignal(signal.SIGINT)
    yield lambda source, *args, **kw: suite(HEADER + source, *args, conftest=CONFTEST, **kw)
    signal.signal(signal.SIGINT, kept)


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
            "test_it.py::test_it: its call has taken *, and is at test_it.py:* in test_it",
            "test_it (Task-*)",
            "worker, running",
            "    test_it.py:* in work",
            "    test_it.py:* in block",
            "    is in Event.wait",
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
