"""`--asyncio-durations=N`: where the time of async tests went, waiting or working."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import NamedTuple

import pytest

from pytest_asyncio.features import durations

WAITS_AND_WORKS = """
    import time

    @pytest.mark.asyncio
    async def test_waits():
        await asyncio.sleep(0.2)

    @pytest.mark.asyncio
    async def test_works():
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass

    @pytest.mark.asyncio
    async def test_is_quick(): pass
"""
ROW = re.compile(r" +([\d.]+)s +([\d.]+)s +([\d.]+)s  (.*)")


class Row(NamedTuple):
    total: float
    waiting: float
    working: float


def rows_of(result: pytest.RunResult) -> dict[str, Row]:
    found = filter(None, map(ROW.fullmatch, result.outlines))
    return {" ".join(it[4].split()): Row(*map(float, it.groups()[:3])) for it in found}


def test_it_distinguishes_waiting_from_working(suite):
    rows = rows_of(suite(WAITS_AND_WORKS, "--asyncio-durations=0"))
    waits, works = rows["call test_it.py::test_waits"], rows["call test_it.py::test_works"]
    assert waits.waiting >= 0.19
    assert waits.waiting > waits.working
    assert works.working >= 0.1
    assert works.working > works.waiting


def test_on_uvloop_work_is_what_the_thread_computes(suite):
    pytest.importorskip("uvloop")
    arguments = "--asyncio-durations=0", "--asyncio-loop-factory=uvloop.new_event_loop"
    rows = rows_of(suite(WAITS_AND_WORKS, *arguments))
    waits, works = rows["call test_it.py::test_waits"], rows["call test_it.py::test_works"]
    assert waits.waiting >= 0.19
    assert waits.waiting > waits.working
    assert works.working >= 0.1


def test_a_callback_that_blocks_its_loop_works(suite):
    rows = rows_of(
        suite(
            """
            import time
            @pytest.mark.asyncio
            async def test_it(): time.sleep(0.1)
            """,
            "--asyncio-durations=0",
        )
    )
    assert rows["call test_it.py::test_it"].working >= 0.1


def test_the_slowest_come_first_and_then_all_together(suite):
    rows = rows_of(suite(WAITS_AND_WORKS, "--asyncio-durations=2"))
    slowest, second, together = rows
    assert {slowest, second} == {"call test_it.py::test_waits", "call test_it.py::test_works"}
    assert rows[slowest].total >= rows[second].total
    assert together == "all 3"
    assert rows[together].total >= rows[slowest].total + rows[second].total - 0.01


@pytest.mark.parametrize(
    ("number", "title"),
    [("2", "= slowest 2 async durations ="), ("0", "= slowest async durations =")],
)
def test_its_section_is_as_that_of_pytest(suite, number, title):
    result = suite(WAITS_AND_WORKS, f"--asyncio-durations={number}")
    result.stdout.fnmatch_lines([f"*{title}*", "  total  waiting  working"])


def test_what_took_little_time_is_hidden(suite, monkeypatch):
    monkeypatch.setattr(durations, "SHORT", 60)
    result = suite(WAITS_AND_WORKS, "--asyncio-durations=2")
    assert list(rows_of(result)) == ["all 3"]
    result.stdout.fnmatch_lines("(2 durations < 60s hidden.  Use -vv to show these durations.)")


def test_details_hide_nothing(suite, monkeypatch):
    monkeypatch.setattr(durations, "SHORT", 60)
    result = suite(WAITS_AND_WORKS, "--asyncio-durations=0", "-vv")
    assert len(rows_of(result)) == 4
    result.stdout.no_fnmatch_line("*hidden*")


def test_fixtures_count_in_the_phase_in_which_they_run(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def server():
            await asyncio.sleep(0.05)
            yield
            await asyncio.sleep(0.1)

        @pytest.mark.asyncio(loop_scope="module")
        async def test_first(server): pass

        def test_last(server): pass
        """,
        "--asyncio-durations=0",
        "-vv",
    )
    rows = rows_of(result)
    assert sorted(rows) == [
        "all 3",
        "call test_it.py::test_first",
        "setup test_it.py::test_first",
        "teardown test_it.py::test_last",
    ]
    assert rows["setup test_it.py::test_first"].waiting >= 0.04
    assert rows["teardown test_it.py::test_last"].waiting >= 0.09


def test_each_of_the_tests_at_the_same_time_has_its_own(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module", concurrent=True)

        @pytest_asyncio.fixture(loop_scope="module")
        async def slow():
            yield
            await asyncio.sleep(0.1)

        @pytest.mark.parametrize("number", [1, 2])
        async def test_it(slow, number): await asyncio.sleep(0.2)
        """,
        "--asyncio-durations=0",
    )
    rows = rows_of(result)
    for number in (1, 2):
        assert rows[f"call test_it.py::test_it[{number}]"].waiting >= 0.1
        assert rows[f"teardown test_it.py::test_it[{number}]"].total >= 0.05


def test_a_virtual_clock_takes_no_time(suite):
    result = suite(
        """
        @pytest.mark.asyncio(clock="virtual")
        async def test_it():
            await asyncio.sleep(3600)
        """,
        "--asyncio-durations=0",
        "-vv",
    )
    assert rows_of(result)["call test_it.py::test_it"].total < 60


def test_a_session_without_async_tests_has_no_such_section(suite):
    result = suite("def test_it(): pass", "--asyncio-durations=0")
    result.stdout.no_fnmatch_line("*async durations*")


@pytest.mark.parametrize("value", ["many", "-1", "1.5"])
def test_a_number_that_is_none_is_a_usage_error(suite, value):
    result = suite(WAITS_AND_WORKS, f"--asyncio-durations={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        f"ERROR: '{value}' is not a valid asyncio_durations. Give how many*"
    )


def test_the_workers_of_xdist_report_theirs(pytester):
    header = "import asyncio, pytest\n"
    pytester.makepyfile(test_it=header + dedent(WAITS_AND_WORKS))
    result = pytester.runpytest_subprocess("-n1", "--asyncio-durations=1")
    slowest, together = rows_of(result).items()
    assert together[0] == "all 3"
    assert slowest[1].total >= 0.1


def test_a_fixture_that_a_test_requests_while_it_runs_is_a_part_of_its_call(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def late():
            await asyncio.sleep(0.2)

        @pytest.mark.asyncio
        async def test_it(request):
            await pytest_asyncio.getfixturevalue(request, "late")
        """,
        "--asyncio-durations=0",
    )
    result.assert_outcomes(passed=1)
    assert list(rows_of(result)) == ["call test_it.py::test_it", "all 1"]
