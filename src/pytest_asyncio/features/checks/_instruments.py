"""Instruments: what an event loop calls in place of its own methods, while it is open."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any


def instrument(loop: AbstractEventLoop, functions: dict[str, Callable[..., Any]]) -> None:
    """Have a loop call other functions in place of its methods of these names.

    When it is closed, they are taken away. Each holds the method, and with it the loop: nothing
    but the garbage collector would free a loop that holds them.
    """
    attributes = vars(loop)
    attributes.update(functions)
    close = loop.close

    def close_and_remove() -> None:
        close()
        for name in ("close", *functions):
            attributes.pop(name, None)

    attributes["close"] = close_and_remove
