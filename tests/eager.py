"""Have each loop of asyncio's own start its tasks at once: `pytest -p tests.eager`."""

import asyncio

open_loop = asyncio.BaseEventLoop.__init__


def open_eager_loop(loop: asyncio.BaseEventLoop) -> None:
    open_loop(loop)
    loop.set_task_factory(asyncio.eager_task_factory)


asyncio.BaseEventLoop.__init__ = open_eager_loop
