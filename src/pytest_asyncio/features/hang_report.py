"""What async tests are doing: each test and fixture that runs, and the tasks of every loop."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Final

import pytest

from pytest_asyncio.collect import fixtures
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import await_chains, running_session
from pytest_asyncio.support.await_chains import Step
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.pytest_private import reporting, setup_state, xdist
from pytest_asyncio.support.real_time import RealTime

from . import fixture_order, loop_advice, task_tree, wakers, worker_threads
from .standing_loops import advise

TITLE: Final = "what async tests were doing"


def write(session: pytest.Session, cause: str) -> None:
    """Write what the tests of a session are doing to the real stderr, if any does anything.

    Called from any thread, and in handlers of signals.
    """
    text = written(session)
    if text:
        place = xdist.in_worker(session.config)
        reporting.RealOutput.of(session.config).write(f"{TITLE}{place}, {cause}", text)


def written(session: pytest.Session, interruption: BaseException | None = None) -> str:
    """Return what the tests of a session are doing, one paragraph for each test and each loop.

    `interruption` is what has just left a loop, or synchronous code.
    """
    with running_session.within(session):
        return "\n".join(_lines(session, interruption))


def _lines(session: pytest.Session, interruption: BaseException | None) -> Iterator[str]:
    state = SessionState.of(session)
    running = [run for run in state.all_running if not run.is_live]
    for run in running:
        yield _sentence(run, interruption)
        yield from wakers.said_of_ended(run.task, interruption)
        if advice := loop_advice.if_in_use(None, run.item):
            yield advice
        if run.fixturedef and (order := fixture_order.hint(run.fixturedef, run.item, run.phase)):
            yield order
    if not running:
        yield from _synchronous(session, interruption)
    first = running[0].task if running else None
    for loop in tuple(state.open_loops.values()):
        yield from task_tree.render_titled(loop, session, first, interruption)
    yield from worker_threads.others(tuple(state.open_loops.values()))


def chain_of(run: Run | None, interruption: BaseException | None) -> list[Step]:
    """Return where a run is, or what keeps its loop from it; None is synchronous code."""
    if run is not None:
        running = await_chains.running_on(run.task.get_loop(), interruption)
        return await_chains.chain_of(running or run.task, interruption)
    if interruption is not None:
        return await_chains.chain_of_error(interruption)
    return await_chains.chain_of_thread(threading.main_thread())


def _sentence(run: Run, interruption: BaseException | None) -> str:
    seconds = RealTime.monotonic() - run.began
    what = f"its {run.phase}" if run.fixturedef is None else _phase_of(run.fixturedef, run.phase)
    at = ", and has not begun"
    if await_chains.has_begun(run.task):
        at = _place_of(await_chains.chain_of(run.task, interruption)) or ", and has ended just now"
    running = await_chains.running_on(run.task.get_loop(), interruption)
    if running is not None and running is not run.task:
        where = await_chains.last_of_users(await_chains.chain_of(running, interruption))
        at += f", while {running.get_name()} has the loop at {where}"
    return f"{address(run.item)}: {what} has taken {seconds:.1f} s{at}"


def _phase_of(fixture: pytest.FixtureDef[object], phase: str) -> str:
    title = fixtures.title_of(fixture, phase)
    return title[0].lower() + title[1:]


def _synchronous(session: pytest.Session, interruption: BaseException | None) -> Iterator[str]:
    """Return where synchronous code is, if any test runs, and what may keep it waiting."""
    current = os.environ.get("PYTEST_CURRENT_TEST")
    at = _place_of(chain_of(None, interruption))
    if current is not None and at:
        nodeid, _, phase = current.rpartition(" ")
        item = setup_state.item_in_progress(session)
        name = nodeid if item is None else address(item)
        yield f"{name}: its {phase.strip('()')} has not ended{at}"
        if item is not None and (advice := advise(item)):
            yield advice


def _place_of(chain: list[Step]) -> str:
    where = await_chains.last_of_users(chain)
    return "" if where is None else f", and is at {where}"
