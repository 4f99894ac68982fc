"""asyncio, python/cpython#112202: a notification is lost with who has got it."""

from __future__ import annotations

import asyncio

import pytest

import pytest_asyncio


class Shelf:
    def __init__(self):
        self.filled, self.goods, self.sold = asyncio.Condition(), [], []

    async def take(self):
        async with self.filled:
            await self.filled.wait_for(lambda: self.goods)
            self.sold.append(self.goods.pop())

    async def fill(self):
        async with self.filled:
            self.goods.append("jam")
            self.filled.notify()


@pytest.mark.asyncio(cancel=True, clock="virtual")
async def test_cancelled():
    shelf = Shelf()

    async def take_if_not_cancelled():
        async with pytest_asyncio.cancellable():
            await shelf.take()

    first = asyncio.create_task(take_if_not_cancelled())
    second = asyncio.create_task(shelf.take())
    await asyncio.sleep(0.01)
    await shelf.fill()
    await first
    if not shelf.sold:
        await second
    second.cancel()
    await asyncio.wait([second])


@pytest.mark.asyncio(clock="virtual", schedules=200)
async def test_late():
    shelf = Shelf()
    hasty = asyncio.create_task(shelf.take(), name="hasty")
    patient = asyncio.create_task(shelf.take(), name="patient")
    asyncio.get_running_loop().call_later(0.012, hasty.cancel)
    await asyncio.sleep(0.01)
    await shelf.fill()
    await asyncio.wait([hasty])
    if not shelf.sold:
        await patient
    patient.cancel()
    await asyncio.wait([patient])
