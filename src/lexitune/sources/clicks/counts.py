"""What a search log boils down to: how often a passage was shown to a query at a rank, and clicked there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Counts", "Floats", "Whole"]

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Counts:
    """One row for each (query, passage, rank) that was seen; one vote a session, so rows count sessions.

    Attributes:
        query: Number of the query, from 0 on without gaps.
        pair: Number of the (query, passage), from 0 on without gaps.
        rank: From 1 on.
        shown: Sessions that were shown the pair at this rank.
        clicked: Of those, sessions that clicked it.
    """

    query: Whole
    pair: Whole
    rank: Whole
    shown: Whole
    clicked: Whole

    @property
    def pair_count(self) -> int:
        return int(self.pair.max()) + 1 if len(self.pair) else 0

    def of_pair(self, values: Floats | Whole) -> Floats:
        """Sum of a value of each row over the rows of each pair."""
        return np.asarray(np.bincount(self.pair, weights=values, minlength=self.pair_count), dtype=np.float64)

    def of_rank(self, values: Floats | Whole, depth: int) -> Floats:
        """Sum of a value of each row at ranks 1 to `depth`."""
        summed = np.bincount(self.rank, weights=values, minlength=depth + 1)
        return np.asarray(summed[1 : depth + 1], dtype=np.float64)

    def down_to(self, depth: int) -> Counts:
        """The rows at ranks 1 to `depth`, pairs and queries numbered anew."""
        kept = self.rank <= depth
        _, query = np.unique(self.query[kept], return_inverse=True)
        _, pair = np.unique(self.pair[kept], return_inverse=True)
        return Counts(query, pair, self.rank[kept], self.shown[kept], self.clicked[kept])
