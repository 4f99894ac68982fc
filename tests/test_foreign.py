"""What is read of objects that may answer anything."""

from __future__ import annotations

import pytest

from pytest_asyncio.collect import options
from pytest_asyncio.support import foreign


class Raising:
    def __init__(self, error):
        self.error = error

    @property
    def attribute(self):
        raise self.error

    def __str__(self):
        raise self.error

    __repr__ = __str__


@pytest.fixture(params=[ZeroDivisionError, SystemExit, pytest.skip.Exception])
def raising(request):
    return Raising(request.param())


def test_an_attribute_that_cannot_be_read_is_none(raising):
    assert foreign.attribute(raising, "attribute", object) is None


def test_an_attribute_of_another_kind_is_none():
    assert foreign.attribute("text", "upper", str) is None


def test_a_question_that_cannot_be_answered_is_answered_in_the_negative(raising):
    assert not foreign.holds(str, raising)


def test_what_cannot_be_text_is_empty(raising):
    assert foreign.text(raising) == ""


@pytest.mark.parametrize(
    "read",
    [
        lambda value: foreign.attribute(value, "attribute", object),
        lambda value: foreign.holds(str, value),
        foreign.text,
        options.shown,
    ],
)
def test_ctrl_c_is_not_the_objects(read):
    with pytest.raises(KeyboardInterrupt):
        read(Raising(KeyboardInterrupt()))
