"""What the tests of live loops share: suites with a server, and with a fixture that dies."""

from __future__ import annotations

import textwrap

import pytest

SERVER = """
import contextlib, subprocess, sys, threading, time, urllib.request

async def start(answer=lambda: b"ok"):
    async def handle(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        body = answer()
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body))
        writer.write(body)
        await writer.drain()
        writer.close()
    return await asyncio.start_server(handle, "127.0.0.1", 0)

def url_of(server):
    return "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]

@contextlib.asynccontextmanager
async def serving(*args):
    async with await start(*args) as server:
        yield url_of(server)

def get(url):
    with urllib.request.urlopen(url, timeout=30) as response:
        return response.read()

def is_any_live():
    return any(thread.name.startswith("live ") for thread in threading.enumerate())

@pytest_asyncio.fixture
async def url():
    async with serving() as url:
        yield url
"""


@pytest.fixture
def server_suite(suite):
    """Run a suite that has a server in the async fixture `url`, and `get(url)`."""
    return lambda source, *args, **kwargs: suite(SERVER + textwrap.dedent(source), *args, **kwargs)


DYING = """
@pytest_asyncio.fixture(scope={scope!r}, loop_scope={scope!r})
async def dying():
    async def wait():
        await done.wait()
        raise LookupError("the cause")
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(wait())
        yield asyncio.get_running_loop(), done
        task.cancel()
"""


@pytest.fixture
def dying_suite(server_suite):
    """Run a suite with an async fixture `dying`: its loop, and an event that ends it."""
    return lambda scope, source: server_suite(DYING.format(scope=scope) + textwrap.dedent(source))
