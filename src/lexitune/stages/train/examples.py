"""From judgements to batches of pairs, by number: distinct texts, their pairs, a seeded order, and what is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lexitune.errors import DataError
from lexitune.types import Dataset, Qrels

__all__ = ["Examples", "PairBatch", "cut_batches", "gather_examples", "plan_batch"]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Examples:
    """The training pairs over distinct texts.

    Attributes:
        queries: Distinct query texts.
        docs: Distinct full texts of the docs that answer them.
        pairs: int64 (n, 2): row of the query, row of the doc; each pair once, in the judgements' order.
        known: int64 (n,), sorted: the pairs as numbers, query * len(docs) + doc.
    """

    queries: tuple[str, ...]
    docs: tuple[str, ...]
    pairs: Rows
    known: Rows

    def __len__(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True, slots=True)
class PairBatch:
    """One batch by number: each distinct text stands once in `rows`, however many pairs share it.

    Attributes:
        rows: int64 (u,): rows of the pool, in which the docs follow the queries.
        query_at: int64 (n,): where in `rows` the query of each pair stands.
        doc_at: int64 (n,): where its doc stands.
        relevant: bool (n, n): the column's doc is known to answer the row's query. The diagonal is True.
    """

    rows: Rows
    query_at: Rows
    doc_at: Rows
    relevant: npt.NDArray[np.bool_]

    @property
    def has_negative(self) -> bool:
        """Whether any query has a wrong doc to be told from; without one the loss is 0 and teaches nothing."""
        return not bool(self.relevant.all())


def gather_examples(data: Dataset, qrels: Qrels) -> Examples:
    """Join judgements with texts: one pair for each (query, relevant doc).

    Equal texts are one text whatever their ids, so that nothing is encoded twice and a copy of
    the right passage is never taken for a wrong one.

    Raises:
        DataError: No judgement of 1 or more, an id without a text, or one distinct doc only.
    """
    texts = {doc.doc_id: doc.full_text for doc in data.docs}
    queries: dict[str, int] = {}
    docs: dict[str, int] = {}
    pairs: dict[tuple[int, int], None] = {}
    for query_id, judged in qrels.items():
        for doc_id, relevance in judged.items():
            if relevance < 1:
                continue
            if query_id not in data.queries or doc_id not in texts:
                kind, name = ("doc", doc_id) if query_id in data.queries else ("query", query_id)
                raise DataError(
                    "E3322",
                    f"the train judgements name {kind} {name!r}, which has no text",
                    fix="add it, or drop its judgements",
                )
            query = queries.setdefault(data.queries[query_id].text, len(queries))
            pairs[query, docs.setdefault(texts[doc_id], len(docs))] = None
    if not pairs:
        raise DataError(
            "E3321",
            "there are no training pairs",
            fix="give qrels/train.tsv judgements of 1 or more, or import pairs: lexitune tune pairs.csv",
        )
    if len(docs) < 2:
        raise DataError(
            "E3323",
            f"all {len(pairs)} training pairs have the same passage",
            fix="training compares right with wrong passages: give pairs with at least two",
        )
    rows = np.array(list(pairs), dtype=np.int64)
    return Examples(tuple(queries), tuple(docs), rows, np.sort(rows[:, 0] * len(docs) + rows[:, 1]))


def cut_batches(count: int, *, batch_size: int, seed: int, epochs: int) -> Iterator[Rows]:
    """Numbers of the pairs in each batch of the run, shuffled anew each epoch.

    The batches of an epoch are of equal size to within one pair: a small last batch would have
    few negatives and the same say in the weights.

    Example:
        >>> [sorted(batch.tolist()) for batch in cut_batches(5, batch_size=8, seed=1, epochs=1)]
        [[0, 1, 2, 3, 4]]
        >>> [len(batch) for batch in cut_batches(10, batch_size=4, seed=1, epochs=2)]
        [4, 3, 3, 4, 3, 3]
    """
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(count)
        yield from np.array_split(order, -(-count // batch_size))


def plan_batch(examples: Examples, chosen: Rows, *, mask: str) -> PairBatch:
    """Find the batch's distinct texts and the known answers among its pairs.

    Args:
        examples: All pairs.
        chosen: Numbers of this batch's pairs.
        mask: "relevant" marks every known answer of a query; "none" its own pair's only.
    """
    query, doc = examples.pairs[chosen, 0], examples.pairs[chosen, 1]
    offset = len(examples.queries)
    rows, at = np.unique(np.concatenate([query, doc + offset]), return_inverse=True)
    relevant = np.eye(len(chosen), dtype=np.bool_)
    if mask == "relevant":
        width = len(examples.docs)
        cells = query[:, None] * width + doc[None, :]
        relevant = examples.known[np.searchsorted(examples.known, cells).clip(max=len(examples) - 1)] == cells
    return PairBatch(rows, at[: len(chosen)], at[len(chosen) :], relevant)
