"""Tests of all kinds, a thousand times over in one process: what it holds does not grow.

`SOAK` says how many times; fifty thousand tests are two thousand times.
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

LIMITS = {"blocks of memory": 14_000, "files": 1, "threads": 1}
"""By how much each may grow in a thousand tests; pytest keeps ten blocks of each, async or not."""

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
    async def of_module(of_session):
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

    import pytest

    def pytest_configure(config):
        config.samples = []

    def pytest_collection_modifyitems(config, items):
        config.every = len(items) // 40
        config.countdown = 0

    def pytest_runtest_logreport(report):
        assert report.outcome in ("passed", "failed", "skipped")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(item):
        result = yield
        config = item.config
        config.countdown -= 1
        if config.countdown < 0:
            config.countdown = config.every
            config.samples.append(sample(item))
        return result

    def sample(item):
        gc.collect()
        return {
            "test": item.session.items.index(item),
            "blocks of memory": sys.getallocatedblocks(),
            "files": len(os.listdir("/dev/fd")),
            "threads": threading.active_count(),
        }

    def pytest_unconfigure(config):
        with open("samples", "w") as file:
            json.dump(config.samples, file)
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
    for number in range(TIMES):
        (folder / f"test_{number}.py").write_text(textwrap.dedent(KINDS))
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run([sys.executable, "-m", "pytest"], cwd=folder, env=env, check=False)
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    return json.loads((folder / "samples").read_text())[5:]  # until all is imported


@pytest.mark.parametrize(("held", "growth"), LIMITS.items())
def test_a_long_session_holds_no_more_than_a_short_one(samples, held, growth):
    tests = [sample["test"] for sample in samples]
    line = statistics.linear_regression(tests, [sample[held] for sample in samples])
    sys.stdout.write(f"{tests[-1]} tests: {line.slope * 1000:+.3f} {held} in a thousand")
    assert line.slope * 1000 < growth
