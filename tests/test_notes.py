"""Errors that event loops are known for say what to change; tracebacks show the user's lines."""

from __future__ import annotations

import sys

import pytest

DATABASE = """
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def database():
        return asyncio.get_running_loop().create_future()
"""


def test_a_test_that_uses_a_fixture_of_a_wider_loop_is_shown_the_keyword(suite):
    result = suite(
        DATABASE
        + """
    @pytest.mark.asyncio
    async def test_it(database):
        await database
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        "E *The fixture 'database' runs on a loop of scope 'module', and test_it on one of scope "
        "'function'. Write @pytest.mark.asyncio(loop_scope=\"module\") at the test to let them "
        "share one."
    )


def test_a_test_that_uses_a_fixture_of_a_narrower_loop_is_shown_the_keyword(suite):
    result = suite("""
        @pytest_asyncio.fixture(loop_scope="function")
        async def future():
            return asyncio.get_running_loop().create_future()

        @pytest.mark.asyncio(loop_scope="session")
        async def test_it(future):
            await future
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        "E *The fixture 'future' runs on a loop of scope 'function', and test_it on one of scope "
        "'session'. Write @pytest_asyncio.fixture(loop_scope=\"session\") at 'future' to let them "
        "share one."
    )


def test_a_fixture_that_uses_one_of_another_loop_is_shown_the_keyword(suite):
    result = suite(
        DATABASE
        + """
    @pytest_asyncio.fixture
    async def table(database):
        await database

    @pytest.mark.asyncio
    async def test_it(table): pass
"""
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "E *The fixture 'database' runs on a loop of scope 'module', and the fixture 'table' on "
        "one of scope 'function'. Write @pytest.mark.asyncio(loop_scope=\"module\") at the test "
        "and @pytest_asyncio.fixture(loop_scope=\"module\") at 'table' to let them share one."
    )


@pytest.mark.parametrize(("mark", "own"), [("", "function"), ("(loop_scope='module')", "module")])
def test_a_test_that_uses_a_fixture_of_an_outer_package_is_shown_the_keyword(suite, mark, own):
    result = suite(
        files={
            "outer/__init__.py": "",
            "outer/conftest.py": """
                @pytest_asyncio.fixture(scope="package", loop_scope="package")
                async def future():
                    return asyncio.get_running_loop().create_future()
            """,
            "outer/inner/__init__.py": "",
            "outer/inner/test_it.py": f"""
                @pytest.mark.asyncio{mark}
                async def test_it(future):
                    await future
            """,
        }
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        "E *The fixture 'future' runs on a loop of scope 'package', and test_it on one of scope "
        f"'{own}'. Write @pytest.mark.asyncio(loop_scope=\"package\") at the test to let them "
        "share one."
    )


def test_a_test_that_uses_a_fixture_of_its_package_is_shown_the_keyword(suite):
    result = suite(
        files={
            "package/__init__.py": "",
            "package/test_it.py": DATABASE.replace('"module"', '"package"')
            + """
    @pytest.mark.asyncio
    async def test_it(database):
        await database
""",
        }
    )
    result.stdout.fnmatch_lines(
        "E *The fixture 'database' runs on a loop of scope 'package', *. "
        'Write @pytest.mark.asyncio(loop_scope="package") at the test to let them share one.'
    )


