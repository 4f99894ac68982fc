"""Tests of different classes and modules run at the same time, and lone ones in between alone."""

from __future__ import annotations

import re

import pytest
from together import ALONE, MODULE, TOGETHER

SHARED = {"shared.py": TOGETHER + ALONE}
HEAD = MODULE + "from shared import alone, beside, meet, running\n"
SESSION = "pytestmark = pytest.mark.asyncio(concurrent=True, loop_scope='session')\n"


@pytest.fixture
def modules(suite, pytester):
    """Run a suite of several modules, with `meet()`, `alone()` and `beside()`."""
    pytester.syspathinsert()

    def run(*sources, head=HEAD, conftest="", args=(), ini=""):
        __tracebackhide__ = True
        files = {f"test_{number}.py": head + source for number, source in enumerate(sources)}
        return suite("", *args, conftest=conftest, files=SHARED | files, ini=ini)

    return run


@pytest.fixture(params=["module", "session"])
def modules_on_each_loop(request, modules):
    """Run a suite of several modules, on their own loops, and on that of the session."""

    def run(*sources, **kwargs):
        __tracebackhide__ = True
        imported = "from shared import alone, beside, meet, running\n"
        head = SESSION + imported if request.param == "session" else HEAD
        return modules(*sources, head=head, **kwargs)

    return run


MEETING = """
class Meeting:
    # A barrier for tests on several loops.
    def __init__(self, parties): self.parties, self.waiting = parties, 0
    async def wait(self):
        self.waiting += 1
        async with asyncio.timeout(20):
            while self.waiting < self.parties: await asyncio.sleep(0.001)
pytest.meeting = Meeting({})
"""


def test_tests_of_several_classes_wait_together(modules):
    modules(
        """
class TestOne:
    async def test_it(self): await meet()
class TestOther:
    async def test_it(self): await meet()
"""
    ).assert_outcomes(passed=2)


def test_tests_of_several_modules_wait_together(modules_on_each_loop):
    source = "async def test_it(): await pytest.meeting.wait()\n"
    modules_on_each_loop(source, source, source, conftest=MEETING.format(3)).assert_outcomes(
        passed=3
    )


def test_each_module_keeps_a_loop_of_its_own(modules):
    source = """
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def loop(): return asyncio.get_running_loop()
@pytest.mark.parametrize("_", range(3))
async def test_it(loop, _):
    await pytest.meeting.wait()
    assert asyncio.get_running_loop() is loop
    assert loop not in pytest.loops - {loop}
    pytest.loops.add(loop)
def test_how_many(): assert len(pytest.loops) == int(__name__[-1]) + 1 or len(pytest.loops) == 2
"""
    conftest = MEETING.format(6) + "pytest.loops = set()\n"
    modules(source, source, conftest=conftest).assert_outcomes(passed=8)


def test_a_test_that_runs_alone_does_not_keep_those_behind_it_from_running_before(
    modules_on_each_loop,
):
    modules_on_each_loop(
        """
async def test_first(): await pytest.meeting.wait()
def test_alone(): assert pytest.meeting.waiting == 3
async def test_behind_it(): await pytest.meeting.wait()
""",
        """
def test_alone_too(monkeypatch): assert pytest.meeting.waiting == 3
async def test_last(): await pytest.meeting.wait()
""",
        conftest=MEETING.format(3),
    ).assert_outcomes(passed=5)


@pytest.mark.parametrize("argument", ["-q", "-s"])
def test_none_is_set_up_while_one_runs_alone_nor_torn_down_before_it_is_reported(modules, argument):
    source = """
@pytest_asyncio.fixture
async def resource(request):
    pytest.open.append(__name__)
    yield
    await asyncio.sleep(0)
    assert request.node.outcomes == {"setup": "passed", "call": "passed"}
    pytest.open.remove(__name__)
async def test_first(resource): await asyncio.sleep(0.01)
def test_alone(): assert not pytest.open
async def test_behind_it(resource): await asyncio.sleep(0.01)
"""
    conftest = """
pytest.open = []
@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    vars(item).setdefault("outcomes", {})[report.when] = report.outcome
    return report
"""
    modules(source, source, conftest=conftest, args=[argument]).assert_outcomes(passed=6)


