"""Running one async test."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any, Final, final

import pytest

from pytest_asyncio.collect import items, loop_factories, loop_scopes, marks, options, policies
from pytest_asyncio.support import (
    asyncio_private,
    callables,
    hypothesis_private,
    pytest_private,
)
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.pytest_private import setup_state

from . import async_fixtures, context, ended_fixtures, event_loop, loops, runs
from .factories import factory_of
from .loops import LoopOwner
from .plan import OUTCOME, Plan, plan_of
from .runs import Run
from .session import SessionState


def plan(item: pytest.Function) -> Plan:
    """Read the marks of an async test, before anything is set up for it.

    Marks that are wrong do not keep a synchronous test from running: it has no need of them,
    unless they say that its loops are live.
    """
    handle = callables.hypothesis_handle(item.obj)
    function = item.obj if handle is None else handle.inner_test
    kind = callables.kind_of(function)
    is_async = kind is not None
    if kind == "generator" and callables.is_itself_async(function):
        items.refuse_generator(item)
    try:
        mark = marks.merged(item)
        selected = loop_factories.selected_for(item, mark)
    except pytest.fail.Exception:
        if is_async or marks.name_live(item):
            raise
        mark, selected = marks.default(item), None
    if not is_async:  # It runs alone, and its loops are its own.
        mark = mark._replace(concurrent=False)
    deprecated = mark.deprecated_scope
    if is_async and deprecated is not None and pytest_private.is_in_code(deprecated, item):
        marks.warn_of_deprecated_scope(deprecated, item)
    planned = Plan(item, mark, selected, is_async, handle)
    state = SessionState.of(item.session)
    for call in state.on_test_planned:
        call(item, planned)
    # Before the first of them is requested, for no hook is called where pytest has it already.
    async_fixtures.finish_unfit(state, item, planned)
    return planned


def prepare(item: pytest.Function, planned: Plan | None = None) -> LoopOwner:
    """Open the loop of an async test, let synchronous code find it, and return its owner.

    Called before each of the test's fixtures is set up, and before the test, so that the loop is
    closed after all of them are torn down.
    """
    __tracebackhide__ = True
    planned = planned or plan_of(item) or plan(item)  # It may have been marked meanwhile.
    owner = planned.owner
    if owner is None:
        factory = factory_of(item, planned)
        owner = planned.owner = loops.owner_of(loop_scopes.node_of(item, planned.mark), factory)
        planned.before = copy_context()
        if owner.state.standing:
            ended_fixtures.finish_after(item)
    owner.make_current()
    return owner


def owner_of(item: pytest.Item) -> LoopOwner | None:
    """Return the owner of the loop of an async test, if it is prepared."""
    planned = plan_of(item)
    return None if planned is None else planned.owner


def prepare_for(item: pytest.Function, planned: Plan) -> None:
    """Prepare an async test before one of its fixtures is set up."""
    __tracebackhide__ = True
    if planned.owner is not None or not policies.is_pending(item):
        prepare(item, planned)


def synchronize(item: pytest.Function, planned: Plan | None) -> Callable[[], None]:
    """Let pytest, or Hypothesis, call a test as if it were synchronous; return what ends that."""
    if planned is None:  # The mark has been applied while the test was set up.
        planned = plan(item)
    planned.is_called = True
    if planned.is_async:  # Before there is a coroutine that nobody would await.
        prepare(item, planned).use()
    if planned.handle is None:
        holder, attribute, run = item, "obj", _run_test
    else:
        holder, attribute, run = planned.handle, "inner_test", _run_example
        hypothesis_private.keep_out_of_explanations()
    function, is_first = getattr(holder, attribute), True

    def synchronous(*args: Any, **kwargs: Any) -> Any:
        nonlocal is_first
        __tracebackhide__ = True
        if OUTCOME in item.stash:
            return item.stash[OUTCOME]()
        if planned.handle is not None:
            ended_fixtures.raise_again(item)
        result = function(*args, **kwargs)
        if callables.is_awaitable(result):
            if planned.surround is not None:
                result = planned.surround(result)
            return run(item, result, planned)
        if is_first:  # Hypothesis calls it for each example.
            is_first = False
            _warn_of_sync_test(item, function)
        return result

    setattr(holder, attribute, callables.standing_in_for(function, synchronous))
    return functools.partial(setattr, holder, attribute, function)


def _run_test(item: pytest.Function, awaitable: Awaitable[Any], planned: Plan) -> None:
    __tracebackhide__ = True
    owner = planned.owner or prepare(item, planned)
    own_context, policy = copy_context(), asyncio_private.policy_in_force()
    try:
        result = owner.call(awaitable, own_context, item)
    finally:
        _publish(own_context, item, planned)
        if asyncio_private.policy_in_force() is not policy:
            asyncio_private.put_policy_in_force(policy)
    if result is not None:
        _refuse_unawaited(item, result)


@final
class Call:
    """The call of an async test that runs beside others, started where the test is set up."""

    def __init__(self, item: pytest.Function) -> None:
        __tracebackhide__ = True
        self._item: Final = item
        self._planned: Final = plan_of(item) or plan(item)
        owner = prepare(item, self._planned)
        owner.use()
        self._context: Final = copy_context()
        self._result: Any = item.obj(**pytest_private.arguments_of(item))
        self.run: Run | None = None
        """Where the test runs; None if its function was synchronous after all."""
        if callables.is_awaitable(self._result):
            self.run = runs.begin(owner.loop, self._result, self._context, item, "call")

    def outcome(self) -> Any:
        """Return or raise what the test did."""
        __tracebackhide__ = True
        if self.run is None:
            _warn_of_sync_test(self._item, self._item.obj)
            return self._result
        _publish(self._context, self._item, self._planned)
        _refuse_unawaited(self._item, self.run.result())
        return None


def _run_example(item: pytest.Function, awaitable: Awaitable[Any], planned: Plan) -> None:
    """Run one example of Hypothesis, whose context and tasks are its own."""
    __tracebackhide__ = True
    try:
        prepare(item, planned).call(_alone(awaitable), copy_context(), item)
    except BaseException as error:
        ended_fixtures.remember(error, item)
        raise


async def _alone(awaitable: Awaitable[Any]) -> None:
    __tracebackhide__ = True
    before = asyncio.all_tasks()
    try:
        await awaitable
    finally:
        await event_loop.cancel(asyncio.all_tasks() - before)


def _publish(own_context: Context, item: pytest.Function, planned: Plan) -> None:
    """Let the fixtures of a test see, at their teardown, the context variables that it has set."""
    undo = context.publish(own_context, planned.before)
    if undo is not None:
        setup_state.finalize_after_fixtures(item, undo)


def _refuse_unawaited(item: pytest.Function, result: object) -> None:
    """Let a test fail that returns something that has not been run."""
    if result is None or not callables.is_awaitable(result):
        return
    if asyncio.isfuture(result) and result.done():
        return
    if inspect.iscoroutine(result):
        result.close()
    pytest.fail(
        f"{address(item)} returned {options.shown(result)}, which nobody awaits. "
        "Await it in the test.",
        pytrace=False,
    )


def _warn_of_sync_test(item: pytest.Function, function: Callable[..., Any]) -> None:
    is_marked_itself = any(
        mark.name == "asyncio" and "live" not in mark.kwargs for mark in item.own_markers
    )
    if is_marked_itself and callables.kind_of(function) is None:
        item.warn(
            pytest.PytestWarning(
                f"The test {item} is marked with '@pytest.mark.asyncio' but it is not an async "
                "function. Please remove the mark."
            )
        )
