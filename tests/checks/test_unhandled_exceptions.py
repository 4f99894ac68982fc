"""The check `unhandled-exceptions`."""

from __future__ import annotations

import pytest
from conditions import both_scopes, needs_references

FINALIZED = """
        kept = []
        class Session:
            def __init__(self, loop):
                self.loop = loop
            def __del__(self):
                self.loop.call_exception_handler({"message": "Unclosed session"})
"""


@both_scopes
def test_exceptions_that_nobody_awaits_fail_their_test(checked, scope):
    result = checked(
        """
        pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
        async def boom():
            raise RuntimeError("lost failure")
        async def test_task():
            task = asyncio.create_task(boom(), name="lost")
            await asyncio.sleep(0)
        async def test_callback():
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)
        async def test_next(): pass
        """,
        scope=scope,
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            "E*RuntimeError: lost failure",
            (
                "E *pytest_asyncio.UnhandledExceptionWarning: test_task: *, created at "
                "test_it.py:7: RuntimeError: lost failure, raised at test_it.py:5. Await what*"
            ),
            (
                "E *pytest_asyncio.UnhandledExceptionWarning: test_callback: Exception in "
                "callback*: ZeroDivisionError: division by zero, raised at test_it.py:10. *"
            ),
        ]
    )


@both_scopes
def test_a_task_that_lives_on_is_reported_to_its_own_test(checked, scope):
    result = checked(
        """
        pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
        kept = []
        async def boom():
            raise RuntimeError("lost failure")
        async def test_keeps():
            kept.append(asyncio.create_task(boom(), name="kept"))
            await asyncio.sleep(0)
        async def test_drops(): kept.clear()
        """,
        scope=scope,
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["*test_keeps: nobody has retrieved the exception of the task 'kept', created at*"]
    )


def test_what_a_test_retrieves_or_handles_itself_is_left_alone(checked):
    checked(
        """
        async def boom(): raise RuntimeError
        @pytest.mark.asyncio
        async def test_retrieves():
            with pytest.raises(RuntimeError):
                await asyncio.create_task(boom())
        @pytest.mark.asyncio
        async def test_handles():
            caught = []
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: caught.append(context))
            loop.call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)
            assert caught
        """
    ).assert_outcomes(passed=2)


def test_what_is_no_exception_is_reported_too(checked):
    result = checked(
        """
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().call_exception_handler({"message": "Mind the gap"})
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_it: Mind the gap. Await what raises it*"])


@needs_references
def test_an_exception_that_was_never_raised_is_reported_too(checked):
    result = checked(
        """
        @pytest.mark.asyncio
        async def test_it():
            future = asyncio.get_running_loop().create_future()
            future.set_exception(ValueError("set by hand"))
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_it: *ValueError: set by hand. Await what raises it*"])


def test_a_failure_in_a_callback_is_a_failure_and_no_warning(checked):
    result = checked(
        """
        @pytest.mark.asyncio
        async def test_it():
            asyncio.get_running_loop().call_soon(pytest.fail, "in a callback")
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*UnhandledException*")


def test_a_generator_that_cannot_be_closed_is_reported_to_its_test(checked):
    result = checked(
        """
        async def stubborn():
            try:
                yield
            finally:
                raise ValueError
        generator = stubborn()
        @pytest.mark.asyncio
        async def test_it():
            await anext(generator)
        """,
        names="unhandled-exceptions",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            (
                "E*UnhandledExceptionWarning: test_it: an error occurred during closing of *, "
                "created at test_it.py:11: ValueError, raised at test_it.py:7. Await what*"
            )
        ]
    )


@needs_references
@both_scopes
def test_a_future_is_reported_to_its_test_whenever_it_is_dropped(checked, scope):
    result = checked(
        """
        kept = []
        pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
        async def test_it():
            future = asyncio.get_running_loop().create_future()
            future.set_exception(ValueError)
            kept.append(future)
        async def test_next(): kept.clear()
        """,
        "-Wdefault",
        scope=scope,
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*UnhandledExceptionWarning: test_it: Future exception was*"])


@needs_references
def test_what_comes_to_light_after_its_loop_is_reported_to_the_test_of_the_loop(checked):
    result = checked(
        f"""
        {FINALIZED}
        @pytest.mark.asyncio
        async def test_it(): kept.append(Session(asyncio.get_running_loop()))
        @pytest.mark.asyncio
        async def test_next(): kept.clear()
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*UnhandledExceptionWarning: test_it: Unclosed session.*"])


@needs_references
@pytest.mark.parametrize(
    ("traceback", "line", "made"),
    [
        ("", 11, "session. Write 'async with Session(...)', *. See where*--asyncio-debug."),
        ("traceback.extract_stack()[:-1]", 13, "session, made at test_it.py:13. *'finally'."),
    ],
)
def test_what_was_left_open_is_shown_where_it_was_made_or_at_its_test(
    checked, traceback, line, made
):
    result = checked(
        f"""
        import traceback
        class Session:
            def __init__(self, loop):
                self.loop, self.made = loop, {traceback or None}
            def __del__(self):
                context = {{"message": "Unclosed session", "session": self}}
                self.loop.call_exception_handler(context | {{"source_traceback": self.made}})

        @pytest.mark.asyncio
        async def test_it():
            Session(asyncio.get_running_loop())
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        f"*test_it.py:{line}: UnhandledExceptionWarning: test_it: Unclosed {made}"
    )


@needs_references
def test_what_comes_to_light_after_a_shared_loop_is_not_blamed_on_its_tests(checked):
    result = checked(
        f"""
        {FINALIZED}
        @pytest.mark.asyncio(loop_scope="class")
        class TestIt:
            async def test_one(self): kept.append(Session(asyncio.get_running_loop()))
            async def test_two(self): pass
        @pytest.mark.asyncio
        async def test_next(): kept.clear()
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines(["*UnhandledExceptionWarning: An earlier test: Unclosed*"])


def test_what_the_end_of_the_loop_brings_to_light_is_reported(checked):
    result = checked(
        """
        async def raise_late():
            try:
                await asyncio.sleep(60)
            finally:
                raise ValueError("in the end")
        @pytest.mark.asyncio
        async def test_it():
            task = asyncio.create_task(raise_late())
            await asyncio.sleep(0)
        """,
        names="unhandled-exceptions",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*UnhandledExceptionWarning: test_it: *in the end*"])
