"""The check `blocked-loop`."""

from __future__ import annotations

import io
import itertools

import pytest
from conditions import both_scopes

from pytest_asyncio.features.checks import blocked_loop

BLOCK = """
        import threading, time
        def block():
            waking = threading.Thread(target=lambda: [time.sleep(0.01) for _ in range(50)])
            waking.start()
            waking.join()
"""


@both_scopes
def test_what_blocks_is_reported_with_its_line(checked, scope):
    result = checked(
        BLOCK
        + """
        pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
        async def test_it(): block()
        async def test_next(): await asyncio.sleep(0.2)
        """,
        scope=scope,
        ini="asyncio_blocked_loop_threshold = 0.1",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            (
                "E*BlockedLoopWarning: test_it held the event loop for more than 0.1 s at "
                "test_it.py:7 in block. Use what can be awaited, or asyncio.to_thread()."
            )
        ]
    )


def test_many_tasks_that_are_ready_at_once_do_not_block(checked):
    checked(
        """
        import time
        async def work(): time.sleep(0.02)
        @pytest.mark.asyncio
        async def test_it():
            await asyncio.gather(*(work() for _ in range(20)))
        """,
        ini="asyncio_blocked_loop_threshold = 0.1",
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("seconds_used", "outcome"), [(0, "passed"), (1, "failed")], ids=["by others", "by the test"]
)
def test_what_counts_on_a_loaded_machine_is_what_the_test_itself_uses(
    checked, monkeypatch, seconds_used, outcome
):
    looks = itertools.count()

    def loaded(*args, **kwargs):
        seconds = next(looks) * 10**9
        return io.StringIO(f"{seconds_used * seconds} {seconds} 0")

    monkeypatch.setattr(blocked_loop._Watched, "_open", loaded)
    checked(
        BLOCK
        + """
        @pytest.mark.asyncio
        async def test_it(): block()
        """,
        ini="asyncio_blocked_loop_threshold = 0.1",
    ).assert_outcomes(**{outcome: 1})


def test_a_machine_that_knows_no_load_is_taken_as_idle(checked, monkeypatch):
    monkeypatch.setattr(blocked_loop, "_STATISTICS", "/nowhere")
    result = checked(
        BLOCK
        + """
        @pytest.mark.asyncio
        async def test_it(): block()
        """,
        ini="asyncio_blocked_loop_threshold = 0.1",
    )
    result.assert_outcomes(failed=1)


def test_each_that_blocks_is_reported(checked):
    result = checked(
        BLOCK
        + """
        @pytest.mark.asyncio
        async def test_it():
            block()
            await asyncio.sleep(0.2)
            asyncio.get_running_loop().call_soon(block)
            await asyncio.sleep(0.2)
        """,
        "-Wdefault",
        ini="asyncio_blocked_loop_threshold = 0.1",
    )
    result.assert_outcomes(passed=1, warnings=2)


def test_half_a_second_is_the_default_and_what_is_shorter_is_fine(checked):
    checked(
        """
        import time
        @pytest.mark.asyncio
        async def test_it(): time.sleep(0.1)
        """
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("body", "outcomes"),
    [("block()", {"errors": 1}), ("yield; block()", {"passed": 1, "errors": 1})],
    ids=["setup", "teardown"],
)
def test_a_fixture_is_reported_by_its_name(checked, body, outcomes):
    result = checked(
        BLOCK
        + f"""
        @pytest_asyncio.fixture
        async def slow(): {body}
        @pytest.mark.asyncio
        async def test_it(slow): pass
        """,
        ini="asyncio_blocked_loop_threshold = 0.1",
    )
    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines(["*BlockedLoopWarning: fixture 'slow' held the event loop*"])


def test_a_debugger_may_block(checked):
    checked(
        BLOCK
        + """
        @pytest.mark.asyncio
        async def test_it(pytestconfig):
            pytestconfig.hook.pytest_enter_pdb(config=pytestconfig, pdb=None)
            block()
            pytestconfig.hook.pytest_leave_pdb(config=pytestconfig, pdb=None)
        """,
        ini="asyncio_blocked_loop_threshold = 0.1",
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("factory", ["asyncio.new_event_loop", "uvloop.new_event_loop"])
def test_a_loop_that_waits_is_not_woken(checked, factory):
    pytest.importorskip(factory.partition(".")[0])
    checked(
        """
        import threading
        @pytest.mark.asyncio
        async def test_it():
            loop, called = asyncio.get_running_loop(), []
            # Not call_soon_threadsafe(), as it should be.
            call_soon = lambda: loop.call_soon(lambda: called.append(loop.time()))
            threading.Timer(0.1, call_soon).start()
            begun = loop.time()
            await asyncio.sleep(0.5)
            assert called[0] - begun >= 0.4
        """,
        f"--asyncio-loop-factory={factory}",
    ).assert_outcomes(passed=1)


def test_a_loop_that_waits_is_not_woken_where_a_library_has_wrapped_its_selector(checked):
    result = checked(
        """
        @pytest.mark.asyncio
        async def test_it():
            selector, waits = asyncio.get_running_loop()._selector, []
            select = selector.select

            def counted(timeout):
                waits.append(timeout)
                return select(timeout)

            selector.select = counted
            await asyncio.sleep(0.3)
            assert len(waits) <= 3
        """,
        ini="asyncio_blocked_loop_threshold = 0.1",
    )
    result.assert_outcomes(passed=1)


def test_what_waits_in_a_selector_of_its_own_blocks_the_loop(checked):
    result = checked(
        """
        import selectors
        @pytest.mark.asyncio
        async def test_it():
            with selectors.DefaultSelector() as selector:
                selector.select(0.5)
        """,
        ini="asyncio_blocked_loop_threshold = 0.1",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E*BlockedLoopWarning: test_it held the event loop *")


def test_a_callback_of_a_loop_that_shows_none_is_its_only_tests(checked):
    pytest.importorskip("uvloop")
    result = checked(
        BLOCK
        + """
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().call_soon(block)
            await asyncio.sleep(0.6)
        """,
        "--asyncio-loop-factory=uvloop.new_event_loop",
        ini="asyncio_blocked_loop_threshold = 0.1",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*BlockedLoopWarning: test_it held the event loop*"])


def test_a_callback_that_blocks_the_loops_of_two_tests_is_reported_once(checked):
    result = checked(
        BLOCK
        + """
        @pytest.mark.asyncio(loop_scope="module", concurrent=True)
        async def test_it():
            await asyncio.sleep(0.1)
            asyncio.get_running_loop().call_soon(block)
            await asyncio.sleep(0.6)
        @pytest.mark.asyncio(loop_scope="session", concurrent=True)
        async def test_other(): await asyncio.sleep(0.6)
        """,
        ini="asyncio_blocked_loop_threshold = 0.1",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*BlockedLoopWarning: test_it held the event loop*"])
    result.stdout.no_fnmatch_line("*test_other held*")
