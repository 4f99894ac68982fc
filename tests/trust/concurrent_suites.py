"""Random suites for concurrent tests, as data, and how they are written down.

Whatever their tests share is kept out of what is reported, so that each of them can only be
disturbed by a fault; but for a wide fixture that dies, which ends all tests that use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

SCOPES = ("session", "package", "module", "class", "function")

HEAD = (
    "import asyncio, contextvars, hypothesis, logging, os, sys, unittest, warnings",
    "import pytest, pytest_asyncio",
    "from contextlib import chdir, suppress",
    "def clear_environment(): return patch.dict(os.environ, clear=True)",
    "from unittest.mock import patch",
    "def trace(what, request):",
    "    pytest.TRACE.append((what, request._pyfuncitem.nodeid))",
    "class Broken:",
    "    def __init__(self, name): self.name = name",
    "    def __del__(self): raise OSError(self.name)",
    "async def refuse():",
    "    for _ in range(3):",
    "        try: await asyncio.sleep(0.001)",
    "        except asyncio.CancelledError: pass",
    "def later(function, value):",
    "    asyncio.get_running_loop().call_later(0.001, function, value)",
    "async def count():",
    "    for number in range(9): yield number",
    "VAR = contextvars.ContextVar('VAR')",
    "STDOUT, STDERR = sys.stdout, sys.stderr",
    "class Value:",
    "    # That of a fixture. It sees whether anything still uses what is torn down.",
    "    def __init__(self, *needs):",
    "        self.needs, self.users = needs, set()",
    "    def __enter__(self):",
    "        for need in self.needs: need.use(self)",
    "        return self",
    "    def __exit__(self, *_):",
    "        pytest.TORN_DOWN_IN_USE.extend(self.users)",
    "        for need in self.needs: need.let_go(self)",
    "    def use(self, user):",
    "        self.users.add(user)",
    "        for need in self.needs: need.use(user)",
    "    def let_go(self, user):",
    "        self.users.discard(user)",
    "        for need in self.needs: need.let_go(user)",
    "class Dying(Value):",
    "    def __init__(self, group, *needs):",
    "        super().__init__(*needs)",
    "        self.killed = asyncio.Event()",
    "        self.task = group.create_task(self.die())",
    "    async def die(self):",
    "        await self.killed.wait()",
    "        raise OSError('died')",
    "    async def kill(self):",
    "        if LOOP_SCOPE and self.task.get_loop() is asyncio.get_running_loop():",
    "            self.killed.set()",
    "            await asyncio.Event().wait()",
    "def widest(scope):",
    "    scopes = ['session', 'package', 'module', 'class', 'function']",
    "    return LOOP_SCOPE and min(scope, LOOP_SCOPE, key=scopes.index)",
    "@pytest.fixture",
    "def left():",
    "    tasks = []",
    "    yield tasks",
    "    print('left', [task.done() for task in tasks])",
)


@dataclass(frozen=True)
class Body:
    """What a test, or a phase of a fixture, does: its steps, and how it ends."""

    steps: tuple[str, ...]
    end: str

    def lines(self, name: str, *, is_async: bool) -> Iterator[str]:
        for number, step in enumerate(self.steps):
            if is_async or "await" not in step:
                yield step.format(f"{name} {number}")
        yield self.end


_NOTHING = Body((), "pass")

TIMEOUT = 0.3
HANGS: Mapping[str, str] = {
    "": "pass",
    "waits": "await asyncio.Event().wait()",
    "catches": "with suppress(asyncio.CancelledError): await asyncio.Event().wait()",
    "goes on": "await asyncio.shield(asyncio.sleep(9))",
}
"""What ends only with the time-out."""


@dataclass(frozen=True)
class Fixture:
    """A fixture, which may request some of those before it."""

    is_async: bool
    scope: str
    autouse: bool
    params: int
    requests: frozenset[int]
    setup: Body
    teardown: Body | None
    dies: bool
    """Whether it dies when a test asks it to."""
    hangs: str
    """The phase in which its time-out ends it."""
    is_parallel: bool
    """Whether it may be set up at the same time as others, if it is silent after it has begun."""

    def requested(self, number: int, visible: Fixtures) -> list[int]:
        return [
            other
            for other in sorted(self.requests)
            if other < number
            and other in visible
            and SCOPES.index(visible[other].scope) <= SCOPES.index(self.scope)
        ]

    @property
    def may_die(self) -> bool:
        return self.dies and self.is_async

    @property
    def may_begin_early(self) -> bool:
        return self.is_parallel and not any("await" in step for step in self.setup.steps)

    def lines(self, number: int, visible: Fixtures, *, is_method: bool) -> Iterator[str]:
        requested = [f"f{other}" for other in self.requested(number, visible)]
        keywords = f", params=range({self.params})" if self.params else ""
        if self.may_die:  # It would stand still on a loop of its own.
            keywords += f", loop_scope=widest({self.scope!r})"
        if self.is_async:  # A mark counts for the test's own fixtures too.
            keywords += f", timeout={TIMEOUT if self.hangs else 0}, parallel={self.may_begin_early}"
        declare = "pytest_asyncio.fixture" if self.is_async else "pytest.fixture"
        arguments = ["self"] * is_method + ["request", *requested]
        yield f"@{declare}(scope={self.scope!r}, autouse={self.autouse}{keywords})"
        yield f"{'async ' * self.is_async}def f{number}({', '.join(arguments)}):"
        yield from indented(self.phase("setup", self.setup, number))
        needs = ", ".join(requested)
        if self.may_die:
            yield "    async with asyncio.TaskGroup() as group:"
            yield f"        with Dying(group, {needs}) as dying:"
            yield "            yield dying"
            yield "        dying.task.cancel()"
        elif self.teardown is None:
            yield f"    return Value({needs})"
            return
        else:
            yield f"    with Value({needs}) as value:"
            yield "        yield value"
        yield from indented(self.phase("teardown", self.teardown or _NOTHING, number))

    def phase(self, name: str, body: Body, number: int) -> Iterator[str]:
        yield f"trace('{name} f{number}', request)"
        is_bounded = self.is_async and bool(self.hangs)
        if is_bounded and self.hangs == name:
            yield HANGS["waits"]
        *steps, end = body.lines(f"{name} f{number}", is_async=self.is_async)
        yield from () if is_bounded else steps  # On a slow machine, they might take too long.
        if self.is_async and self.may_begin_early and name == "setup":
            yield "await asyncio.sleep(0.002)"
        yield end


Fixtures = Mapping[int, Fixture]


def is_own(number: int, visible: Fixtures) -> bool:
    """Tell whether a fixture, and all that it requests, is each test's own."""
    fixture = visible[number]
    return fixture.scope == "function" and all(
        is_own(other, visible) for other in fixture.requested(number, visible)
    )


