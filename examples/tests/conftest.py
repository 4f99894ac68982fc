import asyncio
from contextlib import suppress

import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from relay.app import make_app

LOOP_FACTORIES = {"asyncio": asyncio.new_event_loop}
with suppress(ImportError):  # there is no uvloop for Windows and PyPy
    import uvloop

    LOOP_FACTORIES["uvloop"] = uvloop.new_event_loop


def pytest_asyncio_loop_factories(config, item):
    """Every async test runs once on each of these."""
    return LOOP_FACTORIES


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service(tmp_path_factory, unused_tcp_port_factory):
    """A client of the whole service, which is started once and serves all tests."""
    app = make_app(tmp_path_factory.mktemp("relay") / "relay.db", delays=(0, 0))
    async with TestClient(TestServer(app, port=unused_tcp_port_factory())) as client:
        yield client


class Receiver:
    """Refuses as often as it is told to, then keeps what it is sent."""

    def __init__(self):
        self.url = ""
        self.refusals = 0
        self.received = []

    async def receive(self, request):
        if self.refusals:
            self.refusals -= 1
            raise web.HTTPServiceUnavailable
        self.received.append(await request.json())
        return web.Response()


@pytest_asyncio.fixture(loop_scope="session")
async def receiver():
    """A webhook, new for each test, on the loop that the service runs on."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/", receiver.receive)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/"))
        yield receiver
