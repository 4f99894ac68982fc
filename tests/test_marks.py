"""`@pytest.mark.asyncio`: where it may stand, how marks merge, and what is refused."""

from __future__ import annotations

import pytest

LOOP_SCOPES = ("function", "class", "module", "package", "session")

OFFERS_A_AND_B = """
    class A(asyncio.SelectorEventLoop): pass
    class B(asyncio.SelectorEventLoop): pass

    def pytest_asyncio_loop_factories(config, item):
        return {"a": A, "b": B}
"""


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            """
            @pytest.mark.asyncio
            async def test_it():
                asyncio.get_running_loop()
            """,
            id="function",
        ),
        pytest.param(
            """
            class TestIt:
                @pytest.mark.asyncio
                async def test_it(self):
                    asyncio.get_running_loop()
            """,
            id="method",
        ),
        pytest.param(
            """
            class TestIt:
                @staticmethod
                @pytest.mark.asyncio
                async def test_it():
                    asyncio.get_running_loop()
            """,
            id="static method",
        ),
        pytest.param(
            """
            @pytest.mark.asyncio
            class TestIt:
                async def test_it(self):
                    asyncio.get_running_loop()
            """,
            id="class",
        ),
        pytest.param(
            """
            class TestIt:
                pytestmark = pytest.mark.asyncio

                async def test_it(self):
                    asyncio.get_running_loop()
            """,
            id="class attribute",
        ),
        pytest.param(
            """
            @pytest.mark.asyncio
            class Base:
                async def test_it(self):
                    asyncio.get_running_loop()

            class TestIt(Base):
                pass
            """,
            id="base class",
        ),
        pytest.param(
            """
            pytestmark = pytest.mark.asyncio

            async def test_it():
                asyncio.get_running_loop()
            """,
            id="module",
        ),
        pytest.param(
            """
            @pytest.mark.parametrize("_", [pytest.param(1, marks=pytest.mark.asyncio)])
            async def test_it(_):
                asyncio.get_running_loop()
            """,
            id="parameter",
        ),
    ],
)
def test_the_mark_may_stand_on(suite, source):
    suite(source).assert_outcomes(passed=1)


def test_the_mark_may_be_added_while_items_are_modified(suite):
    result = suite(
        "async def test_it(): asyncio.get_running_loop()",
        conftest="""
            def pytest_collection_modifyitems(items):
                for item in items:
                    item.add_marker("asyncio")
        """,
    )
    result.assert_outcomes(passed=1)


def test_the_mark_may_be_applied_by_a_fixture(suite):
    result = suite("""
        @pytest.fixture(autouse=True)
        def asynchronous(request):
            request.applymarker(pytest.mark.asyncio)

        async def test_it():
            asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=1)


def test_a_mark_on_one_parameter_says_nothing_about_the_others(suite):
    result = suite(
        """
        shared = set()

        @pytest.mark.asyncio(loop_scope="module")
        async def test_module():
            shared.add(asyncio.get_running_loop())

        @pytest.mark.parametrize(
            ("is_shared"),
            [
                pytest.param(True, marks=pytest.mark.asyncio(loop_scope="module")),
                pytest.param(False, marks=pytest.mark.asyncio(loop_scope="function")),
            ],
        )
        async def test_it(is_shared):
            assert (asyncio.get_running_loop() in shared) == is_shared
        """
    )
    result.assert_outcomes(passed=3)


def test_the_mark_of_a_parameter_is_closer_than_that_of_the_function(suite):
    result = suite(
        """
        loops = set()

        @pytest.mark.asyncio(loop_scope="function")
        @pytest.mark.parametrize(
            "_", [pytest.param(_, marks=pytest.mark.asyncio(loop_scope="module")) for _ in "ab"]
        )
        async def test_it(_):
            loops.add(asyncio.get_running_loop())
            assert len(loops) == 1
        """
    )
    result.assert_outcomes(passed=2)


def test_the_mark_is_listed(suite):
    suite("", "--markers").stdout.fnmatch_lines("@pytest.mark.asyncio(*, loop_scope=*): *")


def test_the_mark_is_known_to_strict_markers(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            pass
        """,
        "--strict-markers",
    )
    result.assert_outcomes(passed=1)


