"""The life of one async fixture, from its setup to its teardown."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import itertools
from abc import ABC, abstractmethod
from asyncio import CancelledError, Future, Task
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextvars import Context, copy_context
from typing import Any, Final, NoReturn, Protocol, final

import pytest

from . import context, fixtures, internals, loops
from .advice import advise
from .callables import kind_of
from .factories import ChosenFactory, factory_of
from .loops import LoopOwner, Run
from .settings import LoopFactory


def owner_for(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> LoopOwner:
    """Return the owner of the loop that a fixture runs on."""
    item = internals.item_of(request)
    scope = fixtures.loop_scope_of(fixturedef, request.scope, request.config)
    node = loops.node_of_scope(request.node, scope)
    factory = factory_of(item)
    if request.scope != "function":
        request.session.stash.setdefault(_BOUND, {})[fixturedef] = (_chosen(factory), request)
    if scope != "package" or node is not request.session:
        return loops.owner_of(node, factory)
    # Defined outside of all packages, the fixture would outlive the loop of the test's package.
    node = loops.node_of_scope(item, scope)
    owner = loops.owner_of(node, factory)
    node.addfinalizer(functools.partial(internals.finish, fixturedef, request))
    return owner


def synchronous(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """Return what pytest can call, in place of its function, to set up a fixture of ours."""
    function = internals.bound_fixture_function(fixturedef, request)
    make = _on_its_loop if kind_of(function) is None else _awaited
    return functools.wraps(function)(make(function, fixturedef, request))


def _on_its_loop(
    function: Callable[..., Any],
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
) -> Callable[..., Any]:
    """Let a synchronous function find its loop by `asyncio.get_event_loop()`."""

    def call(**kwargs: Any) -> Any:
        __tracebackhide__ = True
        owner_for(fixturedef, request).make_current()
        return function(**kwargs)

    def generate(**kwargs: Any) -> Iterator[Any]:
        __tracebackhide__ = True
        owner = owner_for(fixturedef, request)
        owner.make_current()
        for value in function(**kwargs):
            yield value
            owner.make_current()

    return generate if inspect.isgeneratorfunction(function) else call


def _awaited(
    function: Callable[..., Any],
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
) -> Callable[..., Any]:
    """Let an async function run on its loop."""

    def set_up(**kwargs: Any) -> Any:
        __tracebackhide__ = True
        is_deferred = fixtures.DEFERRAL in request.session.stash
        if not is_deferred and loops.running(request.session) is not None:
            _refuse(fixturedef)
        fixtures.advise_of_unset_option(fixturedef, internals.item_of(request))
        owner = owner_for(fixturedef, request)
        if is_deferred:
            _check_loop(owner, fixturedef)
        own_context = copy_context()
        result = own_context.run(function, **kwargs)
        if inspect.isawaitable(result):
            setup: _Setup = _Awaiting(result, fixturedef, request, owner, own_context)
        elif (stages := _stages_of(result, fixturedef, request)) is not None:
            setup = _Lifetime(stages, fixturedef, request, owner, own_context)
        else:
            return result
        setup.begin()
        if is_deferred:
            raise Deferred(setup)
        owner.run(setup.run, until=setup.future)
        return setup.value()

    return set_up


def _refuse(fixturedef: pytest.FixtureDef[Any]) -> NoReturn:
    pytest.fail(
        f"The async fixture {fixturedef.argname!r} is requested by code that runs on an event "
        "loop, which cannot wait for it synchronously. Write\n"
        f"    await pytest_asyncio.getfixturevalue(request, {fixturedef.argname!r})",
        pytrace=False,
    )


def _check_loop(owner: LoopOwner, fixturedef: pytest.FixtureDef[Any]) -> None:
    if owner.loop is not asyncio.get_running_loop():
        pytest.fail(
            f"The async fixture {fixturedef.argname!r} runs on {owner}, and cannot be awaited on "
            "another loop. Request it as an argument, or give both the same loop_scope.",
            pytrace=False,
        )


async def getfixturevalue(request: pytest.FixtureRequest, name: str) -> Any:
    """Request a fixture from async code: what `request.getfixturevalue()` is to synchronous code.

    The fixture, and each async fixture that it needs, is awaited on the running loop where it is
    not set up yet. It is torn down like any other. Raises what the fixture raises, and
    `pytest.FixtureLookupError` where there is none of that name.
    """
    while True:
        request.session.stash[fixtures.DEFERRAL] = True
        try:
            return request.getfixturevalue(name)
        except Deferred as deferred:
            setup = deferred.setup
        finally:
            del request.session.stash[fixtures.DEFERRAL]
        await setup.settle()


def undeferred(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """Keep a synchronous fixture from being left in the middle, for what its function requests.

    What it requests by its arguments is set up before.
    """
    function = internals.bound_fixture_function(fixturedef, request)

    def call(**kwargs: Any) -> Any:
        __tracebackhide__ = True
        with _no_deferral(request.session):
            return function(**kwargs)

    def generate(**kwargs: Any) -> Iterator[Any]:
        __tracebackhide__ = True
        generator = function(**kwargs)
        with _no_deferral(request.session):
            values = list(itertools.islice(generator, 1))
        yield from values
        yield from generator

    return functools.wraps(function)(generate if inspect.isgeneratorfunction(function) else call)


@contextlib.contextmanager
def _no_deferral(session: pytest.Session) -> Iterator[None]:
    del session.stash[fixtures.DEFERRAL]
    try:
        yield
    finally:
        session.stash[fixtures.DEFERRAL] = True


class Deferred(Exception):
    """Leave pytest's synchronous request of a fixture, so that its setup can be awaited."""

    def __init__(self, setup: _Setup) -> None:
        self.setup: Final = setup


