"""Context variables in and out of a run.

pytest's own code, and with it synchronous tests and fixtures, runs in the context of its thread.
A run on a loop has a copy of that context. What the run changes is *published* to the thread's
context, so that what comes later sees it, and is put back when the fixture or test is torn down.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, Token, copy_context
from functools import partial
from typing import Any, Final, TypeAlias, final

CULPRIT: Final = ContextVar[Any]("CULPRIT", default=None)
"""For whom code runs, where somebody asks. What runs in a copy of its context, such as a task, runs
for the same one. It is not published: what comes later is somebody else's.
"""

Undo: TypeAlias = Callable[[], None]


def publish(source: Context, before: Context | None = None) -> Undo | None:
    """Set the variables of the current context to their values in `source`.

    Returns what puts them back, or None where nothing differs. If that is called after others
    have put back what they had set before this, `before` is what there was before them. What
    they did is left alone: the variable has no longer its value in `source`, or has that which
    it had `before`.
    """
    tokens: list[tuple[ContextVar[Any], Token[Any]]] = []
    for variable, value in source.items():
        if variable.get(Token.MISSING) is not value and variable is not CULPRIT:
            tokens.append((variable, variable.set(value)))
    return partial(_reset, tokens, source, before) if tokens else None


def _reset(
    tokens: list[tuple[ContextVar[Any], Token[Any]]], source: Context, before: Context | None
) -> None:
    while tokens:
        variable, token = tokens.pop()
        value = variable.get(Token.MISSING)
        if before is None or (
            value is source[variable] and value is not before.get(variable, Token.MISSING)
        ):
            variable.reset(token)


@final
class OwnContext:
    """The context of a fixture, from its setup to its teardown."""

    def __init__(self) -> None:
        self.context: Final = copy_context()
        self._undo: Undo | None = None

    def publish(self) -> None:
        """Let the current context see what the fixture has changed, until it is put back."""
        self._undo = publish(self.context)

    def bring(self) -> None:
        """Let the fixture see what has changed since its setup."""
        bring(self.context)

    def catch_up(self, before: Context) -> None:
        """Let the fixture see what others have changed since there was `before`, unless it has too.

        Else what it publishes would undo that.
        """
        for variable, value in copy_context().items():
            earlier = before.get(variable, Token.MISSING)
            if value is not earlier and self.context.get(variable, Token.MISSING) is earlier:
                self.context.run(variable.set, value)

    def put_back(self) -> None:
        if self._undo is not None:
            self._undo()


def bring(target: Context) -> None:
    """Set the variables in `target` to the values that they have in the current context."""
    target.run(publish, copy_context())


@contextmanager
def put_aside(before: Context) -> Generator[None]:
    """Let the variables of the current context have the values that they had before.

    One that had none, not even a default, keeps the one that it has.
    """
    tokens: list[tuple[ContextVar[Any], Token[Any]]] = []
    for variable, value in copy_context().items():
        with suppress(LookupError):
            earlier = None if variable is CULPRIT else before.run(variable.get)
            if earlier is not value:
                tokens.append((variable, variable.set(earlier)))
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)
