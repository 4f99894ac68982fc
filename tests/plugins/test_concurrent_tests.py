"""Concurrent tests beside other plugins: each test has the outcome that it has in a serial run."""

from __future__ import annotations

import pytest

CHECK = """
    from pytest_check import check

    @pytest.mark.parametrize("number", range(4))
    async def test_it(number):
        with check: assert number == 1
        await asyncio.sleep(0.01)
        with check: assert number < 3

    async def test_last(check):
        await asyncio.sleep(0)
        check.is_true(True)
"""

DEPENDENCY = """
    @pytest.mark.dependency
    async def test_passes(): await asyncio.sleep(0.01)

    @pytest.mark.dependency
    async def test_fails():
        await asyncio.sleep(0.01)
        assert False

    @pytest.mark.dependency(depends=["test_passes"])
    async def test_after(): await asyncio.sleep(0)

    @pytest.mark.dependency(depends=["test_fails"])
    async def test_never(): await asyncio.sleep(0)
"""

DESCRIBE = """
    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def loop():
        yield asyncio.get_running_loop()

    def describe_it():
        @pytest.fixture
        async def number():
            yield await asyncio.sleep(0.01, 1)

        async def has_fixtures(number, loop):
            assert number == 1

        def describe_more():
            @pytest.mark.asyncio(loop_scope="module")
            async def is_on_the_loop(number, loop):
                assert asyncio.get_running_loop() is loop

            async def fails(number):
                assert number == 2
"""

LAZY_FIXTURES = """
    from pytest_lazy_fixtures import lf

    both = [lf("one"), lf("two")]

    @pytest.fixture
    async def one():
        yield await asyncio.sleep(0.01, 1)

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def two():
        return await asyncio.sleep(0.01, 2)

    @pytest.fixture(params=both)
    async def number(request):
        yield await asyncio.sleep(0.01, request.param)

    async def test_fixture(number):
        assert number == 1

    @pytest.mark.parametrize("number", both)
    async def test_parameter(number):
        await asyncio.sleep(0.01)
        assert number == 1
"""


NESTED = """
    nest_asyncio = pytest.importorskip("nest_asyncio")
    {}

    async def answer():
        return await asyncio.sleep(0.01, 42)

    def answer_at_once():
        return asyncio.get_event_loop().run_until_complete(answer())

    @pytest.fixture
    async def answered():
        yield await answer()

    async def test_before(): assert await answer() == 42

    async def test_within():
        nest_asyncio.apply()
        assert answer_at_once() == 42

    async def test_after(answered): assert await asyncio.gather(answer(), answer()) == [42, 42]
"""


@pytest.mark.parametrize("where", ["", "nest_asyncio.apply()"], ids=["in-a-test", "for-all"])
@pytest.mark.parametrize("concurrent", ["false", "true"])
def test_loops_may_run_within_themselves(suite, concurrent, where):
    result = suite(
        NESTED.format(where),
        "--asyncio-mode=auto",
        "-Wdefault",
        ini=f"asyncio_concurrent = {concurrent}",
    )
    if "skipped" not in result.parseoutcomes():
        result.assert_outcomes(passed=3)


@pytest.mark.parametrize("concurrent", ["false", "true"])
@pytest.mark.parametrize(
    ("plugin", "source", "outcomes"),
    [
        pytest.param("check", CHECK, {"failed": 3, "passed": 2}, id="check"),
        pytest.param(
            "dependency", DEPENDENCY, {"failed": 1, "passed": 2, "skipped": 1}, id="dependency"
        ),
        pytest.param("pytest-describe", DESCRIBE, {"failed": 1, "passed": 2}, id="describe"),
        pytest.param(
            "pytest_lazyfixture", LAZY_FIXTURES, {"failed": 2, "passed": 2}, id="lazy-fixtures"
        ),
    ],
)
def test_outcomes_are_those_of_a_serial_run(suite, plugin, source, outcomes, concurrent):
    result = suite(
        source,
        "-p",
        plugin,
        "--asyncio-mode=auto",
        "-Wdefault",
        ini=f"asyncio_concurrent = {concurrent}",
    )
    result.assert_outcomes(**outcomes)