class _Setup(ABC):
    """The setup of one async fixture. The run is over when `future` is done."""

    run: Run
    future: Future[Any]

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        fixturedef: pytest.FixtureDef[Any],
        request: pytest.FixtureRequest,
        owner: LoopOwner,
        own_context: Context,
    ) -> None:
        self.fixturedef: Final = fixturedef
        self.request: Final = request
        self.owner: Final = owner
        self.loop: Final = owner.loop
        self.context: Final = own_context
        self.item: Final = internals.item_of(request)
        self._coroutine: Final = coroutine

    def __str__(self) -> str:
        return f"fixture {self.fixturedef.argname!r}"

    def begin(self) -> None:
        task = self.loop.create_task(self._coroutine, name=str(self), context=self.context)
        self.run = Run(task, self.item, "setup", self.fixturedef)
        self.future = task

    @abstractmethod
    def value(self) -> Any:
        """Return the value of the fixture, once the run is over, and have it torn down."""

    async def settle(self) -> None:
        """Wait for the setup, and let pytest find its value as if it had waited itself."""
        try:
            await asyncio.wait({self.future})
        except CancelledError:
            self.run.task.cancel()
            await asyncio.wait({self.run.task})
            internals.finish(self.fixturedef, self.request)
            raise
        try:
            value = self.value()
        except BaseException as error:
            internals.settle_with_error(self.fixturedef, error)
        else:
            internals.settle(self.fixturedef, value)


@final
class _Awaiting(_Setup):
    """A fixture that returns."""

    def __init__(self, awaitable: Awaitable[Any], *args: Any) -> None:
        coroutine = awaitable if inspect.iscoroutine(awaitable) else loops.wait_for(awaitable)
        super().__init__(coroutine, *args)

    def value(self) -> Any:
        __tracebackhide__ = True
        value = self.run.result()
        undo = context.publish(self.context)
        if undo is not None:
            self.request.addfinalizer(undo)
        return value


class _Stages(Protocol):
    """A fixture in two stages: its setup, and its teardown."""

    async def enter(self) -> Any: ...

    async def leave(self, cancellation: BaseException | None) -> None:
        """Go on after the `yield`, raising `cancellation` there if there is one."""


