"""What counts as an async test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeGuard

import pytest

from pytest_asyncio.support import callables
from pytest_asyncio.support.foreign import holds

from . import options

_OTHER_FRAMEWORKS: Final = ("anyio", "trio")


def is_async_test(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """Return whether an item is an async test that the plugin runs.

    These are marked with `asyncio`; in auto mode, all are that are not another framework's.
    """
    return (
        isinstance(item, pytest.Function)
        and _is_async(item)
        and (is_marked(item) or (options.at(item).auto_mode and _is_for_auto_mode(item)))
    )


def is_marked(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """Return whether the plugin runs an item if it turns out to be async.

    The methods of a `unittest.TestCase` are called by unittest.
    """
    node: Any = item
    while node is not None:  # What get_closest_marker() does, at a fifth of its cost.
        for mark in node.own_markers:
            if mark.name == "asyncio":
                return isinstance(item, pytest.Function) and not getattr(item, "nofuncargs", False)
        node = node.parent
    return False


def is_marked_late(item: pytest.Item) -> bool:
    """Return whether a mark was added to an item after it was planned, by one of its fixtures."""
    for mark in item.own_markers:  # noqa: SIM110  # Most have none, for which any() costs more.
        if mark.name == "asyncio":
            return True
    return False


def test_function(item: pytest.Function) -> Any:
    """Return the function that the user wrote, which for Hypothesis is an inner one."""
    function = item.obj
    handle = callables.hypothesis_handle(function)
    return function if handle is None else handle.inner_test


def refuse_generator(item: pytest.Item) -> None:
    """Turn a test that is an async generator away."""
    reason = (
        f"Tests based on asynchronous generators are not supported. {item.name} will be ignored."
    )
    item.warn(pytest.PytestCollectionWarning(reason))
    item.add_marker(pytest.mark.xfail(run=False, reason=reason))


def add_implied_mark(mark: pytest.MarkDecorator, item: pytest.Function) -> None:
    """Mark an async test of which auto mode makes one of asyncio."""
    if is_async_test(item) and not is_marked(item):
        item.add_marker(mark)


def keywords_in_use(session: pytest.Session) -> frozenset[str]:
    """Gather the keywords that the `asyncio` marks of a session use, except those that are off."""
    return frozenset(
        keyword
        for node in _nodes(session)
        for mark in node.own_markers
        if mark.name == "asyncio"
        for keyword, value in mark.kwargs.items()
        if holds(bool, value)
    )


def are_concurrent(session: pytest.Session, keywords: frozenset[str]) -> bool:
    """Return whether async tests of a session, whose marks use keywords, run at the same time."""
    given = options.of(session.config)
    if given.concurrency == 1:
        return False
    return "concurrent" in keywords or (
        (given.concurrent or given.has_folders)
        and any(is_marked(item) and options.at(item).concurrent for item in session.items)
    )


def are_repeated(session: pytest.Session, keywords: frozenset[str]) -> bool:
    """Return whether async tests of a session are run more than once."""
    given = options.of(session.config)
    return bool({"cancel", "schedules"} & keywords or given.cancel or given.schedules or given.late)


def _nodes(session: pytest.Session) -> Iterator[pytest.Item | pytest.Collector]:
    parent: Any = None
    for item in session.items:
        yield item
        if item.parent is not parent:
            parent = item.parent
            yield from parent.listchain()


def _is_async(item: pytest.Function) -> bool:
    return callables.kind_of(test_function(item)) is not None


def _is_for_auto_mode(item: pytest.Function) -> bool:
    """Return whether neither unittest nor another framework's plugin is to run an async test."""
    return not getattr(item, "nofuncargs", False) and not is_of_another_framework(item)


def has_other_fixtures(item: pytest.Item) -> bool:
    """Return whether another framework's plugin sets up the async fixtures of a test.

    anyio does where its backend is requested, as it is by those of its tests that are async.
    """
    if is_marked(item):
        return False
    plugins, names = item.config.pluginmanager, getattr(item, "fixturenames", ())
    return ("anyio_backend" in names and plugins.hasplugin("anyio")) or (
        item.get_closest_marker("trio") is not None and plugins.hasplugin("trio")
    )


def is_of_another_framework(item: pytest.Item) -> bool:
    """Return whether the mark of another framework, whose plugin is there, leaves a test to it."""
    return any(
        item.config.pluginmanager.hasplugin(name) and item.get_closest_marker(name) is not None
        for name in _OTHER_FRAMEWORKS
    )
