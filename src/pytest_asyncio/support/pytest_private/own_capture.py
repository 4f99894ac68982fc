"""Fixtures of pytest that a test can have for itself, while others run beside it."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import Any, Final, cast, final

import pytest
from _pytest import logging as logging_plugin
from _pytest.capture import CaptureResult, SysCapture


@final
class OwnLogs:
    """What `caplog` finds of a test that pytest does not listen to.

    It asks the item for its log records, which pytest puts there when it runs a phase.
    """

    def __init__(self, item: pytest.Item) -> None:
        plugin: Any = item.config.pluginmanager.getplugin("logging-plugin")
        self._item: Final = item
        self._handler: Final = logging_plugin.LogCaptureHandler()
        self._handler.setFormatter(plugin.formatter)
        self._handler.setLevel(plugin.log_level or logging.NOTSET)
        self._records: Final[dict[str, list[logging.LogRecord]]] = {}

    def begin(self, when: str) -> None:
        """Begin a phase."""
        self._handler.reset()
        self._records[when] = self._handler.records
        self._item.stash[logging_plugin.caplog_handler_key] = self._handler
        self._item.stash[logging_plugin.caplog_records_key] = self._records

    def add(self, record: logging.LogRecord) -> None:
        if record.levelno >= self._handler.level:
            self._handler.handle(record)


@final
class OwnOutput:
    """What `capsys` captures of a test, in place of patches of `sys.stdout` and `sys.stderr`."""

    def __init__(self, write: Callable[[str, str], None]) -> None:
        self._write: Final = write
        """Reports what the test has not read in a phase."""
        self._texts: Final[dict[str, list[str]]] = {"stdout": [], "stderr": []}
        self._fixture: Any = None

    def capsys(self, request: pytest.FixtureRequest) -> Generator[pytest.CaptureFixture[str]]:
        """Stand for the fixture function of `capsys`."""
        fixture = pytest.CaptureFixture(SysCapture, cast("Any", request), _ispytest=True)
        self._fixture = fixture
        self.begin()
        yield fixture
        self.end()
        self._fixture = None

    @property
    def is_capturing(self) -> bool:
        return self._fixture is not None and self._fixture._is_started()

    def add(self, stream: str, text: str) -> None:
        self._texts[stream].append(text)

    def begin(self) -> None:
        """Begin a phase."""
        if self._fixture is not None:
            self._fixture._capture = self

    def end(self) -> None:
        """End a phase: the fixture keeps what it has captured, and pytest reports it."""
        if self._fixture is not None:
            self._fixture.close()

    # What the fixture asks of pytest's own captures:

    def readouterr(self) -> CaptureResult[str]:
        out, err = map("".join, self._texts.values())
        for texts in self._texts.values():
            texts.clear()
        return CaptureResult(out, err)

    def pop_outerr_to_orig(self) -> CaptureResult[str]:
        out, err = self.readouterr()
        for stream, text in (("stdout", out), ("stderr", err)):
            if text:
                self._write(stream, text)
        return CaptureResult(out, err)

    def is_started(self) -> bool:
        return True

    def stop_capturing(self) -> None:
        """Do nothing: the streams are as they were."""


def is_of_pytest(fixturedef: pytest.FixtureDef[Any], name: str) -> bool:
    """Return whether a fixture is pytest's own of a name, and not what overrides it."""
    return fixturedef.argname == name and fixturedef.func.__module__.startswith("_pytest.")
