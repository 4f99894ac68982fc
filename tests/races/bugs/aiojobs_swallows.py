"""aiojobs, aio-libs/aiojobs#606: close() swallows the cancellation of who calls it."""

from __future__ import annotations

import asyncio

import aiojobs
import pytest

import pytest_asyncio


async def work():
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def job():
    async with aiojobs.Scheduler() as scheduler:
        job = await scheduler.spawn(work())
        await asyncio.sleep(0)
        yield job


@pytest.mark.asyncio(cancel=True, clock="virtual")
async def test_cancelled(job):
    async with pytest_asyncio.cancellable():
        await job.close()


@pytest.mark.asyncio(clock="virtual", schedules=200)
async def test_late(job):
    closing = asyncio.create_task(job.close())
    await asyncio.sleep(0.012)
    is_cancelled = closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled() == is_cancelled
