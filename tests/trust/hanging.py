"""What hangs, in which mode, on which loop, and what ends it: the cells of a table."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Final

PATIENCE: Final = 30
"""Seconds after which a session has said nothing."""

HANGS: Final = {
    "wait": "await hang()",
    "deadlock": "await deadlock()",
    "computation": "compute()",
    "lock": "block(lock.acquire)",
    "system call": "block(reading.recv, 1)",
    "thread": "await hang_in_thread()",
    "another task": "await asyncio.gather(run(block, lock.acquire))",
    "setup": "pass",
    "teardown": "pass",
    "another loop": "await ask(worker)",
}
"""What hangs, as code in the test."""

ENDS: Final = {
    "SIGINT": (),
    "SIGTERM": (),
    "SIGHUP": (),
    "SIGUSR1": ("--asyncio-dump-signal=SIGUSR1",),
    "faulthandler": ("-pfaulthandler", "-ofaulthandler_timeout=0.5"),
    "timeout by signal": ("-ppytest_timeout", "-otimeout=0.5", "-otimeout_method=signal"),
    "timeout by thread": ("-ppytest_timeout", "-otimeout=0.5", "-otimeout_method=thread"),
    "own timeout": ("--asyncio-timeout=0.5",),
}
"""What ends it, and its options."""

MODES: Final = {
    "serial": (),
    "concurrent": ("-oasyncio_concurrent=true",),
    "xdist": ("-pxdist", "-n1"),
}
LOOPS: Final = {
    "asyncio": (),
    "uvloop": ("--asyncio-loop-factory=uvloop.new_event_loop",),
}

SUITE: Final = """
    import asyncio, os, signal, socket, sys, threading, time
    import pytest, pytest_asyncio

    signal.signal(signal.SIGINT, signal.default_int_handler)
    number = getattr(signal, {end!r}, None)
    lock = threading.Lock()
    lock.acquire()
    reading, writing = socket.socketpair()

    def begin():
        def end():
            time.sleep(0.3)
            os.kill(os.getpid(), number)
        if number is not None:
            threading.Thread(target=end, daemon=True).start()

    async def hang():
        begin()
        await asyncio.Event().wait()  # here

    async def deadlock():
        async def take(first, second):
            async with first:
                await asyncio.sleep(0)
                async with second:  # here
                    pass
        one, two = asyncio.Lock(), asyncio.Lock()
        begin()
        await asyncio.gather(take(one, two), take(two, one))

    def compute():
        begin()
        while True: len("ever")  # here

    def block(call, *args):
        begin()
        call(*args)  # here

    async def run(function, *args):
        function(*args)

    async def hang_in_thread():
        await asyncio.to_thread(block, lock.acquire, True, 5)  # It is awaited in the end.

    async def ask(worker):
        begin()
        requests, answers = worker
        requests.put_nowait(1)
        await answers.get()  # here

    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def worker():
        requests, answers = asyncio.Queue(), asyncio.Queue()
        async def work():
            await answers.put(await requests.get())
        task = asyncio.create_task(work(), name="worker")
        await asyncio.sleep(0)
        yield requests, answers

    @pytest_asyncio.fixture
    async def server():
        if {hang!r} == "setup":
            await hang()
        yield
        if {hang!r} == "teardown":
            await hang()

    @pytest.mark.asyncio
    async def test_beside():
        await asyncio.sleep(0.01)

    @pytest.mark.asyncio
    async def test_hangs(server, worker):
        {code}
"""


@dataclasses.dataclass(frozen=True)
class Cell:
    end: str
    hang: str
    mode: str
    loop: str

    def __str__(self) -> str:
        return f"{self.hang}, {self.mode}, {self.loop}, {self.end}"

    def expected(self) -> list[str]:
        """Return the lines at one of which the session hangs."""
        lines = self.source().splitlines()
        wanted = {
            **dict.fromkeys(("wait", "setup", "teardown"), ("Event().wait",)),
            "deadlock": ("async with second",),
            "computation": ("while True",),
            **dict.fromkeys(("lock", "system call", "thread", "another task"), ("call(*args)",)),
            "another loop": ("answers.get()",),
        }[self.hang]
        return [
            f"test_hang.py:{number}"
            for number, line in enumerate(lines, start=1)
            if "# here" in line and any(it in line for it in wanted)
        ]

    def source(self) -> str:
        code = HANGS[self.hang]
        return textwrap.dedent(SUITE).format(end=self.end, hang=self.hang, code=code)


CELLS: Final = [Cell(*cell) for cell in itertools.product(ENDS, HANGS, MODES, LOOPS)]


def said(cell: Cell, folder: Path) -> str:
    """Run the suite of a cell until it says where it hangs; return all that it has said."""
    (folder / "test_hang.py").write_text(cell.source(), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    options = [*ENDS[cell.end], *MODES[cell.mode], *LOOPS[cell.loop]]
    command = [sys.executable, "-m", "pytest", "-ppytest_asyncio.plugin", *options]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "160"}
    output = folder / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdout=file, stderr=file, env=environment, start_new_session=True
        )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        is_over = process.poll() is not None
        text = output.read_text(encoding="utf-8", errors="replace")
        if is_over or any(line in text for line in cell.expected()):
            break
        time.sleep(0.02)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return output.read_text(encoding="utf-8", errors="replace")
