"""Python 3.16 has no event loop policies: what there is without them."""

from __future__ import annotations

import asyncio
import importlib
import threading

import pytest

from pytest_asyncio.support import asyncio_private

NAMES = (
    *("get_event_loop_policy", "set_event_loop_policy"),
    *("_get_event_loop_policy", "_set_event_loop_policy", "_event_loop_policy"),
    *("AbstractEventLoopPolicy", "DefaultEventLoopPolicy", "BaseDefaultEventLoopPolicy"),
    "__getattr__",  # which has the deprecated ones from Python 3.14 on
    *("_AbstractEventLoopPolicy", "_DefaultEventLoopPolicy", "_BaseDefaultEventLoopPolicy"),
)


@pytest.fixture(autouse=True)
def _no_policies(monkeypatch):
    """Leave only what a later Python has, which keeps the current loop of a thread itself."""
    current = threading.local()

    def set_event_loop(loop):
        current.loop = loop

    def get_event_loop():
        loop = asyncio._get_running_loop() or getattr(current, "loop", None)
        if loop is None:
            raise RuntimeError("There is no current event loop in this thread.")
        return loop

    for module in (asyncio, asyncio.events):
        for name in NAMES:
            monkeypatch.delitem(vars(module), name, raising=False)
        monkeypatch.setattr(module, "set_event_loop", set_event_loop)
        monkeypatch.setattr(module, "get_event_loop", get_event_loop)
        monkeypatch.setattr(module, "new_event_loop", asyncio.SelectorEventLoop)
    importlib.reload(asyncio_private)  # It looks for them when it is imported.
    yield
    monkeypatch.undo()
    importlib.reload(asyncio_private)


SUITE = """
    @pytest.fixture
    def found():
        return asyncio.get_event_loop()

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def wide():
        yield asyncio.get_running_loop()

    @pytest_asyncio.fixture
    def synchronous():
        return asyncio.get_event_loop()

    @pytest.mark.asyncio
    async def test_function_loop(found, synchronous):
        assert found is synchronous is asyncio.get_running_loop()

    @pytest.mark.asyncio(loop_scope="module")
    async def test_module_loop(wide, request):
        assert wide is asyncio.get_running_loop()
        await pytest_asyncio.getfixturevalue(request, "wide")

    @pytest.mark.parametrize("number", range(3))
    @pytest.mark.asyncio(loop_scope="module")
    async def test_others(number, wide):
        await asyncio.sleep(0)

    def test_runner(asyncio_runner):
        asyncio_runner.run(asyncio.sleep(0))

    @pytest.mark.asyncio(clock="virtual", loop_scope="function")
    async def test_virtual(asyncio_clock):
        await asyncio.sleep(1000)

    @pytest.mark.asyncio
    async def test_policy(event_loop_policy):
        assert event_loop_policy is None

    class Test:
        async def setup_method(self):
            await asyncio.sleep(0)

        @pytest.mark.asyncio
        async def test_xunit(self):
            await asyncio.sleep(0)
"""


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--asyncio-mode=auto", "--asyncio-checks=all", "--asyncio-tasks"),
        ("--asyncio-durations=0", "--asyncio-trace=trace.json", "--asyncio-timeout=60"),
        ("-oasyncio_concurrent=true", "--asyncio-default-test-loop-scope=module"),
        ("--asyncio-loop-factory=asyncio.SelectorEventLoop", "--asyncio-debug"),
        (
            "--asyncio-default-test-loop-scope=session",
            "--asyncio-default-fixture-loop-scope=session",
        ),
    ],
    ids=lambda options: options[0] if options else "",
)
def test_every_feature_works_without_policies(suite, options):
    suite(SUITE, *options).assert_outcomes(passed=9)


def test_loop_factories_work_without_policies(suite):
    result = suite(
        SUITE,
        conftest="""
            def pytest_asyncio_loop_factories(config, item):
                return {"one": asyncio.SelectorEventLoop, "two": asyncio.new_event_loop}
        """,
    )
    assert result.ret is pytest.ExitCode.OK


def test_an_override_makes_loops_without_policies(suite):
    result = suite(
        """
        class Loop(asyncio.SelectorEventLoop): pass

        class Policy:
            def new_event_loop(self):
                return Loop()

        @pytest.fixture(scope="module", params=[Policy(), Policy()])
        def event_loop_policy(request):
            return request.param

        @pytest_asyncio.fixture(scope="module")
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(loop):
            assert asyncio.get_running_loop() is loop
            assert type(loop) is Loop
        """,
        "-Wignore::pytest.PytestDeprecationWarning",
    )
    result.assert_outcomes(passed=2)


def test_no_loop_is_current_after_the_last_one_without_policies(suite):
    result = suite("""
        @pytest.mark.asyncio
        async def test_async():
            pass

        def test_sync():
            with pytest.raises(RuntimeError, match="no current event loop"):
                asyncio.get_event_loop()
    """)
    result.assert_outcomes(passed=2)


def test_a_session_within_a_running_loop_works_without_policies(suite):
    async def run():
        return suite("""
            @pytest_asyncio.fixture
            async def loop():
                yield asyncio.get_running_loop()

            @pytest.mark.asyncio
            async def test_it(loop):
                assert loop is asyncio.get_running_loop()
        """)

    with asyncio.Runner() as runner:
        runner.run(run()).assert_outcomes(passed=1)
