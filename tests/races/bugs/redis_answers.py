"""redis-py, redis/redis-py#2624 and #2665: after a cancelled command, answers are one behind."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

import pytest_asyncio

VALUES = {b"apple": b"red", b"pear": b"green"}


class Server:
    """Knows GET, and answers anything else with OK."""

    async def talk(self, reader, writer):
        try:
            while header := await reader.readline():
                arguments = [await self.read_argument(reader) for _ in range(int(header[1:]))]
                writer.write(self.answer(*arguments))
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def read_argument(self, reader):
        length = int((await reader.readline())[1:])
        return (await reader.readexactly(length + 2)).removesuffix(b"\r\n")

    def answer(self, command, *arguments):
        if command.upper() != b"GET":
            return b"+OK\r\n"
        value = VALUES[arguments[0]]
        return b"$%d\r\n%s\r\n" % (len(value), value)


@pytest_asyncio.fixture
async def redis():
    server = await asyncio.start_server(Server().talk, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    client = Redis(host=host, port=port, max_connections=1)
    yield client
    await client.connection_pool.disconnect()
    server.close()


@pytest.mark.asyncio(cancel=True)
async def test_cancelled(redis):
    await redis.ping()
    async with pytest_asyncio.cancellable():
        await redis.get("apple")
    assert await redis.get("pear") == b"green"
