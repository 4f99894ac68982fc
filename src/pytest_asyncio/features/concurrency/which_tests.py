"""Which tests may run at the same time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

import pytest

from pytest_asyncio.collect import items, loop_factories, marks, own_loops, policies
from pytest_asyncio.support import callables, pytest_private
from pytest_asyncio.support.types import LoopFactory

from .process_wide import acts_on_process

SERIAL_FIXTURES: Final = frozenset(
    {
        "aresponses",
        "asyncio_clock",
        "capfd",
        "capfdbinary",
        "capsysbinary",
        "capteesys",
        "chronometer",
        "freezer",
        "fs",
        "looptime",
        "mocker",
        "monkeypatch",
        "pytester",
        "recwarn",
        "requests_mock",
        "respx_mock",
        "subtests",
        "testdir",
        "time_machine",
    }
)
"""Fixtures that act on the whole process. A test that has one of them runs alone."""

_SERIAL_MARKS: Final = frozenset({"flaky", "looptime"})
_THREADS: Final = frozenset({"Thread", "ThreadPoolExecutor", "run_in_executor"})
"""What has no context, so that nobody knows for which test it writes and logs."""
_ACTS_ON_OTHERS: Final = {
    "caplog": _THREADS | {"at_level", "set_level"},
    "capsys": _THREADS | {"disabled"},
}
"""Names of what acts on other tests, or sees them, by a fixture that each has for itself."""


@final
@dataclass(frozen=True)
class Kind:
    """What tests have in common that run at the same time."""

    factory: LoopFactory | None
    filters: tuple[tuple[object, ...], ...]
    """Warning filters act on the whole process."""


@final
class WhichTests:
    """Knows which tests of a session may run beside others."""

    def __init__(self, serial_fixtures: Iterable[str]) -> None:
        self.serial_fixtures: Final = SERIAL_FIXTURES.union(serial_fixtures)

    def kind_of(self, item: pytest.Item) -> Kind | None:
        """Return what a test has in common with those that it may run beside; None runs alone."""
        if not items.is_async_test(item) or callables.kind_of(item.obj) != "coroutine":
            return None
        try:
            mark = marks.merged(item)
            factory = loop_factories.selected_for(item, mark)
        except pytest.fail.Exception:
            return None
        if (
            not mark.concurrent
            or not self.serial_fixtures.isdisjoint(item.fixturenames)
            or acts_on_process(item)
            or own_loops.sees_all_tasks(item)
            or _acts_on_others(item)
            or policies.is_pending(item)
        ):
            return None
        all_marks = tuple(item.iter_markers())
        if any(mark.name in _SERIAL_MARKS for mark in all_marks):
            return None
        return Kind(
            factory, tuple(mark.args for mark in all_marks if mark.name == "filterwarnings")
        )


def needs_of(item: pytest.Item) -> dict[object, object]:
    """Return what a test needs of that which has one value at a time, and the value.

    That is parametrized fixtures that are shared, and those that each class or module has anew.
    """
    if not isinstance(item, pytest.Function):
        return {}
    parameters = pytest_private.wide_parameters(item).items()
    return dict([*parameters, *pytest_private.nodes_of_fixtures(item).items()])


def _acts_on_others(item: pytest.Function) -> bool:
    """Return whether a test, or a fixture that it has, does what acts on others by a fixture."""
    return any(
        not names.isdisjoint(own_loops.names_in_code(item))
        for fixture, names in _ACTS_ON_OTHERS.items()
        if fixture in item.fixturenames
    )
