"""What Sphinx is told. `nox --session docs` builds the pages, tests/test_docs.py runs them."""

from importlib.metadata import version as version_of

project = "pytest-asyncio"
author = "pytest-asyncio contributors"
copyright = author
release = version_of("pytest-asyncio")
version = release.rpartition(".")[0]

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

copybutton_exclude = ".linenos, .gp, .go"

pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = f"pytest-asyncio {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_theme_options = {
    "source_repository": "https://github.com/pytest-dev/pytest-asyncio/",
    "source_branch": "main",
    "source_directory": "docs/",
}
