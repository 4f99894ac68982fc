"""Loops that a test or fixture closes, stops, or keeps from running."""

from __future__ import annotations

import pytest


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
            "*test_it.py:*: RuntimeWarning: An exception occurred during teardown of*",
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
