"""`asyncio_benchmark`: coroutine functions for pytest-benchmark and pytest-codspeed.

Registered in sessions that have a fixture `benchmark`, which this one requests by its arguments:
both plugins look there for the tests that they are to measure.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

import pytest

from pytest_asyncio.collect.items import is_async_test
from pytest_asyncio.collect.options import shown
from pytest_asyncio.support import callables, pytest_private
from pytest_asyncio.support.nodes import address

if TYPE_CHECKING:
    from .asyncio_runner import LoopRunner

T = TypeVar("T")
_NAME: Final = "benchmark"
_MEASURING: Final = "pytest_benchmark"


@pytest.fixture
def _asyncio_benchmark_timer(request: pytest.FixtureRequest) -> _Timer:
    """Where pytest-benchmark gets the time from, which it reads from the mark of the test."""
    config, item = request.config, pytest_private.item_of(request)
    mark = item.get_closest_marker(_NAME)
    keywords: dict[str, Any] = {} if mark is None else dict(mark.kwargs)
    timer = _Timer(keywords.get("timer") or _chosen_timer(config))
    definition = pytest_private.visible_fixtures(item, _NAME)[-1]
    if definition.func.__module__.startswith(_MEASURING):  # The other one takes no timer.
        item.add_marker(pytest.mark.benchmark(**keywords | {"timer": timer}), append=False)
    return timer


@pytest.fixture
def asyncio_benchmark(
    request: pytest.FixtureRequest,
    asyncio_runner: LoopRunner,
    _asyncio_benchmark_timer: _Timer,
    benchmark: Any,
) -> Benchmark:
    """The fixture `benchmark` of the installed plugin, for coroutine functions."""
    __tracebackhide__ = True
    item = pytest_private.item_of(request)
    if is_async_test(item):
        pytest.fail(
            f"{address(item)}: asyncio_benchmark runs the loop itself, again and again. "
            "Write 'def' in place of 'async def' at the test.",
            pytrace=False,
        )
    return Benchmark(benchmark, asyncio_runner, _asyncio_benchmark_timer)


@final
class Benchmark:
    """The fixture `benchmark` for coroutine functions, which are awaited on the loop of the test.

    All attributes are those of `benchmark`. What it takes to start and stop the loop is not
    counted by pytest-benchmark.
    """

    def __init__(self, benchmark: Any, runner: LoopRunner, timer: _Timer) -> None:
        vars(self).update(_benchmark=benchmark, _runner=runner, _timer=timer)

    def __call__(
        self, function: Callable[..., Coroutine[Any, Any, T]], /, *args: Any, **kwargs: Any
    ) -> T:
        """Measure a coroutine function, and return what it returns."""
        __tracebackhide__ = True
        result: T = self._benchmark(self._awaiting(function), *args, **kwargs)
        return result

    def pedantic(
        self, target: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any
    ) -> T:
        """Measure with more control; `setup` and `teardown` may be coroutine functions too."""
        __tracebackhide__ = True
        for name in ("setup", "teardown"):
            if kwargs.get(name) is not None and callables.kind_of(kwargs[name]) == "coroutine":
                kwargs[name] = self._awaiting(kwargs[name])
        result: T = self._benchmark.pedantic(self._awaiting(target), *args, **kwargs)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._benchmark, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._benchmark, name, value)

    def _awaiting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what calls a coroutine function as if it were synchronous."""
        __tracebackhide__ = True
        if callables.kind_of(function) != "coroutine":
            raise TypeError(
                f"asyncio_benchmark needs a coroutine function, not {shown(function)}. "
                "The fixture 'benchmark' is for others."
            )

        def call(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            with self._timer.counting_awaits():
                return self._runner.run(self._timer.counted(function, args, kwargs))

        return callables.standing_in_for(function, call)


@final
class _Timer:
    """A timer that stands still while a loop is started and stopped."""

    def __init__(self, timer: Callable[[], float]) -> None:
        functools.update_wrapper(self, timer)  # Reports name it.
        self._now: Final = timer
        self._not_counted = 0.0
        self._awaited = 0.0

    def __call__(self) -> float:
        return self._now() - self._not_counted

    @contextmanager
    def counting_awaits(self) -> Generator[None]:
        """Count of a block what `counted()` takes in it, and nothing else."""
        self._awaited, began = 0.0, self._now()
        try:
            yield
        finally:
            self._not_counted += self._now() - began - self._awaited

    async def counted(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        began = self._now()
        try:
            return await function(*args, **kwargs)
        finally:
            self._awaited = self._now() - began


def _chosen_timer(config: pytest.Config) -> Callable[[], float]:
    """Return the timer that an option of pytest-benchmark names."""
    name = config.getoption("benchmark_timer", None)
    timer: Callable[[], float] = time.perf_counter if name is None else resolve_name(str(name))
    return timer
