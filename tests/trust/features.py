"""The features that users cross: how each is switched on, a small suite, and what it promises."""

from __future__ import annotations

from typing import Final

from everyday import EVERYDAY
from feature import Feature

CHECKS: Final = {
    "leaked tasks": Feature(
        checks=("leaked-tasks",),
        tests="""
            async def test_leaks_a_task():
                KEPT.append(asyncio.create_task(hang(), name="leaked"))
        """,
        outcomes={"test_leaks_a_task": "warned"},
        said=(r"LeakedTaskWarning: test_leaks_a_task\S* left the task 'leaked' running",),
    ),
    "never awaited": Feature(
        checks=("never-awaited",),
        tests="""
            async def test_forgets_a_coroutine():
                hang()
        """,
        outcomes={"test_forgets_a_coroutine": "warned"},
        said=(
            r"NeverAwaitedWarning: test_forgets_a_coroutine\S* never awaited the coroutine 'hang'",
        ),
    ),
    "blocked loop": Feature(
        checks=("blocked-loop",),
        ini="asyncio_blocked_loop_threshold = 0.1",
        tests="""
            async def test_blocks_the_loop():
                time.sleep(0.3)
        """,
        outcomes={"test_blocks_the_loop": "warned"},
        said=(
            r"BlockedLoopWarning: test_blocks_the_loop\S* held the event loop .* in test_blocks",
        ),
    ),
    "open resources": Feature(
        checks=("open-resources",),
        tests="""
            async def test_leaves_a_server_open():
                await asyncio.start_server(print, "127.0.0.1", 0)
        """,
        outcomes={"test_leaves_a_server_open": "warned"},
        said=(r"OpenResourceWarning: test_leaves_a_server_open\S* has left a Server open since",),
    ),
    "unhandled exceptions": Feature(
        checks=("unhandled-exceptions",),
        tests="""
            def fail():
                raise LookupError("in a callback")

            async def test_has_a_callback_that_fails():
                asyncio.get_running_loop().call_soon(fail)
                await asyncio.sleep(0)
        """,
        outcomes={"test_has_a_callback_that_fails": "warned"},
        said=(
            r"UnhandledExceptionWarning: test_has_a_callback_that_fails\S*: .*LookupError: in a ",
        ),
    ),
    "loop settings": Feature(
        checks=("loop-settings",),
        tests="""
            @pytest.mark.asyncio(loop_scope="module")
            async def test_sets_a_mode():
                loop = asyncio.get_running_loop()
                loop.set_debug(not loop.get_debug())
        """,
        outcomes={"test_sets_a_mode": "warned"},
        said=(r"LoopSettingsWarning: test_sets_a_mode\S* has set the debug mode of",),
    ),
}

TIMEOUTS: Final = {
    "time-out of a wait": Feature(
        tests="""
            @pytest.mark.asyncio(timeout=0.1)
            async def test_waits_too_long():
                await hang()
        """,
        outcomes={"test_waits_too_long": "failed"},
        said=(r"TimeoutError: at .* in hang: test_waits_too_long\S* took longer than the 0.1 s",),
    ),
    "time-out of a block": Feature(
        tests="""
            @pytest.mark.asyncio(timeout=0.1)
            async def test_runs_too_long():
                while True:
                    pass
        """,
        outcomes={"test_runs_too_long": "failed"},
        said=(r"TimeoutError: .* in test_runs_too_long .*test_runs_too_long\S* took longer than",),
    ),
    "time-out of a callback that blocks": Feature(
        tests="""
            @pytest.mark.asyncio(timeout=0.1)
            async def test_has_a_callback_that_blocks():
                def block():
                    while True:
                        pass

                asyncio.get_running_loop().call_soon(block)
                await hang()
        """,
        outcomes={"test_has_a_callback_that_blocks": "failed"},
        said=(
            r"TimeoutError: .* in .*block .*test_has_a_callback_that_blocks\S* took longer than",
        ),
    ),
    "time-out of a refusal to end": Feature(
        tests="""
            @pytest.mark.asyncio(timeout=0.1, loop_scope="function")
            async def test_refuses_to_end():
                while True:
                    with contextlib.suppress(asyncio.CancelledError):
                        await hang()
        """,
        outcomes={"test_refuses_to_end": "failed"},
        said=(r"TimeoutError: at .* in hang: test_refuses_to_end\S* took longer than the 0.1 s",),
    ),
    "time-out in a setup": Feature(
        tests="""
            @pytest_asyncio.fixture(timeout=0.1)
            async def slow_setup():
                await hang()

            async def test_has_a_slow_setup(slow_setup):
                pass
        """,
        outcomes={"test_has_a_slow_setup": "error"},
        said=("TimeoutError: at .* in hang: The setup of fixture 'slow_setup' took longer than",),
    ),
    "time-out in a teardown": Feature(
        tests="""
            @pytest_asyncio.fixture(timeout=0.1)
            async def slow_teardown():
                yield
                await hang()

            async def test_has_a_slow_teardown(slow_teardown):
                pass
        """,
        outcomes={"test_has_a_slow_teardown": "error"},
        said=("TimeoutError: at .* in hang: The teardown of fixture 'slow_teardown' took longer",),
    ),
}

