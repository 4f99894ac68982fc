"""Fixtures that are set up at the same time, by `pytest_asyncio.fixture(parallel=True)`."""

from __future__ import annotations

import textwrap

import pytest

MEETING = """
events = []
meeting = asyncio.Barrier(2)
async def meet():
    async with asyncio.timeout(30):
        await meeting.wait()
def parallel(**kwargs):
    kwargs = {"scope": "module", "loop_scope": "module", "parallel": True} | kwargs
    return pytest_asyncio.fixture(**kwargs)
pytestmark = pytest.mark.asyncio(loop_scope="module")
"""
"""Only fixtures that are set up at the same time get past `await meet()`."""


@pytest.fixture(params=["one by one", "concurrent"])
def parallel(request, suite):
    """Run a module whose fixtures may meet, with its tests one by one and beside others."""

    def run(source, *args, **kwargs):
        __tracebackhide__ = True
        source = MEETING + textwrap.dedent(source)
        concurrent = ["-oasyncio_concurrent=true"] * (request.param == "concurrent")
        return suite(source, *concurrent, *args, **kwargs)

    return run


@pytest.mark.parametrize("scope", ["function", "class", "module", "session"])
def test_their_setups_wait_together(parallel, scope):
    parallel(
        f"""
    @parallel(scope="{scope}", loop_scope="session")
    async def database(): await meet(); return 1
    @parallel(scope="{scope}", loop_scope="session")
    async def cache():
        await meet()
        yield 2
    @pytest.mark.asyncio(loop_scope="session")
    @pytest.mark.parametrize("_", "ab")
    async def test_it(database, cache, _): assert (database, cache) == (1, 2)
    """
    ).assert_outcomes(passed=2)


def test_they_are_torn_down_in_the_reverse_order_of_their_declaration(parallel):
    parallel(
        """
    @pytest.fixture(scope="module")
    def first():
        yield
        assert events == ["c", "between", "b", "a"]
    @parallel()
    async def a(first):
        await meet()
        yield
        events.append("a")
    @parallel()
    async def b(first):
        yield
        events.append("b")
    @pytest.fixture(scope="module")
    def between(a):
        yield
        events.append("between")
    @parallel()
    async def c(first, request):
        request.addfinalizer(lambda: events.append("c"))
        await meet()
        yield
    async def test_it(a, b, between, c): pass
    async def test_again(a, b, between, c): pass
    """
    ).assert_outcomes(passed=2)


def test_one_that_needs_another_waits_for_it(parallel):
    parallel(
        """
    @parallel()
    async def server():
        await asyncio.sleep(0.01)
        return "server"
    @parallel()
    async def left(server): await meet(); return server
    @parallel()
    async def right(server): await meet(); return server
    async def test_it(left, right): assert (left, right) == ("server", "server")
    """
    ).assert_outcomes(passed=1)


def test_one_that_awaits_another_late_gets_the_one_that_has_begun(parallel):
    parallel(
        """
    @parallel()
    async def a(request):
        await asyncio.sleep(0)
        return await pytest_asyncio.getfixturevalue(request, "b")
    @parallel()
    async def b():
        await asyncio.sleep(0.01)
        events.append("b")
        yield events
    async def test_it(a, b): assert a is b is events
    """
    ).assert_outcomes(passed=1)


def test_one_of_them_may_be_awaited_by_the_other_while_that_waits_for_it(parallel):
    parallel(
        """
    @parallel()
    async def a():
        await asyncio.sleep(0.01)
        return "a"
    @parallel()
    async def b(request):
        return await pytest_asyncio.getfixturevalue(request, "a")
    async def test_it(a, b): assert b == "a"
    """
    ).assert_outcomes(passed=1)


def test_those_on_other_loops_are_set_up_one_by_one(parallel):
    parallel(
        """
    @parallel(loop_scope="session")
    async def a(): events.append("a begins"); await asyncio.sleep(0); events.append("a ends")
    @parallel()
    async def b(): events.append("b begins")
    async def test_it(a, b): assert events == ["a begins", "a ends", "b begins"]
    """
    ).assert_outcomes(passed=1)


