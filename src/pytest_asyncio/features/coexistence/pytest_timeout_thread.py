"""pytest-timeout by the method `thread`: the stacks that it shows say nothing of tasks."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any, Final, Literal, final

import pytest

from pytest_asyncio.support.debuggers import is_active

_MODULE: Final = "pytest_timeout"


def start(config: pytest.Config) -> None:
    """Have what async tests are doing shown too.

    The method ends the process, by a timer that the plugin lets others replace.
    """
    config.pluginmanager.register(_ByThread(import_module(_MODULE).timeout_timer))


@final
class _ByThread:
    def __init__(self, end_process: Any) -> None:
        self._end_process: Final = end_process

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, item: Any, settings: Any) -> Literal[True] | None:
        thread = threading.current_thread()
        if settings.method != "thread" and thread is threading.main_thread():
            return None

        def expire() -> None:
            if settings.disable_debugger_detection or not is_active(item.config, thread.ident or 0):
                from pytest_asyncio.features import hang_report

                hang_report.write(item.session, f"after the {settings.timeout:g} s of its time-out")
            self._end_process(item, settings)

        def cancel() -> None:
            timer.cancel()
            timer.join()

        timer = threading.Timer(settings.timeout, expire)
        timer.name = f"{_MODULE} {item.nodeid}"
        item.cancel_timeout = cancel
        timer.start()
        return True
