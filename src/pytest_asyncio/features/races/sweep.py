"""The sweep: a test is run again for each of its awaits, cancelled there."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Awaitable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple, final

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.engine import async_tests
from pytest_asyncio.support import await_chains, frames, instruments
from pytest_asyncio.support.await_chains import Step
from pytest_asyncio.support.instruments import Instruments

from .attempts import Attempt, Search, Variation
from .awaits import SWEEP, CancellableBlock, Watched, name_of
from .leaks import Leaks
from .summary import Repeated


class Place(NamedTuple):
    """Where, and when, a test is cancelled.

    A task is cancelled while it waits, or when it has been woken: what it waited for is done, and
    the task has not run yet.
    """

    is_woken: bool
    number: int

    def __str__(self) -> str:
        return f"{'woken' if self.is_woken else 'waiting'}:{self.number}"


def search(item: pytest.Function, repeated: Repeated) -> Search:
    """Run a test as it is, and then once for each place to cancel it."""
    given = options.of(item.config)
    first = Cancellation(item)
    attempt: Attempt = yield first
    if attempt.error is not None:
        return
    awaits = first.awaits
    places = list(_places(awaits))
    if given.cancel not in (None, options.EVERYWHERE):
        places = [place for place in places if str(place) == given.cancel]
    chosen = _spread(places, given.cancel_runs)
    repeated.left_out += len(places) - len(chosen)
    before: Cancellation | None = None
    for place in chosen:
        cancellation = Cancellation(item, place, len(awaits), first.has_block, before)
        attempt = yield cancellation
        if attempt.error is not None:
            return
        before = cancellation


def _places(awaits: Sequence[bool]) -> Iterator[Place]:
    for number, has_future in enumerate(awaits, 1):
        yield Place(is_woken=False, number=number)
        if has_future:  # What only waits for the next iteration is woken from the start.
            yield Place(is_woken=True, number=number)


def _spread(places: list[Place], limit: int) -> list[Place]:
    """Return as many places as there may be, from the first to the last."""
    if len(places) <= limit:
        return places
    return [places[index * len(places) // limit] for index in range(limit)]


@final
class Cancellation(Variation):
    """A run that is cancelled in one place, or in none."""

    def __init__(
        self,
        item: pytest.Function,
        place: Place | None = None,
        number_of_awaits: int = 0,
        has_block: bool = False,
        before: Cancellation | None = None,
    ) -> None:
        self.has_block: bool = has_block
        """Whether the test has a block, which alone is to be cancelled."""
        self._item: Final = item
        self._place: Final = place
        self._number_of_awaits: Final = number_of_awaits
        self._before: Final = before
        self._awaits_of_test: Final[list[bool]] = []
        self._awaits_of_block: Final[list[bool]] = []
        self._blocks: Final[dict[Task[Any], list[CancellableBlock]]] = {}
        self._has_fired = False
        self.is_over: bool = False
        self._test: Task[Any] | None = None
        self._where = ""
        self._went_on = ""

    @property
    def awaits(self) -> list[bool]:
        """The awaits so far, and whether each is one of a future."""
        return self._awaits_of_block if self.has_block else self._awaits_of_test

    def surround(self, awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
        self._awaits_of_test.clear()  # Each example of Hypothesis counts for itself.
        self._awaits_of_block.clear()
        return Watched(self._whole_test(awaitable), self.see)

    def look_for(self, leaks: Leaks) -> None:
        if self._place is None:
            leaks.watch_first()
        else:
            # Nothing says that a test is to end what it has started, if it is cancelled itself.
            leaks.watch_cancelled(None if self.has_block else str(self._item.path))

    @contextmanager
    def around_call(self, item: pytest.Function) -> Generator[None]:
        loop = async_tests.prepare(item).loop
        token = SWEEP.set(self)
        tasks = _watched_tasks(loop, self)
        instruments.attach(loop, tasks)
        try:
            yield
        finally:
            self.is_over = True
            SWEEP.reset(token)
            instruments.detach(loop, tasks)
        if self._went_on:
            pytest.fail(self._went_on, pytrace=False)

    def explanation(self) -> str | None:
        if self._place is None:
            return None
        if self._has_fired:
            return (
                f"{self._where}.\nWithout that it passes. Repeat this run alone with "
                f"--asyncio-cancel={self._place}"
            )
        if self._before is None:
            return (
                "The test has passed, was run again, and has failed before it was cancelled. It "
                "cannot be run more than once: something that it changes outlives it."
            )
        return (
            "This run has failed before it was cancelled. In the run before,\n"
            f"{self._before._where}.\nThat has spoiled what the runs share, such as a fixture that "
            "is wider than the function.\nRepeat that run alone with "
            f"--asyncio-cancel={self._before._place}"
        )

    async def _whole_test(self, awaitable: Awaitable[Any]) -> Any:
        __tracebackhide__ = True
        async with CancellableBlock(is_whole_test=True):
            return await awaitable

    def entered(self, block: CancellableBlock, task: Task[Any]) -> None:
        if block.is_whole_test:
            self._test = task
        else:
            self.has_block = True
        self._blocks.setdefault(task, []).append(block)

    def left(self, block: CancellableBlock, task: Task[Any]) -> None:
        self._blocks[task].remove(block)

    def went_on(self, block: CancellableBlock, task: Task[Any]) -> None:
        self._went_on = f"{self._name_of(task)} was cancelled, and went on."

    def see_task(self, task: Task[Any]) -> None:
        """Have a task that is started in a block cancelled too, if that is asked for."""
        blocks = self._blocks_of(asyncio.current_task())
        if blocks and blocks[-1].tasks:
            self._blocks[task] = [CancellableBlock(tasks=True)]
            task.add_done_callback(self._see_end)

    def _see_end(self, task: Task[Any]) -> None:
        (block,) = self._blocks.pop(task)
        if block.fired and not task.cancelled() and task.exception() is None:
            self.went_on(block, task)

    def see(self, future: Future[Any] | None) -> None:
        task = asyncio.current_task()
        blocks = self._blocks_of(task)
        if not blocks or (blocks[-1].is_whole_test and self.has_block):
            return
        assert task is not None
        block = blocks[-1]
        awaits = self._awaits_of_test if block.is_whole_test else self._awaits_of_block
        awaits.append(future is not None)
        place = self._place
        if place is None or self._has_fired or place.number != len(awaits) or self.is_over:
            return
        self._where = self._described(task, place)
        cancel = partial(self._cancel, task, block)
        if place.is_woken and future is not None:
            future.add_done_callback(cancel)
        else:
            task.get_loop().call_soon(cancel)

    def _cancel(self, task: Task[Any], block: CancellableBlock, _: object = None) -> None:
        """Cancel a task, unless it has gone on from the place, or is cancelled anyway."""
        assert self._place is not None
        is_inside = block in self._blocks_of(task)
        if is_inside and len(self.awaits) == self._place.number and not task.cancelling():
            self._has_fired = block.fired = True
            task.cancel()

    def _blocks_of(self, task: Task[Any] | None) -> list[CancellableBlock]:
        return [] if task is None else self._blocks.get(task, [])

    def _described(self, task: Task[Any], place: Place) -> str:
        when = "when woken" if place.is_woken else "while waiting"
        what = f"{self._name_of(task)} was cancelled {when}"
        which = f"await {place.number} of {self._number_of_awaits}"
        steps = [step for step in await_chains.chain_of(task) if frames.is_users(step.frame)]
        if not steps:  # The task of Python's own, whose line nobody would know.
            return f"{what}, {which}"
        own = [step for step in steps if frames.kind_of(step.frame) == "user"]
        there = _last_of_package(steps[steps.index(own[-1]) + 1 :] if own else steps) or own[-1]
        # The line that has led there: the last of the suite's, or else the test's.
        led = next((step for step in [*own[-1:], *own[:1]] if step != there), None)
        end = f"{what} at {there}, {which}"
        return end if led is None else f"{end}\n  on the way from {led}"

    def _name_of(self, task: Task[Any]) -> str:
        name = name_of(task)
        return self._item.name if task is self._test else f"{name[0].upper()}{name[1:]}"


def _last_of_package(steps: Sequence[Step]) -> Step | None:
    """Return the last line of the package that is entered first, not of what that may stand on."""
    if not steps:
        return None
    package = _package_of(steps[0])
    return next(step for step in reversed(steps) if _package_of(step) == package)


def _package_of(step: Step) -> str:
    return str(step.frame.f_globals.get("__name__")).partition(".")[0]


def _watched_tasks(loop: AbstractEventLoop, cancellation: Cancellation) -> Instruments:
    """Return what makes the tasks of a loop so that their awaits are seen."""
    create = loop.create_task

    def create_task(coroutine: Any, **arguments: Any) -> Task[Any]:
        if cancellation.is_over or not asyncio.iscoroutine(coroutine):
            return create(coroutine, **arguments)
        task = create(Watched(coroutine, cancellation.see), **arguments)
        if loop.is_running():
            cancellation.see_task(task)
        return task

    return {"create_task": create_task}
