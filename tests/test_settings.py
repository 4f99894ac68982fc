"""The options: what each value does, where it is shown, and what is refused."""

from __future__ import annotations

import pytest

SCOPES = ("function", "class", "module", "package", "session")
SCOPE_OPTIONS = ("asyncio_default_fixture_loop_scope", "asyncio_default_test_loop_scope")

TEST = """
    @pytest.mark.asyncio
    async def test_it():
        pass
"""

DEBUG_TEST = """
    @pytest_asyncio.fixture
    async def fixture_debug():
        return asyncio.get_running_loop().get_debug()

    @pytest.mark.asyncio
    async def test_it(fixture_debug):
        assert {asyncio.get_running_loop().get_debug(), fixture_debug} == {%s}
"""

LOOP_CLASS_CONFTEST = """
    class Loop(asyncio.SelectorEventLoop):
        pass

    not_callable = 1
    makes_no_loop = object
"""


def test_the_header_shows_the_defaults(suite):
    suite(TEST).stdout.fnmatch_lines(
        "asyncio: mode=strict, debug=False, asyncio_default_fixture_loop_scope=None, "
        "asyncio_default_test_loop_scope=function"
    )


def test_the_header_shows_what_is_set(suite):
    result = suite(
        TEST,
        "--asyncio-debug",
        conftest=LOOP_CLASS_CONFTEST,
        ini="""
            asyncio_mode = auto
            asyncio_default_fixture_loop_scope = fixture-scope
            asyncio_default_test_loop_scope = auto
            asyncio_loop_factory = conftest:Loop
        """,
    )
    result.stdout.fnmatch_lines(
        "asyncio: mode=auto, debug=True, asyncio_default_fixture_loop_scope=fixture-scope, "
        "asyncio_default_test_loop_scope=auto, asyncio_loop_factory=conftest:Loop"
    )


@pytest.mark.parametrize(
    ("ini", "shown"),
    [
        ("asyncio_timeout = 2.50", "asyncio_timeout=2.5"),
        (
            "asyncio_checks = leaked-tasks never-awaited",
            "asyncio_checks=leaked-tasks,never-awaited",
        ),
        ("asyncio_clock = virtual", "asyncio_clock=virtual"),
        ("asyncio_concurrent = true\nasyncio_concurrency = 4", "asyncio_concurrent=True, *=4"),
    ],
)
def test_the_header_shows_what_goes_beyond_the_defaults(suite, ini, shown):
    result = suite(TEST, ini=ini)
    result.stdout.fnmatch_lines(f"asyncio: *, asyncio_default_test_loop_scope=function, {shown}")


def test_the_help_lists_the_options(suite):
    suite(TEST, "--help").stdout.fnmatch_lines(
        [
            "asyncio:",
            "  --asyncio-mode=MODE *",
            "  --asyncio-debug *",
            "  --asyncio-default-fixture-loop-scope=SCOPE",
            "  --asyncio-default-test-loop-scope=SCOPE",
            "  --asyncio-loop-factory=NAME",
            "  --asyncio-timeout=SECONDS",
            "  --asyncio-clock=CLOCK*",
            "  --asyncio-concurrent*",
            "  --asyncio-concurrency=N",
            "  --asyncio-checks=NAMES",
            "  --asyncio-tasks *",
            "  --asyncio-durations=N",
            "  --asyncio-trace=FILE *",
            "*asyncio_mode (string):*",
            "*asyncio_debug (bool):*",
            "*asyncio_default_fixture_loop_scope (string):*",
            "*asyncio_default_test_loop_scope (string):*",
            "*asyncio_loop_factory (string):*",
            "*asyncio_timeout (float):*",
            "*asyncio_clock (string):*",
            "*asyncio_concurrent (bool):*",
            "*asyncio_concurrency (int):*",
            "*asyncio_serial_fixtures (args):*",
            "*asyncio_checks (args):*",
            "*asyncio_blocked_loop_threshold (float):*",
        ]
    )


