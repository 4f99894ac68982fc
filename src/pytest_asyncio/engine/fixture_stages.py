"""The two stages of a fixture that yields: an async generator, or an async context manager."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from types import AsyncGeneratorType, FrameType
from typing import Any, Protocol, final

import pytest

from pytest_asyncio.collect import fixtures
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.foreign import attribute, is_a
from pytest_asyncio.support.warn import advise


class Stages(Protocol):
    """A fixture in two stages: its setup, and its teardown."""

    async def enter(self) -> Any: ...

    async def leave(self, cancellation: BaseException | None) -> None:
        """Go on after the `yield`, raising `cancellation` there if there is one."""

    def variables(self) -> list[object]:
        """Return what the variables of its function hold."""
        ...


def stages_of(
    result: object, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Stages | None:
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
        return _variables_of(self._generator)

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
        # Those of contextlib have a generator, and others keep what they hold themselves.
        own: dict[str, object] = attribute(self._manager, "__dict__", dict) or {}
        return [*own.values(), *_variables_of(own.get("gen"))]

    async def enter(self) -> Any:
        return await self._manager.__aenter__()

    async def leave(self, cancellation: BaseException | None) -> None:
        kind = None if cancellation is None else type(cancellation)
        if not await self._manager.__aexit__(kind, cancellation, None) and cancellation is not None:
            raise cancellation


def _variables_of(generator: object) -> list[object]:
    frame = attribute(generator, "ag_frame", FrameType)
    return [] if frame is None else list(frame.f_locals.values())
