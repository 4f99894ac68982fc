"""Records: what each of the tests that run at the same time writes, logs and warns of.

It is kept back until pytest looks at the test.
"""

from __future__ import annotations

import copy
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, nullcontext
from functools import cached_property, partial
from typing import Any, Final, Literal, TypeAlias, final

import pytest

from pytest_asyncio.engine.runs import ACTIVE_TEST, ActiveTest
from pytest_asyncio.support.pytest_private import own_capture, reporting

_STREAMS: Final = ("stdout", "stderr")
_Place: TypeAlias = Literal["capturing", "suspended", "put by us"]
"""Where a stream of ours stands: for or before one of pytest's, or before whatever was in place."""


@final
class Record:
    """What a test writes and logs in a phase, in order, and its errors that cannot be raised."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, str] | logging.LogRecord | Callable[[], object]] = []

    def write(self, stream: str, text: str) -> None:
        self._entries.append((stream, text))

    def log(self, entry: logging.LogRecord) -> None:
        """Keep a log record as it is now, whatever becomes of its arguments."""
        kept = copy.copy(entry)
        kept.msg, kept.args = entry.getMessage(), None
        self._entries.append(kept)

    def report(self, unraisable: Callable[[], object]) -> None:
        self._entries.append(unraisable)

    def log_again(self, to: Callable[[logging.LogRecord], None]) -> None:
        """Let something know of what has been logged before."""
        for entry in self._entries:
            if isinstance(entry, logging.LogRecord):
                to(entry)

    def replay(self) -> None:
        """Write and log all of it, now that pytest listens."""
        entries, self._entries = self._entries, []
        for entry in entries:
            if isinstance(entry, logging.LogRecord):
                for handler in reporting.capturing_handlers():
                    if entry.levelno >= handler.level:
                        handler.handle(entry)
            elif callable(entry):
                entry()
            else:
                stream, text = entry
                getattr(sys, stream).write(text)


class RecordedTest(ActiveTest):
    """A test that keeps back what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.record: Record | None = None
        """Where it is kept; None while pytest listens."""
        self.unattributed: Final = Record()
        """What is reported with the test, although it may come from elsewhere."""
        self.warnings: Final = Warnings()
        self._when = "setup"
        self._logs: own_capture.OwnLogs | None = None
        self._output: own_capture.OwnOutput | None = None

    def keep(self, when: str, record: Record) -> None:
        """Keep what is done in a phase from now on."""
        self._when, self.record = when, record
        if self._logs is not None:
            self._logs.begin(when)
        if self._output is not None:
            self._output.begin()

    def release(self) -> None:
        """Let pytest listen to what was kept, and to what is done from now on."""
        if self._output is not None:
            self._output.end()
        self.record = None

    def write(self, stream: str, text: str) -> None:
        """Keep what the test writes, unless it captures that itself."""
        if self._output is not None and self._output.is_capturing:
            self._output.add(stream, text)
        else:
            self._keep_output(stream, text)

    def _keep_output(self, stream: str, text: str) -> None:
        (self.record or self.unattributed).write(stream, text)  # A thread may come too late.

    def log(self, entry: logging.LogRecord) -> None:
        """Keep what the test logs, and let it see that itself if it has asked to."""
        (self.record or self.unattributed).log(entry)
        if self._logs is not None:
            self._logs.add(entry)

    def report(self, unraisable: Callable[[], object]) -> None:
        """Keep what has pytest collect an error of the test that cannot be raised."""
        (self.record or self.unattributed).report(unraisable)

    def own(self, fixturedef: pytest.FixtureDef[Any], item: pytest.Item) -> None:
        """Let the test have a fixture of its own which pytest would have act on the process."""
        definition: Any = fixturedef
        if own_capture.is_of_pytest(fixturedef, "caplog"):
            self._logs = own_capture.OwnLogs(item)
            self._logs.begin(self._when)
            (self.record or self.unattributed).log_again(self._logs.add)
        elif own_capture.is_of_pytest(fixturedef, "capsys"):
            self._output = own_capture.OwnOutput(self._keep_output)
            definition.func = self._output.capsys


