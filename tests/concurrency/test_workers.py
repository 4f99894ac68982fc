"""Tests that run at the same time in each worker of pytest-xdist."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from together import MODULE

SUITE = (
    MODULE
    + """
import asyncio
import os
import pytest
pytestmark = [pytestmark, pytest.mark.xdist_group("all")]
meeting = asyncio.Barrier(3)
@pytest.mark.parametrize("number", range(3))
async def test_it(number):
    async with asyncio.timeout(30):
        await meeting.wait()
    assert number != 1
"""
)


@pytest.fixture
def workers(pytester):
    def run(source, *args):
        pytester.makepyfile(test_a=f"import pytest\n{source}", test_b=f"import pytest\n{source}")
        pytester.makeini("[pytest]")
        return pytester.runpytest_subprocess("-pno:cacheprovider", *args)

    return run


@pytest.mark.parametrize("dist", ["loadscope", "loadfile"])
def test_tests_of_a_worker_run_at_the_same_time(workers, dist):
    workers(SUITE, "-n2", f"--dist={dist}").assert_outcomes(passed=4, failed=2)


@pytest.mark.parametrize("dist", ["load", "loadgroup", "worksteal"])
def test_each_is_run_and_reported_once(workers, dist, pytester):
    source = SUITE.replace(
        "await meeting.wait()",
        "with open('ran', 'a') as ran: print(__name__, number, file=ran)\n"
        "        await asyncio.sleep(0.01)",
    ).replace("range(3)", "range(20)")
    result = workers(source, "-n2", f"--dist={dist}", "-v")
    result.assert_outcomes(passed=38, failed=2)
    told = re.findall(r"(?:PASSED|FAILED) (test_\w.py::test_it\[\d+\])", result.stdout.str())
    ran = (pytester.path / "ran").read_text().splitlines()
    assert len({*told}) == len({*ran}) == len(ran) == 40


def test_the_last_one_of_a_worker_waits_alone(workers):
    result = workers(
        f"{MODULE}import asyncio\nasync def test_it(): await asyncio.sleep(0.01)", "-n2"
    )
    result.assert_outcomes(passed=2)


@pytest.mark.skipif(
    version("pytest-xdist").startswith("3.5."), reason="its workers go on until they are told"
)
def test_the_first_failure_ends_a_worker(workers):
    source = SUITE.replace("Barrier(3)", "Barrier(1)").replace("number != 1", "0")
    result = workers(source, "-n1", "-x")
    result.assert_outcomes(failed=1)


def test_a_worker_that_crashes_is_reported_as_ever(workers):
    source = SUITE.replace("assert number != 1", "if number == 1: os._exit(1)")
    result = workers(source, "-n1", "--dist=loadfile", "--max-worker-restart=0")
    result.stdout.fnmatch_lines(["*worker 'gw0' crashed while running*test_a.py::test_it*"])
