"""The check `unhandled-exceptions`: exceptions of tasks and callbacks that nobody handles."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, Task
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, Final, final
from weakref import WeakKeyDictionary, ref

import pytest

from pytest_asyncio.engine import event_loop
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.runs import OUTCOMES, Run, context_behind
from pytest_asyncio.support import asyncio_private, frames, instruments
from pytest_asyncio.support.foreign import attribute, is_a, text
from pytest_asyncio.support.instruments import Instruments

from . import BaseCheck, CheckWarning, Culprit, Report, culprit_of, whose
from ._origins import Origin, Origins, generator_instruments


class UnhandledExceptionWarning(CheckWarning):
    """An exception reached an event loop's handler, or was never retrieved from its task."""

    __module__ = "pytest_asyncio"


@final
class Check(BaseCheck):
    def __init__(self, session: pytest.Session, report: Report) -> None:
        super().__init__(session, report)
        self._origins = Origins.of(session)
        self._generators = WeakKeyDictionary[Any, Origin]()
        self._tests = WeakKeyDictionary[AbstractEventLoop, dict[str, Culprit]]()
        self._instruments: Final[dict[LoopOwner, Instruments]] = {}

    def loop_opened(self, owner: LoopOwner) -> None:
        loop = owner.opened
        assert loop is not None
        self._tests[loop] = {}
        self._instruments[owner] = {
            "create_future": _recording_futures(loop),
            **generator_instruments(loop, self._generators),
        }
        instruments.attach(loop, self._instruments[owner])
        self._listen(loop)

    def loop_closing(self, owner: LoopOwner) -> None:
        instruments.detach(owner.opened, self._instruments.pop(owner))

    def run_begins(self, run: Run) -> None:
        tests = self._tests[run.task.get_loop()]
        tests.setdefault(run.item.name, culprit_of(run.item))

    def end(self, culprit: Culprit) -> None:
        for task, origin in self._origins.started_by(culprit).items():
            if not asyncio_private.is_retrieved(task):
                self._report_exception(
                    culprit,
                    f"nobody has retrieved the exception of the task {task.get_name()!r}",
                    task.exception(),
                    origin,
                )

    def _listen(self, loop: AbstractEventLoop) -> None:
        handle = loop.default_exception_handler
        tests, reference = self._tests[loop], ref(loop)

        def handle_and_report(context: dict[str, Any]) -> None:
            error = context.get("exception")
            if not is_a(error, _REPORTED):
                origin = self._origin(context)
                culprit = origin.culprit if origin else self._culprit(context, reference(), tests)
                message = text(context.get("message", "")) or "unhandled exception"
                if error is None and "unclosed" in message.lower():
                    self._report_open(culprit, message, context)
                else:
                    self._report_exception(
                        culprit, message, error if is_a(error, BaseException) else None, origin
                    )
            handle(context)

        # Not called where a test has set an exception handler, which is to handle them.
        loop.default_exception_handler = handle_and_report  # type: ignore[method-assign]

    def _origin(self, context: dict[str, Any]) -> Origin | None:
        generator: object = context.get("asyncgen")
        if is_a(generator, AsyncGenerator):
            return self._generators.get(generator)
        task: object = context.get("task", context.get("future"))
        return self._origins.find(task) if is_a(task, Task) else None

    def _culprit(
        self, context: dict[str, Any], loop: AbstractEventLoop | None, tests: dict[str, Culprit]
    ) -> Culprit | None:
        """Return whose fault it is that something of unknown origin fails, if that is certain.

        A finalizer may be called long after its test, while another one runs.
        """
        kept: tuple[Culprit | None] | None = attribute(context.get("future"), _KEPT, tuple)
        if kept is not None:
            return kept[0]
        own = context_behind(context)
        # What complains without a task or callback, such as a transport, does so within its own.
        is_within = own is not None or loop is asyncio_private.running_loop()
        only_test = next(iter(tests.values())) if len(tests) == 1 else None
        return (whose(own) if is_within else None) or only_test

    def _report_exception(
        self,
        culprit: Culprit | None,
        what: str,
        error: BaseException | None,
        origin: Origin | None,
    ) -> None:
        message = f"{culprit or 'An earlier test'}: {what}"
        filename, line = _definition_of(culprit)
        if origin is not None and not frames.is_library(origin.filename):
            filename, line = origin.filename, origin.line
            message += f", created at {origin}"
        if error is not None:
            message += f": {type(error).__name__}: {text(error)}".removesuffix(": ")
            end = frames.end_of(frames.up_to_users(error.__traceback__))
            if end is not None:
                filename, line = end
                message += f", raised at {frames.short(filename)}:{line}"
        warning = UnhandledExceptionWarning(f"{message}. Await what raises it, or handle it there.")
        warning.__cause__ = error
        self.report(warning, filename, line, culprit)

    def _report_open(self, culprit: Culprit | None, what: str, context: dict[str, Any]) -> None:
        """Report what libraries complain of to the loop when it is freed without being closed."""
        filename, line = _definition_of(culprit)
        hint = " See where it was made by --asyncio-debug."
        made = [
            entry
            for entry in context.get("source_traceback") or ()
            if frames.is_users_file(entry.filename)
        ]
        if made:
            filename, line = made[-1].filename, made[-1].lineno
            what, hint = f"{what}, made at {frames.short(filename)}:{line}", ""
        names = [type(value).__name__ for key, value in context.items() if key not in _STANDARD]
        manager = f"{names[0]}(...)" if names else "what makes it"
        warning = UnhandledExceptionWarning(
            f"{culprit or 'An earlier test'}: {what}. Write 'async with {manager}', or close it in "
            f"a 'finally'.{hint}"
        )
        self.report(warning, filename, line, culprit)


def _definition_of(culprit: Culprit | None) -> tuple[str, int]:
    known = None if culprit is None else frames.definition_of(culprit.function)
    return known or ("<unknown>", 1)


def _recording_futures(loop: AbstractEventLoop) -> Callable[[], Future[Any]]:
    """Return what remembers for whom futures are made on a loop.

    They keep it themselves: when one is finalized as garbage, no reference to it is left.
    """
    create = loop.create_future

    def create_recorded() -> Future[Any]:
        future = create()
        with suppress(AttributeError):  # Not all classes of futures take it.
            setattr(future, _KEPT, (whose(),))
        return future

    return create_recorded


_STANDARD: Final = {
    *("message", "exception", "future", "task", "handle", "protocol", "transport", "socket"),
    *("asyncgen", "source_traceback", "handle_traceback"),
}
"""What asyncio itself has in the context of a complaint."""
_KEPT = "_pytest_asyncio_culprit"
_REPORTED = (*OUTCOMES, event_loop.BrokenOff)
