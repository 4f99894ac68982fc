"""What a random suite says of itself: a line for each event, on standard output.

Each suite has a copy of this file. `pytest -s` shows the lines.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import os
import signal
import threading
import warnings
from collections import Counter
from typing import Any

warnings.simplefilter("ignore")
OF_FIXTURES = contextvars.ContextVar("OF_FIXTURES", default="")  # set by async fixtures
OF_OTHERS = contextvars.ContextVar("OF_OTHERS", default="")  # set by tests and sync fixtures
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGURG)
_set_ups: Counter[str] = Counter()
_numbers = itertools.count()
_kept: list[object] = []


class Deliberate(Exception):
    """What a suite raises on purpose."""


def note(what: str, *values: object) -> None:
    variables = f"{OF_FIXTURES.get()}/{OF_OTHERS.get()}"
    write(f"{what} {[*map(str, values)]} {variables} {_running()}{_process()}")


def note_end(what: str) -> None:
    """Note a teardown. That of a fixture sees what others have set meanwhile, or does not."""
    write(f"{what} {OF_FIXTURES.get()} {_running()}")


def note_current(what: str) -> None:
    write(f"{what} finds {_named(asyncio.get_event_loop())}")


def note_policy(what: str) -> None:
    write(f"{what} {type(asyncio.get_event_loop_policy()).__name__}")


def run_current(what: str) -> None:
    async def coroutine() -> None:
        await asyncio.sleep(0)
        note(f"{what} runs")

    asyncio.get_event_loop().run_until_complete(coroutine())


def write(line: str) -> None:
    """Write to where no one captures: a doctest has a standard output of its own."""
    os.write(1, f"{line}\n".encode())


def _process() -> str:
    """Return what suites may find in their process that is not there without plugins."""
    others = set(threading.enumerate()) - {threading.current_thread()}
    handled = (number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_DFL)
    return "".join(f" {name}" for name in [*(it.name for it in others), *map(str, handled)])


def _running() -> str:
    try:
        loop: Any = asyncio.get_running_loop()
    except RuntimeError:
        return ""
    settings = loop.get_debug(), loop.get_exception_handler(), loop.get_task_factory()
    return " ".join([_named(loop), *(str(setting) for setting in settings if setting)])


def _named(loop: Any) -> str:
    if not hasattr(loop, "name"):
        loop.name = f"{type(loop).__name__}#{next(_numbers)}"
    name: str = loop.name
    return f"closed {name}" if loop.is_closed() else name


def made(name: str, request: Any) -> str:
    """Return the value of a fixture, which tells how often it was set up."""
    _set_ups[name] += 1
    return f"{name}-{_set_ups[name]}{getattr(request, 'param', '')}"


async def leave_task(what: str) -> None:
    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            note_end(f"~ {what}: task ends")

    _kept.append(asyncio.create_task(wait()))
    await asyncio.sleep(0)


async def leave_generator(what: str) -> None:
    async def generate() -> Any:
        try:
            yield
        finally:
            note_end(f"~ {what}: generator ends")

    generator = generate()
    _kept.append(generator)
    await anext(generator)


class Setting:
    """An exception handler, or a task factory, of a loop."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __str__(self) -> str:
        return self.what

    def __call__(self, loop: Any, argument: Any, **keywords: Any) -> Any:
        if asyncio.iscoroutine(argument):
            return asyncio.Task(argument, loop=loop, **keywords)
        return None


def flush_at_close(what: str) -> None:
    """Have the loop run once more when it is closed, as libraries do."""
    loop = asyncio.get_running_loop()
    close = loop.close

    async def flush() -> None:
        note_end(f"{what}: flush")

    def flush_and_close() -> None:
        if not loop.is_closed():
            loop.run_until_complete(flush())
        close()

    loop.close = flush_and_close  # type: ignore[method-assign]


class LoopA(asyncio.SelectorEventLoop):
    pass


class LoopB(asyncio.SelectorEventLoop):
    pass


class PolicyA(asyncio.DefaultEventLoopPolicy):
    _loop_factory = LoopA


class PolicyB(asyncio.DefaultEventLoopPolicy):
    _loop_factory = LoopB
