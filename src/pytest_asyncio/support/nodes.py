"""Nodes of the collection tree, as reports name them."""

from __future__ import annotations

import pytest

from . import frames


def address(node: pytest.Item | pytest.Collector) -> str:
    """Return the id of a node, its file as all files are shown: from where pytest was started.

    pytest's own begins at the root of the suite, and is of no use in a folder below that.
    """
    file, separator, rest = node.nodeid.partition("::")
    return f"{frames.short(str(node.path)) if file else ''}{separator}{rest}"
