"""Async fixtures that end before their teardown: who is cancelled, and what is shown."""

from __future__ import annotations

import textwrap

import pytest

# What ends a fixture once `die` is set, and what its report shows.
DYING = {
    "task group": (
        """
        async def child():
            await die.wait()
            raise LookupError("the true cause")

        async with asyncio.TaskGroup() as group:
            children = [group.create_task(child()), group.create_task(asyncio.sleep(3600))]
            yield
            [child.cancel() for child in children]
        """,
        "*LookupError: the true cause*",
    ),
    "timeout": (
        """
        async def expire(timeout):
            await die.wait()
            timeout.reschedule(0)

        async with asyncio.timeout(3600) as timeout:
            expiring = asyncio.create_task(expire(timeout))
            yield
        """,
        "*TimeoutError*",
    ),
    "anyio task group": (
        """
        async def child():
            await die.wait()
            raise LookupError("the true cause")

        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 3600)
            group.start_soon(child)
            yield
            group.cancel_scope.cancel()
        """,
        "*LookupError: the true cause*",
    ),
    "anyio fail_after": (
        """
        async def expire(scope):
            await die.wait()
            scope.deadline = 0

        with anyio.fail_after(3600) as scope:
            expiring = asyncio.create_task(expire(scope))
            yield
        """,
        "*TimeoutError*",
    ),
    "cancelled by another task": (
        """
        async def cancel(task):
            await die.wait()
            task.cancel()

        canceller = asyncio.create_task(cancel(asyncio.current_task()))
        yield
        """,
        "*RuntimeError: The teardown of fixture 'resource' raised CancelledError*",
    ),
}


DYING_SUITE = """
import anyio

pytestmark = pytest.mark.asyncio(loop_scope="{scope}")
log = []

@pytest_asyncio.fixture(scope="{scope}")
async def before():
    yield
    log.append("before")

@pytest_asyncio.fixture(scope="{scope}")
async def resource(before):
    global die
    die = asyncio.Event()
    log.append("made")
{body}

@pytest_asyncio.fixture
async def after(resource):
    yield
    log.append("after")

def teardown_module():
    print("log:", *log)
"""


@pytest.fixture
def dying(suite):
    """Run tests of a suite whose fixture `resource` ends when `die` is set."""

    def run(tests, *, body=DYING["task group"][0], scope="module", **others):
        __tracebackhide__ = True
        body = textwrap.indent(textwrap.dedent(body), "    ")
        source = DYING_SUITE.format(body=body, scope=scope) + textwrap.dedent(tests)
        ini = f"asyncio_default_fixture_loop_scope = {scope}"
        return suite(source, "-s", ini=ini, **others)

    return run


@pytest.mark.parametrize("scope", ["function", "class", "module", "session"])
@pytest.mark.parametrize("cause", DYING)
def test_a_test_is_cancelled_when_a_fixture_that_it_uses_ends(dying, cause, scope):
    body, shown = DYING[cause]
    tests = """
        class TestIt:
            async def test_it(self, after):
                die.set()
                await asyncio.Event().wait()

            async def test_next(self, after):
                pass
    """
    result = dying(tests, body=body, scope=scope)
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of TestIt.test_it*", shown, "*FAILURES*"])
    result.stdout.fnmatch_lines(
        [
            "*This ended the async fixture 'resource' while it was in use.*",
            "*FAILURES*",
            "*The async fixture 'resource' ended while it was in use.*",
        ]
    )


def test_the_other_fixtures_are_torn_down_in_order_and_the_next_test_gets_a_fresh_one(dying):
    tests = """
        async def test_it(after):
            die.set()
            await asyncio.Event().wait()

        async def test_next(after):
            pass
    """
    result = dying(tests)
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*log: made after made after before"])


def test_the_next_test_gets_a_fresh_one_where_a_fixture_requests_it_at_run_time(dying):
    tests = """
        @pytest.fixture
        def indirect(request):
            return request.getfixturevalue("resource")

        async def test_it(indirect):
            die.set()
            await asyncio.Event().wait()

        async def test_next(indirect):
            pass
    """
    result = dying(tests, scope="function")
    result.assert_outcomes(passed=1, failed=1, errors=1)


