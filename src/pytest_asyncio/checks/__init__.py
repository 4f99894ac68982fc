"""Checks: diagnoses that can be switched on, one a file, found by their names."""
from __future__ import annotations
import pkgutil


def names() -> tuple[str, ...]:
    """Return the names of all checks."""
    return tuple(sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__)))
