"""`--asyncio-trace`: a session in the Trace Event format, which Perfetto and Chrome open.

The process that runs tests, which may be a worker of pytest-xdist, records. What it has recorded
travels with the reports of the tests, so that a worker that crashes takes only its current test
with it. The process that the user has started gathers and writes.
"""

from __future__ import annotations

import heapq
import inspect
import json
import time
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, final

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import asyncio_private, frames, instruments
from pytest_asyncio.support.foreign import attribute, is_a, own_attribute
from pytest_asyncio.support.instruments import Instruments

from .checks.blocked_loop import Blocked, BlockedLoops

Event: TypeAlias = dict[str, Any]
"""A slice of the trace. Until it is written, its process is a name, its thread a track and a part
of it, and its times are nanoseconds of the real clock."""

_PYTEST: Final = "pytest"
_OUTPUT: Final = "asyncio_trace"
"""What holds events on their way: an attribute of reports, a key of a worker's last words."""

_LAST_WORDS: Final[pytest.StashKey[dict[str, Any]]] = pytest.StashKey()


def register(config: pytest.Config) -> None:
    """Have a session traced."""
    config.pluginmanager.register(Tracer(config))
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Writer(config))


@final
class Tracer(Observer):
    """What a process of the session records of the tests that it runs."""

    # In a class, where libraries that stop the clock do not find it to replace it.
    _count = staticmethod(time.perf_counter_ns)

    def __init__(self, config: pytest.Config) -> None:
        self._config: Final = config
        self._process: Final = _process_of(config)
        # Processes have the real time in common, which may be set while they run.
        self._epoch: Final = time.time_ns() - self._count()
        self._open: Final[dict[int, Event]] = {}
        self._ended: list[Event] = []
        self._blocked: Final[dict[str, Event]] = {}
        self._tracks: Final[dict[AbstractEventLoop, str]] = {}
        self._runs: Final[dict[Run, Event]] = {}
        self._instruments: Final[dict[LoopOwner, Instruments]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        SessionState.of(session).observe(self)
        SessionState.of(session).observe(BlockedLoops(session, self._begin_blocking))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        __tracebackhide__ = True
        with self._phase("setup", item):
            yield

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        __tracebackhide__ = True
        with self._phase("call", item):
            yield

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        __tracebackhide__ = True
        with self._phase("teardown", item):
            yield

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Record the setup of a fixture, and have its teardown recorded."""
        __tracebackhide__ = True
        track, name, scope = (_PYTEST, ""), fixturedef.argname, fixturedef.scope
        teardown = ExitStack()
        fixturedef.addfinalizer(teardown.close)  # The first that is added is the last to be called.
        with self._slice(track, "setup", f"setup of {name}", scope=scope):
            value = yield
        recorded = self._slice(track, "teardown", f"teardown of {name}", scope=scope)
        fixturedef.addfinalizer(partial(teardown.enter_context, recorded))
        return value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let a report take along what has ended."""
        report = yield
        vars(report)[_OUTPUT], self._ended = self._ended, []
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Let what no report can take along be found when the session is over."""
        for event in tuple(self._open.values()):
            event["args"]["has ended"] = False
            self._end(event)
        _last_words_of(self._config)[_OUTPUT] = self._ended

    def loop_opened(self, owner: LoopOwner) -> None:
        loop = owner.opened
        assert loop is not None
        self._tracks[loop] = track = _track_of(owner, loop)
        # Not by a task factory, which is the suite's own to set, and to read.
        self._instruments[owner] = {"create_task": self._recording_tasks(loop, track)}
        instruments.attach(loop, self._instruments[owner])

    def loop_closing(self, owner: LoopOwner) -> None:
        assert owner.opened is not None
        instruments.detach(owner.opened, self._instruments.pop(owner))
        del self._tracks[owner.opened]

    def run_begins(self, run: Run) -> None:
        if run.within is not None:
            return
        track = self._tracks[run.task.get_loop()]
        name, what = run.item.name, {"test": run.item.nodeid}
        if run.fixturedef is not None:
            name, what["scope"] = f"{run.phase} of {run.fixturedef.argname}", run.fixturedef.scope
        self._runs[run] = self._begin((track, ""), run.phase, name, **what)
        if run.fixturedef is not None and run.phase == "setup":
            self._begin_task(run.task, run.task.get_coro(), track)

    def run_ended(self, run: Run) -> None:
        if run.within is None:
            self._end_blocking(self._tracks[run.task.get_loop()])
            self._end(self._runs.pop(run))

    def _recording_tasks(self, loop: AbstractEventLoop, track: str) -> Callable[..., Task[Any]]:
        """Return what records the tasks that are created on a loop."""
        create = loop.create_task

        def create_task(coro: Any, **kwargs: Any) -> Task[Any]:
            began = self._now()
            task = create(coro, **kwargs)  # An eager one may have ended by then.
            asyncio_private.end_source_at_users(task)
            creator = frames.others(inspect.currentframe())
            # What pytest has the plugin start is a run, and recorded as such. What has no name is
            # that by which asyncio closes an async generator.
            is_task = is_a(task, Future) and _name_of(coro)  # A task factory may return anything.
            if is_task and creator and not frames.is_runners(creator):
                frame = frames.users(creator) or creator
                event = self._begin_task(task, coro, track)
                event["ts"] = began
                event["args"]["created at"] = frames.place(frame.f_code, frame.f_lineno)
            return task

        return create_task

    def _begin_task(self, task: Task[Any], coro: Any, track: str) -> Event:
        event = self._begin((track, "tasks"), "task", _name_of(coro) or "task")

        def end(task: Task[Any]) -> None:
            # It may have got its name only after it was made.
            event["args"]["task"] = name = task.get_name()
            # Python 3.13.0 calls those "None" that a task factory has made.
            if name != "None" and not name.startswith("Task-"):
                event["name"] = name
            self._end(event)

        task.add_done_callback(end)
        return event

    def _begin_blocking(self, blocked: Blocked) -> None:
        """Record what holds a loop. Called in the watchdog's thread."""
        loop, frame = blocked.loop, blocked.frame
        track = self._tracks[loop]
        where = f"{frames.short(frame.f_code.co_filename)}:{frame.f_lineno}"
        event = self._begin((track, "blocked"), "blocked", where)
        event["ts"] -= int(blocked.seconds * 1e9)
        self._blocked[track] = event
        with suppress(RuntimeError):  # The loop has been closed.
            loop.call_soon_threadsafe(self._end_blocking, track)

    def _end_blocking(self, track: str) -> None:
        if track in self._blocked:
            self._end(self._blocked.pop(track))

    def _phase(self, phase: str, item: pytest.Item) -> AbstractContextManager[None]:
        return self._slice((_PYTEST, ""), phase, f"{phase} of {item.name}", test=item.nodeid)

    @contextmanager
    def _slice(
        self, track: tuple[str, str], category: str, name: str, **args: str
    ) -> Generator[None]:
        event = self._begin(track, category, name, **args)
        try:
            yield
        finally:
            self._end(event)

    def _begin(self, track: tuple[str, str], category: str, name: str, **args: str) -> Event:
        event = {
            "ph": "X",
            "pid": self._process,
            "tid": track,
            "cat": category,
            "name": name,
            "ts": self._now(),
            "args": args,
        }
        self._open[id(event)] = event
        return event

    def _end(self, event: Event) -> None:
        del self._open[id(event)]
        event["dur"] = self._now() - event["ts"]
        self._ended.append(event)

    def _now(self) -> int:
        return self._count() + self._epoch


@final
class Writer:
    """What gathers the events of all processes, and writes them when the session ends."""

    def __init__(self, config: pytest.Config) -> None:
        self._config: Final = config
        self._path: Final = Path(str(options.of(config).trace)).absolute()
        self._events: list[Event] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Raise `pytest.UsageError` at once if the trace cannot be written at the end."""
        try:
            self._write()
        except OSError as error:
            raise options.invalid(
                "asyncio_trace",
                options.of(self._config).trace,
                "Give a file that can be written, in a directory that exists.",
                str(error.strerror),
            ) from error

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if events := own_attribute(report, _OUTPUT):
            self._events += events
            delattr(report, _OUTPUT)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._take_last_words(getattr(node, "workeroutput", {}))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self._take_last_words(_last_words_of(self._config))
        self._write()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_sep("-", f"generated asyncio trace: {self._path}")

    def _take_last_words(self, output: dict[str, Any]) -> None:
        """Take the events that a worker has kept to the end."""
        self._events += output.get(_OUTPUT, [])

    def _write(self) -> None:
        with self._path.open("w", encoding="utf-8") as file:
            json.dump({"traceEvents": list(_numbered(self._events))}, file)


def _name_of(coro: object) -> str | None:
    name: str | None = attribute(coro, "__qualname__", str)
    return name


def _numbered(events: list[Event]) -> Iterator[Event]:
    """Yield events with numbers and microseconds, and before them the names of what is numbered."""
    start = min((event["ts"] for event in events), default=0)
    pids: dict[str, int] = {}
    for tid, (row, of_row) in enumerate(_rows_of(events), start=1):
        # No thread has the number of one in another process, which viewers may take for the same.
        pid = pids.setdefault(row.process, tid)
        ids = {"pid": pid, "tid": tid}
        if pid == tid:
            yield ids | {"ph": "M", "name": "process_name", "args": {"name": row.process}}
        yield ids | {"ph": "M", "name": "thread_name", "args": {"name": str(row)}}
        yield ids | {"ph": "M", "name": "thread_sort_index", "args": {"sort_index": tid}}
        for event in of_row:
            yield event | ids | {"ts": (event["ts"] - start) / 1000, "dur": event["dur"] / 1000}


@dataclass(frozen=True)
class _Row:
    process: str
    loop: str
    part: str
    number: int

    def __str__(self) -> str:
        part = f", {self.part}" if self.part else ""
        return f"{self.loop}{part} ({self.number})" if self.number > 1 else f"{self.loop}{part}"


@final
class _Track:
    """The rows of what may overlap, which viewers would take for nested in a single one."""

    def __init__(self) -> None:
        self._taken: Final[list[tuple[int, int]]] = []
        self._free: Final[list[int]] = []

    def number_of_row_for(self, event: Event) -> int:
        """Return the first row in which nothing runs any more."""
        while self._taken and self._taken[0][0] <= event["ts"]:
            heapq.heappush(self._free, heapq.heappop(self._taken)[1])
        number = heapq.heappop(self._free) if self._free else len(self._taken) + 1
        heapq.heappush(self._taken, (event["ts"] + event["dur"], number))
        return number


def _rows_of(events: list[Event]) -> list[tuple[_Row, list[Event]]]:
    """Lay events out in rows, in the order in which they are shown."""
    rows: dict[_Row, list[Event]] = {}
    tracks: dict[tuple[str, str, str], _Track] = {}
    for event in sorted(events, key=lambda event: event["ts"]):
        process, (loop, part) = event["pid"], event["tid"]
        track = tracks.setdefault((process, loop, part), _Track())
        # pytest itself does one thing in the other, which is to be shown as that.
        number = 1 if loop == _PYTEST else track.number_of_row_for(event)
        rows.setdefault(_Row(process, loop, part, number), []).append(event)
    loops_ = list(dict.fromkeys((process, loop) for process, loop, _ in tracks))

    def order(row: _Row) -> tuple[int, str, int, str, int]:
        process = row.process
        return len(process), process, loops_.index((process, row.loop)), row.part, row.number

    return [(row, rows[row]) for row in sorted(rows, key=order)]


def _process_of(config: pytest.Config) -> str:
    """Return the name that pytest-xdist has given to a worker; there is one process without it."""
    worker: dict[str, str] = getattr(config, "workerinput", {})
    return worker.get("workerid", _PYTEST)


def _last_words_of(config: pytest.Config) -> dict[str, Any]:
    """Return what a worker sends when its session is over; the only process keeps it."""
    kept: dict[str, Any] = config.stash.setdefault(_LAST_WORDS, {})
    return getattr(config, "workeroutput", kept)


def _track_of(owner: LoopOwner, loop: AbstractEventLoop) -> str:
    """Return the track of a loop. Those of single tests, which never run together, share one."""
    library = type(loop).__module__.partition(".")[0]
    kind = {"asyncio": "", frames.PACKAGE: " (virtual time)"}.get(library, f" ({library})")
    if isinstance(owner.node, pytest.Item):
        return f"loops of single tests{kind}"
    return f"loop of {owner.node.nodeid or 'the session'}{kind}"
