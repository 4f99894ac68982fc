"""Suites of ten tests are migrated by the steps of the how-to pages, and pass."""

from __future__ import annotations

import re
import sys

import pytest

Steps = dict[str, str]
"""What is replaced by what; the keys are regular expressions."""


def migrated(source: str, steps: Steps) -> str:
    for before, after in steps.items():
        source, count = re.subn(before, after, source, flags=re.MULTILINE)
        assert count, f"There is nothing left of {before!r}"
    return source


FROM_0_21 = {
    "conftest.py": """
@pytest.fixture(scope="session")
def event_loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()

@pytest_asyncio.fixture(scope="session")
async def address():
    async def shout(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()
    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()
    server.close()

@pytest_asyncio.fixture
async def streams(address):
    reader, writer = await asyncio.open_connection(*address)
    yield reader, writer
    writer.close()

@pytest.fixture
def future(event_loop):
    return event_loop.create_future()
""",
    "test_it.py": """
pytestmark = pytest.mark.asyncio

@pytest.mark.parametrize("word", [b"a", b"b", b"c", b"d"])
async def test_shouts(streams, word):
    reader, writer = streams
    writer.write(word + b"\\n")
    assert await reader.readline() == word.upper() + b"\\n"

async def test_future(future):
    future.set_result(1)
    assert await future == 1

async def test_waits_for_a_future(event_loop, future):
    event_loop.call_soon(future.set_result, 1)
    assert await future == 1

async def test_loop(event_loop):
    assert event_loop is asyncio.get_running_loop()

async def test_times(event_loop):
    before = event_loop.time()
    await asyncio.sleep(0)
    assert event_loop.time() >= before

class TestSync:
    pytestmark = []

    def test_runs(self, event_loop):
        event_loop.run_until_complete(asyncio.sleep(0))

    def test_runs_beside_the_server(self, event_loop, streams):
        reader, writer = streams
        writer.write(b"e\\n")
        assert event_loop.run_until_complete(reader.readline()) == b"E\\n"
""",
}


def test_from_0_21_with_an_event_loop_of_the_session(suite):
    begun = suite(
        "",
        "--asyncio-timeout=1",
        "-Wdefault",
        conftest=migrated(FROM_0_21["conftest.py"], {r"(?s)@pytest.fixture.*?close\(\)\n": ""}),
        files={"test_it.py": FROM_0_21["test_it.py"]},
    )
    left = begun.stdout.str()
    assert left.count("The fixture 'event_loop' is gone since pytest-asyncio 1.0.") >= 6
    assert "loop_scope" in left  # what to write for the streams

    result = suite(
        migrated(
            FROM_0_21["test_it.py"],
            {
                r"async def (\w+)\(event_loop(?:, )?(.*)\):": r"async def \1(\2):\n"
                "    event_loop = asyncio.get_running_loop()",
                r"\bevent_loop\.run_until_complete": "asyncio_runner.run",
                r"\(self, event_loop": "(self, asyncio_runner",
            },
        ),
        conftest=migrated(
            FROM_0_21["conftest.py"],
            {
                r"(?s)\A.*?@pytest_asyncio": "@pytest_asyncio",
                r"@pytest.fixture\ndef future\(event_loop\)": "@pytest_asyncio.fixture\n"
                "async def future()",
                r"event_loop\.create_future": "asyncio.get_running_loop().create_future",
            },
        ),
        ini="asyncio_loop_scope = session",
    )
    result.assert_outcomes(passed=10)


FROM_ANYIO = """
import anyio

pytestmark = pytest.mark.anyio

@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="module")
async def port(anyio_backend, free_tcp_port_factory):
    port = free_tcp_port_factory()

    async def shout(stream):
        async with stream:
            async for word in stream:
                await stream.send(word.upper())

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, shout)
        yield port
        group.cancel_scope.cancel()

@pytest.fixture
async def stream(port):
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        yield stream

@pytest.mark.parametrize("word", [b"a", b"b", b"c", b"d"])
async def test_shouts(stream, word):
    await stream.send(word)
    assert await stream.receive() == word.upper()

async def test_connects(port):
    async with await anyio.connect_tcp("127.0.0.1", port):
        pass

async def test_fails_after():
    with pytest.raises(TimeoutError):
        with anyio.fail_after(0.01):
            await anyio.sleep_forever()

async def test_name(anyio_backend_name):
    assert anyio_backend_name == "asyncio"

async def test_events():
    event = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(event.wait)
        event.set()

async def test_threads():
    assert await anyio.to_thread.run_sync(lambda: 1) == 1

def test_sync(free_tcp_port):
    assert free_tcp_port
"""
WITH_ANYIO = ("-p", "anyio.pytest_plugin")


