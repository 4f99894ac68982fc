"""The traceback of a failure ends at the user's line: asyncio's own lines say nothing."""

from __future__ import annotations

import pytest

ENDS = {
    "wait_for": "await asyncio.wait_for(asyncio.Event().wait(), 0.01)",
    "timeout": "async with asyncio.timeout(0.01): await asyncio.Event().wait()",
    "queue": "asyncio.Queue().get_nowait()",
    "thread": "await asyncio.to_thread(json.loads, '[')",
}
STYLES = ["auto", "long", "short", "native", "line"]


def failing(suite, code, *args):
    return suite(
        f"""
        import json

        async def fetch():
            {code}

        @pytest.mark.asyncio
        async def test_it():
            await fetch()
        """,
        *args,
    )


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_an_error_of_asyncio_shows_the_line_that_has_called_it(suite, code, style):
    result = failing(suite, code, f"--tb={style}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines_random("*test_it.py*")
    for file in ("asyncio/", "asyncio\\", "concurrent/", "concurrent\\"):
        result.stdout.no_fnmatch_line(f"*{file}*")


def test_an_error_of_asyncio_is_one_of_the_users_line(suite):
    result = failing(suite, ENDS["wait_for"])
    result.stdout.fnmatch_lines([f"> *{ENDS['wait_for']}", "E *TimeoutError", "test_it.py:6: *"])


def test_a_cancellation_of_asyncios_own_is_left_out(suite):
    result = failing(suite, ENDS["wait_for"])
    result.stdout.no_fnmatch_line("*CancelledError*")
    result.stdout.no_fnmatch_line("*direct cause*")


def test_one_that_has_ended_a_line_of_the_user_is_not(suite):
    result = failing(suite, ENDS["timeout"])
    result.stdout.fnmatch_lines(["E *CancelledError", "*direct cause*", "E *TimeoutError"])


def test_an_error_in_what_asyncio_calls_shows_both_lines_of_the_user(suite):
    result = suite("""
        def work():
            raise ValueError

        @pytest.mark.asyncio
        async def test_it():
            await asyncio.to_thread(work)
        """)
    lines = [line for line in result.outlines if line.startswith("test_it.py:")]
    assert lines == ["test_it.py:8: ", "test_it.py:4: ValueError"]


def test_a_full_trace_has_all_lines(suite):
    result = failing(suite, ENDS["queue"], "--full-trace")
    result.stdout.fnmatch_lines("*queues.py:*: QueueEmpty")


def test_what_asyncio_alone_has_called_shows_asyncios_lines(suite):
    result = suite(
        """
        import functools
        test_it = functools.partial(asyncio.wait_for, asyncio.sleep(1), 0.01)
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r".*\b(tasks|timeouts)\.py:\d+: TimeoutError"])
