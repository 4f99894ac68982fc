"""aiohttp, aio-libs/aiohttp#9670: a request waits for ever behind one that was cancelled."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest


class Wire:
    """A connection that leads nowhere."""

    should_close = False
    closed = None
    transport = None
    is_open = True

    def is_connected(self):
        return self.is_open

    def close(self):
        self.is_open = False

    abort = close


class Connector(aiohttp.BaseConnector):
    async def _create_connection(self, req, traces, timeout):
        await asyncio.sleep(0)
        return Wire()


class Request:
    host, port, proxy = "nowhere", 80, None
    connection_key = (host, port, False)

    def is_ssl(self):
        return False


async def borrow(connector):
    connection = await connector.connect(Request(), [], aiohttp.ClientTimeout())
    try:
        await asyncio.sleep(0)
    finally:
        connection.release()


@pytest.mark.asyncio(clock="virtual", schedules=200, delay_tasks=True)
async def test_delayed():
    connector = Connector(limit=1)

    async def borrow_again_and_again():
        for _ in range(3):
            await borrow(connector)

    patient = asyncio.create_task(borrow_again_and_again(), name="patient")
    hasty = asyncio.create_task(borrow_again_and_again(), name="hasty")
    for _ in range(4):
        await asyncio.sleep(0)
    hasty.cancel()
    await asyncio.wait([patient, hasty])
    await connector.close()
