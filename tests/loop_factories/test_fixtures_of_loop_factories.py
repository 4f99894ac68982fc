"""Async fixtures where tests run with several loop factories: one for each."""

from __future__ import annotations

import pytest
from offers import OFFERS_A, OFFERS_A_AND_B, loops_of

SCOPES = ("function", "class", "module", "package", "session")


@pytest.mark.parametrize("scope", SCOPES)
def test_a_fixture_lives_once_for_each_factory(suite, scope):
    test = """
        @pytest.mark.asyncio(loop_scope="LOOP_SCOPE")
        async def test_one(server):
            assert type(asyncio.get_running_loop()).__name__ == server

        @pytest.mark.asyncio(loop_scope="LOOP_SCOPE")
        async def test_two(server):
            assert type(asyncio.get_running_loop()).__name__ == server
    """.replace("LOOP_SCOPE", scope)
    result = suite(
        "",
        "-s",
        conftest=OFFERS_A_AND_B
        + f"""
    @pytest_asyncio.fixture(scope="{scope}", loop_scope="{scope}")
    async def server():
        name = type(asyncio.get_running_loop()).__name__
        print("server loop:", name)
        yield name
""",
        files={"pkg/__init__.py": "", "pkg/test_a.py": test, "pkg/test_b.py": test},
    )
    result.assert_outcomes(passed=8)
    servers_of_each = {"session": 1, "package": 1, "module": 2}.get(scope, 4)
    assert sorted(loops_of(result)) == ["A"] * servers_of_each + ["B"] * servers_of_each


def test_other_parameters_do_not_part_the_tests_of_a_factory(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="session")

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def server():
            print("loop:", type(asyncio.get_running_loop()).__name__)

        @pytest.mark.parametrize("_", "xy")
        async def test_one(server, _): pass

        @pytest.mark.parametrize("_", "xyz")
        async def test_two(server, _): pass
        """,
        "-s",
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=10)
    assert loops_of(result) == ["A", "B"]


@pytest.mark.parametrize("clock", ["real", "virtual"])
@pytest.mark.parametrize("paths", [["test_a.py", "pkg"], ["pkg", "test_a.py"]], ids=" ".join)
def test_a_fixture_lives_once_more_where_only_some_tests_have_factories(suite, paths, clock):
    test = """
        @pytest.mark.asyncio(loop_scope="session")
        async def test_it(loop):
            assert asyncio.get_running_loop() is loop
    """
    result = suite(
        "",
        *paths,
        ini=f"asyncio_clock = {clock}",
        conftest="""
        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def loop():
            yield asyncio.get_running_loop()
        """,
        files={
            "test_a.py": test,
            "pkg/test_b.py": test,
            "pkg/conftest.py": """
            def pytest_asyncio_loop_factories(config, item):
                return {"a": asyncio.SelectorEventLoop}
            """,
        },
    )
    result.assert_outcomes(passed=2)


def test_a_sync_test_between_two_async_ones_disturbs_no_fixture(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="session")
        async def server():
            print("loop: server")
            yield

        @pytest.mark.asyncio(loop_scope="session")
        async def test_one(server): pass

        def test_sync(server): pass

        @pytest.mark.asyncio(loop_scope="session")
        async def test_two(server): pass
        """,
        "-s",
        conftest=OFFERS_A,
    )
    result.assert_outcomes(passed=3)
    assert loops_of(result) == ["server"]


def test_sync_fixtures_find_the_loop_of_the_factory(suite):
    result = suite(
        """
        @pytest.fixture
        def found():
            return asyncio.get_event_loop()

        @pytest.mark.asyncio
        async def test_it(found):
            assert found is asyncio.get_running_loop()
        """,
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=2)


SERVER = """
    @pytest_asyncio.fixture(scope="session")
    async def server():
        name = type(asyncio.get_running_loop()).__name__
        print("server loop:", name)
        yield name
        assert type(asyncio.get_running_loop()).__name__ == name
"""


def test_in_any_order_a_fixture_lives_with_the_factory_of_its_test(suite):
    result = suite(
        """
        @pytest.fixture(scope="session")
        def client(server):
            return f"client of {server}"

        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", [1, 2])
        async def test_it(client, server, _):
            assert client == f"client of {server}"
            assert type(asyncio.get_running_loop()).__name__ == server
        """,
        "-s",
        conftest=OFFERS_A_AND_B
        + SERVER
        + """
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(items):
        items[:] = [items[0], items[2], items[1], items[3]]
""",
    )
    result.assert_outcomes(passed=4)
    assert loops_of(result) == ["A", "B", "A", "B"]


@pytest.mark.parametrize(
    "between",
    [
        "def test_two(): pass",
        "def test_two(server): pass",
        "pytestmark = pytest.mark.asyncio\n\n        def test_two(server): pass",
    ],
    ids=["sync", "sync with the fixture", "sync with fixture and mark"],
)
def test_a_sync_test_leaves_the_fixture_of_another_factory_alone(suite, between):
    result = suite(
        f"""
        @pytest.mark.asyncio(loop_factories=["b"])
        async def test_one(server): pass

        {between}

        @pytest.mark.asyncio(loop_factories=["b"])
        async def test_three(server): pass
        """,
        "-s",
        conftest=OFFERS_A_AND_B
        + SERVER
        + """
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(items):
        items.sort(key=lambda item: ["test_one", "test_two", "test_three"].index(item.originalname))
""",
    )
    result.assert_outcomes(passed=3)
    assert loops_of(result) == ["B"]


