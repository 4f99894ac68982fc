"""Draw the trace of the suite in docs/how-to/where-time-goes.md.

python docs/pictures/where-time-goes.py
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "how-to" / "where-time-goes.md"

WIDTH, LEFT, RIGHT, ROW = 780, 180, 16, 26
CHARACTER = 6.2
FILLS = {"task": "#eeeeee", "blocked": "#ffccaa"}


def traced(*args: str) -> list[dict[str, Any]]:
    """Run the suite of the page, and return the events of its trace."""
    found = re.search(r"```python\n# (test_shop.py\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    with TemporaryDirectory() as directory:
        (Path(directory) / "test_shop.py").write_text(f"# {found[1]}", encoding="utf-8")
        options = "--asyncio-trace=trace.json", "-oasyncio_blocked_loop_threshold=0.1"
        command = [sys.executable, "-m", "pytest", "-pno:cacheprovider", *options, *args]
        subprocess.run(command, cwd=directory, check=True)
        trace = (Path(directory) / "trace.json").read_text(encoding="utf-8")
    events: list[dict[str, Any]] = json.loads(trace)["traceEvents"]
    return events


def drawing(events: list[dict[str, Any]]) -> Iterator[str]:
    tracks = {it["tid"]: it["args"]["name"] for it in events if it["name"] == "thread_name"}
    slices = [event for event in events if event["ph"] == "X"]
    rows: list[tuple[str, list[dict[str, Any]]]] = []
    for tid, name in tracks.items():
        below = by_depth([event for event in slices if event["tid"] == tid])
        rows += zip([name, *[""] * len(below)], below, strict=False)

    end = max(it["ts"] + it["dur"] for it in slices)
    scale = (WIDTH - LEFT - RIGHT) / end
    bottom = ROW * len(rows)
    yield (
        f'<svg viewBox="0 0 {WIDTH} {bottom + ROW}" width="{WIDTH}" height="{bottom + ROW}" '
        'xmlns="http://www.w3.org/2000/svg" font-family="Helvetica" font-size="11">'
    )
    for tenth in range(int(end / 1e5) + 1):
        x = LEFT + tenth * 1e5 * scale
        yield f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{bottom + 4}" stroke="#cccccc"/>'
        if tenth % 2 == 0:
            yield text(x, bottom + 18, f"{tenth / 10:.1f} s", "middle")
    for number, (name, of_row) in enumerate(rows):
        yield text(LEFT - 10, number * ROW + 17, name, "end")
        for event in of_row:
            yield from bar(event, number * ROW, scale)
    yield "</svg>"


def by_depth(of_track: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Sort the slices of a track by how many others they are in."""
    rows: list[list[dict[str, Any]]] = []
    for event in of_track:
        depth = sum(holds(other, event) for other in of_track)
        rows += [[] for _ in range(depth + 1 - len(rows))]
        rows[depth].append(event)
    return rows


def holds(outer: dict[str, Any], inner: dict[str, Any]) -> bool:
    """Tell whether a slice begins no later and ends no earlier than another one."""
    begins, ends = outer["ts"], outer["ts"] + outer["dur"]
    return outer is not inner and begins <= inner["ts"] and inner["ts"] + inner["dur"] <= ends


def bar(event: dict[str, Any], y: int, scale: float) -> Iterator[str]:
    x, width = LEFT + event["ts"] * scale, max(event["dur"] * scale, 1.5)
    yield (
        f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="{ROW - 4}" rx="3" '
        f'fill="{FILLS.get(event["cat"], "#ccddff")}" stroke="black" stroke-width="0.5">'
        f"<title>{escape(event['name'])}: {event['dur'] / 1e6:.2f} s</title></rect>"
    )
    name, room = event["name"], int(width / CHARACTER)
    if room >= 4:
        yield text(
            x + width / 2, y + 17, name if len(name) <= room else name[: room - 1] + "…", "middle"
        )


def text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


if __name__ == "__main__":
    for name, args in {"serial-run": (), "concurrent-run": ("-oasyncio_concurrent=true",)}.items():
        picture = "\n".join(drawing(traced(*args)))
        (HERE / f"{name}.svg").write_text(f"{picture}\n", encoding="utf-8")