def test_what_is_not_set_reads_as_its_default(suite):
    result = suite(
        TEST,
        conftest="""
            def pytest_report_header(config):
                names = ["mode", "default_fixture_loop_scope", "default_test_loop_scope"]
                return [f"{name}: {config.getini(f'asyncio_{name}')}" for name in names]
        """,
    )
    result.stdout.fnmatch_lines(
        [
            "mode: strict",
            "default_fixture_loop_scope: None",
            "default_test_loop_scope: function",
        ]
    )


@pytest.mark.parametrize("mode", ["", "legacy", "AUTO"])
def test_an_unknown_mode_is_a_usage_error(suite, mode):
    result = suite(TEST, f"--asyncio-mode={mode}")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        f"ERROR: '{mode}' is not a valid asyncio_mode. Valid modes: auto, strict."
    )


def test_an_unknown_mode_in_the_ini_file_is_a_usage_error(suite):
    result = suite(TEST, ini="asyncio_mode = legacy")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: 'legacy' is not a valid asyncio_mode.*")


def test_the_command_line_overrides_the_mode_of_the_ini_file(suite):
    result = suite("async def test_it(): pass", "--asyncio-mode=auto", ini="asyncio_mode = strict")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("option", SCOPE_OPTIONS)
@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_is_a_valid_default_loop_scope(suite, option, scope):
    result = suite(TEST, ini=f"{option} = {scope}")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(f"asyncio: *{option}={scope}*")


@pytest.mark.parametrize("option", SCOPE_OPTIONS)
def test_the_command_line_overrides_a_default_loop_scope_of_the_ini_file(suite, option):
    result = suite(TEST, f"--{option.replace('_', '-')}=module", ini=f"{option} = session")
    result.stdout.fnmatch_lines(f"asyncio: *{option}=module*")


@pytest.mark.parametrize(
    ("option", "other"), list(zip(SCOPE_OPTIONS, ("fixture-scope", "auto"), strict=True))
)
def test_an_unknown_default_loop_scope_is_a_usage_error(suite, option, other):
    result = suite(TEST, ini=f"{option} = modul")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            f"ERROR: 'modul' is not a valid {option}. Valid scopes are: {', '.join(SCOPES)}.",
            f"It may also be '{other}'.",
        ]
    )


@pytest.mark.parametrize(
    ("option", "others_word"), list(zip(SCOPE_OPTIONS, ("auto", "fixture-scope"), strict=True))
)
def test_the_special_word_of_one_default_is_refused_for_the_other(suite, option, others_word):
    result = suite(TEST, ini=f"{option} = {others_word}")
    assert result.ret is pytest.ExitCode.USAGE_ERROR


def test_an_empty_default_test_loop_scope_is_function(suite):
    result = suite(TEST, ini="asyncio_default_test_loop_scope =")
    result.stdout.fnmatch_lines("asyncio: *asyncio_default_test_loop_scope=function*")


@pytest.mark.usefixtures("_no_debug_mode")
@pytest.mark.parametrize(
    ("ini", "args", "debug"),
    [
        ("", [], False),
        ("asyncio_debug = true", [], True),
        ("asyncio_debug = false", [], False),
        ("", ["--asyncio-debug"], True),
        ("asyncio_debug = false", ["--asyncio-debug"], True),
    ],
)
def test_debug_is_set_on_the_loops_of_tests_and_fixtures(suite, ini, args, debug):
    suite(DEBUG_TEST % debug, *args, ini=ini).assert_outcomes(passed=1)


