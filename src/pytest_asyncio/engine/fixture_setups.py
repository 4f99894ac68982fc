"""The setup of one async fixture: by whom it is awaited, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from abc import ABC, abstractmethod
from asyncio import CancelledError, Future, Task
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import copy_context
from types import TracebackType
from typing import Any, Final, NoReturn, TypeVar, final

import pytest

from pytest_asyncio.collect import fixtures
from pytest_asyncio.support import asyncio_private, pytest_private

from . import event_loop, runs
from .context import OwnContext
from .loops import LoopOwner
from .runs import Run

T = TypeVar("T")


@final
class Cancelled(pytest_private.Failed):
    """A test or fixture was cancelled because a fixture that it uses has ended."""

    __module__ = "builtins"  # as pytest's own outcomes, whose reports show no module

    def __init__(self, ended: Setup) -> None:
        super().__init__(
            f"The async {ended} ended while it was in use. If that was an error, it is shown "
            "above, at its teardown."
        )


class Deferred(Exception):
    """Leave pytest's synchronous request of a fixture, so that its setup can be awaited."""

    def __init__(self, setup: Setup) -> None:
        self.setup: Final = setup


class Setup(ABC):
    """The setup of one async fixture."""

    run: Run

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        fixturedef: pytest.FixtureDef[Any],
        request: pytest.FixtureRequest,
        owner: LoopOwner,
        own: OwnContext,
    ) -> None:
        self.fixturedef: Final = fixturedef
        self.request: pytest.FixtureRequest = request
        self.owner: Final = owner
        self.loop: Final = owner.loop
        self.own: Final = own
        self.item: pytest.Function = pytest_private.item_of(request)
        self.on_join: Callable[[pytest.FixtureRequest], None] | None = None
        """Is called when pytest requests what was begun early."""
        self.failures: Final[dict[pytest.Item, tuple[BaseException, TracebackType | None]]] = {}
        """What tests have raised, and where, in which the fixture has ended too early."""
        self._has_begun = False
        self._policy: Final = asyncio_private.policy_in_force()
        self.settling: Future[None] | None = None
        """Ends when what the setup has come to can be found, for those that wait for it too."""
        self._coroutine: Final = coroutine
        self._title: Final = fixtures.title_of(fixturedef)

    def __str__(self) -> str:
        return self._title

    def begin(self) -> None:
        """Begin the setup, unless it was begun early, to wait for it next."""
        if not self._has_begun:
            self.begin_early()
        for call in self.owner.state.on_setup_awaited:
            call(self)

    def begin_early(self) -> None:
        self._has_begun = True
        self.run = self._begun()

    def join(self, request: pytest.FixtureRequest) -> None:
        """Be the setup that a request waits for, which was begun before that."""
        assert self.on_join is not None
        self.request, self.item = request, pytest_private.item_of(request)
        self.on_join(request)

    def _begun(self) -> Run:
        return Run(self._start(), self.item, "setup", self.fixturedef)

    def _start(self) -> Task[Any]:
        coroutine = self._coroutine
        if self.loop.is_running() and self.loop.get_task_factory() is not None:
            coroutine = _in_next_iteration(coroutine)  # At once, it would be outside of its run.
        return self.loop.create_task(coroutine, name=self._title, context=self.own.context)

    def value(self) -> Any:
        """Return the value of the fixture, once the run is over, and have it torn down."""
        __tracebackhide__ = True
        if asyncio_private.policy_in_force() is not self._policy:
            self.request.addfinalizer(
                functools.partial(asyncio_private.put_policy_in_force, self._policy)
            )
        return self._value()

    @abstractmethod
    def _value(self) -> Any: ...

    def begin_teardown(self) -> Run | None:
        """Return the run, if there is one, to be gone through before the fixture is torn down."""
        return None

    def finish(self) -> None:
        """Tear the fixture down, which has ended too early, unless that is done."""
        __tracebackhide__ = True
        ended = self.owner.state.ended
        if self in ended:
            ended.remove(self)
            pytest_private.finish(self.fixturedef, self.request)

    def go_through(self, run: Run) -> None:
        """Let a run take place."""
        __tracebackhide__ = True
        try:
            self.owner.run(run)
        except _NO_EXCEPTIONS as error:
            raise self._exception(run, error) from error

    def _result(self, run: Run) -> Any:
        """Return or raise what a run did."""
        __tracebackhide__ = True
        try:
            return run.result()
        except Cancelled:
            if run is self.run:  # No fault of its own: the next item is to get a new one.
                self.owner.state.ended.append(self)
            raise
        except _NO_EXCEPTIONS as error:
            raise self._exception(run, error) from error

    def _exception(self, run: Run, error: BaseException) -> Exception:
        """Return what to raise in place of what is no Exception.

        pytest forgets the other finalizers when one raises that, and trips over a wide fixture
        whose setup did.
        """
        return RuntimeError(f"The {run.phase} of {self} raised {error!r}.")

    def synchronously(self) -> Any:
        """Run the setup, and return the value of the fixture."""
        __tracebackhide__ = True
        with self.owner.standstill():
            self.begin()
            begins_others = self.owner.state.on_setup_awaited and fixtures.is_parallel(
                self.fixturedef
            )
            if self.owner.is_shared or begins_others:
                self._go_through_beside_others()
            else:
                self.go_through(self.run)
            return self.value()

    def _go_through_beside_others(self) -> None:
        """Let what runs meanwhile wait for the fixture in place of setting it up too."""
        __tracebackhide__ = True
        with self._settling():
            pytest_private.hold_with_error(self.fixturedef, self.request, Deferred(self))
            try:
                self.go_through(self.run)
            finally:
                pytest_private.release(self.fixturedef)

    @contextlib.contextmanager
    def _settling(self) -> Generator[None]:
        self.settling = self.loop.create_future()
        try:
            yield
        finally:
            self.settling.set_result(None)

    def wait_for_other(self, item: pytest.Function) -> None:
        """Wait, in synchronous code, for a setup that goes on for another request."""
        __tracebackhide__ = True
        assert self.settling is not None
        if self.settling.done():
            pytest.fail(
                f"The async {self} was requested synchronously while another test awaited its "
                "setup. Request it as an argument.",
                pytrace=False,
            )
        # To be cancelled while it waits cancels nothing that others wait for.
        waiting = asyncio.wait({self.settling})
        run = runs.begin(self.loop, waiting, copy_context(), item, "setup", self.fixturedef)
        self.owner.run(run)
        run.result()

    async def settle(self) -> None:
        """Wait for the setup, and let pytest find its value as if it had waited itself."""
        with self._settling():
            self.begin()
            try:
                await self.owner.wait_for(self.run)
            except CancelledError:
                self.run.break_off()
                await event_loop.cancel({self.run.task})
                pytest_private.finish(self.fixturedef, self.request)
                raise
            self.settled()

    def settled(self) -> None:
        """Let pytest find what the setup, which is over, has come to."""
        pytest_private.finish_before_what_it_requested(self.fixturedef, self.request)
        if self.run.is_given_up:
            assert self.run.failure is not None
            pytest_private.settle_with_error(self.fixturedef, self.request, self.run.failure)
            return
        try:
            value = self.value()
        except BaseException as error:
            pytest_private.settle_with_error(self.fixturedef, self.request, error)
        else:
            pytest_private.settle(self.fixturedef, self.request, value)


async def _in_next_iteration(coroutine: Coroutine[Any, Any, T]) -> T:
    await event_loop.next_iteration()
    return await coroutine


@final
class Awaited(Setup):
    """A fixture that returns."""

    def __init__(self, awaitable: Awaitable[Any], *args: Any) -> None:
        coroutine = awaitable if inspect.iscoroutine(awaitable) else event_loop.wait_for(awaitable)
        super().__init__(coroutine, *args)

    def _value(self) -> Any:
        __tracebackhide__ = True
        value = self._result(self.run)
        runs.publish(self.own, self.request, self.owner.state.running)
        self.request.addfinalizer(self.own.put_back)
        return value


def raise_again(error: BaseException) -> NoReturn:
    """Stand, as a finalizer, for one that has raised an error before."""
    __tracebackhide__ = True
    raise error


_NO_EXCEPTIONS: Final = (CancelledError, GeneratorExit, SystemExit)
