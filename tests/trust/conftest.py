"""How many examples there are: `--hypothesis-profile=thorough` makes ten times as many."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

COMMON = settings(deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("quick", COMMON, max_examples=300, derandomize=True, database=None)
settings.register_profile("thorough", COMMON, max_examples=3000)
settings.load_profile("quick")
