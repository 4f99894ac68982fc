"""Threads for the tests that share a loop: each has as many as it would have on its own loop."""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop, BaseEventLoop
from concurrent.futures import ThreadPoolExecutor
from typing import Final, final

import pytest

from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.session import Observer
from pytest_asyncio.support import asyncio_private

_OF_EACH: Final = min(32, (os.cpu_count() or 1) + 4)
"""How many threads the default executor of a loop has, by default."""


@final
class Executors(Observer):
    """Gives loops that tests share a default executor of as many threads as these would have.

    Two calls of which one waits for the other would wait for ever where the calls of other tests
    have all the threads. An executor starts each of its threads when there is none that is free.
    """

    def __init__(self, tests_at_once: int) -> None:
        self._threads: Final = _OF_EACH * tests_at_once

    def loop_opened(self, owner: LoopOwner) -> None:
        is_of_one = isinstance(owner.node, pytest.Item)
        if not is_of_one and _would_make_one(owner.loop):
            owner.loop.set_default_executor(ThreadPoolExecutor(self._threads, "asyncio"))


def _would_make_one(loop: AbstractEventLoop) -> bool:
    """Return whether a loop has no executor, and would make one as asyncio does; uvloop does so."""
    is_known = isinstance(loop, BaseEventLoop) or type(loop).__module__.startswith("uvloop")
    return is_known and asyncio_private.executor_of(loop) is None
