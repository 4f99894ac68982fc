"""`--asyncio-debug`: the loops of tests and fixtures are in asyncio's debug mode."""

from __future__ import annotations

from typing import final

import pytest

from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.session import Observer, SessionState


def start(session: pytest.Session) -> None:
    SessionState.of(session).observe(_DebugMode())


@final
class _DebugMode(Observer):
    def loop_opened(self, owner: LoopOwner) -> None:
        assert owner.opened is not None
        owner.opened.set_debug(True)