def test_marks_merge_keyword_by_keyword(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        loops = set()

        @pytest.mark.asyncio(loop_factories=["a"])
        class TestIt:
            async def test_one(self):
                loops.add(asyncio.get_running_loop())

            @pytest.mark.asyncio(loop_factories=["a"])
            async def test_two(self):
                assert asyncio.get_running_loop() in loops
                assert type(asyncio.get_running_loop()).__name__ == "A"
        """,
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=2)


def test_the_closest_mark_that_has_the_keyword_counts(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio(loop_factories=["a"], loop_scope="session")

        @pytest.mark.asyncio(loop_factories=["b"])
        class TestIt:
            async def test_class(self):
                assert type(asyncio.get_running_loop()).__name__ == "B"

            @pytest.mark.asyncio(loop_factories=["a"])
            async def test_function(self):
                assert type(asyncio.get_running_loop()).__name__ == "A"
        """,
        conftest=OFFERS_A_AND_B,
    )
    result.assert_outcomes(passed=2)


def test_a_mark_without_keywords_asks_for_the_defaults(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        loops = []

        async def test_module():
            loops.append(asyncio.get_running_loop())

        @pytest.mark.asyncio
        async def test_default():
            assert asyncio.get_running_loop() not in loops
    """)
    result.assert_outcomes(passed=2)


def test_a_keyword_that_is_none_says_nothing(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        loops = []

        async def test_module():
            loops.append(asyncio.get_running_loop())

        @pytest.mark.asyncio(loop_scope=None)
        async def test_too():
            assert asyncio.get_running_loop() in loops
    """)
    result.assert_outcomes(passed=2)


def test_one_mark_on_two_tests_leaves_each_its_other_marks(suite):
    result = suite(
        """
        slow = pytest.mark.asyncio(timeout=5)
        loops = set()

        @slow
        async def test_alone():
            pass

        @pytest.mark.asyncio(loop_scope="class")
        class TestIt:
            @slow
            @pytest.mark.parametrize("_", "ab")
            async def test_it(self, _):
                loops.add(asyncio.get_running_loop())
                assert len(loops) == 1
        """
    )
    result.assert_outcomes(passed=3)


DEPRECATED_SCOPE = (
    '*.py:*: PytestDeprecationWarning: The "scope" keyword argument to the asyncio marker '
    "has been deprecated. Write @pytest.mark.asyncio(loop_scope='{}')."
)


@pytest.mark.parametrize("loop_scope", LOOP_SCOPES)
def test_scope_is_the_deprecated_name_of_loop_scope(suite, loop_scope):
    result = suite(
        f"""
        @pytest.mark.asyncio(scope="{loop_scope}")
        async def test_it():
            pass
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(DEPRECATED_SCOPE.format(loop_scope))


@pytest.mark.parametrize(
    "ignored",
    [
        "ignore::pytest.PytestDeprecationWarning:pytest_asyncio.plugin",
        'ignore:The "scope" keyword argument to the asyncio marker has been deprecated',
    ],
    ids=["module", "text"],
)
def test_the_deprecation_of_scope_may_be_ignored_by_module_or_text(suite, ignored):
    result = suite(
        """
        @pytest.mark.asyncio(scope="module")
        async def test_it():
            pass
        """,
        f"-W{ignored}",
    )
    result.assert_outcomes(passed=1)


def test_a_mark_with_the_deprecated_scope_is_warned_of_once(suite):
    result = suite(
        """
        @pytest.mark.asyncio(scope="module")
        @pytest.mark.parametrize("_", range(5))
        async def test_function(_):
            pass

        @pytest.mark.asyncio(scope="class")
        class TestClass:
            async def test_one(self): pass
            async def test_two(self): pass
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=7, warnings=2)


def test_each_test_with_a_mark_with_the_deprecated_scope_fails_where_warnings_are_errors(suite):
    result = suite(
        """
        @pytest.mark.asyncio(scope="module")
        @pytest.mark.parametrize("_", range(5))
        async def test_function(_):
            pass
        """
    )
    result.assert_outcomes(errors=5)


