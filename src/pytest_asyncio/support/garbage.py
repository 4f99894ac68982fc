"""The garbage collector: who is to know while it is at work."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Any, Literal


def see_collections(
    see: Callable[[Literal["start", "stop"], object], None],
) -> Callable[[], None]:
    """Have each collection seen when it starts and when it stops, until what is returned is called.

    PyPy shows none of its own.
    """
    callbacks: list[Any] = getattr(gc, "callbacks", [])
    callbacks.append(see)
    return partial(callbacks.remove, see)
