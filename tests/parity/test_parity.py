"""What passes on pytest-asyncio 1.5 passes here, in the same order and on the same loops.

Random suites note what they do, and are run by both. Which one differs is made as small as it can
be, and shown file by file, to be saved and run.
"""

from __future__ import annotations

import difflib
import re
import shlex
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import generated
import pytest
from differences import DIFFERENCES, NOT_NOTED, is_comparable, without_listed
from shrunk import shrunk
from suites import Suite
from written import options, written

from plugins import Plugin, records

DOCS = Path(__file__).parents[2] / "docs" / "differences.md"
NOTED = Path(__file__).with_name("noted.py")
MEANT = re.compile(r"[Dd]eliberate|\[NOTRUN\]")
ENDS = ("= ends with 0", "= ends with 1")


@pytest.fixture(scope="module")
def plugins(pytestconfig: pytest.Config) -> Iterator[tuple[Plugin, Plugin]]:
    old = pytestconfig.getoption("old") or pytest.skip("--old is not given: nox does")
    # This environment may say where to find the sources of the new one.
    with Plugin(old, "-E") as before, Plugin(sys.executable) as now:
        assert before.version == "1.5.0"
        assert before.pytest == now.pytest
        yield before, now


def test_what_passes_on_1_5_does_the_same_here(
    plugins: tuple[Plugin, Plugin], pytestconfig: pytest.Config
) -> None:
    random = Random(pytestconfig.getoption("seed"))
    drawn = filter(is_comparable, iter(lambda: generated.suite(random), None))
    for suite in islice(drawn, pytestconfig.getoption("suites")):
        if difference(suite, plugins):
            break
    else:
        return
    smallest = shrunk(suite, lambda smaller: bool(difference(smaller, plugins)))
    pytest.fail(report(smallest, difference(smallest, plugins)), pytrace=False)


def difference(suite: Suite, plugins: tuple[Plugin, Plugin]) -> list[str]:
    """Return how the records of a suite differ, if it passes on 1.5, apart from what is listed."""
    if not is_comparable(suite):
        return []
    files = written(suite)
    before, now = records(files, options(suite, files), *plugins)
    if not passes(before):
        return []
    shown = [without_listed(record, suite) for record in (before, now)]
    return list(difflib.unified_diff(*shown, "1.5", "here", lineterm=""))


def passes(record: list[str]) -> bool:
    """Tell whether all that fails is meant to."""
    errors = (line for line in record if line.startswith("!"))
    return record[-1] in ENDS and all(map(MEANT.search, errors))


def report(suite: Suite, difference: list[str]) -> str:
    files = written(suite)
    shown = [f"--- {path}\n{text}" for path, text in files.items() if path != NOTED.name]
    command = shlex.join(["pytest", "-s", *options(suite, files)])
    return "\n".join([*shown, f"--- {NOTED.name}: a copy of {NOTED}", f"$ {command}", *difference])


@pytest.mark.parametrize("line", [*(each.line for each in DIFFERENCES), *NOT_NOTED])
def test_each_difference_has_its_line_in_the_documentation(line: str) -> None:
    assert f"\n- {line}" in DOCS.read_text(encoding="utf-8")
