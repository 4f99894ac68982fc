"""`--asyncio-debug`: the loops of tests and fixtures are in asyncio's debug mode.

Where something was created is shown at the user's line.
"""

from __future__ import annotations

from typing import Final, final

import pytest

from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import instruments
from pytest_asyncio.support.instruments import Instruments


def start(session: pytest.Session) -> None:
    SessionState.of(session).observe(_DebugMode())


@final
class _DebugMode(Observer):
    def __init__(self) -> None:
        self._instruments: Final[dict[LoopOwner, Instruments]] = {}

    def loop_opened(self, owner: LoopOwner) -> None:
        loop = owner.opened
        assert loop is not None
        loop.set_debug(True)
        self._instruments[owner] = instruments.seeing_tasks(loop)
        instruments.attach(loop, self._instruments[owner])

    def loop_closing(self, owner: LoopOwner) -> None:
        instruments.detach(owner.opened, self._instruments.pop(owner))
