"""The fixtures of tests that run at the same time."""

from __future__ import annotations

import pytest


def test_they_wait_at_the_same_time_too(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    @pytest_asyncio.fixture
    async def slow():
        await meet()
        yield
        await meet()
    async def test_a(slow): pass
    async def test_b(slow): pass
    """,
        passed=2,
    )


def test_each_test_has_its_own(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture
    async def outer(request): return [request.node.name]
    @pytest.fixture
    def middle(outer): return outer
    @pytest_asyncio.fixture
    async def inner(middle):
        await meet()
        yield middle
    async def test_a(inner, outer, request):
        await meet()
        assert inner is outer
        assert outer == [request.node.name]
    async def test_b(inner, outer, request):
        await meet()
        assert outer == [request.node.name]
    """
    ).assert_outcomes(passed=2)


def test_so_it_has_of_what_it_requests_late(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture
    async def late(request): return request.node.name

    @pytest.mark.parametrize("_", "abc")
    async def test_it(request, _):
        value = await pytest_asyncio.getfixturevalue(request, "late")
        await asyncio.sleep(0.01)
        assert value == request.node.name
    """
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize("before", ["pass", "await waiting()"])
def test_a_wide_one_that_one_test_awaits_late_is_that_of_the_others(
    concurrent_in_both_ways, before
):
    concurrent_in_both_ways(
        f"""
    setups = []
    async def waiting():
        for _ in range(20): await asyncio.sleep(0)
    @pytest_asyncio.fixture(scope="module")
    async def wide():
        setups.append(1)
        await waiting()
        yield len(setups)
    @pytest_asyncio.fixture(scope="module")
    async def on_top(wide): return wide
    async def test_a(request):
        {before}
        assert await pytest_asyncio.getfixturevalue(request, "on_top") == 1
    async def test_b(wide): assert wide == 1
    async def test_c(on_top): assert on_top == 1
    """,
        passed=3,
    )


def test_one_that_others_await_cannot_be_requested_by_a_synchronous_one_meanwhile(concurrent):
    result = concurrent(
        """
    asked, requested = asyncio.Event(), asyncio.Event()
    @pytest_asyncio.fixture(scope="module")
    async def wide():
        asked.set()
        await requested.wait()
        return 1
    @pytest_asyncio.fixture
    async def before(): await asked.wait()
    @pytest.fixture
    def own(before, request):
        requested.set()
        return request.getfixturevalue("wide")
    async def test_a(request):
        assert await pytest_asyncio.getfixturevalue(request, "wide") == 1
    async def test_b(own): pass
    """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        "The async fixture 'wide' was requested synchronously while another test awaited its "
        "setup. Request it as an argument."
    )


def test_one_that_asks_for_a_loop_of_its_own_gets_it(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture(loop_scope="function")
    async def own(): return asyncio.get_running_loop()
    async def test_a(own): assert asyncio.get_running_loop() is not own
    async def test_b(own): assert asyncio.get_running_loop() is not own
    """
    ).assert_outcomes(passed=2)


def test_one_on_another_loop_may_request_others_there(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture(loop_scope="session")
    async def inner(): return asyncio.get_running_loop()
    @pytest_asyncio.fixture(loop_scope="session")
    async def outer(request):
        return await pytest_asyncio.getfixturevalue(request, "inner")
    async def test_a(outer): await meet()
    async def test_b(outer): await meet()
    """
    ).assert_outcomes(passed=2)


def test_one_may_skip_its_test(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture
    async def skipping():
        await meet()
        pytest.skip("no")
    async def test_a(skipping): pass
    async def test_b(skipping): pass
    """
    ).assert_outcomes(skipped=2)


@pytest.mark.parametrize("capture", ["fd", "no"])
def test_a_test_is_not_called_without_them(concurrent, capture):
    concurrent(
        """
    called = []

    @pytest_asyncio.fixture
    async def failing():
        await alone()
        raise LookupError

    async def test_a(): await alone()

    @pytest.mark.skip
    async def test_b(): called.append("b")

    @pytest.mark.usefixtures("failing")
    async def test_c(): called.append("c")

    def test_d(): assert not called
    """,
        f"--capture={capture}",
    ).assert_outcomes(passed=2, skipped=1, errors=1)


