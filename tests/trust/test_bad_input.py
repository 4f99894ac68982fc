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

class Text(str):
    __hash__ = str.__hash__

    def __eq__(self, other):
        raise ZeroDivisionError("this is compared")
"""
STRANGE_VALUES = (
    *("1", "-1", "True", "False", "0.5", "10**400", "float('nan')", "1j", "..."),
    *("''", "'x'", "'Session'", "' session'", "b'session'", "'é'", "'a' * 9999"),
    *("[]", "['session']", "('session',)", "{'session'}", "{'session': 'session'}", "[[[[]]]]"),
    *("object()", "object", "len", "lambda: 'session'", "pytest", "range(3)", "iter(['session'])"),
    *("Unshowable()", "[Unshowable()]", "Incomparable()", "Text('x')", "type('', (), {})()"),
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
    "asyncio_mode": ["x", "AUTO", "auto strict", "1"],
    "asyncio_debug": ["x", "2", "None"],
    "asyncio_default_fixture_loop_scope": ["x", "auto", "Session", "function module"],
    "asyncio_default_test_loop_scope": ["x", "fixture-scope", "None"],
    "asyncio_timeout": ["x", "-1", "nan", "inf", "-inf", "1,5", "1 s", "1e999", "None"],
    "asyncio_blocked_loop_threshold": ["x", "-1", "nan", "inf", "", "1e999"],
    "asyncio_clock": ["x", "Virtual", "real virtual", "1"],
    "asyncio_checks": ["x", "all, x", "leaked_tasks", "none"],
    "asyncio_loop_factory": [
        *("x", "asyncio", "asyncio.x", "asyncio.x:y", ":", ".", "..", "a b", "1.2", "conftest"),
        *("asyncio:", ":asyncio", "conftest:raising", "conftest.number", "é", "syntax", "breaking"),
        *("asyncio:new_event_loop()", "leaving", "/", "asyncio.new_event_loop.x"),
    ],
}
COMMAND_LINE = (
    *("asyncio_mode", "asyncio_timeout", "asyncio_checks", "asyncio_loop_factory"),
)


@pytest.mark.parametrize("is_in_ini", [True, False])
@pytest.mark.parametrize(
    ("option", "value"), [(option, value) for option in OPTIONS for value in OPTIONS[option]]
)
def test_an_option_that_is_not_valid_is_a_usage_error(suite, option, value, is_in_ini):
    given = (
        {"ini": f"{option} = {value}"}
        if is_in_ini
        else {"conftest": "", "ini": ""}
    )
    if not is_in_ini and option not in COMMAND_LINE:
        pytest.skip("is in the ini file only")
    arguments = () if is_in_ini else (f"--{option.replace('_', '-')}={value}",)
    files = {
        "syntax.py": "(",
        "breaking.py": "1 / 0",
        "leaving.py": "raise SystemExit",
        "raising.py": "def __getattr__(name): raise ZeroDivisionError(name)",
    }
    result = suite(NEIGHBOUR, *arguments, files=files, **given)
    text = said(result)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    assert option in text
    assert "Traceback" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("ERROR: ")]
    assert repr(value) in line


NOT_FOR = {
    "loop_scope": ("None", "''" ),
}
MARKS = {
    "loop_scope": ("is not", STRANGE_VALUES),
    "scope": ("", STRANGE_VALUES),
    "clock": ("", STRANGE_VALUES),
    "loop_factories": ("", STRANGE_VALUES),
    "timeout": ("", STRANGE_VALUES),
}
VALID = {("timeout", "1"), ("timeout", "0.5"), ("loop_factories", "['session']"), ("loop_factories", "('session',)")}


@pytest.mark.parametrize("hook", ["", "def pytest_asyncio_loop_factories(config, item):\n    return {'own': asyncio.new_event_loop}"], ids=["plain", "hooked"])
@pytest.mark.parametrize("keyword", MARKS)
def test_a_keyword_of_the_mark_that_is_not_valid_fails_its_test(suite, keyword, hook):
    values = [value for value in STRANGE_VALUES if (keyword, value) not in VALID]
    tests = "".join(
        f"""
@pytest.mark.asyncio({keyword}={value})
async def test_{number}():
    pass
"""
        for number, value in enumerate(values)
    )
    result = suite(STRANGE + tests + NEIGHBOUR, files={"conftest.py": hook})
    text = said(result)
    result.assert_outcomes(errors=len(values), passed=1 + bool(hook))
    assert "ZeroDivisionError" not in text
    for number in range(len(values)):
        assert len(re.findall(rf"^E?\s*test_it.py::test_{number}: mark.asyncio .+\.$", text, re.M)) == 1