def test_a_test_that_uses_a_fixture_whose_parameter_widens_it_is_shown_the_keyword(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def future(request):
            return asyncio.get_running_loop().create_future()

        @pytest.mark.asyncio
        @pytest.mark.parametrize("future", ["parameter"], indirect=True, scope="module")
        async def test_it(future):
            await future
    """)
    result.stdout.fnmatch_lines(
        "E *The fixture 'future' runs on a loop of scope 'module', *. "
        'Write @pytest.mark.asyncio(loop_scope="module") at the test to let them share one.'
    )


def test_only_fixtures_on_another_loop_are_named(suite):
    result = suite(
        DATABASE
        + """
    @pytest_asyncio.fixture
    async def innocent(): pass

    @pytest.fixture
    def synchronous(): pass

    @pytest.mark.asyncio
    async def test_it(innocent, synchronous, database):
        await database
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*The fixture 'innocent'*")
    result.stdout.no_fnmatch_line("*The fixture 'synchronous'*")


def test_a_fixture_on_another_loop_than_its_test_alone_is_shown_that(suite):
    result = suite("""
    @pytest_asyncio.fixture(loop_scope="module")
    async def bank(): raise RuntimeError("attached to a different loop")

    @pytest.mark.asyncio
    async def test_it(bank): pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "E*test_it runs on a loop of scope 'function', and the fixture 'bank' on one of scope "
        "'module'. *"
    )


def test_an_error_that_two_tests_raise_has_its_note_once(suite):
    result = suite("""
    ERROR = RuntimeError("Cannot close a running event loop")

    @pytest.fixture
    def number():
        async def numbers(): yield 1
        return numbers()

    @pytest.mark.asyncio
    async def test_one(number): raise ERROR

    @pytest.mark.asyncio
    async def test_two(number): raise ERROR
    """)
    result.assert_outcomes(failed=2)
    report = result.stdout.str()
    assert report.count("Leave the loop to pytest-asyncio") == 2
    assert report.count("is an async generator, of which nothing has run") == 2


def test_a_time_out_beside_another_loop_of_uvloop_on_which_nothing_runs_has_no_note(suite):
    pytest.importorskip("uvloop")
    result = suite(
        """
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def settings(): return {}

    @pytest.mark.asyncio
    async def test_it(settings):
        await asyncio.wait_for(asyncio.Event().wait(), 0.01)
    """,
        "--asyncio-loop-factory=uvloop.new_event_loop",
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*The fixture 'settings'*")


def test_a_fixture_of_another_scope_that_means_the_same_loop_is_not_named(suite):
    result = suite(
        DATABASE
        + """
    @pytest_asyncio.fixture(loop_scope="class")
    async def innocent(): pass

    @pytest.mark.asyncio
    async def test_it(innocent, database):
        await database
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*The fixture 'innocent'*")


def test_a_test_that_uses_what_no_fixture_made_is_shown_where_to_make_it(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio

        async def test_makes_it():
            global future
            future = asyncio.get_running_loop().create_future()

        async def test_it():
            await future
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        "E *What was made on another loop is used by test_it, on a loop of scope 'function'. "
        "Make it there, or in an async fixture with the same loop_scope."
    )


@pytest.mark.parametrize("loop", ["running", "idle", "closed", "stub"])
def test_a_loop_that_nobody_waits_for_is_not_said_to_stand_still(suite, loop):
    result = suite(f"""
        import threading

        def in_thread(loop):
            thread = threading.Thread(target=loop.run_forever)
            thread.start()
            asyncio.run_coroutine_threadsafe(asyncio.sleep(60), loop)
            yield loop
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            for task in asyncio.all_tasks(loop): task.cancel()
            loop.run_until_complete(asyncio.sleep(0))

        @pytest.fixture
        def loop():
            loop = asyncio.AbstractEventLoop() if {loop == "stub"} else asyncio.new_event_loop()
            if {loop == "running"}:
                yield from in_thread(loop)
            elif {loop == "closed"}:
                loop.close()
                yield loop
            else:
                yield loop
            if not {loop == "stub"}:
                loop.close()

        @pytest.mark.asyncio
        async def test_it(loop):
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*that nothing runs*")


@pytest.mark.parametrize("place", ["test", "fixture", "idle"])
def test_a_loop_that_synchronous_code_runs_is_not_said_to_stand_still(suite, place):
    result = suite(f"""
        async def work():
            task = asyncio.create_task(asyncio.sleep(60))
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)

        @pytest.fixture
        def loop():
            loop = asyncio.new_event_loop()
            yield loop
            for task in asyncio.all_tasks(loop): task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

        @pytest.fixture
        def worked(loop):
            if {place == "fixture"}:
                loop.run_until_complete(work())

        @pytest.mark.asyncio
        async def test_async(worked): pass

        def test_it(loop):
            if {place == "idle"}:
                task = loop.create_task(asyncio.sleep(60))
                loop.run_until_complete(asyncio.sleep(0))
                raise TimeoutError
            loop.run_until_complete(work())
    """)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.no_fnmatch_line("*that nothing runs*")


def test_a_lock_that_is_bound_to_another_loop_is_reported(suite):
    result = suite("""
        lock = asyncio.Lock()

        async def wait_for_lock():
            async with asyncio.timeout(0.01):
                async with lock:
                    await lock.acquire()

        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", [1, 2])
        async def test_it(_):
            with pytest.raises(TimeoutError):
                await wait_for_lock()
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E **bound to a different event loop",
            "E *The Lock test_it.lock belongs to *test_it.py::test_it[[]1], which *",
            "E *used by test_it[[]2], on a loop of scope *",
            "E *Or set asyncio_loop_scope = session: all tests share one loop then.",
        ]
    )


