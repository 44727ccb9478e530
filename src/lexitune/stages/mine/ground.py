"""What one mining searches: the passages with their vectors, the queries, and what each may be given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.io.hits import Hits
from lexitune.io.vectors import Vectors, corpus_ids, corpus_rows
from lexitune.search.bm25 import BM25
from lexitune.search.exact import exact_search
from lexitune.search.filters import Allowed, allowed_docs
from lexitune.search.hybrid import fuse
from lexitune.stages.mine.cells import Cells
from lexitune.stages.mine.options import MineOptions
from lexitune.types import Dataset, Doc, Query

__all__ = ["Ground", "Rescore", "lay_out", "one_row_a_text", "pair_scores", "search"]

Matrix = NDArray[np.float32]
Stored = Vectors | tuple[Matrix, Sequence[str]]
Rescore = Callable[[Sequence[str], Sequence[str]], NDArray[np.float32]]
"""Query texts and passage texts, pair by pair, to scores."""

PAIR_BLOCK = 1 << 15  # 48 MiB of vectors a side at 384 dimensions


@dataclass(frozen=True, eq=False)
class Ground:
    """Everything that stays the same while queries are mined.

    Attributes:
        docs: Passages, in the order of the vectors' rows.
        stored: Their vectors.
        queries: What is mined for.
        query_vectors: float32 [queries, dim].
        allowed: What each query may be given: its filter, no passage that is kept out, one passage of each text.
        bm25: Over `docs`; None where its ranking is not asked for.
        device: Where scores of all passages are computed; None: the processor.
        rescore: Scores for the margin in place of the model's; None: the model's.
    """

    docs: Sequence[Doc]
    stored: Stored
    queries: Sequence[Query]
    query_vectors: Matrix
    allowed: Allowed | None
    bm25: BM25 | None
    device: str | None
    rescore: Rescore | None
    options: MineOptions

    @property
    def doc_ids(self) -> Sequence[str]:
        return corpus_ids(self.stored)

    def of_rows(self, rows: NDArray[np.int64]) -> Ground:
        """The same for some of the queries."""
        allowed = self.allowed
        if allowed is not None:
            ids = tuple(allowed.query_ids[row] for row in rows)
            allowed = Allowed(ids, allowed.doc_ids, allowed.masks, allowed.which[rows])
        queries = [self.queries[row] for row in rows]
        return replace(self, queries=queries, query_vectors=self.query_vectors[rows], allowed=allowed)


def one_row_a_text(docs: Sequence[Doc]) -> NDArray[np.int64]:
    """For each doc, the row of the doc that stands for its text: the one with the lowest id.

    A copy of a right passage is right, whatever its id, and two copies of a wrong one teach nothing twice.
    """
    first: dict[str, int] = {}
    for row, doc in enumerate(docs):
        before = first.get(doc.full_text)
        if before is None or doc.doc_id < docs[before].doc_id:
            first[doc.full_text] = row
    return np.array([first[doc.full_text] for doc in docs], dtype=np.int64)


def lay_out(
    data: Dataset,
    query_ids: Sequence[str],
    *,
    docs: Sequence[Doc],
    stands_for: NDArray[np.int64],
    stored: Stored,
    query_vectors: Matrix,
    kept_out: Collection[str],
    device: str | None = None,
    rescore: Rescore | None = None,
    options: MineOptions,
) -> Ground:
    """Put together what a mining searches.

    Args:
        docs: In the order of the rows of `stored`.
        stands_for: Of `one_row_a_text`.
        kept_out: Docs that are no query's negative.

    Raises:
        DataError: A query's filter cannot be read.
    """
    queries = [data.queries[query_id] for query_id in query_ids]
    out = stands_for != np.arange(len(docs))
    out[[stands_for[row] for row, doc in enumerate(docs) if doc.doc_id in kept_out]] = True
    allowed = _without(allowed_docs(queries, docs), out, query_ids=query_ids, doc_ids=corpus_ids(stored))
    bm25 = None if options.candidates == "model" else BM25.build(docs)
    return Ground(docs, stored, queries, query_vectors, allowed, bm25, device, rescore, options)


def _without(
    allowed: Allowed | None, out: NDArray[np.bool_], *, query_ids: Sequence[str], doc_ids: Sequence[str]
) -> Allowed | None:
    if not out.any():
        return allowed
    if allowed is None:
        return Allowed(tuple(query_ids), doc_ids, ~out[None, :], np.zeros(len(query_ids), dtype=np.int64))
    masks = np.vstack([allowed.masks & ~out, ~out])
    which = np.where(allowed.which < 0, len(masks) - 1, allowed.which)
    return Allowed(allowed.query_ids, doc_ids, masks, which)


def search(ground: Ground, excluded: Cells) -> Hits:
    """The first passages of each query that are not excluded, to the depth of the rank window.

    Args:
        excluded: Cells of (query, doc) that take no rank.

    Returns:
        `index` holds rows of the vectors, whatever system ranked.
    """
    depth = ground.options.last
    ids = [query.query_id for query in ground.queries]
    rankings = []
    if ground.options.candidates != "bm25":
        cells = excluded.rows, excluded.columns
        dense = exact_search(
            ground.query_vectors,
            ground.stored,
            depth,
            query_ids=ids,
            allowed=ground.allowed,
            exclude=cells,
            device=ground.device,
        )
        rankings.append(dense)
    if ground.bm25 is not None:
        more = depth + int(excluded.counts(len(ids)).max(initial=0))
        texts = [query.text for query in ground.queries]
        lexical = ground.bm25.search(texts, query_ids=ids, k=more, allowed=ground.allowed)
        rankings.append(_drop(lexical, excluded, depth))
    # Both rank the same docs in the same order of rows, so the fused ranking numbers them alike.
    return rankings[0] if len(rankings) == 1 else fuse(rankings, depth)


def _drop(hits: Hits, excluded: Cells, depth: int) -> Hits:
    """The ranking without the excluded cells, closed up, to `depth`."""
    rows = np.arange(len(hits.index))[:, None]
    gone = excluded.holds(rows, hits.index) | (hits.index < 0)
    order = np.argsort(gone, axis=1, kind="stable")[:, :depth]
    empty = np.take_along_axis(gone, order, axis=1)
    index = np.where(empty, np.int32(-1), np.take_along_axis(hits.index, order, axis=1))
    score = np.where(empty, np.float32(-np.inf), np.take_along_axis(hits.score, order, axis=1))
    return Hits(hits.query_ids, hits.doc_ids, index, score)


def pair_scores(ground: Ground, rows: NDArray[np.int64], docs: NDArray[np.int64]) -> NDArray[np.float32]:
    """The score of each (query row, doc row), by the cross-encoder where there is one, else by the vectors.

    From the vectors it is summed in double precision and rounded once, as exact search does it: the two compare.
    """
    found = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), PAIR_BLOCK):
        block = slice(start, start + PAIR_BLOCK)
        found[block] = _score(ground, rows[block], docs[block])
    return found


def _score(ground: Ground, rows: NDArray[np.int64], docs: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
    if ground.rescore is not None:
        distinct, which = np.unique(docs, return_inverse=True)
        texts = [ground.docs[doc].full_text for doc in distinct]
        return ground.rescore([ground.queries[row].text for row in rows], [texts[number] for number in which])
    stored = corpus_rows(ground.stored, docs)
    scores: NDArray[np.float64] = np.einsum("ij,ij->i", ground.query_vectors[rows], stored, dtype=np.float64)
    return scores
