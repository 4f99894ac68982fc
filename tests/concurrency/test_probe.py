"""`--asyncio-concurrent-probe` finds the tests that disturb each other."""

from __future__ import annotations

import pytest

from pytest_asyncio.features.concurrency import probe

BASKET = """
    basket = []
    @pytest.fixture
    def empty(): basket.clear()
    async def put(what):
        await asyncio.sleep(0.05)
        basket.append(what)
        await asyncio.sleep(0.05)
    @pytest.mark.parametrize("_", range(6))
    async def test_other(_): await asyncio.sleep(0.05)
    async def test_apple(empty):
        await put("apple")
        assert basket == ["apple"]
    async def test_pear(empty):
        await put("pear")
        assert basket == ["pear"]
    @pytest.mark.parametrize("_", range(6, 12))
    async def test_another(_): await asyncio.sleep(0.05)
"""


@pytest.fixture
def probed(suite, monkeypatch):
    """Probe a suite, whose runs are processes of their own."""

    def run(source, *args, **kwargs):
        __tracebackhide__ = True
        monkeypatch.setenv("PYTEST_PLUGINS", "pytest_asyncio.plugin")
        kwargs.setdefault("ini", "asyncio_mode = auto")
        return suite(source, "--asyncio-concurrent-probe", *args, **kwargs)

    return run


def test_two_tests_that_disturb_each_other_are_found_among_others(probed):
    result = probed(BASKET)
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines(
        [
            r"test_it.py::test_(apple|pear) differs beside test_it.py::test_(apple|pear): .*assert",
            r"Write @pytest.mark.asyncio\(concurrent=False\) at",
            r"    test_it.py::test_(apple|pear)$",
            r"14 tests ran \d+ times, up to 32 of them at the same time, in \d+ s\.",
        ]
    )
    result.stdout.no_fnmatch_line("*other*differs*")


def test_one_that_differs_although_it_runs_alone_is_named(probed, monkeypatch):
    monkeypatch.setattr(probe, "ROUNDS", 1)
    result = probed("""
    async def test_it(pytestconfig): assert pytestconfig.getoption("asyncio_concurrency") == "1"
    async def test_other(): pass
    """)
    result.stdout.fnmatch_lines("test_it.py::test_it differs although these run alone")


def test_two_that_meet_because_of_those_before_them_are_found(probed):
    """Half of the others are no group beside which they would meet."""
    result = probed(
        """
    user = None
    @pytest.mark.parametrize("number", range(8))
    async def test_it(number):
        global user
        if number in (4, 7): user = number
        await asyncio.sleep(0.03)
        assert number not in (4, 7) or user == number
    """,
        "--asyncio-concurrency=4",
    )
    pair = "*test_it[[][47]]"
    result.stdout.fnmatch_lines([f"{pair} differs beside {pair}: *assert*"])
    result.stdout.no_fnmatch_line("*together*")


def test_the_marks_that_it_names_are_enough(probed):
    result = probed(BASKET.replace("async def test_apple", ALONE + "async def test_apple"))
    assert result.ret is pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*differs*")
    result.stdout.no_fnmatch_line("*Write*")


ALONE = "@pytest.mark.asyncio(concurrent=False)\n    "


def test_what_fails_one_by_one_is_not_held_against_another(probed):
    result = probed(
        """
    async def test_broken(): assert 0
    async def test_a(): await asyncio.sleep(0.01)
    def test_sync(): pass
    """
    )
    assert result.ret is pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*differs*")


def test_what_depends_on_the_order_alone_is_told_apart(probed):
    result = probed(
        """
    seen = []
    async def test_a():
        seen.append(1)
        await asyncio.sleep(0.01)
    @pytest.mark.parametrize("_", range(4))
    async def test_b(_): assert seen
    """
    )
    result.stdout.fnmatch_lines("*test_b* depends on the order of the tests, also one by one")
    result.stdout.no_fnmatch_line("*differs*")


def test_a_test_that_others_disturb_only_together_is_to_run_alone_itself(probed):
    result = probed(
        """
    inside = []
    @pytest.mark.parametrize("_", range(3))
    async def test_together(_):
        inside.append(1)
        for _ in range(1000):
            await asyncio.sleep(0)
        inside.pop()
    async def test_counts():
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(inside) < 3
    """
    )
    result.stdout.fnmatch_lines(
        ["*test_counts differs beside several tests together: *", "    test_it.py::test_counts"]
    )


def test_a_suite_that_cannot_be_collected_says_so(probed):
    result = probed("import no_such_module")
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines("*No module named 'no_such_module'*")


def test_a_suite_without_tests_says_so(probed):
    result = probed("")
    assert result.ret is pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_run_that_does_not_end_is_ended(probed, monkeypatch):
    monkeypatch.setattr(probe, "_EXTRA_TIME", 1)
    result = probed(
        """
    class Here: number = 0
    async def test_a():
        Here.number += 1
        await asyncio.sleep(0.05)
        while Here.number > 1: await asyncio.sleep(0.05)
        Here.number -= 1
    async def test_b():
        Here.number += 1
        await asyncio.sleep(0.05)
        while Here.number > 1: await asyncio.sleep(0.05)
        Here.number -= 1
    """
    )
    result.stdout.fnmatch_lines("*differs beside *: it did not end")


def test_few_tests_cover_all_pairs():
    pairs = [probe._Pair("a", "b", ""), probe._Pair("c", "a", ""), probe._Pair("d", "d", "")]
    assert probe.cover(pairs) == ["a", "d"]
