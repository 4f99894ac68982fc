"""What becomes of a setting of a shared loop: the suite's is put back, a library's is left."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("_no_debug_mode")

PATHS = "pythonpath = . src lib/site-packages lib/site-packages/tests tests"
SETS = """
    def handle(loop, context): pass
    def instrument(): asyncio.get_running_loop().set_exception_handler(handle)
"""
TESTS = """
    pytestmark = pytest.mark.asyncio(loop_scope="module")
    def handler(): return asyncio.get_running_loop().get_exception_handler()
    async def test_one(): instrument()
"""
STAYS = "    async def test_two(): assert handler() is not None\n"
IS_PUT_BACK = "    async def test_two(): assert handler() is None\n"


@pytest.fixture
def sharing(checked):
    """Run the tests of `tests/unit/test_it.py`, and of other files that are given."""

    def run(source, files, **kwargs):
        files = {"tests/unit/test_it.py": source, **files}
        return checked("", "-Wdefault", names="loop-settings", files=files, ini=PATHS, **kwargs)

    return run


@pytest.mark.parametrize(
    "path", ["app.py", "src/app.py", "lib/site-packages/app.py", "lib/site-packages/tests/app.py"]
)
def test_what_the_code_under_test_or_a_library_sets_is_left_in_force(sharing, path):
    result = sharing("    from app import instrument\n" + TESTS + STAYS, {path: SETS})
    result.assert_outcomes(passed=2, warnings=1)
    place = path.removeprefix("lib/site-packages/")
    result.stdout.fnmatch_lines(
        "*LoopSettingsWarning: test_one had the exception handler of the event loop of "
        "tests/unit/test_it.py, which others use after it, set by code outside of the suite, at "
        f"{place}:4. It is left in force, *"
    )


@pytest.mark.parametrize(
    ("path", "conftest"),
    [
        pytest.param("tests/helpers.py", "", id="a helper of the suite"),
        pytest.param("tests/unit/conftest.py", "", id="a conftest"),
        pytest.param("test_other.py", "", id="another test module"),
        pytest.param("plug.py", "pytest_plugins = ['plug']", id="a plugin"),
        pytest.param(
            "lib/site-packages/plug.py", "pytest_plugins = ['plug']", id="an installed one"
        ),
    ],
)
def test_what_code_of_the_suite_sets_is_put_back(sharing, path, conftest):
    module = path.rpartition("/")[2].removesuffix(".py")
    result = sharing(
        f"    from {module} import instrument\n" + TESTS + IS_PUT_BACK,
        {path: SETS},
        conftest=conftest,
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        "*LoopSettingsWarning: test_one has set the exception handler of the event loop of "
        f"tests/unit/test_it.py, which others use after it, at *{module}.py:4. Put it back, *"
    )


def test_what_a_test_sets_by_a_function_of_the_standard_library_is_put_back(sharing):
    result = sharing(
        """
    import contextlib
    def instrument():
        with contextlib.ExitStack() as stack:
            stack.callback(asyncio.get_running_loop().set_exception_handler, print)
        """
        + TESTS
        + IS_PUT_BACK,
        {},
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines("*LoopSettingsWarning: test_one has set the exception handler *")


def test_a_test_that_a_class_of_a_package_defines_is_code_of_the_suite(sharing):
    result = sharing(
        """
        from base import Base
        @pytest.mark.asyncio(loop_scope="module")
        class TestIt(Base):
            async def test_two(self): assert handler() is None
        def handler(): return asyncio.get_running_loop().get_exception_handler()
        """,
        {"src/base.py": SETS + "    class Base:\n        async def test_one(self): instrument()\n"},
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines("*LoopSettingsWarning: test_one has set the exception handler *")


def test_a_library_that_a_fixture_calls_is_named_with_the_fixture(sharing):
    result = sharing(
        """
        from app import instrument
        @pytest_asyncio.fixture(loop_scope="module")
        async def instrumented(): instrument()
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        async def test_one(instrumented): pass
        async def test_two(): assert asyncio.get_running_loop().get_exception_handler() is not None
        """,
        {"app.py": SETS},
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines("*LoopSettingsWarning: fixture 'instrumented' had the *app.py:4.*")


def test_what_a_library_has_set_stays_where_a_test_sets_more_on_top(sharing):
    result = sharing(
        """
        from app import instrument, handle
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        async def test_one():
            instrument()
            asyncio.get_running_loop().set_exception_handler(print)
        async def test_two():
            assert asyncio.get_running_loop().get_exception_handler() is handle
        """,
        {"app.py": SETS},
    )
    result.assert_outcomes(passed=2, warnings=2)


def test_what_a_library_has_set_on_top_of_a_test_is_left_in_force(sharing):
    result = sharing(
        """
        from app import instrument, handle
        pytestmark = pytest.mark.asyncio(loop_scope="module")
        async def test_one():
            asyncio.get_running_loop().set_exception_handler(print)
            instrument()
        async def test_two():
            assert asyncio.get_running_loop().get_exception_handler() is handle
        """,
        {"app.py": SETS},
    )
    result.assert_outcomes(passed=2, warnings=1)


def test_a_library_that_puts_back_what_it_has_set_is_not_reported(sharing):
    source = SETS + "    def end(): asyncio.get_running_loop().set_exception_handler(None)\n"
    result = sharing(
        """
        import app
        @pytest.mark.asyncio(loop_scope="module")
        async def test_one():
            app.instrument()
            app.end()
        """,
        {"app.py": source},
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_what_a_fixture_sets_that_lives_as_long_as_the_loop_is_not_reported(checked, scope):
    result = checked(
        """
        @pytest_asyncio.fixture(scope=SCOPE, loop_scope=SCOPE, autouse=True)
        async def changed(): asyncio.get_running_loop().set_exception_handler(print)
        @pytest.mark.asyncio(loop_scope=SCOPE)
        class TestIt:
            async def test_one(self): pass
            async def test_two(self):
                assert asyncio.get_running_loop().get_exception_handler() is print
        """,
        names="loop-settings",
        scope=scope,
    )
    result.assert_outcomes(passed=2)


def test_what_a_fixture_with_parameters_sets_is_reported_before_the_next_parameter(checked):
    result = checked(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module", params=[1, 2])
        async def changed(request):
            if request.param == 1:
                asyncio.get_running_loop().set_exception_handler(print)
        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(changed): pass
        """,
        "-Wdefault",
        names="loop-settings",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines("*LoopSettingsWarning: fixture 'changed' has set the *")
