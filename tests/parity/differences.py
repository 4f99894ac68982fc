"""What is meant to differ from pytest-asyncio 1.5, each with its line in the documentation.

Suites show more of these than can be left out when they are drawn. So each says of a suite whether
it may show there, and then what of the records is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from suites import (
    SCOPES,
    Class,
    Directory,
    Fixture,
    Mark,
    Module,
    Place,
    Policy,
    Suite,
    UnittestCase,
    fixtures_in,
    inner_places,
    places_in,
    tests_in,
    wider,
)
from written import CURRENT_LOOP

EVERYTHING = ".*"
ALL_BUT_OUTCOMES = "^[^=].*"
LOOP_NAMES = r"\w*EventLoop(?=#)|Loop[AB](?=#)"
POLICY_NAMES = r"\w*EventLoopPolicy|Policy[AB]"


@dataclass(frozen=True)
class Difference:
    line: str
    """How its line in `docs/differences.md` begins."""
    may_show: Callable[[Suite], bool]
    hides: str = EVERYTHING
    """The parts of lines that are not compared where it may show."""


def marks_merge(suite: Suite) -> bool:
    return any(map(_are_merged, _marks_of_tests(suite)))


Marks = tuple[Mark | None, ...]
"""The marks of a parameter, its function, and the places around it, from the inside out."""


def _counts_alone(marks: Marks) -> Mark:
    """Return which mark counts on 1.5: that of the function, or else the closest."""
    parameter, function, *outer = marks
    return next(filter(None, (function, parameter, *outer)), Mark())


def _are_merged(marks: Marks) -> bool:
    """Tell whether others say anything beside the mark that counts on 1.5."""
    closest, *further = [mark for mark in marks if mark is not None] or [Mark()]
    if closest != _counts_alone(marks):
        return True
    names_only_factories = closest.loop_scope is None and closest.loop_factories
    return any(
        (mark.loop_factories and not closest.loop_factories)
        or (mark.loop_scope and names_only_factories)
        for mark in further
    )


def _marks_of_tests(suite: Suite) -> Iterator[Marks]:
    def of(place: Place, outer: Marks) -> Iterator[Marks]:
        if not isinstance(place, UnittestCase):
            outer = place.mark, *outer
        if isinstance(place, Module | Class):
            for test in place.tests:
                yield from ((mark, test.mark, *outer) for mark in test.parameters or [None])
        for inner in inner_places(place):
            yield from of(inner, outer)

    yield from of(suite.root, ())


def parameters_marks_have_loop_factories(suite: Suite) -> bool:
    return _has_hook(suite) and any(
        mark for test in tests_in(suite.root) for mark in test.parameters
    )


def functions_have_class_loops(suite: Suite) -> bool:
    """Without a class, a function is its own class."""
    places = [place for place in places_in(suite.root) if not isinstance(place, Class)]
    fixtures = [fixture for place in places for fixture in place.fixtures]
    marks = [mark for place in places if isinstance(place, Module) for mark in _own_marks(place)]
    return (
        suite.test_default == "class"
        or any(suite.loop_scope_of(fixture) == "class" for fixture in fixtures)
        or any(mark.loop_scope == "class" for mark in marks)
    )


def _own_marks(module: Module) -> list[Mark]:
    """Return the marks that functions of a module have."""
    own = [mark for test in module.tests for mark in (test.mark, *test.parameters)]
    return [mark for mark in (module.mark, *own) if mark is not None]


def package_loops(suite: Suite) -> bool:
    return _loop_scopes(suite).count("package") > 1


def loops_outside_of_packages(suite: Suite) -> bool:
    has_outsiders = any(
        isinstance(place, Directory) and place.modules and not place.is_package
        for place in places_in(suite.root)
    )
    return has_outsiders and "package" in _loop_scopes(suite)


def _loop_scopes(suite: Suite) -> list[str]:
    """Return the loop scopes of all fixtures and tests."""
    return [*map(suite.loop_scope_of, fixtures_in(suite.root)), *_loop_scopes_of_tests(suite)]


def _loop_scopes_of_tests(suite: Suite) -> list[str]:
    default = suite.test_default or "function"
    return [_counts_alone(marks).loop_scope or default for marks in _marks_of_tests(suite)]


def sync_tests_have_loop_factories(suite: Suite) -> bool:
    if not _has_hook(suite):
        return False
    requested = [*_requested_by_sync_tests(suite)]
    fixtures = [*fixtures_in(suite.root)]
    if requested:
        requested.append({fixture.name for fixture in fixtures if fixture.is_autouse})
    return bool(_asynchronous_names(fixtures).intersection(set().union(*requested)))


def _requested_by_sync_tests(suite: Suite) -> Iterator[set[str]]:
    for place in places_in(suite.root):
        if isinstance(place, UnittestCase):
            yield {*place.uses}
        if isinstance(place, Module) and place.doctest is not None:
            yield {*place.doctest}
        if isinstance(place, Module) and place.has_state_machine:
            yield set()
    for test in tests_in(suite.root):
        if not test.is_async:
            yield {*test.needs, *test.uses, *test.body.requests, test.indirect or ""}


def _asynchronous_names(fixtures: list[Fixture]) -> set[str]:
    """Find the names behind which there may be something that has a loop."""
    names: set[str] = set()
    while True:
        found = {
            fixture.name
            for fixture in fixtures
            if fixture.is_async
            or fixture.is_ours
            or {*fixture.needs, *fixture.setup.requests} & names
        }
        if found <= names:
            return names
        names |= found


def single_factories_move_tests(suite: Suite) -> bool:
    hooks = [place.hook for place in places_in(suite.root) if isinstance(place, Directory)]
    offered = [names for hook in hooks if hook for names in (hook.names, hook.names_elsewhere)]
    return any(len(names) == 1 for names in offered) and any(
        scope != "function" for scope in _loop_scopes_of_tests(suite)
    )


def wide_fixtures_with_loop_factories(suite: Suite) -> bool:
    if not _has_hook(suite):
        return False
    narrowest = min(_loop_scopes_of_tests(suite), key=SCOPES.index, default="session")
    return any(
        wider(suite.loop_scope_of(fixture), narrowest) != narrowest
        for fixture in fixtures_in(suite.root)
        if fixture.is_async or fixture.is_ours
    )


def wide_tests_with_loop_factories(suite: Suite) -> bool:
    return _has_hook(suite) and len({*_loop_scopes_of_tests(suite)}) > 1


def wide_fixtures_fail_with_loop_factories(suite: Suite) -> bool:
    """Tell whether the test at which a teardown fails may be another one."""
    return bool(_with_failing_teardown(suite)) and wide_fixtures_with_loop_factories(suite)


def failing_teardowns(suite: Suite) -> bool:
    return any("context" in fixture.setup.steps for fixture in _with_failing_teardown(suite))


def _with_failing_teardown(suite: Suite) -> list[Fixture]:
    return [
        fixture
        for fixture in fixtures_in(suite.root)
        if fixture.teardown is not None and fixture.teardown.outcome != "passes"
    ]


def teardowns_see_others(suite: Suite) -> bool:
    return any("context" in fixture.setup.steps for fixture in fixtures_in(suite.root))


def policies_below_the_root(suite: Suite) -> bool:
    """Tell whether a wide loop may keep a policy in force where it is not seen."""
    places = [*places_in(suite.root)][1:]
    has_policy = any(getattr(place, "policy", None) is not None for place in places)
    return has_policy and suite.loop_scopes() != {"function"}


def policies_of_several_loops(suite: Suite) -> bool:
    return bool(_policies_in(suite)) and len(suite.loop_scopes()) > 1


def sync_tests_ask_for_loops_of_policies(suite: Suite) -> bool:
    return policies_of_several_loops(suite) and _sync_tests_ask_for_loops(suite)


def _sync_tests_ask_for_loops(suite: Suite) -> bool:
    steps = {step for test in tests_in(suite.root) if not test.is_async for step in test.body.steps}
    return not steps.isdisjoint(CURRENT_LOOP)


def sync_tests_ask_for_one_of_several_loops(suite: Suite) -> bool:
    return _sync_tests_ask_for_loops(suite) and len(suite.loop_scopes() - {"function"}) > 1


def parametrized_policies_with_loop_factories(suite: Suite) -> bool:
    return _has_hook(suite) and any(policy.is_parametrized for policy in _policies_in(suite))


def _policies_in(suite: Suite) -> list[Policy]:
    policies = [getattr(place, "policy", None) for place in places_in(suite.root)]
    return [policy for policy in policies if policy is not None]


def close_is_wrapped(suite: Suite) -> bool:
    return "flush" in _steps_of(suite)


def loops_are_set(suite: Suite) -> bool:
    return not _steps_of(suite).isdisjoint({"set", "unset"})


def fixtures_request_other_loops(suite: Suite) -> bool:
    """Tell whether a synchronous fixture may ask for its loop when it has requested others."""
    setups = [each.setup for each in fixtures_in(suite.root) if each.is_ours and not each.is_async]
    return any(body.requests and not CURRENT_LOOP.isdisjoint(body.steps) for body in setups)


def _steps_of(suite: Suite) -> set[str]:
    fixtures = [*fixtures_in(suite.root)]
    bodies = [
        *(fixture.setup for fixture in fixtures),
        *(fixture.teardown for fixture in fixtures),
        *(test.body for test in tests_in(suite.root)),
    ]
    return {step for body in bodies if body is not None for step in body.steps}


def _has_hook(suite: Suite) -> bool:
    return any(
        isinstance(place, Directory) and place.hook is not None for place in places_in(suite.root)
    )


DIFFERENCES = (
    Difference("**Marks on several levels**", marks_merge),
    Difference("**The mark of a parameter**", parameters_marks_have_loop_factories),
    Difference("**What is in no package**", loops_outside_of_packages),
    Difference("**What is in no package**", functions_have_class_loops),
    Difference("**The loop of a package**", package_loops),
    Difference("**Sync tests in a suite with loop factories**", sync_tests_have_loop_factories),
    Difference("**With a single loop factory**", single_factories_move_tests),
    Difference(
        "**A wide async fixture in a suite with loop factories**",
        wide_fixtures_fail_with_loop_factories,
    ),
    Difference(
        "**A wide async fixture in a suite with loop factories**",
        wide_fixtures_with_loop_factories,
        ALL_BUT_OUTCOMES,
    ),
    Difference(
        "**A wide async fixture in a suite with loop factories**",
        wide_tests_with_loop_factories,
        rf"^~.*| ({LOOP_NAMES})#.*",
    ),
    Difference("**The context variables of an async fixture**", failing_teardowns),
    Difference(
        "**The teardown of an async fixture**",
        teardowns_see_others,
        r"((?<= teardown )|(?<=: task ends )|(?<=: generator ends ))\S+ setup(?= )",
    ),
    Difference(
        "**An `event_loop_policy` of a folder, module or class**",
        policies_below_the_root,
        rf"{POLICY_NAMES}|{LOOP_NAMES}",
    ),
    Difference(
        "**An event loop policy**",
        policies_of_several_loops,
        rf".* ({POLICY_NAMES})$",
    ),
    Difference("**An event loop policy**", sync_tests_ask_for_loops_of_policies),
    Difference("**Beside loop factories**", parametrized_policies_with_loop_factories),
    Difference("**`loop.close()`**", close_is_wrapped, r".*: flush.*"),
    Difference("**`asyncio.get_event_loop()` in synchronous code**", loops_are_set, r".* finds .*"),
    Difference(
        "**`asyncio.get_event_loop()` in synchronous code**",
        sync_tests_ask_for_one_of_several_loops,
        r"^\S+ (finds|runs) .*",
    ),
    Difference(
        "**`asyncio.get_event_loop()` in synchronous code**",
        fixtures_request_other_loops,
        r"(?<= setup finds ).*|(?<= setup runs ).*",
    ),
)
NOT_NOTED = (
    "**Static methods that are async tests**",
    "**A context variable that a test sets**",
    "**`asyncio.all_tasks()` in a test**",
)
"""What the suites do not look at, because it differs."""


def is_comparable(suite: Suite) -> bool:
    return EVERYTHING not in _hidden(suite)


def without_listed(record: list[str], suite: Suite) -> list[str]:
    """Return what is compared of the record of a suite."""
    for hidden in _hidden(suite):
        record = [re.sub(hidden, "", line) for line in record]
    return renumbered([line for line in record if line])


def renumbered(record: list[str]) -> list[str]:
    """Number loops as they are first seen in what is left of a record."""
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], f"#{len(numbers)}")

    return [re.sub(r"#\d+", number, line) for line in record]


def _hidden(suite: Suite) -> list[str]:
    return [each.hides for each in DIFFERENCES if each.may_show(suite)]
