"""Exact search: every doc is compared with every query, in blocks, so nothing that should be found is missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.io.hits import Hits
from lexitune.io.vectors import Vectors
from lexitune.search.filters import Allowed
from lexitune.search.order import NO_HIT, DocOrder, pack, top

__all__ = ["exact_search"]

Matrix = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Cells = tuple[NDArray[np.int64], NDArray[np.int64]]
QUERY_BLOCK, DOC_BLOCK = 256, 4096  # 8 MiB of scores at a time, whatever the corpus


def exact_search(
    query_vectors: Matrix,
    docs: Vectors | tuple[Matrix, Sequence[str]],
    k: int,
    *,
    query_ids: Sequence[str],
    allowed: Allowed | None = None,
    exclude: Cells | None = None,
) -> Hits:
    """Rank docs by dot product (cosine, where the vectors have unit length), ties by the tie rule.

    A score is summed in double precision and rounded once to float32. So equal vectors tie, and a score
    depends neither on blocks nor on the other queries nor on the number of threads, but for one case: two
    orders of summing differ by about 1e-16, and where a float32 rounding edge lies between them (in the order of
    one score in 10 million) the last bit differs. Vectors of small whole numbers are exact.

    Args:
        query_vectors: float [queries, dim], in the order of `query_ids`.
        docs: Stored vectors, or a matrix [docs, dim] with its ids.
        k: Hits a query gets. Where fewer docs are allowed, the empty places have index -1.
        allowed: What each query may see; None: everything.
        exclude: (rows of queries, rows of docs), both int64 [cells] and in the order given here: a query's known
            positives, say. Such a doc is no hit of that query, and the next best takes its place.

    Raises:
        DataError: NaN or infinity in a vector, or vectors of two widths: two models have met.
    """
    doc_ids = docs.doc_ids if isinstance(docs, Vectors) else docs[1]
    if k < 1 or len(query_vectors) != len(query_ids):
        raise ValueError(f"k = {k}, {len(query_vectors)} query vectors, {len(query_ids)} query ids")
    permitted = allowed.aligned(query_ids, doc_ids) if allowed is not None else None
    queries = _doubles(query_vectors, query_ids, "query")
    order = DocOrder(doc_ids)
    hidden = _by_doc(exclude, len(queries), len(doc_ids)) if exclude is not None else None
    best = np.full((len(queries), k), NO_HIT, dtype=np.int64)
    for start, block in _blocks(docs, doc_ids):
        if block.shape[1] != queries.shape[1]:
            raise DataError(
                "E3142",
                f"query vectors have {queries.shape[1]} dimensions, document vectors {block.shape[1]}",
                fix="encode both with one model: lexitune reembed",
            )
        ranks = order.rank_by_row[start : start + len(block)]
        for first in range(0, len(queries), QUERY_BLOCK):
            rows = slice(first, first + QUERY_BLOCK)
            keys = pack(queries[rows] @ block.T, ranks)
            if permitted is not None:
                _hide(keys, permitted, first, start)
            if hidden is not None:
                _cut_out(keys, hidden, first, start)
            best[rows] = top(np.hstack([best[rows], top(keys, k)]), k)
    index, score = order.unpack(best)
    return Hits(tuple(query_ids), doc_ids, index, score)


def _blocks(docs: Vectors | tuple[Matrix, Sequence[str]], doc_ids: Sequence[str]) -> Iterator[tuple[int, Doubles]]:
    for start, rows in docs.blocks() if isinstance(docs, Vectors) else [(0, docs[0])]:
        for offset in range(0, len(rows), DOC_BLOCK):
            first = start + offset
            yield first, _doubles(rows[offset : offset + DOC_BLOCK], doc_ids[first : first + DOC_BLOCK], "doc")


def _doubles(vectors: Matrix, ids: Sequence[str], what: str) -> Doubles:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise DataError(
            "E3141",
            f"the vector of {what} '{ids[int(finite.argmin())]}' holds NaN or infinity",
            fix="encode again with --precision fp32; if it stays, the model is damaged: choose another",
        )
    return vectors.astype(np.float64)


def _hide(keys: NDArray[np.int64], permitted: Allowed, first: int, start: int) -> None:
    """Empty the places of docs that the queries from row `first` on may not see."""
    which = permitted.which[first : first + len(keys)]
    limited = np.flatnonzero(which >= 0)
    seen = permitted.masks[which[limited], start : start + keys.shape[1]]
    keys[limited] = np.where(seen, keys[limited], NO_HIT)


def _by_doc(exclude: Cells, queries: int, docs: int) -> Cells:
    """The cells in ascending order of docs, so that those of a block lie together."""
    rows, columns = (np.asarray(part, dtype=np.int64) for part in exclude)
    for part, size, what in ((rows, queries, "query"), (columns, docs, "doc")):
        if part.size and not 0 <= part.min() <= part.max() < size:
            raise ValueError(f"excluded {what} rows from {part.min()} to {part.max()}, of {size}")
    if rows.shape != columns.shape:
        raise ValueError(f"{rows.shape} excluded query rows, {columns.shape} doc rows")
    order = np.argsort(columns, kind="stable")
    return rows[order], columns[order]


def _cut_out(keys: NDArray[np.int64], hidden: Cells, first: int, start: int) -> None:
    """Empty the excluded cells of the block whose first query is `first` and whose first doc is `start`."""
    rows, columns = hidden
    near = slice(*np.searchsorted(columns, [start, start + keys.shape[1]]))
    here = (rows[near] >= first) & (rows[near] < first + len(keys))
    keys[rows[near][here] - first, columns[near][here] - start] = NO_HIT
