"""What the plugin does while pytest collects tests.

What few suites use is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any, ClassVar, Final, final

import pytest

from pytest_asyncio.support import pytest_private

from . import hooks, items, options
from .fixtures import POLICY_FIXTURE


def pytest_plugin_registered(manager: pytest.PytestPluginManager) -> None:
    config: Any = manager.get_plugin("pytestconfig")
    if options.are_parsed(config):  # A conftest of a directory is configured as late as this.
        # To pytest, it would be an error of the directory. Once all is collected, it is raised.
        with suppress(pytest.UsageError):
            read_options(config)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    __tracebackhide__ = True
    item = metafunc.definition
    collector: Any = item.parent
    if _HAS_ORDINARY_LOOPS in collector.stash:
        return
    has_policy = not pytest_private.has_one_fixture(item.session, POLICY_FIXTURE)
    has_factories = hooks.offer_loop_factories(metafunc.config)
    if has_policy:
        from . import policies

        policies.request_override(metafunc)
    if has_factories and items.is_async_test(item):
        from . import loop_factories

        loop_factories.parametrize(metafunc)
    if not (has_policy or has_factories):
        collector.stash[_HAS_ORDINARY_LOOPS] = True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    yield
    if hooks.offer_loop_factories(config):
        from . import loop_factories

        loop_factories.apply_late_marks(items, config)


_HAS_ORDINARY_LOOPS: Final[pytest.StashKey[bool]] = pytest.StashKey()
"""What is known of the tests of a collector since the first of them: nothing says what makes their
loops.
"""


def read_options(config: pytest.Config) -> None:
    """Parse the options, once more wherever hooks of a suite may have set some meanwhile."""
    options.parse(config)
    plugins = config.pluginmanager
    may_be_auto = options.of(config).auto_mode or options.of(config).has_folders
    if may_be_auto != plugins.hasplugin(AutoMode.NAME):
        if may_be_auto:
            plugins.register(AutoMode(), AutoMode.NAME)
        else:
            plugins.unregister(name=AutoMode.NAME)


def read_late_options(session: pytest.Session) -> None:
    """Read the options once more, for hooks of the suite may have set some meanwhile."""
    try:
        read_options(session.config)
        options.raise_refused(session.config)
    except pytest.UsageError as error:
        if hasattr(session.config, "workerinput"):
            session.shouldfail = str(error)  # That is what xdist shows of the end of a worker.
        raise


@final
class AutoMode:
    """The hooks of a session while it is in auto mode."""

    NAME: ClassVar = "asyncio-auto-mode"

    def __init__(self) -> None:
        # One for all items, so that it is read once. It says nothing, so that it hides no other.
        self._implied_mark: Final = pytest.mark.asyncio(loop_scope=None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        items.add_implied_mark(self._implied_mark, metafunc.definition)

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        if isinstance(item, pytest.Function):
            items.add_implied_mark(self._implied_mark, item)
