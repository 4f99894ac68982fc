"""How the modules of the plugin are imported."""

import sys
from types import ModuleType

from _pytest.assertion.rewrite import AssertionRewritingHook


def exempt_from_rewriting(package: str) -> None:
    """Have pytest import the modules of a package as they are.

    pytest compiles those of each plugin anew, to explain their assertions, and where bytecode may
    not be written, as in many containers, it does so in each session. Its import hook keeps the
    names of the packages in a private attribute.
    """
    for finder in sys.meta_path:
        if type(finder) is AssertionRewritingHook:
            finder._must_rewrite.discard(package)


def remember(package: str) -> None:
    """Have modules that were imported before be found again.

    `pytester` forgets what a run in its process has imported first. Imported anew, the modules
    would stand beside those that their package still has.
    """
    for module in tuple(vars(sys.modules[package]).values()):
        if isinstance(module, ModuleType) and module.__name__.startswith(f"{package}."):
            sys.modules.setdefault(module.__name__, module)
            remember(module.__name__)
