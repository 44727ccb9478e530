"""Ids: always text, in one form."""

import pytest

from lexitune.errors import DataError
from lexitune.io.ids import check_id, read_id


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("d1", "d1"),
        (7, "7"),
        (-1, "-1"),
        (" d1 ", "d1"),
        ("e\u0301", "\u00e9"),
        ("a b", "a b"),
        ("../x", "../x"),
        ("q:net/x.py:f:1", "q:net/x.py:f:1"),
    ],
)
def test_ids_meet_whatever_form_they_came_in(value: object, found: str) -> None:
    assert read_id(value) == found
    assert read_id(found) == found


@pytest.mark.parametrize("value", ["", "  ", None, 1.5, True, ["a"], "a\tb", "a\nb", "a\0b", "a\u2028b", "\ud800"])
def test_what_is_no_id(value: object) -> None:
    with pytest.raises(ValueError, match="the id"):
        read_id(value)


@pytest.mark.parametrize("value", ["", " a", "a\tb", "e\u0301"])
def test_an_id_that_would_not_come_back_is_not_written(value: str) -> None:
    with pytest.raises(DataError) as caught:
        check_id(value)

    assert caught.value.code == "E3006"
