"""Notes about loops are followed to the letter, in suites of several files, which then pass."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.usefixtures("_leave_nothing_to_others")

INI = "asyncio_default_fixture_loop_scope = function"
PLACES = r"the test|'\w+'(?:(?:, | and )'\w+')*"
CHANGE = re.compile(rf"(@[\w.]+)\(loop_scope=\"(\w+)\"\) at ({PLACES})")
OTHERS = re.compile(r"So have other tests that use .+?: (.+?)\.(?: |$)")
FAILED = re.compile(r"^(?:FAILED|ERROR) ([\w./]+)::(\w+)", re.MULTILINE)

CONNECTION = {
    "conftest.py": """
        class Connection:
            def __init__(self):
                self.loop = asyncio.get_running_loop()

            async def query(self):
                answer = self.loop.create_future()
                self.loop.call_soon(answer.set_result, None)
                await answer

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def connection():
            return Connection()

        @pytest_asyncio.fixture
        async def account(connection):
            await connection.query()
            yield connection
            await connection.query()
    """,
    "test_one.py": """
        @pytest.mark.asyncio
        async def test_one(account):
            await account.query()

        @pytest.mark.asyncio
        async def test_two(connection):
            await connection.query()
    """,
    "test_two.py": """
        @pytest.mark.asyncio
        async def test_three(account): pass
    """,
}

SERVER = {
    "conftest.py": """
        async def answer(reader, writer):
            writer.write(await reader.readline())
            writer.close()

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def port():
            async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
                yield server.sockets[0].getsockname()[1]

        @pytest_asyncio.fixture
        async def client(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            yield reader, writer
            writer.close()
            await writer.wait_closed()
    """,
    "test_one.py": """
        @pytest.mark.asyncio
        async def test_one(client):
            reader, writer = client
            writer.write(b"hello\\n")
            async with asyncio.timeout(0.2):
                assert await reader.readline() == b"hello\\n"
    """,
    "test_two.py": """
        @pytest.mark.asyncio(timeout=0.2)
        async def test_two(client):
            reader, writer = client
            writer.write(b"hello\\n")
            assert await reader.readline() == b"hello\\n"

        @pytest.mark.asyncio
        async def test_three(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello\\n")
            assert await asyncio.wait_for(reader.readline(), 0.2) == b"hello\\n"
            writer.close()
            await writer.wait_closed()
    """,
}

QUEUE = {
    "conftest.py": """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def worker():
            queue, results = asyncio.Queue(), asyncio.Queue()
            async def work():
                while True:
                    await results.put(await queue.get())
            task = asyncio.create_task(work())
            await asyncio.sleep(0)
            yield queue, results
            task.cancel()
    """,
    "test_one.py": """
        @pytest.mark.asyncio(timeout=0.2)
        async def test_one(worker):
            queue, results = worker
            queue.put_nowait(1)
            assert await results.get() == 1
    """,
    "test_two.py": """
        @pytest.mark.asyncio(timeout=0.2)
        async def test_two(worker):
            queue, results = worker
            queue.put_nowait(1)
            assert await results.get() == 1
    """,
}

FIRST_USED = {
    "conftest.py": """
        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def queue():
            return asyncio.Queue()

        @pytest_asyncio.fixture
        async def consumer(queue):
            async def get():
                return await queue.get()
            task = asyncio.create_task(get())
            await asyncio.sleep(0)
            yield task
            task.cancel()
    """,
    "test_one.py": """
        @pytest.mark.asyncio
        async def test_one(consumer, queue):
            queue.put_nowait(1)
            assert await asyncio.wait_for(consumer, 1) == 1
    """,
    "test_two.py": """
        @pytest.mark.asyncio
        async def test_two(queue):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(queue.get(), 0.01)

        @pytest.mark.asyncio
        async def test_three(consumer, queue):
            queue.put_nowait(1)
            assert await asyncio.wait_for(consumer, 1) == 1
    """,
}

SUITES = {"connection": CONNECTION, "server": SERVER, "queue": QUEUE, "first used": FIRST_USED}


def follow(files, text):
    """Do what the notes on the failures of a suite say, in the order in which they are said."""
    files = dict(files)
    for (file, test), section in zip(FAILED.findall(text), sections_of(text), strict=True):
        for decorator, scope, places in CHANGE.findall(section):
            if places == "the test":
                files[file] = with_loop_scope(files[file], test, decorator, scope)
            for fixture in re.findall(r"'(\w+)'", places):
                files["conftest.py"] = with_loop_scope(
                    files["conftest.py"], fixture, decorator, scope
                )
        for other, name in re.findall(r"([\w./]+)::(\w+)", "".join(OTHERS.findall(section))):
            mark = "@pytest.mark.asyncio"
            files[other] = with_loop_scope(files[other], name, mark, CHANGE.search(section)[2])
    return files


def sections_of(text):
    """Return what is said of each failure, joined into one line."""
    failures = text.partition("short test summary")[0]
    parts = re.split(r"^_{3,} .* _{3,}$", failures, flags=re.MULTILINE)[1:]
    return [re.sub(r"\s*\n(?:E +)?", " ", part) for part in parts]


def with_loop_scope(source, name, decorator, scope):
    before = re.search(rf"{decorator}(?:\((.*)\))?(\s+async def {name}\()", source)
    others = [it for it in (before[1] or "").split(", ") if it and "loop_scope" not in it]
    arguments = ", ".join([*others, f'loop_scope="{scope}"'])
    return source.replace(before[0], f"{decorator}({arguments}){before[2]}")


@pytest.mark.parametrize("name", SUITES)
def test_the_keywords_that_notes_name_end_the_trouble(suite, name):
    files = SUITES[name]
    result = suite("", "-Wignore", files=files, ini=INI)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    followed = follow(files, result.stdout.str())
    assert followed != files
    again = suite("", "-Wignore", files=followed, ini=INI)
    assert again.ret == pytest.ExitCode.OK


@pytest.mark.parametrize("name", SUITES)
def test_the_option_that_notes_name_ends_the_trouble(suite, name):
    files = SUITES[name]
    result = suite("", "-Wignore", files=files, ini=INI)
    result.stdout.fnmatch_lines("E *Or set asyncio_loop_scope = auto: *")
    again = suite("", "-Wignore", files=files, ini="asyncio_loop_scope = auto")
    assert again.ret == pytest.ExitCode.OK


def test_other_tests_that_have_to_change_are_named(suite):
    result = suite("", "-Wignore", files=SERVER, ini=INI)
    result.stdout.fnmatch_lines(
        "E *So have other tests that use the fixture '*': test_two.py::test_two and "
        "test_two.py::test_three."
    )


BOUND = """
    class TooLate({base}): pass

    class Client:
        def __init__(self):
            self._loop = asyncio.get_running_loop()

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def client():
        client = {value}
        yield client

    @pytest.mark.asyncio
    async def test_it(client):
        raise TooLate("{message}")
"""


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("TimeoutError", "late"),
        ("asyncio.InvalidStateError", "no result"),
        ("EOFError", "the end"),
        ("RuntimeError", "Timeout context manager should be used inside a task"),
        ("Exception", "cannot perform operation: another operation is in progress"),
        ("Exception", "Timeout (>2.0s) from pytest-timeout."),
        ("RuntimeError", "await wasn't used with future"),
    ],
)
@pytest.mark.parametrize("value", ["Client()", "asyncio.create_task(asyncio.sleep(60))"])
def test_errors_in_which_waits_end_are_explained_where_another_loop_is_in_use(
    suite, value, base, message
):
    result = suite(BOUND.format(base=base, message=message, value=value), "-Wignore")
    result.stdout.fnmatch_lines("E *What * uses may be on a loop that stands still meanwhile.")


@pytest.mark.parametrize("base", ["TimeoutError", "asyncio.InvalidStateError"])
def test_a_loop_on_which_there_is_nothing_is_not_named(suite, base):
    result = suite(BOUND.format(base=base, message="late", value="{}"))
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*on a loop*")


@pytest.mark.parametrize("base", ["ValueError", "AssertionError", "KeyError"])
def test_other_errors_are_not_explained(suite, base):
    result = suite(BOUND.format(base=base, message="wrong", value="Client()"))
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*on a loop*")


def test_a_deadlock_of_a_virtual_clock_is_explained(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def worker():
            queue, results = asyncio.Queue(), asyncio.Queue()
            async def work():
                await results.put(await queue.get())
            task = asyncio.create_task(work())
            await asyncio.sleep(0)
            yield queue, results
            task.cancel()

        @pytest.mark.asyncio(clock="virtual")
        async def test_it(worker):
            queue, results = worker
            queue.put_nowait(1)
            await results.get()
        """
    )
    result.stdout.fnmatch_lines(
        [
            "E *Deadlock: *",
            "E *The fixture 'worker' runs on a loop of scope 'module', and test_it *",
        ]
    )


def test_for_a_fixture_of_an_installed_package_the_option_is_named(suite):
    result = suite(
        """
        pytest_plugins = ["installed"]

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(client):
            await client
        """,
        files={
            "site-packages/installed.py": """
                @pytest_asyncio.fixture
                async def client():
                    return asyncio.get_running_loop().create_future()
            """
        },
        ini="pythonpath = site-packages",
    )
    result.stdout.fnmatch_lines(
        "E *'client' is not the suite's own: set asyncio_loop_scope = auto, and every test *"
    )
    result.stdout.no_fnmatch_line("*Write @*")


def test_for_one_that_names_its_loop_scope_that_is_in_the_way(suite):
    result = suite(
        """
        pytest_plugins = ["installed"]

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(client):
            await client
        """,
        files={
            "site-packages/installed.py": """
                @pytest_asyncio.fixture(loop_scope="function")
                async def client():
                    return asyncio.get_running_loop().create_future()
            """
        },
        ini="pythonpath = site-packages",
    )
    result.stdout.fnmatch_lines("E *and take loop_scope away at the fixture 'client', and every *")


def test_many_other_tests_are_counted(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def future():
            return asyncio.get_running_loop().create_future()

        @pytest.mark.asyncio
        @pytest.mark.parametrize("number", range(8))
        async def test_it(future, number):
            await future
        """,
        "-Wignore",
    )
    result.stdout.fnmatch_lines("E *So have other tests *test_it[[]5] and 2 more.")


def test_where_loops_are_as_wide_as_they_need_to_be_no_option_is_named(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(loop_scope="module", scope="module")
        async def future():
            return asyncio.get_running_loop().create_future()

        @pytest.mark.asyncio(loop_scope="function")
        async def test_it(future):
            await future
        """,
        ini="asyncio_loop_scope = auto",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines('E *Write @pytest.mark.asyncio(loop_scope="module") at the test*')
    result.stdout.no_fnmatch_line("*asyncio_loop_scope = auto*")


LOCK = {
    "app.py": """
        LOCK = asyncio.Lock()

        async def use():
            async with LOCK:
                await asyncio.sleep(0)
    """,
    **{
        f"test_{name}.py": f"""
            import app

            @pytest.mark.asyncio
            async def test_{name}():
                await asyncio.gather(app.use(), app.use())
        """
        for name in ("one", "two", "three")
    },
}


def test_for_a_lock_of_a_module_the_option_ends_the_trouble(suite):
    result = suite("", files=LOCK, ini="pythonpath = .")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "E *The Lock app.LOCK belongs to the event loop of test_one.py::test_one, which *",
            "E *Or set asyncio_loop_scope = session: all tests share one loop then.",
        ]
    )
    again = suite("", files=LOCK, ini="pythonpath = .\nasyncio_loop_scope = session")
    again.assert_outcomes(passed=3)