def test_a_test_is_not_called_after_a_setup_that_a_hook_lets_fail(concurrent):
    concurrent(
        """
    called = []
    async def test_a(): await alone()
    async def test_b(): called.append("b")
    def test_c(): assert not called
    """,
        conftest="""
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if (item.name, call.when) == ("test_b", "setup"):
                report.outcome = "failed"
            return report
        """,
    ).assert_outcomes(passed=2, errors=1)


def test_one_that_is_not_there_is_reported(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    async def test_a(request):
        await asyncio.sleep(0)
        with pytest.raises(pytest.FixtureLookupError, match="unknown"):
            request.getfixturevalue("unknown")
    """,
        passed=1,
    )


def test_a_test_that_is_run_twice_has_them_twice(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture
    async def one():
        await asyncio.sleep(0)
        yield
    async def test_a(one):
        await asyncio.sleep(0.01)
        print("called")
    async def test_b(one):
        await asyncio.sleep(0)
        print("called")
    """,
        "-s",
        conftest="""
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(session):
        done = yield
        for item, nextitem in zip(session.items, [*session.items[1:], None]):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        return done
    """,
    )
    result.assert_outcomes(passed=4)
    assert result.stdout.str().count("called") == 4


def test_those_of_a_test_are_torn_down_although_one_before_it_ends_meanwhile(concurrent):
    concurrent(
        """
    torn_down = []
    begun, go = asyncio.Event(), asyncio.Event()

    @pytest_asyncio.fixture
    async def own(request):
        yield
        torn_down.append(request.node.name)

    async def test_a(own): await meet()

    async def test_b(own):
        await meet()
        await begun.wait()

    async def test_c(own):
        begun.set()
        await go.wait()

    async def test_d(own): go.set()

    def test_sync(): assert sorted(torn_down) == ["test_a", "test_b", "test_c", "test_d"]
    """,
        "--asyncio-concurrency=2",
    ).assert_outcomes(passed=5)


def test_their_values_are_let_go(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    import gc, weakref

    class Value: pass
    values = weakref.WeakSet()

    @pytest_asyncio.fixture
    async def value():
        values.add(value := Value())
        return value

    async def test_a(value): await meet()
    async def test_b(value): await meet()

    def test_sync():
        for _ in range(5):  # PyPy finds what is left in layers.
            gc.collect()
        assert not values
    """,
        passed=3,
    )


def test_a_test_that_is_skipped_leaves_those_of_the_others_alone(concurrent):
    concurrent(
        """
    torn_down = []

    @pytest.fixture
    def own():
        yield
        torn_down.append("own")

    async def test_a(own): await alone()
    @pytest.mark.skip
    async def test_b(): pass
    def test_sync(): assert torn_down
    """
    ).assert_outcomes(passed=2, skipped=1)


def test_a_test_that_another_one_precedes_after_all_is_begun_anew(concurrent):
    concurrent(
        """
    begun = []

    @pytest.fixture
    def noted(): begun.append("test_b")

    async def test_a(): await meet()

    async def test_b(noted):
        if len(begun) == 1:
            await meet()
            await asyncio.Event().wait()

    async def test_c(): assert begun == ["test_b"]
    """,
        "--asyncio-concurrency=2",
        conftest="""
    def pytest_runtestloop(session):
        a, b, c = session.items
        for item, nextitem in [(a, b), (c, b), (b, None)]:
            item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        return True
    """,
    ).assert_outcomes(passed=3)


def test_wider_ones_are_shared_and_outlive_the_tests(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture(scope="module")
    async def server():
        print("set up")
        yield []
        print("torn down")
    async def test_a(server):
        server.append("a")
        await meet()
        print(*sorted(server))
    async def test_b(server):
        server.append("b")
        await meet()
    """,
        "-s",
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
    )
    result.assert_outcomes(passed=2)
    shown = [line for line in result.stdout.lines if "set up" in line or "torn" in line]
    assert len(shown) == 2
    result.stdout.fnmatch_lines(["*set up", "a b", "*torn down"])