def test_without_the_option_debug_is_left_to_asyncio(suite, monkeypatch):
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    suite(DEBUG_TEST % True).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("args", "ini"),
    [
        (["--asyncio-loop-factory=conftest.Loop"], ""),
        (["--asyncio-loop-factory=conftest:Loop"], "asyncio_loop_factory = conftest.Missing"),
        ([], "asyncio_loop_factory = conftest.Loop"),
    ],
)
def test_a_loop_factory_is_named_by_its_dotted_name(suite, args, ini):
    result = suite(
        """
        @pytest_asyncio.fixture(loop_scope="session")
        async def loop_of_fixture():
            return asyncio.get_running_loop()

        @pytest.mark.asyncio
        async def test_it(loop_of_fixture):
            assert type(loop_of_fixture).__name__ == "Loop"
            assert type(asyncio.get_running_loop()).__name__ == "Loop"
        """,
        *args,
        ini=ini,
        conftest=LOOP_CLASS_CONFTEST,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("conftest.Missing", "*Missing*"),
        ("no_such_module.Loop", "No module named 'no_such_module'"),
        ("not a name", "*"),
        ("conftest.not_callable", "it is not callable"),
    ],
)
def test_a_loop_factory_that_cannot_be_found_is_one_usage_error(suite, name, reason):
    result = suite(TEST, f"--asyncio-loop-factory={name}", conftest=LOOP_CLASS_CONFTEST)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        f"ERROR: '{name}' is not a valid asyncio_loop_factory: {reason}. Give the dotted name of a "
        "callable that returns an event loop, such as uvloop.new_event_loop."
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("a b", "SyntaxError: invalid syntax (broken.py, line 2)"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("pytest.skip('not here', allow_module_level=True)", "Skipped: not here"),
        ("class Error(BaseException): pass\nraise Error", "Error"),
    ],
)
def test_a_loop_factory_whose_import_fails_is_one_usage_error(suite, pytester, source, reason):
    pytester.syspathinsert()
    result = suite(TEST, "--asyncio-loop-factory=broken.Loop", files={"broken.py": source})
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    start = f"ERROR: 'broken.Loop' is not a valid asyncio_loop_factory: {reason}. "
    assert [line[: len(start)] for line in result.errlines if line.startswith("ERROR")] == [start]
    result.stderr.no_fnmatch_line("*Traceback*")


def test_ctrl_c_while_a_loop_factory_is_imported_is_no_usage_error(suite, pytester):
    pytester.syspathinsert()
    with pytest.raises(KeyboardInterrupt):
        suite(
            TEST,
            "--asyncio-loop-factory=broken.Loop",
            files={"broken.py": "raise KeyboardInterrupt"},
        )


def test_a_loop_factory_that_makes_no_loop_fails_the_test(suite):
    result = suite(
        TEST, "--asyncio-loop-factory=conftest.makes_no_loop", conftest=LOOP_CLASS_CONFTEST
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        "test_it.py::test_it: the loop factory <class 'object'> returned <object object at *>, "
        "which is not an event loop."
    )


@pytest.mark.parametrize("option", ["asyncio_debug", "asyncio_concurrent"])
def test_a_flag_that_is_neither_true_nor_false_is_a_usage_error(suite, option):
    result = suite("", ini=f"{option} = maybe")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            f"ERROR: 'maybe' is not a valid {option}. Give true or false.",
            f"See *#{option.replace('_', '-')}",
        ]
    )


def test_a_list_with_an_open_quotation_is_a_usage_error(suite):
    result = suite(TEST, ini="asyncio_serial_fixtures = 'database")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("* is not a valid asyncio_serial_fixtures. Give a list of names, *")


ASYNC_TEST = "async def test_{}(): pass"
IN_DIRECTORIES = {f"{name}/test_{name}.py": ASYNC_TEST.format(name) for name in "abc"}


@pytest.mark.usefixtures("_no_debug_mode")
@pytest.mark.parametrize(
    "hook",
    [
        "@pytest.hookimpl(trylast=True)\ndef pytest_configure(config): set_options(config)",
        "def pytest_sessionstart(session): set_options(session.config)",
        "def pytest_collection(session): set_options(session.config)",
    ],
)
def test_options_that_a_hook_sets_before_the_collection_count(suite, hook):
    result = suite(
        "async def test_it(): assert asyncio.get_running_loop().get_debug()",
        conftest=f"""
def set_options(config):
    config.option.asyncio_mode = "auto"
    config.option.asyncio_debug = True

{hook}
""",
    )
    result.assert_outcomes(passed=1)


def test_the_header_shows_options_that_a_hook_has_set_before(suite):
    result = suite(
        conftest="""
            def pytest_sessionstart(session):
                session.config.option.asyncio_mode = "auto"
        """,
    )
    result.stdout.fnmatch_lines("asyncio: mode=auto, *")


