"""What a feature is: a small suite, how it is switched on, and what it promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Feature:
    """One feature, as a part of a suite."""

    tests: str = ""
    """Its own tests, which are all async unless they say otherwise."""
    outcomes: Mapping[str, str] = field(default_factory=dict)
    """What comes of its tests: "passed", "failed", "error", or "warned": it passes with
    a warning, which may be an error."""
    said: tuple[str, ...] = ()
    """What the report has, as patterns, once the tests have run."""
    args: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    ini: str = ""
    conftest: str = ""
    """Where fixtures that are requested automatically bring the feature to the other's tests."""
    overlap: tuple[str, ...] = ()
    """Those of its tests that run at the same time."""
    needs: str = ""
    """A module without which there is no such feature."""
    ends_session: bool = False
    """Whether tests may be left that do not run."""
    is_process: bool = False
    """Whether it needs a process of its own."""
