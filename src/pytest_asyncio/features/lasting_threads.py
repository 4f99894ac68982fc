"""Threads that keep the process from ending after the session: it is said which they are."""

from __future__ import annotations

import sys
import threading
from collections.abc import Set as AbstractSet
from functools import partial
from threading import Thread
from typing import Final
from weakref import WeakSet

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.support import await_chains, threads
from pytest_asyncio.support.pytest_private import xdist
from pytest_asyncio.support.real_time import RealTime

_CHECK: Final = "open-resources"


def start(session: pytest.Session) -> None:
    """Have it said why the process does not end, if it does not, after the session."""
    session.config.add_cleanup(partial(_look, session.config, WeakSet(threading.enumerate())))


def _look(config: pytest.Config, before: AbstractSet[Thread]) -> None:
    left = [thread for thread in threads.lasting() if thread not in before]
    if left:
        place = xdist.in_worker(config)
        advice = "Close what they work for, or press Ctrl-C."
        if not {"all", _CHECK}.intersection(options.of(config).checks):
            advice += f"\n--asyncio-checks={_CHECK} says which test or fixture has started them."
        tell = partial(
            _tell, left, f"\npytest{place} waits for threads that tests have left", advice
        )
        Thread(target=tell, name="pytest-asyncio end", daemon=True).start()


def _tell(left: list[Thread], title: str, advice: str) -> None:
    """Wait for the end of the process, and if that does not come, say why."""
    threading.main_thread().join()  # It is over when the process waits for the other threads.
    RealTime.sleep(threads.GRACE)
    lines = [f"    {await_chains.described_thread(one)}" for one in left if one.is_alive()]
    if lines:
        print("\n".join([f"{title}:", *lines, advice]), file=sys.__stderr__, flush=True)
