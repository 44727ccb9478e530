"""Hits: every ranking, as two arrays. A TREC run is its face at the border."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError

__all__ = ["Hits"]


@dataclass(frozen=True, eq=False)
class Hits:
    """The first k docs of each query.

    Rows are ordered by score descending, then `doc_id` ascending by code point: the tie rule.

    Args:
        query_ids: One for each row; no id twice.
        doc_ids: What `index` points into: the corpus, or just the docs that were hit.
        index: int32 (n, k), positions in `doc_ids`; -1 is "no hit" and stands only at the end of a row.
        score: float32 (n, k), higher is better; -inf where there is no hit.

    Raises:
        ValueError: Shapes that do not belong together, or a query id twice.
    """

    query_ids: tuple[str, ...]
    doc_ids: Sequence[str]
    index: NDArray[np.int32]
    score: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.index.shape != self.score.shape or self.index.ndim != 2 or len(self.index) != len(self.query_ids):
            raise ValueError(f"{len(self.query_ids)} queries, index {self.index.shape}, score {self.score.shape}")
        if self.index.dtype != np.int32 or self.score.dtype != np.float32:
            raise ValueError(f"index is {self.index.dtype}, score {self.score.dtype}; int32 and float32 are needed")
        if len(self.rows) != len(self.query_ids):
            raise ValueError("a query id stands twice")

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """query_id -> row."""
        return {query_id: row for row, query_id in enumerate(self.query_ids)}

    def run(self, query_id: str) -> list[tuple[str, float]]:
        """One query's docs with their scores, best first; empty for a query that was not searched."""
        if query_id not in self.rows:
            return []
        row = self.rows[query_id]
        found = self.index[row] >= 0
        ids = (self.doc_ids[position] for position in self.index[row][found].tolist())
        return list(zip(ids, self.score[row][found].tolist(), strict=True))

    def of(self, query_ids: Sequence[str]) -> Hits:
        """The rankings of these queries alone, in their order."""
        rows = [self.rows[query_id] for query_id in query_ids]
        return Hits(tuple(query_ids), self.doc_ids, self.index[rows], self.score[rows])

    def as_run(self) -> dict[str, dict[str, float]]:
        """The form that ranx, pytrec_eval and ir-measures read; dicts keep the order of the ranking."""
        return {query_id: dict(self.run(query_id)) for query_id in self.query_ids}

    @classmethod
    def from_run(cls, run: Mapping[str, Mapping[str, float]]) -> Hits:
        """Take over a run from elsewhere; the tie rule is applied to the scores as float32.

        Raises:
            DataError: A score is NaN: it has no place in an order.

        Example:
            >>> Hits.from_run({"q1": {"d2": 0.5, "d1": 0.5, "d3": 0.9}}).run("q1")
            [('d3', 0.8999999761581421), ('d1', 0.5), ('d2', 0.5)]
        """
        doc_ids = tuple(sorted({doc_id for scores in run.values() for doc_id in scores}))
        place = {doc_id: position for position, doc_id in enumerate(doc_ids)}
        depth = max((len(scores) for scores in run.values()), default=0)
        index = np.full((len(run), depth), -1, dtype=np.int32)
        score = np.full((len(run), depth), -np.inf, dtype=np.float32)
        for row, (query_id, scores) in enumerate(run.items()):
            places = np.fromiter((place[doc_id] for doc_id in scores), dtype=np.int32, count=len(scores))
            with np.errstate(over="ignore"):
                values = np.fromiter(scores.values(), dtype=np.float64, count=len(scores)).astype(np.float32)
            if np.isnan(values).any():
                doc_id = doc_ids[places[np.isnan(values).argmax()]]
                raise DataError(
                    "E3013",
                    f"the score of query '{query_id}', doc '{doc_id}' is NaN",
                    fix="find out why the system that made this run gives NaN; do not measure it",
                )
            order = np.lexsort((places, -values))  # ids are sorted, so the lower place is the lower id
            index[row, : len(scores)] = places[order]
            score[row, : len(scores)] = values[order]
        return cls(tuple(run), doc_ids, index, score)