BOUND = """
    {make}

    async def hold():
        async with {lock}: await asyncio.sleep(0)

    @pytest.mark.asyncio(loop_scope="module")
    async def test_one():
        await asyncio.gather(hold(), hold())

    @pytest.mark.asyncio
    async def test_two():
        await asyncio.gather(hold(), hold())
"""


@pytest.mark.parametrize(
    ("make", "lock", "name"),
    [
        (
            "class Pool: pass\n    pool = Pool()\n    pool.lock = asyncio.Lock()",
            "pool.lock",
            "'lock' of a Pool",
        ),
        ("locks = [asyncio.Semaphore()]", "locks[0]", ""),
    ],
)
def test_a_primitive_is_named_by_what_holds_it(suite, make, lock, name):
    result = suite(BOUND.format(make=make, lock=lock))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        f"E *{name} belongs to the event loop of test_it.py since it was first waited for."
    )


def test_a_primitive_that_is_bound_to_a_loop_of_the_suites_own_is_not_named(suite):
    result = suite("""
        lock = asyncio.Lock()
        async def hold():
            async with lock: await asyncio.sleep(0)
        async def hold_twice():
            await asyncio.gather(hold(), hold())
        def test_own():
            asyncio.run(hold_twice())
        @pytest.mark.asyncio(loop_scope="session")
        async def test_it():
            await hold_twice()
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("E *What was made on another loop is used by test_it, *")
    result.stdout.no_fnmatch_line("*belongs to*")
    result.stdout.no_fnmatch_line("*Or set*")


def test_an_error_about_loops_that_a_framework_logs_is_explained(suite):
    result = suite("""
        import logging

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def future():
            return asyncio.get_running_loop().create_future()

        async def handle(future):
            try:
                await future
            except Exception:
                logging.exception("Error handling request")
                return 500

        @pytest.mark.asyncio
        async def test_it(future):
            assert await handle(future) == 200
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E  *assert 500 == 200",
            "The captured output has an error about another event loop.",
            "The fixture 'future' runs on a loop of scope 'module', and test_it *",
        ]
    )


