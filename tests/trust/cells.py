"""Runs a suite for each cell that comes as a line of JSON, and answers with what has been seen.

It is also the plugin that sees it.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import io
import json
import logging
import os
import sys
import textwrap
import threading
import weakref
from asyncio.base_events import BaseEventLoop
from pathlib import Path
from typing import Any, Final

import faults
import pytest
from faults import Cell

PATIENCE: Final = 30
"""Seconds after which a session hangs."""

GRACE: Final = 0.02
"""Seconds that the plugin waits for a task that does not end, in place of its ten."""

SUITE: Final = {
    "conftest.py": """
        import pytest_asyncio
        from faults import lived

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def wide(request):
            with lived("wide", request):
                yield
    """,
    "inner/__init__.py": "",
    "inner/conftest.py": """
        import pytest, pytest_asyncio
        from faults import FAULTS, at, at_once, lived, published

        cell = published()
        scope, loop_scope = cell.scope, cell.loop_scope
        fault = FAULTS[cell.fault]
        yields_again = fault.yields_again and cell.place == "teardown"

        @pytest_asyncio.fixture(scope=scope, loop_scope=loop_scope)
        async def below(wide, request):
            with lived("below", request):
                yield

        @pytest.fixture(scope=scope)
        def below_in_sync(below, request):
            with lived("below_in_sync", request):
                yield

        @pytest_asyncio.fixture(scope=scope, loop_scope=loop_scope, timeout=fault.timeout)
        async def returning(below_in_sync):
            await at("setup of a coroutine fixture")

        @pytest_asyncio.fixture(scope=scope, loop_scope=loop_scope, timeout=fault.timeout)
        async def faulty_in_async(returning, request):
            await at("setup")
            with lived("faulty", request):
                yield
            await at("teardown")
            if yields_again:
                yield

        @pytest.fixture(scope=scope)
        def faulty_in_sync(returning, request):
            at_once("setup")
            with lived("faulty", request):
                yield
            at_once("teardown")
            if yields_again:
                yield

        faulty = faulty_in_sync if cell.code == "sync" else faulty_in_async

        @pytest_asyncio.fixture(loop_scope=loop_scope)
        async def above(faulty, request):
            with lived("above", request):
                yield

        @pytest.fixture
        def above_in_sync(above, request):
            with lived("above_in_sync", request):
                yield
    """,
    "inner/test_fault.py": """
        import asyncio, pytest
        from faults import FAULTS, at, at_once, beside, published, record

        cell = published()
        pytestmark = pytest.mark.asyncio(
            loop_scope=cell.loop_scope, concurrent=cell.code == "concurrent"
        )
        if cell.code == "sync":
            at_once("collection")
        else:
            asyncio.run(at("collection"))

        class TestIt:
            async def test_before(self, below):
                record("test_before")
                await beside()

            if cell.code == "sync":
                def test_fault(self, above_in_sync):
                    record("test_fault")
                    at_once("call")
            else:
                @pytest.mark.asyncio(timeout=FAULTS[cell.fault].timeout or 0)
                async def test_fault(self, above_in_sync):
                    record("test_fault")
                    await at("call")

            async def test_after(self, below_in_sync):
                record("test_after")
                await beside()

        async def test_behind(below):
            record("test_behind")
    """,
    "inner/test_next.py": """
        import pytest
        from faults import published, record

        @pytest.mark.asyncio(loop_scope=published().loop_scope)
        async def test_next(below):
            record("test_next")
    """,
    "other/__init__.py": "",
    "other/test_other.py": """
        import pytest
        from faults import record

        @pytest.mark.asyncio
        async def test_other(wide):
            record("test_other")

        def test_last(wide):
            record("test_last")
    """,
}

_loops: Final[weakref.WeakSet[BaseEventLoop]] = weakref.WeakSet()
_make = BaseEventLoop.__init__


def _make_and_see(self: BaseEventLoop) -> None:
    _make(self)
    _loops.add(self)


BaseEventLoop.__init__ = _make_and_see  # type: ignore[method-assign]


class Seen:
    """What is seen of a session, in the process that reports it."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, str, str, str]] = []
        self.warnings: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("::")[2]
        self.reports.append((name, report.when, report.outcome, report.longreprtext))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.reports.append((report.nodeid, "collect", report.outcome, report.longreprtext))

    def pytest_warning_recorded(self, warning_message: Any) -> None:
        self.warnings.append(str(warning_message.message))


class Logged(logging.Handler):
    """What asyncio logs, in the process that runs the tests."""

    def emit(self, record: logging.LogRecord) -> None:
        faults.record(f"logged {record.getMessage().splitlines()[0]}")


def pytest_configure(config: pytest.Config) -> None:
    """See to it that what a session leaves behind is recorded, after all else is cleaned up."""
    from pytest_asyncio.engine import event_loop
    from pytest_asyncio.features import timeouts

    event_loop.GRACE = event_loop.LAST_GRACE = GRACE
    timeouts.REACTION = GRACE
    before = _things()
    logged = Logged()
    logging.getLogger("asyncio").addHandler(logged)
    config.add_cleanup(lambda: logging.getLogger("asyncio").removeHandler(logged))
    config.add_cleanup(lambda: _record_leftovers(before))


def _things() -> dict[str, set[Any]]:
    return {
        "thread": set(threading.enumerate()),
        "file": {name for name in os.listdir("/dev/fd") if os.path.exists(f"/dev/fd/{name}")},
        "loop": {loop for loop in _loops if not loop.is_closed()},
        "task": {
            thing for thing in gc.get_objects() if type(thing) is asyncio.Task and not thing.done()
        },
        "current loop": {_current_loop()},
    }


def _record_leftovers(before: dict[str, set[Any]]) -> None:
    for thing in faults.KEPT:
        if isinstance(thing, BaseEventLoop):
            thing.close()
        if isinstance(thing, threading.Thread):
            thing.join()
    gc.collect()
    for kind, things in _things().items():
        for thing in things - before[kind]:
            faults.record(f"left {kind}: {thing}")


def _current_loop() -> object:
    get = getattr(asyncio.events, "_get_event_loop_policy", None) or asyncio.get_event_loop_policy
    return getattr(getattr(get(), "_local", None), "_loop", None)


def run(cell: Cell) -> dict[str, Any]:
    cell.publish()
    trace = Path(os.environ["TRACE"])
    trace.write_text("")
    seen = Seen()
    output = io.StringIO()
    modules = set(sys.modules)
    args = ["-p", "no:terminal", "-p", "pytest_asyncio.plugin", "-p", "cells"]
    if cell.code == "xdist":
        args += ["-p", "xdist", "-n1"]
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main(args, plugins=[seen])
    faults.KEPT.clear()
    gc.collect()
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in ("conftest", "inner", "other"):
            del sys.modules[name]
    events = trace.read_text().splitlines()
    return {
        "code": code,
        "reports": seen.reports,
        "warnings": seen.warnings,
        "logs": [event for event in events if event.startswith("logged")],
        "trace": [event for event in events if not event.startswith("logged")],
        "output": output.getvalue(),
    }


def main() -> None:
    for name, text in SUITE.items():
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    Path("pytest.ini").write_text(
        "[pytest]\naddopts = -p no:cacheprovider --assert=plain -Walways\n"
    )
    gc.freeze()
    for line in sys.stdin:
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        sys.stdout.write(json.dumps(run(Cell(**json.loads(line)))) + "\n")
        sys.stdout.flush()
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    sys.modules["cells"] = sys.modules["__main__"]
    main()
