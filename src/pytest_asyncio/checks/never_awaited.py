"""The check `never-awaited`: coroutines that are created and dropped."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from types import CoroutineType
from typing import Any, Final, final

from pytest_asyncio import frames
from pytest_asyncio.loops import Run

from . import CULPRIT, BaseCheck, CheckWarning

_DEPTH: Final = 5
"""How many callers of a coroutine function are remembered, of which the first may be mocks."""


class NeverAwaitedWarning(CheckWarning):
    """A test or fixture has created a coroutine that nothing has awaited."""

    __module__ = "pytest_asyncio"


@final
class Check(BaseCheck):
    @contextmanager
    def watch(self, run: Run) -> Generator[None]:
        before: Any = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
        recorder = _recorder()

        def tell(coroutine: CoroutineType[Any, Any, Any]) -> None:
            if _recorder() is recorder:
                self._tell(coroutine)
            else:  # The test looks at its warnings itself.
                before(coroutine)

        depth = sys.get_coroutine_origin_tracking_depth()
        sys.set_coroutine_origin_tracking_depth(max(depth, _DEPTH))
        # Python calls this from a coroutine's finalizer, where an error could not be raised.
        warnings._warn_unawaited_coroutine = tell  # type: ignore[attr-defined]
        try:
            yield
        finally:
            warnings._warn_unawaited_coroutine = before  # type: ignore[attr-defined]
            sys.set_coroutine_origin_tracking_depth(depth)

    def _tell(self, coroutine: CoroutineType[Any, Any, Any]) -> None:
        code = coroutine.cr_code
        filename, line = code.co_filename, code.co_firstlineno
        created = ""
        if coroutine.cr_origin:
            origins = [it for it in coroutine.cr_origin if not frames.is_library(it[0])]
            filename, line, _ = (*origins, *coroutine.cr_origin)[0]
            created = f", created at {frames.short(filename)}:{line}"
        self.report(
            NeverAwaitedWarning(
                f"{CULPRIT.get()} never awaited the coroutine {coroutine.__qualname__!r}{created}. "
                "Write 'await' before the call."
            ),
            filename,
            line,
        )


def _recorder() -> Any:
    """Return what records the warnings that are made now."""
    context: Any = getattr(warnings, "_get_context", None)  # Python 3.14 and newer
    log = None if context is None else context().log
    return warnings._showwarnmsg_impl if log is None else log  # type: ignore[attr-defined]