def test_a_fixture_whose_teardown_is_ended_too_leaves_the_next_test_alone(suite):
    result = suite("""
        ends = [True]

        async def fail():
            raise LookupError("the true cause")

        @pytest_asyncio.fixture
        async def outer():
            async with asyncio.TaskGroup() as group:
                yield group

        @pytest_asyncio.fixture
        async def inner(outer):
            try:
                async with asyncio.TaskGroup() as group:
                    yield group
            finally:
                if ends:
                    ends.clear()
                    outer.create_task(fail())
                    await asyncio.Event().wait()

        @pytest.fixture
        def indirect(request):
            return request.getfixturevalue("inner")

        @pytest.mark.asyncio
        async def test_it(indirect):
            indirect.create_task(fail())
            await asyncio.Event().wait()

        @pytest.mark.asyncio
        async def test_next(indirect):
            pass
    """)
    result.assert_outcomes(passed=1, failed=1, errors=1)


def test_a_teardown_that_fails_by_itself_is_not_said_to_have_ended_the_test(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def resource():
            yield
            raise LookupError("at the end")

        @pytest.mark.asyncio
        async def test_it(resource):
            pass
    """)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E*LookupError: at the end"])
    result.stdout.no_fnmatch_line("*while it was in use*")


@pytest.mark.parametrize("group", ["task group", "anyio task group"])
def test_a_test_that_goes_on_after_its_cancellation_fails_and_is_not_cancelled_again(dying, group):
    tests = """
        async def test_it(after):
            die.set()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.Event().wait()
            for _ in range(10):
                await asyncio.sleep(0)
            print("went on")
    """
    result = dying(tests, body=DYING[group][0])
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*went on",
            "*LookupError: the true cause*",
            "*The async fixture 'resource' ended while it was in use.*",
        ]
    )
    result.stdout.no_fnmatch_line("All traceback entries are hidden*")


def test_a_teardown_that_catches_its_cancellation_by_a_fixture_is_no_error(dying):
    tests = """
        @pytest_asyncio.fixture
        async def client(resource):
            yield
            die.set()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.Event().wait()

        async def test_it(client): pass
    """
    result = dying(tests)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*LookupError: the true cause*"])
    result.stdout.no_fnmatch_line("*ended while it was in use. If*")


def test_a_tests_own_failure_is_not_lost(dying):
    tests = """
        async def test_it(after):
            die.set()
            try:
                await asyncio.Event().wait()
            finally:
                assert False, "my own failure"
    """
    result = dying(tests)
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*LookupError: the true cause*", "*AssertionError: my own failure*"]
    )


def test_a_wide_fixture_whose_setup_it_has_ended_is_set_up_anew_for_the_next_test(dying):
    tests = """
        setups = []

        @pytest_asyncio.fixture(scope="module")
        async def other():
            setups.append("other")
            if len(setups) == 1:
                die.set()
                await asyncio.Event().wait()

        async def test_it(resource, other):
            pass

        async def test_next(resource, other):
            assert len(setups) == 2
    """
    result = dying(tests)
    result.assert_outcomes(passed=1, errors=2)


def test_a_test_that_does_not_use_the_fixture_goes_on(dying):
    tests = """
        async def test_user(after):
            pass

        async def test_other():
            die.set()
            for _ in range(10):
                await asyncio.sleep(0)

        {kind} test_another():
            pass

        {kind} test_next_user(after):
            pass

        {kind} test_the_one_after_that(after):
            pass
    """
    for kind in ("async def", "def"):
        result = dying(tests.format(kind=kind))
        result.assert_outcomes(passed=5, errors=1)
        result.stdout.fnmatch_lines(
            ["*ERROR at teardown of test_other*", "*LookupError: the true cause*"]
        )
        result.stdout.no_fnmatch_line("*several fixtures*")


def test_an_item_that_is_no_function_goes_on(dying):
    tests = """
        async def test_user(after):
            pass

        async def test_other():
            die.set()
            for _ in range(10):
                await asyncio.sleep(0)
    """
    conftest = """
        class Item(pytest.Item):
            def runtest(self):
                pass

        class File(pytest.File):
            def collect(self):
                yield Item.from_parent(self, name="item")

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".txt":
                return File.from_parent(parent, path=file_path)
    """
    result = dying(tests, scope="session", conftest=conftest, files={"z.txt": ""})
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines("ERROR test_it.py::test_other *the true cause*")


def test_what_nobody_uses_any_more_is_reported_at_its_teardown(dying):
    tests = """
        async def test_user(after):
            pass

        async def test_other():
            die.set()
            for _ in range(10):
                await asyncio.sleep(0)
    """
    result = dying(tests)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at teardown of test_other*", "*LookupError: the true cause*"]
    )


def test_what_ends_while_no_test_runs_is_reported_at_its_teardown(dying):
    tests = """
        def test_it(resource):
            die.set()
    """
    result = dying(tests, scope="function")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*LookupError: the true cause*"])


def test_a_test_is_not_started_with_a_fixture_that_has_ended(dying):
    tests = """
        @pytest.fixture
        def ended(resource, asyncio_runner):
            async def end():
                die.set()
                for _ in range(10):
                    await asyncio.sleep(0)

            try:
                asyncio_runner.run(end())
            except pytest.fail.Exception:
                pass

        {kind} test_it(ended):
            log.append("started")
    """
    for kind in ("async def", "def"):
        result = dying(tests.format(kind=kind))
        result.assert_outcomes(failed=1, errors=1)
        result.stdout.fnmatch_lines(["*log: made before"])


def test_the_setup_of_a_dependent_fixture_does_not_wait_for_ever(dying):
    tests = """
        @pytest_asyncio.fixture(scope="module")
        async def dependent(resource):
            if len(log) == 1:
                die.set()
                await asyncio.Event().wait()

        async def test_it(dependent):
            pass

        async def test_next(dependent):
            pass
    """
    result = dying(tests)
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_it*", "*The async fixture 'resource' ended*"]
    )


def test_the_teardown_of_a_dependent_fixture_does_not_wait_for_ever(dying):
    tests = """
        @pytest_asyncio.fixture
        async def between(resource):
            pass

        @pytest_asyncio.fixture
        async def dependent(between):
            yield
            die.set()
            await asyncio.Event().wait()

        async def test_it(dependent):
            pass
    """
    result = dying(tests)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines_random(
        ["*The async fixture 'resource' ended*", "*LookupError: the true cause*"]
    )


def test_the_teardown_of_an_unrelated_fixture_goes_on(dying):
    tests = """
        @pytest_asyncio.fixture
        async def unrelated():
            yield
            die.set()
            for _ in range(10):
                await asyncio.sleep(0)
            log.append("whole")

        async def test_it(resource, unrelated):
            pass
    """
    result = dying(tests)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*log: made whole before"])


def test_two_fixtures_that_end_are_both_reported(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        def dying(name):
            @pytest_asyncio.fixture(scope="module", name=name)
            async def fixture():
                async with asyncio.TaskGroup() as group:
                    yield lambda: group.create_task(fail(name))
            return fixture

        async def fail(name):
            raise LookupError(f"from {name}")

        one, two = dying("one"), dying("two")

        async def test_it(one, two):
            one()
            two()
            await asyncio.Event().wait()

        async def test_next(one, two):
            pass
    """)
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines_random(["*LookupError: from one*", "*LookupError: from two*"])
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_it - *fixture 'one' ended*"])


