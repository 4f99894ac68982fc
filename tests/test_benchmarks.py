"""`asyncio_benchmark`: coroutine functions for pytest-benchmark and pytest-codspeed."""

from __future__ import annotations

import pytest

SCOPES = ("function", "class", "module", "package", "session")
CONFTEST = """
    class Benchmark:
        '''What the fixture of pytest-benchmark, or the one of pytest-codspeed, does.'''
        def __init__(self, timer):
            self.timer, self.durations = timer, []
        def __call__(self, function, *args, **kwargs):
            return self.pedantic(function, args, kwargs, rounds=3)
        def pedantic(self, target, args=(), kwargs={}, setup=None, teardown=None, rounds=1):
            for _ in range(rounds):
                if setup:
                    args, kwargs = setup()
                before = self.timer()
                result = target(*args, **kwargs)
                self.durations.append(self.timer() - before)
                if teardown:
                    teardown(*args, **kwargs)
            return result

    def pytest_addoption(parser):
        parser.addoption("--benchmark-timer", default=TIMER)

    def pytest_configure(config):
        config.addinivalue_line("markers", "benchmark: as pytest-benchmark's")

    @pytest.fixture
    def benchmark(request):
        import time
        mark = request.node.get_closest_marker("benchmark")
        return Benchmark(mark.kwargs["timer"] if mark else time.perf_counter)

    benchmark._get_wrapped_function().__module__ = MODULE
"""


@pytest.fixture
def benchmarks(suite):
    """Run a suite with a fixture `benchmark`, as that of one of the two plugins."""

    def run(source, *args, module="pytest_benchmark.plugin", timer="time.perf_counter"):
        conftest = CONFTEST.replace("MODULE", repr(module)).replace("TIMER", repr(timer))
        return suite(source, *args, conftest=conftest)

    return run


@pytest.mark.parametrize("module", ["pytest_benchmark.plugin", "pytest_codspeed.plugin"])
def test_a_coroutine_function_is_awaited_in_each_round(benchmarks, module):
    result = benchmarks(
        """
        calls = []

        async def work(number, *, factor):
            await asyncio.sleep(0)
            calls.append(number)
            return number * factor

        def test_it(asyncio_benchmark):
            assert asyncio_benchmark(work, 6, factor=7) == 42
            assert calls == [6, 6, 6]
            assert len(asyncio_benchmark.durations) == 3
        """,
        module=module,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", SCOPES)
def test_it_is_awaited_on_the_loop_of_the_test_and_its_fixtures(benchmarks, scope):
    result = benchmarks(f"""
        @pytest_asyncio.fixture(loop_scope={scope!r})
        async def loop():
            yield asyncio.get_running_loop()

        async def work(loop):
            assert asyncio.get_running_loop() is loop

        @pytest.mark.asyncio(loop_scope={scope!r})
        class TestClass:
            def test_it(self, loop, asyncio_benchmark):
                asyncio_benchmark(work, loop)
    """)
    result.assert_outcomes(passed=1)


def test_what_starts_and_stops_the_loop_is_not_counted(benchmarks):
    result = benchmarks("""
        import time

        async def work():
            time.sleep(0.01)

        def test_it(asyncio_benchmark, asyncio_runner, monkeypatch):
            run = type(asyncio_runner).run

            def slow(*args, **kwargs):
                time.sleep(0.2)
                try:
                    return run(*args, **kwargs)
                finally:
                    time.sleep(0.2)

            monkeypatch.setattr(type(asyncio_runner), "run", slow)
            asyncio_benchmark(work)
            assert all(0.01 <= duration < 0.2 for duration in asyncio_benchmark.durations)
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "option"),
    [("timer=time.process_time", "time.perf_counter"), ("group=None", "time.process_time"),
     ("timer=time.process_time", None)],
)  # fmt: skip
def test_the_timer_of_the_suite_is_kept(benchmarks, mark, option):
    result = benchmarks(
        f"""
        import time

        async def sleep():
            await asyncio.sleep(0.1)

        @pytest.mark.benchmark({mark})
        def test_it(asyncio_benchmark):
            asyncio_benchmark(sleep)
            assert asyncio_benchmark.timer.__name__ == "process_time"
            assert all(duration < 0.1 for duration in asyncio_benchmark.durations)
        """,
        timer=option,
    )
    result.assert_outcomes(passed=1)


def test_without_an_option_or_a_mark_time_is_that_of_the_best_clock(benchmarks):
    result = benchmarks(
        """
        async def work():
            pass

        def test_it(asyncio_benchmark):
            asyncio_benchmark(work)
            assert asyncio_benchmark.timer.__name__ == "perf_counter"
        """,
        timer=None,
    )
    result.assert_outcomes(passed=1)


def test_setup_and_teardown_may_be_coroutine_functions_or_not(benchmarks):
    result = benchmarks("""
        steps = []

        async def set_up():
            await asyncio.sleep(0)
            return (1,), {}

        async def work(number):
            steps.append(number)

        def tear_down(number):
            steps.append(-number)

        def test_it(asyncio_benchmark):
            asyncio_benchmark.pedantic(work, setup=set_up, teardown=tear_down, rounds=2)
            assert steps == [1, -1, 1, -1]
    """)
    result.assert_outcomes(passed=1)


def test_attributes_are_those_of_the_plugins_fixture(benchmarks):
    result = benchmarks("""
        async def work():
            pass

        def test_it(asyncio_benchmark, benchmark):
            asyncio_benchmark.group = "ours"
            assert benchmark.group == asyncio_benchmark.group == "ours"
    """)
    result.assert_outcomes(passed=1)


def test_what_it_raises_is_raised(benchmarks):
    result = benchmarks("""
        async def fail():
            raise LookupError

        def test_it(asyncio_benchmark):
            with pytest.raises(LookupError):
                asyncio_benchmark(fail)
    """)
    result.assert_outcomes(passed=1)


def test_other_functions_are_refused(benchmarks):
    result = benchmarks("""
        def test_it(asyncio_benchmark):
            asyncio_benchmark(len, "four")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [">*asyncio_benchmark(len*", "E*TypeError: asyncio_benchmark needs a coroutine function*"]
    )


def test_an_async_test_is_advised_to_be_synchronous(benchmarks):
    result = benchmarks("""
        @pytest.mark.asyncio
        async def test_it(asyncio_benchmark):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*::test_it: asyncio_benchmark runs the loop itself*"])


def test_without_a_plugin_it_says_what_to_install(suite):
    result = suite("""
        def test_it(asyncio_benchmark):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*needs pytest-benchmark or pytest-codspeed. Install one of them."]
    )
