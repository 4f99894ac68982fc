"""Running the test of an item more than once within the one report that it has."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Final, TypeAlias, final

import pytest

from pytest_asyncio.engine import event_loop
from pytest_asyncio.engine.plan import Plan
from pytest_asyncio.engine.runs import Phase
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.pytest_private import reporting, setup_state

from .leaks import Leaks
from .summary import Repeated

_Phase: TypeAlias = tuple[pytest.CallInfo[None], pytest.TestReport]


class Variation:
    """What is different in one of the runs of a test. This one is as it is by itself."""

    def plan(self, plan: Plan) -> None:
        """Change what is known of the test before anything is set up for it."""

    def look_for(self, leaks: Leaks) -> None:
        """Say what the checks are to look for in the run."""
        leaks.stop()

    def around_call(self, item: pytest.Function) -> AbstractContextManager[None]:
        """Return what the call of the test takes place in."""
        return nullcontext()

    def surround(self, awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
        """Return what awaits the test, or one of its examples if Hypothesis calls it."""
        return awaitable if inspect.iscoroutine(awaitable) else event_loop.wait_for(awaitable)

    def explanation(self) -> str | None:
        """Say what was different, for the report of a failure."""
        return None


@final
class Attempt:
    """One run of an item's test. Nothing of it is reported before it is finished."""

    def __init__(self, item: pytest.Function) -> None:
        self._item: Final = item
        self._hook: Final = item.ihook
        self._properties: Final = list(item.user_properties)
        self._phases: Final[list[_Phase]] = []
        self._is_down = False

    @property
    def error(self) -> BaseException | None:
        """What the first phase raised that raised anything."""
        raised = (call.excinfo for call, _ in self._phases)
        return next((info.value for info in raised if info is not None), None)

    @property
    def seconds(self) -> float:
        return sum(call.duration for call, _ in self._phases)

    def begin(self) -> None:
        """Set the test up and call it."""
        pytest_private.begin_again(self._item)
        self._go_through("setup")
        if self.error is None:
            self._go_through("call")

    def discard(self) -> None:
        """Tear down what is the test's own, so that it can be run again."""
        self._is_down = True
        self._go_through("teardown", nextitem=self._item)
        if self.error is None:
            self._item.user_properties[:] = self._properties

    def finish(self, nextitem: pytest.Item | None, repeated: Repeated) -> None:
        """Report the run, and tear down what the next item does not need."""
        session = self._item.session
        for phase in self._phases:
            self._report(*phase, repeated)
        if session.shouldfail or session.shouldstop:
            nextitem = None
        if not self._is_down:
            self._report(*self._go_through("teardown", nextitem=nextitem), repeated)
            return
        # Hooks of the test's teardown have been called. What is wider is left.
        phase = self._take("teardown", partial(setup_state.tear_down, session, nextitem))
        if phase[1].failed:
            self._report(*phase, repeated)

    def _go_through(self, when: Phase, **arguments: Any) -> _Phase:
        hook = getattr(self._hook, f"pytest_runtest_{when}")
        phase = self._take(when, partial(hook, item=self._item, **arguments))
        self._phases.append(phase)
        return phase

    def _take(self, when: Phase, act: Callable[[], object]) -> _Phase:
        reraised = pytest_private.reraised(self._item.config)
        call: pytest.CallInfo[None] = _call_info(act, when=when, reraise=reraised)
        if call.excinfo is not None:
            gc.collect()  # What earlier runs have left is to speak up now, and not in the report.
        return call, self._hook.pytest_runtest_makereport(item=self._item, call=call)

    def _report(
        self, call: pytest.CallInfo[None], report: pytest.TestReport, repeated: Repeated
    ) -> None:
        if report.when == "call":
            repeated.add_to(report)
        self._hook.pytest_runtest_logreport(report=report)
        if reporting.is_interactive(call, report):
            self._hook.pytest_exception_interact(node=self._item, call=call, report=report)


_call_info: Final[Any] = pytest.CallInfo.from_call  # Typed, it would be subscripted at each call.


Search: TypeAlias = Generator[Variation, Attempt, None]
"""Gives out the variations in which a test is to be run, and gets each run before its teardown.

The last one, which is reported, is the first that raised anything, unless the search goes on.
"""
