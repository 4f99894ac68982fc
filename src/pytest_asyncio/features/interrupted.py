"""Ctrl-C: what async tests were doing is shown at once, before pytest's own summary."""

from __future__ import annotations

from typing import Final, final

import pytest

from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import frames
from pytest_asyncio.support.await_chains import Step, as_traceback
from pytest_asyncio.support.pytest_private import reporting

from . import hang_report

_REFUSED: Final = "what Ctrl-C has not ended"


def start(session: pytest.Session) -> None:
    """Have Ctrl-C show, from now on, what it interrupts."""
    ctrl_c = _CtrlC(session)
    session.config.pluginmanager.register(ctrl_c, "asyncio-interrupted")
    SessionState.of(session).observe(ctrl_c)


@final
class _CtrlC(Observer):
    def __init__(self, session: pytest.Session) -> None:
        self._session: Final = session
        self._output: Final = reporting.RealOutput.of(session.config)
        self._has_shown = False
        self._chain: list[Step] = []
        """Where the current test was."""

    def loop_interrupted(self, error: BaseException) -> None:
        if self._has_shown or not isinstance(error, KeyboardInterrupt):
            return
        self._has_shown = True
        running = SessionState.of(self._session).all_running
        self._chain = hang_report.chain_of(running[0] if running else None, error)
        text = hang_report.written(self._session, error)
        if text:
            self._output.show(hang_report.TITLE, text)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Let pytest's summary name the user's line, and `--full-trace` begin with the user's."""
        self.loop_interrupted(excinfo.value)
        # To pytest, they would be part of the line that it draws.
        notes: list[str] = vars(excinfo.value).pop("__notes__", [])
        if notes:
            self._output.show(_REFUSED, "\n".join(notes))
        users = frames.up_to_users(as_traceback(self._chain))
        if users is None:
            return
        traceback = type(excinfo.traceback)(users)
        if self._session.config.getoption("fulltrace", False):
            traceback += excinfo.traceback
        excinfo.traceback = traceback