def test_the_use_of_a_closed_loop_is_reported(suite):
    result = suite("""
        @pytest.mark.asyncio
        @pytest.mark.parametrize("number", [1, 2])
        async def test_it(number):
            global loop
            if number == 1:
                loop = asyncio.get_running_loop()
            loop.call_soon(print)
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *RuntimeError: Event loop is closed",
            "E *made on the loop of an earlier test or fixture is used after that loop was closed.",
            "E *used by test_it[[]2], on a loop of scope 'function'. *",
        ]
    )


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("asyncio.get_running_loop()", "no running event loop"),
        ("asyncio.set_event_loop(None); asyncio.get_event_loop()", "*no current event loop*"),
    ],
)
def test_sync_code_without_a_loop_is_shown_how_to_have_one(suite, code, error):
    result = suite(
        f"""
        @pytest.fixture
        def client():
            {code}

        @pytest.mark.asyncio
        async def test_async(client): pass
        """,
        "-Wignore",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            f"E *RuntimeError: {error}",
            "E *In the fixture 'client', this is called outside of an event loop. Let it be *",
        ]
    )


def test_a_sync_test_without_a_loop_is_shown_how_to_have_one(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_async(): pass

        def test_sync():
            asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        "E *In test_sync, this is called outside of an event loop. Let it be async, or request the "
        "fixture asyncio_runner: asyncio_runner.run() runs a coroutine on the loop of the test."
    )


@pytest.mark.parametrize(
    "handle",
    [
        "raise ExceptionGroup('all', [error])",
        "raise ValueError from error",
        "raise ValueError",
    ],
    ids=["group", "cause", "context"],
)
def test_an_error_behind_an_error_is_explained(suite, handle):
    result = suite(
        DATABASE
        + f"""
    @pytest.mark.asyncio
    async def test_it(database):
        try:
            await database
        except RuntimeError as error:
            {handle}
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines('*Write @pytest.mark.asyncio(loop_scope="module") at the test*')


def test_an_error_and_its_causes_have_one_note(suite):
    result = suite("""
        class ReadTimeout(Exception): pass

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def server():
            task = asyncio.create_task(asyncio.sleep(60))
            await asyncio.sleep(0)
            yield
            task.cancel()

        @pytest.mark.asyncio
        async def test_it(server):
            try:
                await asyncio.wait_for(asyncio.Event().wait(), 0.01)
            except TimeoutError as error:
                raise ReadTimeout from error
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *ReadTimeout", "E *What test_it uses may be on a loop that stands *"]
    )
    assert str(result.stdout).count("What test_it uses may be") == 1


def test_an_error_is_explained_once(suite):
    result = suite(
        DATABASE
        + """
    error = None

    @pytest.mark.asyncio
    @pytest.mark.parametrize("_", [1, 2])
    async def test_it(database, _):
        global error
        try:
            if error is None:
                await database
        except RuntimeError as new:
            error = new
        raise error
"""
    )
    result.assert_outcomes(failed=2)
    lines = [line for line in result.outlines if line.startswith("E ")]
    notes = [line for line in lines if "Write @pytest.mark.asyncio" in line]
    assert len(notes) == 2 + 1  # The note of test_it[1] is shown with both, that of the other once.


@pytest.mark.parametrize("error", ["RuntimeError('no')", "ValueError('Event loop is closed')"])
def test_any_other_error_stays_as_it_is(suite, error):
    result = suite(f"""
        @pytest.mark.asyncio
        async def test_it():
            raise {error}
    """)
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*loop_scope=[\"']*")


def test_a_doctest_may_fail_after_an_async_test(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_async():
            assert 1 == 2
        """,
        "--doctest-modules",
        files={
            "test_later.py": """
                def documented():
                    '''
                    >>> 1
                    2
                    '''
            """
        },
    )
    result.assert_outcomes(failed=2)


def test_the_errors_of_a_doctest_stay_as_they_are(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_async():
            pass
        """,
        "--doctest-modules",
        files={
            "test_later.py": """
                def documented():
                    '''
                    >>> asyncio.get_running_loop()
                    '''
            """
        },
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*asyncio_runner*")


FAILURES = """
    async def deep():
        await asyncio.sleep(0)
        raise LookupError

    @pytest_asyncio.fixture
    async def setup():
        await deep()

    @pytest_asyncio.fixture
    async def teardown():
        yield
        await deep()

    @pytest_asyncio.fixture
    async def group():
        async with asyncio.TaskGroup() as tasks:
            yield
            tasks.create_task(deep())

    @pytest_asyncio.fixture
    async def dynamic(request):
        await pytest_asyncio.getfixturevalue(request, "setup")
"""
FAILING_TESTS = """
    from conftest import deep

    pytestmark = pytest.mark.asyncio

    async def test_call():
        await deep()

    async def test_group():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(deep())

    async def test_cause():
        try:
            await deep()
        except LookupError as error:
            raise ValueError from error

    @pytest.mark.parametrize("name", ["setup", "teardown", "group", "dynamic"])
    def test_fixture(request, name):
        request.getfixturevalue(name)

    def test_runner(asyncio_runner):
        asyncio_runner.run(deep())

    class TestClass:
        async def setup_method(self):
            await deep()

        async def test_it(self):
            pass
"""


@pytest.mark.parametrize("style", ["auto", "long", "short", "line", "native"])
def test_a_traceback_shows_no_line_of_the_package(suite, style):
    result = suite(FAILING_TESTS, f"--tb={style}", conftest=FAILURES)
    result.assert_outcomes(passed=2, failed=6, errors=3)
    result.stdout.no_re_match_line(r'^[^<]*/pytest_asyncio/.*\.py[":]')  # A task's repr may.


def test_a_full_trace_shows_all_lines(suite):
    result = suite(FAILING_TESTS, "--full-trace", conftest=FAILURES)
    result.stdout.fnmatch_lines("*pytest_asyncio/engine/async_tests.py*")


def test_a_failure_is_reported_where_nothing_writes_to_a_terminal(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            raise ZeroDivisionError
        """,
        "-p",
        "no:terminal",
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_traceback_that_ends_in_the_package_is_shown_whole(suite, monkeypatch):
    monkeypatch.setattr("pytest_asyncio.engine.async_tests.factory_of", None)
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(): pass
        """,
        "--tb=native",
    )
    result.stdout.fnmatch_lines("*pytest_asyncio/engine/async_tests.py*")


def test_a_test_that_waits_for_a_server_on_a_wider_loop_is_shown_the_keyword(suite):
    result = suite("""
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def answers():
            async def serve():
                while True:
                    (await questions.get()).set()
            questions = asyncio.Queue()
            task = asyncio.create_task(serve())
            yield questions
            task.cancel()

        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(answers):
            answered = asyncio.Event()
            answers.put_nowait(answered)
            await answered.wait()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *TimeoutError: *test_it took longer than the 0.05 s of its timeout.",
            "E *What * uses may be on a loop that stands still meanwhile.",
            'E *Write @pytest.mark.asyncio(loop_scope="module") at the test to let them share one.',
        ]
    )