@dataclass(frozen=True)
class Case:
    """A test function."""

    is_async: bool
    params: int
    mark: str
    requests: frozenset[int]
    asks_for: int
    """A fixture that it gets while it runs."""
    body: Body
    uses: str
    """A fixture of pytest, which it uses."""
    kills: bool
    """Whether it has a fixture that may die do so."""
    hangs: str
    leaves: bool
    """Whether it leaves a task, if it runs alone: its loop may be another one if it does not."""

    @property
    def leaves_a_task(self) -> bool:
        return self.leaves and self.is_async and self.uses in RUN_ALONE

    def lines(self, name: str, visible: Fixtures) -> Iterator[str]:
        requested = [number for number in sorted(self.requests) if number in visible]
        arguments = ["request", *(f"f{number}" for number in requested)]
        if self.leaves_a_task:
            arguments.append("left")
        if self.uses not in ("", "hypothesis"):
            arguments.append("tmp_path" if self.uses == "chdir" else self.uses)
        if self.params:
            arguments.append("i")
            yield f"@pytest.mark.parametrize('i', range({self.params}))"
        if self.uses == "hypothesis":
            arguments.append("example")
            yield from HYPOTHESIS
        yield self.mark
        if self.is_async and self.hangs:
            yield f"@pytest.mark.asyncio(loop_scope=LOOP_SCOPE, timeout={TIMEOUT})"
        yield f"{'async ' * self.is_async}def test_{name}({', '.join(arguments)}):"
        yield f"    with Value({', '.join(f'f{number}' for number in requested)}):"
        yield from indented(indented(self.statements(name, requested, visible)))

    def statements(self, name: str, requested: list[int], visible: Fixtures) -> Iterator[str]:
        if self.is_async and self.hangs:
            yield HANGS[self.hangs]
        *steps, end = self.body.lines(f"test {name}", is_async=self.is_async)
        pause = "await asyncio.sleep(0.001)" if self.is_async else "pass"
        if self.leaves_a_task:
            yield "left.append(asyncio.create_task(asyncio.sleep(9)))"
        for line in USES[self.uses]:
            yield line.format(name=name, pause=pause)
        if self.asks_for in visible and is_own(self.asks_for, visible):
            if self.is_async:
                name = f"f{self.asks_for}"
                yield f"if LOOP_SCOPE: await pytest_asyncio.getfixturevalue(request, '{name}')"
            elif not visible[self.asks_for].is_async:
                yield f"request.getfixturevalue('f{self.asks_for}')"
        yield from steps
        dying = [number for number in requested if visible[number].may_die]
        if self.kills and self.is_async and dying:
            yield f"await f{dying[0]}.kill()"
        yield end


