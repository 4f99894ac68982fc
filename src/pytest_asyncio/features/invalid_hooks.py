"""Implementations of our hooks with arguments that there are not: a sentence, not a traceback."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from types import FunctionType
from typing import Any

import pytest
from pluggy import PluginValidationError

from pytest_asyncio.collect.hooks import Hooks
from pytest_asyncio.support.foreign import attribute


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None]:
    try:
        yield
    except PluginValidationError as error:
        fault = _fault_of(error)
        if fault is not None:
            raise pytest.UsageError(fault) from None
        raise


def pytest_exception_interact(call: pytest.CallInfo[Any], report: object) -> None:
    error = None if call.excinfo is None else call.excinfo.value
    if isinstance(error, PluginValidationError) and isinstance(report, pytest.CollectReport):
        report.longrepr = _fault_of(error) or report.longrepr


def _fault_of(error: PluginValidationError) -> str | None:
    """Say what is wrong with one of our hooks in a plugin that pytest refuses, if that is it."""
    for name, hook in vars(Hooks).items():
        function = attribute(error.plugin, name, FunctionType)
        if not name.startswith("pytest_") or function is None:
            continue
        known = [*inspect.signature(hook).parameters][1:]
        unknown = [each for each in inspect.signature(function).parameters if each not in known]
        if unknown:
            return (
                f"{function.__code__.co_filename}: the hook {name} takes no argument "
                f"{unknown[0]!r}. It may take: {', '.join(known)}."
            )
    return None
