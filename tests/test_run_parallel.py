"""The plugin pytest-run-parallel must not call async tests in its threads."""

from __future__ import annotations

USED = """
    def pytest_configure(config):
        config.pluginmanager.register(object(), "_run-parallel")
        for marker in ("thread_unsafe", "iterations(n)"):
            config.addinivalue_line("markers", marker)
"""


def test_where_it_is_used_an_async_test_is_kept_to_one_thread_and_one_call(suite):
    result = suite(
        """
        @pytest.mark.iterations(5)
        @pytest.mark.asyncio
        async def test_it(request):
            assert request.node.get_closest_marker("thread_unsafe").kwargs["reason"]
            assert request.node.get_closest_marker("iterations").args == (1,)
        """,
        conftest=USED,
    )
    result.assert_outcomes(passed=1)


def test_where_it_is_used_sync_tests_are_its_own(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        def test_it(request):
            assert {mark.name for mark in request.node.iter_markers()} == {"asyncio"}
        """,
        conftest=USED,
    )
    result.assert_outcomes(passed=1)
