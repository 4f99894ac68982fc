"""What the tests share: each one writes a suite as a user would, runs it, and reads the report."""

from __future__ import annotations

import asyncio  # else each suite that is run in this process imports a new one
import contextlib
import gc
import signal
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pytest

from pytest_asyncio import plugin
from pytest_asyncio.engine import async_fixtures, event_loop  # noqa: F401  # for the same reason
from pytest_asyncio.features import timeouts
from pytest_asyncio.features.races import runs  # noqa: F401

with contextlib.suppress(ImportError):
    import hypothesis.stateful  # noqa: F401  # for the same reason

pytest_plugins = ["pytester"]

HEADER = "import asyncio, pytest, pytest_asyncio\n"
DEFAULTS = {
    "SIGINT": signal.default_int_handler,
    "SIGHUP": signal.SIG_DFL,
    "SIGQUIT": signal.SIG_DFL,
}


def pytest_configure() -> None:
    """Let signals interrupt or end what the tests run: shells, and nohup, have some ignored."""
    for name, default in DEFAULTS.items():
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let a test that hangs fail by itself, with its name, where pytest-timeout is installed."""
    if not config.pluginmanager.hasplugin("timeout"):
        return
    for item in items:
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(autouse=True)
def _same_report_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset what makes lines of reports longer, or coloured, as on the machines of a CI."""
    for name in ("CI", "BUILD_NUMBER", "COLUMNS", "FORCE_COLOR", "PYTHON_COLORS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def suite(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Write a suite and run it; a warning that nothing expects is an error there.

    Each file starts with `import asyncio, pytest, pytest_asyncio`. `args` go to the command line,
    where `-Wdefault` lets warnings be reported, and `-p` adds to the plugins, of which there is
    only this one. `files` holds further ones by their path.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(
        source: str = "",
        *args: str,
        ini: str = "",
        conftest: str = "",
        files: Mapping[str, str] | None = None,
    ) -> pytest.RunResult:
        __tracebackhide__ = True
        sources = {"test_it.py": source, "conftest.py": conftest}
        for name, text in ({k: v for k, v in sources.items() if v} | dict(files or {})).items():
            path = pytester.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(HEADER + textwrap.dedent(text), encoding="utf-8")
        ini = "[pytest]\nfilterwarnings = error\n" + textwrap.dedent(ini)
        (pytester.path / "pytest.ini").write_text(ini, encoding="utf-8")
        return pytester.runpytest("-p", "no:cacheprovider", *args, plugins=[plugin])

    return run


@pytest.fixture
def suite_alone(
    suite: Callable[..., pytest.RunResult],
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., pytest.RunResult]:
    """Have `suite` run processes: it may end its own, and other tests have left threads here."""
    run = partial(pytester.runpytest_subprocess, "-ppytest_asyncio.plugin", timeout=60)
    monkeypatch.setattr(pytester, "runpytest", lambda *args, plugins: run(*args))
    return suite


@pytest.fixture
def _leave_nothing_to_others() -> Iterator[None]:
    """Free what failing tests have left open, before the warnings reach another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon what does not end when it is cancelled."""
    monkeypatch.setattr(event_loop, "GRACE", 0.05)
    monkeypatch.setattr(event_loop, "LAST_GRACE", 0.05)
    monkeypatch.setattr(event_loop, "THREADS_GRACE", 0.05)
    monkeypatch.setattr(timeouts, "REACTION", 0.05)


@pytest.fixture
def _no_debug_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let loops be as they are by default, also where Python is run in its development mode."""
    monkeypatch.setattr(asyncio.coroutines, "_is_debug_mode", lambda: False)


@pytest.fixture(autouse=sys.flags.optimize > 0)
def _no_warning_of_optimization(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what pytest warns of under `python -O` out of the reports."""
    monkeypatch.setattr(pytest.Config, "_warn_about_missing_assertion", lambda *_: None)
    monkeypatch.delenv("PYTHONOPTIMIZE", raising=False)  # Else other processes warn too.
