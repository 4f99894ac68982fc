"""The report section "asyncio tasks": what every task of the loop was doing."""

from __future__ import annotations

import asyncio

import pytest

SECTION = "*- asyncio tasks -*"


@pytest.fixture(autouse=True)
def _no_debug_mode(monkeypatch):
    """Leave out where tasks were created, however these tests are run themselves."""
    monkeypatch.delenv("PYTHONASYNCIODEBUG", raising=False)
    monkeypatch.setattr(asyncio.coroutines, "_is_debug_mode", lambda: False)


def lines_of_section(result):
    lines = result.outlines
    start = next(i for i, line in enumerate(lines) if "- asyncio tasks -" in line) + 1
    end = next(i for i in range(start, len(lines)) if lines[i].startswith(("=", "___", "---")))
    return lines[start:end]


@pytest.mark.parametrize("scope", ["function", "module"])
def test_the_end_of_a_time_out_shows_the_tree_of_tasks(suite, scope):
    result = suite(
        f"""
        @pytest_asyncio.fixture(loop_scope={scope!r})
        async def server():
            yield
        async def wait():
            await asyncio.Event().wait()
        async def work():
            await wait()
        @pytest.mark.asyncio(loop_scope={scope!r}, timeout=0.2)
        async def test_it(server):
            background = asyncio.create_task(wait(), name="background")
            async with asyncio.TaskGroup() as group:
                group.create_task(work(), name="worker")
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            SECTION,
            "test_it (Task-*)",
            "│   test_it.py:* in test_it",
            "└── worker",
            "        test_it.py:* in work",
            "        test_it.py:* in wait",
            "        waits for Event.wait",
            "background",
            "    test_it.py:* in wait",
            "    waits for Event.wait",
        ]
    )
    result.stdout.no_fnmatch_line("fixture 'server'")


@pytest.mark.parametrize(
    "waiting",
    [
        "await child",
        "await asyncio.gather(child)",
        "await asyncio.wait({child})",
        "await asyncio.wait_for(child, 60)",
        "await asyncio.shield(child)",
        "await asyncio.gather(asyncio.shield(child))",
    ],
)
def test_it_shows_who_awaits_whom(suite, waiting):
    result = suite(
        f"""
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            child = asyncio.create_task(asyncio.sleep(60), name="child")
            {waiting}
        """
    )
    result.stdout.fnmatch_lines([SECTION, "test_it (Task-*)", "└── child"])


def test_a_task_that_two_await_is_shown_once(suite):
    result = suite(
        """
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            child = asyncio.create_task(asyncio.sleep(60), name="child")
            async def other():
                await child
            other = asyncio.create_task(other(), name="other")
            await asyncio.gather(child, other)
        """
    )
    result.stdout.fnmatch_lines([SECTION, "├── child", "└── other", "    └── child, see above"])


def test_tasks_that_await_one_another_are_shown(suite):
    result = suite(
        """
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            async def wait():
                await asyncio.sleep(0)
                await asyncio.wait(tasks)
            tasks = [asyncio.create_task(wait(), name=name) for name in ("first", "second")]
            await asyncio.Event().wait()
        """
    )
    assert {"first", "└── second"} <= set(lines_of_section(result))


def test_it_follows_async_generators_and_generators(suite):
    result = suite(
        """
        import types
        class Awaitable:
            def __await__(self):
                yield from asyncio.sleep(60).__await__()
        async def generate():
            await Awaitable()
            yield
        async def iterate():
            async for _ in generate(): pass
        async def default():
            await anext(generate(), None)
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            await asyncio.gather(iterate(), default())
        """
    )
    section = "\n".join(lines_of_section(result))
    assert section.count("in generate") == section.count("in Awaitable.__await__") == 2
    assert section.count("waits for asyncio.sleep") == 2


def test_it_shows_where_a_task_was_created_in_debug_mode(suite):
    result = suite(
        """
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            await asyncio.create_task(asyncio.sleep(60), name="child")
        """,
        "--asyncio-debug",
    )
    result.stdout.fnmatch_lines([SECTION, "└── child, created at test_it.py:5"])


def test_it_fits_into_eighty_columns(suite):
    result = suite(
        f"""
        async def {"a_name_that_is_long" * 5}():
            await asyncio.sleep(60)
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            await asyncio.create_task({"a_name_that_is_long" * 5}(), name="{"child" * 20}")
        """
    )
    section = lines_of_section(result)
    assert max(map(len, section)) == 80
    assert any(line.endswith("…") for line in section)


def test_it_shows_the_line_at_which_a_fixture_hangs(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(timeout=0.2)
        async def server():
            yield
            await asyncio.sleep(60)
        @pytest.mark.asyncio
        async def test_it(server): pass
        """
    )
    result.stdout.fnmatch_lines([SECTION, "fixture 'server'", "    test_it.py:6 in server"])


