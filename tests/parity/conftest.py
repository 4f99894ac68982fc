"""The options of the comparison: `nox --session parity -- --suites 3000 --seed 7`."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("parity")
    group.addoption("--old", help="a Python that has pytest-asyncio 1.5", metavar="PYTHON")
    group.addoption("--suites", help="how many are compared", type=int, default=300)
    group.addoption("--seed", help="what they are drawn with", type=int, default=0)
