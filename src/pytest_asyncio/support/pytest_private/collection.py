"""What pytest knows of items before it runs them: options, marks, parameters, order."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from _pytest.fixtures import reorder_items
from _pytest.mark.structures import get_unpacked_marks
from _pytest.scope import Scope

from pytest_asyncio.support import foreign
from pytest_asyncio.support.types import ScopeName

from .requests import CallSpec, callspec_of, is_wide


def written_in_ini(name: str, config: pytest.Config) -> object:
    """What an ini file, or `-o`, has for an option, as it is written there; None for nothing.

    `getini()` takes one type for each option, in TOML that one alone, and an error of its own where
    it finds another one.
    """
    private: Any = config
    if not hasattr(config, "_inicfg"):  # pragma: no cover  # pytest < 9
        override = private._get_override_ini_value(name)
        return private.inicfg.get(name) if override is None else override
    given = private._inicfg.get(name)
    return None if given is None else given.value


def is_in_code(mark: pytest.Mark, item: pytest.Item) -> bool:
    """Return whether a mark of an item is written in the code: no hook or fixture has added it.

    pytest keeps both kinds in one list.
    """
    return any(
        mark is written
        for node in item.listchain()
        for written in get_unpacked_marks(foreign.attribute(node, "obj", object))
    )


def request_first(
    item: pytest.Function, name: str, definitions: Sequence[pytest.FixtureDef[Any]]
) -> None:
    """Have all items of the same test function request a fixture before their other ones.

    The mark `usefixtures` is read before `pytest_generate_tests`, and an autouse fixture would be
    seen by every test.
    """
    info = cast("Any", item)._fixtureinfo
    # pytest prunes what is not reached from these; the dataclass is frozen.
    object.__setattr__(info, "initialnames", (name, *info.initialnames))
    info.name2fixturedefs[name] = definitions
    if name in info.names_closure:
        info.names_closure.remove(name)
    info.names_closure.insert(0, name)


def variant(
    item: pytest.Function, name: str, index: int, value: object, id: Any, scope: ScopeName
) -> pytest.Function:
    """Return a copy of an item that has one parameter more.

    `Metafunc.parametrize()` can be called during the collection of the function only.
    """
    callspec = callspec_of(item) or CallSpec()
    callspec = callspec.setmulti(
        argnames=(name,),
        valset=(value,),
        id=id,
        marks=(),
        scope=Scope(scope),
        param_index=index,
        nodeid=item.nodeid,
    )
    copy: pytest.Function = cast("Any", type(item)).from_parent(
        item.parent,
        name=f"{item.originalname}[{callspec.id}]" if callspec.id else item.name,
        callspec=callspec,
        fixtureinfo=cast("Any", item)._fixtureinfo,
        originalname=item.originalname,
    )
    copy.own_markers[:] = item.own_markers
    copy.keywords.update(item.keywords)
    return copy


def grouped_by_parameter(items: list[pytest.Item]) -> list[pytest.Item]:
    """Order items so that those with the same parameter of a wide fixture follow one another.

    pytest has done so before there were variants.
    """
    ordered: list[pytest.Item] = cast("Any", reorder_items)(items)
    return ordered


def wide_parameters(item: pytest.Function) -> dict[str, int]:
    """Which parameters an item has that it shares with others, by their index.

    `item.callspec` has no public counterpart.
    """
    callspec = callspec_of(item)
    if callspec is None:
        return {}
    return {name: index for name, index in callspec.indices.items() if is_wide(item, name)}


def marks_of_class(cls: type[Any]) -> list[pytest.Mark | pytest.MarkDecorator]:
    """The marks of a class and of its bases, which pytest reads from classes that it collects."""
    return [*get_unpacked_marks(cls)]


def excluded_plugins(item: pytest.Item) -> frozenset[object]:
    """The conftest modules whose hooks are not called for an item."""
    return frozenset(getattr(item.ihook, "remove_mods", ()))
