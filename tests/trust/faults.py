"""What can go wrong in a suite, and what is right after it.

The tests read it for what they expect, and the suite that they run for what it does.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import pytest

PASSES, FAILS, INTERRUPTS, EXITS = 0, 1, 2, 7


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, in code that would then wait for ever unless it passes."""

    act: Callable[[], object]
    """Does it. A coroutine function needs a loop that runs, any other can be called anywhere."""
    result: int
    """The exit code of pytest. All but the first two end the session."""
    shown: str = ""
    """What the report shows of it, as a regular expression."""
    logged: str = ""
    """What asyncio logs, or else it logs nothing."""
    warned: str = ""
    """What the end of the loop warns of, or else nothing."""
    timeout: float | None = None
    is_stubborn: bool = False
    """Whether a task goes on although it is cancelled."""
    ends_loop: bool = False
    """Whether the loop is closed, so that fixtures on it cannot be torn down."""
    yields_again: bool = False
    """Whether a fixture yields once more in the place of its teardown."""


@dataclass(frozen=True)
class Cell:
    """One fault, at one place, where fixtures and loops have one scope."""

    fault: str
    place: str
    scope: str
    code: str

    def __str__(self) -> str:
        return ", ".join((self.fault, self.place, self.scope, self.code))

    @property
    def loop_scope(self) -> str:
        """What runs at the same time shares a loop."""
        return "class" if (self.code, self.scope) == ("concurrent", "function") else self.scope

    @property
    def is_among_others(self) -> bool:
        """Whether other tests run at the same time."""
        return self.code == "concurrent" and (self.place != "teardown" or self.scope == "function")

    @property
    def waits_for_others(self) -> bool:
        """Whether they can be waited for: a wide fixture is set up before more tests begin."""
        is_wide = self.scope != "function" and self.place != "call"
        return self.is_among_others and not (is_wide or FAULTS[self.fault].timeout)

    def publish(self) -> None:
        """Let the suite find it, in whichever process that runs."""
        global meeting, over
        os.environ["CELL"] = json.dumps(asdict(self))
        meeting, over = asyncio.Barrier(3), asyncio.Event()


meeting = asyncio.Barrier(3)
"""Where a test waits for those that run at the same time."""
over = asyncio.Event()
"""Set when the fault has taken place."""


def published() -> Cell:
    return Cell(**json.loads(os.environ["CELL"]))


def record(event: str) -> None:
    with open(os.environ["TRACE"], "a", encoding="utf-8") as file:
        print(event, file=file)


@contextmanager
def lived(name: str, request: pytest.FixtureRequest) -> Generator[None]:
    """Record that a fixture is up, and that it is down again, and which test has it for itself."""
    is_own = isinstance(request.node, pytest.Item)  # also one of a class where there is none
    fixture = f"{name} {request.node.name}" if is_own else name
    record(f"up {fixture}")
    yield
    record(f"down {fixture}")


async def beside() -> None:
    """Run at the same time as the faulty test, if that is to be among others."""
    if published().waits_for_others:
        await meeting.wait()
    if published().is_among_others:
        await over.wait()


async def at(place: str) -> None:
    """Let the fault of the cell take place here, if here is its place."""
    cell = published()
    if place != cell.place:
        return
    fault = FAULTS[cell.fault]
    if cell.waits_for_others:
        await meeting.wait()
    record("fault")
    try:
        if inspect.isawaitable(result := fault.act()):
            await result
        if not (fault.result == PASSES or fault.yields_again):
            await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        record("ended")
        over.set()


def at_once(place: str) -> None:
    """Do the same in synchronous code."""
    if place == published().place:
        record("fault")
        try:
            FAULTS[published().fault].act()
        finally:
            record("ended")


KEPT: Final[list[Any]] = []
"""What the garbage collector is not to find before the session is over."""


def call_soon(callback: Callable[..., object], *args: object) -> None:
    asyncio.get_running_loop().call_soon(callback, *args)


def throw(error: BaseException) -> None:
    raise error


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def alarm() -> None:
    signal.signal(signal.SIGTERM, lambda *_: throw(TimeoutError("handler")))
    signal.raise_signal(signal.SIGTERM)