def test_the_deprecated_scope_is_warned_of_at_the_line_of_each_test(suite):
    result = suite(
        """
        @pytest.mark.asyncio(scope="module")
        async def test_one(): pass

        @pytest.mark.asyncio(scope="module")
        async def test_two(): pass
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=2, warnings=2)
    result.stdout.fnmatch_lines(
        ["*test_it.py:3: *DeprecationWarning: *", "*test_it.py:6: *DeprecationWarning: *"]
    )


@pytest.mark.parametrize("closer", ["", "loop_scope='class'"], ids=["default", "loop_scope"])
def test_a_deprecated_scope_that_a_closer_mark_hides_is_not_warned_of(suite, closer):
    result = suite(f"""
        pytestmark = pytest.mark.asyncio(scope="module")

        @pytest.mark.asyncio({closer})
        async def test_it():
            pass
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'session'", "accepts only keyword arguments *, not ('session')."),
        ("cope='session'", "accepts only keyword arguments *, not (cope='session')."),
        (
            "loop_scope='session', more=1",
            "accepts only keyword arguments *, not (loop_scope='session', more=1).",
        ),
        (
            "loop_scope='modul'",
            "got an unexpected loop scope value 'modul'. Valid scopes are: function, class, *.",
        ),
        ("scope='modul'", "got an unexpected loop scope value 'modul'. *"),
        ("loop_scope=1", "got an unexpected loop scope value 1. *"),
        *(
            (
                f"loop_factories={value}",
                f"'loop_factories' must be a non-empty sequence of strings, not {shown}.",
            )
            for value, shown in [
                ("[]", "[[]]"),
                ("()", "()"),
                ("'uvloop'", "'uvloop'"),
                ("{'uvloop'}", "{'uvloop'}"),
                ("['']", "[[]'']"),
                ("[1]", "[[]1]"),
                ("['a', 1]", "[[]'a', 1]"),
                ("1", "1"),
            ]
        ),
    ],
)
@pytest.mark.parametrize("hook", ["", OFFERS_A_AND_B], ids=["no factories", "factories"])
def test_an_invalid_mark_fails_the_test_by_its_name_and_no_other(suite, arguments, message, hook):
    result = suite(
        f"""
        @pytest.mark.asyncio({arguments})
        async def test_it():
            pass

        @pytest.mark.asyncio
        async def test_other():
            pass
        """,
        conftest=hook,
    )
    result.assert_outcomes(errors=1, passed=2 if hook else 1)
    result.stdout.fnmatch_lines(f"test_it.py::test_it: mark.asyncio {message}")
    result.stdout.no_fnmatch_line("*pytest_asyncio*")


def test_scope_and_loop_scope_together_are_refused(suite):
    result = suite("""
        @pytest.mark.asyncio(scope="session", loop_scope="session")
        async def test_it():
            pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        'test_it.py::test_it: An asyncio pytest marker defines both "scope" and "loop_scope", '
        'but it should only use "loop_scope".'
    )


def test_a_sync_test_with_a_mark_of_its_own_runs_with_a_warning(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        def test_it():
            pass
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        "*PytestWarning: The test <Function test_it> is marked with '@pytest.mark.asyncio' but it "
        "is not an async function. Please remove the mark."
    )


@pytest.mark.skipif(pytest.__version__ == "8.4.0", reason="It fails such a test.")
def test_what_a_sync_test_with_a_mark_returns_is_for_pytest(suite):
    result = suite(
        """
        pytestmark = pytest.mark.asyncio

        def test_it():
            return 42
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines("*PytestReturnNotNoneWarning: *")


@pytest.mark.parametrize(
    "arguments", ["foo=1", "1", "loop_scope='wide'", "loop_factories=['other']", "scope='module'"]
)
def test_the_arguments_of_a_mark_do_not_matter_to_a_sync_test(suite, arguments):
    result = suite(
        f"""
        @pytest.mark.asyncio({arguments})
        class TestIt:
            def test_it(self):
                pass
        """
    )
    result.assert_outcomes(passed=1)


def test_the_error_of_a_sync_test_with_a_wrong_mark_is_explained(suite):
    result = suite("""
        @pytest.mark.asyncio(foo=1)
        class TestIt:
            def test_it(self):
                asyncio.get_running_loop()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*request the fixture asyncio_runner*")


def test_the_mark_of_a_module_says_nothing_about_its_sync_tests(suite):
    result = suite("""
        pytestmark = pytest.mark.asyncio

        async def test_async():
            pass

        def test_sync():
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "mark", ["nonsense=1", "loop_scope='nonsense'", "timeout='x'", "'session'"]
)
def test_a_wrong_mark_that_a_closer_one_hides_is_ignored_with_a_warning(suite, mark):
    result = suite(f"""
        @pytest.mark.asyncio({mark})
        class Test:
            @pytest.mark.asyncio
            async def test_it(self):
                pass
    """)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines("*Test::test_it: mark.asyncio *It is ignored, for another mark*")


def test_a_value_that_cannot_be_shown_is_reported_by_its_type(suite):
    result = suite(
        """
        class Unshowable:
            def __repr__(self):
                raise SystemExit

        @pytest.mark.asyncio(loop_scope=Unshowable())
        async def test_it():
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: mark.asyncio got an unexpected loop scope value <*Unshowable object *"
    )
