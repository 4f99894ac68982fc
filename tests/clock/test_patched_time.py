"""`asyncio_clock.patch()`: what `time` and `datetime` say in virtual time."""

from __future__ import annotations

import pytest

import pytest_asyncio.features.clock.virtual  # noqa: F401  # else each suite imports a new one


@pytest.mark.parametrize(
    "read",
    [
        "time.time()",
        "time.time_ns() / 1e9",
        "time.monotonic()",
        "time.monotonic_ns() / 1e9",
        "renamed()",
        "datetime.datetime.now().timestamp()",
        "datetime.datetime.now(datetime.timezone.utc).timestamp()",
        "datetime.datetime.today().timestamp()",
        "datetime.datetime.utcnow().replace(tzinfo=datetime.timezone.utc).timestamp()",
        "DateTime.now().timestamp()",
    ],
)
def test_patched_time_goes_on_as_the_clock_does(virtual, read):
    virtual(
        f"""
        import datetime
        from datetime import datetime as DateTime
        from time import time as renamed

        @pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")
        async def test_it(asyncio_clock):
            with asyncio_clock.patch_time():
                before = {read}
                await asyncio.sleep(86400)
                assert {read} - before == pytest.approx(86400, abs=1e-3)
                before = {read}
            assert {read} < before
        """
    ).assert_outcomes(passed=1)


def test_the_patched_date_goes_on_as_the_clock_does(virtual):
    virtual(
        """
        from datetime import date, timedelta

        async def test_it(asyncio_clock):
            with asyncio_clock.patch_time():
                today = date.today()
                await asyncio.sleep(86400)
                assert date.today() - today == timedelta(days=1)
        """
    ).assert_outcomes(passed=1)


def test_patched_time_is_real_off_the_loop(virtual):
    virtual(
        """
        @pytest_asyncio.fixture
        async def patched(asyncio_clock):
            with asyncio_clock.patch_time():
                await asyncio.sleep(86400)
                yield

        @pytest.fixture
        def seen_by_pytest(patched):
            return time.time()

        async def test_it(seen_by_pytest):
            assert time.time() - seen_by_pytest > 86000
            assert time.time() - await asyncio.to_thread(time.time) > 86000
        """
    ).assert_outcomes(passed=1)


def test_objects_of_the_patched_classes_are_plain(virtual):
    virtual(
        """
        import datetime

        REAL = datetime.datetime(2020, 1, 1), datetime.date(2020, 1, 1)

        async def test_it(asyncio_clock):
            with asyncio_clock.patch_time():
                now, made = datetime.datetime.now(), datetime.datetime.fromisoformat("2020-01-01")
                assert isinstance(now, datetime.datetime) and isinstance(now, datetime.date)
                assert issubclass(datetime.datetime, datetime.date)
                assert (made, datetime.date(2020, 1, 1)) == REAL

                class Derived(datetime.datetime):
                    pass

            assert type(now) is type(made) is datetime.datetime
            assert Derived.__bases__ == (datetime.datetime,)
            assert type(Derived.now()) is Derived
        """
    ).assert_outcomes(passed=1)


def test_modules_that_were_imported_while_time_was_patched_are_put_right(virtual):
    virtual(
        """
        async def test_it(asyncio_clock):
            with asyncio_clock.patch_time():
                import clockwork
                assert clockwork.time is time.time
            assert clockwork.time is time.time
        """,
        files={"clockwork.py": "from time import time"},
    ).assert_outcomes(passed=1)


def test_patched_time_goes_on_from_where_another_library_has_put_it(virtual):
    virtual(
        """
        import datetime

        class Meta(type):
            pass

        class Frozen(datetime.datetime, metaclass=Meta):
            pass

        async def test_it(asyncio_clock, monkeypatch):
            monkeypatch.setattr(time, "time", lambda: 1e9)
            monkeypatch.setattr(datetime, "datetime", Frozen)
            with asyncio_clock.patch_time():
                await asyncio.sleep(5)
                assert time.time() == datetime.datetime.now().timestamp() == 1e9 + 5
            assert time.time() == 1e9
            assert datetime.datetime is Frozen
        """
    ).assert_outcomes(passed=1)
