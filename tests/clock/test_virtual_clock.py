"""Virtual time: `clock="virtual"`, which jumps to the next timer, and where it is."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import pytest_asyncio.features.clock.virtual  # noqa: F401  # else each suite imports a new one


def test_an_hour_passes_at_once(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            await asyncio.sleep(3600)
            assert asyncio_clock.time() == asyncio.get_running_loop().time() == 3600
        """
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "wait",
    [
        "asyncio.wait_for(asyncio.Event().wait(), 60)",
        "asyncio.wait_for(asyncio.Queue().get(), 60)",
        "asyncio.wait([asyncio.create_task(asyncio.sleep(3600))], timeout=60)",
        "called(lambda done: asyncio.get_running_loop().call_later(60, done.set))",
        "called(lambda done: asyncio.get_running_loop().call_at(60, done.set))",
    ],
)
def test_all_that_asyncio_times_goes_by_the_clock(virtual, wait):
    virtual(
        f"""
        from contextlib import suppress

        async def called(schedule):
            done = asyncio.Event()
            schedule(done)
            await done.wait()

        async def test_it(asyncio_clock):
            with suppress(TimeoutError):
                await {wait}
            assert asyncio_clock.time() == 60
        """
    ).assert_outcomes(passed=1)


def test_a_timeout_fires_before_a_later_timer(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(10):
                    await asyncio.sleep(20)
            assert asyncio_clock.time() == 10
        """
    ).assert_outcomes(passed=1)


def test_what_runs_takes_no_time(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            await asyncio.sleep(1)
            time.sleep(0.02)
            await asyncio.sleep(1)
            assert asyncio_clock.time() == 2
        """
    ).assert_outcomes(passed=1)


def test_the_clock_arrives_at_each_timer_exactly(virtual):
    virtual(
        """
        @pytest.mark.parametrize("start", [0.0, 1e-7, 0.2, 1e8 / 3, 1e15 / 3])
        async def test_it(start, asyncio_clock):
            await asyncio.sleep(start)
            later = asyncio_clock.time() + 0.21
            await asyncio.sleep(0.21)
            assert asyncio_clock.time() == later
        """
    ).assert_outcomes(passed=5)


def test_timers_fire_in_the_order_of_a_real_loop(suite):
    suite(
        """
        async def order(delays):
            seen, done = [], asyncio.Event()
            loop = asyncio.get_running_loop()
            start = loop.time()
            for number, delay in enumerate(delays):
                loop.call_at(start + delay, seen.append, number)
            loop.call_at(start + 0.01, done.set)
            await done.wait()
            return seen

        DELAYS = [0, 0.001, 0, 0.001, 0.002, 0, 0.001, 0.002, 0]

        @pytest.mark.asyncio(clock="virtual")
        async def test_it(expected):
            assert await order(DELAYS) == expected

        @pytest.fixture
        def expected():
            loop = asyncio.SelectorEventLoop()
            yield loop.run_until_complete(order(DELAYS))
            loop.close()
        """
    ).assert_outcomes(passed=1)


