"""Random suites over the whole surface of pytest-asyncio 1.5, made by Hypothesis."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st
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
NAMES = "abcd"
EXPECTS = ["skip", "xfail", "xfail(strict=True)", "xfail(run=False)"]
STEPS = sorted({*ASYNC_STEPS, *SYNC_STEPS, "context"})


def rarely(value: T, otherwise: T) -> st.SearchStrategy[T]:
    return st.sampled_from([otherwise] * 7 + [value])


def sometimes(value: T, otherwise: T) -> st.SearchStrategy[T]:
    return st.sampled_from([otherwise] * 2 + [value])


def often(value: T, otherwise: T) -> st.SearchStrategy[T]:
    return st.sampled_from([otherwise] + [value] * 3)


def maybe(strategy: st.SearchStrategy[T], times: int = 1) -> st.SearchStrategy[T | None]:
    """Draw nothing, or once in so many times something."""
    return st.sampled_from([None] * (times - 1) + [True]).flatmap(
        lambda drawn: strategy if drawn else st.none()
    )


def few(
    elements: st.SearchStrategy[T], least: int = 0, most: int = 2
) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(elements, min_size=least, max_size=most).map(tuple)


def some(names: str | list[str], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), max_size=most, unique=True).map(tuple)


outcomes = st.sampled_from(["passes"] * 100 + sorted(OUTCOMES))
bodies = st.builds(
    Body,
    steps=st.just(()) | some(STEPS),
    requests=st.just(()) | some(NAMES),
    outcome=outcomes,
)
USUAL = ("function", "module", "session")
"""Of the others, much is a listed difference."""


def marks(scopes: tuple[str, ...]) -> st.SearchStrategy[Mark]:
    return st.builds(
        Mark,
        loop_scope=often(scopes, (None,)).flatmap(st.sampled_from),
        loop_factories=st.sampled_from([()] * 12 + [("B",), ("B", "A")]),
        is_valid=st.just(True),
    )


def outer_marks(scopes: tuple[str, ...]) -> st.SearchStrategy[Mark | None]:
    """Draw marks of modules and classes, some of which are invalid where all tests hide them."""
    return maybe(marks(scopes), 3) | maybe(
        marks(scopes).map(lambda mark: replace(mark, is_valid=False)), 6
    )


def fixtures(scopes: tuple[str, ...]) -> st.SearchStrategy[tuple[Fixture, ...]]:
    named = {
        name: st.builds(
            Fixture,
            name=st.just(name),
            scope=st.sampled_from(scopes),
            loop_scope=st.none() | st.sampled_from(scopes),
            is_async=often(True, False),
            is_ours=st.booleans(),
            # Itself is the one that it overrides.
            needs=some(NAMES[NAMES.index(name) :]),
            setup=bodies,
            teardown=st.none() | bodies,
            has_finalizer=rarely(True, False),
            parameters=rarely(2, 0),
            is_autouse=rarely(True, False),
        )
        for name in NAMES
    }
    return st.lists(
        st.sampled_from(NAMES).flatmap(named.__getitem__),
        max_size=3,
        unique_by=lambda fixture: fixture.name,
    ).map(tuple)


policies = st.builds(
    Policy,
    scope=st.sampled_from(SCOPES),
    is_parametrized=sometimes(True, False),
)


def tests(scopes: tuple[str, ...]) -> st.SearchStrategy[Case]:
    return st.builds(
        Case,
        is_async=often(True, False),
        mark=st.none() | marks(scopes),
        needs=some(NAMES),
        uses=rarely(("a",), ()),
        indirect=rarely("a", None),
        parameters=st.sampled_from([0, 0, 0, 1, 2]).flatmap(
            lambda count: st.tuples(*[maybe(marks(scopes), 8)] * count)
        ),
        is_given=rarely(True, False),
        is_static=rarely(True, False),
        expects=st.sampled_from([""] * 12 + EXPECTS),
        body=bodies,
    )


def xunit(*kinds: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sampled_from([(), (), ()]) | some(list(kinds))


def classes(
    scopes: tuple[str, ...], inner: st.SearchStrategy[tuple[Class, ...]]
) -> st.SearchStrategy[Class]:
    return st.builds(
        Class,
        mark=outer_marks(scopes),
        fixtures=fixtures(scopes),
        policy=maybe(policies, 20),
        xunit=xunit("class", "method"),
        tests=few(tests(scopes), least=1),
        classes=inner,
    )


def modules(scopes: tuple[str, ...]) -> st.SearchStrategy[Module]:
    inside = ("class", *scopes)
    return st.builds(
        Module,
        mark=outer_marks(scopes),
        fixtures=fixtures(scopes),
        policy=maybe(policies, 12),
        xunit=xunit("module", "function"),
        tests=few(tests(scopes), least=1, most=3),
        classes=few(classes(inside, few(classes(inside, st.just(())), most=1)), most=1),
        unittest=maybe(
            st.builds(
                UnittestCase,
                fixtures=fixtures(inside),
                uses=some(NAMES),
                is_async=rarely(True, False),
            ),
            8,
        ),
        doctest=maybe(some(NAMES), 8),
        has_state_machine=st.sampled_from([False] * 30 + [True]),
    )


names = st.sampled_from([("A",), ("A",), ("A", "B")])
hooks = st.builds(Hook, names=names, names_elsewhere=names)
inner_hooks = hooks | st.builds(Hook, names=names, names_elsewhere=st.just(()))


def directories(
    scopes: tuple[str, ...], inner: st.SearchStrategy[tuple[Directory, ...]]
) -> st.SearchStrategy[Directory]:
    return st.builds(
        Directory,
        is_package=often(True, False),
        mark=maybe(marks(scopes), 8),
        fixtures=fixtures(scopes),
        policy=maybe(policies, 12),
        hook=maybe(inner_hooks, 12),
        modules=few(modules(scopes), least=1),
        directories=inner,
    )


def roots(scopes: tuple[str, ...]) -> st.SearchStrategy[Directory]:
    innermost = few(directories(scopes, st.just(())), most=1)
    return st.builds(
        Directory,
        is_package=st.just(False),
        mark=st.none(),
        fixtures=fixtures(scopes),
        policy=maybe(policies, 6),
        hook=maybe(hooks, 4),
        modules=few(modules(scopes), least=1),
        directories=few(directories(scopes, innermost)),
    )


def suites_with(scopes: tuple[str, ...]) -> st.SearchStrategy[Suite]:
    return st.builds(
        Suite,
        root=roots(scopes),
        mode=st.sampled_from(["auto", "strict"]),
        fixture_default=st.none() | st.sampled_from([*scopes, "fixture-scope"]),
        test_default=st.none() | st.sampled_from(scopes),
        is_debug=rarely(True, False),
        arguments=st.sampled_from([(), (), (), ("-x",), ("--maxfail=2",)]),
    )


suites = suites_with(USUAL) | suites_with(USUAL) | suites_with(SCOPES)
