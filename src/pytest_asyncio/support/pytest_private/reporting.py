"""How pytest captures output and logs, and what it reports."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, ClassVar, Final, Literal, TextIO, TypeAlias, TypeGuard

import pytest
from _pytest import warnings as warnings_plugin
from _pytest.logging import LogCaptureHandler
from _pytest.logging import catching_logs as catching_logs
from _pytest.runner import _update_current_test_var, check_interactive_exception
from _pytest.threadexception import thread_exceptions
from _pytest.unraisableexception import unraisable_exceptions


class Capture:
    """pytest's capture of output, which has no public interface for plugins."""

    def __init__(self, config: pytest.Config) -> None:
        self.plugin: Any = config.pluginmanager.getplugin("capturemanager")

    def resume(self) -> None:
        self.plugin.resume_global_capture()

    def take(self) -> tuple[str, str]:
        """Return what has been captured, and not been taken, as `(stdout, stderr)`."""
        self.plugin.suspend_global_capture()
        out, err = self.plugin.read_global_capture()
        return out, err

    @contextmanager
    def fixture_aside(self) -> Generator[None]:
        """Put aside the `capsys` of one test, which pytest takes for that of any it looks at."""
        fixture, self.plugin._capture_fixture = self.plugin._capture_fixture, None
        try:
            yield
        finally:
            self.plugin._capture_fixture = fixture

    def streams(self) -> Iterator[tuple[str, TextIO]]:
        """Yield the streams that pytest puts in place of `sys.stdout` and `sys.stderr` while it
        captures them, each with its name.
        """
        for patch in self._patches():
            yield patch.name, patch.tmpfile

    def route(self, put_before: Callable[[str, TextIO], Any]) -> list[Callable[[], object]]:
        """Put streams before those that are in place while pytest suspends capturing. Returns what
        undoes that.
        """
        undo: list[Callable[[], object]] = []
        for patch in self._patches():
            behind: TextIO = patch._old
            patch._old = put_before(patch.name, behind)
            if getattr(sys, patch.name) is behind:
                setattr(sys, patch.name, patch._old)
            undo.append(functools.partial(setattr, patch, "_old", behind))
        return undo

    def _patches(self) -> Iterator[Any]:
        """Yield what replaces the streams, alone or beside what captures their descriptors."""
        for capture in (self.plugin._global_capturing.out, self.plugin._global_capturing.err):
            if capture is not None:
                yield getattr(capture, "syscapture", capture)


class RealOutput:
    """The terminal and stderr as they were before pytest began to capture what is written to them.

    It has no public way around that while a test runs.
    """

    _KEY: ClassVar = pytest.StashKey["RealOutput"]()

    def __init__(self, config: pytest.Config) -> None:
        manager = config.pluginmanager
        self._reporter: Any = manager.getplugin("terminalreporter")
        self._capture: Any = manager.getplugin("capturemanager")
        self._is_worker = hasattr(config, "workerinput")
        with self._uncaptured():
            self._stderr = os.dup(2)
        config.add_cleanup(functools.partial(os.close, self._stderr))

    @classmethod
    def of(cls, config: pytest.Config) -> RealOutput:
        if cls._KEY not in config.stash:
            config.stash[cls._KEY] = cls(config)
        return config.stash[cls._KEY]

    def show(self, title: str, text: str) -> None:
        """Write a section to the terminal; in a worker of pytest-xdist, which has none, to stderr.

        pytest may be in the middle of a test, but not of anything else.
        """
        if self._reporter is None or self._is_worker:
            self.write(title, text)
            return
        with self._uncaptured():
            self._reporter.ensure_newline()
            self._reporter.write_sep("-", title)
            self._reporter.write_line(text, flush=True)

    def write(self, title: str, text: str) -> None:
        """Write a section to stderr, from any thread and at any time."""
        section = f"\n{f' {title} ':-^80}\n{text}\n"
        os.write(self._stderr, section.encode(errors="backslashreplace"))

    def _uncaptured(self) -> AbstractContextManager[None]:
        manager = self._capture
        return nullcontext() if manager is None else manager.global_and_fixture_disabled()


def log_level(config: pytest.Config) -> int | None:
    """The level from which on pytest captures log records: it is what the root logger is set to."""
    level: int | None = getattr(config.pluginmanager.getplugin("logging-plugin"), "log_level", None)
    return level


def shows_at_once(config: pytest.Config) -> bool:
    """Return whether what tests write or log is shown, or written to a file, as soon as they do."""
    logs: Any = config.pluginmanager.getplugin("logging-plugin")
    has_log_file = config.getoption("log_file", None) or config.getini("log_file")
    return (
        config.getoption("capture") in ("no", "tee-sys")
        or bool(has_log_file)
        or bool(logs._log_cli_enabled())
    )


