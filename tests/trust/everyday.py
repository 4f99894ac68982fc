"""What ordinary suites do, whatever else is on."""

from __future__ import annotations

from typing import Final

from feature import Feature

EVERYDAY: Final = {
    "subprocess": Feature(
        tests="""
            import sys

            async def test_runs_a_process():
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-Ssc", "print(1)", stdout=asyncio.subprocess.PIPE
                )
                try:
                    out, _ = await process.communicate()
                finally:  # It may be interrupted.
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
                assert out.strip() == b"1"
        """,
        outcomes={"test_runs_a_process": "passed"},
    ),
    "threads": Feature(
        tests="""
            async def test_waits_for_threads():
                waiting = [asyncio.to_thread(time.sleep, 0.01) for _ in range(3)]
                assert await asyncio.gather(*waiting) == [None] * 3
        """,
        outcomes={"test_waits_for_threads": "passed"},
    ),
    "signal handler": Feature(
        tests="""
            async def test_handles_a_signal():
                loop, handled = asyncio.get_running_loop(), asyncio.Event()
                loop.add_signal_handler(signal.SIGUSR1, handled.set)
                signal.raise_signal(signal.SIGUSR1)
                await handled.wait()
                assert loop.remove_signal_handler(signal.SIGUSR1)
        """,
        outcomes={"test_handles_a_signal": "passed"},
    ),
    "streams": Feature(
        tests="""
            @pytest_asyncio.fixture
            async def port(unused_tcp_port):
                async def answer(reader, writer):
                    writer.write(await reader.readline())
                    await writer.drain()
                    writer.close()

                server = await asyncio.start_server(answer, "127.0.0.1", unused_tcp_port)
                async with server:
                    yield unused_tcp_port

            async def test_gets_an_answer(port):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"hello\\n")
                assert await reader.read() == b"hello\\n"
                writer.close()
                await writer.wait_closed()
        """,
        outcomes={"test_gets_an_answer": "passed"},
    ),
    "current loop": Feature(
        tests="""
            @pytest.fixture
            def found():
                return asyncio.get_event_loop()

            async def test_is_on_the_loop_that_is_found(found):
                assert found is asyncio.get_running_loop()
        """,
        outcomes={"test_is_on_the_loop_that_is_found": "passed"},
    ),
    "context variables": Feature(
        tests="""
            import contextvars

            USER = contextvars.ContextVar("USER")

            @pytest_asyncio.fixture
            async def user():
                USER.set("of the fixture")
                yield
                assert USER.get() == "of the test"

            async def test_sees_what_a_fixture_sets(user):
                assert USER.get() == "of the fixture"
                await asyncio.sleep(0)
                USER.set("of the test")

            async def test_sees_nothing_of_another():
                assert USER.get(None) is None
        """,
        outcomes={
            "test_sees_what_a_fixture_sets": "passed",
            "test_sees_nothing_of_another": "passed",
        },
    ),
    "output": Feature(
        tests="""
            import logging

            async def test_prints_and_logs():
                print("printed by the test")
                await asyncio.sleep(0.01)
                logging.getLogger("suite").warning("logged by the test")
                assert not "printed and logged"
        """,
        outcomes={"test_prints_and_logs": "failed"},
        said=("printed by the test", "logged by the test"),
    ),
    "lone fixtures": Feature(
        tests="""
            async def test_patches_and_captures(monkeypatch, capsys):
                monkeypatch.setenv("OF_THE_TEST", "1")
                await asyncio.sleep(0.01)
                print(os.environ["OF_THE_TEST"])
                assert capsys.readouterr().out == "1\\n"

            async def test_finds_nothing_patched():
                assert "OF_THE_TEST" not in os.environ
        """,
        outcomes={"test_patches_and_captures": "passed", "test_finds_nothing_patched": "passed"},
    ),
    "unittest": Feature(
        tests="""
            import unittest

            class TestOfUnittest(unittest.IsolatedAsyncioTestCase):
                async def asyncSetUp(self):
                    self.loop = asyncio.get_running_loop()

                async def test_is_of_unittest(self):
                    assert asyncio.get_running_loop() is self.loop
        """,
        outcomes={"test_is_of_unittest": "passed"},
    ),
    "pytest.fail in a callback": Feature(
        tests="""
            async def test_fails_in_a_callback():
                asyncio.get_running_loop().call_later(0.01, pytest.fail, "in a callback")
                await hang()
        """,
        outcomes={"test_fails_in_a_callback": "failed"},
        said=("Failed: in a callback",),
    ),
    "unfinished generator": Feature(
        tests="""
            async def count():
                try:
                    for number in range(9):
                        yield number
                finally:
                    await asyncio.sleep(0)
                    note("generator has ended")

            async def test_leaves_a_generator():
                KEPT.append(count())
                assert await anext(KEPT[-1]) == 0
        """,
        outcomes={"test_leaves_a_generator": "passed"},
    ),
    "group of errors": Feature(
        tests="""
            async def test_has_a_task_that_fails():
                async with asyncio.TaskGroup() as group:
                    group.create_task(hang())
                    group.create_task(asyncio.to_thread(int, "no number"))
        """,
        outcomes={"test_has_a_task_that_fails": "failed"},
        said=("ExceptionGroup", "ValueError: invalid literal for int"),
    ),
    "errors in setup and teardown": Feature(
        tests="""
            @pytest_asyncio.fixture
            async def outer():
                yield
                raise OSError("at the teardown")

            @pytest_asyncio.fixture
            async def inner(outer):
                await asyncio.sleep(0)
                raise LookupError("in the setup")

            async def test_has_no_fixture(inner):
                pass
        """,
        outcomes={"test_has_no_fixture": "error"},
        said=("LookupError: in the setup", "OSError: at the teardown"),
    ),
    "eager tasks": Feature(
        conftest="""
            @pytest_asyncio.fixture(autouse=True)
            async def eager():
                loop = asyncio.get_running_loop()
                before = loop.get_task_factory()
                loop.set_task_factory(getattr(asyncio, "eager_task_factory", None))
                yield
                loop.set_task_factory(before)
        """,
        tests="""
            async def test_has_tasks_that_begin_at_once():
                assert await asyncio.create_task(asyncio.sleep(0, "done")) == "done"
        """,
        outcomes={"test_has_tasks_that_begin_at_once": "passed"},
    ),
}