def when_the_loop_waits(number: int) -> None:
    main = threading.get_ident()

    def watch() -> None:
        while sys._current_frames()[main].f_code.co_name != "select":
            time.sleep(0.001)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, lambda *_: throw(TimeoutError("handler")))
    KEPT.append(threading.Thread(target=watch))
    KEPT[-1].start()


async def ctrl_c_in_a_callback() -> None:
    call_soon(ctrl_c)


async def ctrl_c_in_another_task() -> None:
    async def other() -> None:
        ctrl_c()

    KEPT.append(asyncio.create_task(other()))


async def ctrl_c_in_a_task_group() -> None:
    async def child() -> None:
        ctrl_c()

    async with asyncio.TaskGroup() as group:
        group.create_task(child())
        await asyncio.Event().wait()


async def ctrl_c_while_the_loop_waits() -> None:
    when_the_loop_waits(signal.SIGINT)


async def ctrl_c_again_while_the_code_swallows_it() -> None:
    KEPT.append(asyncio.current_task())
    while True:
        call_soon(ctrl_c)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            record("swallowed")
            over.set()


async def keyboard_interrupt_in_a_callback() -> None:
    call_soon(throw, KeyboardInterrupt())


async def alarm_while_the_loop_waits() -> None:
    when_the_loop_waits(signal.SIGTERM)


def leave() -> None:
    pytest.exit("enough", returncode=EXITS)


async def leave_in_a_callback() -> None:
    call_soon(leave)


async def fail_in_a_callback() -> None:
    call_soon(pytest.fail, "no")


def quit_python() -> None:
    sys.exit(3)


async def quit_in_a_callback() -> None:
    call_soon(sys.exit, 3)


async def quit_in_another_task() -> None:
    async def other() -> None:
        sys.exit(3)

    KEPT.append(asyncio.create_task(other()))


async def cancel_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def block() -> None:
    threading.Event().wait()


async def swallow() -> None:
    KEPT.append(asyncio.current_task())
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            record("swallowed")
            over.set()


async def crash() -> None:
    raise ZeroDivisionError("crash")


async def crash_in_a_task_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(crash())
        await asyncio.Event().wait()


async def close_the_loop() -> None:
    asyncio.get_running_loop().close()


async def stop_the_loop() -> None:
    asyncio.get_running_loop().stop()


async def stop_the_loop_in_a_callback() -> None:
    call_soon(asyncio.get_running_loop().stop)


def replace_the_loop() -> None:
    loop = asyncio.new_event_loop()
    KEPT.append(loop)
    asyncio.set_event_loop(loop)


def unset_the_loop() -> None:
    asyncio.set_event_loop(None)


def close_the_standing_loop() -> None:
    asyncio.get_event_loop().close()


def stop_the_standing_loop() -> None:
    asyncio.get_event_loop().stop()


async def raise_in_the_exception_handler() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: throw(ValueError("handler")))
    loop.call_soon(throw, ZeroDivisionError("crash"))


async def raise_in_the_task_factory() -> None:
    asyncio.get_running_loop().set_task_factory(lambda *_, **__: throw(ValueError("factory")))


async def leak_a_task() -> None:
    KEPT.append(asyncio.create_task(wait_for_ever()))
    await asyncio.sleep(0)


async def leak_a_stubborn_task() -> None:
    KEPT.append(asyncio.create_task(swallow()))
    await asyncio.sleep(0)


async def leak_a_generator() -> None:
    async def generate() -> Any:
        try:
            yield
        finally:
            await asyncio.sleep(0)

    KEPT.append(generate())
    await anext(KEPT[-1])


async def leak_a_thread() -> None:
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.01)


def recurse() -> None:
    recurse()


async def recurse_asynchronously() -> None:
    await recurse_asynchronously()


def fill_the_memory() -> None:
    bytearray(sys.maxsize)


def fork() -> None:
    with warnings.catch_warnings():
        # Python 3.12 warns of other threads, such as those of pytest-xdist.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(asyncio.sleep(0))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0) == (child, 0)


