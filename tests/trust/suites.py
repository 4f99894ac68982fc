"""Small suites as data, and the two ways to write one down: synchronous, and asynchronous.

Both have the same lines: where one has `await asyncio.sleep(0)`, the other has `pass`. So pytest
has to say the same of both, up to the numbers of the lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

SCOPES = ("function", "class", "module", "package", "session")
OUTCOMES = {
    "fails": 'pytest.fail("{label}")',
    "raises": 'raise ValueError("{label}")',
    "asserts": 'assert not "{label}"',
    "skips": 'pytest.skip("{label}")',
    "xfails": 'pytest.xfail("{label}")',
}
EXIT = 'pytest.exit("{label}")'
INI = (
    "[pytest]",
    "filterwarnings =",
    # Advice for async suites.
    "    ignore:The configuration option",
    # Said with the line that has found it, which is not the same.
    "    ignore:.*-scoped fixtures defined as instance methods",
)


@dataclass(frozen=True)
class Phase:
    """What a setup, a call or a teardown does."""

    requests: tuple[str, ...] = ()
    finalizer: bool = False
    outcome: str = "passes"


@dataclass(frozen=True)
class Fixture:
    name: str
    scope: str
    needs: tuple[str, ...]
    setup: Phase
    teardown: Phase | None
    parameters: int
    autouse: bool
    renamed: bool
    dynamic_scope: bool
    is_async: bool
    is_declared: bool
    is_managed: bool
    wider: int | None
    """How much wider than the scope the loop scope is; None leaves it to the option."""


@dataclass(frozen=True)
class Case:
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    call: Phase
    mark: str
    parameters: int
    is_async: bool
    loop_scope: str | None


@dataclass(frozen=True)
class Xunit:
    """A pair of functions such as `setup_method` and `teardown_method`."""

    setup: Phase
    teardown: Phase
    is_async: bool


@dataclass(frozen=True)
class Class:
    fixtures: tuple[Fixture, ...]
    tests: tuple[Case, ...]
    xunit: dict[str, Xunit]


@dataclass(frozen=True)
class Module:
    fixtures: tuple[Fixture, ...]
    tests: tuple[Case, ...]
    classes: tuple[Class, ...]
    xunit: dict[str, Xunit]
    loop_scope: str | None


@dataclass(frozen=True)
class Directory:
    """A package, or the root of the suite."""

    fixtures: tuple[Fixture, ...]
    modules: tuple[Module, ...]
    packages: tuple[Directory, ...]


@dataclass(frozen=True)
class Suite:
    root: Directory
    arguments: tuple[str, ...]
    mode: str
    marks_modules: bool
    one_loop: bool
    fixture_loop_scope: str | None
    test_loop_scope: str | None


def written(suite: Suite, *, is_async: bool) -> dict[str, str]:
    """Return the files of a suite by their paths."""
    writer = _Writer(suite, is_async, _synchronous_names(suite))
    files = dict(writer.directory(suite.root, "", {}))
    files["pytest.ini"] = "\n".join([*INI, *(_options(suite) if is_async else [])]) + "\n"
    return files


def _options(suite: Suite) -> Iterator[str]:
    yield f"asyncio_mode = {suite.mode}"
    if suite.fixture_loop_scope is not None:
        yield f"asyncio_default_fixture_loop_scope = {suite.fixture_loop_scope}"
    if suite.test_loop_scope is not None:
        yield f"asyncio_default_test_loop_scope = {suite.test_loop_scope}"


def _synchronous_names(suite: Suite) -> set[str]:
    """Find the names behind which there is never anything async."""
    fixtures = list(_fixtures_of(suite.root))
    names = {fixture.name for fixture in fixtures}
    while True:
        mixed = {
            fixture.name
            for fixture in fixtures
            if fixture.is_async or not {*fixture.needs, *fixture.setup.requests} <= names
        }
        if not names & mixed:
            return names
        names -= mixed


def _fixtures_of(place: Directory | Module | Class) -> Iterator[Fixture]:
    yield from place.fixtures
    for kind in ("modules", "packages", "classes"):
        for inner in getattr(place, kind, ()):
            yield from _fixtures_of(inner)


class _Writer:
    def __init__(self, suite: Suite, is_async: bool, synchronous: set[str]) -> None:
        self.suite = suite
        self.is_async = is_async
        self.synchronous = synchronous

    def directory(
        self, place: Directory, path: str, visible: dict[str, Fixture]
    ) -> Iterator[tuple[str, str]]:
        if path:
            yield f"{path}__init__.py", ""
        if place.fixtures:
            label = path or "root/"
            fixtures = self.fixtures(place.fixtures, label, visible, in_package=bool(path))
            yield f"{path}conftest.py", self.file(fixtures)
        visible = visible | {fixture.name: fixture for fixture in place.fixtures}
        for number, module in enumerate(place.modules):
            name = f"{path}test_{number}"
            yield f"{name}.py", self.file(self.module(module, name, visible))
        for number, package in enumerate(place.packages):
            yield from self.directory(package, f"{path}package_{number}/", visible)

    def file(self, lines: Iterator[str]) -> str:
        head = "import pytest", *self.either("import asyncio, contextlib, pytest_asyncio", "")
        return "\n".join([*head, *lines, ""])

    def module(self, module: Module, name: str, visible: dict[str, Fixture]) -> Iterator[str]:
        if self.suite.marks_modules:
            yield from self.either(f"pytestmark = {self.mark(module.loop_scope)}", "")
        yield from self.fixtures(module.fixtures, f"{name}:", visible)
        visible = visible | {fixture.name: fixture for fixture in module.fixtures}
        for kind, xunit in module.xunit.items():
            yield from self.xunit(xunit, kind, f"{name}:", "")
        for number, test in enumerate(module.tests):
            yield from self.test(test, f"test_{number}", f"{name}:", visible)
        for number, inner in enumerate(module.classes):
            yield f"class Test{number}:"
            yield "    pass"
            for line in self.members(inner, f"{name}:Test{number}.", visible):
                yield f"    {line}"

    def members(self, place: Class, label: str, visible: dict[str, Fixture]) -> Iterator[str]:
        yield from self.fixtures(place.fixtures, label, visible, owner="self, ")
        visible = visible | {fixture.name: fixture for fixture in place.fixtures}
        for kind, xunit in place.xunit.items():
            yield from self.xunit(xunit, kind, label, "self, ")
        for number, test in enumerate(place.tests):
            yield from self.test(test, f"test_{number}", label, visible, owner="self, ")

    def fixtures(
        self,
        fixtures: tuple[Fixture, ...],
        label: str,
        visible: dict[str, Fixture],
        *,
        owner: str = "",
        in_package: bool = False,
    ) -> Iterator[str]:
        own = {fixture.name: fixture for fixture in fixtures}
        for fixture in fixtures:
            others = {name: other for name, other in own.items() if name != fixture.name}
            yield from self.fixture(fixture, label, visible | others, owner, in_package)

    def fixture(
        self,
        fixture: Fixture,
        label: str,
        visible: dict[str, Fixture],
        owner: str,
        in_package: bool,
    ) -> Iterator[str]:
        is_async = self.may_be_async(fixture.is_async, fixture.setup)
        is_lasting = fixture.scope == "package" and not in_package
        is_declared = fixture.is_declared or (
            is_async and (is_lasting or self.suite.mode == "strict")
        )
        is_managed = is_async and is_declared and fixture.is_managed and fixture.teardown
        function = f"fixture_{fixture.name}" if fixture.renamed else fixture.name
        keywords = dict(self.keywords_of(fixture))
        plain = ", ".join(f"{key}={value}" for key, value in keywords.items())
        wide = self.loop_scope_of(fixture, is_lasting)
        keywords |= {"loop_scope": repr(wide)} if wide is not None and is_declared else {}
        full = ", ".join(f"{key}={value}" for key, value in keywords.items())
        needs = [
            name
            for name in fixture.needs
            if name in visible and SCOPES.index(visible[name].scope) >= SCOPES.index(fixture.scope)
        ]
        label = f"{label}{fixture.name}"
        yield from self.either(
            f"@pytest_asyncio.fixture({full})" if is_declared else f"@pytest.fixture({plain})",
            f"@pytest.fixture({plain})",
        )
        yield from self.either("@contextlib.asynccontextmanager" if is_managed else "", "")
        yield from self.function(is_async, function, f"{owner}request", needs)
        yield from self.body(fixture.setup, f"{label} setup", is_async)
        used = "".join(f", {name}" for name in needs)
        parameter = ", request.param" if fixture.parameters else ""
        value = f'("{label}"{parameter}{used})'
        if fixture.teardown is None:
            yield f"    return {value}"
            return
        yield f"    yield {value}"
        yield from self.body(fixture.teardown, f"{label} teardown", is_async)

    def keywords_of(self, fixture: Fixture) -> Iterator[tuple[str, str]]:
        if fixture.dynamic_scope:
            yield "scope", f'lambda fixture_name, config: "{fixture.scope}"'
        elif fixture.scope != "function":
            yield "scope", repr(fixture.scope)
        if fixture.parameters:
            yield "params", repr(list(range(fixture.parameters)))
        if fixture.autouse:
            yield "autouse", "True"
        if fixture.renamed:
            yield "name", repr(fixture.name)

    def loop_scope_of(self, fixture: Fixture, is_lasting: bool) -> str | None:
        if self.suite.one_loop:
            return None
        # Defined outside of the conftest of a package, it lasts until the end of the session, but
        # on the loop of a package, it ends with that.
        if is_lasting:
            return "session"
        if fixture.wider is None:
            return None
        return SCOPES[min(SCOPES.index(fixture.scope) + fixture.wider, len(SCOPES) - 1)]

    def xunit(self, xunit: Xunit, kind: str, label: str, owner: str) -> Iterator[str]:
        is_async = xunit.is_async and (self.suite.mode == "auto" or self.suite.marks_modules)
        for name, phase in (("setup", xunit.setup), ("teardown", xunit.teardown)):
            if kind == "class":
                yield "@classmethod"
            yield from self.function(is_async, f"{name}_{kind}", owner.rstrip(", "), [])
            yield from self.body(replace(phase, finalizer=False), f"{label}{name}_{kind}", is_async)

    def test(
        self, test: Case, name: str, label: str, visible: dict[str, Fixture], owner: str = ""
    ) -> Iterator[str]:
        is_async = self.may_be_async(test.is_async, test.call)
        is_marked = is_async and (
            test.loop_scope is not None
            or (self.suite.mode == "strict" and not self.suite.marks_modules)
        )
        if is_marked:
            yield from self.either(f"@{self.mark(test.loop_scope)}", "@lambda function: function")
        if test.uses:
            yield f"@pytest.mark.usefixtures({', '.join(map(repr, test.uses))})"
        if test.mark:
            yield f"@pytest.mark.{test.mark}"
        if test.parameters:
            yield f'@pytest.mark.parametrize("parameter", {list(range(test.parameters))})'
        needs = [name for name in test.needs if name in visible]
        parameters = [*needs, *(["parameter"] if test.parameters else [])]
        yield from self.function(is_async, name, f"{owner}request", parameters)
        for need in needs:
            yield f"    print({need})"
        yield from self.body(test.call, f"{label}{name}", is_async)

    def mark(self, loop_scope: str | None) -> str:
        if loop_scope is None or self.suite.one_loop:
            return "pytest.mark.asyncio"
        return f'pytest.mark.asyncio(loop_scope="{loop_scope}")'

    def function(
        self, is_async: bool, name: str, first: str, parameters: list[str]
    ) -> Iterator[str]:
        prefix = "async " if self.is_async and is_async else ""
        yield f"{prefix}def {name}({', '.join([first, *parameters])}):"

    def body(self, phase: Phase, label: str, is_async: bool) -> Iterator[str]:
        is_async = self.is_async and is_async
        yield "    await asyncio.sleep(0)" if is_async else "    pass"
        yield f'    print("{label}")'
        if phase.finalizer:
            yield f'    request.addfinalizer(lambda: print("{label} finalizer"))'
        for name in phase.requests:
            if is_async and name not in self.synchronous:
                yield f'    print(await pytest_asyncio.getfixturevalue(request, "{name}"))'
            else:
                yield f'    print(request.getfixturevalue("{name}"))'
        if phase.outcome != "passes":
            yield "    " + OUTCOMES.get(phase.outcome, EXIT).format(label=label)

    def either(self, asynchronous: str, synchronous: str) -> Iterator[str]:
        yield asynchronous if self.is_async else synchronous

    def may_be_async(self, is_async: bool, phase: Phase) -> bool:
        """Return whether what is written down is async.

        On one loop, what requests something is, and elsewhere, what does not request something
        that would run on a loop, which need not be its own.
        """
        if set(phase.requests) <= self.synchronous:
            return is_async
        return self.suite.one_loop
