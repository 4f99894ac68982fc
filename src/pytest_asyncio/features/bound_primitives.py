"""Locks, events and queues that belong to another loop: which they are, and who waited first."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from types import ModuleType

import pytest

from pytest_asyncio.engine import loops
from pytest_asyncio.support import asyncio_private
from pytest_asyncio.support.foreign import attribute


def described_in(error: BaseException) -> str | None:
    """Say which primitive an error complains of, and whose loop it belongs to, if it shows that."""
    steps = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    binding = (it for it in steps if it.f_code is asyncio_private.BINDS_TO_LOOP)
    primitive = next((it.f_locals["self"] for it in binding), None)
    owner = None if primitive is None else loops.owner_behind(primitive._loop)
    if owner is None:
        return None
    is_tests = isinstance(owner.node, pytest.Item)
    since = ", which was the first to wait for it" if is_tests else " since it was first waited for"
    return f"{_name_of(primitive)} belongs to {owner}{since}."


def _name_of(primitive: object) -> str:
    """Name a primitive by what holds it: a module, or an object in an attribute."""
    kind = type(primitive).__name__
    modules_first = sorted(_holders_of(primitive), key=lambda it: not isinstance(it, ModuleType))
    for holder in modules_first:
        variables: dict[str, object] = attribute(holder, "__dict__", dict) or {}
        name = next((name for name, value in variables.items() if value is primitive), None)
        if name is not None and isinstance(holder, ModuleType):
            return f"The {kind} {holder.__name__}.{name}"
        if name is not None:
            return f"The {kind} {name!r} of a {type(holder).__name__}"
    return f"A {kind}"


def _holders_of(primitive: object) -> Iterator[object]:
    """Yield what may have it in an attribute, of which a dictionary may keep account."""
    for holder in gc.get_referrers(primitive):
        yield from gc.get_referrers(holder) if isinstance(holder, dict) else (holder,)
