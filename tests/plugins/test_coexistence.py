"""Other plugins in the same session, set up as their users do."""

from __future__ import annotations

import pytest

ASYNC_SUITE = """
    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def server():
        yield asyncio.get_running_loop()

    @pytest.mark.asyncio(loop_scope="session")
    @pytest.mark.parametrize("_", range(3))
    async def test_shared(server, _):
        await asyncio.sleep(0)
        assert server is asyncio.get_running_loop()

    @pytest.mark.asyncio
    @pytest.mark.parametrize("_", range(3))
    async def test_own(server, _):
        await asyncio.sleep(0)
        assert server is not asyncio.get_running_loop()

    def test_sync():
        pass
"""


TWO_FACTORIES = """
    def pytest_asyncio_loop_factories(config, item):
        return {"default": asyncio.new_event_loop, "other": asyncio.SelectorEventLoop}
"""


def test_xdist(suite):
    result = suite(ASYNC_SUITE, "-p", "xdist", "-n2")
    result.assert_outcomes(passed=7)


def test_xdist_with_loop_factories(suite):
    result = suite(ASYNC_SUITE, "-p", "xdist", "-n2", conftest=TWO_FACTORIES)
    result.assert_outcomes(passed=13)


def test_xdist_with_checks_that_find_nothing(suite):
    result = suite(ASYNC_SUITE, "-p", "xdist", "-n2", "--asyncio-checks=all")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines("asyncio: 6 tests checked, nothing found")


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_timeout_of_tests_that_are_in_time(suite, method):
    result = suite(
        ASYNC_SUITE, "-p", "pytest_timeout", "--timeout=60", f"--timeout-method={method}"
    )
    result.assert_outcomes(passed=7)


def test_timeout_by_a_signal_ends_the_test_and_no_other(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        cleaned_up = []

        @pytest_asyncio.fixture
        async def resource():
            yield
            cleaned_up.append(True)

        @pytest.mark.timeout(0.2, func_only=True)
        async def test_hangs(resource):
            await asyncio.Event().wait()

        async def test_after():
            assert cleaned_up
            assert asyncio.all_tasks() == {asyncio.current_task()}
        """,
        "-p",
        "pytest_timeout",
        "--timeout-method=signal",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("*Timeout (>0.2s) from pytest-timeout.*")


def test_timeout_by_a_thread_ends_the_session(pytester):
    pytester.makepyfile("""
        import asyncio, pytest

        @pytest.mark.asyncio
        @pytest.mark.timeout(0.2, method="thread")
        async def test_hangs():
            await asyncio.Event().wait()
    """)
    result = pytester.runpytest_subprocess(timeout=30)
    assert result.ret == 1
    result.stdout.fnmatch_lines("*Timeout*")


def test_rerunfailures(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio
        runs = []

        @pytest_asyncio.fixture
        async def loop():
            yield asyncio.get_running_loop()

        async def test_flaky(loop):
            assert loop is asyncio.get_running_loop()
            runs.append(loop)
            assert len(runs) == 3

        @pytest.mark.asyncio(loop_scope="module")
        async def test_flaky_on_a_shared_loop():
            runs.append(asyncio.get_running_loop())
            assert len(runs) == 5
            assert runs[-2] is runs[-1]
        """,
        "-p",
        "rerunfailures",
        "--reruns=2",
    )
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["rerun"]) == (2, 3)


def test_rerunfailures_reruns_a_fixture_that_fails(suite):
    result = suite(
        """
        runs = []

        @pytest_asyncio.fixture(scope="module")
        async def flaky():
            runs.append(True)
            if len(runs) == 1:
                raise LookupError
            yield

        @pytest.mark.asyncio
        async def test_it(flaky):
            pass
        """,
        "-p",
        "rerunfailures",
        "--reruns=1",
    )
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["rerun"]) == (1, 1)


def test_rerunfailures_never_lets_an_async_method_of_a_test_case_pass(suite):
    result = suite(
        """
        import unittest

        class TestIt(unittest.TestCase):
            async def test_it(self):
                pass
        """,
        "-p",
        "rerunfailures",
        "--reruns=1",
    )
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["rerun"]) == (1, 1)


