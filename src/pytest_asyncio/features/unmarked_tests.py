"""A hint for async tests that nothing runs, for pytest's own only names some plugins."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pytest_asyncio.support import pytest_private
from pytest_asyncio.support.foreign import text

_UNSUPPORTED: Final = "async def functions are not natively supported"


def pytest_exception_interact(
    node: pytest.Item | pytest.Collector, call: pytest.CallInfo[Any], report: object
) -> None:
    error = None if call.excinfo is None else call.excinfo.value
    if (
        isinstance(error, pytest.fail.Exception)
        and isinstance(report, pytest.TestReport)
        and _UNSUPPORTED in text(error)
    ):
        pytest_private.add_section(
            report,
            "asyncio",
            f"If {node.name} is asyncio's, write @pytest.mark.asyncio at it, or set the option "
            "asyncio_mode to 'auto'.",
        )
