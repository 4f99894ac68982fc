"""All that is checked. `nox` runs it, `nox --list` tells what it is, `nox -s lint types` picks."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from zipfile import ZipFile

import nox

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True
nox.options.reuse_existing_virtualenvs = True

PYPROJECT = nox.project.load_toml()
PYTHONS = nox.project.python_versions(PYPROJECT)
OLDEST = [
    "anyio==4.0.*",
    "hypothesis==6.75.3",
    "pytest==8.4.0",
    "pytest-timeout==2.3.1",
    "pytest-xdist==3.5.*",
    "uvloop==0.17.*",
]
"""What we say we work with at least."""
OLD = "pytest-asyncio==1.5.0"
"""Whose suites pass here unchanged."""
WAYS = {
    "errors": (["-W", "error"], {}),
    "dev": (["-X", "dev"], {}),
    "debug": ([], {"PYTHONASYNCIODEBUG": "1"}),
    "optimized": (["-O"], {}),
}
"""How Python itself may be run: its options and its environment."""
MUTANTS = """
[cosmic-ray]
module-path = "src/pytest_asyncio/{file}.py"
test-command = "python -m pytest -qx --failed-first --timeout=60 {tests}"
timeout = 900
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = ["core/RemoveDecorator", "core/ReplaceBinaryOperator_BitOr_.*"]
"""
"""Annotations are no code, and what killed one mutant is the first to try on the next."""


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: what is wrong, and what is not formatted."""
    session.install("--group", "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy and pyright, over the package and over what its users write, and Pyrefly over that."""
    session.install(".", "--group", "typing")
    session.run("mypy")
    session.run("pyrefly", "check")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "pytest_asyncio", "--ignoreexternal")


@nox.session(python=[*PYTHONS, "pypy3.11"])
@nox.parametrize("pytest", [nox.param("~=8.4.0", id="oldest"), nox.param(">=9", id="newest")])
def tests(session: nox.Session, pytest: str) -> None:
    """The tests, on each Python, with the oldest and the newest pytest."""
    # The newest Hypothesis has no wheel for some of them, and is built by Rust.
    session.install(".", "--group", "tests", f"pytest{pytest}", "--only-binary", "hypothesis")
    env = {"PYTHON_GIL": "0"} if str(session.python).endswith("t") else {}  # Whatever is imported.
    session.run("coverage", "run", "-m", "pytest", *session.posargs, env=env)
    if "CI" not in os.environ:
        session.notify("coverage")


@nox.session
@nox.parametrize("pytest", ["8.4", "9.0", "9.1", "9.2"])
def pytests(session: nox.Session, pytest: str) -> None:
    """The tests with each minor version of pytest."""
    session.install(".", "--group", "tests", f"pytest=={pytest}.*")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """The tests with the oldest versions of what they have beside them."""
    session.install(".", "--group", "tests", *OLDEST)
    session.run("pytest", *session.posargs)


@nox.session
@nox.parametrize("way", [*WAYS])
def ways(session: nox.Session, way: str) -> None:
    """The tests in each way to run Python."""
    options, env = WAYS[way]
    session.install(".", "--group", "tests")
    session.run("python", *options, "-m", "pytest", *session.posargs, env=env)


@nox.session(python="3.14")
def eager(session: nox.Session) -> None:
    """The tests with tasks that start at once, as they can from Python 3.12 on."""
    session.install(".", "--group", "tests")
    session.run("python", "-m", "pytest", "-p", "tests.eager", *session.posargs)


@nox.session
def trust(session: nox.Session) -> None:
    """What would find us out: faults, long sessions, random suites, bad input."""
    session.install(".", "--group", "tests")
    session.run("pytest", "-n2", "--dist=worksteal", "tests/trust", *session.posargs)


@nox.session
def parity(session: nox.Session) -> None:
    """Random suites, here and on pytest-asyncio 1.5; `-- --suites 3000 --seed 7` for others."""
    session.install(".", "--group", "tests")
    old = Path(session.create_tmp(), "old")
    session.run("python", "-m", "venv", old)
    python = str(old / "bin" / "python")
    session.run(python, "-m", "pip", "install", OLD, "hypothesis", external=True)
    session.run("pytest", "tests/parity", f"--old={python}", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """What all sessions of the tests have covered together."""
    session.install("coverage")
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session
def examples(session: nox.Session) -> None:
    """The suite of the example application, and the examples in the documentation."""
    groups = ("--group", "examples", "--group", "recipes", "--group", "tests")
    session.install(".", *groups)
    session.run("pytest", "-W", "error", "examples", *session.posargs)
    session.run("pytest", "tests/test_docs.py")


@nox.session
def plugins(session: nox.Session) -> None:
    """The tests that have other plugins in the same session."""
    session.install(".", "--group", "tests", "--group", "plugins")
    session.run("pytest", "tests/plugins", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation; any warning is an error."""
    session.install(".", "--group", "docs")
    target = os.environ.get("READTHEDOCS_OUTPUT", "docs/_build")
    session.run("sphinx-build", "-W", "--keep-going", "-n", "docs", f"{target}/html")


@nox.session
def package(session: nox.Session) -> None:
    """The wheel, which is built from the sdist, and what is in it."""
    extras, groups = PYPROJECT["project"]["optional-dependencies"], PYPROJECT["dependency-groups"]
    if extras != {"examples": groups["examples"], "test": groups["tests"]}:
        session.error("the extras are not what the dependency groups are")

    shutil.rmtree("dist", ignore_errors=True)
    session.install("--group", "package")
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))
    session.run("check-wheel-contents", "dist")

    (wheel,) = Path("dist").glob("*.whl")
    with ZipFile(wheel) as archive:
        roots = {name.split("/")[0] for name in archive.namelist()}
    name, version, *_ = wheel.name.split("-")
    if roots != {name, f"{name}-{version}.dist-info"}:
        session.error(f"the wheel holds {sorted(roots)}")


@nox.session(default=False)
def races(session: nox.Session) -> None:
    """Whether bugs are found that were races in public, in the versions that have them."""
    session.install(".", "pytest", "pip")
    session.run("pytest", "tests/races", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """What a test costs, beside other ways to run it."""
    session.install(".", "--group", "bench")
    session.run("python", "benchmarks", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Which changes to a file no test notices: `-- collect/marks`, then the tests to run."""
    file, *tests = session.posargs
    session.install(".", "--group", "mutants", "--group", "tests")
    tree = Path(tempfile.mkdtemp(), "tree")  # where the changes are made
    session.chdir(shutil.copytree(".", tree, ignore=shutil.ignore_patterns(".*", "__pycache__")))
    Path("mutants.toml").write_text(MUTANTS.format(file=file, tests=" ".join(tests)))
    env = {"PYTHONPATH": str(tree / "src")}
    session.run("cosmic-ray", "baseline", "mutants.toml", env=env)
    session.run("cosmic-ray", "init", "mutants.toml", "mutants.sqlite")
    session.run("cr-filter-operators", "mutants.sqlite", "mutants.toml")
    session.run("cosmic-ray", "exec", "mutants.toml", "mutants.sqlite", env=env)
    session.run("cr-report", "--surviving-only", "--show-diff", "mutants.sqlite")
