"""These suites run as their users run them: in a process of their own, with installed plugins."""

from __future__ import annotations

import itertools
from importlib.metadata import entry_points

import pytest

INSTALLED = {
    name for plugin in entry_points(group="pytest11") for name in (plugin.name, plugin.value)
}


@pytest.fixture
def suite(suite, pytester, monkeypatch):
    """Write a suite and run it with this plugin and those that `-p` adds, if they are installed."""

    def runpytest(*args: str, plugins: object) -> pytest.RunResult:
        for option, name in itertools.pairwise(args):
            if option == "-p" and not name.startswith("no:") and name not in INSTALLED:
                pytest.skip(f"no plugin {name!r} is installed")
        return pytester.runpytest_subprocess("-p", "asyncio", *args, timeout=60)

    monkeypatch.setattr(pytester, "runpytest", runpytest)
    return suite
