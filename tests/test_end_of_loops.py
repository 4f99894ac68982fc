"""What is left on a loop when nothing uses it any more, and how the loop ends."""

from __future__ import annotations

import pytest


@pytest.fixture
def short_grace(monkeypatch):
    monkeypatch.setattr("pytest_asyncio.engine.event_loop.GRACE", 0.01)
    monkeypatch.setattr("pytest_asyncio.engine.event_loop.LAST_GRACE", 0.01)


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
        "*These tasks did not end when they were cancelled: refusing at test_it.py:* in refusing. "
        "They were given 0.02 s. --asyncio-checks=leaked-tasks says which test or fixture has made "
        "them, and where."
    )


@pytest.mark.usefixtures("_impatient")
def test_a_task_that_refuses_to_end_is_known_by_its_call_and_the_check_says_who_made_it(suite):
    source = """
        async def refuse(seconds):
            while True:
                try:
                    await asyncio.sleep(seconds)
                except asyncio.CancelledError:
                    pass

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def worker():
            task = asyncio.create_task(refuse(60))
            yield task

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(worker): pass
    """
    result = suite(source, "-Wdefault")
    result.stdout.fnmatch_lines(
        "*did not end when they were cancelled: Task-*: refuse(seconds=60) at test_it.py:* in *"
    )
    result = suite(source, "-Wdefault", "--asyncio-checks=leaked-tasks")
    result.stdout.fnmatch_lines(
        "*LeakedTaskWarning: fixture 'worker' left the task 'Task-*' running, created at "
        "test_it.py:12, which waits at test_it.py:*"
    )


@pytest.mark.usefixtures("_impatient")
def test_a_task_that_refuses_to_end_is_waited_for_once(suite):
    suite(
        """
        cancellations = []

        async def refusing():
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancellations.append(1)

        @pytest.mark.asyncio
        async def test_it():
            global task
            task = asyncio.create_task(refusing())
            await asyncio.sleep(0)

        def test_after():
            assert len(cancellations) == 2  # And none when the loop is closed after its use.
        """,
        "-Wdefault",
    ).assert_outcomes(passed=2, warnings=1)


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
            "*test_it.py:*: RuntimeWarning: An exception occurred during teardown of*",
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
