"""Sets of (query, doc) pairs as sorted numbers: looked up for a million candidates at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells", "first_of_rows", "spread"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cells:
    """A set of cells of a matrix of queries by docs.

    Attributes:
        keys: int64, ascending, distinct: row * width + column.
        width: Columns of the matrix.
    """

    keys: Rows
    width: int

    @classmethod
    def of(cls, rows: NDArray[Any], columns: NDArray[Any], width: int) -> Cells:
        """The cells at these rows and columns, in any order, repeats allowed.

        Example:
            >>> cells = Cells.of(np.array([1, 0]), np.array([2, 0]), 3)
            >>> cells.holds(np.array([[0], [1]]), np.array([[0, 2], [0, 2]])).tolist()
            [[True, False], [False, True]]
        """
        return cls(np.unique(rows.astype(np.int64) * width + columns.astype(np.int64)), width)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def rows(self) -> Rows:
        return self.keys // max(self.width, 1)

    @property
    def columns(self) -> Rows:
        return self.keys % max(self.width, 1)

    def holds(self, rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of the cells asked for are in the set; both arrays are broadcast. A column below 0 never is."""
        wanted = rows.astype(np.int64) * self.width + columns
        if not len(self.keys):
            return np.zeros(wanted.shape, dtype=np.bool_)
        place = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        found: NDArray[np.bool_] = (self.keys[place] == wanted) & (columns >= 0)
        return found

    def plus(self, other: Cells) -> Cells:
        """The cells of either."""
        return Cells(np.union1d(self.keys, other.keys), self.width)

    def minus(self, other: Cells) -> Cells:
        """The cells of this one that the other lacks."""
        return Cells(np.setdiff1d(self.keys, other.keys, assume_unique=True), self.width)

    def of_rows(self, rows: Rows) -> Cells:
        """The cells of these rows only, which are then numbered 0, 1, ...: `rows` ascends."""
        place, columns = spread(self.counts(int(rows.max()) + 1 if len(rows) else 0), self.columns, rows)
        return Cells.of(place, columns, self.width)

    def counts(self, rows: int) -> Rows:
        """Cells of each of the first `rows` rows."""
        found = self.rows
        return np.bincount(found[found < rows], minlength=rows)


def first_of_rows(cells: Cells, count: int) -> Cells:
    """The first `count` cells of each row, by column."""
    rows = cells.rows
    return Cells(cells.keys[np.arange(len(cells)) - np.searchsorted(rows, rows) < count], cells.width)


def spread(counts: Rows, values: NDArray[Any], which: Rows) -> tuple[Rows, NDArray[Any]]:
    """Lists laid end to end in `values`, `counts` long each, looked up: (place in `which`, value) of every element.

    Example:
        >>> place, value = spread(np.array([2, 1]), np.array([7, 8, 9]), np.array([1, 0, 1]))
        >>> place.tolist(), value.tolist()
        ([0, 1, 1, 2], [9, 7, 8, 9])
    """
    lengths = counts[which]
    place = np.repeat(np.arange(len(which), dtype=np.int64), lengths)
    start = (np.cumsum(counts) - counts)[which]
    offset = np.arange(len(place)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return place, values[np.repeat(start, lengths) + offset]
