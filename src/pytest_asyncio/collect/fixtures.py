"""`pytest_asyncio.fixture`, and which loop an async fixture runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MethodType
from typing import Any, Final, Literal, ParamSpec, TypeVar, overload

import pytest

from pytest_asyncio.support.callables import is_itself_async, kind_of
from pytest_asyncio.support.foreign import attribute, is_a, own_attribute
from pytest_asyncio.support.types import ScopeName
from pytest_asyncio.support.warn import advise, warn_at

from . import items, options
from .options import SCOPES

P = ParamSpec("P")
R = TypeVar("R")

POLICY_FIXTURE: Final = "event_loop_policy"

XUNIT: Final = "_xunit_setup_"
"""How the names begin of the fixtures that pytest makes of `setup_module` and the like."""

CAN_AWAIT: Final = pytest.StashKey[Callable[[Any, pytest.FixtureDef[Any]], bool]]()
"""Set while a fixture is requested by code that can await some setups: which, by the loop owner."""


@overload
def fixture(
    fixture_function: Callable[P, R],
    *,
    scope: ScopeName | Callable[[str, pytest.Config], ScopeName] = ...,
    loop_scope: ScopeName | None = ...,
    timeout: float | None = ...,
    parallel: bool = ...,
    params: Iterable[object] | None = ...,
    autouse: bool = ...,
    ids: Iterable[str | float | int | bool | None] | Callable[[Any], object | None] | None = ...,
    name: str | None = ...,
) -> Callable[P, R]: ...


@overload
def fixture(
    fixture_function: None = ...,
    *,
    scope: ScopeName | Callable[[str, pytest.Config], ScopeName] = ...,
    loop_scope: ScopeName | None = ...,
    timeout: float | None = ...,
    parallel: bool = ...,
    params: Iterable[object] | None = ...,
    autouse: bool = ...,
    ids: Iterable[str | float | int | bool | None] | Callable[[Any], object | None] | None = ...,
    name: str | None = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def fixture(
    fixture_function: Callable[..., Any] | None = None,
    loop_scope: ScopeName | None = None,
    *,
    parallel: bool = False,
    **kwargs: Any,
) -> Any:
    """Declare a fixture whose function, if it is async, runs on an event loop.

    It takes the arguments of `pytest.fixture` and `loop_scope`: how wide the loop is shared that
    the fixture runs on. The default is the option `asyncio_default_fixture_loop_scope`, and at
    least the fixture's own `scope`.

    An async generator, or a function decorated with `contextlib.asynccontextmanager`, is one task
    from its setup to its teardown: time-outs, task groups and cancel scopes may be held open over
    the `yield`. A synchronous function finds its loop by `asyncio.get_event_loop()`.

    Async fixtures that are `parallel` are set up at the same time where a test requests several of
    them, they run on one loop, and none needs another. They are torn down one by one.
    """
    __tracebackhide__ = True
    if fixture_function is None:

        def declare(function: Callable[..., Any]) -> Any:
            __tracebackhide__ = True
            return fixture(function, loop_scope=loop_scope, parallel=parallel, **kwargs)

        return declare
    _refuse_arguments(fixture_function, {**kwargs, "parallel": parallel})
    # A method's function is shared by all instances; other plugins set these two names themselves.
    function: Any = _shared(fixture_function)
    if "timeout" in kwargs and kwargs["timeout"] is None:
        kwargs["timeout"] = 0.0  # As None is what a fixture without one has.
    try:
        function._force_asyncio_fixture = True
        function._loop_scope = loop_scope
        function._timeout = kwargs.pop("timeout", None)
        function._parallel = parallel
    except Exception:
        raise TypeError(
            f"pytest_asyncio.fixture() needs a function, not {options.shown(fixture_function)}."
        ) from None
    return pytest.fixture(fixture_function, **kwargs)


def _refuse_arguments(function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Name the fixture that is declared with what `pytest.fixture` does not take."""
    __tracebackhide__ = True
    name = arguments.get("name") or attribute(function, "__name__", str) or options.shown(function)
    for argument in arguments:
        if argument not in _ARGUMENTS:
            from difflib import get_close_matches  # only a fault needs it

            similar = get_close_matches(argument, _ARGUMENTS, 1)
            raise TypeError(
                f"Fixture {name!r}: pytest_asyncio.fixture() takes no argument {argument!r}. "
                + (f"Write {similar[0]}=." if similar else f"It takes {', '.join(_ARGUMENTS)}.")
            )
    scope = arguments.get("scope", "function")
    if not callable(scope) and not options.is_scope(scope):
        raise ValueError(
            f"Fixture {name!r}: {options.shown(scope)} is not a valid scope. Valid scopes are: "
            f"{', '.join(SCOPES)}."
        )
    if not isinstance(arguments["parallel"], bool):
        raise TypeError(
            f"Fixture {name!r}: parallel must be True or False, not "
            f"{options.shown(arguments['parallel'])}."
        )


_ARGUMENTS: Final = (
    "scope",
    "loop_scope",
    "timeout",
    "parallel",
    "params",
    "autouse",
    "ids",
    "name",
)


