"""Options in TOML: numbers, booleans and lists as they are, and strings for everything."""

from __future__ import annotations

import pytest

from pytest_asyncio import plugin

TABLES = ["tool.pytest.ini_options"]
if pytest.version_tuple >= (9, 0):
    TABLES.append("tool.pytest")

TEST = """
    import pytest

    @pytest.mark.asyncio
    async def test_it():
        pass
"""


@pytest.fixture(params=TABLES)
def toml(request, pytester, monkeypatch):
    """Run a suite of one test with options in TOML."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(TEST)

    def run(*options: str) -> pytest.RunResult:
        pytester.makepyprojecttoml("\n".join([f"[{request.param}]", *options]))
        return pytester.runpytest("-p", "no:cacheprovider", "-Werror", plugins=[plugin])

    return run


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("asyncio_mode = 'auto'", "mode=auto"),
        ("asyncio_debug = true", "debug=True"),
        ("asyncio_debug = 'true'", "debug=True"),
        ("asyncio_debug = false", "debug=False"),
        ("asyncio_debug = 'off'", "debug=False"),
        ("asyncio_default_test_loop_scope = 'auto'", "asyncio_default_test_loop_scope=auto"),
        ("asyncio_loop_factory = 'asyncio.new_event_loop'", "asyncio_loop_factory=asyncio.new_*"),
        ("asyncio_timeout = 10", "asyncio_timeout=10"),
        ("asyncio_timeout = 2.5", "asyncio_timeout=2.5"),
        ("asyncio_timeout = '2.5'", "asyncio_timeout=2.5"),
        ("asyncio_clock = 'virtual'", "asyncio_clock=virtual"),
        ("asyncio_concurrent = true\nasyncio_concurrency = 8", "asyncio_concurrency=8"),
        ("asyncio_concurrent = 'yes'\nasyncio_concurrency = '8'", "asyncio_concurrency=8"),
        ("asyncio_checks = ['leaked-tasks']", "asyncio_checks=leaked-tasks"),
        ("asyncio_checks = 'leaked-tasks, never-awaited'", "asyncio_checks=leaked-tasks,never-*"),
        ("asyncio_checks = []", "asyncio_default_test_loop_scope=function"),
        ("asyncio_serial_fixtures = ['database']", "mode=strict"),
        ("asyncio_serial_fixtures = 'database server'", "mode=strict"),
        ("asyncio_blocked_loop_threshold = 1", "mode=strict"),
        ("asyncio_blocked_loop_threshold = '0.2'", "mode=strict"),
    ],
)
def test_an_option_has_its_own_type_or_is_a_string(toml, option, shown):
    result = toml(option)
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines(f"asyncio: .*{shown.replace('*', '.*')}")


@pytest.mark.parametrize(
    ("option", "value", "help"),
    [
        ("asyncio_mode", "1", "Valid modes: auto, strict."),
        ("asyncio_mode", "['auto']", "Valid modes: auto, strict."),
        ("asyncio_debug", "[]", "Give true or false."),
        ("asyncio_debug", "2", "Give true or false."),
        ("asyncio_default_fixture_loop_scope", "1", "Valid scopes are: *."),
        ("asyncio_default_test_loop_scope", "['session']", "Valid scopes are: *."),
        ("asyncio_loop_factory", "['asyncio.new_event_loop']", "Give the dotted name of *."),
        ("asyncio_timeout", "[]", "Give a number of seconds, such as 2.5."),
        ("asyncio_timeout", "[10]", "Give a number of seconds, such as 2.5."),
        ("asyncio_timeout", "true", "Give a number of seconds, such as 2.5."),
        ("asyncio_timeout", "2026-01-01", "Give a number of seconds, such as 2.5."),
        ("asyncio_timeout", "{ seconds = 10 }", "Give a number of seconds, such as 2.5."),
        ("asyncio_clock", "true", "Valid clocks: real, virtual."),
        ("asyncio_concurrent", "['true']", "Give true or false."),
        ("asyncio_concurrency", "0", "Give a number of tests, *."),
        ("asyncio_concurrency", "8.5", "Give a number of tests, *."),
        ("asyncio_concurrency", "true", "Give a number of tests, *."),
        ("asyncio_checks", "[1]", "Give a list of names, *."),
        ("asyncio_checks", "[['leaked-tasks']]", "Give a list of names, *."),
        ("asyncio_serial_fixtures", "[true]", "Give a list of names, *."),
        ("asyncio_blocked_loop_threshold", "[0.5]", "Give a number of seconds, such as 2.5."),
    ],
)
def test_what_does_not_fit_is_one_usage_error(toml, option, value, help):
    result = toml(f"{option} = {value}")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(f"ERROR: * is not a valid {option}. {help}")
    assert len([line for line in result.errlines if "ERROR" in line]) == 1
