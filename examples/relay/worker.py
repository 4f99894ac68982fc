"""The background worker that hands deliveries to their receivers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from relay.store import Delivery, State, Store

Send = Callable[[Delivery], Awaitable[bool]]
"""Hands a delivery to its receiver and tells whether that one accepted it."""


class Worker:
    """Sends each delivery until its receiver accepts it; deliveries do not wait for each other.

    `delays` are the seconds to wait after each refusal. A refusal after the last of them is final.
    """

    def __init__(self, store: Store, send: Send, delays: Sequence[float]) -> None:
        self._store = store
        self._send = send
        self._delays = delays
        self._inbox: asyncio.Queue[Delivery] = asyncio.Queue()

    def submit(self, delivery: Delivery) -> None:
        self._inbox.put_nowait(delivery)

    async def join(self) -> None:
        """Wait until all that was submitted is delivered or given up."""
        await self._inbox.join()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as deliveries:
            while True:
                deliveries.create_task(self._deliver(await self._inbox.get()))

    async def _deliver(self, delivery: Delivery) -> None:
        outcome = State.FAILED
        for delay in (0, *self._delays):
            await asyncio.sleep(delay)
            await self._store.count_attempt(delivery.id)
            if await self._send(delivery):
                outcome = State.DELIVERED
                break
        await self._store.finish(delivery.id, outcome)
        self._inbox.task_done()
