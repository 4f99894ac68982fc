"""What the header of a report says about the options: what is in force, and what is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import pytest

from .options import given_value, of

ONE_BY_ONE: Final = "asyncio: tests with a virtual clock run one after another"


def lines(config: pytest.Config) -> list[str]:
    """Return what is in force, and what is given and not in force."""
    settings = of(config)
    factory = given_value("asyncio_loop_factory", config, {})
    parts = [
        f"mode={settings.mode}",
        f"debug={settings.debug}",
        f"asyncio_default_fixture_loop_scope={settings.default_fixture_loop_scope}",
        f"asyncio_default_test_loop_scope={settings.default_test_loop_scope}",
        *([f"asyncio_loop_factory={factory}"] if factory else []),
        *([f"asyncio_timeout={settings.timeout:g}"] if settings.timeout else []),
        *(["asyncio_tasks=True"] if settings.tasks else []),
        *([f"asyncio_checks={','.join(settings.checks)}"] if settings.checks else []),
        *(["asyncio_clock=virtual"] if settings.clock == "virtual" else []),
        *(["asyncio_live=True"] if settings.live else []),
        *(["asyncio_concurrent=True"] if settings.concurrent else []),
        *([f"asyncio_concurrency={settings.concurrency}"] if settings.concurrent else []),
        *([f"asyncio_cancel={settings.cancel}"] if settings.cancel else []),
        *([f"asyncio_schedules={settings.schedules}"] if settings.schedules else []),
        *([f"asyncio_late={settings.late}"] if settings.late else []),
        *([f"asyncio_seed={settings.seed}"] if settings.seed else []),
    ]
    return [f"asyncio: {', '.join(parts)}", *_not_in_force(config)]


def _not_in_force(config: pytest.Config) -> Iterator[str]:
    settings = of(config)
    for name in ("asyncio_default_fixture_loop_scope", "asyncio_default_test_loop_scope"):
        value = given_value(name, config, {})
        if value and settings.loop_scope not in (None, value):
            yield f"asyncio: {name}={value} is not in force, because asyncio_loop_scope goes first"
    hooks = config.hook.pytest_asyncio_loop_factories.get_hookimpls()
    if settings.loop_factory is not None and hooks:
        implementer = hooks[-1].plugin_name.removeprefix(f"{config.rootpath}{os.sep}")
        yield (
            "asyncio: asyncio_loop_factory is not in force where the hook "
            f"pytest_asyncio_loop_factories of {implementer} says what makes the loops"
        )
    if settings.live and settings.clock == "virtual":
        yield "asyncio: asyncio_live is not in force for tests with a virtual clock"
    if settings.concurrent and settings.clock == "virtual":
        yield ONE_BY_ONE