@pytest.mark.parametrize("scope", ["function", "module"])
def test_an_option_shows_it_for_any_failure(suite, scope):
    source = f"""
        @pytest.mark.asyncio(loop_scope={scope!r})
        async def test_it():
            background = asyncio.create_task(asyncio.sleep(60), name="background")
            await asyncio.sleep(0)
            assert False
        @pytest.mark.asyncio(loop_scope={scope!r})
        async def test_passes(): pass
        """
    result = suite(source, "--asyncio-tasks")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["asyncio: *asyncio_tasks=True", SECTION, "background", "    waits for asyncio.sleep"]
    )
    suite(source).stdout.no_fnmatch_line(SECTION)


def test_an_option_shows_it_for_a_fixture_too(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def server():
            background = asyncio.create_task(asyncio.sleep(60), name="background")
            await asyncio.sleep(0)
            assert False
        @pytest.mark.asyncio
        async def test_it(server): pass
        """,
        "--asyncio-tasks",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([SECTION, "background"])


@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_failure_from_elsewhere_shows_what_the_test_waits_for(suite, scope):
    result = suite(
        f"""
        @pytest.mark.asyncio(loop_scope={scope!r})
        async def test_it():
            asyncio.get_running_loop().call_soon(pytest.fail, "so it is")
            await asyncio.Event().wait()
        """,
        "--asyncio-tasks",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([SECTION, "test_it (Task-*)", "    test_it.py:6 in test_it"])


def test_the_end_of_a_fixture_in_use_shows_it(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def connection():
            async with asyncio.timeout(0.05):
                yield
        @pytest.mark.asyncio
        async def test_it(connection):
            background = asyncio.create_task(asyncio.sleep(60), name="background")
            await asyncio.Event().wait()
        """,
        "--asyncio-tasks",
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["E*Cancelled: The async fixture*", SECTION, "background"])


def test_a_failure_without_tasks_says_so(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(): assert False
        """,
        "--asyncio-tasks",
    )
    result.stdout.fnmatch_lines([SECTION, "no tasks"])


def test_a_failure_without_a_traceback_has_the_section(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            background = asyncio.create_task(asyncio.sleep(60), name="background")
            await asyncio.sleep(0)
            pytest.fail("so it is", pytrace=False)
        """,
        "--asyncio-tasks",
    )
    result.stdout.fnmatch_lines([SECTION, "background"])


def test_a_fixture_that_is_not_found_at_run_time_has_the_section(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(request):
            background = asyncio.create_task(asyncio.sleep(60), name="background")
            await asyncio.sleep(0)
            request.getfixturevalue("unknown")
        """,
        "--asyncio-tasks",
    )
    result.stdout.fnmatch_lines(["*fixture 'unknown' not found", SECTION, "background"])


def test_several_failing_teardowns_have_their_sections(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def one():
            yield
            await asyncio.sleep(60)
        @pytest_asyncio.fixture
        async def two():
            yield
            await asyncio.sleep(60)
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it(one, two): pass
        """
    )
    result.stdout.fnmatch_lines([SECTION, "fixture 'one'", SECTION, "fixture 'two'"])


def test_it_is_in_junit_xml(suite, pytester):
    suite(
        """
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            await asyncio.create_task(asyncio.sleep(60), name="child")
        """,
        "--junit-xml=report.xml",
    )
    report = (pytester.path / "report.xml").read_text(encoding="utf-8")
    assert "asyncio tasks" in report
    assert "└── child" in report


