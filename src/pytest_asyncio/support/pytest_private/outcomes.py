"""What pytest takes for the outcome of a phase, how it is refused, raised again and reported."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Final, NoReturn, TypeGuard, TypeVar

import pytest
from _pytest._code.code import ExceptionRepr
from _pytest.outcomes import Failed as _Failed
from _pytest.outcomes import OutcomeException

E = TypeVar("E", bound=BaseException)


# To type checkers, `pytest.fail.Exception` is a variable, which cannot be subclassed.
Failed = _Failed


# What pytest takes for the outcome of a phase, and goes on after.
OUTCOMES = (OutcomeException, Exception)


# Before, pytest fails to report an exception group none of whose lines is to be shown.
GROUPS_MAY_BE_HIDDEN = pytest.version_tuple >= (9, 2)


_REFUSAL: Final = "_pytest_asyncio_refusal"


def as_refusal(error: E) -> E:
    """Let a fixture that fails of an error be set up anew for the next item that requests it.

    The error is about who requests the fixture, but pytest keeps it for all that share it.
    """
    vars(error)[_REFUSAL] = True
    return error


def refuse(message: str) -> NoReturn:
    """Fail a request of a fixture, and leave the fixture to others."""
    raise as_refusal(Failed(message, pytrace=False))


def is_refusal_of_async(error: BaseException) -> TypeGuard[_Failed]:
    """Return whether pytest has refused to set a fixture up because it is async.

    It says that in words only.
    """
    return isinstance(error, _Failed) and "no plugin or hook that handled it" in str(error.msg)


def reraised(config: pytest.Config) -> tuple[type[BaseException], ...]:
    """What is not the outcome of a phase: it ends the session.

    pytest 8.4 has no function that says it.
    """
    ends = (pytest.exit.Exception,)
    return ends if config.getoption("usepdb", False) else (*ends, KeyboardInterrupt)


def add_section(report: pytest.TestReport, title: str, text: str) -> None:
    """Add a section to the report of a failure, wherever the failure is shown.

    Unlike those in `report.sections`, which are shown in the terminal only, it is a part of the
    failure in JUnit XML too. Few failures have no place for it, that of a look-up among them.
    """
    if isinstance(report.longrepr, ExceptionRepr):
        report.longrepr.addsection(title, text)
    else:
        report.sections.append((title, text))
