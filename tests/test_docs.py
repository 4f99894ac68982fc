"""What the documentation shows is true: its examples run, and print what it says they print.

In `docs/` and the README, a fenced block whose first line is a comment with a file's name, such as
`# conftest.py`, is that file. A `python` block without a name that holds a test is `test_it.py`,
and one that imports nothing finds `asyncio`, `pytest` and `pytest_asyncio` imported. The files of
a page stay, until a block of the same name replaces them.

A `console` block with a `pytest` command and its output is run with all files so far. What it shows
is the true output, where a line `...` stands for any lines, and `...` in a line for anything.
Spaces, the length of rules, times, the numbers of tasks and the lines of asyncio may differ. A
block with a test that no such block follows is run by itself, and passes without a warning.
"""

from __future__ import annotations

import ast
import re
import shlex
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import pytest_asyncio
from pytest_asyncio import plugin, user_fixtures
from pytest_asyncio.collect import hooks, lone_tests, marks
from pytest_asyncio.features import asyncio_runner, asyncio_tasks
from pytest_asyncio.features.clock import virtual

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/[!_]*.md"))]

BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"# ([\w./-]+\.\w+)$", re.MULTILINE)
TEST = re.compile(r"^ *(async )?def test_", re.MULTILINE)
NOT_TWICE = re.compile(r"^from (django|sqlalchemy)\b", re.MULTILINE)
"""What cannot be imported once more by a process."""
IMPORT = re.compile(r"^(import|from) ", re.MULTILINE)
VARYING = {r"\d+\.\d+ ?s\b": "0 s", r"\bTask-\d+": "Task", r"(asyncio/\w+\.py):\d+": r"\1"} | {
    rf"{rule}{{3,}}": rule for rule in "=_-!"
}


@dataclass
class Example:
    """Files, the arguments that pytest is run with, and what it is to print."""

    where: str
    files: dict[str, str]
    args: list[str] = field(default_factory=lambda: ["-Werror"])
    output: str = ""


def examples_of(page: Path) -> Iterator[Example]:
    text = page.read_text(encoding="utf-8")
    files: dict[str, str] = {}
    alone: Example | None = None
    for block in BLOCK.finditer(text):
        language, source = block[2], textwrap.dedent(block[3])
        where = f"{page.relative_to(ROOT).as_posix()}:{text.count(chr(10), 0, block.start()) + 1}"
        if language == "console":
            command, _, output = source.partition("\n")
            if command.startswith("$ pytest") and output.strip():
                alone = None
                yield Example(where, dict(files), shlex.split(command)[2:], output)
            continue
        name = NAME.match(source)
        is_test = language == "python" and TEST.search(source) is not None
        if name is None and not is_test:
            if language == "python":
                compile(source, where, "exec")
            continue
        content = source
        if language == "python" and not IMPORT.search(source):
            content = f"import asyncio, pytest, pytest_asyncio\n{source}"
        path = name[1] if name is not None else "test_it.py"
        files[path] = content
        if is_test:
            if alone is not None:
                yield alone
            alone = Example(where, dict(files), [path, "-Werror"])
    if alone is not None:
        yield alone


def import_what_is_needed(files: dict[str, str]) -> None:
    """Import the libraries of an example, or skip it where one is not installed."""
    if "settings.py" in files:
        pytest.importorskip("pytest_django")
    own = {path.replace("/", ".").split(".")[0] for path in files}
    for path, content in files.items():
        if not path.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(content)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                if name.split(".")[0] not in own | sys.stdlib_module_names | {"django"}:
                    pytest.importorskip(name)


def lines_of(output: str) -> list[str]:
    """Return the lines of an output without what varies."""
    for pattern, replacement in VARYING.items():
        output = re.sub(pattern, replacement, output)
    return [" ".join(line.split()) for line in output.splitlines() if line.strip()]


EXAMPLES = [example for page in PAGES for example in examples_of(page)]


@pytest.mark.usefixtures("_no_debug_mode")
@pytest.mark.parametrize("example", [pytest.param(it, id=it.where) for it in EXAMPLES])
def test_an_example_does_what_the_page_says(example, pytester, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    import_what_is_needed(example.files)
    if any("uvloop" in argument for argument in example.args):
        pytest.importorskip("uvloop")
    write(example.files, pytester)
    if "--asyncio-concurrent-probe" in example.args:
        monkeypatch.setenv("PYTEST_PLUGINS", "pytest_asyncio.plugin")  # For its own processes.
    shows_threads = "or thread is left" in example.output  # Other tests leave some.
    if shows_threads or any(map(NOT_TWICE.search, example.files.values())):
        result = run_alone(pytester, monkeypatch, example.files, example.args)
    else:
        result = pytester.runpytest("-p", "no:cacheprovider", *example.args, plugins=[plugin])
    printed = lines_of(result.stdout.str() + result.stderr.str())

    if not example.output:
        outcomes = result.parseoutcomes()
        assert outcomes.keys() <= {"passed", "skipped", "xfailed", "deselected"}
        return
    at = 0
    for part in re.split(r"^\.\.\.$", example.output, flags=re.MULTILINE):
        shown = lines_of(part)
        while not matches(shown, printed[at : at + len(shown)]):
            at += 1
            assert at < len(printed), "The page shows what is not printed:\n" + "\n".join(shown)
        at += len(shown)


SUITES = [page for page in PAGES if page.stem == "tutorial" or page.parent.stem == "recipes"]
REVERSED = """
def pytest_collection_modifyitems(items):
    items.reverse()
"""


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in SUITES])
def test_the_suite_of_a_page_passes_in_any_order_and_in_several_processes(
    page, pytester, monkeypatch
):
    pytest.importorskip("xdist")
    files = [*examples_of(page)][-1].files
    files.pop("test_bug.py", None)  # It is to fail.
    import_what_is_needed(files)
    write(files | {"conftest.py": files.get("conftest.py", "") + REVERSED}, pytester)
    result = run_alone(pytester, monkeypatch, files, ["-Werror", "-pxdist", "-n2"])
    assert result.parseoutcomes().keys() == {"passed"}