def test_from_anyio(suite):
    if not hasattr(pytest.importorskip("anyio.pytest_plugin"), "free_tcp_port"):
        pytest.skip("anyio has no fixtures for ports yet")
    suite(FROM_ANYIO, *WITH_ANYIO).assert_outcomes(passed=10)

    rows = {
        r"pytest\.mark\.anyio": "pytest.mark.asyncio",
        r'@pytest\.fixture\(scope="module"\)\ndef anyio_backend[^@]*': "",
        r"anyio_backend, ": "",
        r"@pytest\.fixture(.*)\nasync def": r"@pytest_asyncio.fixture\1\nasync def",
        r"\(anyio_backend_name\)": "()",
        r"anyio_backend_name": "'asyncio'",
        r"free_tcp_port": "unused_tcp_port",
    }
    result = suite(migrated(FROM_ANYIO, rows), "--asyncio-timeout=1", "-Wdefault")
    outcomes = result.parseoutcomes()
    assert "passed" in outcomes  # It has not hung.
    result.stdout.fnmatch_lines("*'port'*loop*Write *loop_scope=*")

    result = suite(migrated(FROM_ANYIO, rows), ini="asyncio_loop_scope = auto")
    result.assert_outcomes(passed=10)


FROM_UNITTEST = """
import contextlib
from unittest import IsolatedAsyncioTestCase

@contextlib.contextmanager
def listing(entries, name):
    entries.append(name)
    yield name
    entries.remove(name)

@contextlib.asynccontextmanager
async def connected(entries):
    entries.append("connection")
    yield "connection"
    entries.remove("connection")

class TestStore(IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.entries = []
        cls.enterClassContext(listing(cls.entries, "class"))

    async def asyncSetUp(self):
        self.connection = await self.enterAsyncContext(connected(self.entries))
        self.queue = asyncio.Queue()
        self.addAsyncCleanup(self.queue.join)

    async def test_is_connected(self):
        self.assertEqual(self.entries, ["class", "connection"])

    async def test_is_connected_anew(self):
        self.assertEqual(self.entries, ["class", "connection"])

    async def test_queue_is_empty(self):
        self.assertTrue(self.queue.empty())

    async def test_queue_has_an_entry(self):
        self.queue.put_nowait(1)
        self.assertEqual(await self.queue.get(), 1)
        self.queue.task_done()

    async def test_numbers(self):
        for number in range(3):
            with self.subTest(number=number):
                await asyncio.sleep(0)
                self.assertLess(number, 3)

    async def test_raises(self):
        with self.assertRaises(ZeroDivisionError):
            await asyncio.sleep(1 / 0)

    async def test_times_out(self):
        with self.assertRaises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)

    async def test_connection(self):
        self.assertIn(self.connection, self.entries)

    async def test_is_a_task(self):
        self.assertIsNotNone(asyncio.current_task())

    def test_sync(self):
        self.assertIsNotNone(self.entries)
"""
HEAD_OF_CLASS = """class TestStore:
    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def entries_of_class(cls):
        cls.entries = []
        with listing(cls.entries, "class"):
            yield

    @pytest_asyncio.fixture(autouse=True)
    async def connect(self):
        async with connected(self.entries) as self.connection:
            self.queue = asyncio.Queue()
            yield
            await self.queue.join()

"""


@pytest.mark.skipif(sys.flags.optimize, reason="asserts are not executed")
def test_from_unittest(suite):
    suite(FROM_UNITTEST).assert_outcomes(passed=10)

    result = suite(
        migrated(
            FROM_UNITTEST,
            {
                r"from unittest import IsolatedAsyncioTestCase\n": "",
                r"(?s)class TestStore.*?(?=    async def test_is_connected\()": HEAD_OF_CLASS,
                r"self\.assertEqual\((.*), (.*)\)$": r"assert \1 == \2",
                r"self\.assertTrue\((.*)\)$": r"assert \1",
                r"self\.assertLess\((.*), (.*)\)$": r"assert \1 < \2",
                r"self\.assertIn\((.*), (.*)\)$": r"assert \1 in \2",
                r"self\.assertIsNotNone\((.*)\)$": r"assert \1 is not None",
                r"self\.assertRaises\(": "pytest.raises(",
                r"    async def test_numbers\(self\):\n.*\n.*\n *(.*)\n *(.*)": (
                    '    @pytest.mark.parametrize("number", range(3))\n'
                    "    async def test_numbers(self, number):\n        \\1\n        \\2"
                ),
            },
        ),
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(passed=12)  # Each of the three numbers is a test now.