def test_cov(suite):
    result = suite(
        """
        from covered import answer

        @pytest.mark.asyncio
        async def test_it():
            assert await answer() == 42
        """,
        "-p",
        "pytest_cov.plugin",
        "--cov=covered",
        "--cov-report=term",
        "-Wdefault",
        files={"covered.py": "\nasync def answer():\n    await asyncio.sleep(0)\n    return 42\n"},
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("covered.py * 100%")


def test_randomly(suite):
    result = suite(ASYNC_SUITE, "-p", "randomly")
    result.assert_outcomes(passed=7)


def test_randomly_with_loop_factories(suite):
    result = suite(ASYNC_SUITE, "-p", "randomly", conftest=TWO_FACTORIES)
    result.assert_outcomes(passed=13)


def test_repeat(suite):
    result = suite(ASYNC_SUITE, "-p", "pytest_repeat", "--count=2")
    result.assert_outcomes(passed=14)


@pytest.mark.parametrize("repeated", ["--parallel-threads=4", "--iterations=2"])
def test_run_parallel_runs_async_tests_once_and_the_others_in_its_threads(suite, repeated):
    result = suite(
        """
        calls = []

        @pytest_asyncio.fixture
        async def number():
            yield 1

        @pytest.mark.asyncio
        async def test_passes(number):
            assert number == 1

        @pytest.mark.asyncio
        async def test_fails(number):
            assert number == 2

        def test_sync(number):
            calls.append(number)

        def test_next():
            assert len(calls) > 1
        """,
        "-p",
        "pytest_run_parallel.plugin",
        repeated,
    )
    result.assert_outcomes(passed=3, failed=1)


@pytest.mark.parametrize(
    "plugin",
    [
        pytest.param(
            "no:subtests-of-others",
            id="of pytest",
            marks=pytest.mark.skipif(pytest.version_tuple < (9,), reason="new in pytest 9"),
        ),
        pytest.param("subtests", id="of pytest-subtests"),
    ],
)
def test_subtests(suite, plugin):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(subtests):
            for number in range(3):
                with subtests.test(number=number):
                    await asyncio.sleep(0)
                    assert number != 1
            await asyncio.sleep(0)
        """,
        "-p",
        plugin,
    )
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines("*number=1* - assert 1 != 1")
    result.stdout.no_fnmatch_line('*/pytest_asyncio/*.py[":]*')


def test_benchmark(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_async():
            await asyncio.sleep(0)

        @pytest_asyncio.fixture
        async def value():
            return 42

        def test_sync(benchmark, asyncio_runner, value):
            assert benchmark(lambda: asyncio_runner.run(asyncio.sleep(0, value))) == 42
        """,
        "-p",
        "pytest_benchmark.plugin",
        "--benchmark-warmup=off",
        "--benchmark-max-time=0.01",
        "-Wdefault",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("plugin", "option"),
    [
        ("pytest_benchmark.plugin", "--benchmark-max-time=0.01"),
        ("pytest_benchmark.plugin", "--benchmark-disable"),
        ("pytest_benchmark.plugin", "--benchmark-only"),
        ("pytest_codspeed.plugin", "--codspeed"),
    ],
)
def test_benchmark_of_a_coroutine_function(suite, plugin, option):
    result = suite(
        """
        async def double(number):
            await asyncio.sleep(0)
            return 2 * number

        @pytest.mark.benchmark(max_time=0.01)
        def test_it(asyncio_benchmark):
            assert asyncio_benchmark(double, 21) == 42

        def test_more(asyncio_benchmark):
            assert asyncio_benchmark.pedantic(double, (21,), rounds=2) == 42
        """,
        "-p",
        plugin,
        option,
        "-Wdefault",
    )
    result.assert_outcomes(passed=2)
    if option in ("--benchmark-max-time=0.01", "--benchmark-only"):
        result.stdout.fnmatch_lines(["*benchmark: 2 tests*", "test_it *"])


