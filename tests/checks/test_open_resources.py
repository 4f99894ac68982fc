"""The check `open-resources`."""

from __future__ import annotations

import gc
import textwrap
import threading

import pytest
from conditions import both_scopes

from pytest_asyncio.support import threads

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


OPEN = {
    "a Server": """await asyncio.start_server(print, "127.0.0.1", 0)""",
    "a *Transport": """await asyncio.open_connection(sock=socket.socketpair()[0])""",
    "a *SubprocessTransport": """await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "input()"), stdin=asyncio.subprocess.PIPE
            )""",
    "a ThreadPoolExecutor": "await use(ThreadPoolExecutor())",
    "the async generator 'numbers'": "await begin(numbers())",
}


IGNORING = ("-Wignore::ResourceWarning", "-Wignore::pytest.PytestUnraisableExceptionWarning")


HELPERS = """
        import socket, sys
        from concurrent.futures import ThreadPoolExecutor
        async def use(executor):
            await asyncio.get_running_loop().run_in_executor(executor, int)
            return executor
        async def numbers():
            yield 1
        async def begin(generator):
            await anext(generator)
            return generator
"""


@pytest.fixture(autouse=True)
def _free():
    yield
    gc.collect()


@both_scopes
@pytest.mark.parametrize("what", OPEN)
def test_what_a_test_leaves_open_is_reported(checked, what, scope):
    result = checked(
        f"""
        {HELPERS}
        kept = []
        pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
        async def test_it():
            kept.append({OPEN[what]})
        async def test_next(): pass
        """,
        *IGNORING,
        scope=scope,
        names="open-resources",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines([f"E*OpenResourceWarning: test_it has left {what} open since*"])


@both_scopes
def test_what_is_closed_is_fine(checked, scope):
    checked(
        f"""
        {HELPERS}
        kept = []
        @pytest.mark.asyncio(loop_scope=SCOPE)
        async def test_it():
            async with await asyncio.start_server(print, "127.0.0.1", 0): pass
            reader, writer = await asyncio.open_connection(sock=socket.socketpair()[0])
            writer.close()
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
            await process.wait()
            kept.append(process)
            with ThreadPoolExecutor() as executor:
                await use(executor)
            async for _ in numbers(): pass
            await asyncio.to_thread(int)
        """,
        *IGNORING,
        scope=scope,
        names="open-resources",
    ).assert_outcomes(passed=1)


def test_a_loop_that_reports_no_generators_is_fine(checked):
    checked(
        f"""
        {HELPERS}
        kept = numbers()
        @pytest.mark.asyncio
        async def test_it():
            assert await anext(kept) == 1
        """,
        names="open-resources",
        ini="asyncio_loop_factory = conftest.Loop",
        conftest="class Loop(asyncio.SelectorEventLoop): _asyncgen_firstiter_hook = None",
    ).assert_outcomes(passed=1)


def test_an_executor_for_all_tests_is_fine(checked):
    checked(
        f"""
        {HELPERS}
        executor = ThreadPoolExecutor()
        @pytest.mark.asyncio
        async def test_it(): await use(executor)
        @pytest.mark.asyncio
        async def test_next(): await use(executor)
        """,
        names="open-resources",
    ).assert_outcomes(passed=2)


def test_what_a_fixture_may_yet_close_is_reported_only_if_its_loop_ends(checked):
    result = checked(
        f"""
        {HELPERS}
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        @pytest_asyncio.fixture(scope="module")
        async def client():
            opened = []
            yield opened
            opened[0].close()
        async def test_it(client):
            client.append(await asyncio.start_server(print, "127.0.0.1", 0))
            client.append(await asyncio.start_server(print, "127.0.0.1", 0))
        async def test_next(): pass
        """,
        *IGNORING,
        names="open-resources",
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["E*OpenResourceWarning: test_it has left a Server open since*"])


def test_what_a_fixture_opens_and_one_that_it_uses_closes_is_fine(checked):
    checked(
        """
        @pytest.fixture
        def servers():
            servers = []
            yield servers
            servers[0].close()
        @pytest_asyncio.fixture
        async def server(servers):
            servers.append(await asyncio.start_server(print, "127.0.0.1", 0))
        @pytest.mark.asyncio
        async def test_it(server): pass
        """
    ).assert_outcomes(passed=1)


def test_each_loop_is_looked_at_by_itself(checked):
    checked(
        f"""
        {HELPERS}
        @pytest_asyncio.fixture(scope="module")
        async def server():
            async with await asyncio.start_server(print, "127.0.0.1", 0):
                yield
        @pytest.mark.asyncio
        async def test_it(server):
            async with await asyncio.start_server(print, "127.0.0.1", 0): pass
        """,
        names="open-resources",
    ).assert_outcomes(passed=1)


@both_scopes
def test_a_generator_is_reported_to_whom_it_runs_for(checked, scope):
    result = checked(
        f"""
        {HELPERS}
        pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)
        kept = []
        @pytest_asyncio.fixture(scope=SCOPE)
        async def background():
            turn = asyncio.Event()
            async def iterate():
                await turn.wait()
                kept.append(await begin(numbers()))
                turn.clear()
            task = asyncio.create_task(iterate())
            yield turn
            await task
        async def test_it(background):
            background.set()
            while background.is_set():
                await asyncio.sleep(0)
        """,
        *IGNORING,
        scope=scope,
        names="open-resources",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E*OpenResourceWarning: fixture 'background' has left the async generator 'numbers'*"]
    )


def test_it_shows_the_line(checked):
    result = checked(
        """
        async def numbers():
            yield 1
        generator = numbers()
        @pytest.mark.asyncio
        async def test_it():
            await asyncio.start_server(print, "127.0.0.1", 0)
            await anext(generator)
        """,
        *IGNORING,
        names="open-resources",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_it has left a Server open since test_it.py:8. Close it.",
            "*test_it has left the async generator 'numbers' open since test_it.py:9. Close*",
        ]
    )


