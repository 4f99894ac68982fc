"""The eight functions of the xunit style may be async."""

from __future__ import annotations

import pytest

MODULE = """
    def log(entry): print("log:", entry)

    {a}def setup_module(module): log("setup_module")
    {a}def teardown_module(module): log("teardown_module")
    {a}def setup_function(function): log("setup_function")
    {a}def teardown_function(function): log("teardown_function")

    class TestClass:
        @classmethod
        {a}def setup_class(cls): log("setup_class")

        @classmethod
        {a}def teardown_class(cls): log("teardown_class")

        {a}def setup_method(self, method): log("setup_method")
        {a}def teardown_method(self, method): log("teardown_method")

        {a}def test_method(self): log("test_method")
        {a}def test_method_again(self): log("test_method_again")

    {a}def test_function(): log("test_function")
    {a}def test_function_again(): log("test_function_again")
"""
MARK = "    pytestmark = pytest.mark.asyncio\n"


def log_of(result: pytest.RunResult) -> list[str]:
    return [line.split("log: ")[1] for line in result.outlines if "log: " in line]


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_async_functions_are_called_in_the_order_of_sync_ones(suite, mode):
    mark = MARK if mode == "strict" else ""
    asynchronous = suite(mark + MODULE.format(a="async "), "-s", f"--asyncio-mode={mode}")
    asynchronous.assert_outcomes(passed=4)
    synchronous = suite(MODULE.format(a=""), "-s")
    synchronous.assert_outcomes(passed=4)
    assert log_of(asynchronous) == log_of(synchronous)
    assert len(log_of(synchronous)) == 16


