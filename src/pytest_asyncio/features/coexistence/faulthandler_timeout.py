"""pytest's `faulthandler_timeout`: the stacks of threads that it shows say nothing of tasks."""

from __future__ import annotations

from typing import Final, final

import pytest

from pytest_asyncio.features import hang_report
from pytest_asyncio.support.watchdog import Alarm, Alarms

_BEFORE: Final = 0.95
"""Part of the time after which tasks are shown: pytest may end the process when all is over."""


def start(session: pytest.Session) -> None:
    """Have what async tests are doing shown too."""
    seconds = float(session.config.getini("faulthandler_timeout"))
    session.config.pluginmanager.register(_Shown(session, seconds), "asyncio-faulthandler")


@final
class _Shown:
    def __init__(self, session: pytest.Session, seconds: float) -> None:
        self._session: Final = session
        self._seconds: Final = seconds
        self._alarms: Final = Alarms.of(session)
        self._alarm = self._set()  # The first test has started before.

    def pytest_runtest_logstart(self) -> None:
        self._alarm = self._set()

    def pytest_runtest_logfinish(self) -> None:
        self._alarms.cancel(self._alarm)

    def _set(self) -> Alarm:
        return self._alarms.set(self._seconds * _BEFORE, self._show)

    def _show(self) -> None:
        hang_report.write(self._session, f"before the {self._seconds:g} s of faulthandler_timeout")
