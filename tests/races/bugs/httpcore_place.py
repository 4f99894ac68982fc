"""httpcore, encode/httpcore#785 and #880: a cancelled request keeps its place in the pool."""

from __future__ import annotations

import asyncio

import httpcore
import pytest

import pytest_asyncio


async def say_hello(reader, writer):
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    except asyncio.IncompleteReadError:
        pass
    finally:
        writer.close()


@pytest_asyncio.fixture
async def url():
    server = await asyncio.start_server(say_hello, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"http://{host}:{port}/"
    server.close()


@pytest_asyncio.fixture
async def pool():
    async with httpcore.AsyncConnectionPool(max_connections=1) as pool:
        yield pool


async def get(pool, url):
    timeouts = {"pool": 1, "connect": 5, "read": 5}
    return await pool.request("GET", url, extensions={"timeout": timeouts})


@pytest.mark.asyncio(cancel=True)
async def test_cancelled(pool, url):
    async with pytest_asyncio.cancellable():
        await get(pool, url)
    response = await get(pool, url)
    assert response.content == b"hello"
