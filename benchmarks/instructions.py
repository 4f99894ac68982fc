"""What an async test costs in instructions, beside a hook without features.

    python benchmarks/instructions.py [--tests 200]

Needs valgrind, whose cachegrind counts the instructions of whole sessions. Sessions of two sizes
are subtracted from one another, which leaves the start out, and a synchronous test from the
asynchronous ones.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ASYNCHRONOUS: Final = "async def test_{}(): pass"
MARK: Final = "import pytest\npytestmark = pytest.mark.asyncio(loop_scope={!r})"
FIXTURES: Final = """
import pytest_asyncio
@pytest_asyncio.fixture
async def first(): return 1
@pytest_asyncio.fixture
async def second(first): yield first
"""


@dataclass(frozen=True)
class Case:
    """A kind of test: the head of its module, the test itself, and which loop the hook has."""

    name: str
    head: str
    test: str
    loop: str = "function"

    def synchronous(self) -> Case:
        """Return a test that does the same without a loop."""
        head = self.head.replace("async ", "").replace("pytest_asyncio", "pytest")
        return Case(self.name, head, self.test.replace("async ", ""))


CASES: Final = [
    Case("a function loop for every test", MARK.format("function"), ASYNCHRONOUS),
    Case("one session loop", MARK.format("session"), ASYNCHRONOUS, "session"),
    Case(
        "two async fixtures a test",
        MARK.format("function") + FIXTURES,
        "async def test_{}(second): pass",
    ),
]
PLUGINS: Final = ("pytest_asyncio.plugin", "bare_hook")


def counted(case: Case, tests: int, plugin: str) -> int:
    """Return the instructions of a session of so many tests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [case.head, *(case.test.format(number) for number in range(tests))]
        (folder / "test_it.py").write_text("\n".join(lines), encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\nmarkers = asyncio\n", encoding="utf-8")
        output = subprocess.run(
            [
                *("valgrind", "--tool=cachegrind", "--cache-sim=no"),
                "--cachegrind-out-file=/dev/null",
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                *(["-p", plugin] if plugin else []),
            ],
            check=True,
            capture_output=True,
            text=True,
            cwd=folder,
            env={
                **os.environ,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTHONHASHSEED": "0",
                "BARE_LOOP": case.loop,
                "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
            },
        ).stderr
    (total,) = re.findall(r"I\s+refs:\s+([\d,]+)", output)
    return int(total.replace(",", ""))


def cost(case: Case, tests: int, plugin: str) -> float:
    """Return how many thousand instructions one test takes."""
    few, many = (counted(case, number, plugin) for number in (tests // 4, tests))
    return (many - few) / (tests - tests // 4) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=200)
    tests = parser.parse_args().tests
    rows = ["| for each test | this version | a bare hook | ratio |", "|---|---:|---:|---:|"]
    for case in CASES:
        nothing = cost(case.synchronous(), tests, "")
        ours, bare = (cost(case, tests, plugin) - nothing for plugin in PLUGINS)
        rows.append(f"| {case.name} | {ours:,.0f} | {bare:,.0f} | {ours / bare:.2f} |")
    sys.stdout.write("\n".join([*rows, ""]))


if __name__ == "__main__":
    main()
