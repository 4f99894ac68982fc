"""Several event loops in one thread, each of which runs when it has something to do.

A loop waits in its selector, and only one selector at a time can wait in a thread. So where tests
on several loops are under way, none of the loops waits: each is run for a single iteration where
something is due on it, and where nothing is, all of their selectors are waited for at once, in one
more, until the first of them has news or the first timer is due. Threads of their own would be
simpler, and would break what suites take for granted: that all of their code runs in one thread.
"""

from __future__ import annotations

import selectors
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Final, final

from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.support import asyncio_private

_LOOK: Final = 0.001
"""Seconds between two looks at loops that cannot be waited for together."""


@final
class LoopsInTurns:
    """Finds which of several loops are to run next."""

    def __init__(self, owners: Sequence[LoopOwner], selector: selectors.BaseSelector) -> None:
        self._owners: Final = owners
        self._selector: Final = selector
        self._others: Final = set[LoopOwner]()
        """Those whose loops have no descriptor to wait for."""
        for owner in owners:
            descriptor = asyncio_private.descriptor_of(owner.loop)
            if descriptor is None:
                self._others.add(owner)
            else:
                selector.register(descriptor, selectors.EVENT_READ, owner)

    def due(self) -> Iterable[LoopOwner]:
        """Wait until some of the loops have something to do, and return these."""
        seconds = min(map(self._idle_for, self._owners))
        news = self._selector.select(None if seconds == float("inf") else seconds)
        found = {key.data for key, _ in news} | self._others
        return [owner for owner in self._owners if owner in found or self._idle_for(owner) <= 0]

    def _idle_for(self, owner: LoopOwner) -> float:
        if owner in self._others:
            return _LOOK
        return asyncio_private.seconds_until_due(owner.loop)


@contextmanager
def in_turns(owners: Sequence[LoopOwner]) -> Generator[LoopsInTurns]:
    """Have the loops of several owners run in turns."""
    with selectors.DefaultSelector() as selector:
        yield LoopsInTurns(owners, selector)
