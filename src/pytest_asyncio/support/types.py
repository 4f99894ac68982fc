"""The types that users name things with: scopes, clocks, and what makes event loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

ScopeName: TypeAlias = Literal["session", "package", "module", "class", "function"]
ClockName: TypeAlias = Literal["real", "virtual"]
LoopFactory: TypeAlias = Callable[[], "AbstractEventLoop"]