HYPOTHESIS = (
    "@hypothesis.settings(hypothesis.settings.get_profile('quick'), max_examples=2)",
    "@hypothesis.given(example=hypothesis.strategies.just(1))",
)

USES: Mapping[str, tuple[str, ...]] = {
    "": (),
    "hypothesis": ("{pause}", "assert example == 1"),
    "chdir": (
        "with chdir(tmp_path):",
        "    {pause}",
        "    assert os.getcwd() == str(tmp_path)",
    ),
    "tmp_path": (
        "(tmp_path / 'x').write_text('{name}')",
        "{pause}",
        "assert [*tmp_path.iterdir()]",
    ),
    "monkeypatch": (
        "monkeypatch.setenv('SUITE', '{name}')",
        "{pause}",
        "assert os.environ['SUITE'] == '{name}'",
    ),
    "caplog": (
        "caplog.clear()",
        "logging.getLogger('suite').warning('log {name}')",
        "{pause}",
        "logging.getLogger('suite').warning('end {name}')",
        "assert caplog.messages == ['log {name}', 'end {name}']",
    ),
    "capsys": (
        "capsys.readouterr()",
        "print('out {name}')",
        "{pause}",
        "print('err {name}', file=sys.stderr)",
        "assert capsys.readouterr() == ('out {name}\\n', 'err {name}\\n')",
    ),
    "capfd": (
        "capfd.readouterr()",
        "print('out {name}')",
        "{pause}",
        "os.write(1, b'fd {name}\\n')",
        "sys.stdout.flush()",
        "assert capfd.readouterr().out == 'out {name}\\nfd {name}\\n'",
    ),
    "recwarn": (
        "recwarn.clear()",
        "warnings.warn('of {name}')",
        "{pause}",
        "warnings.warn('end {name}')",
        "assert [str(each.message) for each in recwarn] == ['of {name}', 'end {name}']",
    ),
}


RUN_ALONE = ("hypothesis", "chdir", "monkeypatch", "capfd", "recwarn")


@dataclass(frozen=True)
class UnitTests:
    """A class of unittest's."""

    is_async: bool
    ends: tuple[str, ...]

    def lines(self, number: str, outer: Fixtures) -> Iterator[str]:
        base = "IsolatedAsyncioTestCase" if self.is_async else "TestCase"
        yield f"class TestUnit{number}(unittest.{base}):"
        yield f"    def setUp(self): print('setUp {number}')"
        if self.is_async:  # Its loops are in debug mode, and log what is slow.
            yield "    async def asyncSetUp(self):"
            yield "        asyncio.get_running_loop().slow_callback_duration = 9"
        for index, end in enumerate(self.ends):
            yield f"    {'async ' * self.is_async}def test_{number}_{index}(self):"
            if self.is_async:
                yield "        await asyncio.sleep(0.001)"
            yield f"        {end}"


@dataclass(frozen=True)
class Class:
    """A class: its fixtures, which may override those outside of it, and its tests."""

    overriding: int
    fixtures: tuple[Fixture, ...]
    tests: tuple[Case, ...]
    xunit: tuple[str, ...]
    """Names of its methods in the manner of unittest."""

    def lines(self, number: str, outer: Fixtures) -> Iterator[str]:
        own = numbered(self.overriding, self.fixtures, outer)
        visible = dict(outer) | own
        yield f"class TestClass{number}:"
        for name in self.xunit:
            yield from indented(xunit_lines(name, number))
        for index, fixture in own.items():
            yield from indented(fixture.lines(index, visible, is_method=True))
        for index, test in enumerate(self.tests):
            method = "\n".join(test.lines(f"{number}_{index}", visible))
            method = re.sub(r"(def test_\w+\()", r"\1self, ", method)
            yield from indented(method.split("\n"))


@dataclass(frozen=True)
class Module:
    """A module: its fixtures, and its tests, some of them together in classes."""

    overriding: int
    """With which number its fixtures begin, and so how many of those of all modules it sees."""
    fixtures: tuple[Fixture, ...]
    tests: tuple[Case | Class | UnitTests, ...]
    xunit: tuple[str, ...]
    """Names of its functions in the manner of unittest."""

    def lines(self, shared: Fixtures) -> Iterator[str]:
        own = numbered(self.overriding, self.fixtures, shared)
        visible = dict(shared) | own
        for name in self.xunit:
            yield from xunit_lines(name, "")
        for number, fixture in own.items():
            yield from fixture.lines(number, visible, is_method=False)
        for number, entry in enumerate(self.tests):
            yield from entry.lines(str(number), visible)


