"""Records: what each of the tests that run at the same time writes, logs and warns of.

The lane of the code that does it keeps it back, until pytest looks at the test.
"""

from __future__ import annotations

import copy
import logging
import sys
import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, Final, TextIO, final

import pytest

from . import internals
from .loops import LANE, Lane

_STREAMS: Final = ("stdout", "stderr")


@final
class Record:
    """What a test writes and logs in a phase, in order."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, str] | logging.LogRecord] = []

    def write(self, stream: str, text: str) -> None:
        self._entries.append((stream, text))

    def log(self, entry: logging.LogRecord) -> None:
        """Keep a log record as it is now, whatever becomes of its arguments."""
        kept = copy.copy(entry)
        kept.msg, kept.args = entry.getMessage(), None
        self._entries.append(kept)

    def replay(self) -> None:
        """Write and log all of it, now that pytest listens."""
        entries, self._entries = self._entries, []
        for entry in entries:
            if isinstance(entry, logging.LogRecord):
                for handler in internals.capturing_handlers():
                    if entry.levelno >= handler.level:
                        handler.handle(entry)
            else:
                stream, text = entry
                getattr(sys, stream).write(text)


class RecordedLane(Lane):
    """A lane that keeps back what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.record: Record | None = None
        """Where it is kept; None while pytest listens."""
        self.leftovers: Final = Record()
        """What is told with the lane, although it may come from elsewhere."""
        self.warnings: Final[list[warnings.WarningMessage]] = []
        self.is_over: bool = False

    def warn(self, warning: warnings.WarningMessage) -> None:
        """Keep a warning; one that was kept before, only if the filters always want it."""
        if _is_always_shown(warning) or not any(_is_same(warning, kept) for kept in self.warnings):
            self.warnings.append(warning)


@final
class Recorder:
    """Has the lanes of a session keep back what they do.

    What is done in no lane, as by a thread that nobody has given a context, is told with the test
    at hand. What bypasses `sys.stdout` and `sys.stderr` is captured by pytest, and told with the
    next test that it looks at.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._at_hand: RecordedLane | None = None
        self._capture: Final = internals.Capture(config)
        self._level: Final = internals.log_level(config)
        self._collector: Final = _Collector(self)
        self._streams: Final = [_Stream(name, self) for name in _STREAMS]

    @contextmanager
    def recording(self, at_hand: RecordedLane) -> Generator[None]:
        """Let lanes be run, the test at hand being that of one of them."""
        self._at_hand = at_hand
        root, handlers = logging.getLogger(), internals.capturing_handlers()
        level, show_warning = root.level, warnings.showwarning
        for handler in handlers:
            handler.addFilter(self._collector.is_to_be_shown)
        root.addHandler(self._collector)
        root.setLevel(level if self._level is None else min(level, self._level))
        warnings.showwarning = _showing_or_keeping(show_warning)
        try:
            yield
        finally:
            warnings.showwarning = show_warning
            root.setLevel(level)
            root.removeHandler(self._collector)
            for handler in handlers:
                handler.removeFilter(self._collector.is_to_be_shown)
            self._end()
            self._at_hand = None

    def listen(self) -> None:
        """Be the first to know of output, until a hook has pytest listen."""
        aside = [stream for stream in self._streams if getattr(sys, stream.name) is not stream]
        if aside:
            self._capture.resume()
        for stream in aside:
            stream.put_before(getattr(sys, stream.name))

    def of_caller(self) -> Record | None:
        """Return the record for what the calling code does, if it is to be kept back."""
        lane = _lane_of_caller() or self._at_hand
        return None if lane is None else lane.record

    def _end(self) -> None:
        for stream in self._streams:
            stream.step_back()
        assert self._at_hand is not None
        for name, text in zip(_STREAMS, self._capture.take(), strict=True):
            self._at_hand.leftovers.write(name, text)


class _Stream:
    """Stands before a standard stream, and is otherwise like it."""

    def __init__(self, name: str, recorder: Recorder) -> None:
        self.name: Final = name
        self._recorder: Final = recorder
        self.behind: TextIO = getattr(sys, name)
        self.buffer: Final = _Buffer(self)

    def put_before(self, behind: TextIO) -> None:
        self.behind = behind
        setattr(sys, self.name, self)

    def step_back(self) -> None:
        if getattr(sys, self.name) is self:
            setattr(sys, self.name, self.behind)

    def write(self, text: str) -> int:
        record = self._recorder.of_caller()
        if record is None:
            return self.behind.write(text)
        record.write(self.name, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


class _Buffer:
    """The bytes below a stream."""

    def __init__(self, stream: _Stream) -> None:
        self._stream: Final = stream

    def write(self, data: bytes) -> int:
        self._stream.write(bytes(data).decode(self._stream.encoding, "replace"))
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream.behind.buffer, name)


class _Collector(logging.Handler):
    """Collects log records in place of pytest's own handlers."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder: Final = recorder

    def emit(self, record: logging.LogRecord) -> None:
        kept = self._recorder.of_caller()
        if kept is not None:
            kept.log(record)

    def is_to_be_shown(self, _: logging.LogRecord) -> bool:
        return self._recorder.of_caller() is None


def _lane_of_caller() -> RecordedLane | None:
    lane = LANE.get()
    return lane if isinstance(lane, RecordedLane) and not lane.is_over else None


def _showing_or_keeping(show: Any) -> Any:
    def show_or_keep(
        message: Warning, category: type[Warning], filename: str, lineno: int, *args: Any
    ) -> None:
        lane = _lane_of_caller()
        if lane is None:
            show(message, category, filename, lineno, *args)
            return
        lane.warn(warnings.WarningMessage(message, category, filename, lineno, *args))
        # The place that warned is to do so again for other tests; this makes Python forget it.
        with warnings.catch_warnings():
            pass

    return show_or_keep


def _is_same(warning: warnings.WarningMessage, other: warnings.WarningMessage) -> bool:
    return (warning.category, warning.filename, warning.lineno, str(warning.message)) == (
        other.category,
        other.filename,
        other.lineno,
        str(other.message),
    )


def _is_always_shown(warning: warnings.WarningMessage) -> bool:
    """Tell whether the filters want a warning at each time, and not once for each place."""
    actions = (
        action
        for action, message, category, _, line in warnings.filters
        if issubclass(warning.category, category)
        and (message is None or message.match(str(warning.message)))
        and line in (0, warning.lineno)
    )
    return next(actions, "default") == "always"
