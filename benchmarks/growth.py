"""What stays of a test, and whether the next one costs the same, in sessions of growing size.

    python benchmarks/growth.py [--tests 1000 10000 50000]

Each suite is run beside a synchronous one of the same shape. Of both it is seen what there is
after the first thousand tests, or tenth of them, and after the last one: pytest itself keeps
every item, so that what is left of a test is what the suite has left above the synchronous one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

FIXTURES: Final = """
@pytest_asyncio.fixture
async def one():
    yield 1
@pytest_asyncio.fixture
async def two(one):
    yield one + 1
"""
LOOP: Final = """
import pytest, pytest_asyncio
pytestmark = pytest.mark.asyncio(loop_scope={!r})
"""
DEEP: Final = LOOP.format("function") + (
    "@pytest_asyncio.fixture\nasync def f0(): yield 0\n"
    + "\n".join(
        f"@pytest_asyncio.fixture\nasync def f{number}(f{number - 1}): yield {number}"
        for number in range(1, 200)
    )
)
WIDE: Final = "@pytest.mark.parametrize('number', range({}))\nasync def test_it(number): pass"


@dataclass(frozen=True)
class Shape:
    """A suite: its name, the head of each module, a test, and how many tests a module has."""

    name: str
    head: str
    test: str = "async def test_{}(): pass"
    in_a_module: int = 100

    def write(self, folder: Path, tests: int, *, synchronous: bool) -> None:
        folder.mkdir()
        for first in range(0, tests, self.in_a_module):
            numbers = range(first, min(first + self.in_a_module, tests))
            text = "\n".join([self.head, *(self.test.format(number) for number in numbers)])
            if synchronous:
                text = text.replace("async def", "def").replace("pytestmark", "_")
                text = text.replace("pytest_asyncio.fixture", "pytest.fixture")
            (folder / f"test_{first}.py").write_text(text, encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")


SHAPES: Final = [
    Shape(f"{scope} loop{' and two fixtures' * has_fixtures}", head, test)
    for scope in ("function", "session")
    for has_fixtures, head, test in (
        (False, LOOP.format(scope), "async def test_{}(): pass"),
        (True, LOOP.format(scope) + FIXTURES, "async def test_{}(two): pass"),
    )
]


class Seen:
    """What there is in the process, after some tests of a session and after the last."""

    def __init__(self, after: int) -> None:
        self._after = after
        self._tests = 0
        self.points: list[dict[str, float]] = []

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        self._all = len(session.items)

    def pytest_runtest_logfinish(self) -> None:
        self._tests += 1
        if self._tests in (self._after, self._all):
            self.points.append({"tests": self._tests, "seconds": time.process_time(), **_things()})


def _things() -> dict[str, float]:
    gc.collect()
    objects = gc.get_objects()
    return {
        "blocks": sys.getallocatedblocks(),
        "files": len(os.listdir("/dev/fd")),
        "threads": threading.active_count(),
        "tasks": sum(isinstance(thing, asyncio.Task) for thing in objects),
        "contexts": sum(type(thing) is Context for thing in objects),
        "loops": sum(isinstance(thing, asyncio.AbstractEventLoop) for thing in objects),
    }


def points(shape: Shape, tests: int, *, synchronous: bool) -> list[dict[str, float]]:
    """Run a suite in a process of its own, and return what was seen there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "suite")
        shape.write(folder, tests, synchronous=synchronous)
        command = [sys.executable, __file__, "--see", str(folder), str(max(tests // 10, 1))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def see(folder: str, after: int) -> None:
    seen = Seen(after)
    code = pytest.main(["-p", "no:cacheprovider", "-p", "no:terminal", folder], plugins=[seen])
    assert code is pytest.ExitCode.OK
    print(json.dumps(seen.points))  # noqa: T201


def row(shape: Shape, tests: int) -> str:
    first, last = points(shape, tests, synchronous=False)
    first_sync, last_sync = points(shape, tests, synchronous=True)

    def above(name: str) -> float:
        more, less = last[name] - first[name], last_sync[name] - first_sync[name]
        return (more - less) / (last["tests"] - first["tests"])

    left = [str(int(last[name] - first[name])) for name in ("files", "threads", "tasks")]
    left += [str(int(last[name] - first[name])) for name in ("contexts", "loops")]
    figures = [f"{tests:,}", f"{above('seconds') * 1e6:.0f}", f"{above('blocks'):.2f}", *left]
    return f"| {shape.name} | {' | '.join(figures)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tests", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--see", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.see:
        see(options.see[0], int(options.see[1]))
        return

    titles = ("suite", "tests", "µs a test", "blocks a test", "files", "threads", "tasks")
    print(f"| {' | '.join((*titles, 'contexts', 'loops'))} |")  # noqa: T201
    for shape in SHAPES:
        for tests in options.tests:
            print(row(shape, tests), flush=True)  # noqa: T201
    deep = Shape("200 fixtures, each in the next", DEEP, "async def test_{}(f199): pass")
    print(row(deep, 20), flush=True)  # noqa: T201
    wide = Shape("one test, 2,000 parameters", LOOP.format("session"), WIDE.format(2000), 1)
    print(row(wide, 1).replace("| 1 |", "| 2,000 |"), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
