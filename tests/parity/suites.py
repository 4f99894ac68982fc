"""What random suites consist of.

They are as they were drawn: what makes no sense where it stands is left out when they are written.
The simplest value of each field is its default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SCOPES = ("function", "class", "module", "package", "session")


@dataclass(frozen=True)
class Body:
    """What a test, or a phase of a fixture, does, and how it ends."""

    steps: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    """The fixtures that synchronous code gets by `request.getfixturevalue()`."""
    outcome: str = "passes"


@dataclass(frozen=True)
class Mark:
    """`pytest.mark.asyncio`."""

    loop_scope: str | None = None
    loop_factories: tuple[str, ...] = ()
    is_valid: bool = True


@dataclass(frozen=True)
class Fixture:
    name: str = "a"
    scope: str = "function"
    loop_scope: str | None = None
    is_async: bool = False
    is_ours: bool = False
    """Whether it is declared by `pytest_asyncio.fixture`, if it need not be."""
    needs: tuple[str, ...] = ()
    setup: Body = Body()
    teardown: Body | None = None
    has_finalizer: bool = False
    parameters: int = 0
    is_autouse: bool = False


@dataclass(frozen=True)
class Policy:
    """An override of the fixture `event_loop_policy`."""

    scope: str = "function"
    is_parametrized: bool = False


@dataclass(frozen=True)
class Case:
    """A test function."""

    is_async: bool = False
    mark: Mark | None = None
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    indirect: str | None = None
    parameters: tuple[Mark | None, ...] = ()
    is_given: bool = False
    is_static: bool = False
    expects: str = ""
    body: Body = Body()


@dataclass(frozen=True)
class Class:
    mark: Mark | None = None
    fixtures: tuple[Fixture, ...] = ()
    policy: Policy | None = None
    xunit: tuple[str, ...] = ()
    tests: tuple[Case, ...] = ()
    classes: tuple[Class, ...] = ()


@dataclass(frozen=True)
class UnittestCase:
    fixtures: tuple[Fixture, ...] = ()
    uses: tuple[str, ...] = ()
    is_async: bool = False


@dataclass(frozen=True)
class Module:
    mark: Mark | None = None
    fixtures: tuple[Fixture, ...] = ()
    policy: Policy | None = None
    xunit: tuple[str, ...] = ()
    tests: tuple[Case, ...] = ()
    classes: tuple[Class, ...] = ()
    unittest: UnittestCase | None = None
    doctest: tuple[str, ...] | None = None
    has_state_machine: bool = False


@dataclass(frozen=True)
class Hook:
    """`pytest_asyncio_loop_factories`: the names that it offers to one module, and to others."""

    names: tuple[str, ...] = ("A",)
    names_elsewhere: tuple[str, ...] = ("A",)


@dataclass(frozen=True)
class Directory:
    is_package: bool = False
    mark: Mark | None = None
    fixtures: tuple[Fixture, ...] = ()
    policy: Policy | None = None
    hook: Hook | None = None
    modules: tuple[Module, ...] = ()
    directories: tuple[Directory, ...] = ()


@dataclass(frozen=True)
class Suite:
    root: Directory = Directory()
    mode: str = "auto"
    fixture_default: str | None = "function"
    test_default: str | None = None
    is_debug: bool = False
    arguments: tuple[str, ...] = ()
    is_reversed: bool = False
    """Whether its files are run from the last to the first."""

    def loop_scope_of(self, fixture: Fixture) -> str:
        """Return the loop scope of a fixture, which is not narrower than its scope."""
        default = self.fixture_default
        drawn = fixture.loop_scope or (fixture.scope if default == "fixture-scope" else default)
        return wider(drawn or fixture.scope, fixture.scope)

    def loop_scopes(self) -> set[str]:
        return {
            self.test_default or "function",
            *(self.loop_scope_of(fixture) for fixture in fixtures_in(self.root)),
            *(mark.loop_scope for mark in marks_in(self.root) if mark.loop_scope),
        }


Place = Directory | Module | Class | UnittestCase


def wider(one: str, other: str) -> str:
    return max(one, other, key=SCOPES.index)


def places_in(place: Place) -> Iterator[Place]:
    """Yield a place and all that are in it."""
    yield place
    for inner in inner_places(place):
        yield from places_in(inner)


def inner_places(place: Place) -> Iterator[Place]:
    if isinstance(place, Directory):
        yield from place.modules
        yield from place.directories
    elif isinstance(place, Module | Class):
        yield from place.classes
        if isinstance(place, Module) and place.unittest is not None:
            yield place.unittest


def fixtures_in(place: Place) -> Iterator[Fixture]:
    for each in places_in(place):
        yield from each.fixtures


def tests_in(place: Place) -> Iterator[Case]:
    for each in places_in(place):
        if isinstance(each, Module | Class):
            yield from each.tests


def marks_in(place: Place) -> Iterator[Mark]:
    own = [each.mark for each in places_in(place) if not isinstance(each, UnittestCase)]
    for test in tests_in(place):
        own += test.mark, *test.parameters
    yield from (mark for mark in own if mark is not None)
