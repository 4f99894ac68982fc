"""The options of the plugin: one row each in `OPTIONS`, parsed before anything asks for them."""

from __future__ import annotations

import re
import reprlib
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeGuard, cast

import pytest

from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.foreign import is_a
from pytest_asyncio.support.types import ClockName, LoopFactory, ScopeName

from . import hooks

EVERYWHERE: Final = "all"
"""The value of `--asyncio-cancel` that names no single await."""

_PLACE: Final = re.compile("(waiting|woken):[1-9][0-9]*")

SCOPES: Final[tuple[ScopeName, ...]] = ("function", "class", "module", "package", "session")
CLOCKS: Final[tuple[ClockName, ...]] = ("real", "virtual")


class Mode(StrEnum):
    """Which async tests and fixtures the plugin runs: all, or those that are marked as its own."""

    AUTO = "auto"
    STRICT = "strict"


REFERENCE: Final = "https://pytest-asyncio.readthedocs.io/en/latest/reference.html"

MARKER: Final = (
    "asyncio(*, loop_scope='function', loop_factories=None, clock='real', timeout=None, "
    "concurrent=False, live=False, cancel=False, schedules=0, delay_tasks=False): run the test, "
    "which is a coroutine function, in an asyncio event loop; loop_scope says which tests share "
    "the loop, loop_factories by name which of the suite's loop factories the test runs with, "
    "clock whether time on the loop is 'real' or 'virtual', timeout how many seconds it may take, "
    "concurrent whether it may run beside others, cancel whether it is run again for each of its "
    "awaits, cancelled there, schedules how many times it is run again on a virtual clock that is "
    "late, delay_tasks whether tasks may be late then too; at a synchronous test, live whether "
    "the event loops of its async fixtures go on while it runs."
)


class Settings(NamedTuple):  # A dataclass would take fifteen times as long to define.
    """What the options say, by their names without `asyncio_`."""

    mode: Mode
    debug: bool
    loop_scope: ScopeName | Literal["auto"] | None
    default_fixture_loop_scope: ScopeName | Literal["auto", "fixture-scope"] | None
    default_test_loop_scope: ScopeName | Literal["auto"]
    loop_factory: LoopFactory | None
    timeout: float
    clock: ClockName
    live: bool
    concurrent: bool
    concurrent_probe: bool
    concurrency: int
    serial_fixtures: tuple[str, ...]
    checks: tuple[str, ...]
    blocked_loop_threshold: float
    cancel: str | None
    cancel_runs: int
    schedules: int
    seed: int | None
    late: int
    tasks: bool
    dump_signal: int | None
    durations: int | None
    trace: str | None
    auto_mode: bool
    has_folders: bool
    """Whether a `conftest.py` may say something else for the tests of its folder."""


def _mode(value: object) -> Mode:
    if isinstance(value, str) and value in tuple(Mode):
        return Mode(value)
    raise ValueError(f"Valid modes: {', '.join(Mode)}.")


def _clock(value: object) -> ClockName:
    if is_clock(value):
        return value
    raise ValueError(f"Valid clocks: {', '.join(CLOCKS)}.")


def _loop_scope(value: object) -> object:
    return _scope_or("auto", value) if value else None


def _fixture_loop_scope(value: object) -> object:
    return _scope_or("fixture-scope", value) if value else None


def _test_loop_scope(value: object) -> object:
    return _scope_or("auto", value or "function")


def _scope_or(other: str, value: object) -> object:
    if value == other or is_scope(value):
        return value
    raise ValueError(f"Valid scopes are: {', '.join(SCOPES)}.\nIt may also be {other!r}.")


def _flag(value: object) -> bool:
    given = str(value).strip().lower()
    if given in ("true", "t", "yes", "y", "on", "1"):  # as pytest's own
        return True
    if given in ("false", "f", "no", "n", "off", "0"):
        return False
    raise ValueError("Give true or false.")


def _seconds(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, str) else value
    except ValueError:
        seconds = None
    if is_timeout(seconds):
        return seconds
    raise ValueError("Give a number of seconds, such as 2.5.")


