"""What tests of checks are run for, and where they can be."""

from __future__ import annotations

import gc
import sys

import pytest

both_scopes = pytest.mark.parametrize("scope", ["function", "module"])
needs_callbacks = pytest.mark.skipif(
    not hasattr(gc, "callbacks"), reason="Its collections cannot be seen."
)
needs_references = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="it counts no references"
)