def test_so_is_one_whose_context_manager_holds_what_is_bound_to_a_wider_loop(suite):
    result = suite("""
        import contextlib

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        @contextlib.asynccontextmanager
        async def answer():
            answered = asyncio.get_running_loop().create_future()
            yield answered.done

        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(answer):
            await asyncio.Event().wait()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        'E *Write @pytest.mark.asyncio(loop_scope="module") at the test to let them share one.'
    )


def test_the_end_of_a_time_out_says_nothing_of_fixtures_on_the_same_loop(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def answers(): yield

        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(answers):
            await asyncio.Event().wait()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*stands still*")


def test_a_keyword_that_no_fixture_has_is_reported_at_the_users_line(suite):
    result = suite("""
        @pytest_asyncio.fixture(loopscope="module")
        async def answers(): yield
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["test_it.py:3: *", "E *TypeError: Fixture 'answers': *'loopscope'. Write loop_scope=."]
    )
    result.stdout.no_fnmatch_line("*fixtures.py*")


def test_an_async_test_that_nobody_runs_is_shown_the_mark(suite):
    result = suite("""
        async def test_it(): pass
        def test_sync(): pytest.fail("for another reason")
    """)
    result.assert_outcomes(failed=2)
    hint = "If test_it is asyncio's, write @pytest.mark.asyncio at it, or set the option *'auto'."
    result.stdout.fnmatch_lines(["*async def functions are not natively supported*", hint])
    assert result.stdout.str().count("@pytest.mark.asyncio") == 1


@pytest.mark.parametrize(
    "value",
    [
        "5",
        pytest.param(
            "len",
            marks=pytest.mark.skipif(
                sys.implementation.name == "pypy", reason="its built-in functions are functions"
            ),
        ),
    ],
)
def test_a_fixture_of_what_is_no_function_is_reported_at_the_users_line(suite, value):
    result = suite(f"late = pytest_asyncio.fixture({value})")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "test_it.py:2: *",
            f"E *TypeError: pytest_asyncio.fixture() needs a function, not *{value}*",
        ]
    )


ORDER = """
    up = set()

    async def connect():
        if not up: raise ConnectionRefusedError

    @pytest_asyncio.fixture
    async def client({request}):
        {setup}
        yield
        {teardown}

    @pytest_asyncio.fixture
    async def server():
        up.add(1)
        yield
        up.clear()

    @pytest_asyncio.fixture
    async def account(client): pass

    @pytest.mark.asyncio
    async def test_it(client, server, account, tmp_path): pass
"""


