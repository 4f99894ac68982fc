"""Objects that answer anything, raise at anything, or lack what their kin have, are no crash."""

from __future__ import annotations

import gc
import re
import sys

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.filterwarnings("ignore")  # Of what nobody awaits or closes.
few = settings(
    max_examples=max(1, settings.default.max_examples // 10),
    phases=set(Phase) - {Phase.shrink, Phase.explain},
)
"""Each example is a session of many modules, and too slow to be made smaller."""

OBJECTS = """
import functools, itertools, operator, types
from unittest import mock

class Yes:
    '''Says True to every question.'''
    def __getattr__(self, name): return True
    def __call__(self, *args, **kwargs): return True

class Itself:
    '''Has every attribute, without end.'''
    def __getattr__(self, name): return type(self)()
    def __call__(self, *args, **kwargs): return self

class Raising:
    '''Raises whatever it is asked.'''
    def __init__(self, error): vars(self)["error"] = error
    def __getattr__(self, name): raise self.error
    def __call__(self, *args, **kwargs): return None

class Untouchable:
    '''Raises at what every object has, its class as well.'''
    def __getattribute__(self, name): raise ZeroDivisionError(name)
    def __call__(self, *args, **kwargs): return None

class Liar:
    '''Says that it is of the class of something else, and has what that has.'''
    def __init__(self, target): vars(self)["target"] = target
    @property
    def __class__(self): return type(vars(self)["target"])
    def __getattr__(self, name): return getattr(vars(self)["target"], name)
    def __call__(self, *args, **kwargs): return self.target(*args, **kwargs)

class Incomparable:
    __hash__ = None
    def __call__(self, *args, **kwargs): return None
    def __eq__(self, other): raise ZeroDivisionError("this is compared")
    def __bool__(self): raise ZeroDivisionError("this is true or false")
    def __repr__(self): raise ZeroDivisionError("this is shown")
    def __str__(self): raise ZeroDivisionError("this is text")

class Slots:
    __slots__ = ()
    def __call__(self, *args, **kwargs): return None

class AsyncCall:
    async def __call__(self, *args, **kwargs): return None

class Meta(type):
    def __getattr__(cls, name): raise ZeroDivisionError(name)
    async def __call__(cls, *args, **kwargs): return None

class Circular:
    def __call__(self, *args, **kwargs): return None
Circular.__call__.__wrapped__ = Circular.__call__
class Called: pass
Called.__call__ = Called()

class Error(RuntimeError):
    exceptions = 5
    __notes__ = 5
    def __str__(self): raise ZeroDivisionError("this is text")

def plain(*args, **kwargs): return None
async def coroutine(*args, **kwargs): return None
async def generator(*args, **kwargs): yield
nameless = types.FunctionType(plain.__code__, {"__builtins__": {}}, "nameless")
nameless.__module__ = None
def empty_cell():
    if False: cell = None
    def function(*args, **kwargs): return cell
    return function
def says_hypothesis(*args, **kwargs): return None
says_hypothesis.is_hypothesis_test = True
def has_strange_handle(*args, **kwargs): return None
has_strange_handle.is_hypothesis_test = True
has_strange_handle.hypothesis = Yes()
"""
STRANGE = (
    *("Yes()", "Itself()", "Raising(ZeroDivisionError())", "Raising(pytest.skip.Exception())"),
    *("Untouchable()",),
    *("Liar(coroutine)", "Liar(plain)", "Liar(Yes())", "Liar(mock.MagicMock())", "Liar([])"),
    *("Incomparable()", "Slots()", "AsyncCall()", "Meta('M', (), {})", "Circular()", "Called()"),
    *("mock.Mock()", "mock.MagicMock()", "mock.AsyncMock()", "mock.NonCallableMock()"),
    *("mock.call", "mock.call.a.b", "mock.sentinel.a", "mock.MagicMock(spec=types.FunctionType)"),
    *("mock.MagicMock(spec=asyncio.AbstractEventLoop)", "mock.MagicMock(spec=asyncio.Task)"),
    *("mock.create_autospec(plain)", "mock.create_autospec(coroutine)", "mock.MagicMock(spec=str)"),
    *("functools.partial(plain)", "functools.partial(coroutine)", "functools.partial(print)"),
    *("functools.partialmethod(plain)", "functools.lru_cache(coroutine)", "staticmethod(plain)"),
    *("functools.singledispatch(coroutine)", "classmethod(coroutine)", "property(plain)"),
    *("types.MethodType(AsyncCall(), 1)", "types.MethodType(Yes(), 1)", "plain", "coroutine"),
    *("types.MethodType(print, 1)", "print", "len", "str.upper", "[].append", "int.__add__"),
    *("operator.itemgetter(0)", "itertools.count", "int", "object", "type", "Yes", "Meta"),
    *("generator", "nameless", "empty_cell()", "says_hypothesis", "has_strange_handle"),
    *("None", "5", "'text'", "...", "NotImplemented", "Error()", "Error", "asyncio", "sys"),
    *("generator()", "iter(())", "(each for each in ())", "asyncio.Lock()"),
    *("type('', (), {'__await__': 5})()", "type('', (), {'__aenter__': 5, '__aexit__': 5})()"),
    *("asyncio.new_event_loop", "asyncio.AbstractEventLoop()"),
)
PLACES = {
    "test": "test_it = THING",
    "marked test": "pytestmark = pytest.mark.asyncio\ntest_it = THING",
    "test of a class": "class TestIt:\n    test_it = THING\n    other = THING",
    "marked test of a class": """
pytestmark = pytest.mark.asyncio
class TestIt:
    test_it = staticmethod(THING)
    __test__ = True
    setup_method = THING
""",
    "unittest": """
import unittest
class TestIt(unittest.TestCase):
    test_it = staticmethod(THING)
    def runTest(self): pass
    runTest.is_hypothesis_test = True
    runTest.hypothesis = THING
""",
    "xunit": """
pytestmark = pytest.mark.asyncio
setup_module = THING
teardown_function = THING
async def setup_function(): pass
async def teardown_module(): pass
async def test_it(): pass
""",
    "plain fixture": """
fixture = pytest.fixture(THING, name="fixture")
def test_sync(fixture): pass
@pytest.mark.asyncio
async def test_async(fixture): pass
""",
    "fixture": """
fixture = pytest_asyncio.fixture(THING, name="fixture", scope="module")
def test_sync(fixture): pass
@pytest.mark.asyncio
async def test_async(fixture): pass
""",
    "fixture of a class": """
class TestIt:
    @pytest.fixture
    def first(self): return THING
    second = pytest_asyncio.fixture(name="second")(THING)
    @pytest.mark.asyncio
    async def test_async(self, first, second): pass
""",
    "keywords": """
@pytest.mark.asyncio(loop_scope=THING)
async def test_1(): pass
@pytest.mark.asyncio(loop_factories=THING)
async def test_2(): pass
@pytest.mark.asyncio(timeout=THING)
async def test_3(): pass
@pytest.mark.asyncio(concurrent=THING)
async def test_4(): pass
@pytest.mark.asyncio(clock=THING)
async def test_5(): pass
@pytest.mark.other(THING, other=THING)
@pytest.mark.asyncio(THING)
async def test_6(): pass
""",
    "keywords of a fixture": """
@pytest_asyncio.fixture(loop_scope=THING)
async def one(): pass
@pytest_asyncio.fixture(timeout=THING)
async def other(): pass
@pytest.mark.asyncio
async def test_1(one): pass
@pytest.mark.asyncio
async def test_2(other): pass
""",
    "parameter": """
@pytest_asyncio.fixture(params=[THING, THING], ids=["a", "b"], scope="module")
async def fixture(request): return request.param
@pytest.mark.parametrize("number", [THING], ids=["c"])
@pytest.mark.asyncio
async def test_async(number, fixture): pass
@pytest.mark.parametrize("number", [THING], ids=["c"])
def test_sync(number, fixture): pass
""",
    "values": """
@pytest_asyncio.fixture
async def returned(): return THING
@pytest_asyncio.fixture(scope="module")
async def yielded(): yield THING
@pytest_asyncio.fixture
def synchronous(): return THING
@pytest.mark.asyncio
async def test_async(returned, yielded, synchronous): return THING
@pytest.mark.asyncio
def test_sync(returned, yielded, synchronous): return THING
""",
    "runner": """
def test_it(asyncio_runner): asyncio_runner.run(THING)
""",
    "policy": """
@pytest.fixture
def event_loop_policy(): return THING
@pytest.mark.asyncio
async def test_it(): pass
""",
    "policy fixture": """
event_loop_policy = pytest.fixture(THING, name="event_loop_policy")
@pytest.mark.asyncio
async def test_it(): pass
""",
    "finalizer": """
@pytest_asyncio.fixture
async def fixture(request): request.addfinalizer(THING)
@pytest.mark.asyncio
async def test_it(fixture): pass
""",
    "sys.modules": """
import sys
sys.modules["strange"] = THING
@pytest.mark.asyncio(clock="virtual")
async def test_it(asyncio_clock):
    await asyncio.sleep(1000)
    del sys.modules["strange"]
""",
    "context of the exception handler": """
@pytest.mark.asyncio
async def test_it():
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": "m", "exception": THING})
    for key in ("future", "task", "handle", "asyncgen", "message"):
        loop.call_exception_handler({"message": "m", "exception": ValueError(), key: THING})
        loop.call_exception_handler({key: THING})
""",
    "task factory": """
@pytest.mark.asyncio
async def test_it():
    loop = asyncio.get_running_loop()
    loop.set_task_factory(lambda loop, coro, **kwargs: (coro.close(), THING)[1])
    try:
        loop.create_task(coroutine())
    finally:
        loop.set_task_factory(None)
    raise LookupError
""",
    "error": """
@pytest_asyncio.fixture
async def fixture():
    yield
    raise type("Strange", (RuntimeError,), {"exceptions": THING, "__str__": lambda self: THING})
@pytest.mark.asyncio
async def test_it(fixture):
    error = type("Strange", (TimeoutError,), {"exceptions": THING})()
    raise error from Error()
""",
    "globals of a frame": """
exec("async def called(): raise LookupError", namespace := {"__name__": THING})
@pytest.mark.asyncio
async def test_it():
    task = asyncio.create_task(namespace["called"]())
    await namespace["called"]()
""",
    "context variable": """
import contextvars
variable = contextvars.ContextVar("variable", default=THING)
@pytest_asyncio.fixture(scope="module")
async def fixture():
    variable.set(THING)
    yield
    variable.set(THING)
@pytest.mark.asyncio
async def test_it(fixture): variable.set(THING)
""",
    "executor": """
@pytest.mark.asyncio
async def test_it():
    await asyncio.get_running_loop().run_in_executor(THING, plain)
""",
}
FACTORIES = {
    "factories": "return THING",
    "factory": "return {'own': THING}",
    "loop": "return {'own': lambda: THING}",
    "two factories": "return {'own': THING, 'other': asyncio.new_event_loop}",
}
CONFTESTS = {
    "report": """
@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.sections.append(("a", "b"))
    report.user_properties.append(("a", THING))
    report.asyncio_durations = THING
    report.asyncio_trace = THING
    return report
def pytest_terminal_summary(terminalreporter):
    terminalreporter.stats.setdefault("strange", []).append(THING)
@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    reporter.stats.setdefault("strange", []).append(THING)
""",
    "item": """
class Item(pytest.Item):
    def runtest(self): pass
    def reportinfo(self): return self.path, 0, "strange"
    def __getattr__(self, name):
        if name.startswith("_") or name == "callspec": raise AttributeError(name)
        return THING
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session, items):
    items.insert(0, Item.from_parent(session, name="strange"))
""",
    "plugin": """
class Plugin:
    torun = THING
def pytest_configure(config): config.pluginmanager.register(Plugin())
""",
}
NEIGHBOUR = """
@pytest_asyncio.fixture(scope="module")
async def neighbour():
    yield 42

@pytest.mark.asyncio
async def test_neighbour(neighbour):
    assert neighbour == 42

@pytest.mark.parametrize("number", range(2))
@pytest.mark.asyncio(concurrent=True)
async def test_others(number):
    await asyncio.sleep(0)
"""
EVERYTHING = (
    *("--asyncio-tasks", "--asyncio-trace=trace.json", "--asyncio-durations=0"),
    *("--asyncio-timeout=30", "-Wdefault"),
)
OPTIONS = (
    ("--asyncio-mode=strict", "--asyncio-checks=all"),
    ("--asyncio-mode=auto", "--asyncio-checks=all"),
    ("--asyncio-mode=auto", "--asyncio-concurrency=8", "-oasyncio_concurrent=true"),
)


@pytest.fixture(autouse=True)
def _no_garbage():
    """Let nothing be found by what comes after."""
    yield
    gc.collect()


def module(source: str, thing: str) -> str:
    return f"import sys\n{OBJECTS}{source.replace('THING', f'({thing})')}"


def assert_is_only_its_own_fault(result: pytest.RunResult) -> None:
    """Nothing ends the session, and other tests are what they are without it."""
    text = f"{result.stdout.str()}\n{result.stderr.str()}"
    assert "INTERNALERROR" not in text
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    assert "test_neighbour.py ...\n" in re.sub(r" +\[ *\d+%\]", "", text)
    assert not re.search(r"pytest_asyncio/[\w/]+\.py:\d+: (?!\w*Warning)", text)


def can_be_told(placed: tuple[str, str]) -> bool:
    """pytest itself ends where it cannot tell which lines such a method has."""
    place, thing = placed
    return place != "unittest" or ("mock" not in thing and "MethodType" not in thing)


@few
@given(
    placed=st.lists(
        st.tuples(st.sampled_from(sorted(PLACES)), st.sampled_from(STRANGE)).filter(can_be_told),
        min_size=1,
        max_size=10,
    ),
    options=st.sampled_from(OPTIONS),
)
def test_a_strange_object_is_the_fault_of_its_module_alone(suite, monkeypatch, placed, options):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # One second has many such modules.
    files = {
        f"test_{number}.py": module(PLACES[place], thing)
        for number, (place, thing) in enumerate(placed)
    }
    files |= {f"test_{number}.py": "" for number in range(len(placed), 10)}
    files["test_neighbour.py"] = NEIGHBOUR
    result = suite("", "--continue-on-collection-errors", *EVERYTHING, *options, files=files)
    assert_is_only_its_own_fault(result)


@few
@given(
    place=st.sampled_from(sorted(CONFTESTS)),
    thing=st.sampled_from([thing for thing in STRANGE if "skip" not in thing]),
    options=st.sampled_from(OPTIONS),
)
def test_strange_objects_of_other_plugins_do_not_end_a_session(suite, place, thing, options):
    conftest = module(CONFTESTS[place], thing)
    files = {"test_neighbour.py": NEIGHBOUR}
    result = suite("", *EVERYTHING, *options, conftest=conftest, files=files)
    assert_is_only_its_own_fault(result)


@few
@given(
    place=st.sampled_from(sorted(FACTORIES)),
    thing=st.sampled_from(STRANGE),
    options=st.sampled_from(OPTIONS),
)
def test_strange_loops_and_what_makes_them_do_not_end_a_session(suite, place, thing, options):
    hook = f"def pytest_asyncio_loop_factories(config, item): {FACTORIES[place]}"
    files = {
        "strange/conftest.py": module(hook, thing),
        "strange/test_it.py": NEIGHBOUR,
        "test_neighbour.py": NEIGHBOUR,
    }
    result = suite("", "--continue-on-collection-errors", *EVERYTHING, *options, files=files)
    assert "INTERNALERROR" not in f"{result.stdout.str()}\n{result.stderr.str()}"
