"""What counts as async."""

from __future__ import annotations

import functools
from types import MethodType
from unittest import mock

import pytest

from pytest_asyncio.support.callables import kind_of


async def coroutine():
    pass


async def generator():
    yield


def synchronous():
    pass


def wrapped(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Decorator:
    def __init__(self, function):
        functools.update_wrapper(self, function)

    def __call__(self):
        return self.__wrapped__()


class Methods:
    async def method(self):
        pass

    @classmethod
    async def class_method(cls):
        pass

    @staticmethod
    async def static_method():
        pass


class Callable:
    async def __call__(self):
        pass


class AsyncClass(type):
    async def __call__(cls):
        pass


class Circular:
    def __call__(self):
        pass


circular = Circular()
circular.__wrapped__ = circular


@pytest.mark.parametrize(
    "wrap",
    [
        lambda function: function,
        wrapped,
        functools.partial,
        functools.lru_cache,
        staticmethod,
        classmethod,
        Decorator,
        lambda function: functools.partial(wrapped(functools.partial(function))),
    ],
)
@pytest.mark.parametrize(
    ("function", "kind"), [(coroutine, "coroutine"), (generator, "generator"), (synchronous, None)]
)
def test_the_kind_of_a_function_is_seen_through_what_wraps_it(wrap, function, kind):
    assert kind_of(wrap(function)) == kind


@pytest.mark.parametrize(
    "function",
    [
        Methods.method,
        Methods().method,
        Methods.class_method,
        Methods.static_method,
        Methods.__dict__["class_method"],
        Methods.__dict__["static_method"],
        Callable(),
        MethodType(Callable(), object()),
        AsyncClass("Made", (), {}),
        mock.AsyncMock(),
    ],
)
def test_methods_and_objects_may_be_async(function):
    assert kind_of(function) == "coroutine"


@pytest.mark.parametrize("function", [print, int, Callable, circular, mock.Mock(), object(), None])
def test_anything_else_is_not_async(function):
    assert kind_of(function) is None
