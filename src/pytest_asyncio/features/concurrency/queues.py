"""Queues: which items are to run after the current one, in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, Protocol, final

import pytest

from pytest_asyncio.support.pytest_private import xdist


class Queue(Protocol):
    """The items that are to run."""

    def after(
        self, item: pytest.Item, nextitem: pytest.Item | None, skipped: int
    ) -> Iterator[pytest.Item]:
        """Yield what is sure to run after an item, in order, without the first `skipped` ones."""
        ...

    def proceed(self) -> None:
        """Let the next item come. Called after each one."""


def of(session: pytest.Session) -> Queue:
    worker = xdist.xdist_worker(session.config)
    return _OfSession(session) if worker is None else _OfWorker(session, worker)


@final
class _OfSession:
    """All items of the session, in their order."""

    def __init__(self, session: pytest.Session) -> None:
        self._items: Final = session.items
        self._positions: Final = {item: position for position, item in enumerate(session.items)}

    def after(
        self, item: pytest.Item, nextitem: pytest.Item | None, skipped: int
    ) -> Iterator[pytest.Item]:
        position = self._positions[item] + 1
        # Whoever runs items in another order knows what comes next, and nobody knows the rest.
        if position < len(self._items) and self._items[position] is nextitem:
            for index in range(position + skipped, len(self._items)):
                yield self._items[index]

    def proceed(self) -> None:
        """Do nothing: the order is known."""


@final
class _OfWorker:
    """What xdist has sent to this worker.

    It may take back what the worker has not begun. So what is begun early is taken out of the
    worker's queue, and put in front of it when the worker is about to ask for it.
    """

    def __init__(self, session: pytest.Session, worker: xdist.XdistWorker) -> None:
        self._items: Final = session.items
        self._worker: Final = worker
        self._taken: Final = deque[int]()

    def after(
        self, item: pytest.Item, nextitem: pytest.Item | None, skipped: int
    ) -> Iterator[pytest.Item]:
        if nextitem is None:
            return
        known = [nextitem, *(self._items[index] for index in self._taken)]
        yield from known[skipped:]
        while (new := self._worker.take()) is not None:
            self._taken.append(new)
            yield self._items[new]

    def proceed(self) -> None:
        if self._taken:
            self._worker.put_back(self._taken.popleft())