def test_functions_without_the_argument_are_called_without_it(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        async def setup_module(): print("log: setup_module")
        async def teardown_module(): print("log: teardown_module")
        async def setup_function(): print("log: setup_function")
        async def teardown_function(): print("log: teardown_function")
        async def test_it(): print("log: test_it")
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    expected = ["setup_module", "setup_function", "test_it", "teardown_function", "teardown_module"]
    assert log_of(result) == expected


def test_the_names_of_unittest_are_known_for_modules(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        async def setUpModule(): print("log: setUpModule")
        async def tearDownModule(): print("log: tearDownModule")
        async def test_it(): print("log: test_it")
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    assert log_of(result) == ["setUpModule", "test_it", "tearDownModule"]


def test_setup_and_teardown_of_a_method_run_on_the_loop_of_the_test(suite):
    result = suite("""
        @pytest.mark.asyncio
        class TestClass:
            async def setup_method(self):
                self.loop = asyncio.get_running_loop()

            async def test_it(self):
                assert self.loop is asyncio.get_running_loop()

            async def teardown_method(self):
                assert self.loop is asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["module", "class", "function"])
def test_each_function_runs_on_the_loop_of_an_async_fixture_of_its_scope(suite, scope):
    result = suite(f"""
        pytestmark = pytest.mark.asyncio(loop_scope="{scope}")
        loops = {{}}

        @pytest_asyncio.fixture(scope="{scope}")
        async def loop():
            return asyncio.get_running_loop()

        async def setup_module():
            loops["module"] = asyncio.get_running_loop()

        class TestClass:
            @classmethod
            async def setup_class(cls):
                loops["class"] = asyncio.get_running_loop()

            async def setup_method(self):
                loops["function"] = asyncio.get_running_loop()

            async def test_it(self, loop):
                assert loops["{scope}"] is loop is asyncio.get_running_loop()
                assert len(set(loops.values())) == 3
    """)
    result.assert_outcomes(passed=1)


def test_the_default_loop_scope_of_fixtures_holds_for_these_functions(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="session")

        async def setup_function():
            global loop
            loop = asyncio.get_running_loop()

        async def test_it():
            assert loop is asyncio.get_running_loop()
        """,
        ini="asyncio_default_fixture_loop_scope = session",
    )
    result.assert_outcomes(passed=1)


def test_a_setup_may_be_async_and_its_teardown_sync(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        async def setup_function(): print("log: setup")
        def teardown_function(): print("log: teardown")
        async def test_it(): pass
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    assert log_of(result) == ["setup", "teardown"]


def test_a_teardown_may_be_async_and_its_setup_sync(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        def setup_function(): print("log: setup")
        async def teardown_function(): print("log: teardown")
        async def test_it(): pass
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    assert log_of(result) == ["setup", "teardown"]


def test_a_teardown_may_stand_alone(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        class TestClass:
            async def teardown_method(self): print("log: teardown")
            async def test_it(self): pass
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    assert log_of(result) == ["teardown"]


def test_sync_tests_among_async_ones_are_set_up_too(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio
        ready = []

        async def setup_module():
            ready.append(True)

        def test_sync():
            assert ready

        async def test_async():
            assert ready
    """)
    result.assert_outcomes(passed=2)


def test_a_setup_that_fails_is_the_error_of_its_test_and_has_no_teardown(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        async def setup_function(): 1 / 0
        async def teardown_function(): print("log: teardown")
        async def test_it(): print("log: test")
        """,
        "-s",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_it*", "*ZeroDivisionError*"])
    assert log_of(result) == []


def test_a_teardown_that_fails_is_the_error_of_its_test(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio

        async def teardown_function(function):
            if function is test_one:
                1 / 0

        async def test_one(): pass
        async def test_two(): pass
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_one*", "*ZeroDivisionError*"])


def test_a_teardown_runs_although_the_test_has_failed(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        async def teardown_function(): print("log: teardown")
        async def test_it(): assert False
        """,
        "-s",
    )
    result.assert_outcomes(failed=1)
    assert log_of(result) == ["teardown"]


def test_context_variables_of_a_setup_reach_the_test_and_the_teardown(suite):
    result = suite("""
        import contextvars

        pytestmark = pytest.mark.asyncio
        user = contextvars.ContextVar("user", default="nobody")

        async def setup_function(): user.set("me")
        async def test_it(): assert user.get() == "me"
        async def teardown_function(): assert user.get() == "me"
    """)
    result.assert_outcomes(passed=1)


def test_in_strict_mode_the_functions_of_unmarked_tests_are_left_alone(suite):
    result = suite(
        """
        import gc
        async def setup_function(): pass
        def test_it(): gc.collect()
        """,
        "-Wdefault",
    )
    result.stdout.fnmatch_lines("*coroutine 'setup_function' was never awaited*")


def test_the_functions_of_a_module_do_not_run_for_methods(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        async def setup_function(): print("log: setup")

        class TestClass:
            async def test_it(self): pass
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    assert log_of(result) == []


def test_a_fixture_that_is_called_like_one_of_the_functions_is_a_fixture(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        class TestClass:
            @pytest_asyncio.fixture(autouse=True)
            async def setup_method(self): print("log: setup")
            async def teardown_method(self): print("log: teardown")
            async def test_it(self): print("log: test")
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    assert log_of(result) == ["setup", "test", "teardown"]


def test_one_marked_test_is_enough_for_the_functions_of_a_module(suite):
    result = suite("""
        ready = []

        async def setup_module():
            ready.append(True)

        def test_sync():
            assert ready

        @pytest.mark.asyncio
        async def test_async():
            assert ready
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("setup", ["", "async def setup_class(cls): cls.loop = running()"])
@pytest.mark.parametrize("mark", ["", "concurrent=True", "clock='virtual'"])
def test_a_teardown_runs_on_the_loop_of_its_setup_after_whatever_test(suite, setup, mark):
    result = suite(
        f"""
        running = asyncio.get_running_loop

        class Test:
            loop = None
            {setup}
            async def teardown_class(cls):
                print("log: teardown", cls.loop in (None, running()))

            @pytest.mark.asyncio({mark})
            async def test_it(self): pass
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    assert log_of(result) == ["teardown True"]


@pytest.mark.parametrize(
    ("function", "phase"), [("setup_method", "setup"), ("teardown_method", "teardown")]
)
def test_a_function_that_takes_too_long_is_reported_by_its_name(suite, function, phase):
    result = suite(
        f"""
        class TestIt:
            async def {function}(self):
                await asyncio.Event().wait()

            async def test_it(self): pass
        """,
        "--asyncio-mode=auto",
        "--asyncio-timeout=0.01",
    )
    result.assert_outcomes(errors=1, passed=int(phase == "teardown"))
    result.stdout.fnmatch_lines(f"*{function}() of TestIt took longer than the 0.01 s*")


def test_what_a_function_leaves_behind_is_reported_by_its_name(suite):
    result = suite(
        """
        async def setup_module():
            asyncio.create_task(asyncio.sleep(30), name="left")

        async def test_it(): pass
        """,
        "--asyncio-mode=auto",
        "--asyncio-checks=leaked-tasks",
        ini="asyncio_default_test_loop_scope = module",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        "*setup_module() or teardown_module() of test_it left the task 'left' running*"
    )
