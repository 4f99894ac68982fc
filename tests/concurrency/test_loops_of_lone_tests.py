"""Tests that run alone have the loops that they have without the option `asyncio_concurrent`."""

from __future__ import annotations

import pytest
from together import TOGETHER

OPTION = "asyncio_concurrent = true\nasyncio_mode = auto\n"


@pytest.mark.parametrize(
    ("decorators", "arguments", "body"),
    [
        ("", "monkeypatch", "pass"),
        ("", "indirect", "pass"),
        ("", "database", "pass"),
        ("", "caplog", "caplog.set_level(0)"),
        ("", "", "with patch('os.sep', '|'): pass"),
        ("@patch('os.sep', '|')\n", "", "pass"),
        ("@settings(max_examples=2, database=None)\n@given(integers())\n", "number", "pass"),
        ("@pytest.mark.flaky\n", "", "pass"),
    ],
)
def test_a_test_that_runs_alone_by_the_option_alone_has_a_loop_of_its_own(
    suite, decorators, arguments, body
):
    suite(
        f"""
from unittest.mock import patch
from hypothesis import given, settings
from hypothesis.strategies import integers
loops = set()
@pytest.fixture
def indirect(recwarn): pass
@pytest.fixture
def database(): pass
{decorators}async def test_a({arguments}):
    {body}
    loops.add(asyncio.get_running_loop())
{decorators}async def test_b({arguments}):
    {body}
    assert asyncio.get_running_loop() not in loops
""",
        ini=f"{OPTION}asyncio_serial_fixtures = database\nmarkers = flaky",
    ).assert_outcomes(passed=2)


def test_so_has_one_whose_event_loop_policy_is_its_own(suite):
    suite(
        """
        loops = set()
        @pytest.fixture
        def event_loop_policy(): return asyncio.DefaultEventLoopPolicy()
        async def test_a(): loops.add(asyncio.get_running_loop())
        async def test_b(): assert asyncio.get_running_loop() not in loops
        """,
        "-Wignore::DeprecationWarning",
        ini=OPTION,
    ).assert_outcomes(passed=2)


def test_what_it_leaves_on_its_loop_is_ended_before_its_fixtures_are_torn_down(suite):
    suite(
        """
        @pytest.fixture
        def nothing_is_left(monkeypatch):
            left = []
            yield left
            assert all(task.done() for task in left)
        async def test_leaves(nothing_is_left):
            nothing_is_left.append(asyncio.create_task(asyncio.Event().wait()))
        async def test_beside_others(): pass
        """,
        ini=OPTION,
    ).assert_outcomes(passed=2)


def test_its_own_fixtures_run_where_they_do_without_the_option(suite):
    source = """
        @pytest_asyncio.fixture
        async def loop(): return asyncio.get_running_loop()
        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(loop, monkeypatch): assert asyncio.get_running_loop() is not loop
        """
    suite(source).assert_outcomes(passed=1)
    suite(source, ini=OPTION).assert_outcomes(passed=1)


@pytest.mark.parametrize("by_class", [False, True])
def test_one_that_is_marked_as_concurrent_shares_the_loop_of_its_module(suite, by_class):
    mark = "@pytest.mark.asyncio(concurrent=True)\n"
    suite(
        f"""
@pytest_asyncio.fixture(scope="module")
async def loop(): return asyncio.get_running_loop()
{mark if by_class else ""}class TestIt:
    {"" if by_class else mark.strip()}
    async def test_alone(self, loop, monkeypatch): assert asyncio.get_running_loop() is loop
""",
        ini=f"{OPTION}asyncio_default_fixture_loop_scope = fixture-scope",
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["asyncio_loop_scope", "asyncio_default_test_loop_scope"])
def test_where_loop_scopes_are_automatic_it_is_on_the_loop_of_its_fixtures(suite, name):
    suite(
        TOGETHER
        + """
loops = set()
@pytest_asyncio.fixture(scope="module")
async def server(): return asyncio.get_running_loop()
async def test_a(server):
    await meet()
    loops.add(server)
    assert asyncio.get_running_loop() is server
async def test_b(server): await meet()
async def test_alone(server, monkeypatch):
    assert asyncio.get_running_loop() is server
async def test_alone_without_it(monkeypatch):
    assert asyncio.get_running_loop() not in loops
""",
        ini=f"{OPTION}{name} = auto\nasyncio_default_fixture_loop_scope = fixture-scope",
    ).assert_outcomes(passed=4)