def run_alone(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    args: list[str],
) -> pytest.RunResult:
    """Run pytest in a process of its own, with no other plugin than the suite needs."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    names = [plugin.__name__, *(["pytest_django.plugin"] if "settings.py" in files else [])]
    options = (f"-p{name}" for name in ("no:cacheprovider", *names))
    return pytester.runpytest_subprocess(*options, *args)


def write(files: dict[str, str], pytester: pytest.Pytester) -> None:
    for name, content in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if pytest.version_tuple < (9, 0):
            content = content.replace("[tool.pytest]", "[tool.pytest.ini_options]")
        path.write_text(content, encoding="utf-8")


def matches(shown: list[str], printed: list[str]) -> bool:
    patterns = (re.escape(line).replace(re.escape("..."), ".*") for line in shown)
    return all(map(re.fullmatch, patterns, printed)) and len(shown) == len(printed)


def public_names_of(of: type) -> set[str]:
    return {name for name in vars(of) if not name.startswith("_")}


def what_pytest_shows(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the options, mark keywords and fixtures that pytest itself shows to users."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("COLUMNS", "500")
    shown = {
        option: pytester.runpytest(option, plugins=[plugin]).stdout.str()
        for option in ("--help", "--markers", "--fixtures")
    }
    (mark,) = re.findall(r"@pytest\.mark\.asyncio\((.*?)\):", shown["--markers"])
    return {
        *re.findall(r"^  (--asyncio-[\w-]+|asyncio_\w+)", shown["--help"], re.MULTILINE),
        *re.findall(r"\w+=", mark),
        *re.findall(
            r"^(\w+)(?: \[\w+ scope\])? -- .*pytest_asyncio/", shown["--fixtures"], re.MULTILINE
        ),
    }


def test_the_reference_has_everything_that_users_can_name(pytester, monkeypatch):
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    code = " ".join(re.findall(r"`[^`\n]+`|^#+ .*", reference, re.MULTILINE))
    names = {
        *what_pytest_shows(pytester, monkeypatch),
        *(f"{keyword}=" for keyword in marks._VALIDATORS),
        *lone_tests.SERIAL_FIXTURES,
        *public_names_of(hooks.Hooks),
        *(f"pytest_asyncio.{name}" for name in pytest_asyncio.__all__),
        *public_names_of(asyncio_runner.LoopRunner),
        *public_names_of(asyncio_tasks.TaskGroup) - {"end"},
        *(public_names_of(virtual.Clock) | {"autojump"}) - {"move", "next_step"},
    }
    untold = [name for name in names if not re.search(rf"(?<![\w-]){name}(?!\w)", code)]
    assert not untold


def test_other_projects_can_link_to_each_public_name():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    there = re.findall(r"^\.\. (?:auto)?(?:class|exception|function):: (\w+)", page, re.MULTILINE)
    assert {*there} == {*pytest_asyncio.__all__, "RuleBasedStateMachine"}

    conf = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    (fixtures,) = re.findall(r"^FIXTURES = (\{.*?^\})", conf, re.DOTALL | re.MULTILINE)
    assert {*ast.literal_eval(fixtures)} == {
        name for name in user_fixtures.__all__ if not name.startswith("_")
    }


def test_the_reference_has_no_option_or_fixture_that_there_is_not(pytester, monkeypatch):
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^### `(--asyncio-[\w-]+|asyncio_\w+)`", reference, re.MULTILINE))
    assert shown <= what_pytest_shows(pytester, monkeypatch)
    assert len(shown) > 10


def test_the_help_of_each_option_has_a_section_that_usage_errors_point_to(pytester, monkeypatch):
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\(([\w-]+)\)=$", reference, re.MULTILINE))
    names = what_pytest_shows(pytester, monkeypatch)
    options = {
        name.strip("-").replace("_", "-")
        for name in names
        if name.lstrip("-").startswith("asyncio")
    }
    assert options - {"asyncio-runner"} <= targets


def test_the_reference_names_the_oldest_versions_that_are_tested():
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    (oldest,) = re.findall(r"^OLDEST = \[(.*?)\]", noxfile, re.DOTALL | re.MULTILINE)
    shown = re.findall(r"^\| ([\w-]+) \| ([\d.]+) \|$", reference.lower(), re.MULTILINE)
    assert dict(shown) == dict(re.findall(r'"([\w-]+)==([\d.]+?)(?:\.\*)?"', oldest))
