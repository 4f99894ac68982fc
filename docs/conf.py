"""What Sphinx is to do. `nox --session docs` builds the pages, tests/test_docs.py runs them."""

from importlib.metadata import version as version_of
from typing import Any

from docutils.nodes import document
from sphinx.application import Sphinx

from pytest_asyncio.collect.hooks import Hooks
from pytest_asyncio.collect.options import OPTIONS

project = "pytest-asyncio"
author = "pytest-asyncio contributors"
copyright = author
release = version_of("pytest-asyncio")
version = release.rpartition(".")[0]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types of other projects, in signatures

default_role = "code"  # in docstrings
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

copybutton_exclude = ".linenos, .gp, .go"

pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = f"pytest-asyncio {version}"
html_static_path = ["_static"]
html_extra_path = ["_extra"]
html_css_files = ["pages.css"]
html_js_files = ["pages.js"]
html_theme_options = {
    "source_repository": "https://github.com/pytest-dev/pytest-asyncio/",
    "source_branch": "main",
    "source_directory": "docs/",
}

FIXTURES = {
    "asyncio_runner": "asyncio-runner",
    "asyncio_tasks": "asyncio-tasks-fixture",
    "asyncio_clock": "asyncio-clock-fixture",
    "asyncio_benchmark": "asyncio-benchmark",
    "unused_tcp_port": "fixtures",
    "unused_tcp_port_factory": "fixtures",
    "unused_udp_port": "fixtures",
    "unused_udp_port_factory": "fixtures",
    "event_loop": "fixtures",
    "event_loop_policy": "fixtures",
}
"""Where the page `reference` tells of each."""


def note_objects(app: Sphinx, doctree: document) -> None:
    """Let other projects link to options, fixtures, marks and hooks."""
    if app.env.docname != "reference":
        return
    domain: Any = app.env.get_domain("std")
    for option in OPTIONS:
        anchor = option.name.replace("_", "-")
        if option.type is not None:
            domain.note_object("confval", option.name, anchor)
        if option.metavar is not None:
            domain.note_object("cmdoption", f"--{anchor}", anchor)
    for name, anchor in FIXTURES.items():
        domain.note_object("fixture", name, anchor)
    domain.note_object("mark", "asyncio", "pytestmarkasyncio")
    for name in vars(Hooks):
        if name.startswith("pytest_"):
            domain.note_object("hook", name, name.replace("_", "-"))


def mark_examples(*given: Any) -> None:
    """Show what is indented in a docstring as Python."""
    lines: list[str] = given[-1]
    for number in reversed(range(1, len(lines))):
        is_first = not lines[number - 1] and not lines[number - 2].startswith("    ")
        if lines[number].startswith("    ") and is_first:
            lines[number:number] = [".. code-block:: python", ""]


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", mark_examples)
    for kind in ("fixture", "hook", "mark"):
        app.add_object_type(kind, kind)
    app.connect("doctree-read", note_objects)