def test_a_loop_that_cannot_be_made_fails_its_test_and_not_the_wide_fixture_that_was_next(suite):
    result = suite(
        """
        @pytest.fixture(scope="session")
        def wide():
            return 5

        @pytest.mark.asyncio
        async def test_first(wide): pass

        def test_sync(wide):
            assert wide == 5

        @pytest.mark.asyncio
        async def test_async(wide):
            assert wide == 5
        """,
        conftest="""
            calls = []

            def make():
                calls.append(True)
                if len(calls) == 1:
                    raise OSError("too many loops")
                return asyncio.new_event_loop()

            def pytest_asyncio_loop_factories():
                return {"own": make}
        """,
    )
    result.assert_outcomes(errors=1, passed=2)


@pytest.mark.parametrize("scope", ["module", "session"])
def test_with_another_factory_all_of_the_one_before_has_ended_in_reverse_order(suite, scope):
    result = suite(
        """
        import contextvars

        pytestmark = pytest.mark.asyncio(loop_scope="SCOPE")
        events = []
        user = contextvars.ContextVar("user", default="nobody")

        @pytest_asyncio.fixture(scope="SCOPE")
        async def database():
            user.set("admin")
            events.append("up")
            yield
            assert events.pop() == "up"

        @pytest.fixture(scope="SCOPE")
        def client(database):
            events.append("client")
            yield
            assert events.pop() == "client"

        @pytest_asyncio.fixture(scope="module", loop_scope="session")
        async def server():
            events.append("server")
            yield
            assert events.pop() == "server"

        async def test_before():
            assert not events
            assert user.get() == "nobody"

        async def test_it(client, server):
            assert events == ["up", "client", "server"]
        """.replace("SCOPE", scope),
        "-v",
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=4)
    tests = [line.split("::")[1].split()[0] for line in result.outlines if "PASSED" in line]
    assert tests == ["test_before[a]", "test_it[a]", "test_before[b]", "test_it[b]"]


def test_with_another_factory_fixtures_end_in_reverse_order_on_whichever_loops_they_are(suite):
    suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="session")
        events = []

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def database():
            events.append("database")
            yield
            assert events.pop() == "database"

        @pytest_asyncio.fixture(scope="module", loop_scope="session")
        async def server():
            events.append("server")
            yield
            assert events.pop() == "server"

        async def test_it(database, server):
            assert events == ["database", "server"]
        """,
        conftest=OFFERS_A_AND_B,
    ).assert_outcomes(passed=2)


def test_what_is_left_on_a_loop_ends_before_fixtures_that_were_set_up_under_another_factory(suite):
    result = suite(
        """
        tasks = []

        async def wait():
            try:
                await asyncio.Event().wait()
            finally:
                print("ran: the task ends")

        @pytest.fixture(scope="session")
        def resource():
            yield
            print("ran: the resource is down")

        @pytest.mark.asyncio(loop_scope="session", loop_factories=["a"])
        async def test_1(): pass

        @pytest.mark.asyncio(loop_scope="session", loop_factories=["b"])
        async def test_2(resource): pass

        @pytest.mark.asyncio(loop_scope="session", loop_factories=["a"])
        async def test_3():
            tasks.append(asyncio.create_task(wait()))
            await asyncio.sleep(0)
        """,
        "-s",
        conftest=OFFERS_A_AND_B
        + """
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(items):
        items.sort(key=lambda item: item.name)
""",
    )
    result.assert_outcomes(passed=3)
    ran = [line.split("ran: ")[1] for line in result.outlines if "ran: " in line]
    assert ran == ["the task ends", "the resource is down"]


def test_what_fails_while_a_factory_ends_is_reported_by_the_test_with_the_next_one(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        @pytest_asyncio.fixture(scope="module")
        async def first():
            yield
            raise ValueError("first is down")

        @pytest_asyncio.fixture(scope="module")
        async def second():
            yield
            raise ValueError("second is down")

        async def test_it(first, second): pass
        """,
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_it[[]b[]]*", "*ValueError: second is down", "*first is down"]
    )


@pytest.mark.parametrize("mark", ["skip", "xfail(run=False)"])
def test_a_test_that_does_not_run_leaves_the_fixtures_of_other_factories_alone(suite, mark):
    result = suite(
        f"""
        ended = []

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def wide():
            yield
            ended.append("wide")

        @pytest.mark.asyncio(loop_scope="session")
        async def test_first(wide): ...

        @pytest.mark.{mark}
        @pytest.mark.asyncio(loop_factories=["a"])
        async def test_that_does_not_run(): ...

        def test_last():
            assert ended == ["wide"]  # with the first factory
        """,
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=3, skipped=mark == "skip", xfailed=mark != "skip")


def test_what_fails_while_a_factory_ends_keeps_nothing_else_of_it(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="session")

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def database():
            yield
            print("database is down")

        @pytest_asyncio.fixture(scope="module", loop_scope="session")
        async def server():
            yield
            raise ValueError("server is down")

        async def test_it(database, server): pass
        """,
        "-sv",
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*test_it[[]b[]] database is down", "ERROR"], consecutive=True)
