"""`@pytest.mark.asyncio(...)`: the marks of one item, merged into one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any, Final, NamedTuple

import pytest

from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.foreign import is_a
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.types import ClockName, ScopeName
from pytest_asyncio.support.warn import advise, warn_at

from . import lone_tests, options, own_loops
from .options import CLOCKS, SCOPES, is_clock, is_scope, is_timeout, shown


class AsyncioMark(NamedTuple):
    """What all `asyncio` marks of an item say together."""

    loop_scope: ScopeName | None = None
    loop_factories: tuple[str, ...] | None = None
    clock: ClockName | None = None
    timeout: float | None = None
    concurrent: bool | None = None
    live: bool | None = None
    cancel: bool | None = None
    schedules: int | None = None
    delay_tasks: bool | None = None
    deprecated_scope: pytest.Mark | None = None
    """The mark that says the loop scope, if it calls that `scope`."""


def merged(item: pytest.Item) -> AsyncioMark:
    """Merge the marks of an item keyword by keyword: the closest that has the keyword counts.

    Closest are the marks of the item's parameters, then those of its function, class, module,
    and package. A mark without any keyword says that the loop is the default one. What no mark
    says is as the options have it. A mark that cannot be honoured is a failure of the test.
    """
    found = _closest_first(item)
    given = options.at(item)
    last = item.session.stash.get(_LAST, None)
    if (
        last is None
        or last[1] is not given
        or len(last[0]) != len(found)
        or not all(map(is_, last[0], found))
    ):
        written = _merge(found, item)
        last = found, given, _with_defaults(written, given), written.concurrent is None
        item.session.stash[_LAST] = last
    *_, mark, is_default = last
    if mark.concurrent and is_default and isinstance(item, pytest.Function):
        is_alone = lone_tests.runs_alone(item) or own_loops.has_one(item)
        return mark._replace(concurrent=not is_alone)
    return mark


def name_live(item: pytest.Item) -> bool:
    """Return whether a mark says something about live loops, which are for synchronous tests."""
    return any("live" in mark.kwargs for mark in item.iter_markers("asyncio"))


def default(item: pytest.Item) -> AsyncioMark:
    """Return what holds for an item without its marks."""
    return _with_defaults(AsyncioMark(), options.at(item))


def _with_defaults(mark: AsyncioMark, given: options.Settings) -> AsyncioMark:
    clock = mark.clock or ("virtual" if given.late else given.clock)
    schedules = mark.schedules
    if schedules is None:
        schedules = given.late or given.schedules if clock == "virtual" else 0
    cancel = given.cancel is not None if mark.cancel is None else mark.cancel
    concurrent = given.concurrent if mark.concurrent is None else mark.concurrent
    return mark._replace(
        clock=clock,
        timeout=given.timeout if mark.timeout is None else mark.timeout,
        cancel=cancel,
        schedules=schedules,
        # A loop or a time of its own, or being run again, keeps a test from running beside others.
        concurrent=concurrent
        and mark.loop_scope != "function"
        and clock == "real"
        and not (cancel or schedules),
    )


def _merge(found: list[pytest.Mark], item: pytest.Item) -> AsyncioMark:
    values: dict[str, Any] = {}
    closest = item.get_closest_marker("asyncio")
    for mark in found:
        try:
            keywords = _keywords(mark, item)
        except pytest.fail.Exception as failure:
            if mark is closest:
                raise
            advise(item, f"{failure.msg} It is ignored, for another mark is closer.")
            continue
        for keyword, value in keywords.items():
            values.setdefault(keyword, value)
    merged = AsyncioMark(**values)
    if merged.concurrent and merged.loop_scope == "function":
        pytest.fail(
            f"{address(item)}: mark.asyncio got concurrent=True and loop_scope='function', but "
            "tests that run at the same time share a loop. Valid scopes are: "
            f"{', '.join(SCOPES[1:])}; without one it is their module's.",
            pytrace=False,
        )
    if merged.concurrent and (merged.cancel or merged.schedules):
        other = "cancel=True" if merged.cancel else f"schedules={merged.schedules}"
        pytest.fail(
            f"{address(item)}: mark.asyncio got concurrent=True and {other}, but a test that is "
            "run again and again runs alone. Leave one of them out.",
            pytrace=False,
        )
    given = options.at(item)
    clock = merged.clock or ("virtual" if given.late else given.clock)
    if merged.schedules and clock != "virtual":
        pytest.fail(
            f"{address(item)}: mark.asyncio got schedules={merged.schedules}, but the clock of the "
            "test is real, and only a virtual one can be late. Add clock='virtual'.",
            pytrace=False,
        )
    if merged.delay_tasks and not (merged.schedules or given.schedules or given.late):
        pytest.fail(
            f"{address(item)}: mark.asyncio got delay_tasks=True, but no schedules in which a task "
            "could be delayed. Add schedules=100, say.",
            pytrace=False,
        )
    return merged


_LAST: Final[pytest.StashKey[tuple[list[pytest.Mark], options.Settings, AsyncioMark, bool]]] = (
    pytest.StashKey()
)
"""The marks that were merged last, the options at that time, and what they say together, with
whether only an option says if the test is concurrent: most tests have those of the one before.
"""


def _closest_first(item: pytest.Item) -> list[pytest.Mark]:
    found: list[pytest.Mark] = []
    node: Any = item
    while node is not None:  # What iter_markers() does, at a tenth of its cost.
        for mark in node.own_markers:
            if mark.name == "asyncio":
                found.append(mark)  # noqa: PERF401  # A list for each node costs twice as much.
        node = node.parent
    if len(found) > 1 and (callspec := pytest_private.callspec_of(item)) is not None:
        # pytest has those of the parameters behind those of the function.
        return [*(mark for mark in callspec.marks if mark.name == "asyncio"), *found]
    return found


def _keywords(mark: pytest.Mark, item: pytest.Item) -> dict[str, Any]:
    if mark.args or not mark.kwargs.keys() <= _VALIDATORS.keys() | {"scope"}:
        *others, last = map(repr, _VALIDATORS)
        pytest.fail(
            f"{address(item)}: mark.asyncio accepts only keyword arguments "
            f"{', '.join(others)} and {last}, not {_as_written(mark)}.",
            pytrace=False,
        )
    keywords = dict(mark.kwargs)
    if "scope" in keywords:
        if "loop_scope" in keywords:
            pytest.fail(
                f'{address(item)}: An asyncio pytest marker defines both "scope" and "loop_scope", '
                'but it should only use "loop_scope".',
                pytrace=False,
            )
        keywords["loop_scope"] = keywords.pop("scope")
    if not keywords:
        return {"loop_scope": None, "deprecated_scope": None, "loop_factories": None}
    values: dict[str, Any] = {
        keyword: _VALIDATORS[keyword](value, item)
        for keyword, value in keywords.items()
        if value is not None or keyword == "timeout"
    }
    if "loop_scope" in values:
        values["deprecated_scope"] = mark if "scope" in mark.kwargs else None
    return values


def warn_of_deprecated_scope(mark: pytest.Mark, item: pytest.Item) -> None:
    """Warn, once, of a mark that calls its loop scope `scope`."""
    __tracebackhide__ = True
    warned = item.session.stash.setdefault(_WARNED, set())
    if id(mark) not in warned:
        warn_at(
            item,
            'The "scope" keyword argument to the asyncio marker has been deprecated. '
            f"Write @pytest.mark.asyncio(loop_scope={mark.kwargs['scope']!r}).",
        )
        warned.add(id(mark))


_WARNED: Final[pytest.StashKey[set[int]]] = pytest.StashKey()
"""The ids of the marks that were warned of, for marks cannot be hashed."""


def _as_written(mark: pytest.Mark) -> str:
    keywords = (f"{key}={shown(value)}" for key, value in mark.kwargs.items())
    arguments = [*map(shown, mark.args), *keywords]
    return f"({', '.join(arguments)})"


def _loop_scope(value: object, item: pytest.Item) -> ScopeName:
    if is_scope(value):
        return value
    pytest.fail(
        f"{address(item)}: mark.asyncio got an unexpected loop scope value {shown(value)}. "
        f"Valid scopes are: {', '.join(SCOPES)}.",
        pytrace=False,
    )


def _loop_factories(value: object, item: pytest.Item) -> tuple[str, ...]:
    given: object = value  # `value` itself would be known as a sequence of unknown from here on.
    if is_a(given, Sequence) and not is_a(given, str):
        names = tuple(name for name in given if is_a(name, str) and name)
        if names and len(names) == len(given):
            return names
    pytest.fail(
        f"{address(item)}: mark.asyncio 'loop_factories' must be a non-empty sequence of strings, "
        f"not {shown(value)}.",
        pytrace=False,
    )


def _timeout(value: object, item: pytest.Item) -> float:
    if value is None:
        return 0.0
    if is_timeout(value):
        return value
    pytest.fail(
        f"{address(item)}: mark.asyncio 'timeout' must be a number of seconds, or 0 or None for "
        f"no time-out, not {shown(value)}.",
        pytrace=False,
    )


def _clock(value: object, item: pytest.Item) -> ClockName:
    if is_clock(value):
        return value
    pytest.fail(
        f"{address(item)}: mark.asyncio 'clock' must be one of {', '.join(map(repr, CLOCKS))}, "
        f"not {shown(value)}.",
        pytrace=False,
    )


def _flag(keyword: str) -> Callable[[object, pytest.Item], bool]:
    def validate(value: object, item: pytest.Item) -> bool:
        if is_a(value, bool):
            return bool(value)
        pytest.fail(
            f"{address(item)}: mark.asyncio {keyword!r} must be True or False, not {shown(value)}.",
            pytrace=False,
        )

    return validate


def _schedules(value: object, item: pytest.Item) -> int:
    if is_a(value, int) and not is_a(value, bool) and value >= 0:
        return int(value)
    pytest.fail(
        f"{address(item)}: mark.asyncio 'schedules' must be a number of runs, such as 100, not "
        f"{shown(value)}.",
        pytrace=False,
    )


_VALIDATORS: Final[dict[str, Callable[[object, pytest.Item], object]]] = {
    "loop_scope": _loop_scope,
    "loop_factories": _loop_factories,
    "timeout": _timeout,
    "clock": _clock,
    "concurrent": _flag("concurrent"),
    "live": _flag("live"),
    "cancel": _flag("cancel"),
    "schedules": _schedules,
    "delay_tasks": _flag("delay_tasks"),
}