@pytest.mark.parametrize("argument", ["-s", "--log-cli-level=INFO"])
def test_what_is_shown_at_once_comes_in_order_also_where_one_runs_alone(modules, argument):
    source = """
import logging
def show(line):
    print(line)
    logging.warning(line)
@pytest.fixture
def resource(request):
    show("set up for " + request.node.name)
    yield
    show("torn down for " + request.node.name)
async def test_first(resource):
    await asyncio.sleep(0.01)
    show("in test_first")
def test_alone(resource): show("in test_alone")
async def test_behind_it(resource):
    await asyncio.sleep(0.01)
    show("in test_behind_it")
    assert __name__ != "test_1"
@pytest.mark.skip
async def test_skipped(): pass
@pytest.mark.xfail
async def test_xfailed(resource): assert 0
"""
    args = [argument, "-vrA", "--no-header"]
    together = modules(source, source, args=args)
    together.assert_outcomes(passed=5, failed=1, skipped=2, xfailed=2)
    alone = modules(source, source, args=[*args, "--asyncio-concurrency=1"])
    assert _without_times(together) == _without_times(alone)


def test_none_is_under_way_while_one_runs_alone(modules_on_each_loop):
    modules_on_each_loop(
        """
async def test_a(): await beside()
async def test_alone(monkeypatch): await alone()
async def test_b(): await beside()
def test_sync(): assert not running
async def test_c(): await beside()
""",
        "async def test_d(): await beside()\nasync def test_e(recwarn): await alone()\n",
    ).assert_outcomes(passed=7)


def test_they_are_reported_in_their_order(modules_on_each_loop):
    source = """
@pytest.mark.parametrize("delay", [0.03, 0.01, 0.02])
async def test_it(delay): await asyncio.sleep(delay)
def test_sync(): pass
async def test_after(): await asyncio.sleep(0.01)
"""
    result = modules_on_each_loop(source, source, args=["-v"])
    reported = re.findall(r"(test_\d\.py::\S+) PASSED", result.stdout.str())
    names = ["test_it[0.03]", "test_it[0.01]", "test_it[0.02]", "test_sync", "test_after"]
    assert reported == [f"test_{module}.py::{name}" for module in (0, 1) for name in names]


def test_the_fixtures_of_a_module_are_torn_down_when_its_last_test_has_ended(modules_on_each_loop):
    source = """
@pytest_asyncio.fixture(scope="module", loop_scope={0!r})
async def wide():
    pytest.open.append(__name__)
    yield
    pytest.open.remove(__name__)
async def test_a(wide):
    await pytest.meeting.wait()
    assert __name__ in pytest.open
async def test_b(wide): assert __name__ in pytest.open
"""
    result = modules_on_each_loop(
        source.format("module"),
        source.format("session"),
        "def test_after(): assert not pytest.open",
        conftest=MEETING.format(2) + "pytest.open = []\n",
    )
    result.assert_outcomes(passed=5)


@pytest.mark.parametrize("kind", ["async ", ""])
def test_a_fixture_that_each_module_has_anew_is_each_modules_own(modules_on_each_loop, kind):
    source = """
async def test_a(anew):
    await asyncio.sleep(0.01)
    assert anew == __name__
async def test_b(anew): assert anew == __name__
"""
    modules_on_each_loop(
        source,
        source,
        conftest=f"""
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        {kind}def anew(request):
            yield request.module.__name__
        """,
    ).assert_outcomes(passed=4)


def test_a_fixture_that_each_class_has_anew_is_each_classes_own(modules):
    tests = """
    async def test_a(self, anew):
        await asyncio.sleep(0.01)
        assert anew == type(self).__name__
    async def test_b(self, anew): assert anew == type(self).__name__
"""
    modules(
        """
@pytest_asyncio.fixture(scope="class", loop_scope="module")
async def anew(request): yield request.cls.__name__
"""
        f"class TestOne:{tests}class TestOther:{tests}"
    ).assert_outcomes(passed=4)


