"""asyncio, python/cpython#86296: wait_for() swallows a cancellation where its wait is over."""

from __future__ import annotations

import asyncio

import pytest

import pytest_asyncio


@pytest.mark.asyncio(cancel=True, clock="virtual")
async def test_cancelled():
    bell = asyncio.Event()

    async def listen():
        async with pytest_asyncio.cancellable():
            await asyncio.wait_for(bell.wait(), 1)

    listener = asyncio.create_task(listen(), name="listener")
    await asyncio.sleep(0.01)
    bell.set()
    await listener


@pytest.mark.asyncio(clock="virtual", schedules=200)
async def test_late():
    letters = asyncio.Queue()

    async def read_letters():
        while True:
            await asyncio.wait_for(letters.get(), 1)

    loop, reader = asyncio.get_running_loop(), asyncio.create_task(read_letters())
    for number in (1, 2, 3):
        loop.call_later(number / 100, letters.put_nowait, number)
    loop.call_later(0.025, reader.cancel)
    async with asyncio.timeout(0.5):
        await asyncio.wait([reader])