CONCURRENCY: Final = {
    "concurrent": Feature(
        ini="asyncio_concurrent = true",
        tests="""
            async def test_one_of_two():
                await meet("test_one_of_two", "test_other_of_two")

            async def test_other_of_two():
                await meet("test_other_of_two", "test_one_of_two")
        """,
        outcomes={"test_one_of_two": "passed", "test_other_of_two": "passed"},
        overlap=("test_one_of_two", "test_other_of_two"),
    ),
    "concurrent in a class": Feature(
        tests="""
            @pytest.mark.asyncio(concurrent=True, loop_scope="class")
            class TestConcurrent:
                async def test_first_in_class(self):
                    await meet("test_first_in_class", "test_second_in_class")

                async def test_second_in_class(self):
                    await meet("test_second_in_class", "test_first_in_class")
        """,
        outcomes={"test_first_in_class": "passed", "test_second_in_class": "passed"},
        overlap=("test_first_in_class", "test_second_in_class"),
    ),
    "concurrent beside a dying fixture": Feature(
        tests="""
            @pytest_asyncio.fixture(scope="module", loop_scope="module")
            async def dying():
                async def die():
                    await asyncio.sleep(0.05)
                    raise OSError("the server has died")
                async with asyncio.TaskGroup() as group:
                    group.create_task(die())
                    yield

            @pytest.mark.asyncio(concurrent=True, loop_scope="module")
            async def test_has_a_dying_fixture(dying):
                await hang()

            @pytest.mark.asyncio(concurrent=True, loop_scope="module")
            async def test_is_beside_it():
                await asyncio.sleep(0.1)
        """,
        outcomes={"test_has_a_dying_fixture": "error", "test_is_beside_it": "passed"},
        said=(
            "Cancelled: The async fixture 'dying' ended while it was in use",
            "OSError: the server has died",
        ),
    ),
}

