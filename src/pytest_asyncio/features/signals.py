"""SIGTERM and the like, which end the process, and one that does not: they show what tests do."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any, Final, TypeAlias, final

import pytest

from pytest_asyncio.collect import options

from . import hang_report

_NAMES: Final = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK")
ENDING: Final = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""What ends a process by default, is sent by others, and leaves it some time."""

_Handler: TypeAlias = Callable[[int, FrameType | None], None]


def start(session: pytest.Session) -> None:
    """Have the signals that end the process show what async tests are doing, before they end it.

    So does the signal that the option `asyncio_dump_signal` names, after which the session goes on.
    Handlers can be set in the main thread only.
    """
    if threading.current_thread() is threading.main_thread():
        _Signals(session)


@final
class _LikeDefault(int):
    """A handler that `signal.getsignal()` takes for the default one, to which it is equal.

    What keeps handlers and puts them back, and tests that, find what they find without us.
    """

    _act: _Handler

    def __new__(cls, act: _Handler) -> _LikeDefault:
        self = super().__new__(cls, signal.SIG_DFL)
        self._act = act
        return self

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._act(number, frame)


@final
class _Signals:
    def __init__(self, session: pytest.Session) -> None:
        self._session: Final = session
        self._process: Final = os.getpid()
        self._put: Final[dict[int, Any]] = {}
        for number in ENDING:  # What the suite or its runner has set is left alone.
            if signal.getsignal(number) is signal.SIG_DFL:
                self._put[number] = signal.SIG_DFL
                _set(number, self._end)
        dump_signal = options.of(session.config).dump_signal
        if dump_signal is not None:
            self._put[dump_signal] = signal.signal(dump_signal, self._dump)
        session.config.add_cleanup(self._put_back)

    def _end(self, number: int, _: FrameType | None) -> None:
        """Show what tests are doing, and let the signal do what it would have done."""
        signal.signal(number, signal.SIG_DFL)  # A second one ends the process at once.
        try:
            self._dump(number, None)
        finally:
            signal.raise_signal(number)

    def _dump(self, number: int, _: FrameType | None) -> None:
        if os.getpid() == self._process:  # Children that are forked inherit handlers.
            hang_report.write(self._session, f"at {signal.Signals(number).name}")

    def _put_back(self) -> None:
        for number, before in self._put.items():
            if signal.getsignal(number) in (signal.SIG_DFL, self._end, self._dump):
                signal.signal(number, before)


def _set(number: int, act: _Handler) -> None:
    """Set a handler that is not to be seen. On PyPy, what equals the default handler is that."""
    if sys.implementation.name == "cpython":
        import_module("_signal").signal(number, _LikeDefault(act))  # `signal` passes plain ints on.
    else:  # pragma: no cover  # Seen there.
        signal.signal(number, act)
