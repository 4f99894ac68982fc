"""The life of one async fixture, from its setup to its teardown."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import itertools
from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop, CancelledError, Future, Task
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator
from collections.abc import Set as AbstractSet
from contextvars import copy_context
from types import AsyncGeneratorType
from typing import Any, Final, NoReturn, Protocol, TypeVar, final

import pytest

from pytest_asyncio.collect import fixtures, loop_scopes
from pytest_asyncio.collect.loop_factories import ChosenFactory, NamedFactory
from pytest_asyncio.support import asyncio_private, finalizers, pytest_private
from pytest_asyncio.support.callables import is_awaitable, kind_of, standing_in_for
from pytest_asyncio.support.foreign import holds, is_a
from pytest_asyncio.support.types import ClockName, LoopFactory
from pytest_asyncio.support.warn import advise

from . import event_loop, loops, runs
from .context import OwnContext
from .deferred_requests import in_one_go, no_deferral
from .loops import LoopOwner, factory_of
from .plan import OUTCOME, Plan
from .runs import Run
from .session import SessionState

T = TypeVar("T")


def owner_for(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, planned: Plan | None
) -> LoopOwner:
    """Return the owner of the loop that a fixture runs on, for an item with a plan or without."""
    item = pytest_private.item_of(request)
    node = loop_scopes.node_of_fixture(
        fixturedef, request.scope, item, None if planned is None else planned.mark
    )
    factory = factory_of(item, planned)
    owner = vars(fixturedef)[_OWNER] = loops.owner_of(node, factory)
    owner.use()
    if request.scope != "function":
        owner.fixtures[fixturedef] = request
        request.addfinalizer(functools.partial(_forget, owner, fixturedef))
    return owner


def _forget(owner: LoopOwner, fixturedef: pytest.FixtureDef[Any]) -> None:
    """A finalizer, whose signature other plugins may read."""
    owner.fixtures.pop(fixturedef, None)


def owners_used_by(item: pytest.Function) -> set[LoopOwner]:
    """Return the owners of the loops of the async fixtures that an item has requested so far."""
    overridden = itertools.chain(*pytest_private.fixture_definitions(item).values())
    used = itertools.chain(pytest_private.requested_fixtures(item), overridden)
    return {owner for owner in map(owner_in_use, used) if owner is not None}


def owner_in_use(fixturedef: pytest.FixtureDef[Any]) -> LoopOwner | None:
    """Return the owner of the loop that a fixture runs on, if it is async and that is open."""
    owner: LoopOwner | None = vars(fixturedef).get(_OWNER)
    return None if owner is None or owner.opened is None else owner


def synchronous(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest, planned: Plan | None
) -> Callable[..., Any]:
    """Return what pytest can call, in place of its function, to set up a fixture of ours."""
    function = pytest_private.bound_fixture_function(fixturedef, request)
    if kind_of(function) is not None:
        fixtures.advise_of_unset_option(fixturedef, pytest_private.item_of(request))
        call = _awaited(function, fixturedef, request, planned)
    else:
        if fixtures.DEFERRAL in request.session.stash:
            function = in_one_go(function, request)
        call = _on_its_loop(function, fixturedef, request, planned)
    return standing_in_for(function, call)


def _on_its_loop(
    function: Callable[..., Any],
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    planned: Plan | None,
) -> Callable[..., Any]:
    """Let a synchronous function find its loop by `asyncio.get_event_loop()`."""

    def call(**kwargs: Any) -> Any:
        __tracebackhide__ = True
        with owner_for(fixturedef, request, planned).found():
            return function(**kwargs)

    def generate(**kwargs: Any) -> Iterator[Any]:
        __tracebackhide__ = True
        owner = owner_for(fixturedef, request, planned)
        generator: Iterator[Any] = function(**kwargs)
        for _ in range(2):
            with owner.found():
                values = tuple(itertools.islice(generator, 1))
            yield from values

    return generate if holds(inspect.isgeneratorfunction, function) else call


def _awaited(
    function: Callable[..., Any],
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    planned: Plan | None,
) -> Callable[..., Any]:
    """Let an async function run on its loop."""

    def set_up(**kwargs: Any) -> Any:
        __tracebackhide__ = True
        session = pytest_private.item_of(request).session
        # get() costs four times as much to find out that there is none.
        is_deferring = fixtures.DEFERRAL in session.stash
        can_await = session.stash[fixtures.DEFERRAL] if is_deferring else None
        owner = owner_for(fixturedef, request, planned)
        fixtures.timeout_of(fixturedef)  # It fails here if it is wrong, and not in the run.
        if can_await is None and owner.running is not None:
            _refuse(fixturedef)
        is_deferred = can_await is not None and can_await(owner, fixturedef)
        own = OwnContext()
        result = own.context.run(function, **kwargs)
        if is_awaitable(result):
            setup: Setup = _Awaiting(result, fixturedef, request, owner, own)
        elif (stages := _stages_of(result, fixturedef, request)) is not None:
            setup = Lifetime(stages, fixturedef, request, owner, own)
        else:
            return result
        if is_deferred:
            raise Deferred(setup)
        if can_await is None:
            return setup.synchronously()
        with no_deferral(session):
            return setup.synchronously()

    return set_up


def _refuse(fixturedef: pytest.FixtureDef[Any]) -> NoReturn:
    pytest_private.refuse(
        f"The async fixture {fixturedef.argname!r} is requested by code that runs on an event "
        "loop, which cannot wait for it synchronously. Write\n"
        f"    await pytest_asyncio.getfixturevalue(request, {fixturedef.argname!r})"
    )


@final
class Cancelled(pytest_private.Failed):
    """A test or fixture was cancelled because a fixture that it uses has ended."""

    __module__ = "builtins"  # as pytest's own outcomes, whose reports show no module

    def __init__(self, ended: Setup) -> None:
        super().__init__(
            f"The async {ended} ended while it was in use. If that was an error, it is shown at "
            "its teardown."
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
        self.request: Final = request
        self.owner: Final = owner
        self.loop: Final = owner.loop
        self.own: Final = own
        self.item: Final = pytest_private.item_of(request)
        self._policy: Final = asyncio_private.policy_in_force()
        self.settling: Future[None] | None = None
        """Ends when what the setup has come to can be found, for those that wait for it too."""
        self._coroutine: Final = coroutine
        self._title: Final = fixtures.title_of(fixturedef)

    def __str__(self) -> str:
        return self._title

    def begin(self) -> None:
        self.run = Run(self._start(), self.item, "setup", self.fixturedef)

    def _start(self) -> Task[Any]:
        coroutine = self._coroutine
        if self.loop.is_running() and self.loop.get_task_factory() is not None:
            coroutine = _after_a_turn(coroutine)  # Started at once, it would be outside of its run.
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
        ended = self.request.session.stash[_ENDED]
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
                self.request.session.stash[_ENDED].append(self)
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
            if self.owner.is_shared:
                self._go_through_beside_others()
            else:
                self.go_through(self.run)
            return self.value()

    def _go_through_beside_others(self) -> None:
        """Let tests that run meanwhile wait for the fixture in place of setting it up too."""
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
            pytest_private.settle_with_error(self.fixturedef, self.run.failure)
            return
        try:
            value = self.value()
        except BaseException as error:
            pytest_private.settle_with_error(self.fixturedef, error)
        else:
            pytest_private.settle(self.fixturedef, value)


async def _after_a_turn(coroutine: Coroutine[Any, Any, T]) -> T:
    await event_loop.turn()
    return await coroutine


@final
class _Awaiting(Setup):
    """A fixture that returns."""

    def __init__(self, awaitable: Awaitable[Any], *args: Any) -> None:
        coroutine = awaitable if inspect.iscoroutine(awaitable) else event_loop.wait_for(awaitable)
        super().__init__(coroutine, *args)

    def _value(self) -> Any:
        __tracebackhide__ = True
        value = self._result(self.run)
        runs.publish(self.own, self.request, self.owner.running)
        self.request.addfinalizer(self.own.put_back)
        return value


class _Stages(Protocol):
    """A fixture in two stages: its setup, and its teardown."""

    async def enter(self) -> Any: ...

    async def leave(self, cancellation: BaseException | None) -> None:
        """Go on after the `yield`, raising `cancellation` there if there is one."""

    def variables(self) -> list[object]:
        """Return what the variables of its function hold."""
        ...


def _stages_of(
    result: object, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> _Stages | None:
    if is_a(result, AsyncGenerator):
        return _Generator(result, fixturedef.argname, pytest_private.item_of(request))
    # Left alone in plain fixtures: their tests enter the context manager themselves.
    if is_a(result, contextlib.AbstractAsyncContextManager) and fixtures.is_declared(fixturedef):
        return _ContextManager(result)
    return None


@final
class _Generator:
    def __init__(self, generator: Any, name: str, item: pytest.Function) -> None:
        self._generator: AsyncGenerator[Any, None] = generator
        self._name = name
        self._item = item

    def variables(self) -> list[object]:
        frame = getattr(self._generator, "ag_frame", None)
        return [] if frame is None else list(frame.f_locals.values())

    async def enter(self) -> Any:
        try:
            return await anext(self._generator)
        except StopAsyncIteration:
            reason = f"The async fixture {self._name!r} did not yield a value."
            raise pytest.fail.Exception(reason, pytrace=False) from None

    async def leave(self, cancellation: BaseException | None) -> None:
        generator: object = self._generator
        if is_a(generator, AsyncGeneratorType) and generator.ag_frame is None:
            advise(
                self._item,
                f"The async fixture {self._name!r} was closed before its teardown, probably by "
                "shutdown_asyncgens() on its event loop. Leave that to the plugin.",
            )
            return
        try:
            if cancellation is None:
                await anext(self._generator)
            else:
                await self._generator.athrow(cancellation)
        except StopAsyncIteration:
            return
        await self._generator.aclose()
        pytest.fail(
            f"The async fixture {self._name!r} has more than one 'yield'. What follows the first "
            "is its teardown and must not yield again.",
            pytrace=False,
        )


@final
class _ContextManager:
    def __init__(self, manager: Any) -> None:
        self._manager: contextlib.AbstractAsyncContextManager[Any] = manager

    def variables(self) -> list[object]:
        return list(vars(self._manager).values())

    async def enter(self) -> Any:
        return await self._manager.__aenter__()

    async def leave(self, cancellation: BaseException | None) -> None:
        kind = None if cancellation is None else type(cancellation)
        if not await self._manager.__aexit__(kind, cancellation, None) and cancellation is not None:
            raise cancellation


@final
class Lifetime(Setup):
    """A fixture that yields: one task from its setup to its teardown.

    Cancel scopes, task groups and time-outs belong to the task that entered them, so the task
    that sets the fixture up waits at the `yield`, while its loop runs tests or stands still,
    until the teardown. Such a scope may cancel the task there. That ends what uses the fixture
    at the moment, but not yet the fixture: what depends on it is torn down first, and only then
    does the fixture's own code see the cancellation, which it turns into its own exception.
    """

    def __init__(self, stages: _Stages, *args: Any) -> None:
        super().__init__(self._live(), *args)
        self._stages = stages
        self._cancellation: BaseException | None = None
        self._leaving = False
        self._teardown: Run | None = None
        self._at_yield: Future[None] = self.loop.create_future()
        self._yielded: Future[Any] = self.loop.create_future()

    def begin(self) -> None:
        task = self._start()
        task.add_done_callback(self._end_setup)
        self.run: Run = Run(task, self.item, "setup", self.fixturedef, awaited=self._yielded)
        self.run.on_break_off = self._leave

    def _value(self) -> Any:
        __tracebackhide__ = True
        self.run.on_break_off = None  # A cycle would keep the generator from being freed at once.
        self.run.task.remove_done_callback(self._end_setup)  # It would take the loop another turn.
        if self.run.task.done():
            self._result(self.run)
        runs.publish(self.own, self.request, self.owner.running)
        self.request.addfinalizer(self._tear_down)
        if self.request.scope != "function":
            _finish_ended_after(self.item)
        # To the tests, all tasks of their loop are their own: they count, await or cancel them.
        asyncio_private.leave_out(self.run.task)
        _standing(self.item.session)[self.run.task] = self
        if self.run.failure is not None:
            raise self.run.failure
        return self._yielded.result()

    def is_on_running_loop(self) -> bool:
        return self.loop is asyncio.get_running_loop()

    async def tear_down(self) -> None:
        """Tear the fixture down from code that runs on its loop."""
        __tracebackhide__ = True
        run = self._begin_teardown()
        try:
            await self.owner.wait_for(run)
        except CancelledError:
            await event_loop.cancel({run.task})
            raise
        finally:
            self._tear_down()

    def _tear_down(self) -> None:
        __tracebackhide__ = True
        stash = self.item.session.stash
        del _standing(self.item.session)[self.run.task]
        try:
            if self.owner.has_lost(self.loop):
                self._tell_of_closed_loop()
                return
            if self._teardown is None:
                with self.owner.standstill():
                    run = self._begin_teardown()
                    if self.loop.is_running():
                        self._refuse_to_wait()
                    self.go_through(run)
            assert self._teardown is not None
            self._result(self._teardown)
        except KeyboardInterrupt as interruption:
            SessionState.of(self.request.session).postpone(interruption)
        except BaseException as error:
            if self._cancellation is not None:
                error.add_note(f"This ended the async {self} while it was in use.")
            raise
        finally:
            if _ENDED in stash and self in stash[_ENDED]:
                stash[_ENDED].remove(self)
            self.own.put_back()

    def _refuse_to_wait(self) -> NoReturn:
        pytest.fail(
            f"The async {self} is set up for another parameter, or needs a fixture that is, and is "
            "to be torn down by code that runs on its event loop, which cannot wait for that. "
            "Request it as an argument.",
            pytrace=False,
        )

    def begin_teardown(self) -> Run | None:
        return None if self.owner.has_lost(self.loop) else self._begin_teardown()

    def _begin_teardown(self) -> Run:
        task = self.run.task
        asyncio_private.take_in(task)
        self.own.bring()
        self._leave()
        self._teardown = Run(task, self.item, "teardown", self.fixturedef)
        return self._teardown

    def _tell_of_closed_loop(self) -> None:
        state = "closed" if self.loop.is_closed() else "blocked"
        message = f"The async {self} cannot be torn down: its event loop is {state}."
        if self.owner.has_given_up(self.loop):  # That has been told, and may have been Ctrl-C.
            advise(self.item, message)
        else:
            pytest.fail(message, pytrace=False)

    def _leave(self) -> None:
        """Have the task go on after the `yield`."""
        self._leaving = True
        if not self._at_yield.done():
            self._at_yield.set_result(None)

    async def _live(self) -> None:
        self._yielded.set_result(await self._stages.enter())
        while not self._leaving:
            try:
                await self._at_yield
            except CancelledError as cancellation:
                self._at_yield = self.loop.create_future()
                if self._cancellation is None:
                    # Without the line above, which is no line of the fixture.
                    self._cancellation = cancellation.with_traceback(None)
                    if not self._leaving:
                        self._end_use()
        await self._stages.leave(self._cancellation)

    def variables(self) -> list[object]:
        """Return what the variables of the fixture hold."""
        return self._stages.variables()

    def _end_setup(self, task: Task[None]) -> None:
        if not self._yielded.done():
            self._yielded.set_result(None)

    def end(self) -> None:
        """Have the fixture set up anew for the next item that requests it."""
        stash = self.request.session.stash
        if _ENDED not in stash:
            stash[_ENDED] = []
            self.request.config.pluginmanager.register(_EndedFixtures())
        stash[_ENDED].append(self)

    def _end_use(self) -> None:
        """Cancel, once, the test or fixture that uses the fixture at the moment."""
        self.end()
        for running in SessionState.of(self.request.session).all_running:
            if self._is_used_by(running):
                running.cancel(Cancelled(self))
        pytest_private.spoil(self.fixturedef, Cancelled(self))

    def _is_used_by(self, run: Run) -> bool:
        if run.phase == "teardown":  # One that does not need the fixture is to go on.
            return run.fixturedef is not None and self.fixturedef in pytest_private.needed_by(
                run.fixturedef, run.item
            )
        return pytest_private.may_use(run.item, self.fixturedef)


def raise_again(error: BaseException) -> NoReturn:
    """Stand, as a finalizer, for one that has raised an error before."""
    __tracebackhide__ = True
    raise error


def standing(session: pytest.Session) -> AbstractSet[Task[None]]:
    """Return the tasks of the fixtures that stand at their `yield`."""
    return _standing(session).keys()


def held_on(loop: AbstractEventLoop, session: pytest.Session) -> list[object]:
    """Return what the variables of the fixtures hold that stand at their `yield` on a loop."""
    return [
        value
        for lifetime in _standing(session).values()
        if lifetime.loop is loop
        for value in lifetime.variables()
    ]


def end_those_on_closed_loops(session: pytest.Session) -> None:
    """Have the fixtures set up anew, for the items that request them, whose loop was closed."""
    for lifetime in _standing(session).values():
        if lifetime.owner.has_lost(lifetime.loop):
            lifetime.end()


def _standing(session: pytest.Session) -> dict[Task[None], Lifetime]:
    return session.stash.setdefault(_STANDING, {})


def foresee_ends(item: pytest.Function) -> None:
    """Have an item tear the wide fixtures down, after its own, that end while it uses them."""
    if _standing(item.session):
        _finish_ended_after(item)


def _finish_ended_after(item: pytest.Function) -> None:
    item.addfinalizer(functools.partial(finish_ended, item))


def finish_ended(item: pytest.Item) -> None:
    """Tear down the wide fixtures that ended too early, if no test but one that is over uses them.

    The next item that requests them gets new ones.
    """
    __tracebackhide__ = True
    if _ENDED not in item.session.stash:
        return
    scheduler = SessionState.of(item.session).scheduler
    finishing = [
        setup.finish
        for setup in item.session.stash[_ENDED]
        if scheduler is None or not scheduler.may_use(setup.fixturedef, besides=item)
    ]
    finalizers.call_all(finishing, "fixtures that ended too early")


def ended_fixtures_of(item: pytest.Function) -> Iterator[pytest.FixtureDef[Any]]:
    """Return the fixtures that an item is to request and that have ended too early."""
    for setup in item.session.stash.get(_ENDED, ()):
        if pytest_private.will_request(item, setup.fixturedef):
            yield setup.fixturedef


def refuse_ended(item: pytest.Item) -> None:
    """Fail a test before its call if a fixture that it uses has ended."""
    __tracebackhide__ = True
    for setup in item.session.stash.get(_ENDED, ()):
        if isinstance(item, pytest.Function) and pytest_private.may_use(item, setup.fixturedef):
            raise Cancelled(setup)


@final
class _EndedFixtures:
    """The hooks of a session in which a fixture has ended too early."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        __tracebackhide__ = True
        if OUTCOME not in item.stash:  # Else its call has taken place.
            refuse_ended(item)


