"""The HTTP side: `POST /deliveries` orders one, `GET /deliveries/{id}` tells how it goes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from relay.store import Delivery, Store, open_store
from relay.worker import Worker

STORE = web.AppKey("STORE", Store)
WORKER = web.AppKey("WORKER", Worker)

routes = web.RouteTableDef()


@routes.post("/deliveries")
async def create(request: web.Request) -> web.Response:
    try:
        order = await request.json()
        url, payload = order["url"], order["payload"]
    except (KeyError, TypeError, ValueError):
        raise web.HTTPBadRequest(text='send {"url": ..., "payload": ...}') from None
    delivery = await request.app[STORE].add(url, payload)
    request.app[WORKER].submit(delivery)
    return web.json_response(
        asdict(delivery), status=202, headers={"Location": f"/deliveries/{delivery.id}"}
    )


@routes.get(r"/deliveries/{id:\d+}")
async def show(request: web.Request) -> web.Response:
    delivery = await request.app[STORE].get(int(request.match_info["id"]))
    if delivery is None:
        raise web.HTTPNotFound
    return web.json_response(asdict(delivery))


async def post(http: ClientSession, delivery: Delivery) -> bool:
    try:
        async with http.post(delivery.url, json=delivery.payload) as response:
            return response.ok
    except (ClientError, TimeoutError):
        return False


def make_app(database: str | Path, delays: Sequence[float] = (1, 5, 30, 300)) -> web.Application:
    async def work(app: web.Application) -> AsyncIterator[None]:
        async with (
            open_store(database) as store,
            ClientSession(timeout=ClientTimeout(total=10)) as http,
            asyncio.TaskGroup() as group,
        ):
            worker = Worker(store, partial(post, http), delays)
            for delivery in await store.pending():
                worker.submit(delivery)
            app[STORE], app[WORKER] = store, worker
            running = group.create_task(worker.run())
            yield
            running.cancel()

    app = web.Application()
    app.add_routes(routes)
    app.cleanup_ctx.append(work)
    return app
