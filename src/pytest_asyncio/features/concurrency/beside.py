"""Which tests ran at the same time as one that has failed: it may have failed because of them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, final

import pytest

from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.nodes import address
from pytest_asyncio.support.words import listed

TITLE: Final = "tests that ran at the same time"
REPORTS: Final = "asyncio-overlaps"
"""As what the plugin `Reports` is registered."""
AT_MOST: Final = 8
"""How many of them are named."""


@final
class Overlaps:
    """The tests that run at the same time, in the order in which they have begun."""

    def __init__(self) -> None:
        self._begun: Final[list[pytest.Item]] = []
        self._known: Final[dict[pytest.Item, tuple[list[pytest.Item], int]]] = {}
        """Those that are not reported: what ran when each began, and how many had begun."""
        self._over: Final[dict[pytest.Item, int]] = {}
        """Those of them that are over, and how many others had begun by then."""

    def begin(self, item: pytest.Item) -> None:
        running = [other for other in self._known if other not in self._over]
        self._begun.append(item)
        self._known[item] = running, len(self._begun)

    def end(self, item: pytest.Item) -> None:
        self._over.setdefault(item, len(self._begun))

    def forget(self, item: pytest.Item) -> None:
        self._known.pop(item, None)
        self._over.pop(item, None)
        if not self._known:
            self._begun.clear()

    def of(self, item: pytest.Item) -> list[pytest.Item]:
        """Return what has run at the same time as a test that is not forgotten."""
        running, begun = self._known[item]
        return [*running, *self._begun[begun : self._over.get(item)]]


@final
class Reports:
    """The hook by which the report of a failure names them."""

    def __init__(self, overlaps: Overlaps) -> None:
        self.overlaps: Final = overlaps

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed and (others := self.overlaps.of(item)):
            names = [_name_of(other, item) for other in others]
            pytest_private.add_section(report, TITLE, listed(names, AT_MOST))
        return report


def _name_of(item: pytest.Item, failed: pytest.Item) -> str:
    file, _, name = item.nodeid.partition("::")
    return name if failed.nodeid.startswith(f"{file}::") else address(item)
