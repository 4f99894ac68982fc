"""The check `loop-settings`: what tests and fixtures change on a loop that they share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, final

import pytest

from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.support import frames, instruments
from pytest_asyncio.support.instruments import Instruments

from . import BaseCheck, CheckWarning, Culprit, Report, whose

_SETTINGS: Final = {
    "exception_handler": "exception handler",
    "debug": "debug mode",
    "task_factory": "task factory",
}
"""By what follows `get_` and `set_` in the names of a loop's methods."""


class LoopSettingsWarning(CheckWarning):
    """A test or fixture has changed a setting of a loop that others use after it."""

    __module__ = "pytest_asyncio"


@dataclass
class _Change:
    culprit: Culprit
    owner: LoopOwner
    setting: str
    before: object
    value: object
    filename: str
    line: int


@final
class Check(BaseCheck):
    """Reports each setting that is not what it was before, and puts it back."""

    def __init__(self, session: pytest.Session, report: Report) -> None:
        super().__init__(session, report)
        self._instruments: Final[dict[LoopOwner, Instruments]] = {}
        self._changes: list[_Change] = []

    def loop_opened(self, owner: LoopOwner) -> None:
        if isinstance(owner.node, pytest.Item):
            return
        self._instruments[owner] = {
            f"set_{setting}": self._recording(owner, setting) for setting in _SETTINGS
        }
        instruments.attach(owner.opened, self._instruments[owner])

    def loop_closing(self, owner: LoopOwner) -> None:
        if owner in self._instruments:
            instruments.detach(owner.opened, self._instruments.pop(owner))
            self._changes = [change for change in self._changes if change.owner is not owner]

    def end(self, culprit: Culprit) -> None:
        for change in reversed([it for it in self._changes if it.culprit is culprit]):
            self._changes.remove(change)
            later = next((it for it in self._changes if _is_after(it, change)), None)
            if later is not None:
                later.before = change.before
            elif _value(change) is change.value and change.value is not change.before:
                getattr(change.owner.opened, f"set_{change.setting}")(change.before)
                self._report(change)

    def _recording(self, owner: LoopOwner, setting: str) -> Callable[[Any], None]:
        set_value = getattr(owner.opened, f"set_{setting}")
        get_value = getattr(owner.opened, f"get_{setting}")

        @functools.wraps(set_value)
        def set_recorded(value: Any) -> None:
            before = get_value()
            set_value(value)
            who, frame = whose(), frames.users(inspect.currentframe())
            if who is not None and frame is not None:
                place = frame.f_code.co_filename, frame.f_lineno
                self._changes.append(_Change(who, owner, setting, before, get_value(), *place))

        return set_recorded

    def _report(self, change: _Change) -> None:
        place = f"{frames.short(change.filename)}:{change.line}"
        self.report(
            LoopSettingsWarning(
                f"{change.culprit} has set the {_SETTINGS[change.setting]} of {change.owner}, "
                f"which others use after it, at {place}. Put it back, or set it in a fixture that "
                "does."
            ),
            change.filename,
            change.line,
            change.culprit,
        )


def _is_after(change: _Change, other: _Change) -> bool:
    """Return whether a change was made on top of another one."""
    is_same_setting = change.owner is other.owner and change.setting == other.setting
    return is_same_setting and change.before is other.value


def _value(change: _Change) -> object:
    return getattr(change.owner.opened, f"get_{change.setting}")()
