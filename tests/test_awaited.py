"""What is awaited: coroutine functions, and all that wraps one, as tests and as fixtures."""

from __future__ import annotations

import pytest

# Each takes a coroutine function, as a decorator does.
DECORATORS = {
    "functools.wraps": """
        import functools

        def decorated(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapper
    """,
    "functools.wraps, twice": """
        import functools

        def logged(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapper

        def decorated(function):
            return logged(logged(function))
    """,
    "a callable object that wraps": """
        import functools

        class decorated:
            def __init__(self, function):
                functools.update_wrapper(self, function)
                self.function = function
            def __call__(self, *args, **kwargs):
                return self.function(*args, **kwargs)
            def __get__(self, instance, owner):
                return functools.partial(self, instance)
    """,
    "a decorator in C": """
        import functools

        decorated = functools.lru_cache
    """,
    "functools.partial": """
        import functools

        def decorated(function):
            return functools.update_wrapper(functools.partial(function), function)
    """,
    "an async wrapper": """
        import functools

        def decorated(function):
            @functools.wraps(function)
            async def wrapper(*args, **kwargs):
                return await function(*args, **kwargs)
            return wrapper
    """,
    "mock.patch": """
        from unittest import mock

        decorated = mock.patch("os.sep", "/")
    """,
    "inspect.markcoroutinefunction": """
        import inspect, sys

        def decorated(function):
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            if sys.version_info < (3, 12):
                wrapper.__wrapped__ = function
                return wrapper
            return inspect.markcoroutinefunction(wrapper)
    """,
}
every_decorator = pytest.mark.parametrize("decorator", DECORATORS.values(), ids=DECORATORS.keys())


