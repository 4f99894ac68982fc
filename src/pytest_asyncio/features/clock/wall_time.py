"""The `time` and `datetime` modules, following another clock for the code on one loop."""

from __future__ import annotations

import datetime
import functools
import sys
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from pytest_asyncio.support import asyncio_private, foreign
from pytest_asyncio.support.frames import PACKAGE

N = TypeVar("N", int, float)

# These keep the real time, or keep what they have replaced themselves.
_LEFT_ALONE: Final = {"_pytest", "freezegun", "pluggy", "pytest", "time_machine", PACKAGE}


@contextmanager
def following(loop: AbstractEventLoop, clock: Callable[[], float]) -> Generator[None]:
    """Have the time go on from where it is now as `clock` does, for the code that runs on `loop`.

    All other code sees what it saw before: threads, other loops, and pytest.
    """
    begun = clock()
    is_over = False

    def follow(real: Callable[[], N], units: int) -> Callable[[], N]:
        start = real()
        number = type(start)

        @functools.wraps(real)
        def now() -> N:
            if is_over or asyncio_private.running_loop() is not loop:
                return real()
            return start + number((clock() - begun) * units)

        return now

    followers: dict[Any, Any] = {
        real: follow(real, units)
        for real, units in (
            (time.time, 1),
            (time.time_ns, 10**9),
            (time.monotonic, 1),
            (time.monotonic_ns, 10**9),
        )
    }
    now = followers[time.time]
    followers[datetime.datetime] = _Facade.of(datetime.datetime, _datetime_methods(now))
    followers[datetime.date] = _Facade.of(datetime.date, _date_methods(now))
    _replace(followers)
    try:
        yield
    finally:
        is_over = True
        # Not only what was replaced: modules that were imported meanwhile have them too.
        _replace({follower: real for real, follower in followers.items()})


def _replace(replacements: Mapping[Any, Any]) -> None:
    """Replace objects wherever a module has them under a name of its own.

    The standard library's own modules, which are known by name, look them up in `time` and
    `datetime`, or need the real time, to wait for other threads.
    """
    by_id = {id(old): new for old, new in replacements.items()}
    for name, module in tuple(sys.modules.items()):
        root = name.partition(".")[0]
        if name in ("time", "datetime") or (
            root not in sys.stdlib_module_names and root not in _LEFT_ALONE
        ):
            namespace: dict[str, Any] = foreign.attribute(module, "__dict__", dict) or {}
            for attribute, value in tuple(namespace.items()):
                if id(value) in by_id:
                    namespace[attribute] = by_id[id(value)]


class _Facade(type):
    """The class of classes that stand for their base: its objects are theirs."""

    @classmethod
    def of(cls, real: type, methods: Mapping[str, Callable[..., Any]]) -> type:
        # A library that has replaced the class may have given it a metaclass.
        kind = type(cls.__name__, (cls, type(real)), {})
        namespace = {name: staticmethod(method) for name, method in methods.items()}
        facade: type = type.__new__(kind, real.__name__, (real,), namespace)
        return facade

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
        """Derive a class that is declared meanwhile from what the façade stands for."""
        real = tuple(base.__bases__[0] if isinstance(base, cls) else base for base in bases)
        return type(real[0])(name, real, namespace)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls.__bases__[0](*args, **kwargs)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__bases__[0])

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.__bases__[0])


def _datetime_methods(now: Callable[[], float]) -> dict[str, Callable[..., Any]]:
    real = datetime.datetime

    def utcnow() -> datetime.datetime:
        return real.fromtimestamp(now(), datetime.UTC).replace(tzinfo=None)

    def in_zone(tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return real.fromtimestamp(now(), tz)

    return {"now": in_zone, "today": in_zone, "utcnow": utcnow}


def _date_methods(now: Callable[[], float]) -> dict[str, Callable[..., Any]]:
    real = datetime.date
    return {"today": lambda: real.fromtimestamp(now())}
