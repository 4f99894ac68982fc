"""Tests of all kinds, time and again in one process: what it holds does not grow.

The same few items are run each time, for what pytest itself keeps of an item it keeps once.
`SOAK` says how many times; fifty thousand tests are eight hundred times.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import textwrap

import pytest

TIMES = int(os.environ.get("SOAK", "60"))

LIMITS = {"blocks of memory": 0.5, "files": 0.01, "threads": 0.01}
"""By how much each may grow with a test; an object takes one block of memory at least."""

KINDS = """
    import asyncio, unittest
    from contextlib import asynccontextmanager
    from contextvars import ContextVar

    import pytest, pytest_asyncio
    from hypothesis import given, settings, strategies

    var = ContextVar("var")

    async def wait_for_ever():
        await asyncio.Event().wait()

    @pytest_asyncio.fixture(scope="session")
    async def of_session():
        yield object()

    @pytest_asyncio.fixture(scope="module")
    async def of_module():  # pytest keeps each that needs a wider one
        async with asyncio.TaskGroup() as group:
            task = group.create_task(wait_for_ever())
            yield object()
            task.cancel()

    @pytest_asyncio.fixture
    async def returning():
        var.set(object())
        return object()

    @pytest_asyncio.fixture
    async def yielding(returning):
        async with asyncio.timeout(60):
            yield object()

    @pytest_asyncio.fixture
    @asynccontextmanager
    async def managed():
        yield object()

    @pytest_asyncio.fixture
    async def fails_in_setup(yielding):
        raise ZeroDivisionError

    @pytest_asyncio.fixture
    async def fails_in_teardown(yielding):
        yield
        raise ZeroDivisionError

    @pytest_asyncio.fixture
    async def dies(yielding):
        async def die():
            raise ZeroDivisionError

        async with asyncio.TaskGroup() as group:
            yield lambda: group.create_task(die())

    async def test_passes(yielding, managed):
        assert var.get()

    async def test_fails(yielding):
        raise ZeroDivisionError

    async def test_skips(yielding):
        pytest.skip()

    @pytest.mark.xfail
    async def test_is_expected_to_fail(yielding):
        raise ZeroDivisionError

    async def test_fails_in_setup(fails_in_setup):
        pass

    async def test_fails_in_teardown(fails_in_teardown):
        pass

    async def test_loses_its_fixture(dies):
        dies()
        await wait_for_ever()

    async def test_leaks_a_task():
        task = asyncio.create_task(wait_for_ever())
        await asyncio.sleep(0)

    async def test_uses_a_thread():
        await asyncio.to_thread(object)

    @pytest.mark.asyncio(timeout=60)
    async def test_is_in_time(yielding):
        pass

    @pytest.mark.asyncio(timeout=0.001)
    async def test_is_late(yielding):
        await wait_for_ever()

    @pytest.mark.asyncio(clock="virtual")
    async def test_has_a_virtual_clock(asyncio_clock):
        await asyncio.sleep(60)

    @pytest.mark.asyncio(loop_scope="module")
    @pytest.mark.parametrize("number", range(2))
    async def test_shares_the_loop_of_its_module(of_module, number):
        pass

    @pytest.mark.asyncio(loop_scope="session")
    async def test_shares_the_loop_of_the_session(of_session):
        pass

    async def test_requests_late(request):
        await pytest_asyncio.getfixturevalue(request, "yielding")

    @settings(max_examples=2, database=None, deadline=None)
    @given(strategies.booleans())
    async def test_has_examples(value):
        pass

    def test_is_synchronous(yielding):
        pass

    def test_runs_by_itself(asyncio_runner):
        asyncio_runner.run(asyncio.sleep(0))

    def test_knows_nothing_of_it():
        pass

    @pytest.mark.asyncio(loop_scope="class")
    class TestOfOneLoop:
        async def setup_method(self):
            pass

        async def teardown_method(self):
            pass

        async def test_one(self, yielding):
            pass

        async def test_two(self, yielding):
            pass

    class TestCase(unittest.IsolatedAsyncioTestCase):
        async def test_it(self):
            pass
"""

SAMPLING = """
    import gc, json, os, sys, threading
    from array import array

    import pytest

    HELD = {
        "blocks of memory": sys.getallocatedblocks,
        "files": lambda: len(os.listdir("/dev/fd")),
        "threads": threading.active_count,
    }
    samples = {held: array("q") for held in HELD}  # it keeps no object for a number

    def pytest_collection_modifyitems(items):
        items *= int(os.environ["SOAK"])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(item):
        yield
        if item is item.session.items[0]:
            gc.collect()
            for held, count in HELD.items():
                samples[held].append(count())
        return True

    def pytest_sessionfinish(session):
        result = {held: list(counts) for held, counts in samples.items()}
        result["tests"] = len(session.items) / int(os.environ["SOAK"])
        with open("samples", "w") as file:
            json.dump(result, file)
"""


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """What a long session has held, at times that are evenly spread over it."""
    folder = tmp_path_factory.mktemp("soak")
    (folder / "conftest.py").write_text(textwrap.dedent(SAMPLING))
    (folder / "pytest.ini").write_text(
        "[pytest]\n"
        "asyncio_mode = auto\n"
        "asyncio_default_fixture_loop_scope = fixture-scope\n"
        "addopts = -Wignore -p no:cacheprovider -p no:terminal -p pytest_asyncio.plugin\n"
    )
    for name in ("test_one.py", "test_two.py"):
        (folder / name).write_text(textwrap.dedent(KINDS))
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "SOAK": str(TIMES)}
    ended = subprocess.run([sys.executable, "-m", "pytest"], cwd=folder, env=env, check=False)
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    return json.loads((folder / "samples").read_text())


@pytest.mark.parametrize(("held", "growth"), LIMITS.items())
def test_a_long_session_holds_no_more_than_a_short_one(samples, held, growth):
    counts = samples[held][len(samples[held]) // 4 :]  # until all is imported and cached
    line = statistics.linear_regression(range(len(counts)), counts)
    slope = line.slope / samples["tests"]
    sys.stdout.write(f"{slope:+.3f} {held} a test")
    assert slope < growth
