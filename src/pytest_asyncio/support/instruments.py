"""Instruments: functions that an event loop calls in place of its own methods, while it is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Instruments: TypeAlias = Mapping[str, Callable[..., Any]]
"""By the names of the methods. Each calls the method that it stands for, and so holds the loop."""


def attach(loop: object, instruments: Instruments) -> None:
    vars(loop).update(instruments)


def detach(loop: object, instruments: Instruments) -> None:
    """Take instruments away, which work to the end where a library has wrapped them meanwhile.

    Nothing but the garbage collector would free a loop that holds them.
    """
    attributes = vars(loop)
    for name, function in instruments.items():
        if attributes.get(name) is function:
            del attributes[name]
