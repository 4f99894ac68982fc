"""Checks: diagnoses that can be switched on, one a file, found by their names.

A file `leaked_tasks.py` here is the check `leaked-tasks`. It holds the warning class that the check
speaks through, and a class `Check`.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final, NoReturn, TypeAlias, final

import pytest

from pytest_asyncio.collect import fixtures, options
from pytest_asyncio.engine.plan import plan_of
from pytest_asyncio.engine.session import Observer, SessionState
from pytest_asyncio.support import frames, pytest_private


class CheckWarning(pytest.PytestWarning):
    """What a check has found. The warnings of all checks are subclasses of this one."""

    __module__ = "pytest_asyncio"


@final
@dataclass(frozen=True, eq=False)
class Culprit:
    """A test, or a fixture from its setup to its teardown, to which a finding is ascribed."""

    name: str
    function: Any
    """That which defines it."""

    def __str__(self) -> str:
        return self.name


CULPRIT: Final = ContextVar[Culprit | None]("CULPRIT", default=None)
"""For whom code runs. What runs in a copy of its context, such as a task, runs for the same one."""

Report: TypeAlias = Callable[[CheckWarning, str, int], None]
"""Takes a warning, and the file and line that it is about."""

Found: TypeAlias = tuple[CheckWarning, str, int]


class BaseCheck(Observer):
    """A check of a session."""

    def __init__(self, session: pytest.Session, report: Report) -> None:
        self.session: Final = session
        self.report: Final = report

    def end(self, culprit: Culprit) -> None:
        """Look at what a test or fixture has left behind. Nothing of it runs any more."""


def start(session: pytest.Session) -> None:
    """Have the tests and fixtures of a session checked from now on."""
    names = selected(options.of(session.config).checks)
    session.config.pluginmanager.register(Checks(session, names))
    SessionState.of(session).failed()  # What the checks find is raised outside of the phases.


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
class Checks:
    """The checks that a session has switched on, and what they have found and not reported yet.

    What a test leaves is reported at the end of its call; where it has fixtures of its own, which
    may yet end that, after their teardown.
    """

    KEY: ClassVar = pytest.StashKey["Checks"]()

    def __init__(self, session: pytest.Session, names: tuple[str, ...]) -> None:
        session.stash[self.KEY] = self
        self.raised: Callable[[list[Found]], list[Warning]] = warn
        """Takes what was found, and returns what of it is an error. A feature that runs a test
        again may have another opinion for a while."""
        self._found: list[Found] = []
        self._checks: Final[list[BaseCheck]] = [
            _module(name).Check(session, self._report) for name in names
        ]
        for check in self._checks:
            SessionState.of(session).observe(check)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        culprit = Culprit(fixtures.title_of(fixturedef), fixturedef.func)
        fixturedef.addfinalizer(partial(self._end, culprit))
        token = CULPRIT.set(culprit)

        def finish() -> None:
            CULPRIT.reset(token)
            item = pytest_private.item_of(request)
            if request.scope == "function" and plan_of(item) and _TEST not in item.stash:
                # Called after the fixture's teardown, and before the loop of the test is closed.
                test = item.stash[_TEST] = culprit_of(item)
                item.addfinalizer(partial(self._end_test, item, test))

        return (yield from self._raise_after(finish))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        __tracebackhide__ = True
        culprit = item.stash.get(_TEST, None) or culprit_of(item)
        token = CULPRIT.set(culprit)

        def finish() -> None:
            CULPRIT.reset(token)
            if _TEST not in item.stash:
                self._look(culprit)

        return (yield from self._raise_after(finish))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        __tracebackhide__ = True
        return (yield from self._raise_after(lambda: None))

    def _report(self, finding: CheckWarning, filename: str, line: int) -> None:
        self._found.append((finding, filename, line))

    def _look(self, culprit: Culprit) -> None:
        for check in self._checks:
            check.end(culprit)

    def _end_test(self, item: pytest.Item, culprit: Culprit) -> None:
        __tracebackhide__ = True
        del item.stash[_TEST]  # It may be run again.
        self._end(culprit)

    def _end(self, culprit: Culprit) -> None:
        __tracebackhide__ = True
        self._look(culprit)
        self._raise_found()

    def _raise_after(self, finish: Callable[[], None]) -> Generator[None, object, object]:
        __tracebackhide__ = True
        try:
            result = yield
        except BaseException as failure:
            finish()
            for error in self._take():
                failure.add_note(f"{type(error).__name__}: {error}")
            raise
        finish()
        self._raise_found()
        return result

    def _raise_found(self) -> None:
        __tracebackhide__ = True
        errors = self._take()
        if len(errors) == 1:
            raise errors[0]
        if errors:
            self._raise_group(errors)

    def _raise_group(self, errors: list[Warning]) -> NoReturn:
        __tracebackhide__ = pytest_private.GROUPS_MAY_BE_HIDDEN
        raise ExceptionGroup(f"{len(errors)} checks failed", errors)

    def _take(self) -> list[Warning]:
        found, self._found = self._found, []
        return self.raised(found)


def culprit_of(item: pytest.Item) -> Culprit:
    return Culprit(item.name, getattr(item, "function", None))


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


_TEST: Final[pytest.StashKey[Culprit]] = pytest.StashKey()
