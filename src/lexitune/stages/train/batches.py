"""Batches of pairs by number: a seeded order, each text once, negatives drawn, and what is known of every cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lexitune.stages.train.examples import Examples

__all__ = ["PairBatch", "cut_batches", "plan_batch"]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """One batch by number: each distinct text stands once in `rows`, however many pairs share it.

    Attributes:
        rows: int64 (u,): rows of the pool, in which the docs follow the queries.
        query_at: int64 (n,): where in `rows` the query of each pair stands.
        doc_at: int64 (n,): where its doc stands.
        negative_at: int64 (m,): where the drawn negatives stand, each once.
        weights: float32 (n,).
        relevant: bool (n, n + m): the column's doc is known to answer the row's query. The diagonal is True.
        listed: int64 (n, 1 + k): columns the teacher may have scored: the pair's own doc, then its drawn negatives.
        teacher: float32 (n, 1 + k): its scores, NaN where it has none.
    """

    rows: Rows
    query_at: Rows
    doc_at: Rows
    negative_at: Rows
    weights: npt.NDArray[np.float32]
    relevant: npt.NDArray[np.bool_]
    listed: Rows
    teacher: npt.NDArray[np.float32]

    @property
    def has_negative(self) -> bool:
        """Whether any query has a wrong doc to be told from; without one the loss is 0 and teaches nothing."""
        return not bool(self.relevant.all())

    @property
    def is_taught(self) -> bool:
        """Whether the teacher has scored a pair's own doc and another; without such a pair it has nothing to say."""
        scored = ~np.isnan(self.teacher)
        return bool((scored[:, 0] & scored[:, 1:].any(axis=1)).any())


def cut_batches(
    examples: Examples, *, batch_size: int, seed: int, epochs: int, positives: str = "all"
) -> Iterator[Rows]:
    """Numbers of the pairs in each batch of the run, shuffled anew each epoch.

    The batches of an epoch are of equal size to within one pair: a small last batch would have
    few negatives and the same say in the weights.

    Args:
        positives: "all": an epoch has every pair. "sample": it has each query once, with one of its docs by lot.
    """
    for epoch in range(epochs):
        draw = np.random.default_rng([seed, epoch])
        order = _one_a_query(examples, draw) if positives == "sample" else draw.permutation(len(examples))
        yield from np.array_split(order, -(-len(order) // batch_size))


def _one_a_query(examples: Examples, draw: np.random.Generator) -> Rows:
    by_query = np.argsort(examples.pairs[:, 0], kind="stable")
    _, starts, counts = np.unique(examples.pairs[by_query, 0], return_index=True, return_counts=True)
    return draw.permutation(by_query[starts + draw.integers(counts)])


def plan_batch(examples: Examples, chosen: Rows, *, mask: str, negatives: int = 0, seed: int = 0) -> PairBatch:
    """Find the batch's distinct texts, draw negatives, and look up what is known of every query and doc in it.

    A negative that another pair of the batch has for its right doc is in the batch already, and stands for itself.

    Args:
        examples: All pairs.
        chosen: Numbers of this batch's pairs.
        mask: "none" marks only a pair's own doc as an answer; anything else every known answer of a query.
        negatives: Most mined negatives drawn for a pair.
        seed: Of the draw.
    """
    query, doc = examples.pairs[chosen, 0], examples.pairs[chosen, 1]
    drawn = _draw(examples, query, negatives, np.random.default_rng([seed, 1]))
    extra = np.setdiff1d(drawn[drawn >= 0], doc)
    columns = np.concatenate([doc, extra])
    offset = len(examples.queries)
    rows, at = np.unique(np.concatenate([query, columns + offset]), return_inverse=True)
    count = len(chosen)
    relevant = np.eye(count, len(columns), dtype=np.bool_)
    if mask != "none":
        relevant |= examples.is_known(examples.numbers(query[:, None], columns[None, :]))
    listed = np.concatenate([np.arange(count)[:, None], _columns_of(drawn, columns)], axis=1)
    teacher = examples.scores_of(examples.numbers(query[:, None], columns[listed]))
    teacher[:, 1:][drawn < 0] = np.nan
    return PairBatch(
        rows,
        at[:count],
        at[count : 2 * count],
        at[2 * count :],
        examples.weights[chosen],
        relevant,
        listed,
        teacher,
    )


def _draw(examples: Examples, query: Rows, most: int, draw: np.random.Generator) -> Rows:
    """Docs (n, most) from each query's negatives, distinct, -1 where it has fewer: a run of its list from anywhere."""
    start, counts = examples.ends[query], examples.ends[query + 1] - examples.ends[query]
    first = draw.integers(np.maximum(counts, 1))
    place = (first[:, None] + np.arange(most)) % np.maximum(counts, 1)[:, None]
    there = np.arange(most) < counts[:, None]
    found = np.full(place.shape, -1, np.int64)
    found[there] = examples.negatives[(start[:, None] + place)[there]]
    return found


def _columns_of(docs: Rows, columns: Rows) -> Rows:
    """The first column of each doc; 0 for -1."""
    order = np.argsort(columns, kind="stable")
    place = np.searchsorted(columns[order], docs).clip(max=len(columns) - 1)
    return np.where(docs < 0, 0, order[place])
