"""A process that does not end after its session says why."""

from __future__ import annotations

import threading

import pytest

from pytest_asyncio.support import threads

WAITS = "pytest waits for threads that tests have left:"

# It waits until that is said, if it is to be, for the process waits for it.
CONFTEST = f"""
    import pathlib, threading, time

    class Worker(threading.Thread):
        def __init__(self, name, until="{WAITS[7:]}"):
            super().__init__(name=name)
            self.until = until

        def run(self):
            while self.until not in pathlib.Path("stderr").read_text():
                time.sleep(0.01)
"""


@pytest.fixture
def ended(suite_alone):
    """Run a suite in a process that ends."""
    header = "from conftest import Worker, threading\n"
    return lambda source, *args: suite_alone(header + source, *args, conftest=CONFTEST)


LEFT = """
@pytest.mark.asyncio
async def test_it():
    Worker("connection").start()
"""


def test_a_process_that_waits_for_a_thread_says_for_which(ended):
    result = ended(LEFT)
    result.assert_outcomes(passed=1)
    result.stderr.fnmatch_lines(
        [
            WAITS,
            "    'connection' at conftest.py:* in Worker.run",
            "Close what they work for, or press Ctrl-C.",
            "--asyncio-checks=open-resources says which test or fixture has started them.",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize("checks", ["open-resources", "all"])
def test_it_advises_no_check_that_is_on(ended, checks):
    result = ended(LEFT, f"--asyncio-checks={checks}", "-Wdefault")
    result.assert_outcomes(passed=1, warnings=1)
    result.stderr.fnmatch_lines([WAITS, "Close what they work for, or press Ctrl-C."])
    result.stderr.no_fnmatch_line("*--asyncio-checks*")


def test_a_worker_of_xdist_says_so_too(ended):
    pytest.importorskip("xdist")
    result = ended(LEFT, "-pxdist", "-n1")
    result.assert_outcomes(passed=1)
    result.stderr.fnmatch_lines(["pytest in gw0 waits for threads *", "    'connection' at *"])


def test_a_thread_that_ends_soon_is_not_told_of(ended):
    result = ended("""
@pytest.mark.asyncio
async def test_it():
    threading.Thread(target=threading.main_thread().join).start()
""")
    result.assert_outcomes(passed=1)
    assert not result.errlines


def test_threads_that_were_there_before_the_first_async_test_are_not_told_of(ended):
    result = ended(
        """
def test_before():
    Worker("before").start()
"""
        + LEFT
    )
    result.assert_outcomes(passed=2)
    result.stderr.fnmatch_lines(
        [WAITS, "    'connection' at *", "Close what they work for, *"], consecutive=True
    )


@pytest.fixture
def main_thread(monkeypatch):
    """Stands for the main thread, until it is told to be over."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="main", daemon=True)
    thread.start()
    thread.end = over.set
    monkeypatch.setattr(threading, "main_thread", lambda: thread)
    return thread


@pytest.mark.parametrize("ends", [True, False])
def test_nothing_is_said_before_the_process_is_to_end(suite, main_thread, monkeypatch, capfd, ends):
    monkeypatch.setattr(threads, "GRACE", 0.05)
    before = {*threading.enumerate()}
    suite(
        """
        import conftest, threading
        @pytest.mark.asyncio
        async def test_it():
            threading.Thread(target=conftest.over.wait, name="left").start()
        """,
        conftest="""
        import threading
        over = threading.Event()
        """,
    ).assert_outcomes(passed=1)
    left, telling = (one for one in threading.enumerate() if one not in before)
    assert "waits for" not in capfd.readouterr().err
    over = left._target.__self__
    if ends:
        over.set()
        left.join()
    main_thread.end()
    telling.join()
    assert ("'left'" in capfd.readouterr().err) is not ends
    over.set()
    left.join()
