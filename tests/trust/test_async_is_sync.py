"""An async suite does what it would do if it were synchronous, and had pytest alone.

Hypothesis makes the suites, and shrinks those that do not.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from suites import (
    OUTCOMES,
    SCOPES,
    Case,
    Class,
    Directory,
    Fixture,
    Module,
    Phase,
    Suite,
    Xunit,
    written,
)

from pytest_asyncio import plugin

ARGUMENTS = (
    *("-v", "-s", "-rA", "--no-header", "--tb=native", "--assert=plain"),
    "--disable-plugin-autoload",
    # What a session does without starts faster without.
    *(f"-pno:{name}" for name in ("cacheprovider", "doctest", "faulthandler", "junitxml")),
    *(f"-pno:{name}" for name in ("legacypath", "logging", "pastebin", "stepwise", "subtests")),
    # It collects garbage time and again, and has nothing to tell here that the warnings do not.
    "-pno:unraisableexception",
)
TRACEBACKS = re.compile("=+ (ERRORS|FAILURES) =+\n.*?(?==+ short test summary)", re.DOTALL)
NAMES = "abcd"


def rarely(value: object, *, otherwise: object = False) -> st.SearchStrategy:
    return st.sampled_from([otherwise] * 7 + [value])


def often(value: object, *, otherwise: object) -> st.SearchStrategy:
    return st.sampled_from([otherwise, value, value, value])


def some(names: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), max_size=2, unique=True).map(tuple)


def few(elements: st.SearchStrategy, least: int = 0, most: int = 2) -> st.SearchStrategy[tuple]:
    return st.lists(elements, min_size=least, max_size=most).map(tuple)


def outcomes(passing: int) -> st.SearchStrategy[str]:
    others = sorted(OUTCOMES)
    # It takes pytest a second to report that a session has been left.
    return st.sampled_from((["passes"] * passing + others) * 10 + ["exits"])


PHASES = st.builds(
    Phase,
    requests=rarely((NAMES[-1],), otherwise=()) | some(NAMES),
    finalizer=rarely(True),
    outcome=outcomes(20),
)
QUIET = st.builds(Phase, finalizer=rarely(True), outcome=outcomes(10))


FIXTURES = {
    name: st.builds(
        Fixture,
        name=st.just(name),
        scope=st.sampled_from(SCOPES),
        # Itself is the one that it overrides.
        needs=some(NAMES[NAMES.index(name) :]),
        setup=PHASES,
        teardown=st.none() | QUIET,
        parameters=rarely(2, otherwise=0),
        autouse=rarely(True),
        renamed=rarely(True),
        dynamic_scope=rarely(True),
        is_async=often(True, otherwise=False),
        is_declared=st.booleans(),
        is_managed=rarely(True),
        wider=st.none() | st.integers(0, 4),
    )
    for name in NAMES
}
SOME_FIXTURES = st.lists(
    st.sampled_from(NAMES).flatmap(FIXTURES.get), max_size=3, unique_by=lambda each: each.name
).map(tuple)
TESTS = st.builds(
    Case,
    needs=some(NAMES),
    uses=rarely(("a",), otherwise=()),
    call=PHASES,
    mark=st.sampled_from([""] * 12 + ["skip", "xfail", "xfail(strict=True)", "xfail(run=False)"]),
    parameters=rarely(2, otherwise=0),
    is_async=often(True, otherwise=False),
    loop_scope=st.none() | st.sampled_from(SCOPES),
)
XUNIT = st.builds(Xunit, setup=QUIET, teardown=QUIET, is_async=st.booleans())


def xunit(*kinds: str) -> st.SearchStrategy[Mapping[str, Xunit]]:
    return st.just({}) | st.dictionaries(st.sampled_from(kinds), XUNIT, max_size=2)


CLASSES = st.builds(Class, SOME_FIXTURES, few(TESTS), xunit("class", "method"))
MODULES = st.builds(
    Module,
    SOME_FIXTURES,
    few(TESTS, least=1),
    few(CLASSES),
    xunit("module", "function"),
    loop_scope=st.none() | st.sampled_from(SCOPES),
)
INNER = st.builds(Directory, SOME_FIXTURES, few(MODULES, most=1), st.just(()))
PACKAGES = st.builds(Directory, SOME_FIXTURES, few(MODULES), few(INNER, most=1))
COMMON = {
    "root": st.builds(Directory, SOME_FIXTURES, few(MODULES, least=1), few(PACKAGES)),
    "mode": st.sampled_from(["auto", "strict"]),
    "marks_modules": st.booleans(),
}
STOPPING = ("-x", "--maxfail=2")
SUITES = st.builds(
    Suite,
    arguments=few(st.sampled_from([*STOPPING, "--setup-show", "--setup-only", "--setup-plan"])),
    one_loop=st.just(False),
    fixture_loop_scope=st.none() | st.sampled_from([*SCOPES, "fixture-scope"]),
    test_loop_scope=st.none() | st.sampled_from([*SCOPES, "auto"]),
    **COMMON,
)
# Here async code requests fixtures, and --setup-show tells of those before they are awaited.
SUITES |= st.builds(
    Suite,
    arguments=few(st.sampled_from([*STOPPING, "--setup-plan"])),
    one_loop=st.just(True),
    fixture_loop_scope=st.just("session"),
    test_loop_scope=st.just("session"),
    **COMMON,
)


@given(SUITES)
def test_an_async_suite_does_what_a_synchronous_one_does(suite: Suite) -> None:
    synchronous, asynchronous = (written(suite, is_async=is_async) for is_async in (False, True))
    expected = report_of(synchronous, suite.arguments)
    report = report_of(asynchronous, suite.arguments, plugin)
    if report != expected:
        difference = "\n".join(
            difflib.unified_diff(expected, report, "synchronous", "asynchronous", lineterm="")
        )
        files = "\n".join(f"--- {name}\n{text}" for name, text in asynchronous.items() if text)
        pytest.fail(f"{' '.join(suite.arguments)}\n{difference}\n\n{files}", pytrace=False)


def report_of(files: Mapping[str, str], arguments: tuple[str, ...], *plugins: object) -> list[str]:
    """Run a suite in this process; return what it and pytest have printed, and the exit code."""
    with (
        TemporaryDirectory(prefix="suite") as directory,
        contextlib.chdir(directory),
        forgotten_afterwards(directory),
    ):
        for name, text in files.items():
            path = Path(directory, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            try:
                end: object = pytest.main([*ARGUMENTS, *arguments], plugins)
            except BaseException as error:  # With -x, pytest lets those of late teardowns pass.
                end = repr(error)
    report = TRACEBACKS.sub("", output.getvalue().replace(directory, ""))
    return [*re.sub(r"in [\d.]+s", "in no time", report).splitlines(), f"end: {end!s}"]


@contextlib.contextmanager
def forgotten_afterwards(directory: str) -> Iterator[None]:
    """Let the modules of a directory, and what their import leaves, be gone."""
    path, conftest = sys.path[:], sys.modules.pop("conftest", None)
    try:
        yield
    finally:
        sys.path[:] = path
        for name, module in tuple(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(directory):
                del sys.modules[name]
        if conftest is not None:
            sys.modules["conftest"] = conftest
