"""Whatever a suite can get wrong is one clear sentence, about that, and nothing else is lost."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

STRANGE = """
class Unshowable:
    def __repr__(self):
        raise ZeroDivisionError("this is shown")

class Incomparable:
    __hash__ = None

    def __eq__(self, other):
        raise ZeroDivisionError("this is compared")

    def __bool__(self):
        raise ZeroDivisionError("this is true or false")
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
    assert not re.search(r"pytest_asyncio/(\w+/)*\w+\.py:\d+", text)
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
        for option in OPTIONS
        if option not in ("asyncio_debug", "asyncio_concurrent", "asyncio_blocked_loop_threshold")
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
FACTORY_SENTENCE = (
    r"^test_it.py::test_0: pytest_asyncio_loop_factories must return a non-empty mapping of .+\.$"
    r"|^test_it.py::test_0: the loop factory 'own' returned .+\.$"
    r"|^E +ZeroDivisionError: division by zero$"
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
def test_loop_factories_that_are_not_valid_fail_their_test(suite, value):
    conftest = f"{STRANGE}\nFACTORIES = [{value!r}]{FACTORIES_OF_ONE}"
    tests = "@pytest.mark.asyncio\nasync def test_0(): pass\n\ndef test_neighbour(): pass"
    result = suite(tests, conftest=conftest)
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=1, passed=1)
    assert len(re.findall(FACTORY_SENTENCE, said(result), re.MULTILINE)) == 1


@pytest.mark.parametrize("path", [".", "missing/trace.json", "test_it.py/trace.json"])
def test_a_trace_that_cannot_be_written_is_a_usage_error(suite, path):
    assert_is_a_usage_error(suite(NEIGHBOUR, f"--asyncio-trace={path}"), "asyncio_trace", path)


DECLARATIONS = {
    "fixture(loop_scop='session')": "TypeError: Fixture 'wrong': .+ Write loop_scope=.",
    "fixture(None, 'session', 'x')": "TypeError: fixture.. takes .+",
    "fixture(scope='x')": "ValueError: Fixture 'wrong': 'x' is not a valid scope. Valid .+",
    "fixture(scope=lambda fixture_name, config: 'x')": "Fixture 'wrong' from .+ scope value 'x'",
    "fixture(scope=lambda fixture_name, config: 5)": "Expected .+ 'str' .+ fixture 'wrong'.+",
    "fixture(scope=lambda fixture_name, config: 1 / 0)": "ZeroDivisionError: division by zero",
    "fixture(5)": "TypeError: pytest_asyncio.fixture.. needs a function, not 5.",
    "fixture('session')": "TypeError: pytest_asyncio.fixture.. needs a function, not 'session'.",
    "fixture(len)": "TypeError: pytest_asyncio.fixture.. needs a function, not <built-in .+>.",
}


@pytest.mark.parametrize("declaration", DECLARATIONS)
def test_a_fixture_that_cannot_be_declared_is_an_error_of_its_file(suite, declaration):
    source = f"@pytest_asyncio.{declaration}\nasync def wrong(): pass\ndef test_it(wrong): pass"
    result = suite(NEIGHBOUR, files={"test_wrong.py": source})
    text = said(result)
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    sentence = rf"^(E +)?{DECLARATIONS[declaration]}$"
    assert len(re.findall(sentence, text, re.MULTILINE)) == 1


