"""Loop factories: which ones the suite offers, and which one an item runs with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import CodeType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeGuard, cast, final

import pytest

from pytest_asyncio.support import callables, pytest_private
from pytest_asyncio.support.foreign import attribute
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.types import ClockName, LoopFactory, ScopeName

from . import hooks, items, loop_scopes, marks, options
from .marks import AsyncioMark

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_PARAMETER: Final = "_asyncio_loop_factory"
ASYNCIO: Final = "asyncio"
"""Names asyncio's own loops where an option names the loop factory of all other tests."""


class ChosenFactory(ABC):
    """A loop factory that tests choose: with another one, they have other loops and fixtures."""

    clock: ClassVar[ClockName] = "real"

    @property
    @abstractmethod
    def named(self) -> NamedFactory | None:
        """The suite's own loop factory that makes the loops, if one of these does."""

    @abstractmethod
    def __call__(self) -> AbstractEventLoop: ...


@final
class NamedFactory(ChosenFactory):
    """A loop factory of the suite.

    The hook may make a new function at each call. Two of them are one factory, and share its
    loops, if they run the same code.
    """

    def __init__(self, name: str, make: LoopFactory) -> None:
        self.name: Final = name
        self.make: Final = make
        self._identity: Final = (
            attribute(make, "__code__", CodeType) or make,
            *map(id, callables.closure_of(make)),
        )

    @property
    def named(self) -> NamedFactory:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamedFactory) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __call__(self) -> Any:
        __tracebackhide__ = True
        return self.make()

    def __repr__(self) -> str:
        return repr(self.name)


def selected_for(item: pytest.Function, mark: AsyncioMark) -> NamedFactory | None:
    """Return which of the suite's loop factories an item runs with.

    That is its parameter, or, where it was not parametrized, the first that its mark selects.
    """
    if mark.loop_factories is None and not hooks.offer_loop_factories(
        item.config
    ):  # as in nearly all suites
        return None
    if _PARAMETER in (parameters := _parameters_of(item)):
        factory: NamedFactory | None = parameters[_PARAMETER]
        return factory
    if (only := _only_ones(item).get(item.originalname)) is not None:
        return only
    selected = _selected(item, mark, _offered(item))
    return None if selected is None else next(iter(selected.values()))


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Make a variant of an async test for each loop factory that it may run with."""
    __tracebackhide__ = True
    item = metafunc.definition
    try:
        choice = _choice(item)
    except pytest.fail.Exception:
        return  # The test itself fails with it, and no other test is lost.
    if choice is None:
        return
    definitions = pytest_private.visible_fixtures(item, _PARAMETER)
    pytest_private.request_first(item, _PARAMETER, definitions)
    metafunc.parametrize(
        _PARAMETER,
        [
            factory or pytest.param(None, marks=_unavailable(name, item))
            for name, factory in choice.items()
        ],
        ids=[pytest.HIDDEN_PARAM] if len(choice) == 1 else list(choice),
        indirect=True,
        scope=_scope_of(item),
    )


def apply_late_marks(collected: list[pytest.Item], config: pytest.Config) -> None:
    """Honour the marks that were added after the tests were parametrized."""
    kept = [variant for item in collected for variant in _variants_of(item)]
    gone = set(collected).difference(kept)
    deselected = [item for item in collected if item in gone and _PARAMETER in _parameters_of(item)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
    has_new = len(kept) + len(deselected) > len(collected)
    collected[:] = pytest_private.grouped_by_parameter(kept) if has_new else kept


def _variants_of(item: pytest.Item) -> list[pytest.Item]:
    if not items.is_async_test(item):
        return [item]
    try:
        choice = _choice(item)
    except (Exception, pytest.fail.Exception):
        return [item]  # The test itself fails with it.
    if choice is None:
        return [item]
    if _PARAMETER in (parameters := _parameters_of(item)):
        names = {factory and factory.name for factory in choice.values()}
        factory: NamedFactory | None = parameters[_PARAMETER]
        return [item] if (factory and factory.name) in names else []
    variants: list[pytest.Item] = []
    for index, (name, factory) in enumerate(choice.items()):
        id = pytest.HIDDEN_PARAM if len(choice) == 1 else name
        variant = pytest_private.variant(item, _PARAMETER, index, factory, id, _scope_of(item))
        if factory is None:
            variant.add_marker(_unavailable(name, item))
        variants.append(variant)
    return variants


def _parameters_of(item: pytest.Item) -> dict[str, Any]:
    callspec = pytest_private.callspec_of(item)
    return {} if callspec is None else callspec.params


def _scope_of(item: pytest.Function) -> ScopeName:
    """Return the scope by which pytest groups the variants of tests: the loops that they run on."""
    return loop_scopes.loop_scope_of(item, marks.merged(item))


def _unavailable(name: str, item: pytest.Item) -> pytest.MarkDecorator:
    available = ", ".join(_offered(item) or ())
    return pytest.mark.skip(
        reason=f"Loop factory {name!r} is not available. Available factories: {available}."
    )


def _choice(item: pytest.Function) -> dict[str, NamedFactory | None] | None:
    """Select an item's loop factories; None where it is offered one at most, which it has then."""
    __tracebackhide__ = True
    offered = _offered(item)
    selected = _selected(item, marks.merged(item), offered)
    if offered is None:
        return None
    if selected == offered and len(offered) == 1:
        _only_ones(item)[item.originalname or item.name] = next(iter(offered.values()))
        return None
    return selected


