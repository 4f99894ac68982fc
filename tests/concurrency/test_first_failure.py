"""`-x`, `--maxfail`, `pytest.exit()`: what has begun is ended, and nothing reported of it."""

from __future__ import annotations

import pytest
from together import FAILING


@pytest.mark.parametrize("argument", ["-x", "--maxfail=1"])
def test_the_first_failure_ends_all_and_nothing_is_reported_of_the_others(concurrent, argument):
    result = concurrent(FAILING.format("assert 0"), argument, "-s")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*torn down: test_fails test_waits test_waits_too"])


def test_a_session_that_is_to_stop_begins_no_other(concurrent, pytester):
    concurrent(
        """
    import pathlib

    async def test_a(request):
        request.session.shouldstop = "enough"
        await alone()
    async def test_b(): pathlib.Path("begun").touch()
    """
    ).assert_outcomes(passed=1)
    assert not (pytester.path / "begun").exists()


def test_the_end_of_a_session_ends_the_others(concurrent, pytester):
    concurrent(
        """
    import pathlib

    ended = []

    @pytest.fixture
    def resource():
        yield
        pathlib.Path("torn down").write_text(f"the test has ended: {bool(ended)}")

    async def test_a(request):
        await meet()
        request.session.shouldstop = "enough"

    async def test_b(resource):
        await meet()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("test_b")
    """
    ).assert_outcomes(passed=1)
    assert (pytester.path / "torn down").read_text() == "the test has ended: True"


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
@pytest.mark.parametrize("act", ["assert 0", "pytest.exit('no')", "raise KeyboardInterrupt"])
def test_nothing_is_shown_of_what_the_others_write_then(concurrent, act):
    result = concurrent(
        f"""
    import os, sys
    async def test_fails():
        await meet()
        {act}
    async def test_waits():
        try:
            await meet()
            await asyncio.Event().wait()
        finally:
            print("in vain")
            print("in vain", file=sys.stderr)
            os.write(1, b"in vain")
            await asyncio.sleep(0)
            print("in vain")
    """,
        "-x",
        "-rA",
    )
    assert result.ret is not pytest.ExitCode.OK
    assert "in vain" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("kind", ["async ", ""])
@pytest.mark.parametrize("early", ["", "async def test_early(): await go.wait()"])
def test_nor_of_a_wide_fixture_that_was_set_up_for_those_alone(concurrent, early, kind):
    result = concurrent(
        f"""
    go, torn_down = asyncio.Event(), []
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    {kind}def wide():
        print("in vain")
        yield
        print("in vain")
        torn_down.append("wide")
        raise LookupError
    @pytest.fixture(scope="module", autouse=True)
    def shared():
        yield
        assert torn_down == ["wide"]
        print("told")
    {early}
    async def test_fails():
        await meet()
        go.set()
        assert 0
    async def test_waits(wide):
        await meet()
        await asyncio.Event().wait()
    """,
        "-x",
    )
    result.assert_outcomes(failed=1, passed=1 if early else 0)
    assert "in vain" not in result.stdout.str()
    result.stdout.fnmatch_lines(["told"])


def test_a_wide_fixture_that_the_first_failure_has_used_too_is_reported(concurrent):
    result = concurrent(
        """
    @pytest.fixture(scope="module")
    def other():
        yield
        print("in vain")
    @pytest.fixture(scope="module")
    def wide():
        yield
        print("told")
    async def test_fails(request):
        await meet()
        request.getfixturevalue("wide")
        assert 0
    async def test_waits(other, wide):
        await meet()
        await asyncio.Event().wait()
    """,
        "-x",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Captured stdout teardown*", "told"])
    result.stdout.no_fnmatch_line("in vain")


def test_a_first_failure_in_a_teardown_ends_all_too(concurrent_in_both_ways):
    result = concurrent_in_both_ways(
        """
    @pytest_asyncio.fixture
    async def failing():
        yield
        await asyncio.sleep(0)
        raise LookupError
    @pytest_asyncio.fixture
    async def in_vain():
        yield
        print("torn down", flush=True)
        raise LookupError
    @pytest.fixture(scope="module")
    def wide(): pass
    async def test_fails(failing): await meet()
    async def test_waits(in_vain, wide):
        await meet()
        await asyncio.Event().wait()
    """,
        "-x",
        passed=1,
        errors=1,
    )
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.no_fnmatch_line("*torn down*")


def test_pytest_exit_ends_all(concurrent):
    result = concurrent(FAILING.format("pytest.exit('enough', 7)"), "-s")
    assert result.ret == 7
    result.stdout.fnmatch_lines(
        ["*torn down: test_fails test_waits test_waits_too", "*_pytest.outcomes.Exit: enough*"]
    )


@pytest.mark.parametrize("capture", ["fd", "no"])
def test_pytest_exit_in_one_that_has_begun_early_ends_all_in_its_turn(concurrent, capture):
    result = concurrent(
        """
    async def test_a():
        await meet()
        await alone()
    async def test_b():
        await meet()
        pytest.exit("enough", 7)
    """,
        f"--capture={capture}",
    )
    assert result.ret == 7
    result.assert_outcomes(passed=1)


def test_tests_that_are_ended_for_others_to_come_first_are_begun_anew(concurrent):
    result = concurrent(
        """
    begun = asyncio.Event()
    @pytest_asyncio.fixture
    async def slow():
        print("set up")
        begun.set()
        for _ in range(20):
            await asyncio.sleep(0)
    async def test_a(): await begun.wait()
    async def test_b(slow): pass
    def test_sync(): assert begun.is_set()
    """,
        "-s",
        conftest="""
    def pytest_runtestloop(session):
        a, b, sync = session.items
        for item, nextitem in [(a, b), (sync, b), (b, None)]:
            item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        return True
    """,
    )
    result.assert_outcomes(passed=3)
    assert result.stdout.str().count("set up") == 1


def test_what_had_not_begun_then_makes_room(concurrent):
    concurrent(
        """
    meeting, begun = asyncio.Barrier(3), asyncio.Event()
    @pytest_asyncio.fixture(scope="module")
    async def wide():
        begun.set()
        for _ in range(20):
            await asyncio.sleep(0)
    async def test_a(): await begun.wait()
    @pytest.mark.parametrize("number", range(3))
    async def test_b(wide, number): await meet()
    def test_sync(): pass
    """,
        ini="asyncio_concurrency = 4",
        conftest="""
    def pytest_runtestloop(session):
        a, *others, sync = session.items
        order = [a, sync, *others]
        for item, nextitem in zip(order, [others[0], *others, None]):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        return True
    """,
    ).assert_outcomes(passed=5)
