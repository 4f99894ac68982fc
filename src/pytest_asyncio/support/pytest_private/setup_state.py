"""Which nodes are set up, in pytest's stack of them, and how they are torn down."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, Final, final

import pytest

from .fixture_values import fixture_of
from .outcomes import GROUPS_MAY_BE_HIDDEN, OUTCOMES


@final
class _Isolation:
    """The nodes of one item on pytest's stack, and those of the others beside it."""

    def __init__(self, item: pytest.Item) -> None:
        self._state: Final = _setup_state(item)
        self._chain: Final = item.listchain()
        self._all: dict[Any, Any] = {}

    def begin(self) -> None:
        self._all = self._state.stack
        self._state.stack = {node: self._all[node] for node in self._chain if node in self._all}

    def end(self) -> None:
        own, self._state.stack = self._state.stack, self._all
        self._all.update(own)
        for node in self._chain:
            if node not in own:
                self._all.pop(node, None)


_ISOLATION: Final[pytest.StashKey[_Isolation]] = pytest.StashKey()


def isolate(item: pytest.Item) -> Callable[[], None]:
    """Let pytest see no other item as set up, until what is returned is called.

    It has one at a time on its stack of nodes, all of which it looks at to set up or tear down.
    """
    stash = item.session.stash
    stash[_ISOLATION] = isolation = _Isolation(item)
    isolation.begin()

    def rejoin() -> None:
        if stash.get(_ISOLATION, None) is isolation:
            del stash[_ISOLATION]
            isolation.end()

    return rejoin


@contextmanager
def together(session: pytest.Session) -> Generator[None]:
    """Let pytest see all items as set up that are, while code of theirs runs."""
    isolation = session.stash.get(_ISOLATION, None)
    if isolation is None:
        yield
        return
    del session.stash[_ISOLATION]
    isolation.end()
    try:
        yield
    finally:
        isolation.begin()
        session.stash[_ISOLATION] = isolation


def is_set_up(item: pytest.Item) -> bool:
    """Return whether an item is on the stack of nodes that are set up and not torn down."""
    return item in _setup_state(item).stack


def take_finalizers(item: pytest.Item) -> list[Callable[[], object]]:
    """Take an item from that stack, and return its finalizers, the first to be called last."""
    finalizers: list[Callable[[], object]]
    finalizers, _ = _setup_state(item).stack.pop(item)
    return finalizers


def put_finalizers(item: pytest.Item, finalizers: Iterable[Callable[[], object]]) -> None:
    """Put an item back on that stack, so that pytest tears it down, and what it was the last of."""
    _setup_state(item).stack[item] = (list(finalizers), None)


def finalize_after_fixtures(item: pytest.Item, finalizer: Callable[[], object]) -> None:
    """Have a finalizer called once the item's own fixtures are torn down, and not before."""
    finalizers, _ = _setup_state(item).stack[item]
    fixtures = (index for index, each in enumerate(finalizers) if fixture_of(each) is not None)
    finalizers.insert(next(fixtures, len(finalizers)), finalizer)


def item_in_progress(session: pytest.Session) -> pytest.Function | None:
    """The item that pytest sets up, calls or tears down, if it is at one."""
    return next((node for node in set_up_nodes(session) if isinstance(node, pytest.Function)), None)


def _setup_state(node: Any) -> Any:
    return node.session._setupstate


def tear_down(session: pytest.Session, nextitem: pytest.Item | pytest.Session | None) -> None:
    """Tear down what is set up and not needed by the next item, or only what the session needs."""
    _setup_state(session).teardown_exact(nextitem)


def tear_down_to(node: Any, session: pytest.Session) -> None:
    """Tear down what is set up within a node, and leave the node itself."""
    _setup_state(session).teardown_exact(node)


def set_up_nodes(session: pytest.Session) -> dict[Any, Any]:
    """The nodes that are set up and not torn down, each with its finalizers."""
    nodes: dict[Any, Any] = _setup_state(session).stack.copy()
    return nodes


def finish_teardown(
    session: pytest.Session,
    nextitem: pytest.Item | None,
    nodes: Mapping[Any, Any],
    error: BaseException,
) -> None:
    """Call the finalizers of `nodes` that pytest has forgotten in a teardown that raised `error`.

    It forgets those of a node that come after one which raises what is no outcome, as Ctrl-C does.
    """
    __tracebackhide__ = GROUPS_MAY_BE_HIDDEN
    if isinstance(error, OUTCOMES):
        return
    state = _setup_state(session)
    errors = [error]
    while forgotten := [node for node in nodes if nodes[node][0] and node not in state.stack]:
        state.stack.update((node, nodes[node]) for node in forgotten)
        try:
            state.teardown_exact(nextitem)
        except BaseException as another:
            errors.append(another)
    interruptions = [error for error in errors if isinstance(error, KeyboardInterrupt)]
    if interruptions:
        raise interruptions[0]
    if len(errors) > 1:
        raise BaseExceptionGroup("errors during test teardown", errors)
