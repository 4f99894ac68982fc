"""What is read of objects that users or other plugins have made, which may answer anything.

Some answer every question (mocks, a class with a `__getattr__`), some raise at any (lazy modules,
proxies that are not bound yet), some lie about their class. None of that is an error of who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeGuard


def attribute(of: object, name: str, kind: type[Any]) -> Any:
    """Return an attribute of an object if it has one of that name and kind.

    One that cannot be read is none, whatever reading it raises; Ctrl-C is not the object's.
    """
    try:
        value: Any = getattr(of, name, None)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None
    return value if issubclass(type(value), kind) else None


def own_attribute(of: object, name: str) -> Any:
    """Return an attribute that was set at an object itself, as decorators do with functions."""
    attributes: Any = of.__dict__ if type(of) is FunctionType else attribute(of, "__dict__", dict)
    return None if attributes is None else attributes.get(name)


def is_a(value: object, kind: type[Any] | tuple[type[Any], ...]) -> TypeGuard[Any]:
    """Return whether a value is of a kind, by its type, and not by what it says its class is."""
    return issubclass(type(value), kind)


def holds(predicate: Callable[[Any], object], value: object) -> bool:
    """Return whether a predicate holds for an object; it does not where that is unknown."""
    try:
        return bool(predicate(value))
    except KeyboardInterrupt:
        raise
    except BaseException:
        return False


def text(value: object) -> str:
    """Return what an object says of itself by `str()`, or nothing where that raises."""
    try:
        return str(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return ""
