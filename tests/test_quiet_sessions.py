"""A session without async tests is as if the plugin were not there."""

from __future__ import annotations

import asyncio
import sys
from unittest import mock

import pytest

SYNC_SUITE = """
    import unittest

    @pytest.fixture(scope="module")
    def value():
        return 42

    def test_function(value):
        assert value == 42

    class TestClass:
        def setup_method(self): pass
        def test_method(self): pass

    class TestCase(unittest.TestCase):
        def test_it(self): pass
"""


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_no_fixture_is_set_up(suite, mode):
    result = suite(SYNC_SUITE, "--setup-show", f"--asyncio-mode={mode}")
    result.assert_outcomes(passed=3)
    names = [line.split()[2] for line in result.outlines if line.strip().startswith("SETUP")]
    assert [name for name in names if "xunit" not in name and "unittest" not in name] == ["value"]


def test_no_fixture_is_listed_for_its_tests(suite):
    result = suite("def test_it(): pass", "--fixtures-per-test")
    result.stdout.no_fnmatch_line("*fixtures used by test_it*")


def test_no_internal_fixture_is_listed(suite):
    result = suite("def test_it(): pass", "--fixtures")
    result.stdout.no_fnmatch_line("_*")


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_nothing_is_warned_of(suite, mode):
    result = suite(SYNC_SUITE, "-Wdefault", f"--asyncio-mode={mode}")
    result.assert_outcomes(passed=3, warnings=0)


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_it_survives_when_python_makes_errors_of_warnings(pytester, mode):
    pytester.makeini(f"[pytest]\nfilterwarnings = error\nasyncio_mode = {mode}")
    pytester.makepyfile("def test_it(): pass")
    result = pytester.run(sys.executable, "-W", "error", "-m", "pytest", "--setup-show")
    result.assert_outcomes(passed=1)
    assert result.ret is pytest.ExitCode.OK


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_an_async_session_survives_too(pytester, mode):
    pytester.makeini(f"[pytest]\nfilterwarnings = error\nasyncio_mode = {mode}")
    pytester.makepyfile("""
        import pytest, pytest_asyncio

        @pytest_asyncio.fixture(scope="module")
        async def value():
            yield 42

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(value):
            assert value == 42
    """)
    result = pytester.run(sys.executable, "-W", "error", "-m", "pytest")
    result.assert_outcomes(passed=1, warnings=1)  # the advice about the fixture's loop scope
    assert result.ret is pytest.ExitCode.OK


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="pdb, which pytest imports, imports it")
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_asyncio_is_not_imported(pytester, monkeypatch, mode):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile("""
        import sys

        class TestClass:
            def setup_method(self): pass
            def test_it(self, unused_tcp_port):
                assert "asyncio" not in sys.modules
    """)
    result = pytester.run(
        sys.executable, "-m", "pytest", "-p", "pytest_asyncio.plugin", f"--asyncio-mode={mode}"
    )
    result.assert_outcomes(passed=1)


def test_a_session_of_synchronous_tests_imports_little_of_the_plugin(pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile("""
        import sys

        def test_it():
            imported = [name for name in sys.modules if name.startswith("pytest_asyncio")]
            assert len(imported) <= 30, imported
    """)
    result = pytester.run(sys.executable, "-m", "pytest", "-p", "pytest_asyncio.plugin")
    result.assert_outcomes(passed=1)


def test_no_event_loop_policy_is_read_or_set(suite, monkeypatch):
    policy_function = mock.Mock()
    for name in ("get_event_loop_policy", "set_event_loop_policy"):
        monkeypatch.setattr(asyncio, name, policy_function)
    suite(SYNC_SUITE).assert_outcomes(passed=3)
    policy_function.assert_not_called()


ADVICE = (
    "*conftest.py:3: PytestDeprecationWarning: The configuration option "
    "\"asyncio_default_fixture_loop_scope\" is unset, and the async fixture 'database' has no "
    "loop_scope: its loop is shared in its module. Set the option to 'fixture-scope' to keep that, "
    "or set asyncio_loop_scope to 'auto' *"
)


def test_a_wide_async_fixture_that_names_no_loop_scope_is_advised_of_once(suite):
    test = """
        @pytest.mark.asyncio(loop_scope="session")
        @pytest.mark.parametrize("_", [1, 2])
        async def test_it(database, _): pass
    """
    result = suite(
        files={"test_a.py": test, "test_b.py": test},
        conftest="""
            @pytest_asyncio.fixture(scope="module")
            async def database(): pass
        """,
    )
    result.assert_outcomes(passed=4, warnings=1)
    result.stdout.fnmatch_lines(ADVICE)


@pytest.mark.parametrize(
    "ignored",
    [
        "ignore::pytest.PytestDeprecationWarning",
        "ignore::pytest.PytestDeprecationWarning:pytest_asyncio.plugin",
        'ignore:The configuration option "asyncio_default_fixture_loop_scope" is unset',
    ],
    ids=["class", "module", "text"],
)
def test_the_advice_may_be_ignored(suite, ignored):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module")
        async def database(): pass

        @pytest.mark.asyncio
        async def test_it(database): pass
        """,
        f"-W{ignored}",
    )
    result.assert_outcomes(passed=1, warnings=0)


@pytest.mark.parametrize(
    "arguments",
    ["", 'scope="function"', 'scope="module", loop_scope="module"'],
    ids=["no scope", "function scope", "loop scope"],
)
def test_an_async_fixture_for_which_the_option_says_nothing_is_not_advised_of(suite, arguments):
    result = suite(
        f"""
        @pytest_asyncio.fixture({arguments})
        async def database(): pass

        @pytest.mark.asyncio
        async def test_it(database): pass
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=0)


def test_a_suite_that_has_set_the_option_is_not_advised(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope="module")
        async def database(): pass

        @pytest.mark.asyncio
        async def test_it(database): pass
        """,
        "-Wdefault",
        ini="asyncio_default_fixture_loop_scope = fixture-scope",
    )
    result.assert_outcomes(passed=1, warnings=0)
