"""anyio, agronholm/anyio#947: the token of a capacity limiter is lost with who has got it."""

from __future__ import annotations

import asyncio

import anyio
import pytest

import pytest_asyncio


async def hold(limiter):
    async with limiter:
        await asyncio.sleep(0.01)


@pytest.mark.asyncio(cancel=True, clock="virtual")
async def test_cancelled():
    limiter = anyio.CapacityLimiter(1)

    async def hold_if_not_cancelled():
        async with pytest_asyncio.cancellable():
            await hold(limiter)

    await asyncio.gather(hold(limiter), hold_if_not_cancelled(), hold(limiter))
    assert limiter.available_tokens == 1


@pytest.mark.asyncio(clock="virtual", schedules=200)
async def test_late():
    limiter = anyio.CapacityLimiter(1)
    first, hasty, third = (asyncio.create_task(hold(limiter)) for _ in range(3))
    await asyncio.sleep(0.008)
    hasty.cancel()
    await asyncio.wait([first, hasty, third])
    assert limiter.available_tokens == 1
