"""What a test costs, in several ways to write and run it, as a table.

    python benchmarks [--tests 1000] [--runs 5]

The ways are run in turn, several times each. CPU seconds of the whole process count, the least of
all runs, for other programs can only add to them. A cost is what a test takes above a synchronous
one that does the same. Only compare what is in one table: it says nothing of another machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BEFORE: Final = "pytest-asyncio==1.5.0"


@dataclass(frozen=True)
class Way:
    """A way to write tests: the head of their module, one of them, and what runs them."""

    name: str
    test: str
    head: str = ""
    python: Path = Path(sys.executable)
    plugins: tuple[str, ...] = ()

    def write(self, folder: Path, tests: int) -> None:
        folder.mkdir()
        lines = [self.head, *(self.test.format(number) for number in range(tests))]
        (folder / "test_it.py").write_text("\n".join(lines), encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")

    def run(self, folder: Path) -> float:
        """Return the CPU seconds of a run."""
        plugins = (argument for name in self.plugins for argument in ("-p", name))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [self.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins, str(folder)],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


PLUGIN: Final = ("pytest_asyncio.plugin",)
MARK: Final = "import pytest\npytestmark = pytest.mark.asyncio(loop_scope={!r})"
FIXTURES: Final = """
import pytest, pytest_asyncio
pytestmark = pytest.mark.asyncio
@pytest_asyncio.fixture
async def one():
    yield 1
@pytest_asyncio.fixture
async def two(one):
    return one + 1
"""
SYNC_FIXTURES: Final = """
import pytest
@pytest.fixture
def one():
    yield 1
@pytest.fixture
def two(one):
    return one + 1
"""
ANYIO: Final = """
import pytest
pytestmark = pytest.mark.anyio
@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
UNITTEST: Final = "import unittest\nclass TestIt(unittest.IsolatedAsyncioTestCase):"
TEST: Final = "async def test_{}(): pass"
NEEDY_TEST: Final = "async def test_{}(two): pass"

SYNC: Final = Way("synchronous", "def test_{}(): pass")
SYNC_NEEDY: Final = Way("synchronous, two fixtures", "def test_{}(two): pass", SYNC_FIXTURES)


def ways(before: Path) -> dict[Way, Way]:
    """Return the ways, each with the synchronous one that it is compared with."""
    found = {SYNC: SYNC, SYNC_NEEDY: SYNC_NEEDY}
    for name, python in {"this plugin": Path(sys.executable), BEFORE: before}.items():
        for scope in ("function", "session"):
            loop = Way(f"{name}, {scope} loop", TEST, MARK.format(scope), python, PLUGIN)
            found[loop] = SYNC
        found[Way(f"{name}, two fixtures", NEEDY_TEST, FIXTURES, python, PLUGIN)] = SYNC_NEEDY
    found[Way("anyio's plugin", TEST, ANYIO, plugins=("anyio.pytest_plugin",))] = SYNC
    unittest_way = Way("IsolatedAsyncioTestCase", "    async def test_{}(self): pass", UNITTEST)
    found[unittest_way] = SYNC
    return found


def environment(folder: Path) -> Path:
    """Make an environment with the plugin as it was before, and return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    versions = subprocess.run(
        [sys.executable, "-c", "import pytest; print(pytest.__version__)"],
        check=True,
        capture_output=True,
        text=True,
    )
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        BEFORE,
        f"pytest=={versions.stdout.strip()}",
    ]
    subprocess.run(install, check=True)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tests", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compared = ways(environment(folder / "before"))
        folders = {way: folder / str(number) for number, way in enumerate(compared)}
        for way, place in folders.items():
            way.write(place, options.tests)
        seconds = dict.fromkeys(compared, float("inf"))
        for _ in range(options.runs):
            for way, place in folders.items():
                seconds[way] = min(seconds[way], way.run(place))

    print(f"{'':36} {'whole run':>10} {'cost of a test':>15}")  # noqa: T201
    for way, base in compared.items():
        cost = (seconds[way] - seconds[base]) / options.tests * 1e6
        print(f"{way.name:36} {seconds[way]:8.2f} s {cost:12.0f} µs")  # noqa: T201


if __name__ == "__main__":
    main()
