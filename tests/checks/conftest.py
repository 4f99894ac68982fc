"""What the tests of checks share: a suite that is checked."""

from __future__ import annotations

import pytest


@pytest.fixture
def checked(suite):
    """Run a suite with checks; `SCOPE` in it stands for a loop scope."""

    def run(source, *args, names="all", scope="function", **kwargs):
        source = source.replace("SCOPE", repr(scope))
        return suite(source, f"--asyncio-checks={names}", *args, **kwargs)

    return run