SETTINGS: Final = {
    "virtual clock": Feature(
        args=("--asyncio-clock=virtual",),
        tests="""
            async def test_waits_for_an_hour():
                loop = asyncio.get_running_loop()
                before = loop.time()
                await asyncio.sleep(3600)
                assert loop.time() == before + 3600
        """,
        outcomes={"test_waits_for_an_hour": "passed"},
    ),
    "trace": Feature(
        args=("--asyncio-trace=trace.json",),
        tests="""
            async def test_is_traced():
                await asyncio.sleep(0)
        """,
        outcomes={"test_is_traced": "passed"},
    ),
    "durations": Feature(
        args=("--asyncio-durations=0",),
        tests="""
            async def test_lasts():
                time.sleep(0.01)
        """,
        outcomes={"test_lasts": "passed"},
        said=("slowest async durations", r"\ds +call .*::test_lasts"),
    ),
    "tasks": Feature(
        args=("--asyncio-tasks",),
        tests="""
            async def test_fails_beside_a_task():
                task = asyncio.create_task(hang(), name="beside it")
                await asyncio.sleep(0)
                assert not "beside a task"
        """,
        outcomes={"test_fails_beside_a_task": "failed"},
        said=("asyncio tasks", r"beside it.*\n.* in hang"),
    ),
    "debug mode": Feature(
        args=("--asyncio-debug",),
        tests="""
            async def test_is_debugged():
                assert asyncio.get_running_loop().get_debug()
        """,
        outcomes={"test_is_debugged": "passed"},
    ),
    "uvloop": Feature(
        args=("--asyncio-loop-factory=uvloop.new_event_loop",),
        needs="uvloop",
        tests="""
            async def test_is_on_uvloop():
                assert "uvloop" in str(type(asyncio.get_running_loop()))
        """,
        outcomes={"test_is_on_uvloop": "passed"},
    ),
    "parametrized factories": Feature(
        conftest="""
            def make_loop():
                return asyncio.SelectorEventLoop()

            def pytest_asyncio_loop_factories():
                return {"one": asyncio.SelectorEventLoop, "two": make_loop}
        """,
        tests="""
            async def test_runs_with_each():
                await asyncio.sleep(0)
        """,
        outcomes={"test_runs_with_each": "passed"},
    ),
    "wide loops": Feature(
        ini="""
            asyncio_default_test_loop_scope = session
            asyncio_default_fixture_loop_scope = session
        """,
        tests="""
            LOOPS = set()

            async def test_shares_a_loop():
                LOOPS.add(asyncio.get_running_loop())

            async def test_has_the_same_loop():
                assert asyncio.get_running_loop() in LOOPS
        """,
        outcomes={"test_shares_a_loop": "passed", "test_has_the_same_loop": "passed"},
    ),
    "loop scope auto": Feature(
        args=("--asyncio-loop-scope=auto",),
        tests="""
            @pytest_asyncio.fixture(scope="module")
            async def loop_of_fixture():
                return asyncio.get_running_loop()

            async def test_is_on_its_loop(loop_of_fixture):
                assert asyncio.get_running_loop() is loop_of_fixture
        """,
        outcomes={"test_is_on_its_loop": "passed"},
    ),
    "wide fixtures": Feature(
        conftest="""
            @pytest_asyncio.fixture(scope="session", autouse=True)
            async def wide():
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(asyncio.Event().wait())
                    yield 1
                    task.cancel()
        """,
        tests="""
            async def test_has_a_wide_fixture(wide):
                assert wide == 1
        """,
        outcomes={"test_has_a_wide_fixture": "passed"},
    ),
}