def test_others_do_not_overlap_with_them(parallel):
    parallel(
        """
    @parallel()
    async def a(): events.append("a begins"); await asyncio.sleep(0); events.append("a ends")
    @pytest_asyncio.fixture(scope="module")
    async def b(): events.append("b begins")
    async def test_it(a, b): assert events == ["a begins", "a ends", "b begins"]
    """
    ).assert_outcomes(passed=1)


def test_where_one_fails_the_other_is_torn_down_with_the_test(parallel):
    result = parallel(
        """
    @parallel()
    async def a():
        await meet()
        await asyncio.sleep(0)
        raise OSError("no room")
    @parallel()
    async def b(request):
        request.addfinalizer(lambda: events.append("b's finalizer"))
        await meet()
        yield
        events.append("b")
    async def test_it(a, b): pass
    async def test_after(): assert events == ["b", "b's finalizer"]
    """
    )
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_it*", "E *OSError: no room"])


def test_where_one_fails_the_setup_of_the_other_is_cancelled(parallel):
    result = parallel(
        """
    @parallel()
    async def a():
        await meet()
        raise OSError("no room")
    @parallel()
    async def b():
        await meet()
        try:
            await asyncio.Event().wait()
        finally:
            events.append("cancelled")
    async def test_it(a, b): pass
    async def test_after(): assert events == ["cancelled"]
    """
    )
    result.assert_outcomes(errors=1, passed=1)


def test_where_both_fail_both_are_shown(parallel):
    result = parallel(
        """
    @parallel()
    async def a():
        await meet()
        raise OSError("no room")
    @parallel()
    async def b():
        await meet()
        raise OSError("no food")
    async def test_it(a, b): pass
    """
    )
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        ["*at setup of test_it*", "E *no room", "*at teardown of test_it*", "E *no food"]
    )


def test_a_failure_is_shown_where_it_would_be_one_by_one(parallel):
    result = parallel(
        """
    @parallel()
    async def a(): await meet(); await asyncio.sleep(0.01)
    @parallel()
    async def b():
        await meet()
        raise OSError("no room")
    async def test_it(a, b): pass
    """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*at setup of test_it*", "*async def b():", "E *no room"])


def test_one_that_hangs_is_ended_by_its_timeout(parallel):
    result = parallel(
        """
    @parallel()
    async def a(): await meet()
    @parallel(timeout=0.1)
    async def b():
        await meet()
        await asyncio.Event().wait()
    async def test_it(a, b): pass
    async def test_of_a(a): pass
    """
    )
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        ["*TimeoutError: *setup of fixture 'b' took longer than the 0.1 s*"]
    )


@pytest.mark.usefixtures("_impatient")
def test_where_one_does_not_end_the_other_is_left_with_the_loop(suite):
    result = suite(
        MEETING
        + textwrap.dedent(
            """
    @parallel(timeout=0.1)
    async def a():
        await meet()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
    @parallel()
    async def b(): await meet(); await asyncio.Event().wait()
    async def test_it(a, b): pass
    async def test_after(): pass
    """
        ),
        "-Wignore",
    )
    result.assert_outcomes(errors=1, passed=1)


def test_each_has_the_context_variables_of_those_before_it_once_it_is_there(parallel):
    parallel(
        """
    import contextvars
    one, other = (contextvars.ContextVar(name, default=0) for name in ("one", "other"))
    @pytest.fixture(scope="module")
    def zero(): one.set("before"); other.set("before")
    @parallel()
    async def a(zero): one.set("a"); await meet()
    @parallel()
    async def b(zero):
        other.set("b")
        await meet()
        yield
        assert one.get() == "a"
    async def test_it(a, b): assert (one.get(), other.get()) == ("a", "b")
    """
    ).assert_outcomes(passed=1)


