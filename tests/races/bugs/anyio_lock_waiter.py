"""anyio, agronholm/anyio#1145: a cancelled waiter of a lock strands the next one."""

from __future__ import annotations

import asyncio

import anyio
import pytest

import pytest_asyncio


async def take_turns(lock):
    for _ in range(3):
        async with lock:
            await asyncio.sleep(0)


@pytest.mark.asyncio(cancel=True, clock="virtual")
async def test_cancelled():
    lock = anyio.Lock()

    async def take_turns_if_not_cancelled():
        async with pytest_asyncio.cancellable():
            await take_turns(lock)

    await asyncio.gather(take_turns(lock), take_turns_if_not_cancelled())
    assert not lock.locked()


@pytest.mark.asyncio(clock="virtual", schedules=200, delay_tasks=True)
async def test_delayed():
    lock = anyio.Lock()
    patient = asyncio.create_task(take_turns(lock), name="patient")
    hasty = asyncio.create_task(take_turns(lock), name="hasty")
    for _ in range(3):
        await asyncio.sleep(0)
    hasty.cancel()
    await asyncio.wait([patient, hasty])
    assert not lock.locked()