@pytest.mark.parametrize(
    ("setup", "teardown", "state"),
    [("pass", "await connect()", "torn down"), ("await connect()", "pass", "yet to be set up")],
)
def test_an_order_of_fixtures_that_may_be_the_cause_is_named(suite, setup, teardown, state):
    result = suite(ORDER.format(request="", setup=setup, teardown=teardown))
    result.assert_outcomes(passed=int(setup == "pass"), errors=1)
    result.stdout.fnmatch_lines(
        ["E * ConnectionRefusedError", f"E *'server' was {state} by then. If 'client' needs *"]
    )
    again = suite(ORDER.format(request="server", setup=setup, teardown=teardown))
    again.assert_outcomes(passed=1)


def test_an_order_that_may_be_the_cause_of_one_of_several_errors_is_named(suite):
    result = suite(
        ORDER.format(request="", setup="pass", teardown="await connect()"),
        conftest="""
            @pytest.fixture(autouse=True)
            def failing():
                yield
                raise ValueError
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["* ConnectionRefusedError", "* 'server' was torn down by then. If 'client' needs *"]
    )
    assert result.stdout.str().count("by then") == 1


def test_no_order_is_named_where_the_fixture_requests_what_it_needs(suite):
    result = suite(ORDER.format(request="server", setup="pass", teardown="raise TimeoutError"))
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.no_fnmatch_line("*by then*")


def test_no_order_is_named_for_what_a_hook_raises(suite):
    result = suite(
        ORDER.format(request="", setup="pass", teardown="pass"),
        conftest="def pytest_runtest_setup(): raise TimeoutError",
    )
    result.assert_outcomes(errors=1)
    result.stdout.no_fnmatch_line("*by then*")


@pytest.mark.parametrize("call", ["raise TimeoutError", "assert 0"])
def test_no_order_is_named_for_what_no_fixture_raises(suite, call):
    result = suite(
        f"""
        @pytest.fixture
        def late():
            async def work(): {call}
            return asyncio.run(work())
        @pytest.mark.asyncio
        async def test_it():
            {call}
        def test_setup(late): pass
        """
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.no_fnmatch_line("*by then*")


def test_a_shared_fixture_that_nobody_answers_is_explained_once(suite):
    result = suite(
        """
        @pytest.fixture(scope="module")
        def server(): raise OSError
        @pytest.fixture
        def other(): pass
        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", range(3))
        async def test_it(server, other, _): pass
        """
    )
    result.assert_outcomes(errors=3)
    assert result.stdout.str().count("'other' was yet to be set up by then") == 3


@pytest.mark.parametrize("style", ["short", "long"])
def test_a_teardown_for_the_next_parameter_shows_no_line_of_the_package_and_no_hint(suite, style):
    result = suite(
        """
        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(server, other): pass
        """,
        f"--tb={style}",
        conftest="""
        @pytest_asyncio.fixture(scope="module", loop_scope="module", params=[1, 2])
        async def server():
            yield
            raise ConnectionError
        @pytest.fixture
        def other(): pass
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.no_fnmatch_line("*pytest_asyncio/engine*")
    result.stdout.no_fnmatch_line("*yet to be set up*")


CLIENT = """
    class Client:
        def __init__(self):
            self.loop = asyncio.get_running_loop()

        async def get(self):
            answer = self.loop.create_future()
            self.loop.call_soon(answer.set_result, 200)
            return await answer

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def client():
        yield Client()
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    "call",
    [
        "asyncio.run(client.get())",
        "ThreadPoolExecutor().submit(asyncio.run, client.get()).result()",
    ],
)
def test_a_loop_that_the_test_runs_itself_is_named_by_its_line(suite, kind, call):
    if kind == "async def":
        call = f"await asyncio.to_thread(lambda: {call})"
    result = suite(
        f"""
        from concurrent.futures import ThreadPoolExecutor

        @pytest.mark.asyncio
        {kind} test_it(client):
            {call}
        """,
        "-Wignore",
        conftest=CLIENT,
    )
    result.stdout.fnmatch_lines(
        "E *test_it.py:* in test_it* runs an event loop of its own, where what the fixture "
        "'client' made on another one does not work. Await the same in an async test: *"
    )
    result.stdout.no_fnmatch_line('*loop_scope=["]*')


def test_no_loop_is_said_to_be_run_by_a_test_that_awaits_a_task_written_in_python(suite):
    result = suite(
        """
        def python_task(loop, coroutine, **kwargs):
            return asyncio.tasks._PyTask(coroutine, loop=loop, **kwargs)

        @pytest.mark.asyncio
        async def test_it(client):
            asyncio.get_running_loop().set_task_factory(python_task)
            await asyncio.create_task(client.get())
        """,
        conftest=CLIENT,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *loop_scope=*")
    result.stdout.no_fnmatch_line("*runs an event loop of its own*")


def test_a_loop_of_the_suites_own_needs_no_fixture_to_be_named(suite):
    result = suite(
        """
        LOCK = asyncio.Lock()

        async def use():
            async with LOCK:
                await asyncio.sleep(0)

        async def use_twice():
            await asyncio.gather(use(), use())

        @pytest.mark.asyncio
        async def test_async():
            await use_twice()

        def test_sync():
            asyncio.run(use_twice())
        """
    )
    result.stdout.fnmatch_lines("E *, where what was made on another one does not work. Await *")


def test_a_live_loop_is_none_that_the_test_runs_itself(suite):
    result = suite(
        """
        @pytest.mark.asyncio(live=True)
        def test_it(client, asyncio_runner):
            asyncio_runner.run(client.get())
        """,
        conftest=CLIENT,
    )
    result.stdout.fnmatch_lines('E *Write @pytest.mark.asyncio(loop_scope="module") at the test*')


ANSWER_OF_500 = """
    class Response:
        def __init__(self, status):
            self.status = status

        def __repr__(self):
            return f"<Response {{self.status}}>"

    async def app(client):
        try:
            return Response(await client.get())
        except Exception:
            return Response(500)

    @pytest.mark.asyncio
    {kind} test_it(client):
        response = {get}
        assert response.status == 200
"""


def test_an_answer_of_500_that_a_framework_gives_for_an_error_about_loops_is_explained(suite):
    source = ANSWER_OF_500.format(kind="async def", get="await app(client)")
    result = suite(source, conftest=CLIENT)
    result.stdout.fnmatch_lines(
        [
            "E *assert 500 == 200",
            "E *An answer of 500 may be an error about event loops that is not shown.",
            'E *Write @pytest.mark.asyncio(loop_scope="module") at the test*',
        ]
    )


def test_an_answer_of_500_to_a_synchronous_test_is_explained(suite):
    source = ANSWER_OF_500.format(kind="def", get="asyncio.run(app(client))")
    result = suite(source, "-Wignore", conftest=CLIENT)
    result.stdout.fnmatch_lines(
        [
            "E *An answer of 500 may be an error about event loops that is not shown.",
            "E *test_it is synchronous, and what it calls may run an event loop of its own, *",
        ]
    )


def test_an_answer_of_500_is_not_explained_where_no_other_loop_is_in_use(suite):
    source = ANSWER_OF_500.format(kind="async def", get="await app(client)")
    on_own_loop = CLIENT.replace("module", "function").replace("return await", "raise")
    result = suite(source, conftest=on_own_loop)
    result.stdout.fnmatch_lines("E *assert 500 == 200")
    result.stdout.no_fnmatch_line("*event loops*")


def test_another_number_of_500_is_not_explained(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(client):
            assert 500 == len("client")
        """,
        conftest=CLIENT,
    )
    result.stdout.fnmatch_lines("E *assert 500 == 6")
    result.stdout.no_fnmatch_line("*event loops*")


def test_an_error_that_follows_from_one_about_loops_has_no_second_note(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(client):
            try:
                await client.get()
            except Exception:
                raise RuntimeError("another operation is in progress")
        """,
        conftest=CLIENT,
    )
    assert result.stdout.str().count("The fixture 'client' runs on a loop of scope") == 1


def test_fixtures_of_one_loop_scope_are_named_in_one_sentence(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def other(client):
            yield type(client)()

        @pytest.mark.asyncio
        async def test_it(client, other):
            await client.get()

        @pytest.mark.asyncio
        async def test_other(other):
            await other.get()
        """,
        conftest=CLIENT,
    )
    result.stdout.fnmatch_lines(
        [
            "E *The fixtures 'client' and 'other' run on a loop of scope 'module', and test_it *",
            "E *So have * use one of the fixtures 'client' and 'other': *::test_other.",
        ]
    )