def finish_unfit(state: SessionState, item: pytest.Function, planned: Plan) -> None:
    """End what is on other loops than an item's, and would be there for it.

    An async test that runs with another loop factory of the suite has the loops of the other ones
    closed, with their fixtures. Where only the clock is another one, the fixtures are torn down
    that the item is to request. What a policy or an option names does not count.
    """
    for owner in reversed(tuple(state.open_loops)):
        named, clock = _kind_of(owner.factory)
        if planned.is_async and named != planned.selected:
            owner.end()
        elif clock != planned.mark.clock:
            for fixturedef, request in reversed(tuple(owner.fixtures.items())):
                if pytest_private.will_request(item, fixturedef):
                    pytest_private.finish(fixturedef, request)


def _kind_of(factory: LoopFactory | None) -> tuple[NamedFactory | None, ClockName]:
    if isinstance(factory, ChosenFactory):
        return factory.named, factory.clock
    return None, "real"


_OWNER: Final = "_pytest_asyncio_owner"
"""The attribute of a fixture that is the owner of the loop that it was last set up on."""
_STANDING: Final[pytest.StashKey[dict[Task[None], Lifetime]]] = pytest.StashKey()
_NO_EXCEPTIONS: Final = (CancelledError, GeneratorExit, SystemExit)
_ENDED: Final[pytest.StashKey[list[Setup]]] = pytest.StashKey()