def _count(value: object) -> int | None:
    if value is None:
        return None
    if (count := _whole(value)) is not None:
        return count
    raise ValueError("Give how many to show, or 0 for all.")


def _runs(value: object) -> int:
    if (count := _whole(value)) is not None:
        return count
    raise ValueError("Give a number of runs, such as 100, or 0 for none.")


def _seed(value: object) -> int | None:
    if value is None:
        return None
    if seed := _whole(value):
        return seed
    raise ValueError("Give the number that the report of a failure names.")


def _cancel(value: object) -> object:
    if value is None or value == EVERYWHERE or _PLACE.fullmatch(str(value)):
        return value
    raise ValueError(
        "Give what the report of a failure names, such as waiting:4 or woken:4, or 'all'. Where a "
        "path follows the option, write --asyncio-cancel=all."
    )


def _concurrency(value: object) -> int:
    if count := _whole(value):
        return count
    raise ValueError("Give a number of tests, such as 32, or 1 to run them one after another.")


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not str(value).isdecimal():
        return None
    return int(str(value))


def _names(value: object) -> tuple[str, ...]:
    """Parse a list, or a string with spaces or commas between the names."""
    try:
        names: Any = shlex.split(value.replace(",", " ")) if isinstance(value, str) else value
    except ValueError:  # a quotation that does not end
        names = None
    if isinstance(names, list) and _are_strings(names := cast("list[object]", names)):
        return tuple(names)
    raise ValueError("Give a list of names, or names with spaces or commas between them.")


def _signal(value: object) -> int | None:
    if not value:
        return None
    number = getattr(signal, str(value), None)
    if isinstance(number, signal.Signals) and value not in _UNCATCHABLE:
        return number
    raise ValueError("Give the name of a signal that this system has, such as SIGUSR1.")


def _are_strings(values: Iterable[object]) -> TypeGuard[Iterable[str]]:
    return all(isinstance(value, str) for value in values)


def _loop_factory(name: object) -> LoopFactory | None:
    if not name:
        return None
    help = (
        "Give the dotted name of a callable that returns an event loop, such as "
        "uvloop.new_event_loop."
    )
    if not isinstance(name, str):
        raise ValueError(help)
    from pkgutil import resolve_name  # only the sessions that name a factory need it

    try:
        factory: LoopFactory = resolve_name(name)
    except (KeyboardInterrupt, pytest.exit.Exception):
        raise
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(help, str(error)) from error
    except BaseException as error:  # Whatever the module does when it is imported.
        raise ValueError(help, f"{type(error).__name__}: {error}".removesuffix(": ")) from error
    if not callable(factory):
        raise ValueError(help, "it is not callable")
    return factory


def _file(value: object) -> object:
    return value


class Option(NamedTuple):
    """One option."""

    name: str
    type: Literal["string", "bool", "int", "float", "args"] | None
    """As pytest's `--help` shows it for the ini file. Without one, the ini file has no such option.
    """
    default: object
    parse: Callable[[object], Any]
    """Makes a setting of the default, of a string, or of what TOML has.

    Raises `ValueError` with a sentence about what is valid, and maybe one about what is wrong.
    """
    metavar: str | None
    """Stands for the value on the command line; empty for a flag, None for no such option there."""
    help: str
    bare: str | None = None
    """What the option means on the command line when it is given without a value, if it can be."""


