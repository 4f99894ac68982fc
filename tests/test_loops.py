"""Loops: who shares one, what synchronous code finds, and how one ends."""

from __future__ import annotations

import pytest

SCOPES = ("function", "class", "module", "package", "session")

# Two tests for each step of the tree. Each reports by `see(...)` which loop it runs on.
TREE_TEST = """
    pytestmark = pytest.mark.asyncio

    async def test_one(see): see()
    async def test_two(see): see()

    class TestIt:
        async def test_one(self, see): see()
        async def test_two(self, see): see()
"""
TREE_FILES = {
    "test_top.py": TREE_TEST,
    "pkg/__init__.py": "",
    "pkg/test_a.py": TREE_TEST,
    "pkg/test_b.py": TREE_TEST,
    "pkg/sub/__init__.py": "",
    "pkg/sub/test_c.py": TREE_TEST,
}
TREE_CONFTEST = """
    loops = []
    seen = {}

    @pytest.fixture
    def see(request):
        def see():
            loop = asyncio.get_running_loop()
            if loop not in loops:
                loops.append(loop)
            seen[request.node.nodeid] = loops.index(loop)
        return see

    def pytest_terminal_summary(terminalreporter):
        groups = [[name for name in seen if seen[name] == i] for i in range(len(loops))]
        terminalreporter.write_line(f"loops: {[len(group) for group in groups]}")
"""


@pytest.fixture
def short_grace(monkeypatch):
    monkeypatch.setattr("pytest_asyncio.engine.event_loop.GRACE", 0.01)
    monkeypatch.setattr("pytest_asyncio.engine.event_loop.LAST_GRACE", 0.01)


@pytest.mark.parametrize(
    ("scope", "tests_on_each_loop"),
    [
        ("function", [1] * 16),
        # A function outside of a class is a class of its own.
        ("class", [1, 1, 2] * 4),
        ("module", [4, 4, 4, 4]),
        # What is in no package runs on the session's loop, and a sub-package on its own.
        ("package", [8, 4, 4]),
        ("session", [16]),
    ],
)
def test_a_loop_is_shared_by_the_tests_in_its_scope(suite, scope, tests_on_each_loop):
    result = suite(
        conftest=TREE_CONFTEST, files=TREE_FILES, ini=f"asyncio_default_test_loop_scope = {scope}"
    )
    result.assert_outcomes(passed=16)
    (line,) = (line for line in result.outlines if line.startswith("loops: "))
    assert sorted(eval(line.removeprefix("loops: "))) == sorted(tests_on_each_loop)


