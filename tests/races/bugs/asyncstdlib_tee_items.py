"""asyncstdlib, maxfischer2781/asyncstdlib@b730600: peers of tee() overwrite each other's items."""

from __future__ import annotations

import asyncio

import asyncstdlib
import pytest


class Numbers:
    """One to four, each after ten milliseconds; more of them may be asked for at a time."""

    def __init__(self):
        self.last = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.last == 4:
            await asyncio.sleep(0.05)
            raise StopAsyncIteration
        self.last += 1
        number = self.last
        await asyncio.sleep(0.01)
        return number


@pytest.mark.asyncio(clock="virtual", schedules=200)
async def test_late():
    async def read(peer, pause):
        numbers = []
        async for number in peer:
            numbers.append(number)
            await asyncio.sleep(pause)
        return numbers

    quick, slow = asyncstdlib.tee(Numbers(), n=2)
    read_by_quick, read_by_slow = await asyncio.gather(read(quick, 0.001), read(slow, 0.02))
    assert sorted(read_by_quick) == sorted(read_by_slow) == [1, 2, 3, 4]
