"""Errors of the users' code: notes on those that event loops are known for, and what is shown."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator
from typing import Any, Final, final

import pytest

from pytest_asyncio.collect import plain_fixtures
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import foreign, frames, pytest_private
from pytest_asyncio.support.errors import all_of
from pytest_asyncio.support.foreign import is_a
from pytest_asyncio.support.warn import place_of

from . import bound_primitives, fixture_order, loop_advice
from .standing_loops import advise, is_beside_live_loops

_SHARED: Final = (
    "attached to a different loop",
    "belongs to a different loop",
    "in different event loop",
    "to a different event loop",
)
_CLOSED: Final = "Event loop is closed"
_NESTED: Final = (
    "cannot be called from a running event loop",
    "This event loop is already running",
    "Cannot run the event loop while another loop is running",
)
_MISUSES: Final = {
    ("no running event loop", "no current event loop"): (
        "In {user}, this is called outside of an event loop. Let it be async, or request the "
        "fixture asyncio_runner: asyncio_runner.run() runs a coroutine on the loop of the test."
    ),
    _NESTED: (
        "{user} runs on an event loop, which is running. Write 'await coroutine' in place of "
        "asyncio.run(coroutine) or loop.run_until_complete(coroutine); call a synchronous function "
        "that has one of these by 'await asyncio.to_thread(function)'."
    ),
    ("Cannot close a running event loop",): (
        "Leave the loop to pytest-asyncio, which closes it when its scope ends."
    ),
}
"""What messages of asyncio say, and what to write."""
_NAMES_OF_ENDS: Final = ("Timeout", "ClosedResource", "BrokenResource", "EndOfStream")
_MESSAGES_OF_ENDS: Final = (
    *("from pytest-timeout", "Deadlock: every task of the event loop waits"),
    *("should be used inside a task", "another operation is in progress"),
    "await wasn't used with future",
)
"""What libraries have for errors where a wait ends, or where its loop is another one."""
_ANSWER_OF_500: Final = re.compile(r"\b500\b.*(?i:status|internal server error)", re.DOTALL)
"""What the failure of a test shows of an error that a web framework has caught."""


def start(session: pytest.Session) -> None:
    SessionState.of(session).observe(_Failures(session))


@final
class _Failures(Observer):
    """Explains failures from the first one on."""

    def __init__(self, session: pytest.Session) -> None:
        self._session: Final = session

    def first_failure(self) -> None:
        self._session.config.pluginmanager.register(self)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None:
            SessionState.of(self._session).raise_postponed()
            explain(call.excinfo.value, item)
            if isinstance(item, pytest.Function):
                if call.when == "call":
                    plain_fixtures.explain(call.excinfo.value, item)
                else:
                    fixture_order.explain(call.excinfo.value, item, call.when)
            if not item.config.getoption("fulltrace", False):
                hide_frames(call.excinfo.value)
                _end_at(item, call.excinfo.value)

    @pytest.hookimpl(wrapper=True, specname="pytest_runtest_makereport")
    def pytest_runtest_makereport_with_output(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Explain what a framework has caught, written or logged, and made an answer of 500."""
        report = yield
        if call.excinfo is not None and report.failed and isinstance(item, pytest.Function):
            error = call.excinfo.value
            output = f"{report.caplog}{report.capstdout}{report.capstderr}"
            if _is_about_loops(output) and not _is_about_loops(report.longreprtext):
                advice = loop_advice.about(error, error, item)
                text = f"The captured output has an error about another event loop.\n{advice}"
                pytest_private.add_section(report, "asyncio", text)
        return report


def _end_at(item: pytest.Item, error: BaseException) -> None:
    """Let an error that the plugin raises be one of its test's first line.

    Where pytest has no line to show, it says that all of them are hidden, which helps nobody.
    """
    entries = list(frames.entries_of(error.__traceback__))
    is_failure = isinstance(error, (Exception, pytest.fail.Exception))
    if is_failure and entries and frames.is_own(entries[-1].tb_frame):
        entries[-1].tb_next = frames.traceback_at(*place_of(item))


def _is_about_loops(text: str) -> bool:
    return any(sign in text for sign in _SHARED)


def explain(error: BaseException, item: pytest.Item) -> None:
    """Say what to change in the suite, if an error, or one behind it, is about event loops."""
    if not isinstance(item, pytest.Function):
        return
    said: set[str] = set()
    for part in all_of(error):
        note = (advise(item) if _is_timeout(part) else None) or _note_on(part, error, item)
        if note and note not in said:
            said.add(note)
            notes: Any = foreign.attribute(part, "__notes__", object) or []
            if is_a(notes, list) and note not in notes:
                part.add_note(note)


def _is_timeout(error: BaseException) -> bool:
    """Return whether an error is the end of a time-out: a client's, or pytest-timeout's."""
    if any("timeout" in cls.__name__.lower() for cls in type(error).__mro__):
        return True
    if isinstance(error, pytest.fail.Exception):
        return foreign.text(error).startswith("Timeout (>")
    return isinstance(error, OSError) and "timed out" in foreign.text(error)


def hide_frames(error: BaseException) -> None:
    """Take what is not the user's out of the tracebacks of an error and of those behind it.

    The cancellation by which asyncio ends a wait has no other lines, and is left out.
    """
    parts = list(all_of(error))
    for part in parts:
        part.__traceback__ = frames.hide_asyncios(frames.hide_own(part.__traceback__))
    for part in parts:
        cause = part.__cause__
        if isinstance(cause, asyncio.CancelledError) and cause.__traceback__ is None:
            part.__cause__ = None


def _note_on(part: BaseException, error: BaseException, item: pytest.Function) -> str | None:
    message = foreign.text(part)
    if _is_about_loops(message):
        bound = bound_primitives.described_in(part)
        return "\n".join(filter(None, [bound, loop_advice.about(part, error, item)]))
    if isinstance(part, RuntimeError):
        if _CLOSED in message:
            return (
                "Something that was made on the loop of an earlier test or fixture is used after "
                f"that loop was closed.\n{loop_advice.about(part, error, item)}"
            )
        if any(sign in message for sign in _NESTED) and is_beside_live_loops(item):
            return (
                f"The loops of {item.name} are live, in threads of their own. Write "
                "asyncio_runner.run(coroutine), with the fixture asyncio_runner, in place of "
                "loop.run_until_complete(coroutine)."
            )
        for signs, advice in _MISUSES.items():
            if any(sign in message for sign in signs):
                return advice.format(user=loop_advice.user_of(error, item))
    if any(_is_about_loops(foreign.text(other)) for other in all_of(error)):
        return None  # That one has the note.
    if _ends_a_wait(part, message):
        return loop_advice.if_in_use(error, item)
    return loop_advice.if_behind_500(error, item) if _ANSWER_OF_500.search(message) else None


def _ends_a_wait(part: BaseException, message: str) -> bool:
    """Return whether something has come to its end that others were waited for in vain."""
    return (
        isinstance(part, (TimeoutError, asyncio.InvalidStateError, EOFError))
        or any(sign in type(part).__name__ for sign in _NAMES_OF_ENDS)
        or any(sign in message for sign in _MESSAGES_OF_ENDS)
    )
