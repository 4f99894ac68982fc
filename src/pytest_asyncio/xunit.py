"""Async `setup_module`, `setup_class`, `setup_method`, `setup_function`, and their teardowns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from typing import Any, Final

import pytest

from . import callables, context, internals, settings

# What pytest calls the fixtures that it makes of these functions, up to a name of the module or
# class, and what they call before and after the tests.
_FUNCTIONS: Final = {
    "_xunit_setup_module_fixture_": (
        ("setUpModule", "setup_module"),
        ("tearDownModule", "teardown_module"),
    ),
    "_xunit_setup_class_fixture_": (("setup_class",), ("teardown_class",)),
    "_xunit_setup_method_fixture_": (("setup_method",), ("teardown_method",)),
    "_xunit_setup_function_fixture_": (("setup_function",), ("teardown_function",)),
}


def is_ours(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> bool:
    """Tell whether a fixture calls an async xunit function of asyncio tests."""
    if not fixturedef.argname.startswith("_xunit_setup_"):
        return False
    item = internals.item_of(request)
    if not settings.of(item.config).auto_mode and item.get_closest_marker("asyncio") is None:
        return False
    return any(
        function is not None and callables.kind_of(function) == "coroutine"
        for function in _functions_of(fixturedef, request)
    )


def synchronous(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """Return what pytest can call to set up such a fixture, on the loop of an async fixture."""

    def generate(request: pytest.FixtureRequest) -> Iterator[None]:
        __tracebackhide__ = True
        before, after = _functions_of(fixturedef, request)
        own_context = copy_context()
        _call(before, fixturedef, request, own_context)
        undo = context.publish(own_context)
        try:
            yield
            context.bring(own_context)
            _call(after, fixturedef, request, own_context)
        finally:
            if undo is not None:
                undo()

    return generate


def _functions_of(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> list[Callable[..., Any] | None]:
    (names,) = (
        names for start, names in _FUNCTIONS.items() if fixturedef.argname.startswith(start)
    )
    holder = {"module": request.module, "class": request.cls}.get(request.scope)
    if holder is None:
        is_method = fixturedef.argname.startswith("_xunit_setup_method_")
        holder = request.instance if is_method else request.module
        if not is_method and request.instance is not None:
            return [None, None]  # For methods, there is setup_method.
    return [
        next((getattr(holder, name) for name in either if hasattr(holder, name)), None)
        for either in names
    ]


def _call(
    function: Callable[..., Any] | None,
    fixturedef: pytest.FixtureDef[Any],
    request: pytest.FixtureRequest,
    own_context: Context,
) -> None:
    """Call a function, with the argument that pytest gives it if it takes one."""
    __tracebackhide__ = True
    if function is None:
        return
    argument = {"module": lambda: request.module, "class": lambda: request.cls}.get(
        request.scope, lambda: request.function
    )()
    arguments = [argument] if inspect.signature(function).parameters else []
    result = own_context.run(function, *arguments)
    if inspect.isawaitable(result):
        from . import lifetimes  # which needs asyncio, as the import of the plugin does not

        owner = lifetimes.owner_for(fixturedef, request)
        owner.call(result, own_context, internals.item_of(request))
