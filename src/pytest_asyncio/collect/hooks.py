"""The hooks that a suite may implement."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_asyncio.support.types import LoopFactory


def offer_loop_factories(config: pytest.Config) -> bool:
    """Tell whether anything in the session implements the hook for loop factories."""
    return bool(config.hook.pytest_asyncio_loop_factories.get_hookimpls())


class OwnHooks:
    """Hooks by which the files of the plugin know of one another."""

    @pytest.hookspec
    def pytest_asyncio_started(self, session: pytest.Session) -> None:
        """The first async test of a session is about to be set up."""


class Hooks:
    """Hooks for suites, declared for pluggy."""

    @pytest.hookspec
    def pytest_asyncio_options(self, config: pytest.Config) -> Mapping[str, object] | None:
        """Set options for the tests of a folder, by name, in the `conftest.py` of that folder.

        What the command line says goes first, then the closest folder, then the ini file.
        """

    @pytest.hookspec(firstresult=True)
    def pytest_asyncio_loop_factories(
        self, config: pytest.Config, item: pytest.Item
    ) -> Mapping[str, LoopFactory] | None:
        """Offer the loop factories that an async test runs with, by name.

        The test runs once with each. None means no opinion: the next implementation is asked.
        """