# fmt: off
OPTIONS: Final = (
    Option("asyncio_mode", "string", "strict", _mode, "MODE",
        "'auto' runs every async test and fixture, 'strict' those that are marked as asyncio's"),
    Option("asyncio_debug", "bool", False, _flag, "",
        "turn on asyncio's debug mode for the loops of tests and fixtures"),
    Option("asyncio_loop_scope", "string", None, _loop_scope, "SCOPE",
        f"loop scope of the tests and fixtures that name none: {', '.join(SCOPES)}, or auto"),
    Option("asyncio_default_fixture_loop_scope", "string", None, _fixture_loop_scope, "SCOPE",
        f"loop scope of the async fixtures that name none: {', '.join(SCOPES)}, or fixture-scope"),
    Option("asyncio_default_test_loop_scope", "string", "function", _test_loop_scope, "SCOPE",
        f"loop scope of the async tests that name none: {', '.join(SCOPES)}, or auto"),
    Option("asyncio_loop_factory", "string", "", _loop_factory, "NAME",
        "what makes the event loops: a dotted name such as uvloop.new_event_loop"),
    Option("asyncio_timeout", "float", 0.0, _seconds, "SECONDS",
        "how long each phase of an async test or fixture may take; 0 is without end"),
    Option("asyncio_clock", "string", "real", _clock, "CLOCK",
        "clock of the async tests that name none: 'real' or 'virtual'"),
    Option("asyncio_live", "bool", False, _flag, None,
        "let the loops of the async fixtures of a synchronous test go on while it runs"),
    Option("asyncio_concurrent", "bool", False, _flag, "",
        "let async tests run beside others where no mark says otherwise"),
    Option("asyncio_concurrency", "int", 32, _concurrency, "N",
        "how many concurrent tests may run at the same time; 1 runs all one after another"),
    Option("asyncio_concurrent_probe", None, False, _flag, "",
        "find the tests that disturb each other where all run at the same time"),
    Option("asyncio_serial_fixtures", "args", [], _names, None,
        "names of fixtures whose tests run alone, besides monkeypatch, capsys and their like"),
    Option("asyncio_checks", "args", [], _names, "NAMES",
        "what to look for in async tests: 'all', or names such as leaked-tasks,never-awaited"),
    Option("asyncio_blocked_loop_threshold", "float", 0.5, _seconds, None,
        "seconds that a callback may hold the loop before the check blocked-loop reports it"),
    Option("asyncio_cancel", None, None, _cancel, "WHERE",
        "run tests again for each of their awaits, cancelled there, or only for one: waiting:4",
        bare=EVERYWHERE),
    Option("asyncio_cancel_runs", "int", 200, _runs, "N",
        "how many times a test is cancelled at most, if it is run again for each of its awaits"),
    Option("asyncio_schedules", "int", 0, _runs, "N",
        "how many times tests with a virtual clock are run again on one that is late"),
    Option("asyncio_seed", None, None, _seed, "N",
        "run tests that have schedules again with this one only, as the report of a failure names"),
    Option("asyncio_late", None, 0, _runs, "N",
        "run async tests on a virtual clock, and again N times on one that is late"),
    Option("asyncio_tasks", None, False, _flag, "",
        "show what the tasks of the event loop are doing when an async test fails"),
    Option("asyncio_dump_signal", "string", "", _signal, "SIGNAL",
        "signal, such as SIGUSR1, at which the session shows what async tests are doing"),
    Option("asyncio_durations", None, None, _count, "N",
        "show the N slowest phases of async tests, and how long they waited and worked; 0 is all"),
    Option("asyncio_trace", None, None, _file, "FILE",
        "write what ran when, in a format that https://ui.perfetto.dev opens"),
)
# fmt: on

FOR_FOLDERS: Final = (
    "asyncio_mode",
    "asyncio_loop_scope",
    "asyncio_default_fixture_loop_scope",
    "asyncio_default_test_loop_scope",
    "asyncio_timeout",
    "asyncio_clock",
    "asyncio_live",
    "asyncio_concurrent",
)
"""What the hook `pytest_asyncio_options` may say: what concerns single tests and their fixtures."""

_UNCATCHABLE: Final = ("SIGKILL", "SIGSTOP")
_KEY: Final[pytest.StashKey[Settings]] = pytest.StashKey()
_FOLDERS: Final[pytest.StashKey[dict[Path, Settings]]] = pytest.StashKey()
_REFUSED: Final[pytest.StashKey[pytest.UsageError]] = pytest.StashKey()


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("asyncio")
    for option in OPTIONS:
        flag = f"--{option.name.replace('_', '-')}"
        if option.bare is not None:
            group.addoption(
                flag, metavar=option.metavar, nargs="?", const=option.bare, help=option.help
            )
        elif option.metavar:
            group.addoption(flag, metavar=option.metavar, help=option.help)
        elif option.metavar is not None:
            group.addoption(flag, action="store_true", default=None, help=option.help)
        if option.type is not None:
            help = option.help if option.metavar is None else f"default of {flag}"
            parser.addini(option.name, help, type=option.type, default=option.default)