def test_a_year_of_ten_thousand_timers_is_short(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            loop, fired, year = asyncio.get_running_loop(), [], 365 * 86400
            for number in range(10_000):
                loop.call_later(number * year / 10_000, lambda: fired.append(asyncio_clock.time()))
            before = time.perf_counter()
            await asyncio.sleep(year)
            assert len(fired) == 10_000 and fired == sorted(fired)
            assert time.perf_counter() - before < 20  # a tenth of a second on a free machine
        """
    ).assert_outcomes(passed=1)


def test_each_test_on_a_loop_of_its_own_starts_at_zero(virtual):
    virtual(
        """
        @pytest.mark.parametrize("number", [1, 2])
        async def test_it(number, asyncio_clock):
            assert asyncio_clock.time() == 0
            await asyncio.sleep(5)
        """
    ).assert_outcomes(passed=2)


def test_the_clock_of_a_shared_loop_stands_still_between_tests(suite):
    suite(
        """
        pytestmark = pytest.mark.asyncio(clock="virtual", loop_scope="module")

        async def test_one(asyncio_clock):
            assert asyncio_clock.time() == 0
            await asyncio.sleep(5)

        def test_between():
            pass

        async def test_two(asyncio_clock):
            assert asyncio_clock.time() == 5
        """
    ).assert_outcomes(passed=3)


def test_fixtures_on_the_loop_share_its_clock(virtual):
    virtual(
        """
        @pytest_asyncio.fixture
        async def an_hour(asyncio_clock):
            await asyncio.sleep(3600)
            yield
            assert asyncio_clock.time() == 3601

        async def test_it(an_hour, asyncio_clock):
            assert asyncio_clock.time() == 3600
            await asyncio.sleep(1)
        """
    ).assert_outcomes(passed=1)


def test_a_wide_fixture_is_set_up_anew_for_tests_with_the_other_clock(suite):
    suite(
        """
        @pytest_asyncio.fixture(scope="module")
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        @pytest.mark.parametrize("number", [
            1,
            pytest.param(2, marks=pytest.mark.asyncio(clock="virtual")),
            pytest.param(3, marks=pytest.mark.asyncio(clock="virtual")),
            4,
        ])
        async def test_it(loop, number):
            assert loop is asyncio.get_running_loop()
            assert (loop.time() == 0) == (number in (2, 3))
        """
    ).assert_outcomes(passed=4)


def test_the_loop_is_still_one_of_the_factorys_class(virtual):
    virtual(
        """
        from conftest import Loop

        async def test_it():
            assert isinstance(asyncio.get_running_loop(), Loop)
        """,
        conftest="""
        class Loop(asyncio.SelectorEventLoop): pass

        def pytest_asyncio_loop_factories(config, item):
            return {"mine": Loop}
        """,
    ).assert_outcomes(passed=1)


def test_synchronous_code_runs_coroutines_in_virtual_time(suite):
    suite(
        """
        def test_it(asyncio_runner, asyncio_clock):
            asyncio_runner.run(asyncio.sleep(3600))
            assert asyncio_clock.time() == 3600
        """,
        ini="asyncio_clock = virtual",
    ).assert_outcomes(passed=1)


def test_the_option_gives_every_test_a_virtual_clock(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(asyncio_clock):
            await asyncio.sleep(3600)
        """,
        ini="asyncio_clock = virtual",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("asyncio: *asyncio_clock=virtual*")


def test_a_mark_counts_before_the_option(suite):
    suite(
        """
        @pytest.mark.asyncio(clock="real")
        async def test_it():
            assert asyncio.get_running_loop().time() > 0
        """,
        ini="asyncio_clock = virtual",
    ).assert_outcomes(passed=1)


def test_an_unknown_clock_of_a_mark_is_a_failure(suite):
    result = suite("""
        @pytest.mark.asyncio(clock="fast")
        async def test_it():
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: mark.asyncio 'clock' must be one of 'real', 'virtual', not 'fast'."
    )


def test_an_unknown_clock_of_the_option_is_a_usage_error(suite):
    result = suite("def test_it(): pass", ini="asyncio_clock = fast")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        "*'fast' is not a valid asyncio_clock. Valid clocks: real, virtual*"
    )


def test_the_fixture_is_refused_where_the_clock_is_real(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_it(asyncio_clock):
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("test_it.py::test_it requests the fixture 'asyncio_clock', but*")


@pytest.mark.parametrize(
    "make",
    [
        "OwnTime",
        "lambda: 42",
        pytest.param(
            "__import__('uvloop').new_event_loop",
            marks=pytest.mark.skipif(find_spec("uvloop") is None, reason="no uvloop"),
        ),
    ],
)
def test_a_loop_that_cannot_is_refused(virtual, make):
    result = virtual(
        "async def test_it(): pass",
        conftest=f"""
        class OwnTime(asyncio.SelectorEventLoop):
            def time(self):
                return 0.0

        def pytest_asyncio_loop_factories(config, item):
            return {{"mine": {make}}}
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.no_fnmatch_line("All traceback entries are hidden*")
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: clock='virtual' needs an event loop of asyncio's own*'mine' returned*"
    )


HAS_OWN_TIME = "asyncio_loop_factory = conftest.OwnTime"


OWN_TIME = """
    class OwnTime(asyncio.SelectorEventLoop):
        def time(self):
            return 0.0
"""


def test_each_test_on_such_a_loop_is_shown_what_to_write(virtual):
    result = virtual(
        """
        async def test_a(): pass
        async def test_b(): pass
        """,
        ini=HAS_OWN_TIME,
        conftest=OWN_TIME,
    )
    for name in "ab":
        result.stdout.fnmatch_lines(
            f"test_it.py::test_{name}: clock='virtual' needs * Write loop_factories=[[]'asyncio'] "
            "in the mark of the test."
        )
    result.stdout.no_fnmatch_line("*entries are hidden*")


@pytest.mark.parametrize("option", [HAS_OWN_TIME, ""])
@pytest.mark.parametrize("hook", [None, '{"own": OwnTime, "asyncio": asyncio.new_event_loop}'])
def test_what_it_is_advised_to_write_works(suite, hook, option):
    result = suite(
        """
        @pytest.mark.asyncio(clock="virtual", loop_factories=["asyncio"])
        async def test_it():
            await asyncio.sleep(3600)

        @pytest.mark.asyncio
        async def test_other():
            pass
        """,
        ini=option,
        conftest=OWN_TIME
        + (f"\n    def pytest_asyncio_loop_factories(): return {hook}" if hook else ""),
    )
    assert result.parseoutcomes()["passed"] == (3 if hook else 2)


def test_a_hook_that_offers_none_of_asyncio_is_to_offer_it(virtual):
    result = virtual(
        "async def test_it(): pass",
        conftest=OWN_TIME + "\n    def pytest_asyncio_loop_factories(): return {'own': OwnTime}",
    )
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: clock='virtual' needs * Offer asyncio's by the hook "
        "pytest_asyncio_loop_factories, {'asyncio': asyncio.new_event_loop}, and write "
        "loop_factories=[[]'asyncio'] in the mark of the test."
    )


def test_a_time_out_of_the_plugin_counts_real_time(suite):
    result = suite("""
        @pytest.mark.asyncio(clock="virtual", timeout=0.1)
        async def test_it():
            while True:
                await asyncio.sleep(1)
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *TimeoutError*")


@pytest.mark.parametrize(("used", "setups"), [("fake", 1), ("fake of 1", 3)])
def test_a_test_that_overrides_a_wide_fixture_leaves_it_alone_unless_it_uses_it(
    suite, used, setups
):
    arguments = "" if used == "fake" else "server"
    value = "'fake'" if used == "fake" else "f'fake of {server - 1}'"
    uses_it = """
        @pytest.mark.asyncio(loop_scope="session")
        async def test_it(server): print("server:", server)
    """
    result = suite(
        "",
        "-s",
        conftest="""
            setups = []

            @pytest_asyncio.fixture(scope="session", loop_scope="session")
            async def server():
                setups.append(1)
                yield len(setups)
        """,
        files={
            "test_1.py": uses_it,
            "test_2.py": f"""
                @pytest.fixture
                def server({arguments}): return {value}

                @pytest.mark.asyncio(clock="virtual")
                async def test_it(server): assert server == "{used}"
            """,
            "test_3.py": uses_it,
        },
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*server: 1", f"*server: {setups}"])
