"""The structure of the package, as CONTRIBUTING draws it."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest_asyncio

PACKAGE = Path(pytest_asyncio.__file__).parent
CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"
FOLDERS = ["support", "collect", "engine", "features"]
"""Each imports from those before it only."""
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def imports_of(name: str, *, for_types: bool = True) -> Iterator[str]:
    """Yield the modules of the package that a module imports, also within functions."""
    path = MODULES[name]
    package = path.parent.relative_to(PACKAGE.parent).parts
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (for_types or node not in typing_only):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = [*base, *(node.module or "").split(".")] if node.module else [*base]
            if source[0] == PACKAGE.name:
                for alias in node.names:
                    imported = ".".join([*source[1:], alias.name])
                    yield imported if imported in MODULES else ".".join(source[1:])


def floor_of(name: str) -> int:
    folder = name.partition(".")[0]
    return FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS)


def test_a_folder_imports_only_from_those_below_it():
    upwards = {
        (name, imported)
        for name in MODULES
        for imported in imports_of(name)
        if imported and floor_of(imported) > floor_of(name)
    }
    assert not upwards


def test_no_file_imports_itself_through_others():
    imports = {name: set(imports_of(name, for_types=False)) for name in MODULES}
    graphlib.TopologicalSorter(imports).prepare()


def test_the_map_of_the_house_has_all_of_its_files():
    rows = re.findall(r"^\| (`.*?`) \|", CONTRIBUTING.read_text(encoding="utf-8"), re.MULTILINE)
    shown = {name for row in rows for name in re.findall(r"`([\w./]+)`", row)}
    files = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    folders = {name for name in shown if name.endswith("/")}
    assert {file for file in files if not any(map(file.startswith, folders))} <= shown


def test_no_file_is_so_long_that_nobody_reads_it():
    lines = {name: path.read_text(encoding="utf-8").count("\n") for name, path in MODULES.items()}
    assert not {name: length for name, length in lines.items() if length > 450}
    assert lines["plugin"] < 150
