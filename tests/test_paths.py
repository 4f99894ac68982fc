"""A file is written in one way: as it is found from where pytest was started."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def in_folder(suite, pytester, monkeypatch):
    """Run a suite from a folder below its root."""

    def run(source, *args, **kwargs):
        (pytester.path / "unit").mkdir()
        monkeypatch.chdir(pytester.path / "unit")
        return suite("", *args, files={"unit/test_it.py": source}, **kwargs)

    return run


def test_the_trees_of_tasks_are_titled_as_their_lines_are_written(in_folder):
    result = in_folder(
        """
        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def worker():
            task = asyncio.create_task(asyncio.Event().wait())
            await asyncio.sleep(0)
            yield
            task.cancel()

        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(worker):
            await asyncio.Event().wait()
        """
    )
    result.stdout.fnmatch_lines(
        [
            "    test_it.py:12 in test_it",
            "Tasks of the loop of test_it.py, which stands still:",
        ]
    )
    result.stdout.no_fnmatch_line("*unit/*")


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize("kind", ["async", "synchronous"])
def test_what_tests_are_doing_is_shown_with_their_files_as_their_lines_are(in_folder, capfd, kind):
    in_folder(
        f"""
        import os, signal

        @pytest.mark.asyncio
        async def test_first(): pass

        {"@pytest.mark.asyncio" if kind == "async" else ""}
        {"async " if kind == "async" else ""}def test_it():
            os.kill(os.getpid(), signal.SIGUSR1)
        """,
        ini="asyncio_dump_signal = SIGUSR1",
    ).assert_outcomes(passed=2)
    assert "\ntest_it.py::test_it: its call has " in capfd.readouterr().err


def test_a_test_that_goes_elsewhere_is_found_from_where_pytest_was_started(suite):
    result = suite(
        """
        import os
        @pytest.mark.asyncio(timeout=0.05)
        async def test_it(tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)
            await asyncio.Event().wait()
        """
    )
    result.stdout.fnmatch_lines(
        [
            "E *TimeoutError: at test_it.py:7 in test_it: test_it took *",
            "    test_it.py:7 in test_it",
        ]
    )


def test_a_wrong_mark_is_shown_with_the_file_of_its_test_as_it_is_found_from_there(in_folder):
    result = in_folder(
        """
        @pytest.mark.asyncio(timeout="soon")
        async def test_it(): pass
        """
    )
    result.stdout.fnmatch_lines("test_it.py::test_it: mark.asyncio 'timeout' must be *")


def test_a_warning_about_a_test_shows_its_line(in_folder):
    result = in_folder(
        """
        pytestmark = pytest.mark.asyncio(timeout="soon")

        @pytest.mark.asyncio(timeout=1)
        async def test_it(): pass
        """,
        "-Wdefault",
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*test_it.py:5: PytestWarning: test_it.py::test_it: mark.asyncio 'timeout' must be *",
            "    @pytest.mark.asyncio(timeout=1)",
        ]
    )