@every_decorator
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_a_decorated_test_is_awaited(suite, decorator, mode):
    result = suite(
        decorator
        + """
        @decorated
        async def passes():
            await asyncio.sleep(0)

        @decorated
        async def fails():
            await asyncio.sleep(0)
            raise LookupError

        test_passes = pytest.mark.asyncio(passes)
        test_fails = pytest.mark.asyncio(fails)
        """,
        f"--asyncio-mode={mode}",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("*LookupError*")


@every_decorator
def test_in_auto_mode_a_decorated_test_needs_no_mark(suite, decorator):
    result = suite(
        decorator
        + """
        @decorated
        async def test_it():
            await asyncio.sleep(0)
            raise LookupError
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*LookupError*")


@every_decorator
def test_a_decorated_fixture_is_awaited(suite, decorator):
    result = suite(
        decorator
        + """
        @decorated
        async def value():
            await asyncio.sleep(0)
            return 42

        value = pytest_asyncio.fixture(value)

        @pytest.mark.asyncio
        async def test_it(value):
            assert value == 42
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "method",
    [
        "async def test_it(self):",
        "@staticmethod\n            async def test_it():",
        "@classmethod\n            async def test_it(cls):",
    ],
    ids=["method", "staticmethod", "classmethod"],
)
def test_a_method_is_awaited(suite, method):
    result = suite(
        f"""
        class TestClass:
            {method}
                await asyncio.sleep(0)
                raise LookupError
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*LookupError*")


def test_a_callable_object_is_awaited(suite):
    result = suite(
        """
        class Case:
            async def __call__(self):
                await asyncio.sleep(0)
                raise LookupError

        def test_it(): "pytest collects what wraps a function."

        case = Case()
        case.__wrapped__, test_it = test_it, case
        """,
        "--asyncio-mode=auto",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*LookupError*")


@pytest.mark.parametrize(
    "method",
    [
        "async def value(self):",
        "@staticmethod\n            async def value():",
        "@classmethod\n            async def value(cls):",
    ],
    ids=["method", "staticmethod", "classmethod"],
)
def test_a_method_may_be_a_fixture(suite, method):
    result = suite(
        f"""
        class TestClass:
            @pytest_asyncio.fixture
            {method}
                await asyncio.sleep(0)
                return 42

            @pytest.mark.asyncio
            async def test_it(self, value):
                assert value == 42
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_callable_object_may_be_a_fixture(suite):
    result = suite("""
        class Value:
            __name__ = "value"
            async def __call__(self):
                await asyncio.sleep(0)
                return 42

        value = pytest_asyncio.fixture(Value(), name="value")

        @pytest.mark.asyncio
        async def test_it(value):
            assert value == 42
    """)
    result.assert_outcomes(passed=1)


def test_a_wrapped_async_generator_may_be_a_fixture(suite):
    result = suite(
        """
        import functools

        def decorated(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapper

        @pytest_asyncio.fixture
        @decorated
        async def value():
            await asyncio.sleep(0)
            yield 42
            await asyncio.sleep(0)
            print("torn down")

        @pytest.mark.asyncio
        async def test_it(value):
            assert value == 42
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("*torn down*")


def test_an_object_may_stand_for_an_async_generator(suite):
    result = suite(
        """
        import functools
        from collections.abc import AsyncGenerator

        class Traced(AsyncGenerator):
            def __init__(self, generator):
                self.generator = generator
            async def asend(self, value):
                print("step")
                return await self.generator.asend(value)
            async def athrow(self, *exception):
                return await self.generator.athrow(*exception)

        def traced(function):
            @functools.wraps(function)
            def wrapper():
                return Traced(function())
            return wrapper

        @pytest_asyncio.fixture
        @traced
        async def value():
            yield 42

        @pytest.mark.asyncio
        async def test_it(value):
            assert value == 42
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    assert result.stdout.str().count("step") == 2


def test_an_async_context_manager_may_be_a_fixture(suite):
    result = suite(
        """
        import contextlib

        @pytest_asyncio.fixture
        @contextlib.asynccontextmanager
        async def value():
            await asyncio.sleep(0)
            yield 42
            await asyncio.sleep(0)
            print("torn down")

        @pytest.mark.asyncio
        async def test_it(value):
            assert value == 42
        """,
        "-s",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("*torn down*")


def test_a_plain_fixture_leaves_it_to_the_test_to_enter_its_async_context_manager(suite):
    result = suite(
        """
        import contextlib

        @pytest.fixture
        @contextlib.asynccontextmanager
        async def value():
            yield 42

        async def test_it(value):
            async with value as entered:
                assert entered == 42
        """,
        ini="asyncio_mode = auto",
    )
    result.assert_outcomes(passed=1)


def test_a_decorator_may_make_a_fixture_synchronous(suite):
    result = suite("""
        import functools

        def run(function):
            @functools.wraps(function)
            def synchronous():
                with pytest.raises(StopIteration) as end:
                    function().send(None)
                return end.value.value
            return synchronous

        @pytest_asyncio.fixture
        @run
        async def value():
            return 42

        def test_it(value):
            assert value == 42
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("decorator", "mode"), [("pytest_asyncio.fixture", "strict"), ("pytest.fixture", "auto")]
)
def test_a_decorator_may_make_a_fixture_a_synchronous_generator(suite, decorator, mode):
    result = suite(
        f"""
        import functools

        def on_a_loop_of_its_own(function):
            @functools.wraps(function)
            def generate():
                with asyncio.Runner() as runner:
                    generator = function()
                    yield runner.run(anext(generator))
                    runner.run(anext(generator, None))
            return generate

        log = []

        @{decorator}
        @on_a_loop_of_its_own
        async def value():
            yield 1
            log.append("torn down")

        def test_it(value):
            assert value == 1

        def test_next():
            assert log == ["torn down"]
        """,
        f"--asyncio-mode={mode}",
    )
    result.assert_outcomes(passed=2)


def test_a_decorator_may_make_a_fixture_return_another_awaitable(suite):
    result = suite("""
        import functools

        class Awaitable:
            def __init__(self, coroutine):
                self.coroutine = coroutine

            def __await__(self):
                return self.coroutine.__await__()

        def wrap(function):
            return functools.wraps(function)(lambda: Awaitable(function()))

        @pytest_asyncio.fixture
        @wrap
        async def value():
            return 42

        @pytest.mark.asyncio
        async def test_it(value):
            assert value == 42
    """)
    result.assert_outcomes(passed=1)


def test_a_function_that_returns_an_awaitable_is_awaited_if_it_is_marked(suite):
    result = suite("""
        class Awaitable:
            def __await__(self):
                yield from asyncio.sleep(0).__await__()
                raise LookupError

        @pytest.mark.asyncio
        def test_it():
            return Awaitable()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*LookupError*")
