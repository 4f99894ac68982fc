"""The database.

It is opened once, and the tests of this module share the loop that it was opened on.
"""

import pytest
import pytest_asyncio

from relay.store import State, open_store

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store():
    async with open_store(":memory:") as store:
        yield store


async def test_a_new_delivery_is_pending(store):
    delivery = await store.add("http://hook.test", {"hello": "world"})

    assert delivery.payload == {"hello": "world"}
    assert (delivery.state, delivery.attempts) == (State.PENDING, 0)


async def test_a_delivery_is_found_by_its_id(store):
    delivery = await store.add("http://hook.test", [1, 2, 3])

    assert await store.get(delivery.id) == delivery


async def test_nothing_is_found_under_an_unknown_id(store):
    assert await store.get(12345) is None


@pytest.mark.parametrize("state", [State.DELIVERED, State.FAILED])
async def test_what_is_finished_is_no_longer_pending(store, state):
    delivery = await store.add("http://hook.test", {})
    assert delivery in await store.pending()

    await store.finish(delivery.id, state)

    assert delivery.id not in [pending.id for pending in await store.pending()]


async def test_deliveries_outlive_the_process(tmp_path):
    async with open_store(tmp_path / "relay.db") as store:
        delivery = await store.add("http://hook.test", {})

    async with open_store(tmp_path / "relay.db") as store:
        assert await store.pending() == [delivery]
