"""Fixtures that are requested while a test or fixture runs."""

from __future__ import annotations

import pytest

FIXTURES = {
    "coroutine": "@pytest_asyncio.fixture\nasync def late(dependency): return 42\n",
    "async generator": "@pytest_asyncio.fixture\nasync def late(dependency): yield 42\n",
    "function": "@pytest.fixture\ndef late(dependency): return 42\n",
    "generator": "@pytest.fixture\ndef late(dependency): yield 42\n",
    "declared function": "@pytest_asyncio.fixture\ndef late(dependency): return 42\n",
    "declared generator": "@pytest_asyncio.fixture\ndef late(dependency): yield 42\n",
}
DEPENDENCY = """
@pytest_asyncio.fixture
async def dependency():
    await asyncio.sleep(0)
    yield

"""


@pytest.mark.parametrize("form", FIXTURES)
@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
def test_a_test_can_await_every_kind_of_fixture(suite, form, cached):
    result = suite(
        DEPENDENCY
        + FIXTURES[form]
        + f"""
@pytest.mark.asyncio
async def test_it(request{", late" if cached else ""}):
    assert await pytest_asyncio.getfixturevalue(request, "late") == 42
    assert await pytest_asyncio.getfixturevalue(request, "late") == 42
    assert request.getfixturevalue("late") == 42
"""
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("form", FIXTURES)
def test_a_fixture_can_await_every_kind_of_fixture(suite, form):
    result = suite(
        DEPENDENCY
        + FIXTURES[form]
        + """
@pytest_asyncio.fixture
async def returning(request):
    return await pytest_asyncio.getfixturevalue(request, "late")

@pytest_asyncio.fixture
async def yielding(request):
    yield await pytest_asyncio.getfixturevalue(request, "late")

@pytest.mark.asyncio
async def test_it(returning, yielding):
    assert (returning, yielding) == (42, 42)
"""
    )
    result.assert_outcomes(passed=1)


def test_what_was_requested_late_is_torn_down_first(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def early():
            yield
            print("early is torn down")

        @pytest_asyncio.fixture
        async def dependency():
            yield
            print("dependency is torn down")

        @pytest_asyncio.fixture
        async def late(dependency):
            yield
            print("late is torn down")

        @pytest.mark.asyncio
        async def test_it(early, request):
            await pytest_asyncio.getfixturevalue(request, "late")
    """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    downs = [line for line in result.outlines if line.endswith("is torn down")]
    assert downs[0].endswith("late is torn down")
    assert downs[1:] == ["dependency is torn down", "early is torn down"]


@pytest.mark.parametrize("body", ["raise LookupError('no')", "raise LookupError('no'); yield"])
def test_what_the_fixture_raises_is_raised_by_each_request(suite, body):
    result = suite(f"""
        @pytest_asyncio.fixture
        async def late():
            {body}

        @pytest.mark.asyncio
        async def test_it(request):
            for _ in range(2):
                with pytest.raises(LookupError, match="no"):
                    await pytest_asyncio.getfixturevalue(request, "late")

        @pytest.mark.asyncio
        async def test_unknown(request):
            with pytest.raises(pytest.FixtureLookupError):
                await pytest_asyncio.getfixturevalue(request, "unknown")
    """)
    result.assert_outcomes(passed=2)


def test_a_failure_without_a_message_is_raised_as_it_is(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def late():
            raise pytest.fail.Exception

        @pytest.mark.asyncio
        async def test_it(request):
            with pytest.raises(pytest.fail.Exception):
                await pytest_asyncio.getfixturevalue(request, "late")
    """)
    result.assert_outcomes(passed=1)


def test_a_synchronous_fixture_that_yields_twice_is_reported_by_pytest(suite):
    result = suite(
        """
        @pytest.fixture
        def late():
            yield
            yield
            print("never")

        @pytest.mark.asyncio
        async def test_it(request):
            await pytest_asyncio.getfixturevalue(request, "late")
        """,
        "-s",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture function has more than one 'yield'*"])
    result.stdout.no_fnmatch_line("*never")


def test_what_is_no_request_is_reported_at_the_users_line(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it():
            await pytest_asyncio.getfixturevalue(None, "late")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*getfixturevalue(None*", "E*needs the fixture 'request'*None."])


def test_a_fixture_of_another_loop_fails_clearly(suite):
    result = suite("""
        @pytest_asyncio.fixture(scope="module")
        async def late():
            pass

        @pytest.mark.asyncio
        async def test_it(request):
            await pytest_asyncio.getfixturevalue(request, "late")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*The async fixture 'late' runs on the event loop of test_it.py*another loop*"]
    )


@pytest.mark.parametrize("swallowing", [True, False])
@pytest.mark.parametrize("yields", [True, False])
def test_a_request_that_is_cancelled_cancels_the_setup(suite, swallowing, yields):
    result = suite(f"""
        @pytest_asyncio.fixture
        async def late():
            try:
                await asyncio.sleep(0 if slow.done() else 3600)
            except asyncio.CancelledError:
                if not {swallowing}:
                    raise
            slow.set_result(None)
            {"yield" if yields else ""}

        @pytest.mark.asyncio
        async def test_it(request):
            global slow
            slow = asyncio.Future()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await pytest_asyncio.getfixturevalue(request, "late")
            assert asyncio.all_tasks() == {{asyncio.current_task()}}
            slow = asyncio.Future()
            slow.set_result(None)
            with pytest.raises(asyncio.InvalidStateError):
                await pytest_asyncio.getfixturevalue(request, "late")
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("ending", ["return", "yield"])
def test_the_synchronous_request_shows_the_line_to_write(suite, ending):
    result = suite(f"""
        @pytest_asyncio.fixture
        async def late():
            pass

        @pytest.fixture
        def between(request):
            {ending} request.getfixturevalue("late")

        @pytest.mark.asyncio
        async def test_it(request):
            request.getfixturevalue("late")

        @pytest.mark.asyncio
        async def test_through_a_synchronous_fixture(request):
            await pytest_asyncio.getfixturevalue(request, "between")
    """)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*await pytest_asyncio.getfixturevalue(request, 'late')"] * 2)


def test_the_synchronous_request_works_from_synchronous_code(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def late():
            yield 42

        @pytest.fixture
        def between(request):
            return request.getfixturevalue("late")

        def test_sync(request):
            assert request.getfixturevalue("late") == 42

        @pytest.mark.asyncio
        async def test_async(between):
            assert between == 42
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("one", ["late", "needing"])
@pytest.mark.parametrize("other", ["late", "needing"])
def test_requests_at_the_same_time_get_the_same(suite, one, other):
    result = suite(f"""
        setups = []

        @pytest_asyncio.fixture
        async def late():
            setups.append("late")
            await asyncio.sleep(0)
            yield setups

        @pytest_asyncio.fixture
        async def needing(late):
            await asyncio.sleep(0)
            return late

        @pytest.mark.asyncio
        async def test_it(request):
            values = await asyncio.gather(
                pytest_asyncio.getfixturevalue(request, {one!r}),
                pytest_asyncio.getfixturevalue(request, {other!r}),
            )
            assert values == [["late"], ["late"]]
    """)
    result.assert_outcomes(passed=1)


def test_one_goes_on_with_a_setup_in_which_the_other_is_cancelled(suite):
    result = suite("""
        begun = []

        @pytest_asyncio.fixture
        async def late():
            begun.append("late")
            await asyncio.sleep(0)
            yield "late"

        @pytest.mark.asyncio
        async def test_it(request):
            one = asyncio.create_task(pytest_asyncio.getfixturevalue(request, "late"))
            other = asyncio.create_task(pytest_asyncio.getfixturevalue(request, "late"))
            while not begun:
                await asyncio.sleep(0)
            one.cancel()
            assert await other == "late"
            assert one.cancelled()
    """)
    result.assert_outcomes(passed=1)


def test_a_wide_fixture_that_is_requested_late_is_shared(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        values = set()

        @pytest_asyncio.fixture(scope="module")
        async def late():
            value = object()
            values.add(value)
            yield value

        async def test_late(request):
            assert await pytest_asyncio.getfixturevalue(request, "late") in values

        async def test_shared(late):
            assert values == {late}
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("end", ["yield", "return"])
def test_those_who_request_a_fixture_at_the_same_time_share_it(suite, end):
    result = suite(f"""
        @pytest_asyncio.fixture
        async def late():
            for _ in range(3):
                await asyncio.sleep(0)
            {end} object()

        @pytest.mark.asyncio
        async def test_it(request):
            requests = (pytest_asyncio.getfixturevalue(request, "late") for _ in range(2))
            one, other = await asyncio.gather(*requests)
            assert one is other
    """)
    result.assert_outcomes(passed=1)


def test_those_who_request_a_wide_one_at_the_same_time_share_it_too(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio(concurrent=True)
        values = set()

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def late():
            for _ in range(20):
                await asyncio.sleep(0)
            yield object()

        @pytest.mark.parametrize("_", range(3))
        async def test_it(request, _):
            values.add(await pytest_asyncio.getfixturevalue(request, "late"))
            assert len(values) == 1
    """)
    result.assert_outcomes(passed=3)


def test_they_set_it_up_anew_if_the_first_of_them_gives_up(suite):
    result = suite("""
        setups = []

        @pytest_asyncio.fixture
        async def late():
            setups.append(1)
            for _ in range(3):
                await asyncio.sleep(0)
            return len(setups)

        @pytest.mark.asyncio
        async def test_it(request):
            first, second = (
                asyncio.create_task(pytest_asyncio.getfixturevalue(request, "late"))
                for _ in range(2)
            )
            await asyncio.sleep(0)
            first.cancel()
            assert await second == 2
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("override", "value"),
    [("return 'mine', late", "('mine', 'base')"), ("raise LookupError('no')", "LookupError('no')")],
)
def test_a_fixture_that_overrides_another_one_is_not_taken_for_that(suite, override, value):
    result = suite(f"""
        @pytest_asyncio.fixture
        async def late():
            return "base"

        class TestIt:
            @pytest_asyncio.fixture
            async def late(self, late, request):
                assert await pytest_asyncio.getfixturevalue(request, "late") == "base"
                {override}

            @pytest.mark.asyncio
            async def test_it(self, request):
                try:
                    value = await pytest_asyncio.getfixturevalue(request, "late")
                except LookupError as error:
                    value = error
                assert repr(value) == repr({value})
    """)
    result.assert_outcomes(passed=1)


REPLACED = """
    pytestmark = pytest.mark.asyncio(loop_scope="session")

    @pytest_asyncio.fixture(scope="session")
    async def late(request):
        print("\\nlate")
        request.addfinalizer(lambda: print("\\nlate is finalized"))
        yield
        await asyncio.sleep(0)
        print("\\nlate is torn down")
        {}

    @pytest_asyncio.fixture(scope="session")
    async def dependent(late):
        yield
        await asyncio.sleep(0)
        print("\\ndependent is torn down")
        {}

    class TestOne:
        @pytest.fixture(scope="session", params=[1])
        @staticmethod
        def late(late, request):
            request.getfixturevalue("dependent")

        def test_it(self, late):
            pass

    class TestTwo:
        @pytest_asyncio.fixture(loop_scope="session")
        async def late(self, request):
            {}

        async def test_it(self, late):
            pass
"""
SESSION_LOOP = "asyncio_default_fixture_loop_scope = session"
TORN_DOWN = ["dependent is torn down", "late is torn down", "late is finalized"]


def of_late(result):
    return [line for line in result.outlines if line.startswith(("late", "dependent"))]


def test_a_fixture_of_another_parameter_is_torn_down_before(suite):
    request = "await pytest_asyncio.getfixturevalue(request, 'late')"
    result = suite(REPLACED.format("", "", request), "-s", ini=SESSION_LOOP)
    result.assert_outcomes(passed=2)
    assert of_late(result) == ["late", *TORN_DOWN, "late", *TORN_DOWN[1:]]


def test_what_depends_on_it_is_torn_down_on_its_own_loop(suite):
    request = "await pytest_asyncio.getfixturevalue(request, 'late')"
    source = REPLACED.format("", "", request).replace('scope="session"', 'scope="module"')
    source = source.replace(
        '(scope="module")\n    async def dependent',
        '(scope="module", loop_scope="session")\n    async def dependent',
    )
    result = suite(source, "-s", ini="asyncio_default_fixture_loop_scope = module")
    result.assert_outcomes(passed=2)
    assert of_late(result) == ["late", *TORN_DOWN, "late", *TORN_DOWN[1:]]


def test_what_the_fixtures_of_another_parameter_raise_is_raised_together(suite):
    request = "await pytest_asyncio.getfixturevalue(request, 'late')"
    source = REPLACED.format("raise LookupError('one')", "raise LookupError('two')", request)
    result = suite(source, "-s", ini=SESSION_LOOP)
    result.assert_outcomes(passed=1, errors=1)
    assert of_late(result) == ["late", *TORN_DOWN]
    result.stdout.fnmatch_lines(["*errors while tearing down fixture*", "*one", "*two"])


def test_a_time_out_breaks_such_a_teardown_off(suite):
    request = """
            async with asyncio.timeout(0.01):
                await pytest_asyncio.getfixturevalue(request, "late")
    """
    source = REPLACED.format("", "await asyncio.Event().wait()", request)
    result = suite(source, "-s", "--tb=short", ini=SESSION_LOOP)
    result.assert_outcomes(passed=1, errors=1)
    assert of_late(result) == ["late", *TORN_DOWN]
    result.stdout.fnmatch_lines(["*The teardown of fixture 'dependent' raised CancelledError*"])


def test_the_task_factory_of_the_test_makes_its_task(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def late():
            return asyncio.current_task()

        @pytest.mark.asyncio
        async def test_it(request):
            made = []

            def factory(loop, coro, **kwargs):
                made.append(asyncio.Task(coro, loop=loop, **kwargs))
                return made[-1]

            asyncio.get_running_loop().set_task_factory(factory)
            assert await pytest_asyncio.getfixturevalue(request, "late") in made
    """)
    result.assert_outcomes(passed=1)


def test_its_own_time_out_bounds_such_a_teardown(suite):
    request = "await pytest_asyncio.getfixturevalue(request, 'late')"
    source = REPLACED.format("", "await asyncio.Event().wait()", request)
    source = source.replace(
        '(scope="session")\n    async def dependent',
        '(scope="session", timeout=0.05)\n    async def dependent',
    )
    result = suite(source, "-s", "--tb=short", ini=SESSION_LOOP)
    result.assert_outcomes(passed=1, errors=1)
    assert of_late(result) == ["late", *TORN_DOWN]
    result.stdout.fnmatch_lines(["*Timeout*The teardown of fixture 'dependent' took longer*"])


def test_a_parameter_that_cannot_be_compared_is_another_one(suite):
    array = """
    class Array:
        def __eq__(self, other):
            raise ValueError
    """
    request = "await pytest_asyncio.getfixturevalue(request, 'late')"
    source = array + REPLACED.format("", "", request).replace("params=[1]", "params=[Array()]")
    result = suite(source, "-s", ini=SESSION_LOOP)
    result.assert_outcomes(passed=2)
    assert of_late(result) == ["late", *TORN_DOWN, "late", *TORN_DOWN[1:]]


def test_code_that_cannot_wait_for_that_is_reported(suite):
    source = REPLACED.format("", "", "request.getfixturevalue('late')")
    result = suite(source, "-s", ini=SESSION_LOOP)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*The async fixture 'late' *another parameter*as an argument*"])


def test_a_wide_fixture_cannot_request_a_narrow_one(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def late():
            pass

        @pytest_asyncio.fixture(scope="session")
        async def wide(request):
            await pytest_asyncio.getfixturevalue(request, "late")

        @pytest.mark.asyncio
        async def test_it(wide):
            pass
        """,
        ini=SESSION_LOOP,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ScopeMismatch*"])


WITHOUT_ITS_PARAMETER = """
        @pytest_asyncio.fixture(params=[1])
        async def late():
            pass

        @pytest.mark.asyncio
        async def test_it(request):
            await {}
"""


def test_a_fixture_whose_parameter_is_not_given_cannot_be_requested(suite):
    request = 'pytest_asyncio.getfixturevalue(request, "late")'
    result = suite(WITHOUT_ITS_PARAMETER.format(request))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no parameter defined*", "Requested here:", "test_it.py:9"])


def test_that_is_reported_too_where_no_line_of_the_suite_awaits_it(suite):
    request = 'asyncio.create_task(pytest_asyncio.getfixturevalue(request, "late"))'
    result = suite(WITHOUT_ITS_PARAMETER.format(request))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("FAILED test_it.py::test_it - Failed: The requested fixture*")


@pytest.mark.parametrize("scope", ["function", "session"])
@pytest.mark.parametrize("concurrent", [False, True])
def test_what_a_fixture_requests_is_torn_down_after_it(suite, scope, concurrent):
    result = suite(
        f"""
        def down(name, *others):
            @pytest_asyncio.fixture(scope={scope!r}, loop_scope="session", name=name)
            async def fixture(request):
                for other in others:
                    await pytest_asyncio.getfixturevalue(request, other)
                yield
                print("\\ndown:", name)
            return fixture

        a, b, c = down("a"), down("b", "a"), down("c", "b")

        @pytest.mark.asyncio(loop_scope="session", concurrent={concurrent})
        async def test_it(c): pass
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    assert [line for line in result.outlines if line.startswith("down")] == [
        "down: c",
        "down: b",
        "down: a",
    ]


@pytest.mark.parametrize(
    "request_it",
    ["await pytest_asyncio.getfixturevalue(request, 'wide')", "request.getfixturevalue('wide')"],
)
def test_a_request_that_is_refused_leaves_the_fixture_to_others(suite, request_it):
    result = suite(f"""
        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def wide():
            yield 5

        @pytest.mark.asyncio
        async def test_wrong(request):
            {request_it}

        @pytest.mark.asyncio(loop_scope="session")
        async def test_late(request):
            assert await pytest_asyncio.getfixturevalue(request, "wide") == 5

        def test_sync(wide):
            assert wide == 5
    """)
    result.assert_outcomes(failed=1, passed=2)


FORESEES = """
    from pytest_asyncio.support import pytest_private

    torn_down = []
    seen = set()

    def pytest_fixture_post_finalizer(fixturedef):
        if fixturedef.cached_result is not None:
            torn_down.append(fixturedef)

    @pytest.fixture(autouse=True)
    def first(request):
        foreseen = [*pytest_private.outdated_fixtures(request, "wanted")]
        torn_down.clear()
        request.getfixturevalue("wanted")
        assert {*foreseen} <= {*torn_down}
        for fixturedef in torn_down:
            assert fixturedef in foreseen or {*fixturedef.argnames} & {
                other.argname for other in torn_down
            }
        seen.add(bool(foreseen))

    def pytest_terminal_summary(terminalreporter):
        terminalreporter.write_line(f"foreseen: {sorted(seen)}")
"""


OUTDATED = {
    "itself": """
        @pytest.fixture(scope="session")
        def wanted(request):
            return getattr(request, "param", None)

        @pytest.mark.parametrize("wanted", [1, 2], indirect=True)
        def test_with_a_parameter(wanted): ...

        def test_without(): ...

        def test_without_again(): ...
    """,
    "what it needs": """
        @pytest.fixture(scope="session")
        def needed(request):
            return getattr(request, "param", None)

        @pytest.fixture(scope="session")
        def between(needed): ...

        @pytest.fixture(scope="session")
        def wanted(between): ...

        @pytest.mark.parametrize("needed", [1, 2], indirect=True)
        def test_with_a_parameter(wanted, needed): ...

        def test_without(): ...

        def test_without_again(): ...
    """,
    "what it overrides": """
        @pytest.fixture(scope="session")
        def wanted(request):
            return getattr(request, "param", None)

        @pytest.mark.parametrize("wanted", [1, 2], indirect=True)
        def test_with_a_parameter(wanted): ...

        class TestWithout:
            @pytest.fixture
            def wanted(self, wanted): ...

            def test_it(self): ...

            def test_once_more(self): ...
    """,
    "what overrides what it needs": """
        @pytest.fixture(scope="session")
        def needed(request):
            return getattr(request, "param", None)

        @pytest.fixture
        def wanted(needed): ...

        class TestIt:
            @pytest.fixture
            def needed(self, needed): ...

            def test_without(self): ...

            def test_without_again(self): ...

        @pytest.mark.parametrize("needed", [1, 2], indirect=True)
        def test_with_a_parameter(needed): ...

        class TestAgain(TestIt): ...
    """,
}


@pytest.mark.parametrize("fixtures", OUTDATED.values(), ids=OUTDATED)
def test_what_pytest_tears_down_for_another_parameter_is_foreseen(suite, fixtures):
    """Which fixtures those are is worked out as pytest does it, which it may do otherwise one day.

    Those that are torn down with them need them.
    """
    result = suite(fixtures, conftest=FORESEES)
    assert result.ret == 0
    result.stdout.fnmatch_lines("foreseen: [[]False, True]")
