"""These suites run as their users run them: in a process of their own, with installed plugins."""

from __future__ import annotations

import pytest


@pytest.fixture
def suite(suite, pytester, monkeypatch):
    """Write a suite and run it with this plugin and those that `-p` adds."""

    def runpytest(*args: str, plugins: object) -> pytest.RunResult:
        return pytester.runpytest_subprocess("-p", "asyncio", *args, timeout=60)

    monkeypatch.setattr(pytester, "runpytest", runpytest)
    return suite