@pytest.mark.parametrize("scope", SCOPES)
def test_each_loop_scope_may_be_written_on_a_test(suite, scope):
    result = suite(f"""
        loops = set()

        class TestIt:
            @pytest.mark.asyncio(loop_scope="{scope}")
            async def test_one(self):
                loops.add(asyncio.get_running_loop())

            @pytest.mark.asyncio(loop_scope="{scope}")
            async def test_two(self):
                assert (asyncio.get_running_loop() in loops) == ("{scope}" != "function")
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("test_scope", SCOPES)
@pytest.mark.parametrize("fixture_scope", SCOPES)
def test_test_and_fixture_share_a_loop_if_they_have_the_same_loop_scope(
    suite, test_scope, fixture_scope
):
    result = suite(
        f"""
        class TestIt:
            @pytest.mark.asyncio(loop_scope="{test_scope}")
            async def test_it(self, loop):
                is_same = loop is asyncio.get_running_loop()
                assert is_same == ("{test_scope}" == "{fixture_scope}")
        """,
        files={
            "__init__.py": "",
            "conftest.py": f"""
                @pytest_asyncio.fixture(loop_scope="{fixture_scope}")
                async def loop():
                    return asyncio.get_running_loop()
            """,
        },
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("scope", "loop_scope"),
    [(scope, loop) for i, scope in enumerate(SCOPES) for loop in SCOPES[i:]],
)
def test_the_loop_scope_of_a_fixture_may_be_wider_than_its_scope(suite, scope, loop_scope):
    result = suite(
        f"""
        @pytest_asyncio.fixture(scope="{scope}", loop_scope="{loop_scope}")
        async def loop():
            loop = asyncio.get_running_loop()
            yield loop
            assert loop is asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="{loop_scope}")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
        """,
        files={"__init__.py": ""},
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("default", ["", "fixture-scope", *SCOPES])
def test_the_default_loop_scope_of_a_fixture_is_at_least_its_scope(suite, scope, default):
    expected = max(scope, default, key=lambda name: SCOPES.index(name) if name in SCOPES else -1)
    result = suite(
        f"""
        @pytest_asyncio.fixture(scope="{scope}")
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="{expected}")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
        """,
        ini=f"asyncio_default_fixture_loop_scope = {default}",
        files={"__init__.py": ""},
    )
    result.assert_outcomes(passed=1)


def test_a_parameter_that_lasts_longer_than_its_fixture_widens_its_loop(suite):
    result = suite("""
        @pytest_asyncio.fixture(loop_scope="function")
        async def number(request):
            loop = asyncio.get_running_loop()
            yield request.param
            assert asyncio.get_running_loop() is loop

        @pytest.mark.asyncio
        @pytest.mark.parametrize("number", [1, 2], indirect=True, scope="module")
        async def test_it(number):
            pass
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("scope", "loop_scope"),
    [(scope, loop) for i, scope in enumerate(SCOPES) for loop in SCOPES[:i]],
)
def test_a_narrower_loop_scope_is_refused_with_both_scopes(suite, scope, loop_scope):
    result = suite(f"""
        @pytest_asyncio.fixture(scope="{scope}", loop_scope="{loop_scope}")
        async def database():
            pass

        @pytest.mark.asyncio
        async def test_it(database):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        f"Fixture 'database' has scope='{scope}' and loop_scope='{loop_scope}': its loop would be "
        f"closed before the fixture is torn down. Write loop_scope='{scope}' or a wider one."
    )


def test_an_unknown_loop_scope_of_a_fixture_is_refused(suite):
    result = suite("""
        @pytest_asyncio.fixture(loop_scope="modul")
        async def database():
            pass

        @pytest.mark.asyncio
        async def test_it(database):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("Fixture 'database': 'modul' is not a valid loop_scope. *")


NO_LOOP = """
def no_loop():
    raise LookupError("there is no loop")
"""


def test_a_synchronous_test_with_a_mark_needs_no_loop(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        def test_it():
            pass
        """,
        "--asyncio-loop-factory=conftest:no_loop",
        conftest=NO_LOOP,
    )
    result.assert_outcomes(passed=1)


def test_an_async_test_without_a_loop_is_not_called(suite):
    result = suite(
        """
        import functools

        def telling(function):
            @functools.wraps(function)
            def wrapper():
                print(function.__name__, "runs")
                return function()
            return wrapper

        @pytest.mark.asyncio
        @telling
        async def test_it():
            pass
        """,
        "-s",
        "--asyncio-loop-factory=conftest:no_loop",
        conftest=NO_LOOP,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("E *LookupError: there is no loop")
    result.stdout.no_fnmatch_line("*test_it runs*")


AUTO = "asyncio_default_test_loop_scope = auto"


@pytest.mark.parametrize("autouse", [False, True])
def test_the_auto_scope_is_the_widest_among_the_fixtures_of_a_test(suite, autouse):
    result = suite(
        f"""
        @pytest_asyncio.fixture(loop_scope="module", autouse={autouse})
        async def loop():
            return asyncio.get_running_loop()

        @pytest.fixture
        def indirect(loop):
            return loop

        @pytest_asyncio.fixture(loop_scope="class")
        async def narrower():
            pass

        @pytest.mark.asyncio
        async def test_it(narrower, {"request" if autouse else "indirect"}):
            {"indirect = request.getfixturevalue('loop')" if autouse else ""}
            assert indirect is asyncio.get_running_loop()
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=1)


def test_the_auto_scope_of_a_test_without_async_fixtures_is_function(suite):
    result = suite(
        """
        loops = set()

        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", "ab")
        async def test_it(_):
            assert asyncio.get_running_loop() not in loops
            loops.add(asyncio.get_running_loop())
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=2)


def test_a_fixture_that_is_overridden_does_not_count_for_the_auto_scope(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(loop_scope="module")
        async def loop():
            return asyncio.get_running_loop()

        class TestIt:
            @pytest_asyncio.fixture(loop_scope="class")
            async def loop(self):
                return asyncio.get_running_loop()

            @pytest.mark.asyncio
            async def test_it(self, loop):
                assert loop is asyncio.get_running_loop()
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=1)


def test_synchronous_fixtures_do_not_count_for_the_auto_scope(suite):
    result = suite(
        """
        loops = set()

        @pytest.fixture(scope="module")
        def wide():
            pass

        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", "ab")
        async def test_it(_, wide):
            assert asyncio.get_running_loop() not in loops
            loops.add(asyncio.get_running_loop())
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=2)


def test_an_explicit_scope_is_stronger_than_the_auto_scope(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(loop_scope="module")
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="function")
        async def test_it(loop):
            assert loop is not asyncio.get_running_loop()
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=1)


def test_a_parameter_that_widens_a_fixture_counts_for_the_auto_scope(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def loop(request):
            return asyncio.get_running_loop()

        @pytest.mark.asyncio
        @pytest.mark.parametrize("loop", ["parameter"], indirect=True, scope="module")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=1)


PACKAGE_FIXTURE = """
    @pytest_asyncio.fixture(scope="package")
    async def {}():
        return asyncio.get_running_loop()
"""
PACKAGES = {
    "conftest.py": PACKAGE_FIXTURE.format("of_no_package"),
    "outer/__init__.py": "",
    "outer/conftest.py": PACKAGE_FIXTURE.format("of_outer"),
    "outer/inner/__init__.py": "",
    "outer/inner/conftest.py": PACKAGE_FIXTURE.format("of_inner"),
}


