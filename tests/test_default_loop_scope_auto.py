"""`asyncio_default_test_loop_scope = auto`: the widest loop among the fixtures of a test."""

from __future__ import annotations

import pytest

AUTO = "asyncio_default_test_loop_scope = auto"


@pytest.mark.parametrize("autouse", [False, True])
def test_the_auto_scope_is_the_widest_among_the_fixtures_of_a_test(suite, autouse):
    result = suite(
        f"""
        @pytest_asyncio.fixture(loop_scope="module", autouse={autouse})
        async def loop():
            return asyncio.get_running_loop()

        @pytest.fixture
        def indirect(loop):
            return loop

        @pytest_asyncio.fixture(loop_scope="class")
        async def narrower():
            pass

        @pytest.mark.asyncio
        async def test_it(narrower, {"request" if autouse else "indirect"}):
            {"indirect = request.getfixturevalue('loop')" if autouse else ""}
            assert indirect is asyncio.get_running_loop()
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=1)


def test_the_auto_scope_of_a_test_without_async_fixtures_is_function(suite):
    result = suite(
        """
        loops = set()

        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", "ab")
        async def test_it(_):
            assert asyncio.get_running_loop() not in loops
            loops.add(asyncio.get_running_loop())
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=2)


def test_a_fixture_that_is_overridden_does_not_count_for_the_auto_scope(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(loop_scope="module")
        async def loop():
            return asyncio.get_running_loop()

        class TestIt:
            @pytest_asyncio.fixture(loop_scope="class")
            async def loop(self):
                return asyncio.get_running_loop()

            @pytest.mark.asyncio
            async def test_it(self, loop):
                assert loop is asyncio.get_running_loop()
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=1)


def test_synchronous_fixtures_do_not_count_for_the_auto_scope(suite):
    result = suite(
        """
        loops = set()

        @pytest.fixture(scope="module")
        def wide():
            pass

        @pytest.mark.asyncio
        @pytest.mark.parametrize("_", "ab")
        async def test_it(_, wide):
            assert asyncio.get_running_loop() not in loops
            loops.add(asyncio.get_running_loop())
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=2)


def test_an_explicit_scope_is_stronger_than_the_auto_scope(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(loop_scope="module")
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="function")
        async def test_it(loop):
            assert loop is not asyncio.get_running_loop()
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=1)


def test_a_parameter_that_widens_a_fixture_counts_for_the_auto_scope(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def loop(request):
            return asyncio.get_running_loop()

        @pytest.mark.asyncio
        @pytest.mark.parametrize("loop", ["parameter"], indirect=True, scope="module")
        async def test_it(loop):
            assert loop is asyncio.get_running_loop()
        """,
        ini=AUTO,
    )
    result.assert_outcomes(passed=1)


PACKAGE_FIXTURE = """
    @pytest_asyncio.fixture(scope="package")
    async def {}():
        return asyncio.get_running_loop()
"""


PACKAGES = {
    "conftest.py": PACKAGE_FIXTURE.format("of_no_package"),
    "outer/__init__.py": "",
    "outer/conftest.py": PACKAGE_FIXTURE.format("of_outer"),
    "outer/inner/__init__.py": "",
    "outer/inner/conftest.py": PACKAGE_FIXTURE.format("of_inner"),
}


@pytest.mark.parametrize(
    ("arguments", "loop"),
    [
        ("of_outer", "of_outer"),
        ("of_inner", "of_inner"),
        ("of_inner, of_outer", "of_outer"),
        ("of_no_package", "of_no_package"),
        ("of_no_package, of_outer", "of_outer"),
    ],
)
@pytest.mark.parametrize("ini", ["", "asyncio_concurrent = true"])
def test_the_auto_scope_is_the_widest_among_the_packages_of_the_fixtures(
    suite, arguments, loop, ini
):
    test = f"""
        @pytest_asyncio.fixture
        async def narrow():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio
        async def test_it({arguments}, narrow):
            assert {loop} is asyncio.get_running_loop()
            assert (narrow is {loop}) == {bool(ini)}
    """
    result = suite(
        ini=f"{AUTO}\nasyncio_default_fixture_loop_scope = fixture-scope\n{ini}",
        files={**PACKAGES, "outer/inner/test_it.py": test},
    )
    result.assert_outcomes(passed=1)