def parse(config: pytest.Config) -> None:
    """Parse the options of a session and keep them on its config, in place of what was there.

    Raises `pytest.UsageError` that names the option and its value.
    """
    config.stash[_KEY] = _settings(config, {})
    config.stash[_FOLDERS] = {}


def _settings(config: pytest.Config, of_folder: Mapping[str, object]) -> Settings:
    values = {
        option.name.removeprefix("asyncio_"): _parsed(option, config, of_folder)
        for option in OPTIONS
    }
    if values["loop_scope"] is not None:
        for kind in ("fixture", "test"):
            values[f"default_{kind}_loop_scope"] = values["loop_scope"]
    return Settings(
        **values,
        auto_mode=values["mode"] == Mode.AUTO,
        has_folders=bool(config.hook.pytest_asyncio_options.get_hookimpls()),
    )


def _parsed(option: Option, config: pytest.Config, of_folder: Mapping[str, object]) -> Any:
    given = given_value(option.name, config, of_folder)
    try:
        return option.parse(option.default if given is None else given)
    except ValueError as error:
        raise invalid(option.name, given, *error.args) from error


def given_value(name: str, config: pytest.Config, of_folder: Mapping[str, object]) -> object:
    """Return what the command line says, or else the folder or the ini file; None if none does."""
    value = config.getoption(name, None)
    if value is None:
        value = of_folder.get(name)
    return pytest_private.written_in_ini(name, config) if value is None else value


def are_parsed(config: pytest.Config) -> bool:
    return _KEY in config.stash


def of(config: pytest.Config) -> Settings:
    """Return what is in force for a session."""
    return config.stash[_KEY]


def at(item: pytest.Item) -> Settings:
    """Return what is in force for a test and its fixtures: its folder may say it."""
    given = item.config.stash[_KEY]
    return _at_folder_of(item) if given.has_folders else given


def _at_folder_of(item: pytest.Item) -> Settings:
    folder = item.path.parent
    known = item.config.stash[_FOLDERS]
    if folder not in known:
        known[folder] = of(item.config)  # where what the folder says is not valid
        try:
            known[folder] = _settings(item.config, hooks.options_for(item, FOR_FOLDERS))
        except pytest.UsageError as error:
            item.config.stash.setdefault(_REFUSED, error)
    return known[folder]


def raise_refused(config: pytest.Config) -> None:
    """Raise what is wrong with the options of a folder, if anything is."""
    if _REFUSED in config.stash:
        raise config.stash[_REFUSED]


def invalid(option: str, value: object, help: str, reason: str = "") -> pytest.UsageError:
    """Return the error for an option that cannot have a value, with where users can read more."""
    what = f"{shown(value)} is not a valid {option}{': ' if reason else ''}{reason}"
    return pytest.UsageError(f"{what}. {help}\nSee {REFERENCE}#{option.replace('_', '-')}")


def is_scope(value: object) -> TypeGuard[ScopeName]:
    return is_a(value, str) and value in SCOPES


def is_clock(value: object) -> TypeGuard[ClockName]:
    return is_a(value, str) and value in CLOCKS


def is_timeout(value: object) -> TypeGuard[float]:
    if is_a(value, bool) or not is_a(value, (int, float)):
        return False
    return bool(0 <= value <= sys.float_info.max)


def shown(value: object) -> str:
    """Return what stands for a value that may be wrong in any way: too long, or with no `repr`."""
    try:
        return _REPR.repr(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return object.__repr__(value)


_REPR: Final = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 200


def widest(*scopes: ScopeName) -> ScopeName:
    return max(scopes, key=SCOPES.index)