@dataclass(frozen=True)
class Package:
    """A folder: the fixtures of its `conftest.py`, and its modules."""

    overriding: int
    fixtures: tuple[Fixture, ...]
    modules: tuple[Module, ...]


@dataclass(frozen=True)
class Suite:
    """Modules and packages, and the fixtures that they share."""

    loop_scope: str | None
    """That of its tests, which are marked as concurrent; None if an option says that they are.

    Then a fixture may be on another loop than its tests one by one, so they do nothing with it.
    """
    ini: str
    fixtures: tuple[Fixture, ...]
    modules: tuple[Module, ...]
    packages: tuple[Package, ...]

    @property
    def one_by_one(self) -> tuple[str, ...]:
        """What has its tests run one after the other."""
        return () if self.loop_scope is None else ("--asyncio-concurrency=1",)

    @property
    def at_the_same_time(self) -> tuple[str, ...]:
        """What has them run at the same time, beside how many of them."""
        return ("--asyncio-concurrent",) if self.loop_scope is None else ()

    def files(self) -> dict[str, str]:
        files = {"pytest.ini": f"[pytest]\nfilterwarnings = default\n{self.ini}"}
        shared = numbered(0, self.fixtures, {})
        files |= self._folder("", shared, shared, self.modules)
        for number, package in enumerate(self.packages):
            own = numbered(package.overriding, package.fixtures, shared)
            name = f"package{number}"
            files[f"{name}/__init__.py"] = ""
            files |= self._folder(f"{name}/", own, dict(shared) | own, package.modules)
        return files

    def _folder(
        self, path: str, own: Fixtures, visible: Fixtures, modules: tuple[Module, ...]
    ) -> Iterator[tuple[str, str]]:
        lines = [
            line for number in own for line in own[number].lines(number, visible, is_method=False)
        ]
        loop_scope = f"LOOP_SCOPE = {self.loop_scope!r}"
        yield f"{path}conftest.py", "\n".join([*HEAD, loop_scope, *lines])
        concurrent = "" if self.loop_scope is None else "concurrent=True, "
        mark = f"pytestmark = pytest.mark.asyncio({concurrent}loop_scope=LOOP_SCOPE)"
        for number, module in enumerate(modules):
            source = "\n".join([*HEAD, loop_scope, mark, *module.lines(visible)])
            yield f"{path}test_{number}.py", source

    def __str__(self) -> str:
        return "\n\n".join(f"# {name}\n{text}" for name, text in self.files().items())


def numbered(first: int, fixtures: tuple[Fixture, ...], outer: Fixtures) -> Fixtures:
    return dict(enumerate(fixtures, min(first, len(outer))))


def xunit_lines(name: str, number: str) -> list[str]:
    is_of_class = name.endswith("_class")
    arguments = {"_module": "", "_function": "", "_method": "self", "_class": "cls"}
    lines = [
        f"def {name}({arguments[name[name.index('_') :]]}):",
        f"    print('{name} {number}')",
    ]
    return ["@classmethod", *lines] if is_of_class else lines