@pytest.mark.parametrize("what", ["a Server", "a *Transport", "the async generator 'numbers'"])
def test_it_knows_those_of_uvloop(checked, what):
    pytest.importorskip("uvloop")
    result = checked(
        f"""
        {HELPERS}
        kept = []
        @pytest.mark.asyncio
        async def test_it():
            kept.append({OPEN[what]})
        """,
        *IGNORING,
        "--asyncio-loop-factory=uvloop.new_event_loop",
        names="open-resources",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E*OpenResourceWarning: test_it has left {what} open since*"])


def test_a_generator_that_a_wide_fixture_keeps_is_reported_when_the_loop_ends(checked):
    result = checked(
        f"""
        {HELPERS}
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def kept():
            yield []
        async def test_a(kept):
            kept.append(await begin(numbers()))
        async def test_b(kept):
            pass
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        "*OpenResourceWarning: test_a has left the async generator 'numbers' open since *"
    )


WORKER = """
    import threading

    over = threading.Event()

    class Worker(threading.Thread):
        def run(self):
            over.wait()

    def pytest_unconfigure():
        over.set()
        for thread in threading.enumerate():
            if isinstance(thread, Worker):
                thread.join()
"""


@pytest.fixture
def with_workers(checked, monkeypatch):
    """Run a suite that may leave a thread `Worker`, as that of a connection; it ends afterwards."""
    monkeypatch.setattr(threads, "GRACE", 0.05)

    def run(source, *args):
        header = "from conftest import Worker, over, threading\n"
        source = header + textwrap.dedent(source)
        return checked(source, *args, names="open-resources", conftest=WORKER)

    return run


def test_a_thread_that_keeps_the_process_from_ending_is_reported_after_the_last_test(with_workers):
    result = with_workers("""
        @pytest.mark.asyncio
        async def test_it():
            Worker(name="worker").start()

        @pytest.mark.asyncio
        async def test_last(): pass
        """)
    result.assert_outcomes(passed=2, errors=1)
    found = (
        "E*OpenResourceWarning: test_it has left a thread running since test_it.py:6: 'worker' at "
        "conftest.py:9 in Worker.run. The process does not end before it does: close what it *"
    )
    result.stdout.fnmatch_lines(
        ["*_ ERROR at teardown of test_last _*", '>*Worker(name="worker").start()', found]
    )


def test_each_fixture_and_test_is_told_of_its_own_threads(with_workers):
    result = with_workers(
        """
        @pytest_asyncio.fixture
        async def connection():
            Worker().start()

        @pytest.fixture
        def session():
            Worker().start()

        @pytest.mark.asyncio
        async def test_it(connection, session): pass

        def test_last():
            Worker().start()
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=2, warnings=3)
    result.stdout.fnmatch_lines_random(
        [
            f"*OpenResourceWarning: {who} has left a thread running since test_it.py:*"
            for who in ("fixture 'connection'", "fixture 'session'", "test_last")
        ]
    )


def test_a_thread_that_another_one_has_begun_is_told_of_nobody(with_workers):
    result = with_workers(
        """
        def begin():
            Worker().start()

        @pytest.mark.asyncio
        async def test_it():
            await asyncio.to_thread(begin)
            starting = threading.Thread(target=begin)
            starting.start()
            starting.join()
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=2)
    result.stdout.fnmatch_lines_random(
        [
            "*: test_it has left a thread *",
            "*: Code that is no test's for certain has left a thread *",
        ]
    )


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("Worker(daemon=True).start()", id="daemon"),
        pytest.param("kept.append(ThreadPoolExecutor()); kept[0].submit(int)", id="executor"),
        pytest.param("threading.Thread(target=sleep, args=(0.01,)).start()", id="short"),
        pytest.param("pool.append(Worker()); pool[0].start()", id="ended by a fixture"),
        pytest.param("pytest.fail()", id="none"),
    ],
)
def test_a_thread_for_which_the_process_does_not_wait_is_fine(with_workers, code):
    with_workers(f"""
        from concurrent.futures import ThreadPoolExecutor
        from time import sleep
        kept = []

        @pytest.fixture(scope="session")
        def pool():
            workers = []
            yield workers
            over.set()
            for worker in workers:
                worker.join()

        @pytest.mark.asyncio
        async def test_it(pool):
            {code}

        @pytest.mark.asyncio
        async def test_last(): pass
        """)


def test_a_library_that_wraps_the_start_of_threads_keeps_its_own(with_workers, monkeypatch):
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", start)
    with_workers("""
        @pytest.mark.asyncio
        async def test_it():
            start = threading.Thread.start
            threading.Thread.start = lambda self: start(self)
        """).assert_outcomes(passed=1)
    assert threading.Thread.start.__name__ == "<lambda>"
