"""Async fixtures that yield: one task from setup to teardown, torn down once."""

from __future__ import annotations

import sys
import textwrap

import pytest

SCOPES = ("function", "class", "module", "package", "session")


# What may be held open over the `yield`.
HELD = {
    "task group": """
        async with asyncio.TaskGroup() as group:
            sleeper = group.create_task(asyncio.sleep(3600))
            yield
            sleeper.cancel()
    """,
    "timeout": """
        async with asyncio.timeout(3600) as timeout:
            yield
        assert not timeout.expired()
    """,
    "anyio task group": """
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 3600)
            yield
            group.cancel_scope.cancel()
    """,
    "anyio cancel scope": """
        with anyio.CancelScope() as scope:
            yield
            scope.cancel()
            await anyio.sleep_forever()
        assert scope.cancelled_caught
    """,
    "anyio portal": """
        async with anyio.from_thread.BlockingPortal() as portal:
            yield
            await portal.stop()
    """,
    "exit stack": """
        async with contextlib.AsyncExitStack() as stack:
            group = await stack.enter_async_context(asyncio.TaskGroup())
            sleeper = group.create_task(asyncio.sleep(3600))
            stack.callback(sleeper.cancel)
            stack.enter_context(anyio.CancelScope())
            yield
    """,
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("held", HELD)
def test_scopes_may_be_held_open_over_the_yield(suite, held, scope):
    body = textwrap.indent(textwrap.dedent(HELD[held]), "    ")
    header = f"""
import anyio, anyio.from_thread, contextlib

@pytest_asyncio.fixture(scope="{scope}")
async def resource():
"""
    tests = """
@pytest.mark.asyncio
async def test_async(resource):
    await asyncio.sleep(0)

def test_sync(resource):
    pass
"""
    suite(header + body + tests).assert_outcomes(passed=2)


def test_an_async_context_manager_is_a_fixture(suite):
    result = suite(
        """
        import contextlib

        @pytest_asyncio.fixture
        @contextlib.asynccontextmanager
        async def resource():
            yield "value"
            print("left")

        @pytest.mark.asyncio
        async def test_it(resource):
            assert resource == "value"
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*left*"])


@pytest.mark.parametrize(
    ("body", "outcomes", "message"),
    [
        ("if False: yield", {"errors": 1}, "The async fixture 'odd' did not yield a value."),
        ("yield; yield", {"passed": 1, "errors": 1}, "The async fixture 'odd' has more than one*"),
    ],
)
def test_a_fixture_that_does_not_yield_once_is_reported_by_name(suite, body, outcomes, message):
    result = suite(f"""
        @pytest_asyncio.fixture
        async def odd():
            {body}

        @pytest.mark.asyncio
        async def test_it(odd):
            pass
    """)
    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines([message])


def test_a_fixture_that_yields_twice_is_closed_at_once(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        closed = []

        @pytest_asyncio.fixture(loop_scope="module")
        async def odd():
            try:
                yield
                yield
            finally:
                closed.append("odd")

        async def test_it(odd):
            pass

        async def test_next():
            assert closed == ["odd"]
    """)
    result.assert_outcomes(passed=2, errors=1)


def test_a_fixture_that_was_closed_early_is_reported_by_name(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def odd():
            yield

        @pytest.mark.asyncio
        async def test_it(odd):
            await asyncio.get_running_loop().shutdown_asyncgens()
    """)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*The async fixture 'odd' was closed before its teardown*"])


def test_a_fixture_whose_loop_a_test_has_closed_is_set_up_anew_for_the_next_one(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        @pytest_asyncio.fixture(scope="module")
        async def loop():
            yield asyncio.get_running_loop()

        @pytest_asyncio.fixture(scope="module")
        async def dependent(loop):
            yield

        @pytest_asyncio.fixture(scope="session")
        async def other():
            yield []

        def test_closes_it(asyncio_runner, loop, dependent, other):
            other.append(True)
            loop.close()

        async def test_next(loop, dependent, other):
            assert loop is asyncio.get_running_loop()
            assert other  # That one is on a loop that is open.

        class TestLast:
            async def test_last(self): pass
        """,
        "-Wdefault",
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
    )
    result.assert_outcomes(passed=3, warnings=3)
    result.stdout.fnmatch_lines(
        [
            "*RuntimeWarning: test_it.py::test_closes_it has closed the event loop of test_it.py.",
            "*fixture 'loop' cannot be torn down: its event loop is closed.",
        ]
    )


def test_a_fixture_whose_loop_was_closed_is_reported_by_name(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def resource():
            yield

        def test_it(resource):
            asyncio.get_event_loop().close()
        """,
        "-Wdefault",
    )
    result.stdout.fnmatch_lines(
        ["The async fixture 'resource' cannot be torn down: its event loop is closed."]
    )


@pytest.mark.parametrize("scope", SCOPES)
def test_the_tasks_of_fixtures_are_no_tasks_of_the_test(suite, scope):
    result = suite(f"""
        @pytest_asyncio.fixture(scope="{scope}")
        async def resource():
            yield

        @pytest.mark.asyncio(loop_scope="{scope}")
        async def test_it(resource):
            assert asyncio.all_tasks() == {{asyncio.current_task()}}
    """)
    result.assert_outcomes(passed=1)


def test_the_finalizers_of_a_fixture_may_be_looked_at(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="session")
        async def resource():
            yield 1

        @pytest.mark.asyncio
        async def test_it(resource):
            assert resource == 1
        """,
        conftest="""
            import inspect

            @pytest.hookimpl(wrapper=True)
            def pytest_fixture_setup(fixturedef):  # as allure-pytest does
                try:
                    return (yield)
                finally:
                    list(map(inspect.getfullargspec, fixturedef._finalizers))
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="it counts no references")
def test_a_fixture_that_is_over_is_not_left_to_the_garbage_collector(suite):
    suite(
        """
        import gc, weakref

        @pytest.fixture(scope="module", autouse=True)
        def no_garbage_collector():
            gc.disable()
            yield
            gc.enable()

        class Resource:
            pass

        made = []

        @pytest_asyncio.fixture
        async def resource():
            yield (resource := Resource())
            made.append(weakref.ref(resource))

        @pytest.mark.asyncio
        async def test_it(resource):
            pass

        def test_next():
            assert made[0]() is None
        """
    ).assert_outcomes(passed=2)


def test_a_fixture_may_be_used_with_an_eager_task_factory(suite):
    if not hasattr(__import__("asyncio"), "eager_task_factory"):
        pytest.skip("new in Python 3.12")
    result = suite("""
        import contextvars

        @pytest_asyncio.fixture
        async def eager():
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

        @pytest_asyncio.fixture
        async def at_once(eager):
            yield 1

        @pytest_asyncio.fixture
        async def later(eager):
            await asyncio.sleep(0)
            yield 2

        @pytest.mark.asyncio
        async def test_it(at_once, later):
            assert (at_once, later) == (1, 2)

        @pytest.mark.asyncio
        async def test_dynamic(eager, request):
            assert await pytest_asyncio.getfixturevalue(request, "at_once") == 1
            assert await pytest_asyncio.getfixturevalue(request, "later") == 2
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("error", ["SystemExit", "GeneratorExit", "asyncio.CancelledError"])
def test_a_teardown_that_raises_no_exception_does_not_hide_the_other_fixtures(suite, error):
    result = suite(
        f"""
        @pytest_asyncio.fixture
        async def first():
            yield
            print("first is torn down")

        @pytest_asyncio.fixture
        async def odd(first):
            yield
            raise {error}

        @pytest.mark.asyncio
        async def test_it(odd):
            pass
        """,
        "-s",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*first is torn down*", f"*The teardown of fixture 'odd' raised *{error[-9:]}*"]
    )


@pytest.mark.parametrize("error", ["SystemExit", "GeneratorExit", "asyncio.CancelledError"])
def test_a_wide_fixture_whose_setup_raises_no_exception_fails_alike_for_all(suite, error):
    result = suite(f"""
        @pytest_asyncio.fixture(scope="module")
        async def odd():
            raise {error}

        @pytest.mark.asyncio
        async def test_one(odd):
            pass

        @pytest.mark.asyncio
        async def test_two(odd):
            pass
    """)
    result.assert_outcomes(errors=2)
    assert result.stdout.str().count(f"E   {error.removeprefix('asyncio.')}") == 0
    assert result.stdout.str().count("RuntimeError: The setup of fixture 'odd' raised") >= 2


def test_a_setup_that_a_callback_breaks_off_is_reported_with_what_that_raised(suite):
    result = suite("""
        import sys

        @pytest_asyncio.fixture
        async def odd():
            asyncio.get_running_loop().call_soon(sys.exit, 3)
            await asyncio.Event().wait()

        @pytest.mark.asyncio
        async def test_it(odd):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E*RuntimeError: The setup of fixture 'odd' raised SystemExit(3)*"]
    )


def test_a_setup_that_goes_on_when_it_is_broken_off_is_torn_down_at_once(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def odd():
            asyncio.get_running_loop().call_soon(pytest.fail, "no")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
            yield
            print("torn down")

        @pytest.mark.asyncio
        async def test_it(odd):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Captured stdout setup*", "torn down"])
    result.stdout.no_fnmatch_line("*Exception in callback*")


def test_a_sync_fixture_of_ours_finds_its_loop_after_it_has_requested_others(suite):
    result = suite("""
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide():
            return asyncio.get_running_loop()

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def widest():
            return asyncio.get_running_loop()

        @pytest.fixture
        def plain():
            return asyncio.get_event_loop()

        @pytest_asyncio.fixture(loop_scope="class")
        def inner(request):
            found = asyncio.get_event_loop()
            assert found not in {request.getfixturevalue("wide"), request.getfixturevalue("widest")}
            assert asyncio.get_event_loop() is found

        @pytest_asyncio.fixture(loop_scope="module")
        def client(request):
            found = asyncio.get_event_loop()
            request.getfixturevalue("widest")
            assert asyncio.get_event_loop() is found
            request.getfixturevalue("inner")
            assert asyncio.get_event_loop() is found is request.getfixturevalue("plain")
            yield
            assert asyncio.get_event_loop() is found is request.getfixturevalue("wide")

        class TestIt:
            @pytest.mark.asyncio
            async def test_async(self, client): pass

            def test_sync(self, client): pass
    """)
    result.assert_outcomes(passed=2)
