"""The hooks of the tests that are started before pytest comes to them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, Final, Protocol, final

import pytest

from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.pytest_private import reporting


class _Started(Protocol):
    """A test of which a phase is over, or its setup."""

    def replay(self) -> None:
        """Write and log what belongs to the phase that pytest looks at."""

    def outcome(self) -> Any:
        """Return or raise what came of that phase."""


@final
class SetupHooks:
    """The hooks of a test's setup, in two parts.

    Those that act, such as the ones that skip a test, come before its fixtures. Those that listen
    to output, logs and errors that cannot be raised come when it is over.
    """

    def __init__(self, config: pytest.Config) -> None:
        plugins = config.pluginmanager
        self.started: Final[dict[pytest.Item, _Started]] = {}
        self._plugins: Final = plugins
        self._listeners: Final = {
            plugins.getplugin("capturemanager"),
            plugins.getplugin("logging-plugin"),
            plugins.getplugin("threadexception"),
            plugins.getplugin("unraisableexception"),
            plugins.register(self, "asyncio-started-tests") and self,
        }
        self._callers: Final[dict[object, Callable[..., object]]] = {}
        self.are_live: Final = reporting.shows_at_once(config)
        """Whether output is shown at once, and so has to come in the order of the reports."""

    def act(self, item: pytest.Function) -> None:
        excluded = pytest_private.excluded_plugins(item)
        if excluded not in self._callers:
            self._callers[excluded] = self._caller_without(excluded | self._listeners)
        self._callers[excluded](item=item)

    def listen(self, item: pytest.Function) -> None:
        __tracebackhide__ = True
        known = len(self._plugins.hook.pytest_runtest_setup.get_hookimpls())
        if known not in self._callers:
            others = self._plugins.get_plugins() - self._listeners
            self._callers[known] = self._caller_without(others)
        self._callers[known](item=item)

    def _caller_without(self, plugins: AbstractSet[object]) -> Callable[..., object]:
        return self._plugins.subset_hook_caller("pytest_runtest_setup", plugins)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        __tracebackhide__ = True
        test = self.started.get(item)
        if test is not None:
            test.replay()
            test.outcome()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        test = self.started.get(item)
        if test is not None:
            test.replay()
