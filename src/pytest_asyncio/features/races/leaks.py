"""What the checks find in a run that was cancelled, and not in the test as it is."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, final

import pytest

from pytest_asyncio.features import checks
from pytest_asyncio.features.checks import Checks, CheckWarning, Found

NAMES: Final = ("leaked-tasks", "never-awaited", "open-resources", "unhandled-exceptions")
"""The checks that a session with a sweep has if it has not switched any on."""


@final
class Leaks:
    """Makes failures of the runs of a sweep what checks find in them.

    What they find in the test as it is, they report as ever if the session has switched them on,
    and it counts no more in the runs that are cancelled.
    """

    def __init__(self, session: pytest.Session, names: tuple[str, ...]) -> None:
        self._has_checks: Final = Checks.KEY in session.stash
        self._checks: Final = (
            session.stash[Checks.KEY] if self._has_checks else Checks(session, names)
        )
        self._known: Final[set[type[CheckWarning]]] = set()
        self._is_watching = False
        self._own_file: str | None = None

    def watch_first(self) -> None:
        """Learn what is found in the test as it is."""
        self._known.clear()
        self._checks.raised = self._learn
        self._is_watching = True

    def watch_cancelled(self, own_file: str | None) -> None:
        """Raise what is found beyond that.

        What was started in a file of its own is no finding, and neither is what that may hold.
        """
        self._own_file = own_file
        self._checks.raised = self._new
        self._is_watching = True

    def stop(self) -> None:
        self._checks.raised = checks.warn
        self._is_watching = False

    def _learn(self, found: list[Found]) -> list[Warning]:
        self._known.update(type(finding) for finding, _, _ in found)
        return checks.warn(found) if self._has_checks else []

    def _new(self, found: list[Found]) -> list[Warning]:
        """Return the first finding that is none of the test as it is; it names the others."""
        if any(file == self._own_file for _, file, _ in found):
            return []
        new = [
            checks.raised_at(file, line, finding)
            for finding, file, line in found
            if type(finding) not in self._known
        ]
        for other in new[1:]:
            new[0].add_note(f"{type(other).__name__}: {other}")
        return [*new[:1]]

    @property
    def _is_calling(self) -> bool:
        """Whether nobody else calls the checks for the run that goes on."""
        return self._is_watching and not self._has_checks

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        if self._is_calling:
            return (yield from self._checks.pytest_fixture_setup(fixturedef, request))
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        __tracebackhide__ = True
        if self._is_calling:
            return (yield from self._checks.pytest_runtest_call(item))
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        if self._is_calling:
            return (yield from self._checks.pytest_runtest_teardown(item, nextitem))
        return (yield)
