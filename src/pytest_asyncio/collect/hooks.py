"""The hooks that a suite may implement."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from pytest_asyncio.support.types import LoopFactory


def offer_loop_factories(config: pytest.Config) -> bool:
    """Return whether anything in the session implements the hook for loop factories."""
    return bool(config.hook.pytest_asyncio_loop_factories.get_hookimpls())


def options_for(item: pytest.Item, names: Sequence[str]) -> dict[str, object]:
    """Return the options that the hooks of a test's folder, and of those around it, set for it.

    Raises `pytest.UsageError` for other names than those that a folder may set.
    """
    options: dict[str, object] = {}
    results: list[object] = item.ihook.pytest_asyncio_options(config=item.config)
    for of_folder in reversed(results):
        if not isinstance(of_folder, Mapping):
            raise pytest.UsageError(
                "pytest_asyncio_options must return a mapping of the names of options to their "
                f"values, not {reprlib.repr(of_folder)}."
            )
        for name, value in cast("Mapping[object, object]", of_folder).items():
            if not isinstance(name, str) or name not in names:
                raise pytest.UsageError(
                    f"pytest_asyncio_options cannot set {reprlib.repr(name)} for "
                    f"{item.path.parent}. Options for a folder are: {', '.join(names)}."
                )
            options[name] = value
    return options


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
