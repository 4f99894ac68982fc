"""Whatever a suite can get wrong is one clear sentence, about that, and nothing else is lost."""

from __future__ import annotations

import re

import pytest

STRANGE = """
class Unshowable:
    def __repr__(self):
        raise ZeroDivisionError("this is shown")

class Incomparable:
    __hash__ = None

    def __eq__(self, other):
        raise ZeroDivisionError("this is compared")
"""
STRANGE_VALUES = (
    *("1", "-1", "True", "False", "0.5", "10**400", "float('nan')", "1j", "..."),
    *("''", "'x'", "'Session'", "' session'", "b'session'", "'é'", "'a' * 9999"),
    *("[]", "['session']", "('session',)", "{'session'}", "{'session': 'session'}", "[[[[]]]]"),
    *("object()", "object", "len", "lambda: 'session'", "pytest", "range(3)", "iter(['session'])"),
    *("Unshowable()", "[Unshowable()]", "Incomparable()", "type('', (), {})()"),
)
NEIGHBOUR = """
@pytest.mark.asyncio
async def test_neighbour():
    await asyncio.sleep(0)
"""


def said(result: pytest.RunResult) -> str:
    """Return what a session has said, which shows nothing of the plugin's own code."""
    text = f"{result.stdout.str()}\n{result.stderr.str()}"
    assert "INTERNALERROR" not in text
    assert not re.search(r"pytest_asyncio/\w+\.py:\d+", text)
    return text


OPTIONS = {
    "asyncio_mode": ("x", "AUTO", "auto strict", "1"),
    "asyncio_debug": ("x", "2"),
    "asyncio_concurrent": ("x", "2"),
    "asyncio_concurrency": ("x", "0", "-1", "1.5", "1e3", "inf", "None"),
    "asyncio_default_fixture_loop_scope": ("x", "auto", "Session", "function module"),
    "asyncio_default_test_loop_scope": ("x", "fixture-scope", "None"),
    "asyncio_timeout": ("x", "-1", "nan", "inf", "-inf", "1,5", "1 s", "1e999", "None"),
    "asyncio_blocked_loop_threshold": ("x", "-1", "nan", "inf", "", "1e999"),
    "asyncio_clock": ("x", "Virtual", "real virtual", "1"),
    "asyncio_checks": ("x", "leaked_tasks", "none"),
    "asyncio_loop_factory": (
        *("x", "asyncio", "asyncio.x", "asyncio.x:y", ":", ".", "..", "a b", "1.2", "conftest"),
        *("asyncio:", ":asyncio", "conftest:raising", "conftest.number", "é"),
        *("asyncio:new_event_loop()", "/", "asyncio.new_event_loop.x"),
    ),
}
COMMAND_LINE = {
    "asyncio_concurrency": OPTIONS["asyncio_concurrency"],
    "asyncio_durations": ("x", "-1", "1.5", ""),
    **{
        option: OPTIONS[option]
        for option in ("asyncio_mode", "asyncio_timeout", "asyncio_checks", "asyncio_loop_factory")
    },
}


@pytest.mark.parametrize(
    ("option", "value"), [(option, value) for option in OPTIONS for value in OPTIONS[option]]
)
def test_an_ini_option_that_is_not_valid_is_a_usage_error(suite, option, value):
    assert_is_a_usage_error(suite(NEIGHBOUR, ini=f"{option} = {value}"), option, value)


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option in COMMAND_LINE for value in COMMAND_LINE[option]],
)
def test_an_argument_that_is_not_valid_is_a_usage_error(suite, option, value):
    result = suite(NEIGHBOUR, f"--{option.replace('_', '-')}={value}")
    assert_is_a_usage_error(result, option, value)


def assert_is_a_usage_error(result: pytest.RunResult, option: str, value: str) -> None:
    text = said(result)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("ERROR: ")]
    assert option in line
    assert repr(value) in line


VALID = {
    ("timeout", "1"),
    ("timeout", "0.5"),
    ("loop_factories", "['session']"),
    ("loop_factories", "('session',)"),
    ("concurrent", "True"),
    ("concurrent", "False"),
}


@pytest.mark.parametrize(
    "keyword", ["loop_scope", "scope", "clock", "loop_factories", "timeout", "concurrent"]
)
def test_a_keyword_of_the_mark_that_is_not_valid_fails_its_test(suite, keyword):
    values = [value for value in STRANGE_VALUES if (keyword, value) not in VALID]
    tests = "".join(
        f"""
@pytest.mark.asyncio({keyword}={value})
async def test_{number}():
    pass
"""
        for number, value in enumerate(values)
    )
    result = suite(STRANGE + tests + NEIGHBOUR)
    text = said(result)
    result.assert_outcomes(errors=len(values), passed=1)
    assert "ZeroDivisionError" not in text
    for number in range(len(values)):
        sentence = rf"^E?\s*test_it.py::test_{number}: mark.asyncio .+\.$"
        assert len(re.findall(sentence, text, re.MULTILINE)) == 1


FACTORIES = (
    *(value for value in STRANGE_VALUES if value != "{'session': 'session'}"),
    *("{1: asyncio.new_event_loop}", "{'': asyncio.new_event_loop}", "{'own': 'x'}"),
    *("{'own': lambda: None}", "{'own': lambda: 1 / 0}", "{'own': closed_loop}"),
)
FACTORIES_OF_ONE = """
def closed_loop():
    loop = asyncio.new_event_loop()
    loop.close()
    return loop

def pytest_asyncio_loop_factories(config, item):
    number = item.name.split("_")[1]
    return eval(FACTORIES[int(number)]) if number.isdecimal() else None
"""


@pytest.mark.parametrize("value", FACTORIES)
def test_loop_factories_that_are_not_valid_are_not_an_internal_error(suite, value):
    conftest = f"{STRANGE}\nFACTORIES = [{value!r}]{FACTORIES_OF_ONE}"
    tests = "@pytest.mark.asyncio\nasync def test_0(): pass\n\ndef test_neighbour(): pass"
    result = suite(tests, conftest=conftest)
    said(result)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR, 2)


@pytest.mark.parametrize("path", [".", "missing/trace.json", "test_it.py/trace.json"])
def test_a_trace_that_cannot_be_written_is_a_usage_error(suite, path):
    assert_is_a_usage_error(suite(NEIGHBOUR, f"--asyncio-trace={path}"), "asyncio_trace", path)
