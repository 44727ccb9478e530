"""Hybrid: rankings of different systems become one, by ranks alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexitune.io.hits import Hits
from lexitune.metrics.measures import Measure, measure_hits
from lexitune.search.order import NO_HIT, DocOrder, pack
from lexitune.types import Qrels

__all__ = ["EVEN", "cross_fuse", "fuse", "learn_weight", "with_lexical"]

EVEN = 0.5  # what a weight is where nothing can teach a better one
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, EVEN, 0.6, 0.7, 0.8, 0.9, 1.0)


def with_lexical(dense: Hits, lexical: Hits, k: int, *, weight: float = EVEN) -> Hits:
    """A model's ranking and BM25's as one, of which BM25 decides `weight`: 0 is the model alone, 1 is BM25 alone."""
    if weight in (0.0, 1.0):
        return fuse([lexical if weight else dense], k)
    return fuse([dense, lexical], k, weights=(1 - weight, weight))


def learn_weight(dense: Hits, lexical: Hits, qrels: Qrels, *, measure: Measure) -> float:
    """The weight with which `with_lexical` does best on these judgements; of equals the one nearest to even.

    A tuned model leaves BM25 less to add, and an even fusion can take from it: docs/decisions.md has figures.

    Args:
        qrels: Of the queries of both rankings; not those that the hybrid is then judged by.
    """
    merged = _merge([dense, lexical])

    def reached(weight: float) -> tuple[float, float]:
        if weight in (0.0, 1.0):
            found = with_lexical(dense, lexical, measure.cutoff, weight=weight)
        else:
            found = merged.top(measure.cutoff, weights=(1 - weight, weight))
        return round(measure_hits(found, qrels, [measure]).mean(measure), 9), -abs(weight - EVEN)

    return max(WEIGHTS, key=reached)


def cross_fuse(
    dense: Hits, lexical: Hits, qrels: Qrels, k: int, *, measure: Measure, seed: int
) -> tuple[Hits, tuple[float, float]]:
    """A hybrid that can be measured on the queries that taught it: each half's weight is learnt from the other half.

    Args:
        qrels: Of all queries of both rankings.

    Returns:
        The ranking, and the two weights.
    """
    order = np.random.default_rng(seed).permutation(sorted(dense.query_ids)).tolist()
    if len(order) < 2:  # nobody is there to teach
        return with_lexical(dense, lexical, k), (EVEN, EVEN)
    halves = [order[: len(order) // 2], order[len(order) // 2 :]]
    parts = [(dense.of(half), lexical.of(half)) for half in halves]
    taught = [
        learn_weight(*part, {query_id: qrels[query_id] for query_id in half}, measure=measure)
        for part, half in zip(parts, halves, strict=True)
    ]
    weights = (taught[1], taught[0])
    runs = [with_lexical(*part, k, weight=weight).as_run() for part, weight in zip(parts, weights, strict=True)]
    found = {query_id: scores for run in runs for query_id, scores in run.items()}
    return Hits.from_run({query_id: found[query_id] for query_id in dense.query_ids}), weights


def fuse(rankings: Sequence[Hits], k: int, *, constant: int = 60, weights: Sequence[float] | None = None) -> Hits:
    """Reciprocal rank fusion: a doc's score is the sum of weight / (constant + rank) over the rankings that hold it.

    Ranks, because scores of BM25 and of a model have no common scale (Cormack, Clarke and Büttcher 2009).

    Args:
        rankings: Hits of the same queries, each to its own depth; docs may stand in any order.
        k: Most hits of a query; empty places have index -1.
        constant: Rank 1 counts 1 / (constant + 1): the greater, the less the first places weigh.
        weights: Of each ranking; None: 1.

    Raises:
        ValueError: The rankings are of different queries.

    Example:
        >>> dense = Hits.from_run({"q1": {"d1": 0.9, "d2": 0.8}})
        >>> lexical = Hits.from_run({"q1": {"d2": 7.0, "d3": 5.0}})
        >>> [doc_id for doc_id, _ in fuse([dense, lexical], 10).run("q1")]
        ['d2', 'd1', 'd3']
    """
    return _merge(rankings, constant=constant).top(k, weights=weights or [1.0] * len(rankings))


@dataclass(frozen=True, eq=False)
class _Merged:
    """Rankings of the same queries in one numbering, to be fused with one set of weights after the other.

    Attributes:
        row: Place of the query of each distinct (query, doc), ascending; `rank_by_id` the doc's rank by the tie rule.
        inverse: Which of these each hit is, ranking after ranking; `parts` has each ranking's constant + rank.
    """

    query_ids: tuple[str, ...]
    doc_ids: Sequence[str]
    order: DocOrder
    row: NDArray[np.int64]
    rank_by_id: NDArray[np.int64]
    inverse: NDArray[np.int64]
    parts: Sequence[NDArray[np.int64]]

    def top(self, k: int, *, weights: Sequence[float]) -> Hits:
        """The first k of each query."""
        scores = np.concatenate([weight / part for weight, part in zip(weights, self.parts, strict=True)])
        total: NDArray[np.float64] = np.bincount(self.inverse, scores, len(self.row)).astype(np.float64)
        keys = pack(total, self.rank_by_id)
        best = np.full((len(self.query_ids), k), NO_HIT, dtype=np.int64)
        sequence = np.lexsort((-keys, self.row))
        rank = np.arange(len(self.row)) - np.searchsorted(self.row, self.row)  # row ascends, so does row[sequence]
        kept = rank < k
        best[self.row[kept], rank[kept]] = keys[sequence][kept]
        index, score = self.order.unpack(best)
        return Hits(self.query_ids, self.doc_ids, index, score)


def _merge(rankings: Sequence[Hits], *, constant: int = 60) -> _Merged:
    query_ids = rankings[0].query_ids
    if any(set(hits.query_ids) != set(query_ids) for hits in rankings):
        raise ValueError("only rankings of the same queries can be fused")
    doc_ids = list(dict.fromkeys(doc_id for hits in rankings for doc_id in hits.doc_ids))
    column = {doc_id: place for place, doc_id in enumerate(doc_ids)}
    # A (query, doc) is one number, so that equal ones of all rankings are summed in one sweep.
    found = [_places(hits, query_ids, column) for hits in rankings]
    places, inverse = np.unique(np.concatenate([place for place, _ in found]), return_inverse=True)
    row, doc = np.divmod(places, max(len(doc_ids), 1))
    order, parts = DocOrder(doc_ids), [constant + rank for _, rank in found]
    return _Merged(query_ids, doc_ids, order, row, order.rank_by_row[doc], inverse, parts)


def _places(
    hits: Hits, query_ids: Sequence[str], column: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every hit as (query row * docs + doc column, rank from 1), in the common numbering."""
    rows = np.array([hits.rows[query_id] for query_id in query_ids], dtype=np.int64)
    index = hits.index[rows]
    row, rank = np.nonzero(index >= 0)
    columns = np.array([column[doc_id] for doc_id in hits.doc_ids], dtype=np.int64)
    return row * len(column) + columns[index[row, rank]], rank + 1
