"""What async tests are doing: each test and fixture that runs, and the tasks of every loop."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Final

import pytest

from pytest_asyncio.collect import fixtures
from pytest_asyncio.engine import event_loop
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.pytest_private import RealOutput
from pytest_asyncio.support.real_time import RealTime

from . import await_chains, task_tree
from .await_chains import Step
from .standing_loops import advise

TITLE: Final = "what async tests were doing"


def write(session: pytest.Session, cause: str) -> None:
    """Write what the tests of a session are doing to the real stderr, if any does anything.

    Called from any thread, and in handlers of signals.
    """
    text = "\n".join(lines(session))
    if text:
        worker: dict[str, str] = getattr(session.config, "workerinput", {})
        place = f" in {worker['workerid']}" if worker else ""
        RealOutput.of(session.config).write(f"{TITLE}{place}, {cause}", text)


def lines(session: pytest.Session, interruption: BaseException | None = None) -> Iterator[str]:
    """Yield what the tests of a session are doing, one paragraph for each test and each loop.

    `interruption` is what has just left a loop, or synchronous code.
    """
    state = SessionState.of(session)
    running = [run for run in state.all_running if not run.is_live]
    for run in running:
        yield _sentence(run, interruption)
    if not running:
        yield from _synchronous(session, interruption)
    first = running[0].task if running else None
    busy = {run.task.get_loop() for run in state.all_running}
    for owner, loop in tuple(state.open_loops.items()):
        if loop.is_closed():
            continue
        tree = task_tree.render(loop, session, first, interruption)
        if tree:
            name = owner.node.nodeid or "the session"
            stands = "" if loop in busy else ", which stands still"
            yield f"\nTasks of the loop of {name}{stands}:"
            yield from tree


def chain_of(run: Run | None, interruption: BaseException | None) -> list[Step]:
    """Return where a run is, or was when it was interrupted; None is synchronous code."""
    if run is not None and not (interruption and event_loop.is_outcome_of(run.task, interruption)):
        return await_chains.chain_of(run.task)
    if interruption is not None:
        return await_chains.chain_of_error(interruption)
    return await_chains.chain_of_thread(threading.main_thread())


def _sentence(run: Run, interruption: BaseException | None) -> str:
    seconds = RealTime.monotonic() - run.began
    what = f"its {run.phase}" if run.fixturedef is None else _phase_of(run.fixturedef, run.phase)
    at = _place_of(chain_of(run, interruption))
    return f"{run.item.nodeid}: {what} has taken {seconds:.1f} s{at}"


def _phase_of(fixture: pytest.FixtureDef[object], phase: str) -> str:
    title = fixtures.title_of(fixture, phase)
    return title[0].lower() + title[1:]


def _synchronous(session: pytest.Session, interruption: BaseException | None) -> Iterator[str]:
    """Tell where synchronous code is, if any test runs, and what may keep it waiting."""
    current = os.environ.get("PYTEST_CURRENT_TEST")
    at = _place_of(chain_of(None, interruption))
    if current is not None and at:
        nodeid, _, phase = current.rpartition(" ")
        yield f"{nodeid}: its {phase.strip('()')} has not ended{at}"
        item = pytest_private.item_in_progress(session)
        if item is not None and (advice := advise(item)):
            yield advice


def _place_of(chain: list[Step]) -> str:
    where = await_chains.last_of_users(chain)
    return "" if where is None else f", and is at {where}"