_HOOKS: Final = (
    (sys, "unraisablehook", unraisable_exceptions),
    (threading, "excepthook", thread_exceptions),
)


Keep: TypeAlias = Callable[[Callable[[], object]], None]
"""Keeps an error for later. It is given what has pytest collect that."""


class Unraisable:
    """Errors that cannot be raised, as those of `__del__` and of threads.

    pytest collects them, and reports them with the test that it looks at next.
    """

    def __init__(self, config: pytest.Config) -> None:
        stash: Any = config.stash
        self._collected: Final[list[tuple[Any, str, deque[Any]]]] = [
            (module, hook, stash[key])
            for module, hook, key in _HOOKS
            if key in stash  # Its plugin may be left out by `-p no:`.
        ]

    @contextmanager
    def aside(self, keep: Keep) -> Generator[None]:
        """Put aside those of one test, which pytest takes for those of any it looks at.

        Those of the other one that it has not reported then, for its setup has failed, are kept.
        """
        held = [(collected, [*collected]) for *_, collected in self._collected]
        for collected, _ in held:
            collected.clear()
        try:
            yield
        finally:
            for collected, errors in held:
                _take_newest(collected, 0, keep)
                collected.extend(errors)

    @contextmanager
    def kept_by(self, keep: Keep) -> Generator[None]:
        """Have each kept."""
        with ExitStack() as stack:
            for module, hook, collected in self._collected:
                collect = getattr(module, hook)
                collect_and_keep = functools.partial(_collect_and_keep, collect, collected, keep)
                setattr(module, hook, collect_and_keep)
                stack.callback(_put_back, module, hook, collect_and_keep, collect)
            yield


def _collect_and_keep(
    collect: Callable[[Any], object], collected: deque[Any], keep: Keep, error: Any, /
) -> None:
    known = len(collected)
    collect(error)
    _take_newest(collected, known, keep)


def _take_newest(collected: deque[Any], known: int, keep: Keep) -> None:
    newest = [collected.pop() for _ in range(len(collected) - known)]
    for error in reversed(newest):
        keep(functools.partial(collected.append, error))


def _put_back(module: Any, hook: str, ours: object, before: object) -> None:
    if getattr(module, hook) is ours:  # A test may have set its own.
        setattr(module, hook, before)


def capturing_handlers() -> list[logging.Handler]:
    """The handlers by which pytest gets log records."""
    handlers = logging.getLogger().handlers
    return [handler for handler in handlers if type(handler).__module__ == "_pytest.logging"]


@contextmanager
def captured_logs_aside() -> Generator[None]:
    """Put aside which log records pytest has captured in a phase, while it looks at another one."""
    root = logging.getLogger()
    loggers = [root, *filter(_is_by_itself, root.manager.loggerDict.values())]
    attached = [(logger, list(logger.handlers)) for logger in loggers]
    captured = [
        (handler, handler.records, handler.stream)
        for handler in root.handlers
        if isinstance(handler, LogCaptureHandler)
    ]
    try:
        yield
    finally:
        for logger, handlers in attached:
            logger.handlers = handlers
        for handler, records, stream in captured:
            handler.records, handler.stream = records, stream


def _is_by_itself(logger: object) -> TypeGuard[logging.Logger]:
    return isinstance(logger, logging.Logger) and not logger.propagate


def announce(item: pytest.Item, when: Literal["setup", "call", "teardown"]) -> None:
    """Let PYTEST_CURRENT_TEST say which test runs, in the words of pytest."""
    _update_current_test_var(item, when)


def warnings_of(item: pytest.Item) -> AbstractContextManager[None]:
    """Apply the warning filters of an item, which no other hook can."""
    plugin: Any = warnings_plugin
    context: AbstractContextManager[None] = plugin.catch_warnings_for_item(
        config=item.config, ihook=item.ihook, when="runtest", item=item
    )
    return context


@contextmanager
def current_test_kept() -> Generator[None]:
    """Let PYTEST_CURRENT_TEST say afterwards what it says now, whatever else is run.

    A test that clears the environment for a while would have pytest stumble over its absence.
    """
    current = os.environ.get(_CURRENT_TEST)
    try:
        yield
    finally:
        if current is None:
            os.environ.pop(_CURRENT_TEST, None)
        else:
            os.environ[_CURRENT_TEST] = current


_CURRENT_TEST: Final = "PYTEST_CURRENT_TEST"


def is_interactive(call: pytest.CallInfo[None], report: pytest.TestReport) -> bool:
    """Return whether `pytest_exception_interact` is to be called."""
    return check_interactive_exception(call, report)
