"""`--asyncio-trace=FILE`: what ran when, for Perfetto and Chrome."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

SERVER = """
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def server():
        await asyncio.sleep(0)
        yield

    @pytest.mark.asyncio(loop_scope="module")
    async def test_it(server):
        await asyncio.create_task(asyncio.sleep(0), name="child")
"""


class Slice(NamedTuple):
    process: str
    track: str
    category: str
    name: str
    start: float
    end: float
    args: dict[str, object]


def slices_of(path: Path) -> Iterator[Slice]:
    """Read a trace as its viewers do."""
    events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    named = [event for event in events if event["ph"] == "M"]
    processes = {it["pid"]: it["args"]["name"] for it in named if it["name"] == "process_name"}
    tracks = {it["tid"]: it["args"]["name"] for it in named if it["name"] == "thread_name"}
    assert set(processes) == {event["pid"] for event in events}
    for event in events:
        if event["ph"] == "X":
            yield Slice(
                processes[event["pid"]],
                tracks[event["tid"]],
                event["cat"],
                event["name"],
                event["ts"],
                event["ts"] + event["dur"],
                event["args"],
            )


@pytest.fixture
def trace(suite, pytester):
    """Run a suite, and return its slices by (process, track, name)."""

    def run(source: str = "", *args: str, **kwargs: object) -> dict[tuple[str, str, str], Slice]:
        suite(source, "--asyncio-trace=trace.json", *args, **kwargs)
        found = slices_of(pytester.path / "trace.json")
        return {(it.process, it.track, it.name): it for it in found}

    return run


def test_it_shows_what_pytest_did_and_what_each_loop_did(trace):
    assert list(trace(SERVER)) == [
        ("pytest", "pytest", "setup of test_it"),
        ("pytest", "pytest", "setup of server"),
        ("pytest", "pytest", "call of test_it"),
        ("pytest", "pytest", "teardown of test_it"),
        ("pytest", "pytest", "teardown of server"),
        ("pytest", "loop of test_it.py", "setup of server"),
        ("pytest", "loop of test_it.py", "test_it"),
        ("pytest", "loop of test_it.py", "teardown of server"),
        ("pytest", "loop of test_it.py, tasks", "fixture 'server'"),
        ("pytest", "loop of test_it.py, tasks (2)", "child"),
    ]


def test_a_slice_names_its_test(trace):
    found = trace(SERVER)
    loop = "loop of test_it.py"
    assert found["pytest", loop, "test_it"].args == {"test": "test_it.py::test_it"}
    assert found["pytest", loop, "setup of server"].args == {
        "test": "test_it.py::test_it",
        "scope": "module",
    }


def test_a_task_shows_where_it_was_created(trace):
    child = trace(SERVER)["pytest", "loop of test_it.py, tasks (2)", "child"]
    assert child.args == {"task": "child", "created at": "test_it.py:10 in test_it"}


def test_a_task_without_a_name_has_that_of_its_coroutine(trace):
    found = trace(
        """
        async def work(): pass
        @pytest.mark.asyncio
        async def test_it():
            await asyncio.create_task(work())
        """
    )
    assert ("pytest", "loops of single tests, tasks", "work") in found


def test_a_loop_on_virtual_time_has_a_track_that_says_so(trace):
    found = trace(
        """
        @pytest.mark.asyncio(clock="virtual")
        async def test_it(): pass
        """
    )
    assert ("pytest", "loops of single tests (virtual time)", "test_it") in found


def test_tasks_at_the_same_time_are_on_tracks_of_their_own(trace):
    found = trace(
        """
        async def work(turns):
            for _ in range(turns):
                await asyncio.sleep(0)
        @pytest.mark.asyncio
        async def test_it():
            async with asyncio.TaskGroup() as group:
                group.create_task(work(9), name="long")
                await group.create_task(work(1), name="short")
                await group.create_task(work(1), name="next")
        """
    )
    tracks = {name: track for _, track, name in found if "tasks" in track}
    assert tracks == {
        "long": "loops of single tests, tasks",
        "short": "loops of single tests, tasks (2)",
        "next": "loops of single tests, tasks (2)",
    }


def test_a_task_that_another_part_of_python_starts_is_shown(trace):
    found = trace(
        """
        @pytest.mark.asyncio
        async def test_it():
            connected = asyncio.Event()
            async def serve(reader, writer):
                writer.close()
                connected.set()
            async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
                address = server.sockets[0].getsockname()
                reader, writer = await asyncio.open_connection(*address)
                await connected.wait()
                writer.close()
        """
    )
    (task,) = (it for it in found.values() if it.name.endswith("serve"))
    assert task.args["created at"].startswith("asyncio/streams.py:")


def test_an_eager_task_is_shown_from_its_start(trace):
    if sys.version_info < (3, 12):
        pytest.skip("There are no eager tasks.")
    found = trace(
        """
        import time
        async def work():
            time.sleep(0.01)
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
            await asyncio.create_task(work())
        """
    )
    task = found["pytest", "loops of single tests, tasks", "work"]
    assert task.end - task.start >= 10_000


def test_times_are_microseconds_since_the_first_slice(trace):
    found = trace(
        """
        import time
        @pytest.mark.asyncio
        async def test_it():
            time.sleep(0.01)
        """
    )
    assert min(it.start for it in found.values()) == 0
    call = found["pytest", "pytest", "call of test_it"]
    run = found["pytest", "loops of single tests", "test_it"]
    assert call.start <= run.start <= run.end - 10_000
    assert run.end <= call.end


@pytest.mark.parametrize("loop", ["asyncio.new_event_loop", "uvloop.new_event_loop"])
def test_what_blocks_a_loop_is_shown(trace, loop):
    if loop.startswith("uvloop"):
        pytest.importorskip("uvloop")
    found = trace(
        """
        import time
        @pytest.mark.asyncio
        async def test_it():
            time.sleep(0.5)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            time.sleep(0.5)
        """,
        f"--asyncio-loop-factory={loop}",
        ini="asyncio_blocked_loop_threshold = 0.1",
    )
    first, last = (it for it in found.values() if it.category == "blocked")
    assert (first.name, last.name) == ("test_it.py:6", "test_it.py:9")
    assert first.track.startswith("loops of single tests")
    assert first.track.endswith(", blocked")
    assert first.end - first.start > 300_000
    assert first.end <= last.start


def test_tests_at_the_same_time_are_on_tracks_of_their_own(trace):
    found = trace(
        """
        import time
        pytestmark = pytest.mark.asyncio(loop_scope="module", concurrent=True)

        @pytest.fixture(scope="module")
        def barrier(): return asyncio.Barrier(2)

        async def test_waits(barrier):
            await barrier.wait()

        async def test_blocks(barrier):
            await barrier.wait()
            time.sleep(0.5)
        """,
        ini="asyncio_blocked_loop_threshold = 0.1",
    )
    first = found["pytest", "loop of test_it.py", "test_waits"]
    second = found["pytest", "loop of test_it.py (2)", "test_blocks"]
    assert first.start <= second.start < first.end
    assert [it.name for it in found.values() if it.category == "blocked"] == ["test_it.py:14"]


def test_two_loops_that_are_open_have_tracks_of_their_own(trace):
    found = trace("""
        @pytest_asyncio.fixture(loop_scope="module")
        async def server():
            yield

        @pytest.mark.asyncio
        async def test_it(server):
            pass
    """)
    assert ("pytest", "loop of test_it.py", "teardown of server") in found
    assert ("pytest", "loops of single tests", "test_it") in found


def test_a_fixture_that_its_test_awaits_is_set_up_within_the_slice_of_that(trace):
    found = trace("""
        @pytest_asyncio.fixture
        async def late():
            await asyncio.sleep(0)

        @pytest.mark.asyncio
        async def test_it(request):
            await pytest_asyncio.getfixturevalue(request, "late")
    """)
    assert [name for _, track, name in found if track.startswith("loops")] == [
        "test_it",
        "fixture 'late'",
    ]


def test_the_loop_of_another_library_says_so(trace):
    pytest.importorskip("uvloop")
    found = trace(SERVER, "--asyncio-loop-factory=uvloop.new_event_loop")
    assert ("pytest", "loop of test_it.py (uvloop)", "test_it") in found


def test_synchronous_tests_are_shown_too(trace):
    found = trace(
        """
        @pytest.fixture
        def number(): return 42
        def test_it(number): pass
        """
    )
    assert [name for _, _, name in found] == [
        "setup of test_it",
        "setup of number",
        "call of test_it",
        "teardown of test_it",
        "teardown of number",
    ]


def test_what_is_torn_down_with_a_fixture_is_shown_beside_it(trace):
    found = trace(
        """
        @pytest.fixture
        def outer(): yield
        @pytest.fixture
        def inner(outer): yield
        def test_it(inner): pass
        """
    )
    inner = found["pytest", "pytest", "teardown of inner"]
    assert inner.end <= found["pytest", "pytest", "teardown of outer"].start


def test_a_fixture_whose_setup_fails_is_shown(trace):
    found = trace(
        """
        @pytest_asyncio.fixture
        async def broken():
            raise ValueError
        @pytest.mark.asyncio
        async def test_it(broken): pass
        """
    )
    names = [name for _, track, name in found if track == "pytest"]
    assert names == ["setup of test_it", "setup of broken", "teardown of test_it"]


@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "pytest.exit('enough')"])
def test_a_session_that_is_broken_off_is_written(pytester, end):
    pytester.makepyfile(
        f"""
        import pytest, pytest_asyncio
        @pytest_asyncio.fixture
        async def server():
            yield
        @pytest.mark.asyncio
        async def test_it(server):
            {end}
        """
    )
    pytester.runpytest_subprocess("--asyncio-trace=trace.json")
    found = [(it.track, it.name) for it in slices_of(pytester.path / "trace.json")]
    assert ("loops of single tests", "test_it") in found
    assert ("loops of single tests", "teardown of server") in found


def test_a_task_that_does_not_end_is_shown_to_the_end(trace, monkeypatch):
    monkeypatch.setattr("pytest_asyncio.engine.event_loop.GRACE", 0.01)
    monkeypatch.setattr("pytest_asyncio.engine.event_loop.LAST_GRACE", 0.01)
    found = trace(
        """
        async def stay():
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    pass
        @pytest.mark.asyncio
        async def test_it():
            asyncio.create_task(stay())
            await asyncio.sleep(0)
        """,
        "-Wignore",
    )
    stay = found["pytest", "loops of single tests, tasks", "stay"]
    assert stay.args["has ended"] is False
    assert stay.end >= found["pytest", "pytest", "teardown of test_it"].end


def test_a_session_without_tests_is_written(trace):
    assert trace("") == {}


def test_the_summary_says_where_it_is(suite, pytester):
    result = suite(SERVER, "--asyncio-trace=trace.json")
    path = pytester.path / "trace.json"
    result.stdout.fnmatch_lines(f"*- generated asyncio trace: {path} -*")


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing/trace.json", "No such file or directory"), (".", "*")],
)
def test_a_file_that_cannot_be_written_is_a_usage_error(suite, path, reason):
    result = suite(SERVER, f"--asyncio-trace={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: '{path}' is not a valid asyncio_trace: {reason}. Give a file *", "See https://*"]
    )


def test_nothing_of_it_is_imported_without_the_option(pytester):
    pytester.makepyfile(
        """
        import sys, pytest
        @pytest.mark.asyncio
        async def test_it():
            assert "pytest_asyncio.features.trace" not in sys.modules
            assert "pytest_asyncio.features.durations" not in sys.modules
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


