"""What the tests of concurrent tests share."""

from __future__ import annotations

import functools
import textwrap

import pytest
from together import ALONE, MODULE, TOGETHER, WAITING


@pytest.fixture
def concurrent(suite):
    """Run a module whose tests are concurrent, with `meet()` and `alone()`."""

    def run(source, *args, **kwargs):
        __tracebackhide__ = True
        source = MODULE + TOGETHER + ALONE + textwrap.dedent(source)
        return suite(source, *args, **kwargs)

    return run


@pytest.fixture(params=["current", "begun-early"])
def concurrent_in_both_ways(request, concurrent):
    """Run a module, whose first test is the current one, or has been begun by one before it."""

    def run(source, *args, passed=0, **outcomes):
        __tracebackhide__ = True
        is_early = request.param == "begun-early"
        result = concurrent(WAITING * is_early + textwrap.dedent(source), *args)
        result.assert_outcomes(passed=passed + is_early, **outcomes)
        return result

    return run


@pytest.fixture
def _ctrl_c_is_of_the_inner_run(pytester, monkeypatch):
    run = functools.partial(pytester.runpytest_inprocess, no_reraise_ctrlc=True)
    monkeypatch.setattr(pytester, "runpytest", run)
