"""The whole service over HTTP.

It is started once and serves while the tests run, so they all run on its loop, the one loop that
belongs to the session.
"""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from relay.app import WORKER, make_app
from relay.store import open_store

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def deliver(service):
    """Ask for a delivery, wait for the end of it, and tell what the service says then."""

    async def deliver(url, payload):
        accepted = await service.post("/deliveries", json={"url": url, "payload": payload})
        await service.app[WORKER].join()
        shown = await service.get(accepted.headers["Location"])
        return await shown.json()

    return deliver


async def test_a_payload_reaches_its_webhook(deliver, receiver):
    delivery = await deliver(receiver.url, {"hello": "world"})

    assert receiver.received == [{"hello": "world"}]
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)


async def test_a_webhook_may_refuse_at_first(deliver, receiver):
    receiver.refusals = 2

    delivery = await deliver(receiver.url, {"hello": "again"})

    assert receiver.received == [{"hello": "again"}]
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 3)


async def test_a_webhook_that_is_down_is_given_up(deliver, unused_tcp_port):
    delivery = await deliver(f"http://127.0.0.1:{unused_tcp_port}/", {})

    assert (delivery["state"], delivery["attempts"]) == ("failed", 3)


@pytest.mark.parametrize("body", ["", "[]", '{"url": "http://hook.test"}'])
async def test_an_order_must_be_complete(service, body):
    response = await service.post("/deliveries", data=body)

    assert response.status == 400


async def test_an_unknown_delivery_is_not_found(service):
    response = await service.get("/deliveries/12345")

    assert response.status == 404


async def test_what_was_pending_is_delivered_after_a_restart(tmp_path, receiver):
    async with open_store(tmp_path / "relay.db") as store:
        await store.add(receiver.url, "kept")

    async with TestClient(TestServer(make_app(tmp_path / "relay.db"))) as service:
        await service.app[WORKER].join()

    assert receiver.received == ["kept"]
