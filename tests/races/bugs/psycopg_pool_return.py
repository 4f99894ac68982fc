"""psycopg-pool, psycopg/psycopg#1275: getconn() that was cancelled returns a connection."""

from __future__ import annotations

import asyncio
import logging

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

import pytest_asyncio

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)


class Idle:
    transaction_status = TransactionStatus.IDLE
    error_message = b""
    status = pipeline_status = 0


class Connection(psycopg.AsyncConnection):
    """A connection to no database."""

    _closed = False
    closed = property(lambda self: self._closed)

    def __init__(self):
        self._pool = None
        self.pgconn = Idle()

    @classmethod
    async def connect(cls, *args, **kwargs):
        await asyncio.sleep(0)
        return cls()

    async def rollback(self):
        await asyncio.sleep(0)

    commit = rollback

    async def close(self):
        self._closed = True

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.rollback()

    def __del__(self):
        pass


@pytest_asyncio.fixture
async def pool():
    sizes = {"min_size": 1, "max_size": 1, "num_workers": 1}
    async with AsyncConnectionPool("", connection_class=Connection, open=False, **sizes) as pool:
        await pool.wait()
        yield pool


async def use(pool):
    async with pool.connection():
        await asyncio.sleep(0.01)


@pytest.mark.asyncio(cancel=True)
async def test_cancelled(pool):
    async def use_if_not_cancelled():
        async with pytest_asyncio.cancellable():
            await use(pool)

    first = asyncio.create_task(use(pool))
    second = asyncio.create_task(use_if_not_cancelled(), name="second")
    await asyncio.gather(first, second)
    await use(pool)


@pytest.mark.asyncio(clock="virtual", schedules=200, delay_tasks=True)
async def test_delayed(pool):
    first = asyncio.create_task(use(pool), name="first")
    second = asyncio.create_task(use(pool), name="second")
    await asyncio.sleep(0.008)
    is_cancelled = second.cancel()
    await asyncio.wait([first, second])
    assert second.cancelled() == is_cancelled