def _only_ones(item: pytest.Function) -> dict[str, NamedFactory | None]:
    """Return the loop factories of a module's or class's functions that have a single one.

    The hook may return another one when it is called once more.
    """
    assert item.parent is not None
    return item.parent.stash.setdefault(_ONLY_ONES, {})


def _selected(
    item: pytest.Item, mark: AsyncioMark, offered: dict[str, NamedFactory | None] | None
) -> dict[str, NamedFactory | None] | None:
    """Select an item's loop factories by its mark: None for a name that is not offered."""
    __tracebackhide__ = True
    if mark.loop_factories is None:
        return offered
    if offered is None and mark.loop_factories == (ASYNCIO,):
        from asyncio import new_event_loop  # async tests alone get here

        return {ASYNCIO: NamedFactory(ASYNCIO, new_event_loop)}
    if offered is None:
        pytest.fail(
            f"{address(item)}: mark.asyncio 'loop_factories' requires at least one "
            "pytest_asyncio_loop_factories hook implementation.\nWithout one there is 'asyncio'; "
            "asyncio_loop_factory names the one factory of all tests.",
            pytrace=False,
        )
    return {name: offered.get(name) for name in mark.loop_factories}


def _offered(item: pytest.Item) -> dict[str, NamedFactory | None] | None:
    __tracebackhide__ = True
    if not hooks.offer_loop_factories(item.config):
        return None
    hook = item.ihook.pytest_asyncio_loop_factories
    if not hook.get_hookimpls():
        return None
    factories: Any = hook(config=item.config, item=item)
    functions = [implementation.function for implementation in hook.get_hookimpls()]
    if factories is None and not all(map(callables.returns_nothing, functions)):
        return None  # They have no opinion on this item.
    if _is_offer(factories):
        return {name: NamedFactory(name, make) for name, make in factories.items()}
    pytest.fail(
        f"{address(item)}: pytest_asyncio_loop_factories must return a non-empty mapping of "
        f"factory names to callables, not {options.shown(factories)}.",
        pytrace=False,
    )


def _is_offer(value: object) -> TypeGuard[Mapping[str, LoopFactory]]:
    if not isinstance(value, Mapping):
        return False
    factories = cast("Mapping[object, object]", value)
    return (
        len(factories) > 0
        and all(isinstance(name, str) and name for name in factories)
        and all(map(callable, factories.values()))
    )


def how_to_choose_asyncios(item: pytest.Function) -> str:
    """Say what to write at a test that needs a loop of asyncio's own."""
    offered = _offered(item)
    for name, factory in ({ASYNCIO: None} if offered is None else offered).items():
        if factory is None or (attribute(factory.make, "__module__", str) or "").startswith(
            "asyncio."
        ):
            return f"Write loop_factories=[{name!r}] in the mark of the test."
    return (
        "Offer asyncio's by the hook pytest_asyncio_loop_factories, {'asyncio': "
        "asyncio.new_event_loop}, and write loop_factories=['asyncio'] in the mark of the test."
    )


_ONLY_ONES: Final[pytest.StashKey[dict[str, NamedFactory | None]]] = pytest.StashKey()
