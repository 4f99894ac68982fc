"""A session of thousands of tests: nothing that they could gather grows."""

from __future__ import annotations

import textwrap

import pytest

HEADER = "import asyncio, pytest, pytest_asyncio\n"

COUNTING = """
    import collections, gc, operator, sys

    # Of Python, and of pytest; of the plugin there are all.
    KINDS = (
        "Task", "_asyncio.Task", "Future", "Context", "Token", "coroutine", "async_generator",
        "SubRequest", "FixtureDef",
    )
    counts = []

    def count(session):
        for _ in range(4):  # PyPy finalizes one layer of objects at a time.
            gc.collect()
        objects = gc.get_objects()
        kinds = collections.Counter(type(thing).__qualname__ for thing in objects)
        own = collections.Counter(
            type(thing).__qualname__
            for thing in objects
            if type(thing).__module__.startswith("pytest_asyncio.")
        )
        return {
            "finalizers": sum(len(entry[0]) for entry in session._setupstate.stack.values()),
            "finalizers of fixtures": sum(
                len(fixturedef._finalizers)
                for fixturedef in objects
                if isinstance(fixturedef, pytest.FixtureDef)
            ),
            "loops": sum("EventLoop" in kind for kind in kinds.elements()),
        } | {kind: kinds[kind] for kind in KINDS} | own

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(item):
        result = yield
        if item.name in ("test_it[50]", "test_it[500]"):
            counts.append(count(item.session))
        return result

    def pytest_sessionfinish():
        first, last = counts
        # PyPy frees late some of what the first count has found.
        differs = operator.lt if sys.implementation.name == "pypy" else operator.ne
        counted = {it: (first.get(it, 0), last.get(it, 0)) for it in first | last}
        print({it: counts for it, counts in counted.items() if differs(*counts)})
"""


@pytest.mark.parametrize(
    ("mode", "loop_scope", "concurrent"),
    [
        ("strict", "function", False),
        ("strict", "session", False),
        ("auto", "function", False),
        ("auto", "session", False),
        ("auto", "session", True),
    ],
)
def test_nothing_grows(pytester, mode, loop_scope, concurrent):
    mark = f"pytest.mark.asyncio(loop_scope='{loop_scope}')" if mode == "strict" else "[]"
    pytester.makeconftest(HEADER + textwrap.dedent(COUNTING))
    pytester.makepyfile(
        HEADER
        + textwrap.dedent(f"""
        from contextvars import ContextVar

        pytestmark = {mark}
        var = ContextVar("var")

        @pytest_asyncio.fixture(scope="session")
        async def wide():
            yield

        @pytest_asyncio.fixture(loop_scope="{loop_scope}")
        async def returning():
            var.set(object())

        @pytest_asyncio.fixture(loop_scope="{loop_scope}")
        async def yielding(returning):
            yield

        @pytest_asyncio.fixture(loop_scope="{loop_scope}")
        async def late():
            yield

        alone = pytest.mark.asyncio(concurrent=False, loop_scope="{loop_scope}")

        @pytest.mark.parametrize(
            "number", [pytest.param(n, marks=[alone] * (n in (50, 500))) for n in range(502)]
        )
        async def test_it(wide, yielding, asyncio_runner, request, number):
            await pytest_asyncio.getfixturevalue(request, "late")
            for _ in range(20):
                await asyncio.sleep(0)
            var.set(object())
        """)
    )
    result = pytester.runpytest_subprocess(
        *("-s", "-q", "-p", "no:cacheprovider"),
        *(f"--asyncio-mode={mode}", "-o", f"asyncio_default_test_loop_scope={loop_scope}"),
        *("-o", f"asyncio_concurrent={concurrent}"),
    )
    result.assert_outcomes(passed=502)
    result.stdout.fnmatch_lines(["*{}"])