WAYS: Final = {
    "getfixturevalue": Feature(
        conftest="""
            @pytest_asyncio.fixture
            async def late():
                yield "late"
                await asyncio.sleep(0)

            @pytest_asyncio.fixture(autouse=True)
            async def asks(request):
                return await pytest_asyncio.getfixturevalue(request, "late")
        """,
        tests="""
            async def test_asks_for_a_fixture(request):
                assert await pytest_asyncio.getfixturevalue(request, "late") == "late"
        """,
        outcomes={"test_asks_for_a_fixture": "passed"},
    ),
    "options of a folder": Feature(
        conftest="""
            def pytest_asyncio_options():
                return {"asyncio_timeout": 30}
        """,
        tests="""
            async def test_is_in_a_folder():
                await asyncio.sleep(0)
        """,
        outcomes={"test_is_in_a_folder": "passed"},
    ),
    "dump signal": Feature(
        ini="asyncio_dump_signal = SIGUSR2",
        is_process=True,  # It writes to the stderr that the process began with.
        tests="""
            async def test_is_shown():
                signal.raise_signal(signal.SIGUSR2)
                await asyncio.sleep(0.01)
        """,
        outcomes={"test_is_shown": "passed"},
        said=("what async tests were doing.*, at SIGUSR2",),
    ),
    "asyncio_runner": Feature(
        tests="""
            @pytest_asyncio.fixture
            async def loop_of_its_own():
                return asyncio.get_running_loop()

            async def running():
                return asyncio.get_running_loop()

            def test_is_synchronous(loop_of_its_own, asyncio_runner):
                assert asyncio_runner.run(running()) is loop_of_its_own
        """,
        outcomes={"test_is_synchronous": "passed"},
    ),
    "xunit methods": Feature(
        tests="""
            class TestXunit:
                async def setup_method(self):
                    self.loop = asyncio.get_running_loop()

                async def teardown_method(self):
                    await asyncio.sleep(0)

                async def test_has_a_setup_method(self):
                    assert self.loop is asyncio.get_running_loop()
        """,
        outcomes={"test_has_a_setup_method": "passed"},
    ),
    "Hypothesis": Feature(
        args=("-p_hypothesis_pytestplugin",),
        needs="hypothesis",
        tests="""
            from hypothesis import given, settings, strategies as st

            @settings(database=None, max_examples=5, deadline=None)
            @given(n=st.integers())
            async def test_holds_for_all(n):
                await asyncio.sleep(0)

            @settings(database=None, max_examples=20, deadline=None)
            @given(n=st.integers())
            async def test_holds_for_few(n):
                await asyncio.sleep(0)
                assert n == 0
        """,
        outcomes={"test_holds_for_all": "passed", "test_holds_for_few": "failed"},
        said=("(Falsifying example|Failing test case): test_holds_for_few",),
    ),
    "state machine": Feature(
        args=("-p_hypothesis_pytestplugin",),
        needs="hypothesis",
        tests="""
            from hypothesis import settings
            from hypothesis.stateful import rule

            class Machine(pytest_asyncio.RuleBasedStateMachine):
                @rule()
                async def step(self):
                    await asyncio.sleep(0)

            TestMachine = Machine.TestCase
            TestMachine.settings = settings(
                database=None, max_examples=3, stateful_step_count=3, deadline=None
            )
        """,
        outcomes={"runTest": "passed"},
    ),
    "sweep of cancellations": Feature(
        tests="""
            @pytest.mark.asyncio(cancel=True)
            async def test_is_cancelled_at_each_await():
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        """,
        outcomes={"test_is_cancelled_at_each_await": "passed"},
    ),
    "late clock": Feature(
        tests="""
            @pytest.mark.asyncio(clock="virtual", schedules=5)
            async def test_is_late():
                await asyncio.sleep(60)
        """,
        outcomes={"test_is_late": "passed"},
    ),
    "parallel fixtures": Feature(
        tests="""
            @pytest_asyncio.fixture(parallel=True)
            async def left():
                await asyncio.sleep(0.01)
                yield "left"
                await asyncio.sleep(0.01)

            @pytest_asyncio.fixture(parallel=True)
            async def right():
                await asyncio.sleep(0.01)
                return "right"

            async def test_has_both(left, right):
                assert (left, right) == ("left", "right")
        """,
        outcomes={"test_has_both": "passed"},
    ),
    "subtests": Feature(
        needs="_pytest.subtests",
        tests="""
            async def test_has_subtests(subtests):
                with subtests.test("one"):
                    await asyncio.sleep(0)
                    assert not "in a subtest"
        """,
        outcomes={"test_has_subtests": "failed"},
        said=("AssertionError: assert not 'in a subtest'",),
    ),
    "anyio task group": Feature(
        args=("-panyio.pytest_plugin",),
        needs="anyio",
        conftest="""
            import anyio

            @pytest_asyncio.fixture(autouse=True)
            async def group():
                async with anyio.create_task_group() as group:
                    group.start_soon(anyio.sleep_forever)
                    yield group
                    group.cancel_scope.cancel()
        """,
        tests="""
            async def test_has_a_task_group(group):
                with anyio.move_on_after(0.01) as scope:
                    await anyio.sleep_forever()
                assert scope.cancelled_caught

            import anyio
        """,
        outcomes={"test_has_a_task_group": "passed"},
    ),
    "time-out over a yield": Feature(
        tests="""
            @pytest_asyncio.fixture
            async def short():
                async with asyncio.timeout(0.05):
                    yield

            async def test_is_longer(short):
                await hang()
        """,
        outcomes={"test_is_longer": "error"},
        said=("Cancelled: The async fixture 'short' ended while it was in use", "TimeoutError"),
    ),
    "loop.stop()": Feature(
        tests="""
            async def test_stops_its_loop():
                asyncio.get_running_loop().stop()
                await hang()
        """,
        outcomes={"test_stops_its_loop": "failed"},
        said=(r"[Ss]omething has called stop\(\) on|stopped",),
    ),
    "warning of closing": Feature(
        tests="""
            async def refuse():
                while True:
                    with contextlib.suppress(asyncio.CancelledError):
                        await hang()

            @pytest.mark.asyncio(loop_scope="function")
            async def test_leaves_what_refuses():
                KEPT.append(asyncio.create_task(refuse(), name="refusing"))
                await asyncio.sleep(0)
        """,
        outcomes={"test_leaves_what_refuses": "warned"},
        said=("These tasks did not end when they were cancelled: refusing at|'refusing' running",),
    ),
    "live loops": Feature(
        ini="asyncio_live = true",
        tests="""
            @pytest_asyncio.fixture
            async def ticking():
                ticks = threading.Event()
                async def tick():
                    await asyncio.sleep(0.01)
                    ticks.set()
                task = asyncio.create_task(tick())
                yield ticks
                await task

            def test_waits_for_a_live_loop(ticking):
                assert ticking.wait(1)
        """,
        outcomes={"test_waits_for_a_live_loop": "passed"},
    ),
}

