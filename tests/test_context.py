"""Context variables: what a fixture or test sets, and who sees it for how long."""

from __future__ import annotations

import pytest

SCOPES = ("function", "class", "module", "session")

SETTING = {
    "async generator": "async def setting():\n    token = var.set('set')\n    yield\n    {end}",
    "coroutine": "async def setting():\n    var.set('set')",
    "generator": "def setting():\n    token = var.set('set')\n    yield\n    {end}",
}
HEADER = """
from contextvars import ContextVar

var = ContextVar("var", default="unset")
"""


def setting(kind, scope="function", end="var.reset(token)"):
    function = SETTING[kind].format(end=end)
    return f"{HEADER}\n@pytest_asyncio.fixture(scope={scope!r})\n{function}\n"


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", SETTING)
def test_what_a_fixture_sets_is_seen_by_fixtures_and_tests_until_its_teardown(suite, kind, scope):
    tests = """
@pytest.fixture
def in_sync(setting):
    before = var.get()
    yield before
    assert var.get() == "set"

@pytest_asyncio.fixture
async def in_async(setting):
    before = var.get()
    yield before
    assert var.get() == "set"

class TestIt:
    @pytest.mark.asyncio
    async def test_async(self, in_sync, in_async):
        assert (in_sync, in_async, var.get()) == ("set", "set", "set")

    def test_sync(self, in_sync, in_async):
        assert (in_sync, in_async, var.get()) == ("set", "set", "set")

    @pytest.mark.asyncio(loop_scope="session")
    async def test_on_another_loop(self, in_sync, in_async):
        assert (in_sync, in_async, var.get()) == ("set", "set", "set")
"""
    check = """
from test_it import var

def pytest_sessionfinish():
    yield
    print("at the end:", var.get())

pytest_sessionfinish = pytest.hookimpl(wrapper=True)(pytest_sessionfinish)
"""
    result = suite(setting(kind, scope) + tests, "-s", conftest=check)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*at the end: unset"])


@pytest.mark.parametrize("kind", SETTING)
def test_it_is_put_back_before_the_next_test(suite, kind):
    tests = """
@pytest.mark.asyncio
async def test_it(setting):
    assert var.get() == "set"

@pytest.mark.asyncio
async def test_async():
    assert var.get() == "unset"

def test_sync():
    assert var.get() == "unset"
"""
    suite(setting(kind) + tests).assert_outcomes(passed=3)


def test_it_is_put_back_although_the_teardown_raises(suite):
    tests = """
@pytest.mark.asyncio
async def test_it(setting):
    pass

def test_next():
    assert var.get() == "unset"
"""
    result = suite(setting("async generator", end="raise LookupError") + tests)
    result.assert_outcomes(passed=2, errors=1)


def test_a_value_that_equals_the_one_before_is_seen_too(suite):
    result = suite(
        HEADER
        + """
@pytest.fixture
def before():
    var.set([])

@pytest_asyncio.fixture
async def setting(before):
    var.set([])
    return var.get()

def test_it(setting):
    assert var.get() is setting
"""
    )
    result.assert_outcomes(passed=1)


