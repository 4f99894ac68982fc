"""Where the others are at that moment: what has begun is torn down, and nothing else begins."""

from __future__ import annotations

import pytest
from together import PRINTS_TORN_DOWN


def test_what_is_torn_down_at_that_moment_is_not_cancelled(concurrent):
    result = concurrent(
        """
    pytest.torn_down = []
    go = asyncio.Event()

    @pytest_asyncio.fixture
    async def own():
        yield
        go.set()
        for _ in range(20): await asyncio.sleep(0)
        pytest.torn_down.append("own")

    async def test_fails():
        await go.wait()
        assert 0

    async def test_ends(own): pass
    """,
        "-x",
        conftest=PRINTS_TORN_DOWN,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["torn down: own"])


def test_a_setup_that_goes_on_although_it_is_cancelled_is_torn_down(concurrent):
    result = concurrent(
        """
    import contextlib
    pytest.torn_down = []

    @pytest_asyncio.fixture
    async def own():
        await meet()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        yield
        pytest.torn_down.append("own")

    async def test_fails():
        await meet()
        assert 0

    async def test_waits(own): await asyncio.Event().wait()
    """,
        "-x",
        conftest=PRINTS_TORN_DOWN,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["torn down: own"])


def test_what_has_not_begun_then_is_not_begun(concurrent, pytester):
    concurrent(
        """
    import pathlib

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def slow():
        for _ in range(40): await asyncio.sleep(0)

    @pytest.fixture(scope="module")
    def noted(): pathlib.Path("begun").touch()

    async def test_fails():
        for _ in range(20): await asyncio.sleep(0)
        assert 0

    async def test_waits(slow): await asyncio.Event().wait()
    async def test_next(noted): pass
    """,
        "-x",
    ).assert_outcomes(failed=1)
    assert not (pytester.path / "begun").exists()


def test_a_setup_of_many_fixtures_is_not_gone_on_with(concurrent):
    result = concurrent(
        """
    begun = []
    @pytest_asyncio.fixture
    async def one():
        begun.append("one")
        await asyncio.Event().wait()
    @pytest_asyncio.fixture
    async def two(one): begun.append("two")
    @pytest.fixture(scope="module", autouse=True)
    def tell():
        yield
        print(begun)
    async def test_fails():
        while not begun:
            await asyncio.sleep(0)
        assert 0
    async def test_is_set_up(two): pass
    """,
        "-x",
        "-s",
        conftest="""
    def pytest_runtest_makereport(item): print("reports", item.name)
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*'one'*"])
    result.stdout.no_fnmatch_line("*two*")
    result.stdout.no_fnmatch_line("*reports test_is_set_up")


def test_nor_is_a_test_called_whose_setup_is_over(concurrent):
    result = concurrent(
        """
    begun, go, called = asyncio.Event(), asyncio.Event(), []
    @pytest_asyncio.fixture
    async def waiting():
        begun.set()
        await go.wait()
    @pytest.fixture(scope="module", autouse=True)
    def tell():
        yield
        print("calls:", len(called))
    async def test_fails():
        await begun.wait()
        go.set()
        assert 0
    @pytest.mark.usefixtures("waiting")
    async def test_is_set_up(): called.append("test_is_set_up")
    """,
        "-x",
        "-s",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*calls: 0"])


def test_a_teardown_that_goes_on_is_not_cancelled(concurrent):
    result = concurrent(
        """
    torn_down = []
    @pytest_asyncio.fixture
    async def own():
        yield
        await meet()
        await alone()
        torn_down.append("own")
    @pytest.fixture(scope="module", autouse=True)
    def tell():
        yield
        print("torn down:", *torn_down)
    async def test_fails():
        await meet()
        assert 0
    async def test_ends(own): pass
    """,
        "-x",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["torn down: own"])


def test_a_fixture_that_is_set_up_at_that_moment_is_not_cancelled(concurrent):
    result = concurrent(
        """
    pytest.torn_down = []
    go = asyncio.Event()

    @pytest_asyncio.fixture
    async def own():
        await go.wait()
        yield
        await asyncio.sleep(0)
        pytest.torn_down.append("own")

    async def test_fails():
        await alone()
        go.set()
        assert 0

    async def test_waits(own): await asyncio.Event().wait()
    """,
        "-x",
        conftest=PRINTS_TORN_DOWN,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["torn down: own"])


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_the_others_end_without_their_loop_if_it_is_closed(concurrent):
    result = concurrent(
        """
    @pytest.fixture
    def closing():
        yield
        loop.close()
        raise KeyboardInterrupt
    @pytest.fixture(scope="module", autouse=True)
    def tell():
        yield
        print("all torn down")
    async def test_a(closing):
        global loop
        loop = asyncio.get_running_loop()
        await meet()
    async def test_waits():
        await meet()
        await asyncio.Event().wait()
    """,
        "-s",
        "-Wignore",
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*all torn down"])


def test_it_may_end_before_any_other_has_begun(concurrent):
    result = concurrent(
        """
    @pytest.fixture
    def failing(): assert 0
    async def test_fails(failing): pass
    async def test_next(): print("never begun")
    """,
        "-x",
        "-s",
    )
    result.assert_outcomes(errors=1)
    result.stdout.no_fnmatch_line("*never begun*")


def test_it_may_end_before_some_have_begun(concurrent):
    result = concurrent(
        """
    async def test_fails(): assert 0
    @pytest.mark.parametrize("number", range(40))
    async def test_waits(number): await asyncio.Event().wait()
    """,
        "-x",
    )
    result.assert_outcomes(failed=1)


def test_a_test_that_has_its_turn_first_is_reported_before(concurrent):
    result = concurrent(
        """
    release = asyncio.Event()
    async def test_first():
        await release.wait()
    async def test_fails():
        release.set()
        assert 0
    async def test_waits(): await asyncio.Event().wait()
    """,
        "-x",
    )
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret is pytest.ExitCode.TESTS_FAILED


@pytest.mark.usefixtures("_impatient")
def test_what_refuses_to_end_and_then_ends_does_not_end_its_teardown(concurrent_in_both_ways):
    result = concurrent_in_both_ways(
        """
    tearing_down, has_ended = asyncio.Event(), asyncio.Event()
    @pytest_asyncio.fixture(timeout=0)
    async def inner():
        yield
        print("inner is down")
    @pytest_asyncio.fixture(timeout=0)
    async def outer(inner):
        yield
        tearing_down.set()
        await has_ended.wait()
        await asyncio.sleep(0.01)
        print("the teardown of outer has ended")
    @pytest.mark.asyncio(timeout=0.05)
    async def test_refuses(outer):
        while not tearing_down.is_set():
            try:
                await tearing_down.wait()
            except asyncio.CancelledError:
                pass
        has_ended.set()
    async def test_waits(): await has_ended.wait()
    """,
        "-rfP",
        passed=1,
        failed=1,
    )
    result.stdout.fnmatch_lines(["*the teardown of outer has ended", "inner is down"])


def test_one_that_would_end_the_session_later_is_torn_down_where_it_ends_before(concurrent):
    result = concurrent(
        """
    begun = []
    @pytest.fixture
    def own():
        begun.append(1)
        yield
        pytest.seen.append("down")
    async def test_first():
        while not begun:
            await asyncio.sleep(0.001)
    async def test_alone(monkeypatch): assert 0
    async def test_behind(own): pytest.exit("of test_behind")
    """,
        "-x",
        conftest="pytest.seen = []\ndef pytest_unconfigure(): print(*pytest.seen)\n",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("down")
