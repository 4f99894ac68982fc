"""Loop factories, and hooks that offer them, that are wrong: an error of the test, by name."""

from __future__ import annotations

import pytest
from offers import LOOPS, PRINTS_LOOP


@pytest.mark.parametrize(
    ("factories", "shown"),
    [
        ("{}", "{}"),
        ("{'': A}", "{'': *}"),
        ("{1: A}", "{1: *}"),
        ("{'a': 1}", "{'a': 1}"),
        ("[A]", "[[]*]"),
        ("A", "<class 'conftest.A'>"),
    ],
)
def test_what_is_not_a_mapping_of_names_to_callables_fails_the_test(suite, factories, shown):
    result = suite(
        PRINTS_LOOP.format(arguments="") + "\n    def test_sync(): pass\n",
        conftest=LOOPS
        + f"""
    def pytest_asyncio_loop_factories(config, item):
        return {factories}
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: pytest_asyncio_loop_factories must return a non-empty mapping of "
        f"factory names to callables, not {shown}."
    )


@pytest.mark.parametrize("body", ["return None", "pass", "if item: return\n        return None"])
def test_a_hook_that_never_returns_anything_is_an_error_of_each_test(suite, body):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        conftest=f"""
    def pytest_asyncio_loop_factories(item):
        {body}
""",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: pytest_asyncio_loop_factories must return a non-empty mapping of "
        "factory names to callables, not None."
    )


def test_a_mark_has_nothing_to_choose_from_where_none_has_an_opinion(suite):
    result = suite(
        """
        @pytest.mark.asyncio(loop_factories=["a"])
        async def test_it():
            pass
        """,
        conftest="def pytest_asyncio_loop_factories(item): return getattr(item, 'factories', None)",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            (
                "test_it.py::test_it: mark.asyncio 'loop_factories' requires at least one "
                "pytest_asyncio_loop_factories hook implementation."
            ),
            "Without one there is 'asyncio'; asyncio_loop_factory names the one factory of all *",
        ]
    )


def test_a_factory_that_raises_fails_its_test(suite):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        conftest="""
            def broken():
                raise OSError("too many loops")

            def pytest_asyncio_loop_factories(config, item):
                return {"broken": broken}
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("E * OSError: too many loops")
    result.stdout.no_fnmatch_line("*pytest_asyncio*loops.py*")


def test_a_factory_that_makes_no_loop_fails_its_test_by_the_name_of_the_factory(suite):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        conftest="""
            def pytest_asyncio_loop_factories(config, item):
                return {"broken": lambda: 1}
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: the loop factory 'broken' returned 1, which is not an event loop."
    )


def test_a_factory_that_returns_its_closed_loop_again_fails_the_next_test(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(): pass

        @pytest.mark.asyncio
        async def test_next(): pass
        """,
        conftest="""
            loop = asyncio.new_event_loop()

            def pytest_asyncio_loop_factories(config, item):
                return {"one": lambda: loop}
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_next: the loop factory 'one' returned an event loop that is closed. *"
    )


@pytest.mark.parametrize("mark", ["", "(clock='virtual')"])
@pytest.mark.parametrize("factory", ["len", "lambda loop: loop", "broken"])
def test_a_factory_that_cannot_be_called_without_arguments_is_reported(suite, factory, mark):
    result = suite(
        PRINTS_LOOP.format(arguments=mark),
        conftest=f"""
            async def broken(loop):
                pass

            def pytest_asyncio_loop_factories(config, item):
                return {{"own": {factory}}}
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: the loop factory 'own', called without arguments, raised TypeError: *"
    )
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py*")


def test_a_factory_whose_own_code_raises_a_type_error_shows_that_code(suite):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        conftest="""
            def pytest_asyncio_loop_factories(config, item):
                return {"own": lambda: len()}
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [">   *lambda: len()*", "E * TypeError: len() *", "conftest.py:*: TypeError"]
    )
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py*")


def test_a_hook_that_raises_shows_its_own_code_only(suite):
    result = suite(
        PRINTS_LOOP.format(arguments=""),
        conftest="""
            def pytest_asyncio_loop_factories(config, item):
                raise OSError("no loops today")
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["conftest.py:*", "E   OSError: no loops today"])
    result.stdout.no_fnmatch_line("*pytest_asyncio/*.py*")
