"""What reports say to write is written, in suites of several files, which then pass."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import pytest


class Advice(NamedTuple):
    says: str
    """A line of the report."""
    change: dict[str, str]
    """What is written in each file, by what it takes the place of."""
    conftest: str
    tests: str
    """The tests of one file; another one has the same."""
    option: str = ""
    """What is set."""


ADVICE = {
    "a plain async fixture": Advice(
        "*Declare it by @pytest_asyncio.fixture, or set the option asyncio_mode to 'auto'.",
        {"@pytest.fixture": "@pytest_asyncio.fixture"},
        """
        @pytest.fixture
        async def account():
            return 1
        """,
        """
        @pytest.mark.asyncio
        async def test_it(account):
            assert account == 1
        """,
    ),
    "the mode for plain async fixtures": Advice(
        "*Declare it by @pytest_asyncio.fixture, or set the option asyncio_mode to 'auto'.",
        {},
        """
        @pytest.fixture
        async def account():
            return 1
        """,
        """
        @pytest.mark.asyncio
        async def test_it(account):
            assert account == 1
        """,
        option="asyncio_mode = auto",
    ),
    "a fixture that returns an async generator": Advice(
        "*write 'yield' in the fixture itself, and declare that by @pytest_asyncio.fixture.",
        {
            "@pytest.fixture": "@pytest_asyncio.fixture",
            "def account": "async def account",
            "return opened()": "yield 1",
        },
        """
        async def opened():
            yield 1

        @pytest.fixture
        def account():
            return opened()
        """,
        """
        @pytest.mark.asyncio
        async def test_it(account):
            assert account + 1 == 2
        """,
    ),
    "asyncio.run() in an async test": Advice(
        "*Write 'await coroutine' in place of asyncio.run(coroutine) or *",
        {"asyncio.run(fetch())": "await fetch()"},
        "",
        """
        async def fetch():
            return 1

        @pytest.mark.asyncio
        async def test_it():
            assert asyncio.run(fetch()) == 1
        """,
    ),
    "asyncio.run() in what an async test calls": Advice(
        "*a synchronous function that has one of these by 'await asyncio.to_thread(function)'.",
        {"value = fetch()": "value = await asyncio.to_thread(fetch)"},
        "",
        """
        def fetch():
            return asyncio.run(asyncio.sleep(0, 1))

        @pytest.mark.asyncio
        async def test_it():
            value = fetch()
            assert value == 1
        """,
    ),
    "loop.close()": Advice(
        "*Leave the loop to pytest-asyncio, which closes it when its scope ends.",
        {"asyncio.get_running_loop().close()": "pass"},
        "",
        """
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().close()
        """,
    ),
    "a loop in synchronous code": Advice(
        "*asyncio_runner.run() runs a coroutine on the loop of the test.",
        {
            "def test_it(account)": "def test_it(account, asyncio_runner)",
            "account.use_now()": "asyncio_runner.run(account.use())",
        },
        """
        class Account:
            def use_now(self):
                asyncio.get_running_loop()

            async def use(self):
                self.use_now()

        @pytest_asyncio.fixture
        async def account():
            return Account()
        """,
        """
        def test_it(account):
            account.use_now()
        """,
    ),
    "a loop that a test runs itself": Advice(
        "*runs an event loop of its own, where * Await the same in an async test: *",
        {
            "def test_it": "@pytest.mark.asyncio\nasync def test_it",
            "asyncio.run(account.use())": "await account.use()",
        },
        """
        class Account:
            def __init__(self):
                self.done = asyncio.get_running_loop().create_future()

            async def use(self):
                self.done.get_loop().call_soon(self.done.set_result, None)
                await self.done

        @pytest_asyncio.fixture
        async def account():
            return Account()
        """,
        """
        def test_it(account):
            asyncio.run(account.use())
        """,
    ),
    "a synchronous test of a server": Advice(
        "*Write @pytest.mark.asyncio(live=True) at test_it to let it go on.",
        {"def test_it": "@pytest.mark.asyncio(live=True)\ndef test_it"},
        """
        import socket

        async def answer(reader, writer):
            writer.write(await reader.readline())
            writer.close()

        @pytest_asyncio.fixture
        async def address():
            async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
                yield server.sockets[0].getsockname()
        """,
        """
        import socket

        def test_it(address):
            with socket.create_connection(address, timeout=2) as connection:
                connection.settimeout(0.3)
                connection.sendall(b"hello\\n")
                assert connection.recv(6) == b"hello\\n"
        """,
    ),
    "an order of fixtures": Advice(
        "*If 'client' needs it, add that to its arguments: *",
        {"def client()": "def client(server)"},
        """
        up = set()

        @pytest_asyncio.fixture
        async def client():
            yield
            if not up:
                raise ConnectionRefusedError

        @pytest_asyncio.fixture
        async def server():
            up.add(1)
            yield
            up.clear()
        """,
        """
        @pytest.mark.asyncio
        async def test_it(client, server):
            pass
        """,
    ),
    "what a thread calls": Advice(
        "*let it call that by loop.call_soon_threadsafe().",
        {"event.set)": "asyncio.get_running_loop().call_soon_threadsafe, [event.set])"},
        "",
        """
        import threading

        @pytest.mark.asyncio(timeout=0.5)
        async def test_it():
            event = asyncio.Event()
            threading.Timer(0.05, event.set).start()
            await event.wait()
        """,
    ),
    "a fixture of an installed package": Advice(
        "*'client' is not the suite's own: set asyncio_loop_scope = auto, and every test *",
        {},
        'pytest_plugins = ["installed"]',
        """
        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(client):
            await client.get()
        """,
        option="asyncio_loop_scope = auto",
    ),
    "a request of event_loop": Advice(
        "*The fixture 'event_loop' is gone * In async code, write asyncio.get_running_loop(). *",
        {"(event_loop)": "()", "event_loop.time()": "asyncio.get_running_loop().time()"},
        "",
        """
        @pytest.mark.asyncio
        async def test_it(event_loop):
            event_loop.time()
        """,
    ),
    "a request of event_loop in synchronous code": Advice(
        "*Synchronous code requests asyncio_runner: asyncio_runner.run(coroutine), *",
        {"(event_loop)": "(asyncio_runner)", "event_loop.run_until_complete": "asyncio_runner.run"},
        "",
        """
        def test_it(event_loop):
            event_loop.run_until_complete(asyncio.sleep(0))
        """,
    ),
    "a fixture that is a loop of its own": Advice(
        "E*'loop' is an event loop that nothing runs while test_it does. Write asyncio.get_*",
        {
            "@pytest.fixture": "@pytest_asyncio.fixture",
            "def loop": "async def loop",
            "asyncio.new_event_loop()": "asyncio.get_running_loop()",
        },
        """
        @pytest.fixture
        def loop():
            return asyncio.new_event_loop()
        """,
        """
        @pytest.mark.asyncio
        async def test_it(loop):
            future = loop.create_future()
            loop.call_soon(future.set_result, None)
            async def wait():
                await future
            await wait()
        """,
    ),
    "a loop of its own in a variable": Advice(
        "E*'loop' is an event loop that nothing runs while test_it does. Write asyncio.get_*",
        {"asyncio.new_event_loop()": "asyncio.get_running_loop()"},
        "",
        """
        @pytest.mark.asyncio
        async def test_it():
            loop = asyncio.new_event_loop()
            await asyncio.gather(asyncio.sleep(0), loop.create_task(asyncio.sleep(0)))
        """,
    ),
    "a wait for a loop of its own": Advice(
        "*'loop' is an event loop that nothing runs while test_it does. Write asyncio.get_*",
        {
            "@pytest.fixture": "@pytest_asyncio.fixture",
            "def loop": "async def loop",
            "asyncio.new_event_loop()": "asyncio.get_running_loop()",
        },
        """
        @pytest.fixture
        def loop():
            return asyncio.new_event_loop()
        """,
        """
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it(loop):
            await asyncio.wait([loop.create_task(asyncio.sleep(0))])
        """,
    ),
    "a loop of its own in an attribute": Advice(
        "E*'loop' is an event loop that nothing runs while test_it does. Write asyncio.get_*",
        {
            "def setup_method": "async def setup_method",
            "asyncio.new_event_loop()": "asyncio.get_running_loop()",
        },
        """
        async def wait(task):
            await task
        """,
        """
        from conftest import wait

        @pytest.mark.asyncio
        class TestIt:
            def setup_method(self):
                self.loop = asyncio.new_event_loop()

            async def test_it(self):
                await wait(self.loop.create_task(asyncio.sleep(0)))
        """,
    ),
    "a live loop that a test runs": Advice(
        "*Write asyncio_runner.run(coroutine), * in place of loop.run_until_complete(coroutine).",
        {"asyncio_runner.loop.run_until_complete": "asyncio_runner.run"},
        "",
        """
        @pytest.mark.asyncio(live=True)
        def test_it(asyncio_runner):
            asyncio_runner.loop.run_until_complete(asyncio.sleep(0))
        """,
    ),
    "an answer of 500": Advice(
        '*Write @pytest.mark.asyncio(loop_scope="session") at the test to let them share one.',
        {"@pytest.mark.asyncio": '@pytest.mark.asyncio(loop_scope="session")'},
        """
        from types import SimpleNamespace

        class Application:
            def __init__(self):
                self._loop = asyncio.get_running_loop()

            async def get(self):
                try:
                    answer = self._loop.create_future()
                    self._loop.call_soon(answer.set_result, 200)
                    return SimpleNamespace(status=await answer)
                except RuntimeError:
                    return SimpleNamespace(status=500)

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def application():
            yield Application()
        """,
        """
        @pytest.mark.asyncio
        async def test_it(application):
            response = await application.get()
            assert response.status == 200
        """,
    ),
    "tasks on another loop than the test's": Advice(
        "*Give the test and the fixture that calls it the same loop_scope.",
        {"@pytest.mark.asyncio": '@pytest.mark.asyncio(loop_scope="module")'},
        """
        @pytest_asyncio.fixture(loop_scope="module")
        async def worker(asyncio_tasks):
            asyncio_tasks.create_task(asyncio.sleep(60))
        """,
        """
        @pytest.mark.asyncio
        async def test_it(worker):
            pass
        """,
    ),
    "an async test without a mark": Advice(
        "*@pytest.mark.asyncio*",
        {"async def test_it": "@pytest.mark.asyncio\nasync def test_it"},
        "",
        """
        async def test_it():
            pass
        """,
    ),
}
INSTALLED = """
    class Client:
        def __init__(self):
            self.loop = asyncio.get_running_loop()

        async def get(self):
            answer = self.loop.create_future()
            self.loop.call_soon(answer.set_result, None)
            await answer

    @pytest_asyncio.fixture
    async def client():
        return Client()
"""


@pytest.mark.usefixtures("_leave_nothing_to_others")
@pytest.mark.parametrize("advice", ADVICE.values(), ids=ADVICE)
def test_what_a_report_says_to_write_ends_the_trouble(suite, advice):
    sources = {
        "conftest.py": advice.conftest,
        "test_one.py": advice.tests,
        "test_two.py": advice.tests,
        "site-packages/installed.py": INSTALLED,
    }
    files = {name: textwrap.dedent(source) for name, source in sources.items()}
    ini = "pythonpath = site-packages\n"
    result = suite("", "-Wignore", files=files, ini=ini)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(advice.says)
    for old, new in advice.change.items():
        files = {name: text.replace(old, new) for name, text in files.items()}
    again = suite("", "-Wignore", files=files, ini=ini + advice.option)
    again.assert_outcomes(passed=2)
