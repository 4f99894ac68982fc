"""`pytest_asyncio.fixture`: every form in which it can be written."""

from __future__ import annotations

import pytest
from _pytest import deprecated

FORMS = {
    "coroutine": "async def value(): return 1",
    "async generator": "async def value(): yield 1",
    "function": "def value(): return 1",
    "generator": "def value(): yield 1",
}
TEST = """
    {decorator}
    {form}

    @pytest.mark.asyncio
    async def test_async(value):
        assert value == 1

    def test_sync(value):
        assert value == 1
"""


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    "decorator",
    [
        "@pytest_asyncio.fixture",
        "@pytest_asyncio.fixture()",
        "@pytest_asyncio.fixture(name='value')",
    ],
)
def test_the_decorator_takes_every_kind_of_function(suite, decorator, form):
    suite(TEST.format(decorator=decorator, form=form)).assert_outcomes(passed=2)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_auto_mode_takes_plain_fixtures_of_every_kind(suite, form):
    source = TEST.format(decorator="@pytest.fixture", form=form)
    suite(source, "--asyncio-mode=auto").assert_outcomes(passed=2)


def test_the_decorator_may_be_called_with_a_function(suite):
    result = suite("""
        async def one():
            return 1

        value = pytest_asyncio.fixture(one, loop_scope="module")

        @pytest.mark.asyncio
        async def test_it(value):
            assert value == 1
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_methods_are_bound_to_the_instance_of_the_test(suite, form):
    result = suite(f"""
        class TestIt:
            @pytest_asyncio.fixture
            {form.replace("value()", "value(self)").replace("1", "self")}

            @pytest.mark.asyncio
            async def test_it(self, value):
                assert value is self
    """)
    result.assert_outcomes(passed=1)


def test_class_methods_and_static_methods_can_be_fixtures(suite):
    result = suite("""
        class TestIt:
            @pytest_asyncio.fixture
            @staticmethod
            async def static():
                return 1

            @pytest_asyncio.fixture(scope="class")
            @classmethod
            async def of_class(cls):
                return cls

            @pytest.mark.asyncio
            async def test_it(self, static, of_class):
                assert static == 1
                assert of_class is TestIt
    """)
    result.assert_outcomes(passed=1)


OF_INSTANCE = """
    class TestIt:
        @pytest_asyncio.fixture(scope="class")
        async def value(self): return 1
        def test_sync(self, value): assert value == 1
        @pytest.mark.asyncio
        async def test_async(self, value): assert value == 1
        @pytest.mark.asyncio
        async def test_more(self, value): assert value == 1
"""
warns_of_instances = pytest.mark.skipif(
    not hasattr(deprecated, "CLASS_FIXTURE_INSTANCE_METHOD"), reason="This pytest allows it."
)


@warns_of_instances
def test_the_warning_of_a_wide_method_of_an_instance_is_shown_at_the_method(suite):
    result = suite(OF_INSTANCE, "-Wdefault")
    result.assert_outcomes(passed=3, warnings=2)  # The other is about the loop scope.
    result.stdout.fnmatch_lines("*test_it.py:4: *Class-scoped fixtures defined as instance*")


@warns_of_instances
def test_each_test_fails_for_a_wide_method_of_an_instance_where_warnings_are_errors(suite):
    result = suite(OF_INSTANCE)
    result.assert_outcomes(errors=3)
    error = "E  *Warning: Class-scoped fixtures defined as instance methods are deprecated."
    result.stdout.fnmatch_lines(3 * [error])
    result.stdout.no_fnmatch_line("*/pytest_asyncio/*")


def test_a_method_of_an_object_can_be_a_fixture(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it(value):
            assert type(value).__name__ == "Plugin"
        """,
        conftest="""
            class Plugin:
                @pytest_asyncio.fixture
                async def value(self):
                    await asyncio.sleep(0)
                    return self

            def pytest_configure(config):
                config.pluginmanager.register(Plugin())
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_fixture_may_be_parametrized_with_ids(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(params=[1, 2], ids=["one", "two"])
        async def value(request):
            return request.param

        @pytest.mark.asyncio
        async def test_it(value):
            assert value in {1, 2}
        """,
        "-v",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::test_it[[]one] *", "*::test_it[[]two] *"])


@pytest.mark.parametrize("loop_scope", ["module", "session"])
def test_a_parametrized_wide_fixture_lives_once_for_each_parameter(suite, loop_scope):
    result = suite(
        f"""
        @pytest_asyncio.fixture(params=[1, 2], scope="module", loop_scope="{loop_scope}")
        async def value(request):
            print("set up", request.param)
            yield request.param
            print("torn down", request.param)

        @pytest.mark.asyncio
        async def test_one(value): pass

        @pytest.mark.asyncio
        async def test_two(value): pass
        """,
        "-s",
    )
    result.assert_outcomes(passed=4)
    steps = [line.lstrip(".") for line in result.outlines if " up " in line or " down " in line]
    assert [step.split("test_it.py ")[-1] for step in steps] == [
        "set up 1",
        "torn down 1",
        "set up 2",
        "torn down 2",
    ]


def test_a_fixture_may_be_autouse(suite):
    result = suite("""
        ran = []

        @pytest_asyncio.fixture(autouse=True)
        async def value():
            ran.append(asyncio.get_running_loop())

        @pytest.mark.asyncio
        async def test_async():
            assert ran == [asyncio.get_running_loop()]

        def test_sync():
            assert len(ran) == 2
    """)
    result.assert_outcomes(passed=2)


def test_a_fixture_may_have_another_name(suite):
    result = suite("""
        @pytest_asyncio.fixture(name="value")
        async def make_value():
            return 1

        @pytest.mark.asyncio
        async def test_it(value):
            assert value == 1
    """)
    result.assert_outcomes(passed=1)


def test_the_scope_may_be_decided_by_a_function(suite):
    result = suite(
        """
        @pytest_asyncio.fixture(scope=lambda fixture_name, config: config.getini("fixture_scope"))
        async def loop():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_one(loop):
            assert loop is asyncio.get_running_loop()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_two(loop):
            assert loop is asyncio.get_running_loop()
        """,
        conftest="def pytest_addoption(parser): parser.addini('fixture_scope', '')",
        ini="fixture_scope = module",
    )
    result.assert_outcomes(passed=2)


def test_fixtures_may_depend_on_each_other_over_loops(suite):
    result = suite("""
        @pytest_asyncio.fixture(scope="module", loop_scope="session")
        async def widest():
            yield [1]

        @pytest.fixture
        def between(widest):
            return [*widest, 2]

        @pytest_asyncio.fixture
        async def narrowest(between):
            yield [*between, 3]

        @pytest.mark.asyncio(loop_scope="module")
        async def test_it(narrowest):
            assert narrowest == [1, 2, 3]
    """)
    result.assert_outcomes(passed=1)


def test_a_fixture_may_be_requested_by_name_from_a_sync_fixture(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def value():
            return 1

        @pytest.fixture
        def indirect(request):
            return request.getfixturevalue("value")

        @pytest.mark.asyncio
        async def test_it(indirect):
            assert indirect == 1
    """)
    result.assert_outcomes(passed=1)


def test_a_fixture_may_be_overridden_and_asked_for_what_it_overrides(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def value(value):
            yield value + 1

        @pytest.mark.asyncio
        async def test_it(value):
            assert value == 2
        """,
        conftest="""
            @pytest_asyncio.fixture
            async def value():
                yield 1
        """,
    )
    result.assert_outcomes(passed=1)


def test_an_async_fixture_may_return_none(suite):
    result = suite("""
        @pytest_asyncio.fixture
        async def nothing():
            pass

        @pytest_asyncio.fixture
        def nothing_either():
            pass

        @pytest.mark.asyncio
        async def test_it(nothing, nothing_either):
            assert nothing is nothing_either is None
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("scope='modul'", "ValueError: *'database': 'modul' is not a valid scope. Valid *: *."),
        ("loopscope='module'", "TypeError: *'database': * 'loopscope'. Write loop_scope=."),
        ("name='db', retries=1", "TypeError: *'db': * 'retries'. It takes scope, loop_scope, *."),
    ],
    ids=["scope", "argument", "unlike-any"],
)
def test_a_declaration_that_is_not_valid_names_its_fixture(suite, arguments, error):
    result = suite(
        f"""
        @pytest_asyncio.fixture({arguments})
        async def database():
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["test_it.py:3: in <module>", f"E   {error}"])


def test_a_generator_that_never_yields_is_reported_in_one_sentence(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def fixture():
            if False:
                yield

        @pytest.mark.asyncio
        async def test_it(fixture):
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_it*", "The async fixture 'fixture' did not yield a value."],
        consecutive=True,
    )


def test_a_timeout_that_is_held_over_the_yield_shows_only_lines_of_the_fixture(suite):
    result = suite(
        """
        @pytest_asyncio.fixture
        async def limit():
            async with asyncio.timeout(0):
                yield

        @pytest.mark.asyncio
        async def test_it(limit):
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["> *yield", "E *CancelledError", "test_it.py:6: CancelledError"])
    assert "pytest_asyncio/" not in result.stdout.str()
