"""Fixtures of pytest that each test has for itself, while others run beside it."""

from __future__ import annotations


def test_caplog_has_the_logs_of_its_test(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    import logging
    @pytest.fixture
    def own(caplog):
        logging.warning("setup")
        assert caplog.messages == ["setup"]
        yield
        assert [record.getMessage() for record in caplog.get_records("setup")] == ["setup"]
        logging.warning("teardown")
        assert caplog.messages == ["teardown"]
    async def log(caplog, name):
        logging.warning("begin %s", name)
        await meet()
        logging.info("below the level")
        logging.warning("end %s", name)
        await meet()
        assert caplog.messages == [f"begin {name}", f"end {name}"]
        assert [record.args for record in caplog.records] == [(name,), (name,)]
        assert caplog.text.count(f" {name}\\n") == 2
        caplog.clear()
        assert caplog.record_tuples == []
        assert [record.getMessage() for record in caplog.get_records("setup")] == ["setup"]
    async def test_a(own, caplog): await log(caplog, "a")
    async def test_b(own, caplog): await log(caplog, "b")
    """,
        passed=2,
    )


def test_what_caplog_has_is_reported_too(concurrent):
    result = concurrent(
        """
    import logging
    async def test_a(): await meet()
    async def test_b(caplog):
        await meet()
        logging.warning("of b")
        assert caplog.messages == ["of b"]
        assert 0
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*___ test_b ___*", "*Captured log call*", "WARNING*of b"])


def test_caplog_that_is_requested_late_has_what_was_logged_before(concurrent):
    concurrent(
        """
    import logging
    async def test_a(): await meet()
    async def test_b(request):
        print("is no log")
        logging.warning("before")
        await meet()
        assert request.getfixturevalue("caplog").messages == ["before"]
    """
    ).assert_outcomes(passed=2)


def test_caplog_has_nothing_below_the_level_of_the_session(concurrent):
    concurrent(
        """
    import logging
    async def test_a(): await meet()
    async def test_b(caplog):
        await meet()
        logging.getLogger("own").setLevel(logging.DEBUG)
        logging.getLogger("own").info("small")
        logging.getLogger("own").error("great")
        assert caplog.messages == ["great"]
    """,
        "--log-level=ERROR",
    ).assert_outcomes(passed=2)


def test_caplog_has_nothing_below_the_level_of_its_handler(concurrent):
    concurrent(
        """
    import logging
    async def test_a(): await meet()
    async def test_b(caplog):
        await meet()
        caplog.handler.setLevel("ERROR")
        logging.getLogger("own").setLevel(logging.DEBUG)
        logging.getLogger("own").info("small")
        logging.getLogger("own").error("great")
        assert caplog.messages == ["great"]
    """
    ).assert_outcomes(passed=2)


def test_capsys_that_a_plugin_refuses_to_set_up_fails_its_test_alone(pytester, concurrent):
    pytester.makeconftest("""
        def pytest_fixture_setup(fixturedef):
            if fixturedef.argname == "capsys":
                raise OSError("refused")
    """)
    result = concurrent("""
    async def test_a(): await meet()
    async def test_b(capsys): pass
    async def test_c(): await meet()
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["E*OSError: refused"])


def test_capsys_has_the_output_of_its_test(concurrent_in_both_ways):
    concurrent_in_both_ways(
        """
    import sys
    @pytest.fixture
    def own(capsys):
        print("setup")
        yield
        print("teardown")
        assert capsys.readouterr().out == "teardown\\n"
    async def write(capsys, name):
        assert capsys.readouterr().out == "setup\\n"
        print("begin", name)
        await meet()
        print("end", name)
        print("error of", name, file=sys.stderr)
        await meet()
        assert capsys.readouterr() == (f"begin {name}\\nend {name}\\n", f"error of {name}\\n")
        assert capsys.readouterr() == ("", "")
    async def test_a(own, capsys): await write(capsys, "a")
    async def test_b(own, capsys): await write(capsys, "b")
    """,
        passed=2,
    )


def test_what_it_does_not_read_is_reported(concurrent):
    result = concurrent(
        """
    async def test_a(): await meet()
    async def test_b(capsys):
        await meet()
        print("read")
        assert capsys.readouterr().out == "read\\n"
        print("not read")
    """,
        "-rP",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*___ test_b ___*", "*Captured stdout call*", "not read"])
    result.stdout.no_fnmatch_line("read")


def test_the_current_tests_capsys_outlives_reports_of_others(concurrent):
    concurrent(
        """
    over = asyncio.Event()
    async def test_a(capsys):
        print("before")
        await meet()
        await over.wait()
        await asyncio.sleep(0)
        print("after")
        assert capsys.readouterr().out == "before\\nafter\\n"
    @pytest.fixture
    def end():
        yield
        over.set()
    async def test_b(end):
        print("of b")
        await meet()
    """,
    ).assert_outcomes(passed=2)


def test_a_fixture_that_overrides_one_of_them_is_taken_for_what_it_is(concurrent):
    concurrent(
        """
    @pytest.fixture
    def caplog(caplog): return [caplog]
    @pytest.fixture
    def capsys(): return "own"
    async def test_a(): await meet()
    async def test_b(caplog, capsys):
        await meet()
        assert (caplog[0].messages, capsys) == ([], "own")
    """
    ).assert_outcomes(passed=2)


def test_there_is_either_capsys_or_capfd(concurrent):
    result = concurrent("async def test_a(capsys, capfd): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*cannot use capfd and capsys at the same time*")
