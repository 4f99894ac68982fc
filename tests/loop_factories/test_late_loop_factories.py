"""Loop factories of tests that a hook or fixture marks after they were made."""

from __future__ import annotations

import pytest
from offers import OFFERS_A_AND_B, loops_of

LATE_MARK = (
    OFFERS_A_AND_B
    + """
    def pytest_collection_modifyitems(items):
        for item in items:
            item.add_marker(pytest.mark.asyncio({arguments}))
"""
)


@pytest.mark.parametrize(
    ("parameters", "loops"), [(1, ["A0", "B0"]), (2, ["A0", "A1", "B0", "B1"])]
)
def test_a_late_mark_makes_variants(suite, parameters, loops):
    result = suite(
        f"""
        @pytest.mark.parametrize("number", range({parameters}))
        async def test_it(number):
            print(f"loop: {{type(asyncio.get_running_loop()).__name__}}{{number}}")
        """,
        "-s",
        "-v",
        conftest=LATE_MARK.replace("{arguments}", 'loop_factories=["b", "a"]'),
    )
    result.assert_outcomes(passed=len(loops))
    assert sorted(loops_of(result)) == loops
    result.stdout.fnmatch_lines(["*::test_it[[]0-b] *", "*::test_it[[]0-a] *"])


def test_variants_of_a_late_mark_share_the_loop_of_their_widest_fixture(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module")
        async def wide():
            return asyncio.get_running_loop()

        async def test_it(wide):
            assert asyncio.get_running_loop() is wide
        """,
        conftest="""
        def pytest_asyncio_loop_factories():
            return {"a": asyncio.new_event_loop, "b": asyncio.SelectorEventLoop}

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.asyncio)
        """,
        ini="asyncio_loop_scope = auto",
    )
    result.assert_outcomes(passed=2)


def test_a_late_mark_that_selects_one_factory_leaves_the_name_of_a_test_alone(suite):
    result = suite(
        """
        async def test_it():
            assert type(asyncio.get_running_loop()).__name__ == "B"
        """,
        "-v",
        conftest=LATE_MARK.replace("{arguments}", 'loop_factories=["b"]'),
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("test_it.py::test_it PASSED*")


def test_a_late_mark_without_a_selection_makes_a_variant_for_each_factory(suite):
    result = suite("async def test_it(): pass", conftest=LATE_MARK.replace("{arguments}", ""))
    result.assert_outcomes(passed=2)


def test_a_late_mark_skips_a_factory_that_is_not_available(suite):
    result = suite(
        "async def test_it(): pass",
        "-rs",
        conftest=LATE_MARK.replace("{arguments}", 'loop_factories=["a", "missing"]'),
    )
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines("SKIPPED *: Loop factory 'missing' is not available. *")


def test_an_invalid_late_mark_fails_its_test(suite):
    result = suite(
        "async def test_it(): pass",
        conftest=LATE_MARK.replace("{arguments}", "loop_factories=[]"),
    )
    result.assert_outcomes(errors=1)


def test_a_late_mark_says_nothing_about_sync_tests(suite):
    result = suite(
        """
        @pytest.mark.parametrize("number", [1, 2])
        def test_it(number):
            pass
        """,
        "-Wdefault",
        conftest=LATE_MARK.replace("{arguments}", 'loop_factories=["a"]'),
    )
    result.assert_outcomes(passed=2)


def test_a_mark_that_a_fixture_applies_selects_the_first_of_its_factories(suite):
    result = suite(
        """
        @pytest.fixture(autouse=True)
        def asynchronous(request):
            request.applymarker(pytest.mark.asyncio(loop_factories=["b", "a"]))

        async def test_it():
            assert type(asyncio.get_running_loop()).__name__ == "B"
        """,
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=1)


def test_late_variants_are_grouped_although_others_are_deselected(suite):
    result = suite(
        """
        async def test_one(): pass

        @pytest.mark.asyncio(loop_scope="module")
        async def test_two(): pass
        """,
        "-v",
        conftest=OFFERS_A_AND_B
        + """
    def pytest_collection_modifyitems(items):
        one, *two = items
        one.add_marker(pytest.mark.asyncio(loop_scope="module"))
        for item in two:
            item.add_marker(pytest.mark.asyncio(loop_factories=["a"]))
""",
    )
    result.assert_outcomes(passed=3, deselected=1)
    result.stdout.fnmatch_lines(["*::test_one[[]a] *", "*::test_two[[]a] *", "*::test_one[[]b] *"])


def test_a_hook_that_raises_for_a_late_mark_fails_that_test_only(suite):
    result = suite(
        "async def test_it(): pass\ndef test_sync(): pass",
        conftest="""
            def pytest_asyncio_loop_factories(config, item):
                raise OSError("no loops today")

            def pytest_collection_modifyitems(items):
                items[0].add_marker(pytest.mark.asyncio)
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["conftest.py:*: OSError"])
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py*")
