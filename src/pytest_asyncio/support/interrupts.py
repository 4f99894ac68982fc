"""Interrupts: what is called in the main thread in the middle of what it does, by a signal."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, ClassVar, Final, TypeAlias, final

import pytest

from .watchdog import Alarms

Interrupt: TypeAlias = Callable[[FrameType | None], None]
"""Takes the frame that the main thread is in, and may raise there."""

# By default ignored, so that one that comes late does no harm, and hardly ever used by others.
_SIGNAL: Final[int | None] = getattr(signal, "SIGURG", None)

_AGAIN: Final = 1.0
"""Seconds after which a signal that was not handled is sent again."""


@final
class Interrupts:
    """The interrupts of a session that are requested and not yet called.

    Several requests may come as a single signal, and none is lost.
    """

    _KEY: ClassVar = pytest.StashKey["Interrupts"]()

    def __init__(self, number: int, session: pytest.Session) -> None:
        self._number: Final = number
        self._session: Final = session
        self._thread: Final = threading.get_ident()
        self._requested: Final = deque[Interrupt]()
        self._is_calling = False

    @classmethod
    def of(cls, session: pytest.Session) -> Interrupts | None:
        """Return those of a session, if this is the main thread of a system that has signals."""
        if _SIGNAL is None or threading.current_thread() is not threading.main_thread():
            return None
        interrupts = session.stash.get(cls._KEY, None)
        if interrupts is None:
            interrupts = session.stash[cls._KEY] = cls(_SIGNAL, session)
            before = signal.signal(_SIGNAL, interrupts._call) or signal.SIG_DFL
            session.config.add_cleanup(partial(_put_back, _SIGNAL, before))
        return interrupts

    def request(self, interrupt: Interrupt) -> None:
        """Have an interrupt called in the main thread, soon. May be called in any thread."""
        self._requested.append(interrupt)
        self._send()

    def _call(self, _: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        if self._is_calling:  # What an interrupt does itself is not to be interrupted.
            return
        self._is_calling = True
        try:
            while self._requested:
                self._requested.popleft()(frame)
        finally:
            self._is_calling = False
            if self._requested:  # pragma: no cover  # One has raised, and another one came with it.
                self._send()

    def _send(self) -> None:
        """Send the signal until it is handled.

        One that comes just before the thread waits for a lock is seen by Python only afterwards.
        """
        if self._requested:
            signal.pthread_kill(self._thread, self._number)
            Alarms.of(self._session).set(_AGAIN, self._send)


def _put_back(number: int, handler: Any) -> None:
    signal.signal(number, handler)
