"""Term counts: which words texts use, and how far two bodies of text lie apart in them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial.distance import jensenshannon

from lexitune.text.terms import terms

__all__ = ["apart", "count_terms"]


def count_terms(units: Iterable[Iterable[str]]) -> tuple[csr_array, list[str]]:
    """Count the terms of each unit, which is one text or several.

    Returns:
        Counts, float64 (units, terms), and the term of each column. A unit without words keeps its empty row.
    """
    column_of: dict[str, int] = {}
    columns, ends = array("i"), array("q", [0])  # a log has millions of queries: 4 bytes a word, not an object each
    for texts in units:
        for text in texts:
            columns.extend([column_of.setdefault(term, len(column_of)) for term in terms(text)])
        ends.append(len(columns))
    places = np.array(columns, dtype=np.int32)
    found = csr_array((np.ones(len(places)), places, np.array(ends)), shape=(len(ends) - 1, len(column_of)))
    found.sum_duplicates()
    return found, list(column_of)


def apart(new: NDArray[Any], old: NDArray[Any]) -> tuple[float, float]:
    """How far new word uses lie from old ones.

    Args:
        new: Uses of each term; `old` likewise, in the same order of terms.

    Returns:
        The share of the new uses whose term the old ones never have, and the Jensen-Shannon distance (base 2: 0 alike,
        1 nothing in common). Both are 1 where one side has no words.

    Example:
        >>> apart(np.array([3.0, 1.0]), np.array([4.0, 0.0]))[0]
        0.25
    """
    if not new.any() or not old.any():
        return 1.0, 1.0
    return float(new[old == 0].sum() / new.sum()), float(jensenshannon(old, new, base=2))
