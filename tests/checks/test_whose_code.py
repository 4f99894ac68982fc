"""To whom checks ascribe what runs late, elsewhere, or for somebody else: or to nobody."""

from __future__ import annotations

import sys

import pytest
from conditions import needs_callbacks, needs_references

NOBODY = "Code that is no test's for certain"
SHARED = """
        import gc, threading, time, weakref
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        kept = []
        class Thing: pass
        def fail(*_): raise LookupError
"""


@pytest.fixture
def shared(checked):
    """Run tests on one loop, which keep things in `kept`; `fail()` raises."""
    return lambda source, names: checked(SHARED + source, "-Wdefault", names=names)


def test_a_callback_that_a_task_has_made_is_of_its_test_at_any_time(shared):
    result = shared(
        """
        async def test_one():
            asyncio.get_running_loop().call_later(0.01, fail)
        async def test_two():
            await asyncio.sleep(0.1)
        """,
        "unhandled-exceptions",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines("*UnhandledExceptionWarning: test_one: *LookupError*")


@pytest.mark.parametrize(
    ("callback", "check", "reported"),
    [
        ("time.sleep, 1.5", "blocked-loop", f"BlockedLoopWarning: {NOBODY} held the event loop"),
        ("fail", "unhandled-exceptions", "UnhandledExceptionWarning: An earlier test: "),
    ],
)
def test_a_callback_from_another_thread_is_of_no_test_that_happens_to_run(
    shared, callback, check, reported
):
    result = shared(
        f"""
        async def test_one():
            loop = asyncio.get_running_loop()
            def bring():
                kept[0].wait()
                loop.call_soon_threadsafe({callback})
            kept.append(threading.Event())
            threading.Thread(target=bring).start()
        async def test_two():
            kept[0].set()
            await asyncio.sleep(0.2)
        """,
        check,
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(f"*{reported}*")


@needs_references
def test_a_callback_of_a_weak_reference_is_of_the_test_that_drops_the_object(shared):
    result = shared(
        """
        async def test_one():
            kept.append(Thing())
            loop = asyncio.get_running_loop()
            kept.append(weakref.ref(kept[0], lambda _: loop.call_soon(fail)))
        async def test_two():
            del kept[0]
            await asyncio.sleep(0)
        """,
        "unhandled-exceptions",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines("*UnhandledExceptionWarning: test_two: *LookupError*")


@needs_callbacks
@pytest.mark.parametrize("kind", ["weak reference", "finalizer"])
def test_what_the_garbage_collector_calls_is_of_no_test_that_happens_to_run(shared, kind):
    register = {
        "weak reference": "kept.append(weakref.ref(thing, lambda _: loop.call_soon(fail)))",
        "finalizer": "Thing.__del__ = lambda _: loop.call_soon(fail)",
    }[kind]
    result = shared(
        f"""
        async def test_one():
            gc.disable()
            loop, thing = asyncio.get_running_loop(), Thing()
            thing.itself = thing
            {register}
        async def test_two():
            gc.collect()
            gc.enable()
            await asyncio.sleep(0)
        """,
        "unhandled-exceptions",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines("*UnhandledExceptionWarning: An earlier test: *LookupError*")


@needs_callbacks
def test_a_generator_that_is_collected_late_is_of_no_test_that_happens_to_run(shared):
    result = shared(
        """
        async def numbers():
            try:
                yield 1
            finally:
                raise LookupError
        async def test_one():
            gc.disable()
            thing = Thing()
            thing.itself, thing.numbers = thing, numbers()
            await anext(thing.numbers)
        async def test_two():
            gc.collect()
            gc.enable()
            await asyncio.sleep(0.01)
        """,
        "unhandled-exceptions",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines("*UnhandledExceptionWarning: An earlier test: *LookupError*")


@needs_callbacks
def test_a_task_that_is_collected_is_of_the_test_that_started_it(shared):
    result = shared(
        """
        async def hang():
            await asyncio.get_running_loop().create_future()
        async def test_one():
            gc.disable()
            asyncio.create_task(hang())
            await asyncio.sleep(0)
        async def test_two():
            gc.collect()
            gc.enable()
        """,
        "unhandled-exceptions",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        "*UnhandledExceptionWarning: test_one: Task was destroyed but it is pending!*"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such loop")
def test_what_the_pipe_of_a_subprocess_brings_is_of_the_test_that_opened_it(shared):
    result = shared(
        """
        import sys
        class Failing(asyncio.SubprocessProtocol):
            def pipe_data_received(self, *_): fail()
        async def test_one():
            code = "import os; input(); os.write(1, b'1')"
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                Failing, sys.executable, "-c", code, stderr=None
            )
            kept.append(transport)
        async def test_two():
            kept[0].get_pipe_transport(0).write(b"1\\n")
            while kept[0].get_returncode() is None:
                await asyncio.sleep(0.01)
            kept[0].close()
        """,
        "unhandled-exceptions",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines("*UnhandledExceptionWarning: test_one: *LookupError*")


@needs_references
@pytest.mark.skipif(sys.version_info < (3, 12), reason="A collection may come while it is set.")
def test_collections_of_garbage_keep_no_value_of_a_context_variable(checked):
    checked("""
        import contextvars, gc, weakref
        variable = contextvars.ContextVar("variable")
        class Value: pass

        @pytest.mark.asyncio
        async def test_it():
            value = Value()
            reference = weakref.ref(value)
            token = variable.set(value)
            gc.collect(0)
            variable.reset(token)
            del value, token
            gc.collect()
            assert reference() is None
        """).assert_outcomes(passed=1)


@pytest.mark.usefixtures("suite_alone")
def test_collections_of_garbage_lose_no_context_variable(checked):
    checked("""
        import contextvars, gc
        variables = [contextvars.ContextVar(str(number)) for number in range(40)]

        @pytest.mark.asyncio
        async def test_it():
            before = gc.get_threshold()
            gc.set_threshold(1)
            for number in range(500):
                for variable in variables:
                    variable.set(number)
                assert {variable.get() for variable in variables} == {number}
            gc.set_threshold(*before)
        """).assert_outcomes(passed=1)


def test_what_a_connection_brings_is_of_the_test_that_opened_it(shared):
    result = shared(
        """
        import socket
        class Failing(asyncio.Protocol):
            def data_received(self, data): fail()
        async def test_one():
            kept[:] = socket.socketpair()
            await asyncio.get_running_loop().create_connection(Failing, sock=kept[0])
        async def test_two():
            kept[1].send(b"1")
            await asyncio.sleep(0.1)
            kept[1].close()
        """,
        "unhandled-exceptions",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines("*UnhandledExceptionWarning: test_one: *LookupError*")
