"""Whatever hangs, and whatever ends it, the line at which it hangs is shown."""

from __future__ import annotations

import os

import hanging
import pytest


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize("cell", hanging.CELLS, ids=str)
def test_what_hangs_shows_where(cell, tmp_path):
    if cell.loop == "uvloop":
        pytest.importorskip("uvloop")
    text = hanging.said(cell, tmp_path)
    assert any(line in text for line in cell.expected()), text