def test_what_others_share_with_their_module_it_shares_as_a_note_says(suite):
    source = """
        @pytest_asyncio.fixture(scope="class")
        async def ask():
            loop = asyncio.get_running_loop()
            async def answer():
                answered = loop.create_future()
                loop.call_soon(answered.set_result, None)
                await answered
            return answer
        class TestIt:
            async def test_beside_others(self, ask): await ask()
            {}
            async def test_alone(self, ask, monkeypatch): await ask()
        """
    ini = f"{OPTION}asyncio_default_fixture_loop_scope = fixture-scope"
    result = suite(source.format(""), ini=ini)
    result.assert_outcomes(passed=1, failed=1)
    advice = '@pytest.mark.asyncio(loop_scope="module")'
    result.stdout.fnmatch_lines([f"*'ask' runs on *'module', and test_alone on * Write {advice} *"])
    suite(source.format(advice), ini=ini).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("fixture", "seen"),
    [
        ("", "asyncio.all_tasks()"),
        ("@pytest.fixture\ndef all_tasks(): return asyncio.all_tasks\n", "all_tasks()"),
        ("@pytest.fixture\ndef tasks(): return lambda: asyncio.all_tasks()\n", "tasks()"),
    ],
)
def test_those_that_look_at_all_tasks_keep_their_loops_where_all_tests_are_concurrent(
    suite, fixture, seen
):
    name = "" if not fixture else seen.removesuffix("()")
    suite(
        f"""{fixture}
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server():
    task = asyncio.create_task(asyncio.Event().wait())
    yield
    task.cancel()
async def test_a(server): await asyncio.sleep(0.001)
async def test_looks({name}): assert len({seen}) == 1
async def test_b(server): await asyncio.sleep(0.001)
""",
        ini=OPTION,
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize("by", ["mark", "fixture", "option"])
def test_those_of_looptime_keep_their_loops_where_all_tests_are_concurrent(suite, by):
    suite(
        f"""
loops = set()
{"pytestmark = pytest.mark.looptime" if by == "mark" else ""}
@pytest.fixture({"autouse=True" if by == "fixture" else ""})
def looptime(): pass
async def test_a(): loops.add(asyncio.get_running_loop())
async def test_b(): assert asyncio.get_running_loop() not in loops
""",
        *(["--looptime"] if by == "option" else []),
        conftest="""
        def pytest_addoption(parser): parser.addoption("--looptime", action="store_true")
        """,
        ini=f"{OPTION}markers = looptime",
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "offered",
    [
        "def pytest_asyncio_loop_factories(): return {'it': Stopped}",
        "def pytest_asyncio_loop_factories(): return {'it': lambda: Stopped()}",
        "",
    ],
    ids=["class", "function", "option"],
)
def test_those_whose_loops_have_their_own_clock_keep_them_where_all_tests_are_concurrent(
    suite, pytester, offered
):
    pytester.syspathinsert()
    suite(
        """
async def test_a(): asyncio.get_running_loop().now += 1
async def test_b(): assert asyncio.get_running_loop().time() == 0
""",
        files={
            "stopped.py": "class Stopped(asyncio.SelectorEventLoop):\n"
            "    now = 0\n"
            "    def time(self): return self.now\n"
        },
        conftest=f"from stopped import Stopped\n{offered}",
        ini=OPTION + ("" if offered else "asyncio_loop_factory = stopped.Stopped"),
    ).assert_outcomes(passed=2)
