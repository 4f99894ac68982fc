"""`pytest_asyncio.RuleBasedStateMachine`: Hypothesis state machines with coroutines."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("hypothesis")

SCOPES = ("function", "class", "module", "package", "session")
HEAD = """
from hypothesis import Phase, seed, settings, strategies
from hypothesis.stateful import (
    Bundle, consumes, initialize, invariant, multiple, precondition, rule,
    run_state_machine_as_test,
)
settings.register_profile(
    "few", max_examples=5, stateful_step_count=5, database=None, derandomize=True, deadline=None
)
settings.load_profile("few")
"""


@pytest.fixture
def machines(suite):
    return lambda source, *args: suite(HEAD + textwrap.dedent(source), *args)


def test_rules_invariants_initializers_and_teardown_are_awaited(machines):
    result = machines("""
        awaited = set()

        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @initialize()
            async def prepare(self):
                await self.note("initialize")

            @rule()
            async def step(self):
                await self.note("rule")

            @invariant()
            async def holds(self):
                await self.note("invariant")

            async def teardown(self):
                await self.note("teardown")

            async def note(self, what):
                await asyncio.sleep(0)
                awaited.add(what)

        TestMachine = Machine.TestCase

        def test_all_were():
            assert awaited == {"initialize", "rule", "invariant", "teardown"}
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_a_step_that_fails_fails_the_test_at_its_line(machines, mode):
    result = machines(
        """
        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @rule()
            async def step(self):
                await asyncio.sleep(0)
                raise LookupError("here")

        TestMachine = Machine.TestCase
        """,
        f"--asyncio-mode={mode}",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*raise LookupError*", "E*state.step()", "E*state.teardown()"])
    result.stdout.no_fnmatch_line("*pytest_asyncio/*")


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("place", ["machine", "test case", "module"])
def test_the_steps_run_on_the_loop_of_the_loop_scope(machines, scope, place):
    mark = f"pytest.mark.asyncio(loop_scope={scope!r})"
    result = machines(f"""
        pytestmark = [{mark}] if {place!r} == "module" else []
        loops = set()

        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @rule()
            async def step(self):
                loops.add(asyncio.get_running_loop())

        if {place!r} == "machine":
            Machine = {mark}(settings(max_examples=2)(Machine))
        TestMachine = Machine.TestCase
        if {place!r} == "test case":
            TestMachine = {mark}(TestMachine)

        @pytest.mark.asyncio(loop_scope={scope!r})
        async def test_the_loop():
            is_shared = {scope!r} in ("module", "package", "session")
            assert loops == {{asyncio.get_running_loop()}} or not is_shared
            assert len(loops) == 1
    """)
    result.assert_outcomes(passed=2)


def test_a_machine_has_the_marks_of_its_base(machines):
    result = machines("""
        @pytest.mark.skip
        class Base(pytest_asyncio.RuleBasedStateMachine):
            @rule()
            async def step(self):
                pass

        class Machine(Base):
            pass

        TestBase, TestMachine = Base.TestCase, Machine.TestCase
    """)
    result.assert_outcomes(skipped=2)


def test_synchronous_and_async_steps_share_a_context_that_each_example_has_anew(machines):
    result = machines("""
        import contextvars
        var = contextvars.ContextVar("var", default=())

        class Machine(pytest_asyncio.RuleBasedStateMachine):
            def __init__(self):
                super().__init__()
                assert var.get() == ()
                var.set(("init",))
                self.expected = ("init",)

            @rule()
            def synchronous(self):
                self.add("sync")

            @rule()
            async def asynchronous(self):
                await asyncio.sleep(0)
                self.add("async")

            def add(self, what):
                assert var.get() == self.expected
                self.expected += (what,)
                var.set(self.expected)

            @invariant()
            async def is_seen(self):
                assert var.get() == self.expected

            def teardown(self):
                assert var.get() == self.expected

        TestMachine = Machine.TestCase

        def test_after_it():
            assert var.get() == ()
    """)
    result.assert_outcomes(passed=2)


def test_an_example_leaves_no_task_behind(machines):
    result = machines("""
        started, cancelled = [], []

        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @rule()
            async def leave(self):
                assert len(asyncio.all_tasks()) == len(started) - len(cancelled) + 1
                started.append(asyncio.create_task(self.work()))
                await asyncio.sleep(0)

            async def work(self):
                try:
                    await asyncio.Event().wait()
                finally:
                    cancelled.append(self)

            async def teardown(self):
                assert len(cancelled) < len(started)

        TestMachine = Machine.TestCase

        def test_after_it():
            assert len(cancelled) == len(started) > 1
    """)
    result.assert_outcomes(passed=2)


def test_a_task_goes_on_from_one_step_to_the_next(machines):
    result = machines("""
        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @initialize()
            async def start(self):
                self.wanted, self.done = asyncio.Queue(), asyncio.Queue()
                asyncio.create_task(self.serve())

            async def serve(self):
                while True:
                    await self.done.put(await self.wanted.get())

            @rule(number=strategies.integers())
            async def ask(self, number):
                await self.wanted.put(number)
                assert await self.done.get() == number

        TestMachine = Machine.TestCase
    """)
    result.assert_outcomes(passed=1)


def test_bundles_take_what_coroutines_return(machines):
    result = machines("""
        class Machine(pytest_asyncio.RuleBasedStateMachine):
            numbers = Bundle("numbers")
            consumed = 0

            @rule(target=numbers)
            async def one(self):
                return 1

            @rule(target=numbers)
            async def several(self):
                return multiple(1, 1)

            @rule(target=numbers)
            def synchronous(self):
                return 1

            @rule(number=consumes(numbers))
            async def use(self, number):
                assert number == 1

        TestMachine = Machine.TestCase
    """)
    result.assert_outcomes(passed=1)


def test_preconditions_hold(machines):
    result = machines("""
        class Machine(pytest_asyncio.RuleBasedStateMachine):
            is_open = False

            @precondition(lambda self: not self.is_open)
            @rule()
            async def open(self):
                self.is_open = True

            @precondition(lambda self: self.is_open)
            @rule()
            async def close(self):
                assert self.is_open
                self.is_open = False

            @precondition(lambda self: self.is_open)
            @invariant()
            async def stays_open(self):
                assert self.is_open

        TestMachine = Machine.TestCase
    """)
    result.assert_outcomes(passed=1)


def test_a_precondition_that_is_a_coroutine_function_is_refused(machines):
    result = machines("""
        async def is_open(machine):
            return True

        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @precondition(is_open)
            @rule()
            async def step(self):
                pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E*InvalidDefinition: Machine.step has a precondition that is a coroutine function.*"]
    )


STORE = """
    class Store:
        def __init__(self):
            self.items, self.removed = {}, 0
        ASYNC def put(self, key, value):
            PAUSE
            self.items[key] = value
        ASYNC def remove(self, key):
            PAUSE
            self.removed += 1
            if self.removed < 2:  # planted
                self.items.pop(key, None)
        ASYNC def get(self, key):
            PAUSE
            return self.items.get(key)

    class Machine(BASE):
        keys = Bundle("keys")
        def __init__(self):
            super().__init__()
            self.store, self.model = Store(), {}
        @rule(target=keys, key=strategies.integers())
        def add_key(self, key):
            return key
        @rule(key=keys, value=strategies.integers())
        ASYNC def put(self, key, value):
            AWAIT self.store.put(key, value)
            self.model[key] = value
        @precondition(lambda self: self.model)
        @rule(key=keys)
        ASYNC def remove(self, key):
            AWAIT self.store.remove(key)
            self.model.pop(key, None)
        @rule(key=keys)
        ASYNC def get(self, key):
            assert AWAIT self.store.get(key) == self.model.get(key)

    many = settings(max_examples=200, stateful_step_count=20, derandomize=False)
    TestMachine = seed(1)(many(Machine)).TestCase  # What is derandomized goes by the source code.
"""
SYNCHRONOUS = {"ASYNC ": "", "AWAIT ": "", "PAUSE": "pass"}
ASYNCHRONOUS = {"ASYNC ": "async ", "AWAIT ": "await ", "PAUSE": "await asyncio.sleep(0)"}


def test_a_fault_shrinks_to_the_steps_that_it_shrinks_to_in_synchronous_code(machines):
    def steps_of(base, words):
        source = STORE.replace("BASE", base)
        for word, replacement in words.items():
            source = source.replace(word, replacement)
        result = machines(f"    import hypothesis.stateful\n{source}")
        result.assert_outcomes(failed=1)
        return re.findall(r"^E +(.*state\.\w+\(.*)$", result.stdout.str(), re.MULTILINE)

    expected = steps_of("hypothesis.stateful.RuleBasedStateMachine", SYNCHRONOUS)
    assert len(expected) > 5
    assert steps_of("pytest_asyncio.RuleBasedStateMachine", ASYNCHRONOUS) == expected


def test_a_failure_is_replayed_from_the_database(machines):
    result = machines("""
        from hypothesis.database import InMemoryExampleDatabase
        numbers = []

        @settings(database=InMemoryExampleDatabase(), derandomize=False, max_examples=100)
        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @rule(number=strategies.integers())
            async def step(self, number):
                numbers.append(number)
                assert number < 1000

        TestMachine = Machine.TestCase

        class TestReplay(Machine.TestCase):
            @classmethod
            def setUpClass(cls):
                numbers.clear()

        def test_the_first_was_the_smallest():
            assert numbers[0] == 1000
    """)
    result.assert_outcomes(failed=2, passed=1)


def test_a_step_may_await_another_one_and_the_one_that_it_overrides(machines):
    result = machines("""
        class Base(pytest_asyncio.RuleBasedStateMachine):
            count = 0

            @rule()
            async def step(self):
                self.count += 1

        class Machine(Base):
            @rule()
            async def step(self):
                await super().step()
                assert self.count == 1
                await self.other()
                assert self.count == 0

            @rule()
            async def other(self):
                self.count = 0

        TestMachine = Machine.TestCase
    """)
    result.assert_outcomes(passed=1)


def test_a_base_class_may_be_shared_with_a_synchronous_machine(machines):
    result = machines("""
        from hypothesis.stateful import RuleBasedStateMachine

        class Shared:
            @rule()
            def step(self):
                self.has_stepped = True

        class Async(Shared, pytest_asyncio.RuleBasedStateMachine):
            @rule()
            async def own(self):
                pass

        class Sync(Shared, RuleBasedStateMachine):
            def teardown(self):
                assert self.has_stepped

        TestAsync, TestSync = Async.TestCase, Sync.TestCase
    """)
    result.assert_outcomes(passed=2)


def test_a_synchronous_test_runs_a_machine_on_the_loop_of_its_fixtures(machines):
    result = machines("""
        @pytest_asyncio.fixture
        async def store():
            return asyncio.get_running_loop(), {}

        def test_it(store):
            class Machine(pytest_asyncio.RuleBasedStateMachine):
                @rule(key=strategies.integers())
                async def put(self, key):
                    loop, items = store
                    assert asyncio.get_running_loop() is loop
                    items[key] = key

            run_state_machine_as_test(Machine)
            assert store[1]
    """)
    result.assert_outcomes(passed=1)


def test_an_async_test_is_advised_to_be_synchronous(machines):
    result = machines("""
        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @rule()
            async def step(self):
                pass

        @pytest.mark.asyncio
        async def test_it():
            run_state_machine_as_test(Machine)
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a state machine was made by code that runs on an event loop*"])


def test_outside_of_tests_a_machine_says_what_it_needs():
    source = """
import pytest_asyncio
from hypothesis.stateful import rule
class Machine(pytest_asyncio.RuleBasedStateMachine):
    @rule()
    async def step(self): ...
Machine()
"""
    process = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert "RuntimeError: A pytest_asyncio.RuleBasedStateMachine can only be made by" in (
        process.stderr
    )


def test_steps_run_in_virtual_time(machines):
    result = machines("""
        @pytest.mark.asyncio(clock="virtual")
        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @rule()
            async def step(self):
                before = asyncio.get_running_loop().time()
                await asyncio.sleep(3600)
                assert asyncio.get_running_loop().time() >= before + 3600

        TestMachine = Machine.TestCase
    """)
    result.assert_outcomes(passed=1)


def test_each_step_is_bounded_by_the_time_out(machines):
    result = machines("""
        @pytest.mark.asyncio(timeout=0.05)
        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @rule()
            async def step(self):
                await asyncio.Event().wait()

        TestMachine = settings(phases=[Phase.generate])(Machine).TestCase
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*TimeoutError: * took longer than the 0.05 s of its timeout*"])


def test_checks_see_what_the_steps_do(machines):
    result = machines(
        """
        async def work():
            pass

        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @rule()
            async def step(self):
                work()

        TestMachine = Machine.TestCase
        """,
        "--asyncio-checks=never-awaited",
    )
    result.stdout.fnmatch_lines(["*NeverAwaitedWarning: *"])


@pytest.mark.parametrize("kind", ["wraps", "static"])
def test_decorated_coroutine_functions_are_awaited(machines, kind):
    result = machines(f"""
        import functools
        awaited = []

        def decorated(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapper if {kind!r} == "wraps" else function

        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @rule()
            @decorated
            async def step(self):
                awaited.append(self)

        TestMachine = Machine.TestCase

        def test_it_was():
            assert awaited
    """)
    result.assert_outcomes(passed=2)


def test_a_machine_whose_fixture_ends_fails_at_the_step_that_has_ended_it(machines):
    result = machines("""
        ended = []

        @pytest_asyncio.fixture
        async def server():
            async def serve():
                await Machine.stop.wait()
                raise OSError("the server has died")

            async with asyncio.TaskGroup() as group:
                Machine.stop = asyncio.Event()
                group.create_task(serve())
                yield

        @pytest.mark.usefixtures("server")
        class Machine(pytest_asyncio.RuleBasedStateMachine):
            @rule()
            async def kill(self):
                Machine.stop.set()
                await asyncio.sleep(0.1)

            async def teardown(self):
                ended.append(self)

        TestMachine = Machine.TestCase

        def test_the_end_of_each_machine_was_awaited():
            assert len(ended) > 1
    """)
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines([">*await asyncio.sleep(0.1)", "E*Cancelled: *'server' ended*"])
    result.stdout.no_fnmatch_line("*Flaky*")