@pytest.mark.parametrize("scope", ["function", "class"])
def test_context_variables_are_those_of_each_test(concurrent_in_both_ways, scope):
    concurrent_in_both_ways(
        f"""
    from contextvars import ContextVar
    variable = ContextVar("variable", default="none")
    @pytest_asyncio.fixture
    async def met(): await meet()
    @pytest_asyncio.fixture(scope={scope!r}, loop_scope="module")
    async def named(request):
        variable.set(request.node.name)
    async def test_a(named, met):
        await meet()
        assert variable.get() == "test_a"
    async def test_b():
        assert variable.get() == "none"
        await meet()
        await meet()
    def test_sync(): assert variable.get() == "none"
    """,
        passed=3,
    )


def test_context_variables_of_synchronous_ones_are_those_of_each_test_too(concurrent):
    concurrent(
        """
    from contextvars import ContextVar
    variable = ContextVar("variable", default="none")
    @pytest.fixture
    def named(request):
        token = variable.set(request.node.name)
        yield
        variable.reset(token)
    async def test_a(named):
        await meet()
        assert variable.get() == "test_a"
    async def test_b(named):
        assert variable.get() == "test_b"
        await meet()
    def test_sync(): assert variable.get() == "none"
    """
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize("kind", ["async ", ""])
def test_a_wider_one_that_is_overridden_is_shared_too(concurrent, kind):
    concurrent(
        f"""
    setups = []

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    {kind}def server():
        setups.append("server")
        yield
        assert setups == ["server"]

    class TestIt:
        @pytest_asyncio.fixture
        async def server(self, server): await meet()

        async def test_a(self, server): assert setups == ["server"]
        async def test_b(self, server): assert setups == ["server"]
    """
    ).assert_outcomes(passed=2)


def test_context_variables_of_wider_ones_are_those_of_all_tests(concurrent):
    concurrent(
        """
    from contextvars import ContextVar
    variable = ContextVar("variable", default="none")

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def wide(): variable.set("wide")

    async def test_a(wide): await meet()
    async def test_b(wide):
        await meet()
        assert variable.get() == "wide"
    """
    ).assert_outcomes(passed=2)


def test_the_teardown_of_its_own_sees_the_context_variables_that_a_test_has_set(concurrent):
    concurrent(
        """
    from contextvars import ContextVar
    variable = ContextVar("variable", default="none")
    @pytest.fixture
    def own(request):
        yield
        assert variable.get() == request.node.name
    async def test_a(own):
        variable.set("test_a")
        await meet()
    async def test_b(own):
        variable.set("test_b")
        await meet()
    def test_sync(): assert variable.get() == "none"
    """
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize(("one", "other"), ["ab", "ba"])
def test_their_failures_are_those_of_their_tests(concurrent, one, other):
    result = concurrent(
        """
    @pytest_asyncio.fixture
    async def failing(request):
        await meet()
        if request.node.name == failing_setup:
            raise OSError("setup of one")
        yield
        raise OSError("teardown of the other")
    async def test_a(failing): pass
    async def test_b(failing): pass
    async def test_c(): pass
    """.replace("failing_setup", f"'test_{one}'")
    )
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(
        [
            f"*ERROR at setup of test_{one}*",
            "E * OSError: setup of one",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            f"*ERROR at teardown of test_{other}*",
            "E * OSError: teardown of the other",
        ]
    )


def test_a_wide_one_that_only_one_asks_for_is_seen_by_all(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    from contextvars import ContextVar
    variable = ContextVar("variable", default="none")
    @pytest.fixture(scope="module")
    def wide(): variable.set("wide")
    @pytest_asyncio.fixture
    async def asks(request): return await pytest_asyncio.getfixturevalue(request, "wide")
    async def test_a(asks): await meet()
    async def test_b(): await meet()
    async def test_c(): assert variable.get() == "wide"
    """,
        "--asyncio-concurrency=2",
        passed=3,
    )


def test_a_wide_one_that_several_ask_for_is_set_up_once(concurrent):
    concurrent(
        """
    setups = []
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def wide():
        setups.append("wide")
        await asyncio.sleep(0.01)
        yield
        assert setups == ["wide"]
    @pytest.mark.parametrize("_", "abc")
    async def test_it(request, _):
        await asyncio.sleep(0.01)
        await pytest_asyncio.getfixturevalue(request, "wide")
        assert setups == ["wide"]
    """
    ).assert_outcomes(passed=3)


def test_setup_and_teardown_of_the_class_surround_its_tests(concurrent):
    concurrent(
        """
    class TestIt:
        async def setup_method(self): self.ready = True
        async def test_a(self):
            await meet()
            assert self.ready
        async def test_b(self):
            await meet()
            assert self.ready
    """
    ).assert_outcomes(passed=2)


def test_a_fixture_may_override_another_one(concurrent):
    concurrent(
        """
    @pytest_asyncio.fixture
    async def it():
        return "base"

    class TestIt:
        @pytest_asyncio.fixture
        async def it(self, it):
            return it, "mine"

        async def test_before(self): await alone()
        async def test_it(self, it):
            assert it == ("base", "mine")
    """
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize("request_by", ["argument", "function"])
def test_who_is_ended_while_it_waits_for_a_setup_ends_nothing_of_the_others(concurrent, request_by):
    other = {
        "argument": "async def test_b(dying, slow): pass",
        "function": "async def test_b(dying, request): "
        "await pytest_asyncio.getfixturevalue(request, 'slow')",
    }
    result = concurrent(
        f"""
    waited_for = asyncio.Event()

    @pytest_asyncio.fixture(scope="module")
    async def dying():
        async with asyncio.TaskGroup() as group:
            async def die():
                await asyncio.sleep(0.05)
                waited_for.set()
                raise OSError("dead")
            group.create_task(die())
            yield

    @pytest_asyncio.fixture(scope="module")
    async def slow():
        await waited_for.wait()
        await asyncio.sleep(0.05)
        yield "slow"

    async def test_a(request):
        assert await pytest_asyncio.getfixturevalue(request, "slow") == "slow"
    {other[request_by]}
    async def test_c(slow): assert slow == "slow"
    """
    )
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 2
    assert outcomes.get("failed", 0) + outcomes["errors"] == 2
    result.stdout.fnmatch_lines(["*Cancelled: The async fixture 'dying' ended *"])


def test_each_test_keeps_what_it_has_set_on_the_loop_until_it_ends(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    over = asyncio.Event()
    async def test_sets():
        seen = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: seen.append(context))
        loop.set_debug(True)
        await over.wait()
        await asyncio.sleep(0.01)  # the other one is torn down
        loop.call_exception_handler({"message": "hello"})
        assert seen
        assert loop.get_debug()
        loop.set_debug(False)
    async def test_ends_meanwhile(): over.set()
    """,
        passed=2,
    )


def test_one_may_be_requested_while_a_wide_one_of_others_is_torn_down(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    down, asked = asyncio.Event(), asyncio.Event()
    @pytest_asyncio.fixture(scope="class", loop_scope="module")
    async def wide():
        yield
        down.set()
        await asked.wait()
    class TestOne:
        async def test_a(self, wide): await meet()
    @pytest_asyncio.fixture
    async def own(): return 1
    async def test_b(request):
        await meet()
        await down.wait()
        assert await pytest_asyncio.getfixturevalue(request, "own") == 1
        asked.set()
    """,
        passed=2,
    )


def test_a_test_that_does_not_use_a_dead_one_begins_although_others_do(concurrent):
    result = concurrent(
        """
    @pytest_asyncio.fixture(scope="module")
    async def dying():
        async with asyncio.TaskGroup() as group:
            yield group
    async def die(): raise OSError
    async def test_a(dying):
        await meet()
        dying.create_task(die())
        await asyncio.Event().wait()
    async def test_b(dying):
        await meet()
        with pytest.raises(asyncio.CancelledError): await asyncio.Event().wait()
        await meet()
    async def test_c(): await meet()
    """,
        ini="asyncio_concurrency = 2\nasyncio_default_fixture_loop_scope = fixture-scope",
    )
    result.assert_outcomes(passed=1, failed=2, errors=1)
    result.stdout.no_fnmatch_line("*pytest_asyncio*")


def test_one_that_is_set_up_for_another_parameter_is_set_up_anew_for_the_first_that_needs_it(
    concurrent,
):
    concurrent(
        """
    set_up_for = []
    @pytest.fixture(scope="module")
    def shared(request): set_up_for.append(request._pyfuncitem.originalname)
    @pytest.mark.parametrize("shared", [1], indirect=True)
    async def test_1(shared): pass
    async def test_waits():
        for _ in range(20): await asyncio.sleep(0)
    @pytest.mark.parametrize("shared", [2], indirect=True)
    async def test_alone(shared, monkeypatch): pass
    @pytest.mark.parametrize("shared", [2], indirect=True)
    async def test_beside(shared): assert set_up_for == ["test_1", "test_alone"]
    """
    ).assert_outcomes(passed=4)


LAZY = """
    class Lazy:
        def __init__(self, name): self.name = name

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(fixturedef, request):
        if type(param := getattr(request, "param", None)).__name__ == "Lazy":
            request.param = request.getfixturevalue(param.name)
"""
"""A plugin whose hook requests what a parameter names, as that of pytest-lazy-fixtures does."""


def test_a_plugins_hook_may_request_a_fixture_while_another_one_is_set_up(concurrent):
    concurrent(
        """
    from conftest import Lazy
    both = pytest.mark.parametrize("number", [Lazy("one"), Lazy("two")])
    @pytest_asyncio.fixture
    async def one():
        await asyncio.sleep(0)
        yield 1
    @pytest_asyncio.fixture
    async def two(): return await asyncio.sleep(0, 2)
    @pytest_asyncio.fixture(params=[Lazy("one"), Lazy("two")])
    async def of_async(request):
        await asyncio.sleep(0)
        yield request.param
    @pytest.fixture(params=[Lazy("one"), Lazy("two")])
    def of_sync(request): return request.param
    @both
    async def test_a(number):
        await meet()
        assert number in (1, 2)
    async def test_b(of_async):
        await meet()
        assert of_async in (1, 2)
    async def test_c(of_sync):
        await meet()
        assert of_sync in (1, 2)
    """,
        conftest=LAZY,
    ).assert_outcomes(passed=6)


@pytest.mark.parametrize("parameter", ["float('nan')", "Lazy('one')"])
def test_a_wide_fixture_stays_while_it_is_used_whatever_its_parameter_is_equal_to(
    concurrent, parameter
):
    concurrent(
        f"""
    from conftest import Lazy
    in_use = []
    @pytest_asyncio.fixture(scope="module")
    async def one(): return await asyncio.sleep(0, 1)
    @pytest_asyncio.fixture(scope="module", params=[{parameter}])
    async def wide(request):
        await asyncio.sleep(0)
        yield
        assert not in_use
    @pytest.mark.parametrize("number", [1, 2])
    async def test_it(wide, number):
        in_use.append(number)
        await meet()
        in_use.remove(number)
    """,
        conftest=LAZY,
    ).assert_outcomes(passed=2)


def test_a_parameter_that_is_not_equal_to_itself_sets_a_fixture_up_once(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    @pytest_asyncio.fixture(params=[float("nan")])
    async def number(request):
        setups.append(await asyncio.sleep(0, 1))
        yield request.param
        setups.pop()
    setups = []
    async def test_it(number):
        await asyncio.sleep(0)
        assert setups == [1]
    """,
        passed=1,
    )
