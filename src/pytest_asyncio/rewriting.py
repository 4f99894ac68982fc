"""Start-up: how pytest is to import the modules of the plugin."""

import sys


def exempt(package: str) -> None:
    """Have pytest import the modules of a package as they are.

    pytest compiles those of each plugin anew, to explain their assertions, and where bytecode may
    not be written, as in many containers, it does so in each session. Its import hook keeps the
    names of the packages in a private attribute.
    """
    for finder in sys.meta_path:
        getattr(finder, "_must_rewrite", set[str]()).discard(package)