def _stages_of(
    result: object, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> _Stages | None:
    if isinstance(result, AsyncGenerator):
        return _Generator(result, fixturedef.argname, internals.item_of(request))
    # Left alone in plain fixtures: their tests enter the context manager themselves.
    if isinstance(result, contextlib.AbstractAsyncContextManager) and fixtures.is_declared(
        fixturedef
    ):
        return _ContextManager(result)
    return None


@final
class _Generator:
    def __init__(
        self, generator: AsyncGenerator[Any, None], name: str, item: pytest.Function
    ) -> None:
        self._generator = generator
        self._name = name
        self._item = item

    async def enter(self) -> Any:
        try:
            return await anext(self._generator)
        except StopAsyncIteration:
            pytest.fail(f"The async fixture {self._name!r} did not yield a value.", pytrace=False)

    async def leave(self, cancellation: BaseException | None) -> None:
        if getattr(self._generator, "ag_frame", self) is None:
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
    def __init__(self, manager: contextlib.AbstractAsyncContextManager[Any]) -> None:
        self._manager = manager

    async def enter(self) -> Any:
        return await self._manager.__aenter__()

    async def leave(self, cancellation: BaseException | None) -> None:
        kind = None if cancellation is None else type(cancellation)
        if not await self._manager.__aexit__(kind, cancellation, None) and cancellation is not None:
            raise cancellation


@final
class _Lifetime(_Setup):
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
        self._undo: context.Undo | None = None
        self._cancellation: BaseException | None = None
        self._leaving = False
        self._at_yield: Future[None] = self.loop.create_future()
        self._yielded: Future[Any] = self.loop.create_future()

    def begin(self) -> None:
        super().begin()
        self.future = self._yielded
        self.run.task.add_done_callback(self._end_setup)

    def value(self) -> Any:
        __tracebackhide__ = True
        if self.run.task.done():
            self.run.result()
        self._undo = context.publish(self.context)
        self.request.addfinalizer(self._tear_down)
        # To the tests, all tasks of their loop are their own: they count, await or cancel them.
        asyncio.tasks._unregister_task(self.run.task)
        self.request.session.stash.setdefault(_STANDING, set()).add(self.run.task)
        if self.run.failure is not None:
            raise self.run.failure
        return self._yielded.result()

    def _tear_down(self) -> None:
        __tracebackhide__ = True
        self.request.session.stash[_STANDING].remove(self.run.task)
        try:
            if self.loop.is_closed():
                pytest.fail(
                    f"The async {self} cannot be torn down: its event loop is closed.",
                    pytrace=False,
                )
            task = self.run.task
            asyncio.tasks._register_task(task)
            context.bring(self.context)
            self._leaving = True
            if not self._at_yield.done():
                self._at_yield.set_result(None)
            run = Run(task, self.item, "teardown", self.fixturedef)
            self.owner.run(run)
            run.result()
        except BaseException as error:
            if self._cancellation is not None:
                error.add_note(f"This ended the async {self} while it was in use.")
            raise
        finally:
            if self._cancellation is not None:
                self.request.session.stash[_CANCELLED].remove(self)
            if self._undo is not None:
                self._undo()

    async def _live(self) -> None:
        self._yielded.set_result(await self._stages.enter())
        while not self._leaving:
            try:
                await self._at_yield
            except CancelledError as cancellation:
                self._at_yield = self.loop.create_future()
                if self._cancellation is None:
                    self._cancellation = cancellation
                    self._cancel_user()
        await self._stages.leave(self._cancellation)

    def _end_setup(self, task: Task[None]) -> None:
        if not self._yielded.done():
            self._yielded.set_result(None)

    def _cancel_user(self) -> None:
        """Cancel, once, the test or fixture that uses the fixture at the moment."""
        self.request.session.stash.setdefault(_CANCELLED, []).append(self)
        running = loops.running(self.request.session)
        if running is not None and internals.may_use(running.item, self.fixturedef):
            running.cancel(
                pytest.fail.Exception(
                    f"Cancelled, because the async {self} ended while it was in use. "
                    "Its own error is shown at its teardown."
                )
            )


def standing(session: pytest.Session) -> Set[Task[None]]:
    """Return the tasks of the fixtures that stand at their `yield`."""
    return session.stash.get(_STANDING, frozenset())


def finish_cancelled(item: pytest.Function) -> None:
    """Tear down the wide fixtures that ended while they were set up, if an item uses them.

    The next item that requests them gets new ones.
    """
    for lifetime in tuple(item.session.stash.get(_CANCELLED, ())):
        if lifetime.fixturedef.argname in item.fixturenames:
            internals.finish(lifetime.fixturedef, lifetime.request)


def finish_those_of_other_factories(item: pytest.Function, factory: LoopFactory | None) -> None:
    """Tear down the wide fixtures that an item requests and that run with another loop factory."""
    bound = item.session.stash.get(_BOUND, {})
    chosen = _chosen(factory)
    for fixturedef, (bound_factory, request) in tuple(bound.items()):
        if bound_factory != chosen and fixturedef.argname in item.fixturenames:
            del bound[fixturedef]
            internals.finish(fixturedef, request)


def _chosen(factory: LoopFactory | None) -> ChosenFactory | None:
    """Return a factory that the tests chose; None stands for what the whole session runs with."""
    return factory if isinstance(factory, ChosenFactory) else None


_STANDING: Final = pytest.StashKey[set[Task[None]]]()
_CANCELLED: Final = pytest.StashKey[list[_Lifetime]]()
_BOUND: Final = pytest.StashKey[
    dict[pytest.FixtureDef[Any], tuple[ChosenFactory | None, pytest.FixtureRequest]]
]()