@pytest.mark.parametrize("dynamic", ["request.getfixturevalue('resource')", "later()"])
def test_who_requests_an_ended_fixture_at_run_time_is_reported(dying, dynamic):
    tests = f"""
        async def test_user(resource):
            pass

        async def test_other(request):
            die.set()
            for _ in range(10):
                await asyncio.sleep(0)
            later = lambda: pytest_asyncio.getfixturevalue(request, "resource")
            value = {dynamic}
            if value is not None:
                await value
    """
    result = dying(tests)
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*The async fixture 'resource' ended*"])


def test_a_task_group_that_fails_just_when_it_is_torn_down_is_reported(suite):
    result = suite("""
        @pytest_asyncio.fixture(loop_scope="module")
        async def over():
            async with asyncio.TaskGroup() as group:
                event = asyncio.Event()
                group.create_task(fail_after(event))
                await asyncio.sleep(0)
                yield event

        async def fail_after(event):
            await event.wait()
            raise LookupError("the true cause")

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(over):
            over.set()
    """)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "*LookupError: the true cause"])


def test_an_async_context_manager_that_is_ended_sees_the_cancellation(suite):
    result = suite("""
        import contextlib

        @pytest_asyncio.fixture
        @contextlib.asynccontextmanager
        async def resource():
            async with asyncio.TaskGroup() as group:
                yield group

        @pytest_asyncio.fixture
        @contextlib.asynccontextmanager
        async def careless():
            try:
                yield asyncio.current_task()
            except asyncio.CancelledError:
                return

        @pytest_asyncio.fixture
        @contextlib.asynccontextmanager
        async def plain():
            yield asyncio.current_task()

        async def fail():
            raise LookupError("the true cause")

        @pytest.mark.asyncio
        async def test_it(resource):
            resource.create_task(fail())
            await asyncio.Event().wait()

        @pytest.mark.asyncio
        async def test_swallowed(careless):
            careless.cancel()
            await asyncio.Event().wait()

        @pytest.mark.asyncio
        async def test_passed_on(plain):
            plain.cancel()
            await asyncio.Event().wait()
    """)
    result.assert_outcomes(failed=3, errors=2)
    result.stdout.fnmatch_lines(
        ["*LookupError: the true cause*", "*The teardown of fixture 'plain' raised Cancelled*"]
    )


