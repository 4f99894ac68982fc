"""Errors, and those behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast


def all_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes, and those that it groups."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        part = left.pop()
        if part is not None and id(part) not in seen:
            seen.add(id(part))
            yield part
            left += part.__cause__, part.__context__
            if isinstance(part, BaseExceptionGroup):
                left += cast("BaseExceptionGroup[BaseException]", part).exceptions
