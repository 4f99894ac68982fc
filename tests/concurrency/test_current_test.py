"""The test that pytest runs itself, while others run beside it."""

from __future__ import annotations

import re

import pytest

"""pytest runs it itself, and what follows is begun only where it waits."""


def test_what_never_waits_begins_no_other(concurrent):
    concurrent(
        """
    begun = []
    @pytest_asyncio.fixture(autouse=True)
    async def noted(request):
        begun.append(request.node.name)
        yield
    async def test_a():
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
        assert begun == ["test_a"]
    async def test_b(): assert begun == ["test_a", "test_b"]
    """
    ).assert_outcomes(passed=2)


def test_it_may_wait_in_each_phase(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture
    async def met_before():
        await meet()
    @pytest_asyncio.fixture
    async def met_behind():
        yield
        await meet()
    async def test_a(met_before): pass
    async def test_b(met_before): pass
    async def test_c(): await meet()
    async def test_d(): await meet()
    async def test_e(met_behind): pass
    async def test_f(met_behind): pass
    async def test_g(): await meet()
    """,
        "--asyncio-concurrency=2",
        "--deselect=test_it.py::test_g",
    ).assert_outcomes(passed=6, deselected=1)


def test_what_waits_on_another_loop_begins_no_other(concurrent):
    concurrent(
        """
    begun = []

    @pytest.fixture(autouse=True)
    def noted(request): begun.append(request.node.name)

    @pytest_asyncio.fixture(loop_scope="session")
    async def elsewhere():
        await alone()
        assert begun == ["test_a"]

    async def test_a(elsewhere): pass
    async def test_b(): pass
    """
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize("call", ["pass", "await alone()"])
def test_its_teardown_that_waits_ends_nothing_of_the_others(concurrent, call):
    concurrent(
        f"""
    begun, down, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @pytest.fixture
    def end():
        yield
        ended.set()

    @pytest_asyncio.fixture
    async def waiting_at_its_end(end):
        yield
        begun.set()
        await down.wait()

    @pytest.fixture
    def resource():
        resource = ["open"]
        yield resource
        resource.clear()

    @pytest.fixture
    def tell():
        yield
        down.set()

    async def test_a(waiting_at_its_end): {call}

    @pytest.mark.parametrize("_", "bc")
    async def test_b(resource, _):
        await ended.wait()
        assert resource

    async def test_d(tell): await begun.wait()
    """
    ).assert_outcomes(passed=4)


def test_a_wide_fixture_that_waits_is_set_up_once(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    setups = []

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def wide():
        setups.append("wide")
        await alone()

    async def test_a(wide): await meet()
    async def test_b(wide):
        await meet()
        assert len(setups) == 1
    """,
        passed=2,
    )


def test_another_one_may_wait_for_what_its_synchronous_fixture_requests(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture
    async def slow(): await alone()

    @pytest.fixture
    def requesting(request): request.getfixturevalue("slow")

    async def test_a(): await meet()
    async def test_b(requesting): await meet()
    async def test_c(): pass
    """
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize("waits", [False, True])
def test_a_warning_that_python_shows_again_comes_again_before_it_waits(concurrent, waits):
    result = concurrent(
        f"""
    import warnings

    def warn_again():
        with warnings.catch_warnings(): warnings.warn("again")

    async def test_a():
        for _ in range(2): warn_again()
        if {waits}:
            await meet()

    async def test_b():
        if {waits}:
            await meet()
    """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=2, warnings=2)


def test_what_it_has_changed_is_not_seen_by_the_others(concurrent):
    concurrent(
        """
    import contextvars
    of_sync = contextvars.ContextVar("of_sync", default="nothing")
    of_async = contextvars.ContextVar("of_async", default="nothing")
    @pytest.fixture
    def in_sync(request):
        token = of_sync.set(request.node.name)
        yield
        assert of_sync.get() == request.node.name
        of_sync.reset(token)
    @pytest_asyncio.fixture
    async def in_async(request):
        of_async.set(request.node.name)
        yield
    async def test_a(in_sync, in_async, request):
        await meet()
        assert (of_sync.get(), of_async.get()) == ("test_a", "test_a")
    async def test_b(request):
        assert (of_sync.get(), of_async.get()) == ("nothing", "nothing")
        await meet()
    """
    ).assert_outcomes(passed=2)


def test_a_wide_fixture_that_another_test_sets_up_is_seen_until_its_teardown(concurrent):
    concurrent(
        """
    import contextvars
    variable = contextvars.ContextVar("variable", default="nothing")
    @pytest_asyncio.fixture(scope="class", loop_scope="module")
    async def wide():
        variable.set("wide")
        yield
    class TestIt:
        async def test_a(self): await meet()
        async def test_b(self, wide): await meet()
        @pytest.mark.asyncio(concurrent=False)
        async def test_c(self): assert variable.get() == "wide"
    def test_after(): assert variable.get() == "nothing"
    """
    ).assert_outcomes(passed=4)


def test_its_teardown_may_wait_while_none_of_the_others_goes_on(concurrent):
    concurrent(
        """
    go = asyncio.Event()
    @pytest_asyncio.fixture
    async def own():
        yield
        for _ in range(20): await asyncio.sleep(0)
        go.set()
    async def test_a(own): await meet()
    async def test_b():
        await meet()
        await go.wait()
    """
    ).assert_outcomes(passed=2)


def test_tests_run_one_by_one_where_a_plugin_runs_them_by_itself(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture
    async def own(): pass
    async def test_a(own): await alone()
    async def test_b(own): await alone()
    """,
        conftest="""
    from _pytest.runner import runtestprotocol
    def pytest_runtestloop(session):
        for item in session.items: runtestprotocol(item, nextitem=None)
        return True
    """,
    ).assert_outcomes(passed=2)


