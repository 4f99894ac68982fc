"""Lookahead: the tests that follow the current one, and which of them may begin before their turn.

Three things hold for whatever begins early. A wide fixture is set up for the test for which it is
set up in a serial run, whose report has its output and its error: where that one runs alone, and
later, those behind it that need the fixture wait for it. What holds one value at a time, such as
a parametrized fixture, goes from test to test in their order. And a node of the collection tree is
set up once: it is torn down when the last of its tests is reported, so none begins that comes back
to a node after others, as in a random order, for whom it is to be set up again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, final

import pytest

from pytest_asyncio.support import pytest_private

from . import queues, which_tests
from .which_tests import Kind

MOST_TESTS: Final = 1000
"""How many tests may be known after the current one: those that are over wait for their turn."""

MOST_MODULES: Final = 16
"""How many modules may be set up at the same time: each may hold connections, memory, a loop."""


@final
class _Known:
    """A test that is known to come."""

    __slots__ = ("has_begun", "item", "kind", "needs")

    def __init__(self, item: pytest.Item, kind: Kind | None) -> None:
        self.item: Final = item
        self.kind: Final = kind
        self.needs: Final = which_tests.needs_of(item)
        self.has_begun: bool = False


@final
class Lookahead:
    """The tests that are sure to follow the current one, in their order."""

    def __init__(self, session: pytest.Session, *, passes_lone: bool) -> None:
        self._queue: Final = queues.of(session)
        self._passes_lone: Final = passes_lone
        """Whether tests may begin before one that runs alone."""
        self._known: Final[list[_Known]] = []
        self._position = 0
        """The first of the known ones that has not been tried since the last `restart()`."""
        self._blocked: Final[dict[object, set[object]]] = {}
        """What those before it need that have not begun."""
        self._awaited: Final = set[pytest.FixtureDef[Any]]()
        """The wide fixtures that are to be set up for one of those."""
        self._held: Final[dict[pytest.Item, dict[object, object]]] = {}
        """What the tests need that are under way."""
        self._set_up_for: Final[dict[object, object]] = {}
        """The node that a fixture has been set up for last."""
        self._kind: Kind | None = None
        self._current: tuple[pytest.Item, pytest.Item | None] | None = None
        self._following: Iterator[pytest.Item] | None = None
        self._nodes: list[Any] = []
        self._left: Final = set[Any]()
        self._modules = 0

    def come_to(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Know which test is the current one; return whether it was the one to come."""
        before, self._current, self._following = self._current, (item, nextitem), None
        if not self._known or before is None:
            return True
        is_next = self._known[0].item is item
        if is_next:
            del self._known[0]
            self._position = max(0, self._position - 1)
            self._modules -= _module_of(before[0]) != _module_of(item)
        return is_next

    def proceed(self) -> None:
        """Let the next test come. Called after each one."""
        self._queue.proceed()

    def clear(self) -> None:
        """Forget what was to come: other tests come first."""
        self._known.clear()
        self._held.clear()

    def restart(self, item: pytest.Item, kind: Kind) -> None:
        """Look for tests of a kind from now on, from the next one on, to run beside a test."""
        self._kind, self._position = kind, 0
        self._blocked.clear()
        self._awaited.clear()
        self._hold(item, which_tests.needs_of(item))

    def release(self, item: pytest.Item) -> None:
        """Know that a test is not under way any more."""
        self._held.pop(item, None)

    def begin_next(self, has_to_wait: Callable[[pytest.Function], bool]) -> pytest.Function | None:
        """Return the next test that may begin now, which is then under way."""
        while (known := self._at_position()) is not None:
            self._position += 1
            if known.has_begun:
                continue
            item = known.item
            if (
                known.kind == self._kind
                and isinstance(item, pytest.Function)
                and self._has_way(known.needs)
                and not (self._awaited and self._needs_awaited(item))
                and not has_to_wait(item)
            ):
                known.has_begun = True
                self._hold(item, known.needs)
                return item
            for name, value in known.needs.items():
                self._blocked.setdefault(name, set()).add(value)
            self._awaited.update(pytest_private.fixtures_to_set_up(item))
        return None

    def _hold(self, item: pytest.Item, needs: dict[object, object]) -> None:
        if needs:
            self._held[item] = needs

    def set_up(self, fixturedef: pytest.FixtureDef[Any], node: object) -> None:
        """Know for which node a fixture is set up."""
        self._set_up_for[fixturedef] = node

    def _has_way(self, needs: dict[object, object]) -> bool:
        return all(
            self._blocked.get(name, {value}) == {value}
            and all(held.get(name, value) == value for held in self._held.values())
            and not self._stands_for_another(name, value)
            for name, value in needs.items()
        )

    def _stands_for_another(self, name: object, node: object) -> bool:
        fixturedef: Any = name
        return (
            isinstance(name, pytest.FixtureDef)
            and fixturedef.cached_result is not None
            and self._set_up_for.get(fixturedef) is not node
        )

    def _needs_awaited(self, item: pytest.Function) -> bool:
        return not self._awaited.isdisjoint(pytest_private.fixtures_to_set_up(item))

    def _at_position(self) -> _Known | None:
        if self._position == len(self._known) and not self._know_another():
            return None
        return self._known[self._position]

    def _know_another(self) -> bool:
        if self._current is None or len(self._known) == MOST_TESTS:
            return False
        if self._following is None:
            self._following = self._queue.after(*self._current, len(self._known))
        item = next(self._following, None)
        if item is None:
            self._following = None
            return False
        kind = which_tests.kind_of(item)
        if (kind is None and not self._passes_lone) or not self._enter(item):
            self._following = None  # It stays the next one.
            return False
        self._known.append(_Known(item, kind))
        return True

    def _enter(self, item: pytest.Item) -> bool:
        """Return whether the nodes of a test may be set up beside those of the tests before it."""
        assert self._current is not None
        last = self._known[-1].item if self._known else self._current[0]
        if not self._known:
            self._forget_nodes(last)
        if last.parent is item.parent:
            return True
        nodes = item.listchain()[:-1]
        if not self._left.isdisjoint(nodes):
            return False
        is_other_module = _module_of(last) != _module_of(item)
        if is_other_module and self._modules == MOST_MODULES - 1:
            return False
        self._modules += is_other_module
        self._left.update(node for node in self._nodes if node not in nodes)
        self._nodes = nodes
        return True

    def _forget_nodes(self, current: pytest.Item) -> None:
        self._position = self._modules = 0
        self._left.clear()
        self._nodes = current.listchain()[:-1]


def _module_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
