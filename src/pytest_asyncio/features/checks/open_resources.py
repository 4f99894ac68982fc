"""The check `open-resources`: what tests and fixtures open on an event loop and do not close.

And the threads that they leave, as those of connections that are not closed: the process waits for
these before it ends.
"""

from __future__ import annotations

import functools
import gc
import inspect
from asyncio import AbstractEventLoop, Task
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from threading import Thread
from types import AsyncGeneratorType
from typing import Any, Final, final
from weakref import WeakKeyDictionary

import pytest

from pytest_asyncio.engine import ended_fixtures
from pytest_asyncio.engine.loops import LoopOwner
from pytest_asyncio.support import await_chains, frames, instruments, threads
from pytest_asyncio.support.foreign import attribute, is_a
from pytest_asyncio.support.instruments import Instruments
from pytest_asyncio.support.real_time import RealTime

from . import NOBODY, BaseCheck, CheckWarning, Culprit, Report
from ._origins import Origin, generator_instruments

_OPENING: Final = (
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "subprocess_exec",
    "subprocess_shell",
)


class OpenResourceWarning(CheckWarning):
    """A test or fixture has left something open on an event loop, or a thread running."""

    __module__ = "pytest_asyncio"


@final
class Check(BaseCheck):
    def __init__(self, session: pytest.Session, report: Report) -> None:
        super().__init__(session, report)
        self._opened: Final = WeakKeyDictionary[Any, Origin]()
        self._instruments: Final[dict[LoopOwner, Instruments]] = {}
        self._threads: Final = WeakKeyDictionary[Thread, Origin]()
        session.config.add_cleanup(threads.see_starts(self._remember))

    def loop_opened(self, owner: LoopOwner) -> None:
        assert owner.opened is not None
        self._instruments[owner] = self._recording(owner.opened)
        instruments.attach(owner.opened, self._instruments[owner])

    def loop_ending(self, owner: LoopOwner, left: set[Task[Any]]) -> None:
        """Report async generators before they are ended with the loop."""
        self._report_open(
            lambda resource, origin: (
                origin.loop is owner.opened and isinstance(resource, AsyncGeneratorType)
            )
        )

    def loop_closing(self, owner: LoopOwner) -> None:
        self._report_open(lambda _, origin: origin.loop is owner.opened)
        instruments.detach(owner.opened, self._instruments.pop(owner))

    def end(self, culprit: Culprit) -> None:
        """Report what is open, unless a fixture that is set up may close it."""
        in_use = {task.get_loop() for task in ended_fixtures.standing(self.session)}
        self._report_open(lambda _, origin: origin.culprit is culprit and origin.loop not in in_use)

    def finish(self) -> None:
        """Report the threads that are left. Until now a fixture could have ended them."""
        give_up_at = RealTime.monotonic() + threads.GRACE
        for thread in threads.lasting():
            if thread in self._threads and not threads.is_of_executor(thread):
                thread.join(max(0, give_up_at - RealTime.monotonic()))
                if thread.is_alive():
                    self._report_thread(thread, self._threads.pop(thread))

    def _report_thread(self, thread: Thread, origin: Origin) -> None:
        warning = OpenResourceWarning(
            f"{origin.culprit or NOBODY} has left a thread running since {origin}: "
            f"{await_chains.described_thread(thread)}. The process does not end before it does: "
            "close what it works for."
        )
        self.report(warning, origin.filename, origin.line, origin.culprit)

    def _remember(self, thread: Thread) -> None:
        if frames.works_for_users(frames.others(inspect.currentframe())):
            self._threads[thread] = Origin.here(None)

    def _recording(self, loop: AbstractEventLoop) -> Instruments:
        """Return what remembers what is opened on a loop."""
        run_in_executor = loop.run_in_executor

        def run_recorded(executor: Any, *args: Any) -> Any:
            # Used before, it is a test's or fixture's that lives on.
            if attribute(executor, "_threads", set) == set():
                self._opened[executor] = Origin.here(loop)
            return run_in_executor(executor, *args)

        return {
            **{name: self._recorded(loop, getattr(loop, name)) for name in _OPENING},
            "run_in_executor": run_recorded,
            **generator_instruments(loop, self._opened),
        }

    def _recorded(self, loop: AbstractEventLoop, opening: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(opening)
        async def open_recorded(*args: Any, **kwargs: Any) -> Any:
            is_users = _is_users(inspect.currentframe())
            origin = Origin.here(loop)
            result = await opening(*args, **kwargs)
            if is_users:
                opened: Any = result[0] if is_a(result, tuple) else result
                with suppress(TypeError):  # Some of uvloop's cannot be referenced weakly.
                    self._opened[opened] = origin
            return result

        return open_recorded

    def _report_open(self, is_due: Callable[[Any, Origin], bool]) -> None:
        for resource, origin in tuple(self._opened.items()):
            if is_due(resource, origin):
                self._report_if_open(resource, origin)

    def _report_if_open(self, resource: Any, origin: Origin) -> None:
        """Report a resource, once, if it is open."""
        del self._opened[resource]
        if not _is_open(resource):
            return
        warning = OpenResourceWarning(
            f"{origin.culprit or NOBODY} has left {_description(resource)} open since {origin}. "
            "Close it."
        )
        self.report(warning, origin.filename, origin.line, origin.culprit)


def _is_users(opening: Any) -> bool:
    """Return whether users have what is opened, and not only asyncio, as the pipes of a subprocess.

    A task that starts at once opens these on the stack of the user's code.
    """
    opener = frames.module_of(opening.f_back)
    return opener != "asyncio.base_subprocess" and frames.users(opening) is not None


def _is_open(resource: Any) -> bool:
    if isinstance(resource, AsyncGeneratorType):
        return resource.ag_frame is not None
    if isinstance(resource, Executor):
        return not attribute(resource, "_shutdown", bool) and not _is_global(resource)
    # Not by their classes: those of uvloop are no subclasses of asyncio's.
    if hasattr(resource, "get_returncode"):
        return resource.get_returncode() is None and not resource.is_closing()
    if hasattr(resource, "is_closing"):
        return not resource.is_closing()
    return bool(resource.sockets)


def _is_global(resource: object) -> bool:
    """Return whether a module or a class holds a resource, which is to outlive all tests."""
    return any(
        isinstance(referrer, dict) and ("__spec__" in referrer or "__module__" in referrer)
        for referrer in gc.get_referrers(resource)
    )


def _description(resource: Any) -> str:
    if isinstance(resource, AsyncGeneratorType):
        return f"the async generator {resource.__qualname__!r}"
    return f"a {type(resource).__name__.lstrip('_')}"
