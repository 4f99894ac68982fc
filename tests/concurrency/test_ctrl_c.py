"""Ctrl-C while tests run at the same time: all end, and what is torn down comes to its end."""

from __future__ import annotations

import pytest
from together import FAILING, PRINTS_TORN_DOWN, WAITING


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_in_a_wide_fixture_of_those_alone_ends_the_session_too(concurrent):
    result = concurrent(
        """
    @pytest.fixture(scope="module")
    def wide():
        yield
        raise KeyboardInterrupt
    async def test_fails():
        await meet()
        assert 0
    async def test_waits(wide):
        await meet()
        await asyncio.Event().wait()
    """,
        "-x",
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_in_one_that_has_begun_early_ends_all(concurrent):
    result = concurrent(
        """
    async def test_a():
        await meet()
        await asyncio.Event().wait()
    async def test_b():
        await meet()
        raise KeyboardInterrupt
    """
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_ends_all(concurrent):
    result = concurrent(FAILING.format("raise KeyboardInterrupt"), "-s")
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*torn down: test_fails test_waits test_waits_too"])


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_in_one_that_ends_before_one_that_runs_alone_ends_all(concurrent):
    result = concurrent("""
        begun = asyncio.Event()
        async def test_a(): await begun.wait()
        def test_alone(capsys): raise AssertionError
        async def test_b():
            begun.set()
            for _ in range(20):
                await asyncio.sleep(0)
            raise KeyboardInterrupt
    """)
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(passed=1)


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_in_what_a_plugin_does_about_one_that_has_begun_early_ends_all(concurrent):
    result = concurrent(
        WAITING + "async def test_b(): pass",
        conftest="""
        def pytest_runtest_makereport(item):
            if item.name == "test_b": raise KeyboardInterrupt
        """,
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.assert_outcomes()


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
@pytest.mark.parametrize("kind", ["async ", ""])
@pytest.mark.parametrize("scope", ["module", "function"])
def test_ctrl_c_in_a_setup_ends_all(concurrent, scope, kind):
    result = concurrent(
        f"""
    @pytest_asyncio.fixture
    async def first(): yield
    @pytest_asyncio.fixture(scope={scope!r})
    {kind}def interrupted():
        raise KeyboardInterrupt
    @pytest.fixture(scope="module", autouse=True)
    def tell():
        yield
        print("all torn down")
    async def test_a(first): await asyncio.Event().wait()
    async def test_b(first, interrupted): pass
    async def test_c(first): pass
    """,
        "-s",
        "-Wignore",
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*all torn down"])


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_in_a_callback_ends_all(concurrent):
    result = concurrent(
        """
    def interrupt(): raise KeyboardInterrupt
    async def test_a():
        await meet()
        asyncio.get_running_loop().call_soon(interrupt)
        await asyncio.Event().wait()
    async def test_b():
        await meet()
        await asyncio.Event().wait()
    """
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_in_a_callback_ends_all_although_they_go_on(concurrent_in_both_ways):
    result = concurrent_in_both_ways(
        """
    import contextlib
    over = asyncio.Event()

    async def go_on():
        with contextlib.suppress(asyncio.CancelledError):
            await over.wait()
        over.set()

    def interrupt(): raise KeyboardInterrupt

    async def test_a(): await go_on()

    async def test_b():
        for _ in range(40): await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(interrupt)
        await go_on()
    """
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED


@pytest.mark.usefixtures("_impatient")
@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_breaks_off_what_is_torn_down_at_that_moment(concurrent, pytester):
    result = concurrent(
        """
    import pathlib
    ending = asyncio.Event()
    @pytest_asyncio.fixture
    async def own():
        yield
        ending.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            pathlib.Path("broken off").touch()
            raise
    async def test_a():
        await ending.wait()
        raise KeyboardInterrupt
    async def test_b(own): pass
    """
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    assert (pytester.path / "broken off").exists()


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_in_the_middle_of_a_setup_ends_all(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture
    async def first():
        yield
        print("first is torn down")
    @pytest.fixture
    def interrupted(first): raise KeyboardInterrupt
    async def test_a(first): await asyncio.Event().wait()
    async def test_b(interrupted): pass
    """,
        "-s",
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*first is torn down"])


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
@pytest.mark.parametrize("kind", ["async ", ""])
def test_ctrl_c_in_a_teardown_ends_all(concurrent, kind):
    result = concurrent(
        f"""
    pytest.torn_down = []
    @pytest_asyncio.fixture
    async def first(request):
        yield
        pytest.torn_down.append(request.node.name)
    @pytest_asyncio.fixture
    {kind}def interrupted(first):
        yield
        raise KeyboardInterrupt
    async def test_a(first): await asyncio.Event().wait()
    async def test_b(interrupted): await asyncio.sleep(0)
    async def test_c(first): await asyncio.Event().wait()
    """,
        conftest=PRINTS_TORN_DOWN,
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*torn down: test_a test_b test_c"])


BREAKING_OFF_AN_END = """
    pytest.torn_down = []
    def interrupt(): raise KeyboardInterrupt
    @pytest_asyncio.fixture(loop_scope="module")
    async def first(request):
        yield
        pytest.torn_down.append(request.node.name)
    @pytest_asyncio.fixture(loop_scope="module")
    async def hanging(first):
        yield
        asyncio.get_running_loop().call_soon(interrupt)
        await asyncio.Event().wait()
    async def test_fails(first):
        await meet()
        {}
    async def test_waits(hanging):
        await meet()
        await asyncio.Event().wait()
    async def test_waits_too(first):
        await asyncio.Event().wait()
"""


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
@pytest.mark.parametrize(
    ("act", "argument"), [("raise KeyboardInterrupt", "-q"), ("assert 0", "-x")]
)
def test_ctrl_c_while_they_end_breaks_off_what_they_run(concurrent, act, argument):
    result = concurrent(BREAKING_OFF_AN_END.format(act), argument, conftest=PRINTS_TORN_DOWN)
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*torn down: test_fails test_waits test_waits_too"])


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_in_what_is_cancelled_ends_the_session_too(concurrent):
    result = concurrent(
        """
    async def test_fails():
        await meet()
        assert 0
    async def test_waits():
        try:
            await meet()
            await asyncio.Event().wait()
        finally:
            raise KeyboardInterrupt
    """,
        "-x",
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_in_one_of_those_teardowns_lets_the_others_go_on(concurrent):
    result = concurrent(
        """
    pytest.torn_down = []
    ending = asyncio.Event()
    @pytest_asyncio.fixture
    async def slow(request):
        yield
        ending.set()
        await alone()
        pytest.torn_down.append(request.node.name)
    @pytest.fixture
    def interrupted():
        yield
        raise KeyboardInterrupt
    @pytest_asyncio.fixture
    async def later(interrupted):
        yield
        await ending.wait()
    async def test_fails():
        await meet()
        assert 0
    async def test_b(slow):
        await meet()
        await asyncio.Event().wait()
    async def test_c(later): await asyncio.Event().wait()
    """,
        "-x",
        conftest=PRINTS_TORN_DOWN,
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*torn down: test_b"])


TEARDOWN_AT_CTRL_C = """
tearing_down = asyncio.Event()
@pytest_asyncio.fixture
async def inner():
    yield
    pytest.seen.append("inner is down")
@pytest_asyncio.fixture
async def outer(inner):
    yield
    tearing_down.set()
    for _ in range(20): await asyncio.sleep(0.001)
    pytest.seen.append("the teardown of outer has ended")
"""


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_ctrl_c_lets_the_teardown_of_another_test_come_to_its_end(concurrent, order):
    tests = {
        "a": "async def test_torn_down(outer): await asyncio.sleep(0.01)\n",
        "b": "async def test_waits(): await asyncio.Event().wait()\n",
        "c": "async def test_interrupts():\n"
        "    await tearing_down.wait()\n"
        "    raise KeyboardInterrupt\n",
    }
    result = concurrent(
        TEARDOWN_AT_CTRL_C + "".join(tests[name] for name in order),
        conftest="pytest.seen = []\ndef pytest_unconfigure(): print(*pytest.seen, sep='\\n')",
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*the teardown of outer has ended", "inner is down"])


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_so_it_does_for_one_that_is_torn_down_in_its_turn(concurrent):
    result = concurrent(
        TEARDOWN_AT_CTRL_C
        + "go = asyncio.Event()\n"
        + "async def test_waits(): await go.wait()\n"
        + "async def test_torn_down(outer): await asyncio.sleep(0)\n"
        + "async def test_interrupts():\n"
        + "    go.set()\n"
        + "    await tearing_down.wait()\n"
        + "    raise KeyboardInterrupt\n",
        "-s",
        conftest="pytest.seen = []\ndef pytest_unconfigure(): print(*pytest.seen, sep='\\n')",
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*the teardown of outer has ended", "inner is down"])


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_so_it_does_for_one_whose_turn_has_just_come(concurrent):
    result = concurrent(
        TEARDOWN_AT_CTRL_C
        + "go = asyncio.Event()\n"
        + "async def test_waits(): await go.wait()\n"
        + "over = asyncio.Event()\n"
        + "async def test_torn_down(outer): over.set()\n"
        + "async def test_interrupts():\n"
        + "    await over.wait()\n"
        + "    for _ in range(20): await asyncio.sleep(0)\n"
        + "    go.set()\n"
        + "    raise KeyboardInterrupt\n",
        "-s",
        conftest="pytest.seen = []\ndef pytest_unconfigure(): print(*pytest.seen, sep='\\n')",
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*the teardown of outer has ended", "inner is down"])