def test_hypothesis(suite):
    result = suite(
        """
        from hypothesis import given, settings, strategies

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        @settings(max_examples=5, deadline=None)
        @given(number=strategies.integers())
        async def test_it(loop, number):
            await asyncio.sleep(0)
            assert loop is asyncio.get_running_loop()
            assert isinstance(number, int)
        """,
        "-p",
        "_hypothesis_pytestplugin",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_anyio(suite, mode):
    result = suite(
        """
        import sniffio

        @pytest.mark.anyio
        async def test_anyio(anyio_backend_name):
            assert sniffio.current_async_library() == anyio_backend_name

        @pytest.mark.asyncio
        async def test_asyncio():
            assert asyncio.get_running_loop()
        """,
        "-p",
        "anyio",
        f"--asyncio-mode={mode}",
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_trio(suite, mode):
    result = suite(
        """
        import pytest_trio, trio

        @pytest.fixture
        async def plain():
            await trio.sleep(0)
            yield "trio"

        @pytest_trio.trio_fixture
        async def declared():
            await trio.sleep(0)
            return "trio"

        @pytest.mark.trio
        async def test_trio(plain, declared):
            await trio.sleep(0)
            assert plain == declared == "trio"

        @pytest.mark.asyncio
        async def test_asyncio():
            await asyncio.sleep(0)
        """,
        "-p",
        "trio",
        f"--asyncio-mode={mode}",
        "-Wdefault",
    )
    result.assert_outcomes(passed=2)


def test_a_fixture_of_trio_is_no_asyncio_tests(suite):
    result = suite(
        """
        import pytest_trio, trio

        @pytest_trio.trio_fixture
        async def declared():
            await trio.sleep(0)
            return "trio"

        async def test_asyncio(declared):
            await asyncio.sleep(0)

        @pytest.mark.trio
        async def test_trio(declared):
            assert declared == "trio"
        """,
        "-p",
        "trio",
        "--asyncio-mode=auto",
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("E *Trio fixtures can only be used by Trio tests")
    result.stdout.no_fnmatch_line("*in strict mode*")


@pytest.mark.parametrize("checks", [(), ("--asyncio-checks=all",)], ids=["", "checked"])
def test_aiohttp(suite, checks):
    result = suite(
        """
        from aiohttp import web

        async def hello(request):
            return web.Response(text="hello")

        @pytest.fixture
        async def client(aiohttp_client):
            app = web.Application()
            app.router.add_get("/", hello)
            return await aiohttp_client(app)

        async def test_it(client):
            response = await client.get("/")
            assert await response.text() == "hello"
        """,
        "-p",
        "pytest_aiohttp.plugin",
        "--asyncio-mode=auto",
        "-Wdefault",
        "-Werror::pytest_asyncio.CheckWarning",
        *checks,
    )
    result.assert_outcomes(passed=1)


def test_mock(suite):
    result = suite(
        """
        class Service:
            async def answer(self):
                raise AssertionError

        @pytest.mark.asyncio
        async def test_it(mocker):
            stub = mocker.patch.object(Service, "answer", return_value=42)
            assert await Service().answer() == 42
            stub.assert_awaited_once_with()
        """,
        "-p",
        "pytest_mock",
    )
    result.assert_outcomes(passed=1)


def test_bdd(suite, pytester):
    pytester.makefile(
        ".feature",
        it="""
            Feature: Service
                Scenario: It answers
                    Given a service
                    Then it answers
        """,
    )
    result = suite(
        """
        from pytest_bdd import given, scenarios, then

        scenarios("it.feature")

        @pytest_asyncio.fixture
        async def service():
            yield asyncio.get_running_loop()

        @given("a service", target_fixture="answer")
        def ask(service, asyncio_runner):
            assert asyncio_runner.loop is service
            return asyncio_runner.run(asyncio.sleep(0, 42))

        @then("it answers")
        def it_answers(answer):
            assert answer == 42
        """,
        "-p",
        "pytest-bdd",
        "-Wdefault",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_looptime(suite, scope):
    result = suite(
        f"""
        @pytest_asyncio.fixture(loop_scope="{scope}")
        async def value():
            yield 42

        @pytest.mark.looptime
        @pytest.mark.asyncio(loop_scope="{scope}")
        async def test_fast(looptime, value):
            await asyncio.sleep(3600)
            assert looptime >= 3600

        @pytest.mark.asyncio(loop_scope="{scope}")
        async def test_real(looptime):
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(0.01)
            assert asyncio.get_running_loop().time() - before < 3600

        def test_sync():
            pass
        """,
        "-p",
        "looptime_plugin",
        "-p",
        "looptime_timeproxies",
        "-p",
        "looptime_chronometers",
        "-Wdefault",
    )
    result.assert_outcomes(passed=3)


def test_uvloop(suite):
    result = suite(
        """
        import uvloop

        @pytest_asyncio.fixture(scope="module")
        async def loop():
            async with asyncio.timeout(60):
                yield asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(loop):
            await asyncio.sleep(0)
            assert isinstance(loop, uvloop.Loop)
            assert loop is asyncio.get_running_loop()
        """,
        ini="asyncio_loop_factory = uvloop.new_event_loop",
    )
    result.assert_outcomes(passed=1)