@pytest.mark.parametrize(
    ("before", "after", "passed"), [("strict", "auto", "bc"), ("auto", "strict", "a")]
)
def test_the_mode_that_a_conftest_of_a_directory_sets_counts_from_then_on(
    suite, before, after, passed
):
    conftest = f"def pytest_configure(config): config.option.asyncio_mode = {after!r}"
    result = suite(
        "", f"--asyncio-mode={before}", files={**IN_DIRECTORIES, "b/conftest.py": conftest}
    )
    for name in "abc":
        result.stdout.fnmatch_lines(f"{name}/test_{name}.py {'.' if name in passed else 'F'}*")


@pytest.mark.usefixtures("_no_debug_mode")
def test_options_that_are_set_after_the_collection_count_for_fixtures_and_loops(suite):
    result = suite(
        """
        @pytest.fixture
        async def fixture(): return 1

        @pytest.mark.asyncio
        async def test_marked(fixture):
            assert fixture == 1
            assert asyncio.get_running_loop().get_debug()

        async def test_unmarked(): pass
        """,
        conftest="""
            def pytest_collection_modifyitems(config):
                config.option.asyncio_mode = "auto"
                config.option.asyncio_debug = True
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines("FAILED test_it.py::test_unmarked - *")


def test_a_time_out_that_is_set_after_the_marks_are_read_counts(suite):
    result = suite(
        """
        @pytest.mark.asyncio
        async def test_it():
            await asyncio.sleep(60)
        """,
        conftest="""
            def pytest_asyncio_loop_factories(config, item):
                return {"factory": asyncio.new_event_loop}

            def pytest_collection_modifyitems(config):
                config.option.asyncio_timeout = "0.01"
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*test_it took longer than the 0.01 s *")


@pytest.mark.parametrize(
    "moment", ["sessionstart(session)", "collection(session)", "collection_modifyitems(session)"]
)
def test_an_unknown_mode_that_a_hook_sets_is_a_usage_error(suite, moment):
    result = suite(
        TEST, conftest=f"def pytest_{moment}: session.config.option.asyncio_mode = 'legacy'"
    )
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: 'legacy' is not a valid asyncio_mode.*")


def test_an_unknown_mode_that_a_conftest_of_a_directory_sets_is_a_usage_error(suite):
    conftest = "def pytest_configure(config): config.option.asyncio_mode = 'legacy'"
    result = suite(files={**IN_DIRECTORIES, "b/conftest.py": conftest})
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stdout.no_fnmatch_line("*ERROR*")
    result.stderr.fnmatch_lines("ERROR: 'legacy' is not a valid asyncio_mode.*")


def test_an_unknown_mode_that_a_hook_sets_in_the_workers_of_xdist_is_reported(pytester):
    pytester.makepyfile("def test_it(): pass")
    pytester.makeconftest("""
        def pytest_collection_modifyitems(config):
            config.option.asyncio_mode = "legacy"
    """)
    result = pytester.runpytest_subprocess("-n1")
    result.stdout.fnmatch_lines("*'legacy' is not a valid asyncio_mode.*")
    result.stdout.no_fnmatch_line("INTERNALERROR*")


@pytest.mark.usefixtures("_no_debug_mode")
@pytest.mark.parametrize(
    ("given", "debug"), [(True, True), ("true", True), (False, False), ("false", False)]
)
def test_debug_that_a_hook_sets_overrides_the_ini_file(suite, given, debug):
    result = suite(
        DEBUG_TEST % debug,
        ini=f"asyncio_debug = {not debug}",
        conftest=f"def pytest_configure(config): config.option.asyncio_debug = {given!r}",
    )
    result.assert_outcomes(passed=1)


def test_debug_that_is_neither_true_nor_false_is_a_usage_error(suite):
    result = suite(
        TEST, conftest="def pytest_configure(config): config.option.asyncio_debug = 'maybe'"
    )
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: 'maybe' is not a valid asyncio_debug. *")


def test_debug_mode_shows_no_line_of_the_plugin_where_a_task_was_created(suite):
    result = suite(
        """
        import time
        @pytest.mark.asyncio
        async def test_it():
            time.sleep(0.15)
        """,
        "--asyncio-debug",
        "-rP",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("*Executing <Task * took * seconds")
    result.stdout.no_fnmatch_line("*created at *pytest_asyncio*")
