"""Which tests may run at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import pytest

from pytest_asyncio.collect import items, lone_tests, loop_factories, marks
from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.types import LoopFactory


@final
@dataclass(frozen=True)
class Kind:
    """What tests have in common that run at the same time."""

    factory: LoopFactory | None
    filters: tuple[tuple[object, ...], ...]
    """Warning filters act on the whole process."""


def kind_of(item: pytest.Item) -> Kind | None:
    """Return what a test has in common with those that it may run beside; None runs alone."""
    if not items.is_async_test(item):
        return None
    try:
        mark = marks.merged(item)
        factory = loop_factories.selected_for(item, mark)
    except pytest.fail.Exception:
        return None
    if not mark.concurrent or lone_tests.runs_alone(item):
        return None
    filters = [mark.args for mark in item.iter_markers("filterwarnings")]
    return Kind(factory, tuple(filters))


def needs_of(item: pytest.Item) -> dict[object, object]:
    """Return what a test needs of that which has one value at a time, and the value.

    That is parametrized fixtures that are shared, and those that each class or module has anew.
    """
    if not isinstance(item, pytest.Function):
        return {}
    parameters = pytest_private.wide_parameters(item).items()
    return dict([*parameters, *pytest_private.nodes_of_fixtures(item).items()])
