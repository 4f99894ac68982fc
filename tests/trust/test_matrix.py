"""Features hold beside one another: any two keep what each promises alone."""

from __future__ import annotations

import itertools

import matrix
import pytest
from features import FEATURES
from hypothesis import settings
from matrix import Cell

PAIRS = [Cell(names) for names in itertools.combinations(FEATURES, 2)]
TRIPLES = [Cell(("concurrent", *pair.names)) for pair in PAIRS if "concurrent" not in pair.names]
ALL = [*map(Cell, zip(FEATURES)), *PAIRS, *TRIPLES]
CELLS = ALL if settings.default.max_examples > 300 else ALL[::29]
"""All with `--hypothesis-profile=thorough`, else a share in which each feature is."""


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_features_hold_beside_one_another(cell, pytester, monkeypatch):
    reason = cell.why_not()
    if reason is not None:
        pytest.skip(reason)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    seen = matrix.run(cell, pytester)
    assert list(matrix.broken(cell, seen)) == []
