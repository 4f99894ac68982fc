"""anyio, agronholm/anyio#728: the item of a memory stream is lost with who has got it."""

from __future__ import annotations

import asyncio

import anyio
import pytest

import pytest_asyncio


@pytest.mark.asyncio(cancel=True, clock="virtual")
async def test_cancelled():
    sending, receiving = anyio.create_memory_object_stream(5)
    received = []

    async def receive():
        async with pytest_asyncio.cancellable():
            received.append(await receiving.receive())
        while len(received) < 2:
            received.append(await receiving.receive())

    receiver = asyncio.create_task(receive())
    for item in ("first", "second"):
        await asyncio.sleep(0.01)
        sending.send_nowait(item)
    await receiver
    assert received == ["first", "second"]


@pytest.mark.asyncio(clock="virtual", schedules=200)
async def test_late():
    sending, receiving = anyio.create_memory_object_stream(5)
    received = []

    async def look_now_and_then():
        for _ in range(10):
            with anyio.move_on_after(0.01):
                while True:
                    received.append(await receiving.receive())

    receiver = asyncio.create_task(look_now_and_then())
    for item in range(5):
        await asyncio.sleep(0.003)
        sending.send_nowait(item)
    await receiver
    assert received == [0, 1, 2, 3, 4]
