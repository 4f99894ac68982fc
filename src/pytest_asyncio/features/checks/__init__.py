"""Checks: diagnoses that can be switched on, one a file, found by their names.

A file `leaked_tasks.py` here is the check `leaked-tasks`. It holds the warning class that the check
speaks through, and a class `Check`.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator
from contextvars import Context, Token, copy_context
from functools import partial
from typing import Any, ClassVar, Final, NoReturn, TypeAlias, final

import pytest

from pytest_asyncio.collect import fixtures, options
from pytest_asyncio.engine.context import CULPRIT
from pytest_asyncio.engine.fixture_setups import Deferred
from pytest_asyncio.engine.plan import plan_of
from pytest_asyncio.engine.runs import Run
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import asyncio_private, frames, garbage, pytest_private

from . import _summary


class CheckWarning(pytest.PytestWarning):
    """What a check has found. The warnings of all checks are subclasses of this one."""

    __module__ = "pytest_asyncio"


@final
class Culprit:
    """A test, or a fixture from its setup to its teardown, to which a finding is ascribed."""

    def __init__(
        self, name: str, function: Any, item: pytest.Item | None = None, scope: str | None = None
    ) -> None:
        self._name: Final = name
        self.function: Final = function
        """That which defines it."""
        self.item: Final = item
        """Whose report has what is found. That of a wide fixture may be in any."""
        self.has_fixtures: bool = False
        """Whether it is a test with fixtures of its own, which may yet end what it leaves."""
        self._scope: Final = scope
        """That of a fixture."""
        self._below: Final[set[Culprit]] = set()
        self.is_torn_down: bool = False

    def uses(self, fixture: Culprit) -> None:
        """Let a fixture that this one has requested end what this one leaves.

        One of a wider scope would end that too late, when others have seen it.
        """
        if fixture._scope == self._scope:
            self._below.update((fixture, *fixture._below))

    @property
    def is_left_alone(self) -> bool:
        """Whether it is a fixture for which nothing is left that may end what it leaves."""
        return self.is_torn_down and all(it.is_torn_down for it in self._below)

    def __str__(self) -> str:
        return self._name


def whose(context: Context | None = None) -> Culprit | None:
    """Return for whom the code in a context runs, or the calling code; None if nobody can know.

    What another thread has brought, or was begun outside of tests and fixtures, is of no context
    that tells.
    """
    found: Culprit | None = CULPRIT.get() if context is None else context.get(CULPRIT)
    return found


_COLLECTIONS: Final = 8 if sys.version_info < (3, 12) else 0
"""How many collections of garbage may interrupt the setting of one context variable, at most."""

NOBODY: Final = "Code that is no test's for certain"
"""What stands in a finding for a culprit, where nobody can know."""

Report: TypeAlias = Callable[[CheckWarning, str, int, Culprit | None], None]
"""Takes a warning, the file and line that it is about, and to whom it is ascribed."""

Found: TypeAlias = tuple[CheckWarning, str, int]


class BaseCheck(Observer):
    """A check of a session."""

    def __init__(self, session: pytest.Session, report: Report) -> None:
        self.session: Final = session
        self.report: Final = report

    def end(self, culprit: Culprit) -> None:
        """Look at what a test or fixture has left behind. Nothing of it runs any more."""

    def finish(self) -> None:
        """Look at what all tests have left behind. All fixtures are torn down."""


def start(session: pytest.Session) -> None:
    """Have the tests and fixtures of a session checked from now on."""
    names = selected(options.of(session.config).checks)
    session.config.pluginmanager.register(Checks(session, names))
    SessionState.of(session).failed()  # What the checks find is raised outside of the phases.


def register(config: pytest.Config) -> None:
    """Have the terminal say so where the checks of an option find nothing."""
    selected(options.of(config).checks)
    config.pluginmanager.register(_summary.Summary())


def selected(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the checks that an option gives, which may say "all".

    Raises `pytest.UsageError` for one that there is not.
    """
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    known = sorted(name.replace("_", "-") for name in modules if not name.startswith("_"))
    for name in given:
        if name != "all" and name not in known:
            raise options.invalid(
                "asyncio_checks", name, f"Valid checks are: all, {', '.join(known)}."
            )
    return tuple(known) if "all" in given else given


def _module(name: str) -> Any:
    return importlib.import_module(f".{name.replace('-', '_')}", __package__)


