"""`pytest_asyncio.fixture` keeps the type of every kind of function. Checked, and never run."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
)
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal, assert_type

import pytest

import pytest_asyncio


@pytest_asyncio.fixture
async def coroutine() -> int:
    return 1


@pytest_asyncio.fixture()
async def coroutine_called(tmp_path: str) -> int:
    return len(tmp_path)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="session",
    timeout=2.5,
    parallel=True,
    params=[1, "two"],
    autouse=True,
    ids=["one", None],
    name="other",
)
async def coroutine_with_everything(request: pytest.FixtureRequest, *, extra: bytes = b"") -> str:
    return str(request.param)


async def coroutines(request: pytest.FixtureRequest) -> None:
    assert_type(await coroutine(), int)
    assert_type(await coroutine_called("path"), int)
    assert_type(await coroutine_with_everything(request, extra=b"more"), str)
    await coroutine(1)  # type: ignore[call-arg]
    await coroutine_called(1)  # type: ignore[arg-type]
    await coroutine_with_everything(request, extra="more")  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def generator() -> AsyncGenerator[int]:
    yield 1


@pytest_asyncio.fixture(scope="class")
async def iterator(coroutine: int) -> AsyncIterator[int]:
    yield coroutine


assert_type(generator(), AsyncGenerator[int])
assert_type(iterator(1), AsyncIterator[int])


@pytest_asyncio.fixture
def synchronous() -> int:
    return 1


@pytest_asyncio.fixture(loop_scope="session")
def synchronous_generator(synchronous: int) -> Generator[int]:
    yield synchronous


@pytest_asyncio.fixture()
def synchronous_iterator() -> Iterator[int]:
    yield 1


assert_type(synchronous(), int)
assert_type(synchronous_generator(1), Generator[int])
assert_type(synchronous_iterator(), Iterator[int])


@pytest_asyncio.fixture
@asynccontextmanager
async def context_manager() -> AsyncGenerator[int]:
    yield 1


@pytest_asyncio.fixture(scope="session", loop_scope="session")
@asynccontextmanager
async def context_manager_called(coroutine: int) -> AsyncGenerator[int]:
    yield coroutine


async def context_managers() -> None:
    async with context_manager() as entered, context_manager_called(1) as entered_too:
        assert_type(entered, int)
        assert_type(entered_too, int)
    context_manager_called("")  # type: ignore[arg-type]


@pytest_asyncio.fixture
def awaitable() -> Awaitable[int]:
    return coroutine()


assert_type(awaitable(), Awaitable[int])


class TestMethods:
    @pytest_asyncio.fixture
    async def method(self, coroutine: int) -> int:
        return coroutine

    @pytest_asyncio.fixture(scope="class")
    async def generator_method(self) -> AsyncGenerator[str]:
        yield ""

    @pytest_asyncio.fixture(scope="class")
    @classmethod
    async def class_method(cls) -> int:
        return 1

    @pytest_asyncio.fixture
    @staticmethod
    async def static_method(coroutine: int) -> int:
        return coroutine


async def methods() -> None:
    assert_type(await TestMethods().method(1), int)
    assert_type(TestMethods().generator_method(), AsyncGenerator[str])
    assert_type(await TestMethods.class_method(), int)
    assert_type(await TestMethods.static_method(1), int)
    await TestMethods().method("")  # type: ignore[arg-type]


async def written_elsewhere(name: str) -> int:
    return len(name)


by_a_call = pytest_asyncio.fixture(written_elsewhere, scope="module")
by_a_call_later = pytest_asyncio.fixture(scope="module")(written_elsewhere)
of_a_partial = pytest_asyncio.fixture(partial(written_elsewhere, "name"))


async def calls() -> None:
    assert_type(await by_a_call("name"), int)
    assert_type(await by_a_call_later("name"), int)
    assert_type(await of_a_partial(), int)


def scope_by_option(
    fixture_name: str, config: pytest.Config
) -> Literal["session", "package", "module", "class", "function"]:
    return "session" if config.getoption("verbose") else "function"


def id_of(value: Any) -> str | None:
    return str(value)


@pytest_asyncio.fixture(scope=scope_by_option, params=(1, 2), ids=id_of, timeout=None)
async def by_functions() -> None: ...


def wrong_scope_by_option(fixture_name: str, config: pytest.Config) -> str:
    return "everywhere"


wrong: Callable[..., Any]
wrong = pytest_asyncio.fixture(written_elsewhere, scope="everywhere")  # type: ignore[call-overload]
wrong = pytest_asyncio.fixture(written_elsewhere, loop_scope="test")  # type: ignore[call-overload]
wrong = pytest_asyncio.fixture(scope="Session")  # type: ignore[call-overload]
wrong = pytest_asyncio.fixture(loop_scope="fixture-scope")  # type: ignore[call-overload]
wrong = pytest_asyncio.fixture(scope=wrong_scope_by_option)  # type: ignore[arg-type]
wrong = pytest_asyncio.fixture(timeout="2.5")  # type: ignore[call-overload]
wrong = pytest_asyncio.fixture(no_such_argument=1)  # type: ignore[call-overload]
wrong = pytest_asyncio.fixture(1)  # type: ignore[call-overload]
