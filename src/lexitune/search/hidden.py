"""Cells of the score matrix that may be no hit: docs a query may not see, and docs it should not be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lexitune.search.filters import Allowed

__all__ = ["Hidden"]

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Hidden:
    """What a search leaves out, looked up block by block.

    Args:
        permitted: Filters, in the order of the queries and docs searched; None: no filter.
        rows: Query row of each excluded cell.
        columns: Its doc row, ascending, so that the cells of a block lie together.
    """

    permitted: Allowed | None
    rows: Rows
    columns: Rows

    @classmethod
    def build(
        cls,
        query_ids: Sequence[str],
        doc_ids: Sequence[str],
        *,
        allowed: Allowed | None,
        exclude: tuple[Rows, Rows] | None,
    ) -> Hidden:
        """Put filters and excluded cells into the order of the search.

        Raises:
            ValueError: A cell outside the matrix, or cells whose rows and columns do not pair.
        """
        permitted = allowed.aligned(query_ids, doc_ids) if allowed is not None else None
        rows, columns = (np.asarray(part, dtype=np.int64) for part in (exclude or ((), ())))
        for part, size, what in ((rows, len(query_ids), "query"), (columns, len(doc_ids), "doc")):
            if part.size and not 0 <= part.min() <= part.max() < size:
                raise ValueError(f"excluded {what} rows from {part.min()} to {part.max()}, of {size}")
        if rows.shape != columns.shape:
            raise ValueError(f"{rows.shape} excluded query rows, {columns.shape} doc rows")
        order = np.argsort(columns, kind="stable")
        return cls(permitted, rows[order], columns[order])

    def of(self, queries: Rows) -> Hidden:
        """The same for some of the queries, which then count from 0."""
        if self.permitted is None and not len(self.rows):
            return self
        permitted = self.permitted and replace(self.permitted, which=self.permitted.which[queries])
        place = np.full(max(queries.max(initial=-1), self.rows.max(initial=-1)) + 1, -1)
        place[queries] = np.arange(len(queries))
        rows = place[self.rows]
        return Hidden(permitted, rows[rows >= 0], self.columns[rows >= 0])

    def cells(self, first: int, start: int, shape: tuple[int, int]) -> tuple[Rows, Rows]:
        """Excluded cells of a block, counted from its first query and first doc."""
        near = slice(*np.searchsorted(self.columns, [start, start + shape[1]]))
        rows, columns = self.rows[near] - first, self.columns[near] - start
        inside = (rows >= 0) & (rows < shape[0])
        return rows[inside], columns[inside]

    def seen(self, first: int, start: int, shape: tuple[int, int]) -> tuple[Rows, NDArray[np.bool_]]:
        """The rows of a block that have a filter, and for each of them the columns it may see."""
        if self.permitted is None:
            return np.empty(0, np.int64), np.empty((0, shape[1]), bool)
        which = self.permitted.which[first : first + shape[0]]
        limited = np.flatnonzero(which >= 0)
        return limited, self.permitted.masks[which[limited], start : start + shape[1]]