ENDS: Final = {
    "checks as errors": Feature(
        checks=("leaked-tasks",),
        args=("-Werror::pytest_asyncio.CheckWarning",),
        tests="""
            async def test_must_not_leak():
                KEPT.append(asyncio.create_task(hang(), name="not allowed"))
        """,
        outcomes={"test_must_not_leak": "warned"},
        said=("LeakedTaskWarning: test_must_not_leak.* left the task 'not allowed' running",),
    ),
    "xdist": Feature(
        args=("-pxdist", "-n1"),
        needs="xdist",
        is_process=True,
        tests="""
            async def test_is_in_a_worker(worker_id):
                assert worker_id != "master"
        """,
        outcomes={"test_is_in_a_worker": "passed"},
    ),
    "pytest-timeout": Feature(
        args=("-ppytest_timeout", "-otimeout_method=signal"),
        needs="pytest_timeout",
        tests="""
            @pytest.mark.timeout(0.3, func_only=True)
            async def test_takes_longer():
                await hang()
        """,
        outcomes={"test_takes_longer": "failed"},
        said=(r"Failed: Timeout \(>0.3s\)",),
    ),
    "--pdb": Feature(
        args=("--pdb", "--pdbcls=debugger:Debugger"),
        is_process=True,  # pytest-timeout lets every test take its time from then on.
        tests="""
            async def test_is_looked_at():
                assert not "looked at"
        """,
        outcomes={"test_is_looked_at": "failed"},
        said=("entering PDB", "AssertionError: assert not 'looked at'"),
    ),
    "-x": Feature(
        args=("-x",),
        ends_session=True,
        tests="""
            async def test_is_the_last():
                assert not "the last"

            async def test_is_behind():
                await asyncio.sleep(0)
        """,
        outcomes={"test_is_the_last": "failed", "test_is_behind": "passed"},
        said=("stopping after 1 failures",),
    ),
    "Ctrl-C": Feature(
        ends_session=True,
        tests="""
            async def test_is_interrupted():
                await asyncio.sleep(0.01)
                signal.raise_signal(signal.SIGINT)
                await hang()
        """,
        said=("!!! KeyboardInterrupt !!!|stopping after 1 failures",),
    ),
}

FEATURES: Final = {
    **TIMEOUTS,
    **CHECKS,
    **CONCURRENCY,
    **SETTINGS,
    **WAYS,
    **EVERYDAY,
    **ENDS,
}
