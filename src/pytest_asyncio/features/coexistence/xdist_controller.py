"""pytest-xdist: workers end some seconds after their controller, where that one is ended."""

from __future__ import annotations

import os
from typing import Final, final

import pytest

from pytest_asyncio.features import hang_report
from pytest_asyncio.support.watchdog import Alarms

_SECONDS: Final = 0.5
"""Between two looks. Those who end a process leave it one or two before they kill all."""


def start(session: pytest.Session) -> None:
    """Have a worker show what its async tests are doing when its controller is gone."""
    _Watch(session)


@final
class _Watch:
    def __init__(self, session: pytest.Session) -> None:
        self._session: Final = session
        self._controller: Final = os.getppid()
        self._alarms: Final = Alarms.of(session)
        self._wait()

    def _wait(self) -> None:
        self._alarms.set(_SECONDS, self._look)

    def _look(self) -> None:
        if os.getppid() == self._controller:
            self._wait()
        else:
            hang_report.write(self._session, "at the end of the controller of pytest-xdist")
