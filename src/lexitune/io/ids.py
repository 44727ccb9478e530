"""Ids: always text, in one Unicode form, and fit for a line of a table."""

from __future__ import annotations

import re
import unicodedata

from lexitune.errors import DataError

__all__ = ["check_id", "read_id"]

UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]")


def read_id(value: object) -> str:
    """The id as we keep it: an integer becomes text, outer blanks go, and Unicode is NFC, so that ids meet.

    Raises:
        ValueError: Not a text or whole number, empty, or holding a tab or line break.

    Example:
        >>> read_id(7), read_id(" d1 ")
        ('7', 'd1')
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"the id {value!r} is neither text nor a whole number")
    found = unicodedata.normalize("NFC", str(value).strip())
    if not found:
        raise ValueError("the id is empty")
    if UNFIT.search(found):
        raise ValueError(f"the id {found!r} holds a tab, line break or control character")
    return found


def check_id(value: str) -> str:
    """An id about to be written; it must come back unchanged.

    Raises:
        DataError: Reading would refuse or change it.
    """
    try:
        same = read_id(value) == value
    except ValueError:
        same = False
    if not same:
        raise DataError(
            "E3006",
            f"the id {value!r} cannot be written: it would not come back the same",
            fix="use ids without tabs, line breaks or outer blanks, in Unicode NFC",
        )
    return value