def test_a_wide_fixture_is_set_up_for_the_test_that_asks_for_it_first(modules):
    result = modules(
        """
@pytest.fixture(scope="module")
def wide():
    print("set up")
    return 1
async def test_first(): await asyncio.sleep(0.01)
def test_alone(wide): pass
async def test_behind(wide): await asyncio.sleep(0)
""",
        args=["-rP"],
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*_ test_alone _*", "*Captured stdout setup*", "set up"])


def test_a_node_to_which_tests_come_back_is_set_up_anew(modules):
    source = """
@pytest.fixture(scope="module", autouse=True)
def setups():
    pytest.setups.append(__name__)
    yield
    pytest.setups.append("end of " + __name__)
async def test_a(): await asyncio.sleep(0.01)
async def test_b(): await asyncio.sleep(0.01)
"""
    result = modules(
        source,
        source,
        conftest="""
        pytest.setups = []
        def pytest_collection_modifyitems(items): items[:] = [items[i] for i in (0, 2, 1, 3)]
        def pytest_unconfigure(): print(*pytest.setups, sep="\\n")
        """,
    )
    result.assert_outcomes(passed=4)
    for module in ("test_0", "test_1"):
        seen = [line for line in result.outlines if line in (module, f"end of {module}")]
        assert seen == [module, f"end of {module}"] * 2


def test_so_many_modules_are_set_up_at_the_same_time_at_most(modules):
    source = """
@pytest.fixture(scope="module", autouse=True)
def count():
    pytest.open += 1
    pytest.most = max(pytest.most, pytest.open)
    yield
    pytest.open -= 1
async def test_it(): await asyncio.sleep(0.01)
"""
    result = modules(
        *[source] * 40,
        conftest="""
        pytest.open = pytest.most = 0
        def pytest_unconfigure(): print("most:", pytest.most)
        """,
    )
    result.assert_outcomes(passed=40)
    result.stdout.fnmatch_lines("most: 16")


def test_the_first_failure_ends_those_of_all_modules(modules_on_each_loop):
    source = """
@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def wide():
    yield
    pytest.seen.append("end of " + __name__)
@pytest_asyncio.fixture
async def own():
    yield
    pytest.seen.append("end of own of " + __name__)
async def test_it(own):
    await pytest.meeting.wait()
    assert __name__ != "test_0"
    await asyncio.Event().wait()
"""
    result = modules_on_each_loop(
        source,
        source,
        source,
        args=["-x"],
        conftest=MEETING.format(3)
        + "pytest.seen = []\ndef pytest_unconfigure(): print(sorted(pytest.seen))\n",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        "asyncio: 2 more tests had begun when the session ended, and are not reported."
    )
    ends = sorted(f"end of {own}test_{number}" for own in ("", "own of ") for number in range(3))
    result.stdout.fnmatch_lines(str(ends).replace("[", "[[]"))


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_ends_those_of_all_modules(modules_on_each_loop):
    source = """
@pytest_asyncio.fixture
async def own():
    yield
    pytest.seen.append(__name__)
async def test_it(own):
    await pytest.meeting.wait()
    if __name__ == "test_1": raise KeyboardInterrupt
    await asyncio.Event().wait()
"""
    result = modules_on_each_loop(
        source,
        source,
        source,
        conftest=MEETING.format(3)
        + "pytest.seen = []\ndef pytest_unconfigure(): print(*sorted(pytest.seen))\n",
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["asyncio: [23] more tests had begun *", "test_0 test_1 test_2"])


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_module_whose_loop_is_stopped_or_closed_fails_alone(modules, number):
    source = """
async def test_it():
    await pytest.meeting.wait()
    if __name__ == "test_{0}":
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()
    await asyncio.sleep(0.05)
"""
    result = modules(*[source.format(number)] * 3, conftest=MEETING.format(3))
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(f"*Something has called stop() on * of test_{number}.py.")


@pytest.mark.parametrize("number", [0, 1])
def test_a_module_whose_loop_is_closed_by_another_fails_alone(modules, number):
    source = """
async def test_it():
    pytest.loops[__name__] = asyncio.get_running_loop()
    await pytest.meeting.wait()
    if __name__ == "test_{0}":
        pytest.loops["test_{1}"].close()
    await asyncio.sleep(0.05)
"""
    closed = (number + 1) % 3
    result = modules(
        *[source.format(number, closed)] * 3, conftest=MEETING.format(3) + "pytest.loops = {}"
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(f"*Something has closed * of test_{closed}.py*")


def test_a_timeout_is_that_of_its_test_on_its_loop(modules):
    source = """
async def test_it():
    await pytest.meeting.wait()
    if __name__ == "test_1": await asyncio.Event().wait()
    await asyncio.sleep(0.05)
"""
    result = modules(*[source] * 3, conftest=MEETING.format(3), args=["--asyncio-timeout=0.4"])
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines("FAILED test_1.py::test_it - TimeoutError: *")


def test_threads_and_sockets_wake_the_loop_that_waits_for_them(modules):
    source = """
async def answer(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()
async def test_thread():
    await pytest.meeting.wait()
    assert await asyncio.to_thread(lambda: 42) == 42
async def test_socket():
    await pytest.meeting.wait()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\\n")
        assert await reader.readline() == b"hello\\n"
        writer.close()
        await writer.wait_closed()
"""
    modules(*[source] * 2, conftest=MEETING.format(4)).assert_outcomes(passed=4)


def test_loops_without_a_descriptor_take_turns_too(modules):
    source = "async def test_it(): await pytest.meeting.wait()\n"
    modules(
        source,
        source,
        conftest=MEETING.format(2)
        + """
class Loop(asyncio.SelectorEventLoop):
    def time(self): return super().time() + 1
def pytest_asyncio_loop_factories(config, item): return {"own": Loop}
""",
    ).assert_outcomes(passed=2)


def test_one_that_looks_at_all_tasks_runs_alone(modules):
    modules(
        """
async def test_a(): await beside()
async def test_looks():
    assert len(asyncio.all_tasks()) == 1
    await alone()
async def test_b(): await beside()
"""
    ).assert_outcomes(passed=3)


@pytest.mark.parametrize("width", [2, 32])
def test_a_fixture_that_has_died_is_torn_down_when_none_uses_it_any_more(modules, width):
    result = modules(
        """
number = 0
died = asyncio.Event()
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server():
    global number
    number += 1
    own = number
    try:
        async with asyncio.TaskGroup() as group:
            async def die():
                await pytest.meeting.wait()
                raise OSError("the server has died")
            if own == 1: group.create_task(die())
            yield own
    finally:
        pytest.seen.append(f"server {own} is down")
@pytest_asyncio.fixture
async def account(server):
    yield
    await asyncio.sleep(0.05)
    pytest.seen.append(f"account of server {server} is closed")
async def test_a(account):
    await pytest.meeting.wait()
    await asyncio.Event().wait()
async def test_b(server):
    await pytest.meeting.wait()
    await asyncio.Event().wait()
@pytest.mark.parametrize("_", range(3))
async def test_c(server, _): pytest.seen.append(f"test_c on server {server}")
""",
        conftest=MEETING.format(3)
        + "pytest.seen = []\ndef pytest_unconfigure(): print(*pytest.seen, sep='\\n')\n",
        args=[f"--asyncio-concurrency={width}"],
    )
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"]) == (3, 2)
    after = ["test_c on server 2"] if width == 2 else []
    result.stdout.fnmatch_lines(["*account of server 1 is closed", "server 1 is down", *after])


@pytest.mark.parametrize("argument", ["-s", "-q"])
def test_a_fixture_that_dies_fails_none_that_was_over_before(modules, argument):
    result = modules(
        """
died = asyncio.Event()
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server():
    async with asyncio.TaskGroup() as group:
        async def die():
            await died.wait()
            raise OSError("the server has died")
        group.create_task(die())
        yield
async def test_waits(server): await asyncio.Event().wait()
async def test_is_over(server): await asyncio.sleep(0)
async def test_waits_too(server):
    died.set()
    await asyncio.Event().wait()  # here
""",
        args=[argument],
    )
    assert (result.parseoutcomes()["passed"], result.parseoutcomes()["failed"]) == (1, 2)
    result.stdout.fnmatch_lines(
        [
            "*_ test_waits_too _*",
            ">*await asyncio.Event().wait()  # here",
            "E *Cancelled: *'server'*",
        ]
    )


def test_those_that_end_before_one_with_other_filters_warn_by_their_own(modules):
    result = modules(
        """
import warnings
async def test_first(): await asyncio.sleep(0.01)
@pytest.mark.filterwarnings("ignore:of")
async def test_alone(): warnings.warn("of the lone test")
async def test_behind():
    await asyncio.sleep(0.03)
    warnings.warn("of the test behind it")
""",
        args=["-Wdefault"],
    )
    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines("*UserWarning: of the test behind it")


def test_pytest_fail_in_a_callback_of_the_current_test_fails_that(modules):
    source = """
async def test_it():
    await pytest.meeting.wait()
    if __name__ == "test_0":
        asyncio.get_running_loop().call_soon(pytest.fail, "by a callback")
        await asyncio.Event().wait()
"""
    result = modules(source, source, conftest=MEETING.format(2))
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["E*by a callback", "FAILED test_0.py*"])


@pytest.mark.usefixtures("_ctrl_c_is_of_the_inner_run")
def test_ctrl_c_while_all_loops_wait_ends_the_session(modules):
    source = """
async def test_it():
    await pytest.meeting.wait()
    if __name__ == "test_0":
        threading.Thread(target=interrupt_when_selecting, args=(threading.get_ident(),)).start()
    await asyncio.Event().wait()
"""
    head = (
        HEAD
        + """
import _thread, sys, threading, time
def interrupt_when_selecting(main):
    while "loops_in_turns" not in str(sys._current_frames()[main].f_back): time.sleep(0.001)
    _thread.interrupt_main()
"""
    )
    result = modules(source, source, head=head, conftest=MEETING.format(2))
    assert result.ret is pytest.ExitCode.INTERRUPTED


def test_a_module_whose_loop_a_synchronous_teardown_closes_fails_alone(modules):
    closing = """
@pytest.fixture
def closes():
    yield
    pytest.other.close()
async def test_it(closes): await pytest.meeting.wait()
"""
    waiting = """
async def test_it():
    await pytest.meeting.wait()
    while not pytest.other.is_closed(): await asyncio.sleep(0)
"""
    closed = """
async def test_over(): pass
async def test_it():
    pytest.other = asyncio.get_running_loop()
    await pytest.meeting.wait()
    await asyncio.Event().wait()
"""
    result = modules(closing, waiting, closed, conftest=MEETING.format(3))
    result.assert_outcomes(passed=3, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "E*test_0.py::test_it has closed the event loop of test_2.py.",
            "Something has closed the event loop of test_2.py while tests ran on it.",
        ]
    )