def test_parameters_are_kept_apart(parallel):
    parallel(
        """
    @parallel(params=[1, 2])
    async def a(request): return request.param
    @parallel(params=[3])
    async def b(request): await asyncio.sleep(0); return request.param
    @parallel()
    async def c(a): await meet(); return a
    @parallel()
    async def d(a, b): await meet(); return a + b
    @pytest.mark.parametrize("_", [0])
    async def test_it(a, b, c, d, _): assert (c, d) == (a, a + 3)
    """
    ).assert_outcomes(passed=2)


def test_methods_have_the_instance_of_the_test(parallel):
    parallel(
        """
    class TestIt:
        @parallel(scope="function")
        async def a(self): self.a = 1; await meet()
        @parallel(scope="function")
        async def b(self): self.b = 2; await meet()
        async def test_it(self, a, b): assert (self.a, self.b) == (1, 2)
    """
    ).assert_outcomes(passed=1)


def test_one_with_a_wrong_loop_scope_fails_by_itself(parallel):
    result = parallel(
        """
    @parallel()
    async def a(): pass
    @parallel(loop_scope="function")
    async def b(): pass
    async def test_of_a(a): pass
    async def test_of_b(a, b): pass
    """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["Fixture 'b' has scope='module' and loop_scope='function'*"])


def test_one_that_overrides_another_is_set_up_after_it(parallel):
    parallel(
        """
    @parallel()
    async def a(b): return b + 1
    @parallel()
    async def b(b): return b + 1
    async def test_it(b, a): assert (a, b) == (3, 2)
    """,
        conftest="""
    @pytest_asyncio.fixture(scope="module", parallel=True)
    async def b(): return 1
    """,
        ini="asyncio_default_fixture_loop_scope = module",
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_parallel_is_true_or_false(suite, value):
    result = suite(
        f"""
    @pytest_asyncio.fixture(parallel={value!r})
    async def a(): pass
    """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*Fixture 'a': parallel must be True or False, not {value!r}*"])


def test_checks_find_nothing_in_them(suite):
    suite(
        MEETING
        + textwrap.dedent(
            """
    @parallel()
    async def a():
        await meet()
        yield
    @parallel()
    async def b():
        await meet()
        await asyncio.sleep(0.01)
        yield
    async def test_it(a, b): pass
    """
        ),
        "--asyncio-checks=all",
    ).assert_outcomes(passed=1)


def test_one_that_needs_what_has_failed_does_not_begin_early(suite):
    suite(
        """
    begun = []
    @pytest.fixture
    def broken():
        raise OSError
    @pytest.fixture
    def first(request):
        with pytest.raises(OSError):
            request.getfixturevalue("broken")
    @pytest_asyncio.fixture(parallel=True)
    async def a(first): await asyncio.sleep(0)
    @pytest_asyncio.fixture(parallel=True)
    async def b(broken): begun.append("b")
    @pytest.mark.asyncio
    async def test_it(first, a, b): pass
    def test_after(): assert not begun
    """
    ).assert_outcomes(errors=1, passed=1)


def test_a_plugins_hook_may_replace_the_parameter_of_one_that_is_then_set_up_in_its_turn(parallel):
    """As that of pytest-lazy-fixtures does."""
    parallel(
        """
    @pytest_asyncio.fixture
    async def one():
        yield await asyncio.sleep(0, 1)
    @parallel(scope="function")
    async def first(): await meet()
    @parallel(scope="function", params=["one"])
    async def second(request): yield request.param
    @parallel(scope="function")
    async def third(): await meet()
    async def test_it(first, second, third): assert second == 1
    """,
        conftest="""
        @pytest.hookimpl(tryfirst=True)
        def pytest_fixture_setup(fixturedef, request):
            if getattr(request, "param", None) == "one":
                request.param = request.getfixturevalue("one")
        """,
    ).assert_outcomes(passed=1)