@final
class Warnings:
    """The warnings of a test. One that was there before counts only if the filters always want it.

    Python itself sees to that, but is made to forget what it has shown, for the sake of others.
    """

    def __init__(self) -> None:
        self.kept: Final[list[warnings.WarningMessage]] = []

    def add(self, warning: warnings.WarningMessage) -> bool:
        """Keep a warning, and return whether it counts."""
        counts = _is_always_shown(warning) or not any(_is_same(warning, kept) for kept in self.kept)
        if counts:
            self.kept.append(warning)
        return counts


@final
class Recorder:
    """Has the tests of a session keep back what they do.

    What no test is known to do, as a thread that nobody has given a context, is reported with the
    current test. So is what bypasses `sys.stdout` and `sys.stderr`, and is captured by pytest.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._current: RecordedTest | None = None
        self._looked_at: RecordedTest | None = None
        self._aside: Record | None = None
        """Keeps what others than that test do meanwhile."""
        self.lock: Final = threading.RLock()
        """Held while something is written, since threads write whatever pytest looks at."""
        self.is_at_work: bool = False
        self._unraisable: Final = reporting.Unraisable(config)
        self._capture: Final = reporting.Capture(config)
        self._level: Final = reporting.log_level(config)
        self._collector: Final = _Collector(self)
        # Before any test runs: a thread may begin to write before tests run beside its own.
        self._undo: Final = [
            *(self._stand_in(name, stream) for name, stream in self._capture.streams()),
            *self._capture.route(partial(_Stream, self, place="suspended")),
        ]

    @contextmanager
    def recording(self, current: RecordedTest) -> Generator[None]:
        """Let tests be run, one of which is the current test."""
        self._current = current
        try:
            with self.recording_others():
                yield
        finally:
            self._current = None
            for name, text in zip(_STREAMS, self._capture.take(), strict=True):
                current.unattributed.write(name, text)

    @contextmanager
    def recording_others(self) -> Generator[None]:
        """Let tests be run beside the current test."""
        self.is_at_work = True
        handlers = reporting.capturing_handlers()
        for handler in handlers:
            handler.addFilter(self._collector.is_to_be_shown)
        try:
            with (
                reporting.catching_logs(self._collector, self._level),
                showing_warnings(_keep_or_show),
                self._unraisable.kept_by(self._keep_or_report),
            ):
                self.listen()
                yield
        finally:
            self.is_at_work = False
            for handler in handlers:
                handler.removeFilter(self._collector.is_to_be_shown)
            for name in _STREAMS:
                stream = self.own(name)
                if stream is not None and stream.place == "put by us":
                    setattr(sys, name, stream.behind)

    def _keep_or_report(self, unraisable: Callable[[], object]) -> None:
        test = self.of_caller()
        if test is None:
            unraisable()
        else:
            test.report(unraisable)

    def listen(self) -> None:
        """Be the first to know of output, until a hook has pytest listen."""
        if not all(map(self._listens, _STREAMS)):
            self._capture.resume()
        for name in _STREAMS:
            if not self._listens(name):
                setattr(sys, name, _Stream(self, name, getattr(sys, name), "put by us"))

    def _listens(self, name: str) -> bool:
        stream = self.own(name)
        return stream is not None and stream.place != "suspended"

    def own(self, name: str) -> _Stream | None:
        """Return the stream of ours that is written to by the name of a standard one, if any."""
        stream: object = getattr(getattr(sys, name).write, "__self__", None)
        return stream if isinstance(stream, _Stream) and stream.recorder is self else None

    def _stand_in(self, name: str, stream: Any) -> Callable[[], object]:
        """Have a stream written to by one of ours, but leave it in place: others hold it by now.

        Returns what undoes that.
        """
        text = _Stream(self, name, stream, "capturing")
        layers = text, text.buffer
        for layer in layers:
            layer.behind.write, layer.behind.writelines = layer.write, layer.writelines

        def undo() -> None:
            for layer in layers:
                del layer.behind.write, layer.behind.writelines

        return undo

    def stop(self) -> None:
        """Leave the streams to pytest for good."""
        for undo in self._undo:
            undo()

    @contextmanager
    def looking_at(self, test: RecordedTest) -> Generator[None]:
        """Let pytest look at a test, to which nothing is added that belongs to the current one."""
        with (
            self._unraisable.aside(test.unattributed.report),
            nullcontext() if test is self._current else self._current_aside(test),
        ):
            yield

    @contextmanager
    def _current_aside(self, test: RecordedTest) -> Generator[None]:
        streams = sys.stdout, sys.stderr
        aside = Record()
        with self.lock:
            texts = self._capture.take()
            self._looked_at, self._aside = test, aside
        try:
            with reporting.captured_logs_aside(), self._capture.fixture_aside():
                yield
        finally:
            with self.lock:
                self._looked_at = self._aside = None
                self._capture.resume()
                for name, text in zip(_STREAMS, texts, strict=True):
                    getattr(sys, name).write(text)
                sys.stdout, sys.stderr = streams
                aside.replay()

    def of_caller(self) -> RecordedTest | Record | None:
        """Return what keeps back what the calling code does, if it is to be kept back."""
        test = _test_of_caller() or self._current
        if test is not None and test.record is not None:
            return test
        return None if test is self._looked_at else self._aside


class _Stream:
    """Stands before a standard stream, of text or of bytes, and is otherwise like it."""

    def __init__(self, recorder: Recorder, name: str, behind: Any, place: _Place) -> None:
        self.recorder: Final = recorder
        self._name: Final = name
        self.behind: Final = behind
        self.place: Final = place
        self._write: Final[Callable[[Any], int]] = behind.write

    @cached_property
    def buffer(self) -> _Stream:
        return _Stream(self.recorder, self._name, self.behind.buffer, self.place)

    def write(self, data: Any) -> int:
        with self.recorder.lock:
            test = self.recorder.of_caller()
            if test is not None:
                test.write(self._name, self._text(data))
            elif self._is_late():
                getattr(sys, self._name).write(self._text(data))
            else:
                return self._write(data)
        return len(data)

    def _is_late(self) -> bool:
        """Return whether pytest captures by now what a thread has begun to write."""
        return self.place == "suspended" and self.recorder.own(self._name) not in (None, self)

    def _text(self, data: Any) -> str:
        if isinstance(data, str):
            return data
        return bytes(data).decode(getattr(sys, self._name).encoding, "replace")

    def writelines(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


class _Collector(logging.Handler):
    """Collects log records in place of pytest's own handlers."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder: Final = recorder

    def emit(self, record: logging.LogRecord) -> None:
        test = self._recorder.of_caller()
        if test is not None:
            test.log(record)
        else:
            self._recorder.listen()  # To show it live, pytest has put its own streams back.

    def is_to_be_shown(self, _: logging.LogRecord) -> bool:
        return self._recorder.of_caller() is None


