"""The check `never-awaited`: coroutines that are created and dropped."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from types import CoroutineType
from typing import Any, Final, final

import pytest

from pytest_asyncio.engine.runs import Run
from pytest_asyncio.support import frames, garbage
from pytest_asyncio.support.foreign import attribute

from . import NOBODY, BaseCheck, CheckWarning, Culprit, Report, whose

_DEPTH: Final = 5
"""How many callers of a coroutine function are remembered, of which the first may be mocks."""


class NeverAwaitedWarning(CheckWarning):
    """A test or fixture has created a coroutine that nothing has awaited."""

    __module__ = "pytest_asyncio"


@final
class Check(BaseCheck):
    def __init__(self, session: pytest.Session, report: Report) -> None:
        super().__init__(session, report)
        self._begun: Final[dict[Run, Any]] = {}
        """What records warnings where no test has changed that, by the runs that go on."""
        self._recorder_of_item: Any = None
        self._listening: Final = ExitStack()
        session.config.pluginmanager.register(self)

    def pytest_runtest_logstart(self) -> None:
        """Know what records the warnings of the item that comes next; others may go on."""
        self._recorder_of_item = _recorder()

    def run_begins(self, run: Run) -> None:
        if not self._begun:
            self._listening.enter_context(self._listens())
        self._begun[run] = _recorder()

    def run_ended(self, run: Run) -> None:
        del self._begun[run]
        if not self._begun:
            self._listening.close()

    @contextmanager
    def _listens(self) -> Generator[None]:
        """Know of all coroutines that are dropped from now on without having been awaited."""
        before: Any = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
        is_garbage = False

        def note_collection(phase: str, _: object) -> None:
            nonlocal is_garbage
            is_garbage = phase == "start"

        def report(coroutine: CoroutineType[Any, Any, Any]) -> None:
            recorder = _recorder()
            if any(recorder is it for it in (self._recorder_of_item, *self._begun.values())):
                self._report_dropped(coroutine, is_garbage)
            elif depth or sys.get_coroutine_origin_tracking_depth() != _DEPTH:
                before(coroutine)  # The test looks at its warnings itself.
            else:  # Python's own warning would tell of what is remembered for the check.
                text = f"coroutine '{coroutine.__qualname__}' was never awaited"
                warnings.warn(text, RuntimeWarning, stacklevel=2, source=coroutine)

        depth = sys.get_coroutine_origin_tracking_depth()
        sys.set_coroutine_origin_tracking_depth(max(depth, _DEPTH))
        # Python calls this from a coroutine's finalizer, where an error could not be raised.
        warnings._warn_unawaited_coroutine = report  # type: ignore[attr-defined]
        end_note = garbage.see_collections(note_collection)
        try:
            yield
        finally:
            end_note()
            warnings._warn_unawaited_coroutine = before  # type: ignore[attr-defined]
            sys.set_coroutine_origin_tracking_depth(depth)

    def _report_dropped(self, coroutine: CoroutineType[Any, Any, Any], is_garbage: bool) -> None:
        who = self._culprit_among(coroutine.cr_origin or ()) if is_garbage else whose()
        code = coroutine.cr_code
        filename, line = code.co_filename, code.co_firstlineno
        created = ""
        if coroutine.cr_origin:
            origins = [it for it in coroutine.cr_origin if not frames.is_library(it[0])]
            filename, line, _ = (*origins, *coroutine.cr_origin)[0]
            created = f", created at {frames.short(filename)}:{line}"
        self.report(
            NeverAwaitedWarning(
                f"{who or NOBODY} never awaited the coroutine "
                f"{coroutine.__qualname__!r}{created}. Write 'await' before the call, "
                "or have a mock that takes the coroutine close() it."
            ),
            filename,
            line,
            who,
        )

    def _culprit_among(self, origin: Iterable[tuple[str, int, str]]) -> Culprit:
        """Return who has made a coroutine, maybe long ago, that the garbage collector has found."""
        places = {(filename, name) for filename, _, name in origin}
        running = [run.item for run in self._begun]
        for candidate in (*running, *self.session.items):
            function = attribute(candidate, "function", object)
            if (str(candidate.path), attribute(function, "__name__", str)) in places:
                is_running = candidate in running
                name = candidate.name if is_running else candidate.name.partition("[")[0]
                return Culprit(name, function, candidate)
        return Culprit(f"{running[-1].name}, or an earlier test,", None)


def _recorder() -> Any:
    """Return what records the warnings that are made now, behind what knows whose they are."""
    context: Any = getattr(warnings, "_get_context", None)  # Python 3.14 and newer
    log = None if context is None else context().log
    recorder: Any = vars(warnings)["_showwarnmsg_impl"] if log is None else log
    while (args := attribute(recorder, "args", tuple)) is not None:  # a partial
        recorder = args[0]
    return recorder
