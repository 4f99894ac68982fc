"""What else a suite names: hook, functions, new fixtures, warnings. Checked, and never run."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, SelectorEventLoop
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import copy_context
from typing import Any, assert_type

import pytest

import pytest_asyncio
from pytest_asyncio.collect.hooks import Hooks


class Plugin(Hooks):
    @pytest.hookimpl
    def pytest_asyncio_loop_factories(
        self, config: pytest.Config, item: pytest.Item
    ) -> dict[str, Callable[[], SelectorEventLoop]]:
        return {"selector": SelectorEventLoop}


class PluginWithoutOpinion(Hooks):
    def pytest_asyncio_loop_factories(self, config: pytest.Config, item: pytest.Item) -> None: ...


class WrongPlugin(Hooks):
    def pytest_asyncio_loop_factories(  # type: ignore[override]
        self, config: pytest.Config, item: pytest.Item
    ) -> list[str]:
        return ["selector"]


def loop_factories(
    hooks: Hooks, config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], AbstractEventLoop]] | None:
    return hooks.pytest_asyncio_loop_factories(config, item)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        assert_type(pytest_asyncio.is_async_test(item), bool)
        if pytest_asyncio.is_async_test(item):
            assert_type(item, pytest.Function)


async def test_requests_late(request: pytest.FixtureRequest) -> None:
    assert_type(await pytest_asyncio.getfixturevalue(request, "client"), Any)
    client: dict[str, int] = await pytest_asyncio.getfixturevalue(request, "client")
    assert client
    await pytest_asyncio.getfixturevalue(request)  # type: ignore[call-arg]
    await pytest_asyncio.getfixturevalue("client", "client")  # type: ignore[arg-type]


async def test_in_the_background(asyncio_tasks: pytest_asyncio.TaskGroup) -> None:
    task = asyncio_tasks.create_task(answer(), name="answer")
    assert_type(task, asyncio.Task[int])
    asyncio_tasks.create_task(answer(), context=copy_context())
    asyncio_tasks.create_task(answer)  # type: ignore[arg-type]


async def answer() -> int:
    return 42


def test_synchronous(asyncio_runner: pytest_asyncio.LoopRunner) -> None:
    assert_type(asyncio_runner.loop, AbstractEventLoop)
    assert_type(asyncio_runner.get_loop(), AbstractEventLoop)
    assert_type(asyncio_runner.run(answer()), int)
    assert_type(asyncio_runner.run(answer(), context=copy_context()), int)
    runner: asyncio.Runner = asyncio_runner
    with asyncio_runner as entered:
        assert_type(entered, pytest_asyncio.LoopRunner)
    runner.close()
    asyncio_runner.run(answer)  # type: ignore[arg-type]


@pytest.mark.asyncio(clock="virtual")
async def test_an_hour(asyncio_clock: pytest_asyncio.Clock) -> None:
    assert_type(asyncio_clock.autojump, bool)
    asyncio_clock.autojump = False
    assert_type(asyncio_clock.time(), float)
    assert_type(await asyncio_clock.advance(3600), None)
    patched: AbstractContextManager[None] = asyncio_clock.patch_time()
    with patched:
        asyncio_clock.autojump = "yes"  # type: ignore[assignment]
    await asyncio_clock.advance("an hour")  # type: ignore[arg-type]


check_warnings: list[type[pytest_asyncio.CheckWarning]] = [
    pytest_asyncio.BlockedLoopWarning,
    pytest_asyncio.LeakedTaskWarning,
    pytest_asyncio.NeverAwaitedWarning,
    pytest_asyncio.OpenResourceWarning,
    pytest_asyncio.UnhandledExceptionWarning,
]
pytest_warning: type[pytest.PytestWarning] = pytest_asyncio.CheckWarning
version: str = pytest_asyncio.__version__

no_such_name: object = pytest_asyncio.no_such_name  # type: ignore[attr-defined]
