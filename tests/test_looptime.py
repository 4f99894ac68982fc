"""The plugin looptime finds the loop of a test through the test's fixtures."""

from __future__ import annotations

USED = """
    def pytest_configure(config):
        config.pluginmanager.register(object(), "looptime_plugin")
"""
NAMES = '{"event_loop_policy", "_module_scoped_runner"}'


def test_where_it_is_used_an_async_test_requests_the_runner_of_its_loop(suite):
    result = suite(
        f"""
        @pytest.mark.asyncio(loop_scope="module")
        @pytest.mark.parametrize("_", [1, 2])
        async def test_it(request, _):
            assert {NAMES} <= request.node.funcargs.keys()
            runner = request.node.funcargs["_module_scoped_runner"]
            assert isinstance(runner, asyncio.Runner)
            assert runner.get_loop() is asyncio.get_running_loop()
        """,
        conftest=USED,
    )
    result.assert_outcomes(passed=2)


def test_where_it_is_used_sync_tests_request_nothing(suite):
    result = suite(
        f"""
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        def test_it(request):
            assert not {NAMES} & request.node.funcargs.keys()
        """,
        conftest=USED,
    )
    result.assert_outcomes(passed=1)


def test_where_it_is_not_used_nothing_is_requested(suite):
    result = suite(f"""
        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(request):
            assert not {NAMES} & request.node.funcargs.keys()
    """)
    result.assert_outcomes(passed=1)
