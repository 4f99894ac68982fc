"""The files of a random suite."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from suites import (
    SCOPES,
    Body,
    Case,
    Class,
    Directory,
    Fixture,
    Hook,
    Mark,
    Module,
    Policy,
    Suite,
    UnittestCase,
    places_in,
    tests_in,
    wider,
)

INI = """\
[pytest]
pythonpath = .
filterwarnings = ignore
asyncio_mode = {mode}
"""
HEAD = "import asyncio, unittest\nimport pytest, pytest_asyncio\nfrom noted import *\n"
STATE_MACHINE = """\
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, rule
class Machine(RuleBasedStateMachine):
    @rule()
    def step(self):
        pass
TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=1, stateful_step_count=1, database=None)
"""
GIVEN = """\
@hypothesis.settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=2,
    suppress_health_check=hypothesis.HealthCheck,
)
@hypothesis.given(example=hypothesis.strategies.booleans())"""
ASYNC_STEPS = {
    "debug": "asyncio.get_running_loop().set_debug(True)",
    "factory": 'asyncio.get_running_loop().set_task_factory(Setting("factory of {label}"))',
    "flush": 'flush_at_close("{label}")',
    "generator": 'await leave_generator("{label}")',
    "handler": 'asyncio.get_running_loop().set_exception_handler(Setting("handler of {label}"))',
    "policy": 'note_policy("{label}")',
    "sleep": "await asyncio.sleep(0)",
    "task": 'await leave_task("{label}")',
}
SYNC_STEPS = {
    "policy": 'note_policy("{label}")',
    "run": 'run_current("{label}")',
    "current": 'note_current("{label}")',
    "set": "asyncio.set_event_loop(asyncio.new_event_loop())",
    "unset": "asyncio.set_event_loop(None)",
}
CURRENT_LOOP = {"current", "run"}
"""Which loop synchronous code finds in a teardown is a listed difference."""
OF_THE_TEST = {*CURRENT_LOOP, "policy"}
"""So is whether a plain synchronous fixture finds the loop, and the policy, of the test."""
OUTCOMES = {
    "fails": 'pytest.fail("deliberate: {label}")',
    "raises": 'raise Deliberate("{label}")',
    "skips": 'pytest.skip("{label}")',
    "xfails": 'pytest.xfail("deliberate: {label}")',
}


@dataclass(frozen=True)
class Seen:
    """What is in force at a place of a suite."""

    label: str
    overridden: dict[str, Fixture]
    fixtures: dict[str, Fixture]
    factories: tuple[str, ...]
    is_marked: bool
    owner: str = ""

    def inside(
        self, label: str, place: Directory | Module | Class | UnittestCase, owner: str = ""
    ) -> Seen:
        hook = place.hook if isinstance(place, Directory) else None
        return Seen(
            label,
            self.fixtures,
            self.fixtures | {fixture.name: fixture for fixture in place.fixtures},
            self.factories if hook is None else (*hook.names, *hook.names_elsewhere),
            self.is_marked or _is_marked(place),
            owner,
        )


def written(suite: Suite) -> dict[str, str]:
    """Return the files of a suite by their paths."""
    ini = INI.format(mode=suite.mode)
    if suite.fixture_default is not None:
        ini += f"asyncio_default_fixture_loop_scope = {suite.fixture_default}\n"
    if suite.test_default is not None:
        ini += f"asyncio_default_test_loop_scope = {suite.test_default}\n"
    if suite.is_debug:
        ini += "asyncio_debug = true\n"
    nothing = Seen("", {}, {}, (), is_marked=False)
    files = dict(_Writer(suite).directory(suite.root, "", nothing))
    noted = Path(__file__).with_name("noted.py").read_text(encoding="utf-8")
    return {**files, "pytest.ini": ini, "noted.py": noted}


def options(suite: Suite, files: Iterable[str]) -> tuple[str, ...]:
    """Return what stands on the command line, for the files of a suite."""
    modules = [path for path in files if Path(path).match("test_*.py")]
    return (
        *suite.arguments,
        *(["--doctest-modules"] if _has_doctest(suite) else []),
        *(reversed(modules) if suite.is_reversed else []),
    )


def _has_doctest(suite: Suite) -> bool:
    places = places_in(suite.root)
    return any(isinstance(place, Module) and place.doctest is not None for place in places)


class _Writer:
    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.modules = self.directories = 0

    def directory(self, place: Directory, path: str, outer: Seen) -> Iterator[tuple[str, str]]:
        seen = outer.inside(f"{path}conftest", place)
        conftest = "\n".join(
            [*self.hook(place.hook, outer), *self.policy(place.policy), *self.fixtures(place, seen)]
        )
        if conftest:
            yield f"{path}conftest.py", f"{HEAD}{conftest}\n"
        if path and place.is_package:
            mark = self.mark(place.mark, seen)
            init = f"import pytest\npytestmark = {mark}\n" if mark else ""
            yield f"{path}__init__.py", init
        for module in place.modules:
            name = f"test_{self.modules}"
            self.modules += 1
            text = "\n".join([*self.module(module, name, seen), ""])
            head = HEAD + "import hypothesis\n" * ("hypothesis." in text)
            yield f"{path}{name}.py", head + text
        for directory in place.directories:
            self.directories += 1
            yield from self.directory(directory, f"{path}inner_{self.directories}/", seen)

    def hook(self, hook: Hook | None, outer: Seen) -> Iterator[str]:
        if hook is None:
            return
        has_outer = bool(outer.factories)  # else it has to offer something
        elsewhere = hook.names_elsewhere if has_outer else hook.names_elsewhere or hook.names
        yield "def pytest_asyncio_loop_factories(config, item):"
        if elsewhere != hook.names:
            yield "    if item.path.stem == 'test_0':"
            yield f"        return {_factories(hook.names)}"
        yield f"    return {_factories(elsewhere)}"

    def policy(self, policy: Policy | None, owner: str = "") -> Iterator[str]:
        if policy is None:
            return
        scope = wider(policy.scope, max(self.suite.loop_scopes(), key=SCOPES.index))
        params = ", params=[PolicyA(), PolicyB()]" if policy.is_parametrized else ""
        yield f'@pytest.fixture(scope="{scope}"{params})'
        yield f"def event_loop_policy({owner}request):"
        yield f"    return {'request.param' if policy.is_parametrized else 'PolicyA()'}"

    def module(self, module: Module, name: str, outer: Seen) -> Iterator[str]:
        seen = outer.inside(name, module)
        if mark := self.outer_mark(module, seen):
            yield f"pytestmark = {mark}"
        yield from self.policy(module.policy)
        yield from self.fixtures(module, seen)
        for kind in _xunit(module):
            yield from self.xunit(kind, name)
        for number, test in enumerate(module.tests):
            yield from self.test(test, f"test_{number}", seen)
        for number, inner in enumerate(module.classes):
            yield from self.class_(inner, f"Test{number}", seen)
        if module.unittest is not None:
            yield from self.unittest(module.unittest, seen)
        if module.doctest is not None:
            values = [f'getfixture("{need}")' for need in module.doctest if need in seen.fixtures]
            yield "def documented():"
            yield f'    """>>> note({", ".join([_quoted(f"{name}.documented"), *values])})"""'
        if module.has_state_machine:
            yield STATE_MACHINE

    def class_(self, place: Class, name: str, outer: Seen) -> Iterator[str]:
        seen = outer.inside(f"{outer.label}.{name}", place, "self, ")
        if mark := self.outer_mark(place, seen):
            yield f"@{mark}"
        yield f"class {name}:"
        yield "    pass"
        yield from _indented(self.policy(place.policy, "self, "))
        yield from _indented(self.fixtures(place, seen))
        for kind in _xunit(place):
            yield from _indented(self.xunit(kind, seen.label, "self, "))
        for number, test in enumerate(place.tests):
            yield from _indented(self.test(test, f"test_{number}", seen))
        for number, inner in enumerate(place.classes):
            # pytest takes classes of one name for one, where they have a `setup_method`.
            yield from _indented(self.class_(inner, f"{name}Inner{number}", seen))

    def unittest(self, place: UnittestCase, outer: Seen) -> Iterator[str]:
        seen = outer.inside(f"{outer.label}.UnittestCase", place, "self, ")
        uses = [name for name in place.uses if name in seen.fixtures]
        base = "IsolatedAsyncioTestCase" if place.is_async else "TestCase"
        if uses:
            yield f"@pytest.mark.usefixtures({', '.join(map(_quoted, uses))})"
        yield f"class UnittestCase(unittest.{base}):"
        yield from _indented(self.fixtures(place, seen))
        yield f"    {'async ' * place.is_async}def test_it(self):"
        yield f'        note("{seen.label}")'

    def xunit(self, kind: str, label: str, owner: str = "") -> Iterator[str]:
        for phase, note in (("setup", "note"), ("teardown", "note_end")):
            if kind == "class":
                yield "@classmethod"
            yield f"def {phase}_{kind}({owner.rstrip(', ')}):"
            yield f'    {note}("{label}.{phase}_{kind}")'

    def fixtures(
        self, place: Directory | Module | Class | UnittestCase, seen: Seen
    ) -> Iterator[str]:
        for fixture in place.fixtures:
            yield from self.fixture(fixture, seen)

    def fixture(self, fixture: Fixture, seen: Seen) -> Iterator[str]:
        loop_scope = self.suite.loop_scope_of(fixture)
        is_ours = fixture.is_ours or (
            fixture.is_async
            and (self.suite.mode == "strict" or loop_scope != self.default_of(fixture))
        )
        keywords = {"scope": _quoted(fixture.scope)} if fixture.scope != "function" else {}
        if is_ours and (fixture.loop_scope or loop_scope != self.default_of(fixture)):
            keywords["loop_scope"] = _quoted(loop_scope)
        if fixture.parameters:
            keywords["params"] = str(list(range(fixture.parameters)))
        if fixture.is_autouse:
            keywords["autouse"] = "True"
        label = f"{seen.label}.{fixture.name}"
        needs = self.requestable(fixture.needs, fixture, seen)
        declare = "pytest_asyncio.fixture" if is_ours else "pytest.fixture"
        yield f"@{declare}({', '.join(f'{key}={value}' for key, value in keywords.items())})"
        arguments = ", ".join(["request", *needs])
        yield f"{'async ' * fixture.is_async}def {fixture.name}({seen.owner}{arguments}):"
        yield f"    note({', '.join([_quoted(f'{label} setup'), *needs])})"
        if fixture.has_finalizer:
            yield f'    request.addfinalizer(lambda: note_end("{label} finalizer"))'
        variable = "OF_FIXTURES" if fixture.is_async else "OF_OTHERS"
        unseen = set() if is_ours or fixture.is_async else OF_THE_TEST
        requests = self.requestable(fixture.setup.requests, fixture, seen)
        setup = replace(_without(unseen, fixture.setup), requests=requests)
        yield from self.body(setup, f"{label} setup", variable, is_async=fixture.is_async)
        value = f'made("{label}", request)'
        if fixture.teardown is None:
            yield f"    return {value}"
            return
        yield f"    yield {value}"
        yield f'    note_end("{label} teardown")'
        ending = replace(_without(unseen | CURRENT_LOOP, fixture.teardown), requests=())
        yield from self.body(ending, f"{label} teardown", variable, is_async=fixture.is_async)

    def requestable(self, names: tuple[str, ...], fixture: Fixture, seen: Seen) -> tuple[str, ...]:
        """Return which of the names a fixture can request, by its scope."""
        found = {name: seen.fixtures.get(name) for name in names}
        found |= {fixture.name: seen.overridden.get(fixture.name)}
        return tuple(
            name
            for name in names
            if (other := found[name])
            and not (names is fixture.setup.requests and other.parameters)
            and wider(other.scope, fixture.scope) == other.scope
        )

    def default_of(self, fixture: Fixture) -> str:
        default = self.suite.fixture_default
        return fixture.scope if default in (None, "fixture-scope") else default

    def test(self, test: Case, name: str, seen: Seen) -> Iterator[str]:
        parameters = [*map(str, range(len(test.parameters)))]
        param_marks = [self.mark(mark, seen) for mark in test.parameters]
        mark = self.mark(test.mark, seen)
        if test.is_async and self.suite.mode == "strict" and not (mark or seen.is_marked):
            needed = "pytest.mark.asyncio"
            if any(param_marks):  # That of the function would hide them.
                param_marks = [each or needed for each in param_marks]
            else:
                mark = needed
        is_static = test.is_static and seen.owner
        indirect = test.indirect if test.indirect in seen.fixtures else None
        needs = [need for need in test.needs if need in seen.fixtures]
        uses = [use for use in test.uses if use in seen.fixtures]
        label = f"{seen.label}.{name}"
        if is_static:
            yield "@staticmethod"
        if mark:
            yield f"@{mark}"
        if uses:
            yield f"@pytest.mark.usefixtures({', '.join(map(_quoted, uses))})"
        if test.expects:
            yield f"@pytest.mark.{test.expects}"
        if parameters:
            values = [
                f"pytest.param({value}, marks={mark})" if mark else value
                for value, mark in zip(parameters, param_marks, strict=True)
            ]
            yield f'@pytest.mark.parametrize("parameter", [{", ".join(values)}])'
        if indirect:
            yield f'@pytest.mark.parametrize("{indirect}", ["x", "y"], indirect=True)'
        if test.is_given:
            yield GIVEN
        shown = [*dict.fromkeys([*needs, *filter(None, [indirect])])]
        shown += ["parameter"] * bool(parameters)
        arguments = ", ".join(["request", *shown, *["example"] * test.is_given])
        owner = "" if is_static else seen.owner
        yield f"{'async ' * test.is_async}def {name}({owner}{arguments}):"
        yield f"    note({', '.join([_quoted(label), *shown])})"
        requests = tuple(
            name
            for name in test.body.requests
            if name in seen.fixtures and not seen.fixtures[name].parameters
        )
        body = Body() if test.is_given else replace(test.body, requests=requests)
        yield from self.body(body, label, "OF_OTHERS", is_async=test.is_async)

    def outer_mark(self, place: Module | Class, seen: Seen) -> str:
        """Return the mark of a place, which may be invalid where each test hides it."""
        mark = place.mark
        if mark is not None and not all(test.mark for test in tests_in(place)):
            mark = replace(mark, is_valid=True)
        return self.mark(mark, seen)

    def mark(self, mark: Mark | None, seen: Seen) -> str:
        if mark is None:
            return ""
        keywords = {}
        if mark.loop_scope is not None:
            keywords["loop_scope"] = _quoted(mark.loop_scope)
        if names := [name for name in mark.loop_factories if name in seen.factories]:
            keywords["loop_factories"] = str(names)
        if not mark.is_valid:
            keywords["nonsense"] = "1"
        arguments = ", ".join(f"{key}={value}" for key, value in keywords.items())
        return f"pytest.mark.asyncio({arguments})" if keywords else "pytest.mark.asyncio"

    def body(self, body: Body, label: str, variable: str, *, is_async: bool) -> Iterator[str]:
        own = ASYNC_STEPS if is_async else SYNC_STEPS
        for name in () if is_async else body.requests:
            yield f'    note("{label} requests", request.getfixturevalue("{name}"))'
        for step in body.steps:
            if step == "context":
                yield f'    {variable}.set("{label}")'
            elif step in own:
                yield f"    {own[step].format(label=label)}"
        if body.outcome != "passes":
            yield f"    {OUTCOMES[body.outcome].format(label=label)}"


def _is_marked(place: Directory | Module | Class | UnittestCase) -> bool:
    if isinstance(place, UnittestCase) or (isinstance(place, Directory) and not place.is_package):
        return False
    return place.mark is not None


def _without(steps: set[str], body: Body) -> Body:
    return replace(body, steps=tuple(step for step in body.steps if step not in steps))


def _xunit(place: Module | Class) -> list[str]:
    """Return which functions a place has, but for those that static methods have otherwise."""
    has_static = any(test.is_static for test in tests_in(place))
    return [kind for kind in place.xunit if not (has_static and kind in ("function", "method"))]


def _factories(names: tuple[str, ...]) -> str:
    if not names:
        return "None"
    return "{" + ", ".join(f'"{name}": Loop{name}' for name in names) + "}"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (textwrap.indent(line, "    ") for line in lines)


def _quoted(text: str) -> str:
    return f'"{text}"'
