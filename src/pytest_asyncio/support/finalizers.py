"""Calling what is to be called at an end, whatever one of it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn

from . import pytest_private


def call_all(finalizers: Iterable[Callable[[], object]], ending: str) -> None:
    """Call all finalizers, one after the other, and then raise what they have raised."""
    __tracebackhide__ = True
    errors: list[BaseException] = []
    for finalizer in finalizers:
        try:
            finalizer()
        except BaseException as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        _raise_together(errors, ending)


def _raise_together(errors: list[BaseException], ending: str) -> NoReturn:
    __tracebackhide__ = pytest_private.GROUPS_MAY_BE_HIDDEN
    raise BaseExceptionGroup(f"errors at the end of {ending}", errors)
