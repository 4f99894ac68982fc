"""What ends tests that run at the same time before they are over."""

from __future__ import annotations

import pytest
from together import WAITING

FLYING = """
        torn_down = []
        @pytest_asyncio.fixture
        async def used(request):
            yield
            await asyncio.sleep(0)
            torn_down.append(request.node.name)
        @pytest.fixture(scope="module", autouse=True)
        def tell():
            yield
            print("torn down:", *sorted(torn_down))
        async def test_fails(used):
            await meet()
            {}
        async def test_waits(used):
            await meet()
            await asyncio.Event().wait()
        async def test_waits_too(used): await asyncio.Event().wait()
    """


def test_what_those_raise_together_that_are_ended_ends_nothing_else(concurrent):
    concurrent(
        """
    async def test_a():
        await asyncio.sleep(0.01)
        assert 0
    @pytest.mark.parametrize("_", range(5))
    async def test_b(_):
        try:
            await asyncio.Event().wait()
        finally:
            raise SystemExit(3)
    """,
        "-x",
    ).assert_outcomes(failed=1)


def test_who_ends_with_the_process_when_another_is_over_ends_alone(concurrent):
    result = concurrent(
        """
    is_set = asyncio.Event()
    async def test_a(): await asyncio.sleep(0.1)
    async def test_b(): await is_set.wait()
    async def test_c():
        await asyncio.sleep(0.01)
        is_set.set()
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, exit, 3)  # in the iteration that sees that test_b is over
        await asyncio.Event().wait()
    """
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*___ test_c ___*", "*SystemExit: 3"])


def test_who_ends_with_the_process_in_the_teardown_of_another_ends_alone(concurrent):
    result = concurrent(
        """
    is_down = asyncio.Event()
    @pytest_asyncio.fixture
    async def used():
        yield
        is_down.set()
        await asyncio.sleep(0.1)
    async def test_a(used): await asyncio.sleep(0.05)
    async def test_b():
        await is_down.wait()
        asyncio.get_running_loop().call_soon(exit, 3)
        await asyncio.Event().wait()
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*___ test_b ___*", "*SystemExit: 3"])


@pytest.mark.parametrize("argument", ["-x", "--maxfail=1"])
def test_the_first_failure_ends_all_and_nothing_is_reported_of_the_others(concurrent, argument):
    result = concurrent(FLYING.format("assert 0"), argument, "-s")
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
    result = concurrent(FLYING.format("raise KeyboardInterrupt"), "-s")
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


def test_pytest_exit_ends_all(concurrent):
    result = concurrent(FLYING.format("pytest.exit('enough', 7)"), "-s")
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
        conftest=TELLING,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["torn down: own"])


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
        conftest=TELLING,
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
        conftest=TELLING,
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


def test_system_exit_is_a_failure_of_its_test(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    async def test_a():
        await meet()
        raise SystemExit(3)
    async def test_b(): await meet()
    """,
        passed=1,
        failed=1,
    )


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "waits"])
@pytest.mark.parametrize(
    "act",
    [
        "raise SystemExit(3)",
        "asyncio.get_running_loop().call_soon(exit); await asyncio.sleep(1)",
        "asyncio.get_running_loop().stop(); await asyncio.sleep(1)",
    ],
)
def test_what_ends_a_test_that_has_begun_early_ends_that_one(concurrent, act, quick):
    result = concurrent(
        f"""
    def exit(): raise SystemExit(3)
    go, over = asyncio.Event(), asyncio.Event()
    @pytest_asyncio.fixture
    async def met(): await meet()
    async def test_first(met):
        go.set()
        if {quick}:
            for _ in range(3): await asyncio.sleep(0)
        else:
            await over.wait()
    async def test_ends():
        await meet()
        await go.wait()
        try:
            {act}
        finally:
            over.set()
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FAILED *test_ends*"])


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
        conftest=TELLING,
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
TELLING = """
        def pytest_unconfigure(): print("torn down:", *sorted(pytest.torn_down))
    """


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
@pytest.mark.parametrize(
    ("act", "argument"), [("raise KeyboardInterrupt", "-q"), ("assert 0", "-x")]
)
def test_ctrl_c_while_they_end_breaks_off_what_they_run(concurrent, act, argument):
    result = concurrent(BREAKING_OFF_AN_END.format(act), argument, conftest=TELLING)
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
        conftest=TELLING,
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*torn down: test_b"])


@pytest.mark.parametrize("error", ["SystemExit", "GeneratorExit", "asyncio.CancelledError"])
def test_what_a_synchronous_teardown_raises_is_an_error_of_its_test(concurrent, error):
    result = concurrent(
        f"""
    @pytest_asyncio.fixture
    async def first():
        yield
        print("first is torn down")
    @pytest.fixture
    def odd(first):
        yield
        raise {error}
    async def test_a(): await meet()
    async def test_b(odd): await meet()
    """
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_b*", "first is torn down"])


def test_system_exit_ends_the_current_test_although_that_goes_on(concurrent):
    result = concurrent(
        """
    import contextlib

    async def test_a():
        await alone()
        asyncio.get_running_loop().call_soon(exit, 3)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def test_b(): pass
    """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines("E*SystemExit: 3")


def test_system_exit_in_a_callback_is_a_failure_of_its_test(concurrent):
    result = concurrent(
        """
    async def test_a(): await meet()
    async def test_b():
        await meet()
        asyncio.get_running_loop().call_soon(exit, 3)
        await asyncio.Event().wait()
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*___ test_b ___*", "*SystemExit: 3*"])


@pytest.mark.usefixtures("_impatient", "_ctrl_c_is_of_the_inner_run")
def test_what_refuses_to_end_is_reported(concurrent):
    result = concurrent(
        """
    async def test_fails():
        await meet()
        raise KeyboardInterrupt
    async def test_refuses():
        await meet()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
    """
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED


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
    @pytest.fixture
    def own():
        yield
        pytest.seen.append("down")
    async def test_first(): await asyncio.sleep(0.001)
    async def test_alone(monkeypatch): assert 0
    async def test_behind(own): pytest.exit("of test_behind")
    """,
        "-x",
        conftest="pytest.seen = []\ndef pytest_unconfigure(): print(*pytest.seen)\n",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("down")
