"""`pytest_asyncio.RuleBasedStateMachine`: Hypothesis state machines with coroutines.

Hypothesis makes a machine for each example, and calls the functions of its rules and invariants.
What stands in for those that are coroutine functions runs them on the loop of the test.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from contextvars import copy_context
from types import FunctionType
from typing import Any, Final, final

import pytest
from hypothesis import stateful
from hypothesis.errors import InvalidDefinition

from pytest_asyncio.engine import ended_fixtures, event_loop
from pytest_asyncio.engine.session import SessionState
from pytest_asyncio.support import (
    callables,
    hypothesis_private,
    pytest_private,
    running_session,
)
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.pytest_private import setup_state

from .asyncio_runner import LoopRunner


class _Machines(stateful.StateMachineMeta):
    """Makes each machine in the context of its example."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        item = _item()
        runner = pytest_private.request_of(item).getfixturevalue("asyncio_runner")
        return _Example(item, runner).begin(functools.partial(super().__call__, *args, **kwargs))

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)  # pyright: ignore[reportUnknownMemberType]
        if name == "pytestmark":
            _hand_marks_on(self)


class RuleBasedStateMachine(stateful.RuleBasedStateMachine, metaclass=_Machines):
    """A `hypothesis.stateful.RuleBasedStateMachine` whose steps may be coroutine functions.

    Rules, initializers, invariants and `teardown()` are awaited on the loop of the test, in a
    context that they share with the synchronous ones. Each example has a context of its own, and
    the tasks that it leaves are cancelled and awaited at its end. The marks of the class are those
    of its `TestCase`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__mro__:
            for function in vars(base).values():
                if isinstance(function, FunctionType):
                    _adopt_steps(function)
        _hand_marks_on(cls)


def _hand_marks_on(cls: Any) -> None:
    """Let the test that runs a machine have the marks of the machine's class."""
    if marks := pytest_private.marks_of_class(cls):
        cls.TestCase.pytestmark = marks


def _adopt_steps(function: FunctionType) -> None:
    """Have Hypothesis call a step in its example.

    What it calls is kept by the function that its decorators return, which is left as it is: other
    steps may await it.
    """
    for step in vars(function).values():
        if isinstance(step, (stateful.Rule, stateful.Invariant)):
            _refuse_async_preconditions(step)
            # Invariants are frozen.
            object.__setattr__(step, "function", _in_its_example(step.function))


def _refuse_async_preconditions(step: Any) -> None:
    if any(map(callables.kind_of, step.preconditions)):
        raise InvalidDefinition(
            f"{step.function.__qualname__} has a precondition that is a coroutine function. "
            "Preconditions are synchronous: let a rule keep in the machine what it asks for."
        )


def _in_its_example(function: Callable[..., Any]) -> Callable[..., Any]:
    def step(machine: Any, **arguments: Any) -> Any:
        __tracebackhide__ = True
        if not isinstance(machine, RuleBasedStateMachine):  # It shares a base class with one.
            return function(machine, **arguments)
        example: _Example = vars(machine)[_EXAMPLE]
        return example.step(function, machine, **arguments)

    return callables.standing_in_for(function, step)


@final
class _Example:
    """One example: where its steps run, and what it may not leave behind."""

    def __init__(self, item: pytest.Function, runner: LoopRunner) -> None:
        self._item: Final = item
        self._runner: Final = runner
        self._context: Final = copy_context()
        self._tasks_before: Final = asyncio.all_tasks(runner.loop)

    def begin(self, make: Callable[[], Any]) -> Any:
        """Make the machine of the example."""
        __tracebackhide__ = True
        machine = self._context.run(make)
        vars(machine)[_EXAMPLE] = self
        vars(machine)["teardown"] = functools.partial(self._end, machine.teardown)
        return machine

    def step(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a step, which fails as the one before did that has ended a fixture, if any did."""
        __tracebackhide__ = True
        if callables.kind_of(function) is not None:
            ended_fixtures.raise_again(self._item)
        try:
            return self._call(function, *args, **kwargs)
        except BaseException as error:
            ended_fixtures.remember(error, self._item)
            raise

    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function, and await what a coroutine function returns."""
        __tracebackhide__ = True
        result = self._context.run(function, *args, **kwargs)
        if callables.kind_of(function) is None:
            return result
        return self._runner.run(result, context=self._context)

    def _end(self, teardown: Callable[[], Any]) -> None:
        __tracebackhide__ = True
        try:
            self._call(teardown)
        finally:
            left = asyncio.all_tasks(self._runner.loop) - self._tasks_before
            if left:
                self._runner.run(event_loop.cancel(left))


def _item() -> pytest.Function:
    """Return the test that makes a machine."""
    __tracebackhide__ = True
    session = running_session.get()
    item = None if session is None else setup_state.item_in_progress(session)
    if session is None or item is None:
        raise RuntimeError(
            "A pytest_asyncio.RuleBasedStateMachine can only be made by a test that pytest runs."
        )
    if SessionState.of(session).running is not None:
        pytest.fail(
            f"{address(item)}: a state machine was made by code that runs on an event loop, which "
            "cannot wait for its rules. Write 'def' in place of 'async def' at the test.",
            pytrace=False,
        )
    hypothesis_private.keep_out_of_explanations()
    return item


_EXAMPLE: Final = "_pytest_asyncio_example"
"""The attribute of a machine that is its example."""
