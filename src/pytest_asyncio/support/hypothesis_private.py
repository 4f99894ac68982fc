"""The private API of Hypothesis, and why it is used."""

import sys
from typing import Any, Final

from . import foreign

_OWN: Final = tuple(f"/pytest_asyncio/{part}/**" for part in ("engine", "features", "support"))
"""Where the lines are that only run when an example fails."""


def keep_out_of_explanations() -> None:
    """Have no line of ours listed among the ones that explain why an example fails.

    Hypothesis lists the lines that failing examples alone run, and keeps the patterns of the files
    that are of no help there in a private attribute.
    """
    explaining: Any = sys.modules.get("hypothesis.internal.scrutineer")
    unhelpful = foreign.attribute(explaining, "UNHELPFUL_LOCATIONS", tuple)
    if unhelpful is not None and _OWN[0] not in unhelpful:
        explaining.UNHELPFUL_LOCATIONS = (*unhelpful, *_OWN)
