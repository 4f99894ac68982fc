"""Random suites over the whole surface of pytest-asyncio 1.5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeVar

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
)
from written import ASYNC_STEPS, OUTCOMES, SYNC_STEPS

T = TypeVar("T")
Scopes = tuple[str, ...]

ARGUMENTS: Final = (
    *("-x", "--maxfail=2", "-kTest0 or test_0", "-knot test_1", "-Werror"),
    *("--import-mode=importlib", "--asyncio-debug"),
)
NAMES: Final = "abcd"
EXPECTS: Final = ["skip", "xfail", "xfail(strict=True)", "xfail(run=False)"]
STEPS: Final = sorted({*ASYNC_STEPS, *SYNC_STEPS, "context"})
NARROW: Final = ("function",)
USUAL: Final = ("function", "module", "session")
"""Of the other scopes, much is a listed difference."""
WIDE: Final = (("module", "module"), ("module", "session"), ("session", "session"))
"""A scope, and that of the loop."""


def suite(random: Random) -> Suite:
    drawing = random.choice([_Drawing, _Drawing, _WideLoops])(random)
    return drawing.suite(random.choice([USUAL, USUAL, SCOPES]))


class _Drawing:
    def __init__(self, random: Random) -> None:
        self.one_of: Final = random.choice
        self.random: Final = random
        self.has_hook: Final = self.once_in(2)
        # With these, much of what loop factories do is a listed difference.
        self.has_sync_tests: Final = self.once_in(8 if self.has_hook else 2)
        self.has_marked_parameters: Final = self.once_in(8 if self.has_hook else 2)
        self.test_scopes: Final = self.one_of([NARROW, ("session",), SCOPES])

    def once_in(self, times: int) -> bool:
        return not self.random.randrange(times)

    def often(self) -> bool:
        return not self.once_in(4)

    def rarely(self) -> bool:
        return self.once_in(8)

    def maybe(self, draw: Callable[[], T], times: int = 2) -> T | None:
        """Draw something once in so many times."""
        return draw() if self.once_in(times) else None

    def few(self, draw: Callable[[], T], least: int = 0, most: int = 2) -> tuple[T, ...]:
        return tuple(draw() for _ in range(self.random.randint(least, most)))

    def some(self, names: Sequence[str], most: int = 2) -> tuple[str, ...]:
        return tuple(self.random.sample(names, self.random.randint(0, min(most, len(names)))))

    def suite(self, scopes: Scopes) -> Suite:
        defaults = [None, *scopes, "fixture-scope"]
        return Suite(
            root=self.root(scopes),
            mode=self.one_of(["auto", "strict"]),
            fixture_default=self.one_of(defaults),
            test_default=self.test_default(scopes),
            is_debug=self.rarely(),
            arguments=self.maybe(lambda: self.some(ARGUMENTS)) or (),
            is_reversed=self.rarely(),
        )

    def root(self, scopes: Scopes) -> Directory:
        return Directory(
            fixtures=self.fixtures(scopes),
            policy=self.maybe(self.policy, 6),
            hook=self.hook() if self.has_hook and self.often() else None,
            modules=self.few(lambda: self.module(scopes), least=1),
            directories=self.few(lambda: self.directory(scopes, depth=1)),
        )

    def directory(self, scopes: Scopes, depth: int) -> Directory:
        return Directory(
            is_package=self.often(),
            mark=self.maybe(lambda: self.mark(scopes), 8),
            fixtures=self.fixtures(scopes),
            policy=self.maybe(self.policy, 12),
            hook=self.maybe(self.inner_hook, 6) if self.has_hook else None,
            modules=self.few(lambda: self.module(scopes), least=1),
            directories=self.few(lambda: self.directory(scopes, depth - 1), most=depth),
        )

    def hook(self) -> Hook:
        return Hook(self.names(), self.names())

    def inner_hook(self) -> Hook:
        return Hook(self.names(), self.one_of([(), self.names()]))

    def names(self) -> tuple[str, ...]:
        """Draw several where tests share loops: that a single one moves them is listed."""
        several = ("A", "B")
        is_single = self.test_scopes == NARROW and self.often()
        return ("A",) if is_single else several

    def module(self, scopes: Scopes) -> Module:
        inside = ("class", *scopes)
        return Module(
            mark=self.outer_mark(scopes),
            fixtures=self.fixtures(scopes),
            policy=self.maybe(self.policy, 12),
            xunit=self.xunit("module", "function"),
            tests=self.few(lambda: self.test(scopes), least=1, most=3),
            classes=self.few(lambda: self.class_(inside, depth=1), most=1),
            unittest=self.maybe(lambda: self.unittest(inside), 8),
            doctest=self.maybe(lambda: self.some(NAMES), 8),
            has_state_machine=self.once_in(30),
        )

    def class_(self, scopes: Scopes, depth: int) -> Class:
        return Class(
            mark=self.outer_mark(scopes),
            fixtures=self.fixtures(scopes),
            policy=self.maybe(self.policy, 20),
            xunit=self.xunit("class", "method"),
            tests=self.few(lambda: self.test(scopes), least=1),
            classes=self.few(lambda: self.class_(scopes, depth - 1), most=depth),
        )

    def unittest(self, scopes: Scopes) -> UnittestCase:
        return UnittestCase(
            fixtures=self.fixtures(scopes), uses=self.some(NAMES), is_async=self.rarely()
        )

    def xunit(self, *kinds: str) -> tuple[str, ...]:
        return self.maybe(lambda: self.some(kinds)) or ()

    def test(self, scopes: Scopes) -> Case:
        return Case(
            is_async=self.often() or not self.has_sync_tests,
            mark=self.maybe(lambda: self.mark(scopes)),
            needs=self.some(NAMES),
            uses=("a",) if self.rarely() else (),
            indirect="a" if self.rarely() else None,
            parameters=tuple(
                self.maybe(lambda: self.mark(scopes), 4) if self.has_marked_parameters else None
                for _ in range(self.one_of([0, 0, 0, 1, 2]))
            ),
            is_given=self.rarely(),
            is_static=self.rarely(),
            expects=self.one_of([""] * 12 + EXPECTS),
            body=self.body(),
        )

    def fixtures(self, scopes: Scopes) -> tuple[Fixture, ...]:
        return tuple(self.fixture(name, scopes) for name in self.some(NAMES, most=3))

    def fixture(self, name: str, scopes: Scopes) -> Fixture:
        return Fixture(
            name=name,
            scope=self.one_of(scopes),
            loop_scope=self.maybe(lambda: self.one_of(scopes)),
            is_async=self.often(),
            is_ours=self.once_in(2),
            # Itself is the one that it overrides.
            needs=self.some(NAMES[NAMES.index(name) :]),
            setup=self.body(),
            teardown=self.maybe(self.body),
            has_finalizer=self.rarely(),
            parameters=2 if self.rarely() else 0,
            is_autouse=self.rarely(),
        )

    def policy(self) -> Policy:
        return Policy(scope=self.one_of(SCOPES), is_parametrized=self.once_in(3))

    def outer_mark(self, scopes: Scopes) -> Mark | None:
        """Draw the mark of a module or class, which is invalid where all tests hide it."""
        is_valid = self.once_in(2)
        return self.maybe(lambda: self.mark(scopes, is_valid=is_valid), 3 if is_valid else 6)

    def mark(self, scopes: Scopes, *, is_valid: bool = True) -> Mark:
        return Mark(
            loop_scope=self.test_scope(scopes) if self.often() else None,
            loop_factories=self.one_of([()] * 12 + [("B",), ("B", "A")]),
            is_valid=is_valid,
        )

    def test_default(self, scopes: Scopes) -> str | None:
        is_needed = "function" not in self.test_scopes
        return self.test_scope(scopes) if is_needed or self.once_in(2) else None

    def test_scope(self, scopes: Scopes) -> str:
        return self.one_of([scope for scope in scopes if scope in self.test_scopes])

    def body(self) -> Body:
        return Body(
            steps=self.maybe(lambda: self.some(STEPS)) or (),
            requests=self.maybe(lambda: self.some(NAMES)) or (),
            outcome=self.one_of(["passes"] * 100 + sorted(OUTCOMES)),
        )


class _WideLoops(_Drawing):
    """Async tests and fixtures on the shared loops of two factories, and nothing else.

    In which order these end is seen where nothing else ends them.
    """

    def suite(self, scopes: Scopes) -> Suite:
        test_default = self.one_of(["module", "session"])
        return Suite(root=self.root(scopes), mode="auto", test_default=test_default)

    def root(self, scopes: Scopes) -> Directory:
        return Directory(
            fixtures=self.fixtures(scopes),
            hook=Hook(("A", "B"), ("A", "B")),
            modules=self.few(lambda: self.module(scopes), least=1),
        )

    def module(self, scopes: Scopes) -> Module:
        return Module(
            fixtures=self.fixtures(scopes),
            tests=self.few(lambda: Case(is_async=True, needs=self.some(NAMES)), least=1, most=4),
        )

    def fixture(self, name: str, scopes: Scopes) -> Fixture:
        scope, loop_scope = self.one_of(WIDE)
        return Fixture(
            name=name,
            scope=scope,
            loop_scope=loop_scope,
            is_async=True,
            needs=self.some(NAMES[NAMES.index(name) + 1 :]),
            teardown=Body(),
        )