# The workers of pytest-xdist find the plugin as it is installed.


@pytest.fixture
def trace_of_workers(pytester):
    """Run a suite in workers, and return its slices."""

    def run(*args: str, **files: str) -> list[Slice]:
        header = "import asyncio, os, pytest, pytest_asyncio\n"
        pytester.makepyfile(**{name: header + dedent(text) for name, text in files.items()})
        pytester.runpytest_subprocess("--asyncio-trace=trace.json", *args)
        return list(slices_of(pytester.path / "trace.json"))

    return run


def test_each_worker_of_xdist_is_a_process(trace_of_workers):
    found = trace_of_workers("-n2", "--dist=loadfile", test_a=SERVER, test_b=SERVER)
    runs = [it for it in found if it.name == "test_it"]
    assert {it.process for it in runs} == {"gw0", "gw1"}
    assert {it.track for it in runs} == {"loop of test_a.py", "loop of test_b.py"}


def test_what_a_worker_does_after_its_last_report_is_shown(trace_of_workers):
    failing = dedent(SERVER) + "    raise ValueError"
    found = trace_of_workers("-n1", "-x", test_a=failing, test_b=SERVER)
    assert ("loop of test_a.py", "teardown of server") in [(it.track, it.name) for it in found]


def test_a_worker_that_crashes_loses_its_current_test_only(trace_of_workers):
    found = trace_of_workers(
        "-n1",
        test_it="""
        @pytest.mark.asyncio
        async def test_before(): pass
        @pytest.mark.asyncio
        async def test_crash(): os._exit(1)
        @pytest.mark.asyncio
        async def test_after(): pass
        """,
    )
    runs = {(it.process, it.name) for it in found if it.track == "loops of single tests"}
    assert runs == {("gw0", "test_before"), ("gw1", "test_after")}