def indented(lines: Iterator[str] | list[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


_steps = st.sampled_from(
    (
        "print('{}')",
        "print('{}', file=sys.stderr)",
        # What is in place of these while a test has capsys depends on which others run beside it.
        "'capsys' in request.fixturenames or STDOUT.buffer.write(b'{}\\n')",
        "'capsys' in request.fixturenames or print('{}', file=STDERR)",
        "logging.getLogger('suite').warning('{}')",
        "warnings.warn('{}')",
        "Broken('{}')",
        "await asyncio.sleep(0)",
        "await asyncio.sleep(0.001)",
        "await asyncio.sleep(0.003)",
        "with clear_environment(): await asyncio.sleep(0.001)",
        "os.environ['SUITE_OF_ALL'] = '{}'",
        "request.addfinalizer(lambda: print('{} finalizer'))",
        "await asyncio.to_thread(print, '{}')",
        "asyncio.get_running_loop().slow_callback_duration = 9  # await",
        "asyncio.get_running_loop().set_exception_handler(None)  # await",
        "asyncio.create_task(asyncio.sleep(0.002))  # await",
        "asyncio.create_task(refuse())  # await",
        "later(print, '{}'); await asyncio.sleep(0.003)",
        "with suppress(TimeoutError): await asyncio.wait_for(asyncio.Event().wait(), 0.001)",
        "assert await anext(count()) == 0",
        "VAR.set('{0}'); await asyncio.sleep(0); assert VAR.get() == '{0}'",
    )
)
_ends = st.sampled_from(
    (
        *["pass"] * 6,
        "assert 0",
        "pytest.skip('no')",
        "pytest.fail('no')",
        "pytest.xfail('no')",
        "raise OSError('no')",
        "raise SystemExit(3)",
    )
)
_good_ends = st.sampled_from((*["pass"] * 9, "raise OSError('no')", "pytest.skip('no')"))
_bodies = st.builds(Body, st.lists(_steps, max_size=4).map(tuple), _ends)
_phases = st.builds(Body, st.lists(_steps, max_size=3).map(tuple), _good_ends)
_requests = st.frozensets(st.integers(0, 4), max_size=2)
_fixtures = st.builds(
    Fixture,
    is_async=st.sampled_from((True, True, False)),
    scope=st.sampled_from((*SCOPES, "function", "function")),
    autouse=st.sampled_from((False, False, False, True)),
    params=st.sampled_from((0, 0, 0, 0, 2)),
    requests=_requests,
    setup=_phases,
    teardown=st.none() | _phases,
    dies=st.booleans(),
    hangs=st.sampled_from(("",) * 80 + ("setup", "teardown")),
    is_parallel=st.booleans(),
)
_tests = st.builds(
    Case,
    is_async=st.sampled_from((*[True] * 7, False)),
    params=st.sampled_from((0, 0, 0, 3)),
    mark=st.sampled_from(
        (
            *["@pytest.mark.asyncio(loop_scope=LOOP_SCOPE)"] * 5,
            "@pytest.mark.skip",
            "@pytest.mark.xfail",
            "@pytest.mark.xfail(run=False)",
            "@pytest.mark.xfail(strict=True)",
            "@pytest.mark.asyncio(loop_scope=LOOP_SCOPE, concurrent=False)",
            "@pytest.mark.asyncio(loop_scope='session')",
            "@pytest.mark.asyncio(loop_scope='module')",
            "@pytest.mark.asyncio(loop_scope='function')",
            "@pytest.mark.usefixtures('monkeypatch')",
            "@pytest.mark.filterwarnings('ignore:test')",
            "@pytest.mark.filterwarnings('error:test')",
        )
    ),
    requests=_requests,
    asks_for=st.integers(0, 9),
    body=_bodies,
    uses=st.sampled_from(("",) * 8 + tuple(USES)),
    kills=st.booleans(),
    hangs=st.sampled_from(("",) * 120 + tuple(HANGS)),
    leaves=st.booleans(),
)


def _xunit(*whats: str) -> st.SearchStrategy[tuple[str, ...]]:
    names = [f"{phase}_{what}" for what in whats for phase in ("setup", "teardown")]
    return st.sampled_from(((), (), tuple(names))) | st.lists(
        st.sampled_from(names), unique=True, max_size=1
    ).map(tuple)


_few_fixtures = st.lists(_fixtures, max_size=2).map(tuple)
_classes = st.builds(
    Class,
    overriding=st.integers(0, 3),
    fixtures=_few_fixtures,
    tests=st.lists(_tests, min_size=1, max_size=4).map(tuple),
    xunit=_xunit("method", "class"),
)
_unit_tests = st.builds(
    UnitTests,
    is_async=st.booleans(),
    ends=st.lists(_ends.filter(lambda end: "System" not in end), min_size=1, max_size=2).map(tuple),
)
_modules = st.builds(
    Module,
    overriding=st.integers(0, 3),
    fixtures=st.lists(_fixtures, max_size=3).map(tuple),
    tests=st.lists(
        st.one_of(_tests, _tests, _tests, _tests, _classes, _classes, _unit_tests), max_size=5
    ).map(tuple),
    xunit=_xunit("module", "function"),
)
_packages = st.builds(
    Package,
    overriding=st.integers(0, 3),
    fixtures=_few_fixtures,
    modules=st.lists(_modules, min_size=1, max_size=2).map(tuple),
)
suites = st.builds(
    Suite,
    loop_scope=st.sampled_from(("module", "package", "session", None)),
    ini=st.sampled_from(
        (
            "",
            "asyncio_default_fixture_loop_scope = session\n",
            "asyncio_default_test_loop_scope = auto\n",
            "asyncio_loop_scope = auto\n",
        )
    ),
    fixtures=st.lists(_fixtures, max_size=3).map(tuple),
    modules=st.lists(_modules, min_size=1, max_size=3).map(tuple),
    packages=st.lists(_packages, max_size=1).map(tuple),
)
