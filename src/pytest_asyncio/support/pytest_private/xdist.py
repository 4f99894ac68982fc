"""The workers of pytest-xdist, and their queues."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Any

import pytest

from pytest_asyncio.support import foreign


class XdistWorker:
    """The queue of an xdist worker: the indices of the items that it is to run."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def take(self) -> int | None:
        """Take the next item out of the queue, if there is one."""
        with self._queue.lock() as waiting:
            is_item = bool(waiting) and isinstance(waiting[0], int)
            return waiting.popleft() if is_item else None

    def put_back(self, index: int) -> None:
        """Make an item the next one."""
        with self._queue.lock() as waiting:
            waiting.appendleft(index)


def xdist_worker(config: pytest.Config) -> XdistWorker | None:
    """Return the queue of the worker that a session runs in, if it does, and the queue is one that
    can be looked into.
    """
    plugins = config.pluginmanager.get_plugins()
    queues = (foreign.attribute(plugin, "torun", object) for plugin in plugins)
    # Its class cannot be imported, for a worker runs that module under another name.
    found = (queue for queue in queues if type(queue).__name__ == "TestQueue")
    return next(map(XdistWorker, found), None)


def in_worker(config: pytest.Config) -> str:
    """Return what a title says of the worker that a session runs in: `" in gw0"`, or nothing."""
    worker: dict[str, str] = getattr(config, "workerinput", {})
    return f" in {worker['workerid']}" if worker else ""
