"""Races that were found in public, and the versions that have them: all are found here, and how.

Each file in `bugs/` is a suite as a user of that library would write it. It runs with two versions
of the library, or of Python, that differ in the bug. `nox -s races` runs this; it installs them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copy, which

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Version:
    """A Python, and what is installed in it."""

    python: str
    package: str | None = None
    requirements: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.package or 'asyncio'}-{self.python}"


@dataclass(frozen=True)
class Bug:
    """A suite, the versions with and without a bug, and what finds it.

    `waiting:2` and `woken:2` are places of a sweep, `late` and `tasks` are schedules.
    """

    suite: str
    version: Version
    mended: Version | None
    found: tuple[str, ...]
    later: tuple[str, ...] = field(default=())
    """The tests that find another bug in the mended version, rightly."""

    def __str__(self) -> str:
        return self.suite


def of_package(
    suite: str,
    name: str,
    version: str,
    mended: str | None,
    *found: str,
    later: tuple[str, ...] = (),
    python: str = "3.11",
    more: tuple[str, ...] = (),
) -> Bug:
    return Bug(
        suite,
        Version(python, f"{name}=={version}", more),
        None if mended is None else Version(python, f"{name}=={mended}", more),
        found,
        later,
    )


BUGS = [
    of_package("redis_answers", "redis", "4.5.1", "4.5.5", "waiting:2"),
    of_package(  # The later one is encode/httpcore#1093.
        "httpcore_place",
        "httpcore[asyncio]",
        "1.0.2",
        "1.0.3",
        "waiting:2",
        later=("test_cancelled",),
    ),
    of_package("aiohttp_queue", "aiohttp", "3.10.10", "3.10.11", "tasks"),
    of_package(
        "psycopg_pool_return",
        "psycopg-pool",
        "3.3.0",
        "3.3.1",
        "woken:1",
        "tasks",
        python="3.13",
        more=("psycopg[binary]",),
    ),
    of_package("anyio_lock_waiter", "anyio", "4.13.0", "4.14.0", "waiting:1", "tasks"),
    of_package("anyio_limiter_token", "anyio", "4.9.0", "4.10.0", "woken:1", "late"),
    of_package(  # Later, it is lost with who is cancelled while it takes the lock again.
        "anyio_condition_notice",
        "anyio",
        "4.12.1",
        "4.13.0",
        "waiting:3",
        "woken:2",
        "late",
        later=("test_cancelled", "test_late"),
    ),
    of_package(  # Later, it is lost with who is cancelled by asyncio's own means.
        "anyio_stream_item",
        "anyio",
        "4.3.0",
        "4.4.0",
        "woken:2",
        "late",
        later=("test_cancelled",),
    ),
    of_package("aiojobs_swallows", "aiojobs", "1.4.0", None, "waiting:1", "woken:1", "late"),
    of_package("asyncstdlib_tee_items", "asyncstdlib", "3.13.1", "3.13.3", "late"),
    Bug("asyncio_condition_notice", Version("3.12.1"), Version("3.13"), ("woken:1", "late")),
    Bug("asyncio_wait_for_swallows", Version("3.11.7"), Version("3.12"), ("woken:1", "late")),
]
TESTS = {"late": "test_late", "tasks": "test_delayed"}


def interpreter(version: str) -> Path:
    """Return a Python of a version, which pyenv or uv may have."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"))
    if pyenv:
        return pyenv[-1]
    if which("uv"):
        uv = subprocess.run(["uv", "python", "find", version], capture_output=True, text=True)
        if uv.returncode == 0:
            return Path(uv.stdout.strip())
    found = which(f"python{version}")
    if found is None:
        pytest.skip(f"There is no Python {version}.")
    return Path(found)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    target = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", target, ROOT], check=True)
    (wheel,) = target.iterdir()
    return wheel


@pytest.fixture
def run(wheel, tmp_path_factory, tmp_path):
    """Run a suite with a version, in an environment that is made for it."""

    def run(suite: str, version: Version, *args: str) -> str:
        environment = Path(tmp_path_factory.getbasetemp(), "environments", str(version))
        python = environment / "bin" / "python"
        if not environment.exists():
            subprocess.run([interpreter(version.python), "-m", "venv", environment], check=True)
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            packages = [version.package] if version.package else []
            subprocess.run([*pip, *packages, *version.requirements, "pytest", wheel], check=True)
        copy(HERE / "bugs" / f"{suite}.py", tmp_path / "test_it.py")
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        pytest = [python, "-m", "pytest", "-p", "no:cacheprovider", "-rfE", *args]
        return subprocess.run(pytest, cwd=tmp_path, capture_output=True, text=True, env=env).stdout

    return run


@pytest.mark.parametrize(
    ("bug", "way"), [pytest.param(bug, way, id=f"{bug}-{way}") for bug in BUGS for way in bug.found]
)
def test_a_bug_is_found(bug, way, run):
    if way in TESTS:
        output = run(bug.suite, bug.version, "-k", TESTS[way])
        assert f"FAILED test_it.py::{TESTS[way]}" in output
        assert "--asyncio-seed=" in output
        assert ("put off at" in output) or way == "late"
    else:
        output = run(bug.suite, bug.version, "-k", "test_cancelled", f"--asyncio-cancel={way}")
        assert "FAILED test_it.py::test_cancelled" in output
        kind, number = way.split(":")
        assert f"cancelled {'while waiting' if kind == 'waiting' else 'when woken'} at" in output
        assert f"await {number} of" in output


@pytest.mark.parametrize(
    "bug", [pytest.param(bug, id=bug.suite) for bug in BUGS if bug.mended is not None]
)
def test_nothing_is_said_of_the_mended_version(bug, run):
    output = run(bug.suite, bug.mended)
    failed = set(re.findall(r"^FAILED test_it\.py::(\w+)", output, re.MULTILINE))
    assert re.search(r"^=+ .*\b(passed|failed)\b", output, re.MULTILINE)
    assert failed <= set(bug.later)
