"""Virtual time: a loop whose clock jumps to the next timer when nothing else can happen."""

from __future__ import annotations

import pytest

from pytest_asyncio.engine.session import SessionState

from .virtual import VirtualLoops


def start(session: pytest.Session) -> None:
    SessionState.of(session).virtual_factory = VirtualLoops