def test_nested_fixtures_are_undone_one_by_one(suite):
    result = suite(
        HEADER
        + """
@pytest_asyncio.fixture(scope="module")
async def outer():
    token = var.set("outer")
    yield
    assert var.get() == "outer"
    var.reset(token)

@pytest_asyncio.fixture
async def inner(outer):
    token = var.set("inner")
    yield
    var.reset(token)
    assert var.get() == "outer"

@pytest.mark.asyncio
async def test_inner(inner):
    assert var.get() == "inner"

@pytest.mark.asyncio
async def test_outer(outer):
    assert var.get() == "outer"
"""
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("loop_scope", SCOPES)
def test_a_tests_changes_are_seen_by_the_teardown_of_its_own_fixtures_only(suite, loop_scope):
    result = suite(
        HEADER
        + f"""
pytestmark = pytest.mark.asyncio(loop_scope="{loop_scope}")
seen = []

@pytest_asyncio.fixture(scope="module")
async def wide():
    yield
    assert var.get() == "unset"

@pytest_asyncio.fixture
async def own():
    yield
    seen.append(var.get())

@pytest.fixture
def own_sync():
    yield
    seen.append(var.get())

async def test_it(wide, own, own_sync):
    var.set("by the test")

async def test_next(own, own_sync):
    assert (seen, var.get()) == (["by the test"] * 2, "unset")

def test_sync():
    assert var.get() == "unset"
"""
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("value", ["by the test", "unset"])
@pytest.mark.parametrize(
    "fixture",
    [*map(setting, SETTING), setting("generator").replace("pytest_asyncio.", "pytest.")],
    ids=[*SETTING, "plain generator"],
)
def test_what_both_a_fixture_and_its_test_set_is_put_back(suite, fixture, value):
    result = suite(
        fixture
        + f"""
var.set(VALUE := {value!r})

@pytest.mark.asyncio
async def test_it(setting):
    var.set(VALUE)

def test_next():
    assert var.get() == VALUE
"""
    )
    result.assert_outcomes(passed=2)


def test_changes_of_a_failing_test_are_put_back_too(suite):
    result = suite(
        HEADER
        + """
@pytest.mark.asyncio
async def test_it():
    var.set("by the test")
    assert False

def test_next():
    assert var.get() == "unset"
"""
    )
    result.assert_outcomes(passed=1, failed=1)


def test_examples_of_hypothesis_have_a_context_each_and_leave_no_task(suite):
    result = suite(
        HEADER
        + """
from hypothesis import HealthCheck, given, settings, strategies as st

@pytest_asyncio.fixture
async def setting():
    var.set("set")

@given(st.integers())
@settings(max_examples=5, database=None, suppress_health_check=list(HealthCheck))
@pytest.mark.asyncio
async def test_it(setting, number):
    assert var.get() == "set"
    assert asyncio.all_tasks() == {asyncio.current_task()}
    var.set("by an example")
    asyncio.create_task(asyncio.sleep(3600))
""",
        "-p",
        "_hypothesis_pytestplugin",
    )
    result.assert_outcomes(passed=1)


def test_no_line_of_the_plugin_explains_why_an_example_of_hypothesis_fails(suite):
    result = suite(
        """
        from hypothesis import given, settings, strategies as st

        @given(st.integers())
        @settings(derandomize=True, database=None)
        @pytest.mark.asyncio
        async def test_it(number):
            await asyncio.sleep(0)
            assert number < 100
        """,
        "-p",
        "_hypothesis_pytestplugin",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*number=100,")
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py*")


@pytest.mark.parametrize("kind", SETTING)
@pytest.mark.parametrize("scope", ["function", "module"])
def test_what_is_requested_by_a_test_sets_its_variables_for_it(suite, kind, scope):
    tests = f"""
pytestmark = pytest.mark.asyncio(loop_scope="{scope}")

async def test_it(request):
    await pytest_asyncio.getfixturevalue(request, "setting")
    assert var.get() == "set"

async def test_next():
    assert var.get() == {"set" if scope == "module" else "unset"!r}

def test_sync():
    assert var.get() == {"set" if scope == "module" else "unset"!r}
"""
    suite(setting(kind, scope) + tests).assert_outcomes(passed=3)


@pytest.mark.parametrize("end", ["return", "yield; var.reset(token)"])
def test_what_a_test_requests_may_be_synchronous(suite, end):
    result = suite(
        HEADER
        + f"""
@pytest.fixture
def setting():
    token = var.set("set")
    {end}

@pytest.mark.asyncio
async def test_it(request):
    await pytest_asyncio.getfixturevalue(request, "setting")
    assert var.get() == "set"

def test_next():
    assert var.get() == "unset"
"""
    )
    result.assert_outcomes(passed=2)


def test_what_a_fixture_requests_outlives_it(suite):
    result = suite(
        setting("async generator", "module")
        + """
@pytest_asyncio.fixture(loop_scope="module")
async def requesting(request):
    await pytest_asyncio.getfixturevalue(request, "setting")
    assert var.get() == "set"

@pytest.mark.asyncio
async def test_it(requesting):
    assert var.get() == "set"

@pytest.mark.asyncio
async def test_next(setting):
    assert var.get() == "set"
"""
    )
    result.assert_outcomes(passed=2)