@pytest.mark.parametrize(
    ("arguments", "loop"),
    [
        ("of_outer", "of_outer"),
        ("of_inner", "of_inner"),
        ("of_inner, of_outer", "of_outer"),
        ("of_no_package", "of_no_package"),
        ("of_no_package, of_outer", "of_outer"),
    ],
)
@pytest.mark.parametrize("ini", ["", "asyncio_concurrent = true"])
def test_the_auto_scope_is_the_widest_among_the_packages_of_the_fixtures(
    suite, arguments, loop, ini
):
    test = f"""
        @pytest_asyncio.fixture
        async def narrow():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio
        async def test_it({arguments}, narrow):
            assert {loop} is asyncio.get_running_loop()
            assert (narrow is {loop}) == {bool(ini)}
    """
    result = suite(
        ini=f"{AUTO}\nasyncio_default_fixture_loop_scope = fixture-scope\n{ini}",
        files={**PACKAGES, "outer/inner/test_it.py": test},
    )
    result.assert_outcomes(passed=1)


def test_packages_share_a_loop_with_the_package_fixtures_that_they_see(suite):
    test = """
        @pytest.mark.asyncio(loop_scope="package")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
    """
    result = suite(
        "def test_first(): pass",
        "-s",
        conftest="""
            @pytest_asyncio.fixture(scope="package", loop_scope="package")
            async def loop():
                print("set up")
                loop = asyncio.get_running_loop()
                yield loop
                assert loop is asyncio.get_running_loop()
        """,
        files={
            "a/__init__.py": "",
            "a/test_a.py": test,
            "a/c/__init__.py": "",
            "a/c/test_c.py": test,
            "b/__init__.py": "",
            "b/test_b.py": test,
        },
    )
    result.assert_outcomes(passed=4)
    assert str(result.stdout).count("set up") == 1


def test_packages_that_see_a_package_fixture_share_a_loop_although_they_do_not_use_it(suite):
    fixture = """
        @pytest_asyncio.fixture(scope="package")
        async def used():
            return asyncio.get_running_loop()
    """
    result = suite(
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
        files={
            "a/__init__.py": "",
            "a/conftest.py": "        loops = set()\n" + fixture,
            "a/b/__init__.py": "",
            "a/b/conftest.py": fixture.replace("used", "inner"),
            "a/b/test_b.py": """
                from ..conftest import loops

                @pytest.mark.asyncio(loop_scope="package")
                async def test_it(inner):
                    loops.add(asyncio.get_running_loop())
                    assert loops == {inner}
            """,
            "a/test_a.py": """
                from .conftest import loops

                @pytest.mark.asyncio(loop_scope="package")
                async def test_it(request):
                    loops.add(asyncio.get_running_loop())

                def test_dynamically(request):
                    assert loops == {request.getfixturevalue("used")}
            """,
        },
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    "arguments", ["loop_scope='session'", "loop_scope='function'", "loop_scope='packet'"]
)
def test_fixtures_on_other_loops_let_each_package_have_its_own(suite, arguments):
    test = """
        @pytest.mark.asyncio(loop_scope="package")
        async def test_it():
            loops.add(asyncio.get_running_loop())
            assert len(loops) == {count}
    """
    result = suite(
        conftest=f"""
            @pytest_asyncio.fixture(scope="package", {arguments})
            async def other(): pass
        """,
        files={
            "a/__init__.py": "loops = set()",
            "a/test_a.py": "        from . import loops\n" + test.format(count=2),
            "a/b/__init__.py": "",
            "a/b/test_b.py": "        from .. import loops\n" + test.format(count=1),
        },
    )
    result.assert_outcomes(passed=2)


