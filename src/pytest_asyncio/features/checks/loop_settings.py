"""The check `loop-settings`: what tests and fixtures change on a loop that they share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import pytest

from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.support import frames, instruments
from pytest_asyncio.support.foreign import attribute
from pytest_asyncio.support.instruments import Instruments
from pytest_asyncio.support.pytest_private import setup_state

from . import BaseCheck, CheckWarning, Culprit, Report, whose

_SETTINGS: Final = {
    "exception_handler": "exception handler",
    "debug": "debug mode",
    "task_factory": "task factory",
}
"""By what follows `get_` and `set_` in the names of a loop's methods."""

_TESTS: Final = {"test", "tests"}
"""The names of folders whose modules are the suite's, whatever these are called."""


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
    """Reports each setting that is not what it was before.

    What the suite's own code has set is put back. What other code has set is left in force:
    libraries set up a loop once, and would be silently without it from then on.
    """

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
                self._see_to(change)

    def _see_to(self, change: _Change) -> None:
        """Report a change, unless its loop ends with whoever has made it."""
        if change.owner.node not in setup_state.set_up_nodes(self.session):
            return
        is_suites = self._is_suites(change)
        if is_suites:
            getattr(change.owner.opened, f"set_{change.setting}")(change.before)
        self._report(change, is_suites)

    def _recording(self, owner: LoopOwner, setting: str) -> Callable[[Any], None]:
        set_value = getattr(owner.opened, f"set_{setting}")
        get_value = getattr(owner.opened, f"get_{setting}")

        @functools.wraps(set_value)
        def set_recorded(value: Any) -> None:
            before = get_value()
            set_value(value)
            who, frame = whose(), next(frames.callers(inspect.currentframe()), None)
            if who is not None and frame is not None:
                place = frame.f_code.co_filename, frame.f_lineno
                self._changes.append(_Change(who, owner, setting, before, get_value(), *place))

        return set_recorded

    def _is_suites(self, change: _Change) -> bool:
        """Return whether a test module, a conftest or a plugin has made a change, or a helper that
        lies in a folder of tests.
        """
        config, path = self.session.config, Path(change.filename)
        root = config.rootpath.parent
        if frames.is_users_file(change.filename) and path.is_relative_to(root):
            folders = path.relative_to(root).parent.parts
            if any(map(path.match, config.getini("python_files"))) or _TESTS.intersection(folders):
                return True
        plugins = (attribute(it, "__file__", str) for it in config.pluginmanager.get_plugins())
        defined = frames.definition_of(change.culprit.function) or ()
        return change.filename in (*plugins, *defined)

    def _report(self, change: _Change, is_suites: bool) -> None:
        what = f"the {_SETTINGS[change.setting]} of {change.owner}, which others use after it"
        place = f"at {frames.short(change.filename)}:{change.line}"
        if is_suites:
            text = (
                f"{change.culprit} has set {what}, {place}. Put it back, or set it in a fixture "
                "that does."
            )
        else:
            text = (
                f"{change.culprit} had {what}, set by code outside of the suite, {place}. It is "
                "left in force, because libraries set up a loop once. Use a loop of a narrower "
                "scope where others are not to see it."
            )
        self.report(LoopSettingsWarning(text), change.filename, change.line, change.culprit)


def _is_after(change: _Change, other: _Change) -> bool:
    """Return whether a change was made on top of another one."""
    is_same_setting = change.owner is other.owner and change.setting == other.setting
    return is_same_setting and change.before is other.value


def _value(change: _Change) -> object:
    return getattr(change.owner.opened, f"get_{change.setting}")()