def is_declared(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Return whether a fixture was declared by `pytest_asyncio.fixture`."""
    return own_attribute(fixturedef.func, "_force_asyncio_fixture") is True


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what is one for all instances that a method may be bound to."""
    method: Any = function
    return method.__func__ if is_a(function, (MethodType, classmethod, staticmethod)) else function


def title_of(fixturedef: pytest.FixtureDef[Any], phase: str = "") -> str:
    """Return what users know a fixture by, or one of its phases.

    Fixtures that pytest makes of functions in the xunit style have names that nobody has seen.
    """
    name = fixturedef.argname
    if not name.startswith(XUNIT):
        return f"The {phase} of fixture {name!r}" if phase else f"fixture {name!r}"
    kind, holder = name.removeprefix(XUNIT).split("_fixture_", 1)
    functions = f"{phase}_{kind}()" if phase else f"setup_{kind}() or teardown_{kind}()"
    return f"{functions} of {holder}"


def is_ours(fixturedef: pytest.FixtureDef[Any], item: pytest.Item) -> bool:
    """Return whether the plugin sets a fixture up for an item: all declared ones, in auto mode all
    async ones that no other framework sets up.
    """
    return is_declared(fixturedef) or (
        options.at(item).auto_mode
        and kind_of(fixturedef.func) is not None
        and not items.has_other_fixtures(item)
        and not _is_trios(fixturedef.func)
    )


def _is_trios(function: Any) -> bool:
    """Return whether pytest-trio sets a fixture up, for whatever test."""
    return own_attribute(function, "_force_trio_fixture") is True


def loop_scope_of(
    fixturedef: pytest.FixtureDef[Any], scope: ScopeName, item: pytest.Item
) -> ScopeName | Literal["auto"]:
    """Return the loop scope of a fixture that is cached for `scope`; `auto` leaves it to its tests.

    A loop must live as long as the fixture: a narrower default widens, and a `loop_scope=` in the
    code that is narrower than the fixture's own scope is a failure. A parameter may have the
    fixture cached for longer than that, or for less, which changes nothing about its loop.
    """
    if scope != fixturedef.scope:
        scope = options.widest(scope, fixturedef.scope)
    explicit = own_attribute(fixturedef.func, "_loop_scope")
    if explicit is None:
        default = options.at(item).default_fixture_loop_scope
        if default is None or default == "fixture-scope" or default == scope:
            return scope
        return "auto" if default == "auto" else options.widest(default, scope)
    if not options.is_scope(explicit):
        pytest.fail(
            f"Fixture {fixturedef.argname!r}: {options.shown(explicit)} is not a valid "
            f"loop_scope. Valid scopes are: {', '.join(SCOPES)}.",
            pytrace=False,
        )
    own = fixturedef.scope
    if options.widest(explicit, own) != explicit:
        pytest.fail(
            f"Fixture {fixturedef.argname!r} has scope={own!r} and loop_scope={explicit!r}: "
            "its loop would be closed before the fixture is torn down. "
            f"Write loop_scope={own!r} or a wider one.",
            pytrace=False,
        )
    return options.widest(explicit, scope)


def has_loop_of_package(fixturedef: pytest.FixtureDef[Any], item: pytest.Item) -> bool:
    """Return whether a fixture is a package's, and runs on a package's loop."""
    if fixturedef.scope != "package":
        return False
    explicit = own_attribute(fixturedef.func, "_loop_scope")
    return (explicit or loop_scope_of(fixturedef, "package", item)) in ("package", "auto")


def names_loop_scope(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Return whether a fixture says itself which loop scope it has."""
    return own_attribute(fixturedef.func, "_loop_scope") is not None


def names_timeout(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Return whether a fixture says itself how long each of its phases may take."""
    return own_attribute(fixturedef.func, "_timeout") is not None


def is_parallel(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Return whether a fixture may be set up at the same time as others that say so."""
    return own_attribute(fixturedef.func, "_parallel") is True


def timeout_of(fixturedef: pytest.FixtureDef[Any]) -> float | None:
    """Return how many seconds each phase of a fixture may take by its own word; 0 is no limit."""
    timeout = own_attribute(fixturedef.func, "_timeout")
    if timeout is None or options.is_timeout(timeout):
        return timeout
    pytest.fail(
        f"Fixture {fixturedef.argname!r}: timeout must be a number of seconds, or 0 or None for "
        f"no time-out, not {options.shown(timeout)}.",
        pytrace=False,
    )


def warn_of_plain_async(fixturedef: pytest.FixtureDef[Any], item: pytest.Function) -> None:
    """Warn about an async fixture of an asyncio test that strict mode leaves alone."""
    __tracebackhide__ = True
    function = fixturedef.func
    is_async = kind_of(function) is not None and is_itself_async(function)
    if is_async and not _is_trios(function):
        warn_at(
            item,
            f"asyncio test {item.name!r} requested async @pytest.fixture "
            f"{fixturedef.argname!r} in strict mode. You might want to use "
            "@pytest_asyncio.fixture or switch to auto mode. "
            "This will become an error in future versions of pytest-asyncio.",
            function,
        )


def advise_of_unset_option(fixturedef: pytest.FixtureDef[Any], item: pytest.Item) -> None:
    """Advise, once, about a wide async fixture for which nothing says a loop scope."""
    if (
        fixturedef.scope == "function"
        or options.at(item).default_fixture_loop_scope is not None
        or names_loop_scope(fixturedef)
    ):
        return
    advised = item.session.stash.setdefault(_ADVISED, set())
    function = id(_shared(fixturedef.func))
    if function not in advised:
        advised.add(function)
        advise(
            item,
            'The configuration option "asyncio_default_fixture_loop_scope" is unset, and the '
            f"async fixture {fixturedef.argname!r} has no loop_scope: its loop is shared in its "
            f"{fixturedef.scope}. Set the option to 'fixture-scope' to keep that, or set "
            "asyncio_loop_scope to 'auto' to have each test on one loop with all its fixtures.",
            pytest.PytestDeprecationWarning,
            at=fixturedef.func,
        )


_ADVISED: Final[pytest.StashKey[set[int]]] = pytest.StashKey()
"""The ids of the functions of such fixtures, for not all of them can be hashed."""