def test_a_package_fixture_is_shared_by_the_packages_below(suite):
    test = "def test_it(setups): assert setups == [1]"
    result = suite(
        files={
            "a/__init__.py": "",
            "a/conftest.py": """
                count = []

                @pytest_asyncio.fixture(scope="package", loop_scope="package")
                async def setups():
                    count.append(1)
                    return count
            """,
            "a/one/__init__.py": "",
            "a/one/test_one.py": test,
            "a/two/__init__.py": "",
            "a/two/test_two.py": test,
        },
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", SCOPES)
def test_sync_fixtures_and_tests_find_the_loop_of_the_current_test(suite, scope):
    result = suite(f"""
        @pytest.fixture
        def found():
            loop = asyncio.get_event_loop()
            yield loop
            assert loop is asyncio.get_event_loop()

        @pytest.mark.asyncio(loop_scope="{scope}")
        async def test_async(found):
            assert found is asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
def test_what_is_left_on_a_loop_ends_before_the_sync_fixtures_that_were_set_up_first(suite, scope):
    result = suite(f"""
        import threading

        async def generate(ended):
            try:
                yield
            finally:
                ended.append("generator")

        async def wait(ended):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("task")

        @pytest.fixture(scope="{scope}")
        def ended():
            ended, loop = [], asyncio.get_event_loop()
            yield ended
            assert set(ended) == {{"set up", "task", "generator", "thread"}}
            loop.run_until_complete(loop.run_in_executor(None, ended.append, "loop is usable"))
            assert ended[-1] == "loop is usable"

        @pytest.fixture
        def kept():
            return []

        @pytest_asyncio.fixture(scope="{scope}", loop_scope="{scope}")
        async def fixture(ended):
            ended.append("set up")

        class TestIt:
            @pytest.mark.asyncio(loop_scope="{scope}")
            async def test_it(self, ended, kept, fixture):
                loop = asyncio.get_running_loop()
                started, generator = threading.Event(), generate(ended)
                loop.generator = generator
                await anext(generator)
                loop.task = asyncio.create_task(wait(ended))
                loop.run_in_executor(None, lambda: started.wait() and ended.append("thread"))
                loop.call_later(0, started.set)
                await asyncio.sleep(0)
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("first", ["TestOuter", "TestInner"])
def test_a_class_shares_the_loop_that_the_class_around_it_has_by_then(suite, first):
    inner = """
            class TestInner:
                class TestInnermost:
                    async def test_innermost(self, loop):
                        assert asyncio.get_running_loop() is loop
                        loops.append(loop)

                async def test_inner(self, loop):
                    assert asyncio.get_running_loop() is loop
                    loops.append(loop)
    """
    outer = """
            async def test_outer(self, loop):
                assert asyncio.get_running_loop() is loop
                loops.append(loop)
    """
    result = suite(
        """
        loops = []

        @pytest.mark.asyncio(loop_scope="class")
        class TestOuter:
            @pytest_asyncio.fixture(scope="class", loop_scope="class")
            @classmethod
            async def loop(cls):
                yield asyncio.get_running_loop()
    """
        + (outer + inner if first == "TestOuter" else inner + outer)
        + """
        def test_loops():
            assert len(set(loops)) == COUNT
    """.replace("COUNT", "1" if first == "TestOuter" else "3")
    )
    result.assert_outcomes(passed=4)


def test_what_is_due_when_a_test_ends_is_run_before_its_sync_fixtures_end(suite):
    result = suite("""
        @pytest.fixture
        def running():
            tasks = set()
            yield tasks
            assert not tasks

        @pytest.mark.asyncio
        async def test_it(running):
            task = asyncio.create_task(asyncio.sleep(0, result=None))
            running.add(task)
            task.add_done_callback(running.discard)
            await asyncio.sleep(0)
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("before", ["", "await asyncio.sleep(0)"], ids=["at once", "later"])
def test_what_is_ready_when_a_test_ends_is_run_before_its_loop_stands_still(suite, before):
    result = suite(f"""
        called = []

        @pytest.mark.asyncio(loop_scope="module")
        async def test_async():
            {before}
            asyncio.get_running_loop().call_soon(called.append, True)

        def test_sync():
            assert called
    """)
    result.assert_outcomes(passed=2)


def test_what_is_left_on_a_shared_loop_goes_on_with_the_next_test(suite):
    result = suite("""
        steps = []

        async def count():
            while True:
                steps.append(len(steps))
                await asyncio.sleep(0)

        @pytest.mark.asyncio(loop_scope="module")
        async def test_starts_it():
            global task
            task = asyncio.create_task(count())

        def test_stands_still():
            assert len(steps) < 3  # Where tasks start at once, it takes one more.

        @pytest.mark.asyncio(loop_scope="module")
        async def test_goes_on():
            await asyncio.sleep(0)
            assert len(steps) > 1
    """)
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("call", ["call_soon(", "call_later(0, "])
def test_what_is_due_when_a_loop_is_closed_is_called(suite, call):
    result = suite(f"""
        called = []

        @pytest.fixture
        def calling():
            yield
            asyncio.get_event_loop().{call}called.append, True)

        @pytest.mark.asyncio
        async def test_async(calling):
            pass

        def test_sync():
            assert called
    """)
    result.assert_outcomes(passed=2)


def test_a_loop_may_keep_what_is_ready_in_a_queue_of_its_own(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            await asyncio.sleep(0)
            assert type(asyncio.get_running_loop()).__name__ == "Loop"
        """,
        conftest="""
            from collections import deque

            class Loop(asyncio.SelectorEventLoop):
                def __init__(self):
                    super().__init__()
                    self.queue = deque()

                def call_soon(self, callback, *args, context=None):
                    self.queue.append(asyncio.Handle(callback, args, self, context))

                def stop(self):
                    self.queue.append(None)

                def run_forever(self):
                    asyncio._set_running_loop(self)
                    try:
                        while handle := self.queue.popleft():
                            handle._run()
                    finally:
                        asyncio._set_running_loop(None)

            def pytest_asyncio_loop_factories():
                return {"own": Loop}
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("place", "stand_in"),
    [
        ("asyncio, 'sleep'", "lambda delay: 1 / 0"),
        ("asyncio.get_running_loop(), 'create_task'", "lambda coroutine: coroutine.close()"),
    ],
)
def test_what_a_test_patches_is_called_by_nobody_else(suite, place, stand_in):
    result = suite(f"""
        @pytest.mark.asyncio
        async def test_it(monkeypatch):
            done = set()
            task = asyncio.create_task(asyncio.Event().wait())
            task.add_done_callback(done.add)
            await asyncio.sleep(0)
            monkeypatch.setattr({place}, {stand_in})
            task.cancel()

        def test_next(): pass
    """)
    result.assert_outcomes(passed=2)


def test_code_may_run_the_loop_of_its_test_from_within(suite):
    result = suite("""
        def run(task):  # as nest_asyncio does
            loop = task.get_loop()
            outer = asyncio.current_task()
            asyncio.tasks._leave_task(loop, outer)
            while not task.done():
                loop._run_once()
                if loop._stopping:
                    break
            asyncio.tasks._enter_task(loop, outer)
            return task.result()

        @pytest.mark.asyncio
        async def test_it():
            assert run(asyncio.create_task(asyncio.sleep(0, "done"))) == "done"
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_loop_that_is_stopped_after_its_test_has_ended_does_no_harm(suite, steps):
    result = suite(f"""
        def stop(loop, steps):
            loop.call_soon(*([stop, loop, steps - 1] if steps else [loop.stop]))

        @pytest.mark.asyncio
        async def test_it():
            stop(asyncio.get_running_loop(), {steps})
    """)
    result.assert_outcomes(passed=1)


def test_a_sync_test_finds_the_loop_that_is_open(suite):
    result = suite("""
        loops = []

        @pytest.mark.asyncio(loop_scope="module")
        async def test_async():
            loops.append(asyncio.get_running_loop())

        def test_sync():
            assert loops == [asyncio.get_event_loop()]
    """)
    result.assert_outcomes(passed=2)


def test_a_sync_test_without_a_mark_finds_the_loop_of_its_fixture(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def loop():
            return asyncio.get_running_loop()

        def test_it(loop):
            assert asyncio.get_event_loop() is loop
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "body", ["return loop", "yield loop; assert loop is asyncio.get_event_loop()"]
)
def test_a_sync_fixture_of_ours_finds_the_loop_of_its_loop_scope(suite, body):
    result = suite(f"""
        @pytest_asyncio.fixture(loop_scope="module")
        def found():
            loop = asyncio.get_event_loop()
            {body}

        @pytest.mark.asyncio
        async def test_other_loop(found):
            assert found is not asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_same_loop(found):
            assert found is asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=2)


BREAKING = {
    "unset": "asyncio.set_event_loop(None)",
    "run": "asyncio.run(asyncio.sleep(0))",
    "runner": "with asyncio.Runner() as runner: runner.get_loop()",
    "replaced": "asyncio.set_event_loop(other := asyncio.new_event_loop()); other.close()",
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("action", BREAKING.values(), ids=BREAKING)
def test_the_current_loop_is_repaired_after_a_test_has_broken_it(suite, scope, action):
    result = suite(
        f"""
        class TestIt:
            @pytest.fixture
            def found(self):
                return asyncio.get_event_loop()

            async def test_before(self):
                pass

            def test_breaks_it(self):
                {action}

            async def test_after(self, found):
                assert found is asyncio.get_running_loop()
        """,
        "--asyncio-mode=auto",
        ini=f"asyncio_default_test_loop_scope = {scope}",
    )
    result.assert_outcomes(passed=3)


def test_the_current_loop_is_put_back_when_the_last_loop_is_closed(suite):
    result = suite("""
        mine = asyncio.new_event_loop()

        def test_sync():
            asyncio.set_event_loop(mine)

        @pytest.mark.asyncio
        async def test_async():
            assert asyncio.get_running_loop() is not mine

        def test_sync_again():
            assert asyncio.get_event_loop() is mine
            mine.close()
            asyncio.set_event_loop(None)
    """)
    result.assert_outcomes(passed=3)


def test_a_closed_loop_is_not_put_back(suite):
    result = suite("""
        mine = asyncio.new_event_loop()

        def test_sync():
            asyncio.set_event_loop(mine)

        @pytest.mark.asyncio
        async def test_async():
            mine.close()

        def test_sync_again():
            with pytest.raises(RuntimeError, match="no current event loop"):
                asyncio.get_event_loop()
    """)
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("scope", ["module", "session"])
def test_a_test_that_closes_a_shared_loop_is_reported_and_the_next_gets_a_new_one(suite, scope):
    result = suite(
        """
        class TestIt:
            async def test_before(self):
                pass

            def test_closes_it(self):
                asyncio.get_event_loop().close()

            async def test_after(self):
                await asyncio.sleep(0)
        """,
        "--asyncio-mode=auto",
        "-Wdefault",
        ini=f"asyncio_default_test_loop_scope = {scope}",
    )
    result.assert_outcomes(passed=3, warnings=1)
    owner = "test_it.py" if scope == "module" else "the session"
    result.stdout.fnmatch_lines(
        f"*RuntimeWarning: test_it.py::TestIt::test_closes_it has closed the event loop of {owner}."
    )


def test_a_test_that_closes_a_shared_loop_is_reported_although_its_teardown_fails(suite):
    result = suite(
        """
        @pytest.fixture
        def failing():
            yield
            raise ValueError("in the teardown")

        async def test_before():
            pass

        def test_closes_it(failing):
            asyncio.get_event_loop().close()

        async def test_after():
            await asyncio.sleep(0)
        """,
        "--asyncio-mode=auto",
        "-Wdefault",
        ini="asyncio_default_test_loop_scope = module",
    )
    result.assert_outcomes(passed=3, errors=1, warnings=1)
    result.stdout.fnmatch_lines(
        "*RuntimeWarning: test_it.py::test_closes_it has closed the event loop of test_it.py."
    )


def test_a_loop_that_is_closed_and_not_made_anew_fails_its_test_alone(suite):
    result = suite(
        """
        @pytest.fixture
        def closing():
            asyncio.get_event_loop().close()

        @pytest.mark.asyncio
        async def test_it(closing):
            pass
        """,
        conftest="""
        made = []

        def make():
            assert not made, "there is only one"
            made.append(asyncio.SelectorEventLoop())
            return made[0]

        def pytest_asyncio_loop_factories():
            return {"one": make}
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E*there is only one*")


def test_what_is_in_no_module_is_its_own(suite):
    result = suite(
        "",
        "--asyncio-mode=auto",
        ini="asyncio_default_test_loop_scope = module",
        conftest="""
        class Suite(pytest.File):
            def collect(self):
                async def test():
                    await asyncio.sleep(0)

                yield pytest.Function.from_parent(self, name="test_it", callobj=test)

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".suite":
                return Suite.from_parent(parent, path=file_path)
        """,
        files={"one.suite": ""},
    )
    result.assert_outcomes(passed=1)


def test_a_fixture_that_closes_the_loop_is_reported_and_the_test_gets_a_new_one(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def loop():
            return asyncio.get_running_loop()

        @pytest.fixture
        def closed(loop):
            loop.close()

        @pytest.mark.asyncio
        async def test_it(closed):
            await asyncio.sleep(0)
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        "*RuntimeWarning: A test or fixture has closed the event loop of test_it.py::test_it."
    )


def test_a_sync_fixture_may_close_a_loop_that_nothing_ran_on(suite):
    result = suite("""
        @pytest.fixture
        def closed():
            asyncio.get_event_loop().close()

        @pytest.mark.asyncio
        async def test_it(closed):
            await asyncio.sleep(0)
    """)
    result.assert_outcomes(passed=1)


def test_a_loop_that_nothing_ran_on_may_be_closed_after_one_that_was_run(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(loop_scope="module")
        def first():
            asyncio.get_event_loop().close()

        @pytest_asyncio.fixture(loop_scope="module")
        def second(first):
            asyncio.get_event_loop().close()

        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_before():
            pass

        async def test_it(second):
            await asyncio.sleep(0)
        """,
        "-Walways",
    )
    result.assert_outcomes(passed=2, warnings=1)


def test_a_fixture_that_closes_its_loop_at_its_teardown_is_reported(suite):
    result = suite(
        """
        @pytest.fixture
        def closing():
            loop = asyncio.get_event_loop()
            yield
            loop.close()

        @pytest.mark.asyncio
        async def test_it(closing):
            pass
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*RuntimeWarning: An exception occurred during teardown of an asyncio.Runner.",
            "*a test or fixture has closed the event loop of test_it.py::test_it, *",
        ]
    )


@pytest.mark.parametrize(
    "before", ["", "await asyncio.sleep(0)"], ids=["in its first turn", "later"]
)
@pytest.mark.parametrize("base", ["asyncio.SelectorEventLoop", "OwnLoop"])
def test_a_test_that_stops_its_loop_is_reported_and_the_next_one_runs(suite, base, before):
    result = suite(
        f"""
        async def test_stops_it():
            {before}
            asyncio.get_running_loop().stop()
            await asyncio.Event().wait()

        async def test_after():
            await asyncio.sleep(0)
        """,
        "--asyncio-mode=auto",
        ini="asyncio_default_test_loop_scope = session",
        conftest=f"""
        class OwnLoop(asyncio.SelectorEventLoop):
            def run_forever(self):
                super().run_forever()

        def pytest_asyncio_loop_factories():
            return {{"own": {base}}}
        """,
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        "Event loop stopped before Future completed. Something has called stop() on the event "
        "loop of the session."
    )
    result.stdout.no_fnmatch_line("*another exception occurred*")
    result.stdout.no_fnmatch_line("*entries are hidden*")


@pytest.mark.parametrize(
    "own",
    [
        "def run_forever(self): early.append(self._stopping); super().run_forever()",
        "def stop(self): early.append(not self.is_running()); super().stop()",
    ],
    ids=["run_forever()", "stop()"],
)
def test_a_loop_that_runs_or_stops_in_a_way_of_its_own_is_not_stopped_before_it_runs(suite, own):
    result = suite(
        """
        from conftest import early

        async def test_it():
            assert not any(early)

        def test_after():
            assert not any(early)
        """,
        "--asyncio-mode=auto",
        "--asyncio-loop-factory=conftest:OwnLoop",
        conftest=f"""
        early = []

        class OwnLoop(asyncio.SelectorEventLoop):
            {own}
        """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_loop_that_does_not_run_ends_each_of_its_tests(pytester, scope):
    pytester.makeconftest("""
        import asyncio

        class Broken(asyncio.SelectorEventLoop):
            def run_forever(self):
                raise OSError("it does not run")

        def pytest_asyncio_loop_factories():
            return {"broken": Broken}
    """)
    pytester.makepyfile(f"""
        import pytest

        pytestmark = pytest.mark.asyncio(loop_scope={scope!r})
        async def test_one(): pass
        async def test_two(): pass
    """)
    result = pytester.runpytest_subprocess()  # It leaves coroutines that nothing can run.
    result.assert_outcomes(failed=2, errors={"function": 2, "module": 1}[scope])
    result.stdout.fnmatch_lines(["*test_one ___*", "E*OSError: it does not run"])


def test_a_test_that_stops_its_loop_as_its_last_act_passes_and_leaves_what_is_ready(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        turns = []

        async def test_stops_it():
            asyncio.get_running_loop().call_soon(turns.append, 1)
            asyncio.get_running_loop().stop()

        def test_not_yet():
            assert not turns

        async def test_after():
            assert turns
    """)
    result.assert_outcomes(passed=3)


def test_a_loop_that_is_closed_can_be_stopped_in_vain(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_keeps_it():
            global loop
            loop = asyncio.get_running_loop()

        def test_stops_it():
            loop.stop()
            assert loop.is_closed()
    """)
    result.assert_outcomes(passed=2)


def test_a_test_that_ends_together_with_the_process_leaves_its_loop_to_the_next_one(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_exits():
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(exit, 3)

        async def test_after():
            await asyncio.sleep(0.01)
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("*SystemExit: 3")


def test_the_error_of_a_test_that_ends_together_with_the_process_is_shown_too(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().call_soon(exit, 3)
            raise ValueError("of the test")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*SystemExit: 3", "ValueError: of the test"])


def test_a_failure_in_a_callback_fails_the_test(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().call_soon(pytest.fail, "from the callback")
            await asyncio.Event().wait()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*Failed: from the callback")


def test_a_skip_in_a_callback_skips_the_test(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().call_soon(pytest.skip, "from the callback")
            await asyncio.Event().wait()
    """)
    result.assert_outcomes(skipped=1)


def test_any_other_error_in_a_callback_is_logged_as_asyncio_does(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it(caplog):
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)
            assert "ZeroDivisionError" in caplog.text
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("end", ['raise ValueError("nobody asks")', "return"])
def test_what_a_task_raised_that_outlives_its_loop_is_logged_as_asyncio_does(suite, end):
    result = suite(f"""
        import gc

        async def work():
            {end}

        @pytest.mark.asyncio
        async def test_keeps_it():
            global task
            task = asyncio.create_task(work())
            await asyncio.sleep(0)

        def test_drops_it(caplog):
            global task
            del task
            gc.collect()
            assert ("nobody asks" in caplog.text) is ("nobody asks" in {end!r})
    """)
    result.assert_outcomes(passed=2)


def test_a_failure_in_a_task_that_nobody_awaits_is_logged_as_asyncio_does(suite):
    result = suite("""
        import gc

        @pytest.mark.asyncio
        async def test_it(caplog):
            async def fail():
                pytest.fail("on its own")

            asyncio.create_task(fail())
            await asyncio.sleep(0)
            gc.collect()
            assert "Task exception was never retrieved" in caplog.text
            assert "on its own" in caplog.text
    """)
    result.assert_outcomes(passed=1)


def test_the_task_of_a_test_or_fixture_is_that_of_its_coroutine(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def fixture():
            assert asyncio.current_task().get_coro().__name__ == "fixture"

        @pytest.mark.asyncio
        async def test_it(fixture):
            assert asyncio.current_task().get_coro().__name__ == "test_it"
    """)
    result.assert_outcomes(passed=1)


def test_the_exception_handler_of_a_test_is_its_own(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it():
            loop = asyncio.get_running_loop()
            assert loop.get_exception_handler() is None
            contexts = []
            loop.set_exception_handler(lambda loop, context: contexts.append(context))
            loop.call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)
            (context,) = contexts
            assert isinstance(context["exception"], ZeroDivisionError)
    """)
    result.assert_outcomes(passed=1)


def test_leftover_tasks_are_cancelled_and_awaited_before_the_loop_is_closed(suite):
    result = suite(
        """
        ended = []

        async def forever():
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append(True)

        @pytest.mark.asyncio
        async def test_async():
            global task
            task = asyncio.create_task(forever())
            await asyncio.sleep(0)

        def test_sync():
            assert ended
            assert task.cancelled()
        """
    )
    result.assert_outcomes(passed=2)


def test_leftover_tasks_live_as_long_as_their_loop(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_one():
            global task
            task = asyncio.create_task(asyncio.Event().wait())

        async def test_two():
            assert not task.done()
    """)
    result.assert_outcomes(passed=2)


def test_the_error_of_a_leftover_task_is_logged(suite):
    result = suite(
        """
        async def failing():
            try:
                await asyncio.Event().wait()
            finally:
                1 / 0

        @pytest.mark.asyncio
        async def test_it():
            asyncio.create_task(failing())
            await asyncio.sleep(0)
        """,
        "--log-cli-level=ERROR",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*unhandled exception while the event loop was closed*", "ZeroDivisionError: *"]
    )


def test_a_leftover_task_that_swallows_a_cancellation_is_cancelled_again(suite, short_grace):
    result = suite("""
        async def stubborn():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.Event().wait()

        @pytest.mark.asyncio
        async def test_it():
            asyncio.create_task(stubborn())
            await asyncio.sleep(0)
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.filterwarnings("ignore")  # The task is destroyed while it is pending.
def test_a_leftover_task_that_refuses_to_end_is_named(suite, short_grace):
    result = suite(
        """
        async def refusing():
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass

        @pytest.mark.asyncio
        async def test_it():
            global task
            task = asyncio.create_task(refusing(), name="refusing")
            await asyncio.sleep(0)

        def test_after():
            assert not task.done()
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        "*These tasks did not end when they were cancelled: refusing at test_it.py:* in refusing."
    )


def test_leftover_async_generators_are_closed(suite):
    result = suite("""
        closed = []

        async def numbers():
            try:
                yield 1
            finally:
                await asyncio.sleep(0)
                closed.append(True)

        @pytest.mark.asyncio
        async def test_async():
            global generator
            generator = numbers()
            assert await anext(generator) == 1

        def test_sync():
            assert closed
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("factory", ["asyncio.new_event_loop", "uvloop.new_event_loop"])
@pytest.mark.usefixtures("_impatient")
def test_a_thread_that_does_not_end_is_named_and_left(suite, factory):
    pytest.importorskip(factory.partition(".")[0])
    result = suite(
        """
        import threading
        over = threading.Event()
        def work():
            over.wait()
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().run_in_executor(None, work)
        def test_end():
            over.set()
        """,
        "-Wdefault",
        f"--asyncio-loop-factory={factory}",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        "*These threads of the default executor have not ended within 0.05 s: '*_0' at "
        "test_it.py:6 in work. Let what they run return: Python waits for them before it ends."
    )


@pytest.mark.usefixtures("_impatient")
def test_a_thread_that_stands_in_pythons_own_code_is_named_with_that(suite):
    result = suite(
        """
        import threading
        over = threading.Event()
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().run_in_executor(None, over.wait)
        def test_end():
            over.set()
        """,
        "-Wdefault",
    )
    result.stdout.fnmatch_lines("*have not ended within 0.05 s: '*_0' at Condition.wait. *")


def test_the_default_executor_is_shut_down(suite):
    result = suite("""
        import threading

        @pytest.mark.asyncio
        async def test_async():
            global thread
            thread = await asyncio.to_thread(threading.current_thread)

        def test_sync():
            assert not thread.is_alive()
    """)
    result.assert_outcomes(passed=2)


def test_a_step_of_the_closing_that_fails_is_reported_and_the_others_are_done(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_async(monkeypatch):
            global loop, task
            loop = asyncio.get_running_loop()
            task = asyncio.create_task(asyncio.Event().wait())

            async def failing():
                raise OSError("no more generators")

            loop.shutdown_asyncgens = failing
            await asyncio.to_thread(int)

        def test_sync():
            assert task.cancelled()
            assert loop.is_closed()
            assert loop._default_executor is None
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*RuntimeWarning: An exception occurred during teardown of an asyncio.Runner.",
            "*OSError: no more generators",
        ]
    )


@pytest.mark.parametrize("step", ["shutdown_asyncgens", "shutdown_default_executor"])
def test_the_end_that_a_loop_has_of_its_own_is_awaited_although_nothing_is_left(suite, step):
    result = suite(
        """
        async def test_it():
            pass
        """,
        "--asyncio-mode=auto",
        "--asyncio-loop-factory=conftest:OwnLoop",
        "-s",
        conftest=f"""
        class OwnLoop(asyncio.SelectorEventLoop):
            async def {step}(self):
                await super().{step}()
                print("its own end")
        """,
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("*its own end")


def test_no_loop_is_left_open(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="session", autouse=True)
        async def wide():
            yield

        @pytest.fixture(autouse=True)
        def find():
            asyncio.get_event_loop()

        async def test_async():
            pass

        def test_runs_one_itself():
            asyncio.run(asyncio.sleep(0))
        """,
        "--asyncio-mode=auto",
        "-Werror",
    )
    result.assert_outcomes(passed=2)


def test_after_the_last_loop_synchronous_code_finds_what_it_finds_in_a_fresh_process(pytester):
    pytester.makepyfile("""
        import asyncio, pytest, warnings

        def found():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    loop = asyncio.get_event_loop()
                except RuntimeError:
                    return None
            loop.close()
            asyncio.set_event_loop_policy(None)
            return type(loop)

        @pytest.fixture(scope="module")
        def in_a_fresh_process():
            return found()

        def test_before(in_a_fresh_process): pass

        @pytest.mark.asyncio
        async def test_async(): pass

        def test_sync(in_a_fresh_process):
            assert found() is in_a_fresh_process
    """)
    result = pytester.runpytest_subprocess("-Wignore::DeprecationWarning", "-pno:cacheprovider")
    result.assert_outcomes(passed=3)


def test_a_wide_fixture_that_a_parameter_sets_up_for_each_test_keeps_the_loop_of_its_scope(suite):
    result = suite(
        """
        @pytest.fixture
        def wide(request, wide):
            return request.param, wide

        class TestIt:
            @pytest.mark.parametrize("wide", ["x", "y"], indirect=True)
            def test_it(self, wide):
                loops.add(wide[1])
                assert len(loops) == 1

        loops = set()
        """,
        conftest="""
        @pytest_asyncio.fixture(scope="session")
        async def wide(request):
            return asyncio.get_running_loop()
        """,
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
    )
    result.assert_outcomes(passed=2)