FIXTURES = """
@pytest_asyncio.fixture(scope="module", loop_scope="function")
async def narrow(): pass

@pytest_asyncio.fixture(loop_scope=Incomparable())
async def of_strange_loop_scope(): pass

@pytest_asyncio.fixture(timeout=Unshowable())
async def of_strange_timeout(): pass

@pytest_asyncio.fixture(timeout=float("nan"))
async def of_no_timeout(): pass

@pytest_asyncio.fixture
async def never_yields():
    if not never_yields:
        yield

@pytest_asyncio.fixture
async def yields_twice():
    yield
    yield

@pytest_asyncio.fixture
async def good(): pass

@pytest_asyncio.fixture(scope="module")
async def wide(): pass

@pytest.fixture
def through_synchronous(request):
    return request.getfixturevalue("good")

@pytest_asyncio.fixture
async def of_itself(of_itself): pass
"""
ASYNC = "@pytest.mark.asyncio\nasync def test_0({}): {}"
SYNC = "def test_0({}): {}"
VIRTUAL = ASYNC.replace("asyncio\n", "asyncio(clock='virtual')\n")
REQUEST = "await pytest_asyncio.getfixturevalue({})"
USES = [
    (ASYNC, "narrow", "", "Fixture 'narrow' has scope='module' and loop_scope='function': .+"),
    (SYNC, "narrow", "", "Fixture 'narrow' has scope='module' and loop_scope='function': .+"),
    (ASYNC, "of_strange_loop_scope", "", "Fixture 'of_.+': <.+> is not a valid loop_scope. .+"),
    (ASYNC, "of_strange_timeout", "", "Fixture 'of_.+': timeout must be a number .+, not <.+>."),
    (SYNC, "of_no_timeout", "", "Fixture 'of_no_timeout': timeout must be .+, not nan."),
    (ASYNC, "never_yields", "", "The async fixture 'never_yields' did not yield a value."),
    (ASYNC, "yields_twice", "", "The async fixture 'yields_twice' has more than one 'yield'.*"),
    (SYNC, "yields_twice", "", "The async fixture 'yields_twice' has more than one 'yield'.*"),
    (ASYNC, "of_itself", "", "recursive dependency involving fixture 'of_itself' detected"),
    (ASYNC, "request", "request.getfixturevalue('good')", "The async fixture 'good' is .+"),
    (ASYNC, "request", REQUEST.format("request, 'through_synchronous'"), "The async .+ 'good' .+"),
    (ASYNC, "request", REQUEST.format("request, 'wide'"), "The async fixture 'wide' runs on .+"),
    (ASYNC, "request", REQUEST.format("request, 'unknown'"), "fixture 'unknown' not found"),
    (ASYNC, "request", REQUEST.format("request, None"), "fixture 'None' not found"),
    (ASYNC, "request", REQUEST.format("None, 'good'"), "TypeError: .+ needs .+ not None."),
    (ASYNC, "request", REQUEST.format("Unshowable(), 'good'"), "TypeError: .+ needs .+ not <.+>."),
    (
        SYNC,
        "request",
        "asyncio.run(pytest_asyncio.getfixturevalue(request, 'good'))",
        "The async fixture 'good' runs on the event loop of test_it.py::test_0, and cannot .+",
    ),
    *(
        (SYNC, "asyncio_runner", f"asyncio_runner.run({value})", "TypeError: .+ needs a .+")
        for value in ("None", "5", "Unshowable()", "Incomparable()", "asyncio.sleep")
    ),
    *(
        (SYNC, "asyncio_runner", f"asyncio_runner.run(later(), context={value})", "TypeError: .+")
        for value in ("5", "Unshowable()", "Incomparable()", "{}")
    ),
    (ASYNC, "asyncio_runner", "asyncio_runner.run(later())", ".+ Write 'await' instead."),
    (ASYNC, "asyncio_runner", "asyncio_runner.run(5)", "TypeError: .+ not 5."),
    (SYNC, "asyncio_runner", "asyncio_runner.run(later(), 5)", "TypeError: .+ positional .+"),
    (ASYNC, "asyncio_clock", "", "test_it.py::test_0 requests the fixture 'asyncio_clock', .+"),
    (SYNC, "asyncio_clock", "", "test_it.py::test_0 requests the fixture 'asyncio_clock', .+"),
    *(
        (VIRTUAL, "asyncio_clock", f"await asyncio_clock.advance({value})", "ValueError: .+ not .+")
        for value in STRANGE_VALUES
        if value not in ("1", "0.5")
    ),
    *(
        (SYNC, f"{port}_factory", f"{port}_factory(5)", "TypeError: .+ 0 positional .+")
        for port in ("unused_tcp_port", "unused_udp_port")
    ),
]


