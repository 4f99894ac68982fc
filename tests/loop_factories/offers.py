"""Suites that offer loop factories, and whose tests print which loop they run on."""

from __future__ import annotations

import pytest

LOOPS = """
    class A(asyncio.SelectorEventLoop): pass
    class B(asyncio.SelectorEventLoop): pass
"""


OFFERS_A = (
    LOOPS
    + """
    def pytest_asyncio_loop_factories(config, item):
        return {"a": A}
"""
)


OFFERS_A_AND_B = (
    LOOPS
    + """
    def pytest_asyncio_loop_factories(config, item):
        return {"a": A, "b": B}
"""
)


PRINTS_LOOP = """
    @pytest.mark.asyncio{arguments}
    async def test_it():
        print("loop:", type(asyncio.get_running_loop()).__name__)
"""


def loops_of(result: pytest.RunResult) -> list[str]:
    return [line.split("loop: ")[1] for line in result.outlines if "loop: " in line]