FAULTS: Final = {
    "Ctrl-C": Fault(ctrl_c, INTERRUPTS),
    "Ctrl-C in a callback": Fault(ctrl_c_in_a_callback, INTERRUPTS),
    "Ctrl-C in another task": Fault(ctrl_c_in_another_task, INTERRUPTS),
    "Ctrl-C in a task group": Fault(ctrl_c_in_a_task_group, INTERRUPTS),
    "Ctrl-C while the loop waits": Fault(ctrl_c_while_the_loop_waits, INTERRUPTS),
    "Ctrl-C, swallowed, and again": Fault(
        ctrl_c_again_while_the_code_swallows_it, INTERRUPTS, is_stubborn=True, ends_loop=True
    ),
    "KeyboardInterrupt in a callback": Fault(keyboard_interrupt_in_a_callback, INTERRUPTS),
    "signal that raises": Fault(alarm, FAILS, "TimeoutError: handler"),
    "signal that raises while the loop waits": Fault(
        alarm_while_the_loop_waits, FAILS, "TimeoutError: handler"
    ),
    "pytest.exit": Fault(leave, EXITS),
    "pytest.exit in a callback": Fault(leave_in_a_callback, EXITS),
    "pytest.fail": Fault(lambda: pytest.fail("no"), FAILS, "Failed: no"),
    "pytest.fail in a callback": Fault(fail_in_a_callback, FAILS, "Failed: no"),
    "SystemExit": Fault(quit_python, FAILS, "SystemExit"),
    "SystemExit in a callback": Fault(quit_in_a_callback, FAILS, "SystemExit"),
    "SystemExit in another task": Fault(quit_in_another_task, FAILS, "SystemExit"),
    "GeneratorExit": Fault(lambda: throw(GeneratorExit()), FAILS, "GeneratorExit"),
    "CancelledError": Fault(lambda: throw(asyncio.CancelledError()), FAILS, "CancelledError"),
    "cancelling itself": Fault(cancel_itself, FAILS, "CancelledError"),
    "time-out": Fault(wait_for_ever, FAILS, "longer than the 0.05 s", timeout=0.05),
    "time-out of a blocked loop": Fault(block, FAILS, "blocked the event loop:", timeout=0.05),
    "time-out that is swallowed": Fault(
        swallow, FAILS, "longer than the 0.05 s", timeout=0.05, is_stubborn=True, ends_loop=True
    ),
    "task group crash": Fault(crash_in_a_task_group, FAILS, "ZeroDivisionError: crash"),
    "generator that yields twice": Fault(
        lambda: None, FAILS, "has more than one 'yield'", yields_again=True
    ),
    "loop closed": Fault(close_the_loop, FAILS, "Cannot close a running event loop"),
    "loop closed while it stands": Fault(
        close_the_standing_loop,
        FAILS,
        "cannot be torn down: its event loop is closed",
        warned="has closed the event loop of",
        ends_loop=True,
    ),
    "loop stopped": Fault(stop_the_loop, FAILS, r"called stop\(\) on the event loop of"),
    "loop stopped in a callback": Fault(
        stop_the_loop_in_a_callback, FAILS, r"called stop\(\) on the event loop of"
    ),
    "loop stopped while it stands": Fault(stop_the_standing_loop, PASSES),
    "loop replaced": Fault(replace_the_loop, PASSES),
    "loop unset": Fault(unset_the_loop, PASSES),
    "exception handler that raises": Fault(
        raise_in_the_exception_handler, PASSES, logged="Unhandled error in exception handler"
    ),
    "task factory that raises": Fault(raise_in_the_task_factory, PASSES),
    "leaked task": Fault(leak_a_task, PASSES),
    "leaked task that swallows cancellation": Fault(
        leak_a_stubborn_task,
        PASSES,
        warned="These tasks did not end when they were cancelled",
        is_stubborn=True,
    ),
    "leaked generator": Fault(leak_a_generator, PASSES),
    "leaked thread": Fault(leak_a_thread, PASSES),
    "recursion": Fault(recurse, FAILS, "RecursionError"),
    "asynchronous recursion": Fault(recurse_asynchronously, FAILS, "RecursionError"),
    "MemoryError": Fault(fill_the_memory, FAILS, "MemoryError"),
    "fork": Fault(fork, PASSES),
}