def test_none_is_begun_again_where_a_plugin_runs_them_in_another_order(concurrent):
    result = concurrent(
        """
    setups = []
    @pytest.fixture(scope="module", autouse=True)
    def tell():
        yield
        print("setups:", len(setups))
    @pytest.fixture(autouse=True)
    def own(): setups.append(1)
    async def test_a(): await alone()
    async def test_b(): await alone()
    async def test_c(): await alone()
    """,
        "-s",
        conftest="""
    def pytest_runtestloop(session):
        order = session.items[::-1]
        for item, nextitem in zip(order, [*order[1:], None]):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        return True
    """,
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*setups: 3"])


def test_the_environment_says_which_one_runs(concurrent):
    concurrent(
        """
    import os
    def current(): return os.environ["PYTEST_CURRENT_TEST"].partition("::")[2]
    @pytest_asyncio.fixture
    async def met(): await meet()
    @pytest.fixture
    def told(met, request):
        assert current() == f"{request.node.name} (setup)"
        yield
        assert current() == f"{request.node.name} (teardown)"
    async def test_a(told): await meet()
    async def test_b(told):
        await meet()
        for _ in range(20): await asyncio.sleep(0)
        assert current() == "test_b (call)"
    """
    ).assert_outcomes(passed=2)


def test_it_is_the_current_test_again_when_it_goes_on(concurrent):
    concurrent(
        """
    import os
    async def test_a():
        await meet()
        assert os.environ["PYTEST_CURRENT_TEST"].endswith("::test_a (call)")
    async def test_b(): await meet()
    """
    ).assert_outcomes(passed=2)


def test_its_output_and_logs_stay_its_own(concurrent):
    result = concurrent(
        """
    import logging
    async def test_a(request):
        print("a says one")
        logging.warning("a logs one")
        await meet()
        print("a says two")
        logging.warning("a logs two")
    @pytest.fixture
    def telling():
        print("b sets up")
        logging.warning("b logs at setup")
    async def test_b(telling):
        print("b says one")
        await meet()
        logging.warning("b logs one")
    """,
        "-rP",
    )
    result.assert_outcomes(passed=2)
    lines = [line for line in result.outlines if line.startswith(("a ", "b ", "WARNING", "_"))]
    assert [re.sub(r"_+ (\w+) _+|.*py:\d+ ", r"\1", line) for line in lines] == [
        *("test_a", "a says one", "a says two", "a logs one", "a logs two"),
        *("test_b", "b sets up", "b logs at setup", "b says one", "b logs one"),
    ]


def test_it_gets_no_output_of_what_goes_on_while_it_does(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture
    async def met(request):
        await meet()
        if request.node.name == "test_b":
            for _ in range(4):
                await asyncio.sleep(0)
            print("b goes on")
    async def test_a(met):
        for _ in range(20):
            await asyncio.sleep(0)
    async def test_b(met): pass
    """,
        "-rP",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*___ test_b ___*", "b goes on"])
    assert "b goes on" not in result.stdout.str().partition(" test_b ")[0]


def test_a_warning_comes_once_for_each_test_that_causes_it(concurrent):
    result = concurrent(
        """
    import warnings
    def warn(): warnings.warn("old")
    @pytest.mark.parametrize("number", range(2))
    async def test_it(number):
        warn()
        await meet()
        warn()
    """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=2, warnings=2)


def test_a_synchronous_test_may_wait_for_fixtures_between_them(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture
    async def slow():
        await alone()
        yield
        await alone()
    async def test_a(): await alone()
    def test_sync(slow): assert not running
    """
    ).assert_outcomes(passed=2)


def test_what_acts_on_the_process_and_nobody_could_foresee_keeps_it_alone(concurrent):
    concurrent(
        """
    async def test_a(request):
        request.getfixturevalue("monkeypatch").setattr(asyncio, "shared", 1, raising=False)
        await alone()
    async def test_b(): assert not hasattr(asyncio, "shared")
    """
    ).assert_outcomes(passed=2)


def test_what_it_raises_while_another_sets_a_wide_fixture_up_is_its_own(concurrent_in_both_ways):
    result = concurrent_in_both_ways(
        """
    @pytest_asyncio.fixture(scope="module")
    async def wide():
        for _ in range(40):
            await asyncio.sleep(0)
    async def test_a():
        for _ in range(20):
            await asyncio.sleep(0)
        raise SystemExit(3)
    async def test_b(wide): pass
    """,
        passed=1,
        failed=1,
    )
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_a - SystemExit: 3"])


@pytest.mark.parametrize("culprit", ["test_a", "test_b"])
def test_a_plugin_that_keeps_pytest_from_tearing_one_down_fails_that_one(concurrent, culprit):
    result = concurrent(
        f"""
    @pytest_asyncio.fixture
    async def own(request):
        yield
        if request.node.name == {culprit!r}: raise OSError("torn down")
    async def test_a(own): await meet()
    async def test_b(own): await meet()
    async def test_c(own): pass
    """,
        conftest=f"""
        def pytest_runtest_teardown(item):
            if item.name == {culprit!r}: raise LookupError("not known")
        """,
    )
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(
        [
            f"*ERROR at teardown of {culprit}*",
            "E*LookupError: not known",
            "E*OSError: torn down",
        ]
    )


def test_its_failure_ends_the_others_before_its_teardown(concurrent):
    result = concurrent(
        """
    down = []
    @pytest_asyncio.fixture(scope="module")
    async def wide():
        yield
        print("down:", *down)
    @pytest_asyncio.fixture
    async def own(wide, request):
        yield
        down.append(request.node.name)
    async def test_a(own):
        await meet()
        assert 0
    async def test_b(own):
        await meet()
        await asyncio.Event().wait()
    """,
        "-x",
        "-s",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*down: test_b test_a"])


@pytest.mark.parametrize("clearing", ["itself", "another"])
def test_the_environment_may_be_cleared_meanwhile(concurrent, clearing):
    concurrent(
        f"""
    import os
    from unittest.mock import patch
    async def clear():
        with patch.dict(os.environ, {{"SHOP": "open"}}, clear=True):
            await meet()
            await asyncio.sleep(0.01)
            assert os.environ["SHOP"] == "open"
            await meet()
    async def wait():
        await meet()
        await asyncio.sleep(0.02)
        await meet()
    async def test_a(): await {"clear" if clearing == "itself" else "wait"}()
    async def test_b(): await {"wait" if clearing == "itself" else "clear"}()
    async def test_c(): await asyncio.sleep(0)
    """
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
def test_a_phase_may_end_while_another_test_has_cleared_the_environment(concurrent, phase):
    steps = dict.fromkeys(["setup", "call", "teardown"], "pass")
    steps[phase] = "await cleared.wait()"
    concurrent(
        f"""
    import os
    from unittest.mock import patch
    def clear_environment(): return patch.dict(os.environ, clear=True)
    cleared, go = asyncio.Event(), asyncio.Event()
    @pytest_asyncio.fixture
    async def own():
        {steps["setup"]}
        yield
        {steps["teardown"]}
    async def test_a(own): {steps["call"]}
    async def test_b():
        with clear_environment():
            cleared.set()
            await go.wait()
    async def test_c(): go.set()
    """,
        "--asyncio-concurrency=2",
    ).assert_outcomes(passed=3)


def test_a_phase_that_hardly_waits_may_end_so_too(concurrent):
    concurrent(
        """
    import os
    from unittest.mock import patch
    def clear_environment(): return patch.dict(os.environ, clear=True)
    begun, clear, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    @pytest_asyncio.fixture
    async def own():
        yield
        clear.set()
        for _ in range(3): await asyncio.sleep(0)
    async def test_a(own): await begun.wait()
    async def test_b():
        begun.set()
        await clear.wait()
        with clear_environment(): await go.wait()
    async def test_c(): go.set()
    """,
        "--asyncio-concurrency=2",
    ).assert_outcomes(passed=3)


def test_a_wide_fixture_may_clear_the_environment_while_it_waits(concurrent):
    concurrent(
        """
    import os
    from unittest.mock import patch
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def wide():
        yield
        with patch.dict(os.environ, clear=True):
            for _ in range(20): await asyncio.sleep(0)
    async def test_it(wide): pass
    """
    ).assert_outcomes(passed=1)