def test_a_fixture_that_overrides_another_one_is_cancelled_once(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def resource(resource):
            try:
                yield asyncio.current_task()
            finally:
                await asyncio.sleep(0)
                print("cleaned up")

        @pytest.fixture
        def cancelling(resource):
            yield
            resource.cancel()

        @pytest.mark.asyncio
        async def test_it(cancelling):
            pass
        """,
        conftest="""
        @pytest.fixture
        def resource():
            pass
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*Captured stdout teardown*", "cleaned up"])


def test_a_fixture_that_is_cancelled_as_the_test_ends_is_reported_at_its_teardown(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def resource():
            yield asyncio.current_task()

        @pytest.mark.asyncio
        async def test_it(resource):
            asyncio.get_running_loop().call_soon(resource.cancel)
    """)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*The teardown of fixture 'resource' raised CancelledError*"])


def test_a_fixture_that_is_cancelled_before_it_is_set_up_is_reported_at_its_teardown(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def resource():
            asyncio.current_task().cancel()
            yield

        @pytest.mark.asyncio
        async def test_it(resource):
            pass
    """)
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*The async fixture 'resource' ended*"])


def test_a_test_with_a_fixture_of_its_own_by_the_name_of_a_dead_one_passes(suite):
    result = suite(
        conftest="""
            @pytest_asyncio.fixture(scope="session", loop_scope="session")
            async def server():
                async with asyncio.TaskGroup() as group:
                    asyncio.get_running_loop().group = group
                    yield "real"

            @pytest_asyncio.fixture(loop_scope="session")
            async def killer():
                yield
                async def die():
                    raise OSError("the server has died")
                asyncio.get_running_loop().group.create_task(die())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        """,
        files={
            "test_1.py": """
                @pytest.mark.asyncio(loop_scope="session")
                async def test_uses_it(server): assert server == "real"

                def test_kills_it(killer): pass
            """,
            "test_2.py": """
                @pytest.fixture
                def server(): return "fake"

                def test_with_its_own(server): assert server == "fake"
            """,
            "test_3.py": """
                @pytest.mark.asyncio(loop_scope="session")
                async def test_uses_it_again(server): assert server == "real"
            """,
        },
    )
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_kills_it*", "*has died*"])


def test_each_example_of_hypothesis_fails_alike_after_one_in_which_a_fixture_ends(suite):
    pytest.importorskip("hypothesis")
    result = suite(
        """
        from hypothesis import HealthCheck, given, settings, strategies

        async def serve(stop):
            await stop.wait()
            raise OSError("the server has died")

        @pytest_asyncio.fixture
        async def stop():
            async with asyncio.TaskGroup() as group:
                stop = asyncio.Event()
                group.create_task(serve(stop))
                yield stop

        @pytest.mark.asyncio
        @settings(suppress_health_check=list(HealthCheck), deadline=None)
        @given(strategies.integers())
        async def test_it(stop, number):
            stop.set()
            await asyncio.sleep(0.1)
        """,
        "-p",
        "_hypothesis_pytestplugin",
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*the server has died", ">*await asyncio.sleep(0.1)", "E*Cancelled: *'stop' ended*"]
    )
    result.stdout.no_fnmatch_line("*unreliable*")