def _test_of_caller() -> RecordedTest | None:
    test = ACTIVE_TEST.get()
    return test if isinstance(test, RecordedTest) and not test.is_over else None


Show: TypeAlias = Callable[[warnings.WarningMessage], None]


@contextmanager
def showing_warnings(by: Callable[[Show, warnings.WarningMessage], None]) -> Generator[None]:
    """Have warnings shown by a function, which is first given what would have shown them."""
    # Not warnings.showwarning, which is not given the source of an object that was not closed.
    module: Any = warnings
    show: Show = module._showwarnmsg_impl
    module._showwarnmsg_impl = partial(by, show)
    try:
        yield
    finally:
        module._showwarnmsg_impl = show


def _keep_or_show(show: Show, warning: warnings.WarningMessage) -> None:
    test = _test_of_caller()
    if test is None:
        show(warning)
    else:
        test.warnings.add(warning)
    forget_warnings()


def forget_warnings() -> None:
    """Have Python forget which places have warned, so that they do so again, for other tests."""
    with warnings.catch_warnings():
        pass


def _is_same(warning: warnings.WarningMessage, other: warnings.WarningMessage) -> bool:
    return (warning.category, warning.filename, warning.lineno, str(warning.message)) == (
        other.category,
        other.filename,
        other.lineno,
        str(other.message),
    )


def _is_always_shown(warning: warnings.WarningMessage) -> bool:
    """Return whether the filters want a warning at each time, and not once for each place."""
    actions = (
        action
        for action, message, category, _, line in warnings.filters
        if issubclass(warning.category, category)
        and (message is None or message.match(str(warning.message)))
        and line in (0, warning.lineno)
    )
    return next(actions, "default") == "always"
