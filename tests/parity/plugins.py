"""The plugins that are compared: each has a process that runs suites, in its environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

SERVER = Path(__file__).with_name("server.py")


class Plugin:
    def __init__(self, *python: str) -> None:
        self._process: Final = subprocess.Popen(
            [*python, "-B", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version, self.pytest = self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def begin(self, *request: str) -> None:
        assert self._process.stdin is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)

    def result(self, record: Path) -> list[str]:
        """Return what the suite has noted, and how its process ended if that was not by itself."""
        status = self._answer()
        lines = record.read_text(encoding="utf-8").splitlines()
        return in_order([*lines, *([f"= killed by signal {-status}"] if status else [])])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def in_order(lines: list[str]) -> list[str]:
    """Sort what ends together: asyncio ends the tasks of a loop in the order of a set."""
    together = groupby(lines, key=lambda line: line.startswith("~"))
    return [line for are_ends, group in together for line in (sorted(group) if are_ends else group)]


def records(
    files: Mapping[str, str], arguments: tuple[str, ...], *plugins: Plugin
) -> Iterator[list[str]]:
    """Run a suite with each of the plugins, at the same time."""
    with TemporaryDirectory(prefix="suite") as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for number, plugin in enumerate(plugins):
            plugin.begin(folder, f"record-{number}", *arguments)
        for number, plugin in enumerate(plugins):
            yield plugin.result(Path(folder, f"record-{number}"))