NEEDS_THE_THREAD = {
    "beside others": """
async def test_needs_the_thread(): await need_the_thread()
""",
    "alone": """
async def test_waits(): await left_behind()
async def test_needs_the_thread(monkeypatch): await need_the_thread()
""",
    "in a teardown": """
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wide():
    yield
    await need_the_thread()
async def test_waits(wide): await left_behind()
""",
}


@pytest.mark.parametrize("where", NEEDS_THE_THREAD)
def test_what_a_test_has_left_on_its_loop_goes_on_while_others_wait(modules, where):
    result = modules(
        """
async def left_behind():
    async with asyncio.timeout(20):
        while not pytest.left: await asyncio.sleep(0)
async def need_the_thread():
    await left_behind()
    async with asyncio.timeout(20):
        await asyncio.get_running_loop().run_in_executor(pytest.thread, print)
"""
        + NEEDS_THE_THREAD[where],
        """
async def test_leaves_the_thread_waiting_for_its_loop():
    loop = asyncio.get_running_loop()
    def wait(): asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), loop).result()
    pytest.left.append(pytest.thread.submit(wait))
""",
        conftest="from concurrent.futures import ThreadPoolExecutor\n"
        "pytest.thread, pytest.left = ThreadPoolExecutor(1), []",
    )
    assert set(result.parseoutcomes()) == {"passed"}


def _without_times(result):
    """Return what a run has shown, but for what tells it from another one."""
    text = re.sub(r"-* tests that ran at the same time -*\n.*\n", "", result.stdout.str())
    return re.sub(r"\d+\.\d+s|0x\w+|rootdir: .*", "", text)
