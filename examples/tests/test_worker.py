"""The worker alone.

A test that asks for nothing has a loop of its own. The tests of the class at the end look at one
thing from several sides, so they share the loop that this thing lives on.
"""

import asyncio
from unittest.mock import AsyncMock

import pytest
import pytest_asyncio

from relay.store import State, open_store
from relay.worker import Worker


@pytest.fixture
async def store():
    async with open_store(":memory:") as store:
        yield store


@pytest.fixture
async def start(store):
    """Start workers, and stop them after the test."""
    async with asyncio.TaskGroup() as group:
        running = []

        def start(send, delays=(0, 0)):
            worker = Worker(store, send, delays)
            running.append(group.create_task(worker.run()))
            return worker

        yield start
        for task in running:
            task.cancel()


@pytest.mark.parametrize(
    ("answers", "state", "attempts"),
    [
        pytest.param([True], State.DELIVERED, 1, id="accepted"),
        pytest.param([False, True], State.DELIVERED, 2, id="refused-once"),
        pytest.param([False, False, False], State.FAILED, 3, id="refused-for-good"),
    ],
)
async def test_sends_until_the_receiver_accepts(store, start, answers, state, attempts):
    worker = start(AsyncMock(side_effect=answers))
    delivery = await store.add("http://hook.test", {})

    worker.submit(delivery)
    await worker.join()

    delivery = await store.get(delivery.id)
    assert (delivery.state, delivery.attempts) == (state, attempts)


@pytest.mark.asyncio(clock="virtual", loop_factories=["asyncio"])
async def test_waits_longer_after_each_refusal(store, start, asyncio_clock):
    attempts = []

    async def refuse(delivery):
        attempts.append(asyncio_clock.time())
        return False

    worker = start(refuse, delays=(60, 3600))
    worker.submit(await store.add("http://hook.test", {}))
    await worker.join()

    assert attempts == [0, 60, 3660]


async def test_a_slow_receiver_holds_nobody_up(store, start):
    fast_was_served = asyncio.Event()

    async def send(delivery):
        if delivery.payload == "slow":
            await fast_was_served.wait()
        else:
            fast_was_served.set()
        return True

    worker = start(send)
    worker.submit(await store.add("http://hook.test", "slow"))
    worker.submit(await store.add("http://hook.test", "fast"))
    await worker.join()

    assert await store.pending() == []


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def interrupted():
    """The store of a worker that was stopped before the receiver answered."""
    called = asyncio.Event()

    async def never_answer(delivery):
        called.set()
        await asyncio.Event().wait()

    async with open_store(":memory:") as store:
        worker = Worker(store, never_answer, delays=())
        running = asyncio.create_task(worker.run())
        worker.submit(await store.add("http://hook.test", {}))
        await called.wait()
        running.cancel()
        await asyncio.wait([running])
        yield store


@pytest.mark.asyncio(loop_scope="class")
class TestInterrupted:
    async def test_the_delivery_is_pending(self, interrupted):
        (delivery,) = await interrupted.pending()
        assert delivery.state is State.PENDING

    async def test_the_attempt_is_counted(self, interrupted):
        (delivery,) = await interrupted.pending()
        assert delivery.attempts == 1