@final
class Checks(Observer):
    """The checks that a session has switched on, and what they have found and not reported yet.

    What a test leaves is reported at the end of its call; where it has fixtures of its own, which
    may yet end that, after their teardown. What a fixture leaves is reported after its teardown and
    that of the fixtures of its scope that it uses.
    """

    KEY: ClassVar = pytest.StashKey["Checks"]()

    def __init__(self, session: pytest.Session, names: tuple[str, ...]) -> None:
        session.stash[self.KEY] = self
        self.raised: Callable[[list[Found]], list[Warning]] = warn
        """Takes what was found, and returns what of it is an error. A feature that runs a test
        again may have another opinion for a while."""
        self._state: Final = SessionState.of(session)
        self._found: Final[dict[pytest.Item | None, list[Found]]] = {}
        self._has_found = False
        self._set_up: Final[dict[pytest.FixtureDef[Any], Culprit]] = {}
        self._torn_down: list[Culprit] = []
        self._checks: Final[list[BaseCheck]] = [
            _module(name).Check(session, self._report) for name in names
        ]
        for observer in (self, *self._checks):
            self._state.observe(observer)
        self._interrupted: Token[Culprit | None] | None = None
        # A collection may interrupt the setting of a context variable, which goes on with what it
        # has found: Python 3.11 would have freed that by then.
        self._held: Final = deque[Context](maxlen=_COLLECTIONS)
        session.config.add_cleanup(garbage.see_collections(self._collect))

    def _collect(self, phase: str, _: object) -> None:
        """Let what the garbage collector calls be nobody's, and not of whom it interrupts."""
        if phase == "start":
            self._held.append(copy_context())
            self._interrupted = CULPRIT.set(None)
        elif self._interrupted is not None:  # pragma: no branch  # It may begin before the check.
            CULPRIT.reset(self._interrupted)
            self._interrupted = None

    def run_begins(self, run: Run) -> None:
        """Know a test that runs beside others before pytest calls it."""
        if run.phase == "call" and run is not self._state.current_test.run:
            context = asyncio_private.context_of(run.task)
            if context is not None and whose(context) is None:
                context.run(CULPRIT.set, _test_culprit(run.item))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        item = pytest_private.item_of(request)
        only_user = item if request.scope == "function" else None
        title = fixtures.title_of(fixturedef)
        fixture = Culprit(title, fixturedef.func, only_user, request.scope)
        self._requested(fixture, fixturedef, request)
        fixturedef.addfinalizer(partial(self._end_fixture, fixture, fixturedef, item))
        token = CULPRIT.set(fixture)

        def finish() -> None:
            CULPRIT.reset(token)
            test = _test_culprit(item)
            if only_user is not None and plan_of(item) and not test.has_fixtures:
                # Called after the fixture's teardown, and before the loop of the test is closed.
                test.has_fixtures = True
                item.addfinalizer(partial(self._end_test, test, item))

        return (yield from self._raise_after(finish, item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        __tracebackhide__ = True
        test = _test_culprit(item)
        token = CULPRIT.set(test)

        def finish() -> None:
            CULPRIT.reset(token)
            if not test.has_fixtures:
                self._look(test)
                del item.stash[_TEST]  # It may be run again.

        return (yield from self._raise_after(finish, item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True

        def finish() -> None:
            if nextitem is None:
                for check in self._checks:
                    check.finish()

        return (yield from self._raise_after(finish, item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        _summary.mark(report, is_async=plan_of(item) is not None, has_found=self._has_found)
        return report

    def _report(
        self, finding: CheckWarning, filename: str, line: int, culprit: Culprit | None
    ) -> None:
        self._has_found = True
        item = None if culprit is None else culprit.item
        if item is not None and _TEST not in item.stash:  # Its report is made.
            item = None
        self._found.setdefault(item, []).append((finding, filename, line))

    def _look(self, culprit: Culprit) -> None:
        for check in self._checks:
            check.end(culprit)

    def _end_test(self, test: Culprit, item: pytest.Item) -> None:
        __tracebackhide__ = True
        try:
            self._look(test)
            self._raise_found(item)
        finally:
            del item.stash[_TEST]  # It may be run again.

    def _requested(
        self,
        fixture: Culprit,
        fixturedef: pytest.FixtureDef[Any],
        request: pytest.FixtureRequest,
    ) -> None:
        """Know which fixtures one uses, by its arguments or by `getfixturevalue()`."""
        for argument in pytest_private.requested_arguments(fixturedef, request):
            if argument in self._set_up:  # It may be from before the first async test.
                fixture.uses(self._set_up[argument])
        requesting = whose()
        if requesting is not None:
            requesting.uses(fixture)
        self._set_up[fixturedef] = fixture

    def _end_fixture(
        self, fixture: Culprit, fixturedef: pytest.FixtureDef[Any], item: pytest.Item
    ) -> None:
        __tracebackhide__ = True
        fixture.is_torn_down = True
        self._set_up.pop(fixturedef, None)  # It is there once, though it may have begun again.
        self._torn_down.append(fixture)
        due = [it for it in self._torn_down if it.is_left_alone]
        self._torn_down = [it for it in self._torn_down if it not in due]
        for culprit in due:
            self._look(culprit)
        self._raise_found(item)

    def _raise_after(
        self, finish: Callable[[], None], item: pytest.Item
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        try:
            result = yield
        except Deferred:
            finish()
            raise
        except BaseException as failure:
            finish()
            for error in self._take(item):
                failure.add_note(f"{type(error).__name__}: {error}")
            raise
        finish()
        self._raise_found(item)
        return result

    def _raise_found(self, item: pytest.Item) -> None:
        __tracebackhide__ = True
        errors = self._take(item)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            self._raise_group(errors)

    def _raise_group(self, errors: list[Warning]) -> NoReturn:
        __tracebackhide__ = pytest_private.GROUPS_MAY_BE_HIDDEN
        raise ExceptionGroup(f"{len(errors)} checks failed", errors)

    def _take(self, item: pytest.Item) -> list[Warning]:
        """Take what is found of an item, and what is in nobody's report."""
        return self.raised([*self._found.pop(None, ()), *self._found.pop(item, ())])


def culprit_of(item: pytest.Item) -> Culprit:
    return Culprit(item.name, getattr(item, "function", None), item)


def warn(found: list[Found]) -> list[Warning]:
    """Warn of what was found, and return what pytest's filters have made errors."""
    errors: list[Warning] = []
    for finding, filename, line in found:
        try:
            warnings.warn_explicit(finding, type(finding), filename, line)
        except Warning as error:
            errors.append(raised_at(filename, line, error))
    return errors


def raised_at(filename: str, line: int, finding: Warning) -> Warning:
    """Return what was found as an error that the line which it is about has raised."""
    return finding.with_traceback(frames.traceback_at(filename, line))


def _test_culprit(item: pytest.Item) -> Culprit:
    """Return the one culprit that a test is, from the setup of its own fixtures to its end."""
    test = item.stash.get(_TEST, None)
    if test is None:
        test = item.stash[_TEST] = culprit_of(item)
    return test


_TEST: Final[pytest.StashKey[Culprit]] = pytest.StashKey()
