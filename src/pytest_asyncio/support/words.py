"""Words: how several names are joined in a sentence."""

from __future__ import annotations


def listed(names: list[str], at_most: int | None = None) -> str:
    """Join names: `one, two and three`. Where there are more than so many, the rest is counted."""
    if at_most is not None and len(names) > at_most:
        return f"{', '.join(names[:at_most])} and {len(names) - at_most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