@pytest.mark.parametrize(("test", "fixture", "body", "sentence"), USES)
def test_a_fixture_that_is_used_wrong_fails_its_test(suite, test, fixture, body, sentence):
    later = "def later(): return asyncio.get_event_loop().create_future()\n"
    source = STRANGE + later + FIXTURES + test.format(fixture, body or "pass") + "\n" + NEIGHBOUR
    # The summary repeats the sentence, where it is not too long for that.
    result = suite(source, "-rN", ini="asyncio_default_fixture_loop_scope = function")
    text = said(result)
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", outcomes.get("error", 0)) == 1
    assert "ZeroDivisionError" not in text
    assert len(re.findall(rf"^(?:E +)?{sentence}$", text, re.MULTILINE)) == 1


NO_POLICIES = (
    *STRANGE_VALUES,
    "asyncio.AbstractEventLoop",
    "type('', (), {'new_event_loop': len})()",
)


@pytest.mark.parametrize("value", NO_POLICIES)
def test_an_event_loop_policy_that_is_none_fails_its_tests(suite, value):
    override = f"@pytest.fixture\ndef event_loop_policy(): return {value}\n"
    source = f"{STRANGE}{override}{NEIGHBOUR}def test_it(): pass"
    result = suite(source, "-Wignore::pytest.PytestDeprecationWarning")
    text = said(result)
    result.assert_outcomes(errors=1, passed=1)
    sentence = r"^(E +|test.+)the fixture 'event_loop_policy' must return .+, not .+$"
    assert len(re.findall(sentence, text, re.MULTILINE)) == 1


@pytest.mark.parametrize("value", STRANGE_VALUES)
def test_no_value_is_an_async_test(suite, value):
    source = f"{STRANGE}def test_it(): assert not pytest_asyncio.is_async_test({value})"
    suite(source).assert_outcomes(passed=1)


def test_a_list_of_fixtures_that_is_no_list_is_a_usage_error(suite):
    result = suite(NEIGHBOUR, ini="asyncio_serial_fixtures = 'open")
    text = said(result)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    assert len(re.findall("^ERROR: .+ valid asyncio_serial_fixtures.", text, re.MULTILINE)) == 1


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.floats().map(str)


@given(option=st.sampled_from(sorted({*OPTIONS} - {"asyncio_loop_factory"})), value=TEXTS)
def test_any_value_of_an_option_is_honoured_or_is_a_usage_error(suite, option, value):
    result = suite(NEIGHBOUR, "-o", f"{option}={value}")
    text = said(result)
    if result.ret is pytest.ExitCode.TESTS_FAILED:  # Of so little time, it may have had enough.
        assert option == "asyncio_timeout"
        assert re.search("test_neighbour took longer than the .+ s ", text)
    elif result.ret is not pytest.ExitCode.OK:
        assert result.ret is pytest.ExitCode.USAGE_ERROR
        (line,) = [line for line in text.splitlines() if line.startswith("ERROR: ")]
        assert option in line


SIMPLE = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    SIMPLE.map(repr) | st.sampled_from(STRANGE_VALUES),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: f"[{', '.join(values)}]")
        | st.dictionaries(st.text().map(repr), inner, max_size=3).map(
            lambda values: f"{{{', '.join(f'{key}: {value}' for key, value in values.items())}}}"
        )
    ),
    max_leaves=5,
)
KEYWORDS = ("loop_scope", "scope", "clock", "loop_factories", "timeout", "concurrent", "unknown")


@given(marks=st.lists(st.tuples(st.sampled_from(KEYWORDS), VALUES), min_size=1, max_size=20))
def test_any_keyword_of_the_mark_is_honoured_or_fails_its_test(suite, monkeypatch, marks):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # One second has many such modules.
    tests = "".join(
        f"@pytest.mark.asyncio({keyword}={value})\nasync def test_{number}(): pass\n"
        for number, (keyword, value) in enumerate(marks)
    )
    source = f"from math import inf, nan\n{STRANGE}{tests}{NEIGHBOUR}"
    result = suite(source, "-rA", "-Wignore::pytest.PytestDeprecationWarning")
    text = said(result)
    assert "PASSED test_it.py::test_neighbour" in text
    assert "ZeroDivisionError" not in text
    for number in range(len(marks)):
        sentences = re.findall(
            rf"^E?\s*test_it.py::test_{number}: .*mark.*\.$|^PASSED test_it.py::test_{number}$",
            text,
            re.MULTILINE,
        )
        assert len(sentences) == 1