def test_it_is_reported_by_the_workers_of_xdist(pytester):
    pytester.makepyfile(
        """
        import asyncio, pytest
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            await asyncio.create_task(asyncio.sleep(60), name="child")
        """
    )
    result = pytester.runpytest_subprocess("-n1")
    result.stdout.fnmatch_lines([SECTION, "└── child"])


def test_asking_for_it_hides_nothing_of_what_a_time_out_shows(suite):
    result = suite(
        """
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            await asyncio.create_task(asyncio.sleep(60), name="child")
        """,
        "--asyncio-tasks",
    )
    result.stdout.fnmatch_lines([SECTION, "test_it (Task-*)", "└── child"])


def test_tests_at_the_same_time_are_reported_by_their_names_the_failing_one_first(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(concurrent=True)
        failed = asyncio.Event()
        async def test_other():
            await failed.wait()
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            try:
                await asyncio.Event().wait()
            finally:
                failed.set()
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    first, *others = (line for line in lines_of_section(result) if "(Task-" in line)
    assert first.startswith("test_it ")
    assert others[0].startswith("test_other ")


def test_a_task_that_has_ended_with_an_error_that_nobody_knows_is_shown(suite):
    result = suite(
        """
        async def work():
            raise KeyError("GBP")
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            task = asyncio.create_task(work(), name="worker")
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.wait([task])
                task.exception()
        """
    )
    result.stdout.fnmatch_lines(
        [SECTION, "worker, ended with KeyError('GBP')", "    test_it.py:4 in work"]
    )


def test_a_task_that_has_ended_with_an_error_that_somebody_has_retrieved_is_not(suite):
    result = suite(
        """
        async def work():
            raise KeyError("GBP")
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            task = asyncio.create_task(work(), name="worker")
            await asyncio.wait([task])
            task.exception()
            await asyncio.Event().wait()
        """
    )
    assert "worker" not in "\n".join(lines_of_section(result))


@pytest.mark.usefixtures("_impatient")
def test_a_task_that_blocks_the_loop_is_shown_down_to_the_line_that_does(suite):
    result = suite(
        """
        import time
        def inner():
            time.sleep(60)
        async def middle():
            inner()
        async def work():
            await middle()
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            task = asyncio.create_task(work(), name="worker")
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.wait([task])
                task.cancelled() or task.exception()
        """
    )
    result.stdout.fnmatch_lines(
        [
            SECTION,
            "worker, running",
            "    test_it.py:9 in work",
            "    test_it.py:7 in middle",
            "    test_it.py:5 in inner",
        ]
    )


def test_locks_show_who_holds_them_and_a_circle_is_a_deadlock(suite):
    result = suite(
        """
        async def work(number, first, second):
            async with first:
                await asyncio.sleep(0)
                async with second: pass
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            a, b = asyncio.Lock(), asyncio.Condition()
            async with asyncio.TaskGroup() as group:
                group.create_task(work(1, a, b), name="worker")
                group.create_task(work(2, b, a), name="worker")
        """
    )
    result.stdout.fnmatch_lines(
        [
            SECTION,
            "Deadlock: worker: work(number=1) waits for worker: work(number=2), which waits for *",
            "test_it (Task-*)",
            "│   waits for TaskGroup",
            "├── worker: work(number=1)",
            "│       waits for Lock.acquire",
            "│       which is held by worker: work(number=2)",
            "└── worker: work(number=2)",
            "        which is held by worker: work(number=1)",
        ]
    )


def test_a_lock_that_a_task_waits_for_twice_is_held_by_itself(suite):
    result = suite(
        """
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            lock = asyncio.Semaphore()
            async with lock:
                await lock.acquire()
        """
    )
    result.stdout.fnmatch_lines(
        [SECTION, "    waits for Semaphore.acquire", "    which is held by itself"]
    )


ACQUIRING = """
    class Bank:
        def __init__(self):
            self.lock = asyncio.Lock()

        async def transfer(self):
            await self.lock.acquire()
            {act}

    async def hold(lock):
        await lock.acquire()
        await asyncio.Event().wait()

    @pytest.mark.asyncio(timeout=0.2)
    async def test_it():
        bank = Bank()
        task = asyncio.create_task(bank.transfer(), name="transfer")
        other = asyncio.create_task(hold(asyncio.Lock()), name="other")
        await asyncio.sleep(0)
        async with bank.lock: pass
"""


@pytest.mark.parametrize(
    ("act", "lines"),
    [
        ("await asyncio.Event().wait()", ["    which seems to be held by transfer"]),
        (
            "return",
            [
                "    which none of these tasks is seen to hold:",
                "    one that has ended may not have released it",
            ],
        ),
    ],
)
def test_a_lock_that_was_acquired_by_a_call_shows_who_seems_to_hold_it(suite, act, lines):
    result = suite(ACQUIRING.format(act=act))
    result.stdout.fnmatch_lines([SECTION, "    waits for Lock.acquire", *lines])


def test_a_lock_that_was_released_since_is_held_by_another_task(suite):
    result = suite(
        """
        lock = asyncio.Lock()

        async def first():
            await lock.acquire()
            lock.release()
            await asyncio.Event().wait()

        async def second():
            await lock.acquire()
            await asyncio.Event().wait()

        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            tasks = [asyncio.create_task(it(), name=it.__name__) for it in (first, second)]
            await asyncio.sleep(0)
            await lock.acquire()
        """
    )
    result.stdout.fnmatch_lines([SECTION, "    which seems to be held by second"])


def test_locks_that_were_acquired_by_calls_in_a_circle_are_a_deadlock(suite):
    result = suite(
        """
        async def take(first, second):
            await first.acquire()
            await asyncio.sleep(0)
            await second.acquire()

        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            a, b = asyncio.Lock(), asyncio.Lock()
            await asyncio.gather(take(a, b), take(b, a))
        """
    )
    result.stdout.fnmatch_lines([SECTION, "Deadlock: Task-*: take() waits for Task-*: take(), *"])


def test_tasks_whose_names_say_nothing_are_shown_with_their_plain_arguments(suite):
    result = suite(
        """
        class Queue:
            def __repr__(self): raise ValueError
        async def work(queue, name, *, number):
            await asyncio.sleep(60)
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            await asyncio.gather(
                work(Queue(), "a" * 99, number=1), work(Queue(), "b", number=2)
            )
        """
    )
    result.stdout.fnmatch_lines(
        [
            SECTION,
            "├── Task-*: work(name='aaaaaaaaaaaaaaaaaa…, number=1)",
            "└── Task-*: work(name='b', number=2)",
        ]
    )


@pytest.mark.usefixtures("_impatient")
def test_a_thread_that_works_for_a_task_is_shown_below_it(suite):
    result = suite(
        """
        import threading
        over = threading.Event()
        def work():
            over.wait()
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            try:
                await asyncio.to_thread(work)
            finally:
                over.set()
        """
    )
    result.stdout.fnmatch_lines(
        [
            SECTION,
            "test_it (Task-*)",
            "│   waits for asyncio.to_thread",
            "└── thread 'asyncio_0'",
            "        test_it.py:6 in work",
            "        is in Event.wait",
        ]
    )


def test_tasks_of_another_loop_are_shown_with_whose_it_is_and_that_it_stands_still(suite):
    result = suite(
        """
        async def serve():
            await asyncio.Event().wait()
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def server():
            task = asyncio.create_task(serve(), name="server")
            await asyncio.sleep(0)
            yield
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it(server):
            await asyncio.Event().wait()
        """
    )
    result.stdout.fnmatch_lines(
        [
            SECTION,
            "test_it (Task-*)",
            "Tasks of the loop of test_it.py, which stands still:",
            "server",
            "    test_it.py:4 in serve",
        ]
    )


def test_a_fixture_at_its_yield_is_shown_where_others_wait_for_it(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def group():
            async with asyncio.TaskGroup() as group:
                yield group
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it(group):
            task = group.create_task(asyncio.sleep(60), name="child")
            try:
                await asyncio.Event().wait()
            finally:
                task.cancel()
        """
    )
    result.stdout.fnmatch_lines([SECTION, "fixture 'group', at its yield", "└── child"])


def test_code_of_an_installed_package_is_shown_where_it_is_entered_and_left(suite):
    package = """
        async def get(wait): await first(wait)
        async def first(wait): await second(wait)
        async def second(wait): await wait()
    """
    result = suite(
        """
        from package import get
        async def wait():
            await asyncio.Event().wait()
        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            await get(wait)
        """,
        files={"site-packages/package.py": package},
        ini="pythonpath = site-packages",
    )
    result.stdout.fnmatch_lines(
        [
            "test_it (Task-*)",
            "    test_it.py:8 in test_it",
            "    package.py:3 in get",
            "    …",
            "    package.py:5 in second",
            "    test_it.py:5 in wait",
            "    waits for Event.wait",
        ],
        consecutive=True,
    )


NOTHING_IS_LEFT = "No timer, connection or thread is left to wake these tasks."


def test_a_loop_that_nothing_is_left_to_wake_is_told_as_that(suite_alone):
    result = suite_alone(  # A thread that another test has left may wake it.
        """
        @pytest.mark.asyncio(timeout=0.1)
        async def test_it():
            never = asyncio.create_task(asyncio.Event().wait(), name="never")
            await asyncio.get_running_loop().create_future()
        """
    )
    result.stdout.fnmatch_lines(
        [
            SECTION,
            NOTHING_IS_LEFT,
            "test_it (Task-*)",
            "    test_it.py:6 in test_it",
            "    waits for a Future",
            "never",
            "    waits for Event.wait",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize(
    "begin",
    [
        "asyncio.create_task(asyncio.sleep(60))",
        "asyncio.get_running_loop().call_later(60, print)",
        "asyncio.get_running_loop().add_reader(os.pipe()[0], print)",
        "asyncio.create_task(asyncio.to_thread(over.wait))",
        "threading.Timer(0, over.wait).start()",
        "asyncio.create_task(spin())",
    ],
)
def test_a_loop_that_something_may_wake_is_not(suite, begin):
    result = suite(
        f"""
        import os, threading

        @pytest_asyncio.fixture
        async def over():
            yield (over := threading.Event())
            over.set()

        async def spin():
            while True:
                await asyncio.sleep(0)

        @pytest.mark.asyncio(timeout=0.1)
        async def test_it(over):
            begun = {begin}
            await asyncio.Event().wait()
        """,
        "-Wignore",
    )
    result.stdout.fnmatch_lines(SECTION)
    result.stdout.no_fnmatch_line(NOTHING_IS_LEFT)


def test_what_a_thread_calls_that_does_not_wake_the_loop_fails_at_the_time_out(suite):
    result = suite(
        """
        import threading

        @pytest.mark.asyncio(timeout=0.2)
        async def test_it():
            event = asyncio.Event()
            threading.Timer(0.05, event.set).start()
            await event.wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *TimeoutError: at test_it.py:9 in test_it: test_it took longer than the 0.2 s of *",
            SECTION,
            "A thread has called something, such as Event.set(), that does not wake the loop:",
            "let it call that by loop.call_soon_threadsafe().",
            "test_it (Task-*)",
        ]
    )


def test_what_waits_for_a_thread_of_an_executor_to_be_free_is_shown_with_those_that_are_not(suite):
    result = suite(
        """
        import threading
        from concurrent.futures import ThreadPoolExecutor

        @pytest.mark.asyncio(timeout=0.1)
        async def test_it():
            free = threading.Event()

            def block():
                free.wait()

            with ThreadPoolExecutor(1, "worker") as executor:
                executor.submit(block)
                try:
                    await asyncio.get_running_loop().run_in_executor(executor, print)
                finally:
                    free.set()
        """
    )
    result.stdout.fnmatch_lines(
        [
            SECTION,
            "test_it (Task-*)",
            "    test_it.py:16 in test_it",
            "    waits for a thread of an executor, none of which is free",
            "",
            "Thread 'worker_0':",
            "    test_it.py:11 in test_it.<locals>.block",
            "    is in Event.wait",
        ],
        consecutive=True,
    )
