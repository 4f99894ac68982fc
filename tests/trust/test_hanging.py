"""Whatever hangs, and whatever ends it, the line at which it hangs is shown."""

from __future__ import annotations

import os

import hanging
import pytest
from hypothesis import settings

CELLS = hanging.CELLS if settings.default.max_examples > 300 else hanging.CELLS[::7]
"""All with `--hypothesis-profile=thorough`, else a share with every end, hang, mode and loop."""


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_what_hangs_shows_where(cell, tmp_path):
    if cell.loop == "uvloop":
        pytest.importorskip("uvloop")
    text = hanging.said(cell, tmp_path)
    assert any(line in text for line in cell.expected()), text
