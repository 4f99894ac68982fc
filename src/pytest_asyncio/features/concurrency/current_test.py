"""The current test, which pytest runs itself; where it waits, others may run beside it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Final, final
from warnings import WarningMessage

import pytest

from pytest_asyncio.engine import async_tests, context
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.runs import ACTIVE_TEST, ActiveTest, Run
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.pytest_private import reporting, setup_state

from . import output
from .output import Show, Warnings


@final
class CurrentTest(ActiveTest):
    """The test that pytest runs."""

    def __init__(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        super().__init__()
        self.item: Final = item
        self.nextitem: Final = nextitem
        self.is_alone: bool = False
        """Whether it has a fixture that acts on the whole process."""
        self._has_waited = False
        self._before: Context | None = None
        """Where its own fixtures have changed nothing yet."""
        self._warnings: Final = Warnings()
        self._rejoin: Callable[[], None] | None = None

    @property
    def owner(self) -> LoopOwner | None:
        return async_tests.owner_of(self.item)

    def owns(self, run: Run, owner: LoopOwner) -> bool:
        """Return whether a run is that of the test, or of a fixture of its own, on its loop."""
        return (
            run.item is self.item
            and (run.fixturedef is None or run.fixturedef.scope == "function")
            and owner is self.owner
        )

    def remember_context(self, request: pytest.FixtureRequest) -> None:
        """Know what is to be put aside, before the first of the fixtures that are its own."""
        if self._before is None and pytest_private.is_own(request):
            self._before = copy_context()

    @contextmanager
    def heard(self) -> Generator[None]:
        """Let pytest run the test as an active one, so that none of its warnings comes twice."""
        state = SessionState.of(self.item.session)
        before, state.current_test = state.current_test, self
        token = ACTIVE_TEST.set(self)
        try:
            with output.showing_warnings(self._show):
                yield
        finally:
            self.is_over = True
            ACTIVE_TEST.reset(token)
            state.current_test = before

    def _show(self, show: Show, warning: WarningMessage) -> None:
        if self._warnings.add(warning) or not self._has_waited:
            show(warning)

    def begin_waiting(self) -> None:
        """Wait, while others go on."""
        self._has_waited = True
        output.forget_warnings()

    @contextmanager
    def put_aside(self) -> Generator[None]:
        """Let another test go on where nothing is to be seen of this one."""
        self.rejoin()
        # One without variables is false.
        before = copy_context() if self._before is None else self._before
        with reporting.current_test_kept(), context.put_aside(before):
            yield

    def isolate(self) -> None:
        """Let pytest see no other test as set up, until it is rejoined."""
        if self._rejoin is None:
            self._rejoin = setup_state.isolate(self.item)

    def rejoin(self) -> None:
        if self._rejoin is not None:
            self._rejoin()
            self._rejoin = None
