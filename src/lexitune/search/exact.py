"""Exact search: every doc is compared with every query, so nothing that should be found is missed.

A fast first pass bounds its own error and keeps every doc that may belong to the first k; those few are scored again in
double precision. A query for which too many docs lie within the error goes on to a more precise pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.io.hits import Hits
from lexitune.io.vectors import Vectors
from lexitune.search.filters import Allowed
from lexitune.search.hidden import Hidden
from lexitune.search.matrix import HostDocs, refuse_rows
from lexitune.search.order import NO_HIT, DocOrder, pack, top
from lexitune.search.sweep import Swept, sweep

if TYPE_CHECKING:
    import torch

    from lexitune.search.device import DeviceDocs

__all__ = ["exact_search"]

Matrix = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
Cells = tuple[Rows, Rows]

FORMATS = (None, "fp32", "bf16", "fp16")
GATHERED = 1 << 18  # numbers scored again at a time: 2 MiB in double precision


def exact_search(
    query_vectors: Matrix | torch.Tensor,
    docs: Vectors | tuple[Matrix | torch.Tensor, Sequence[str]],
    k: int,
    *,
    query_ids: Sequence[str],
    allowed: Allowed | None = None,
    exclude: Cells | None = None,
    device: str | None = None,
    first_pass: str | None = None,
) -> Hits:
    """Rank docs by dot product (cosine, where the vectors have unit length), ties by the tie rule.

    A score is summed in double precision and rounded once to float32. So equal vectors tie, and a score depends
    neither on blocks, nor on the other queries, nor on the number of threads, nor on how the first pass is computed.
    A GPU sums in an order of its own: that differs by about 1e-16, and where a rounding edge lies between (in the order
    of one score in 10 million) in the last bit.

    The matrix of scores is never held: memory is a copy of the queries in double precision, about 50 bytes for each
    query and hit, and a block of scores (10 MiB, see `sweep`).

    Args:
        query_vectors: Floats [queries, dim], in the order of `query_ids`.
        docs: Stored vectors, or a matrix [docs, dim] with its ids. Rows may stand in any order.
        k: Hits a query gets. Where fewer docs are allowed, the empty places have index -1.
        allowed: What each query may see; None: everything.
        exclude: (rows of queries, rows of docs), both int64 [cells] and in the order given here: a query's known
            positives, say. Such a doc is no hit of that query, and the next best takes its place.
        device: Where PyTorch computes scores, such as "cuda"; None: where a tensor given lies, else the processor.
        first_pass: Format of the first pass, `fp32`, `bf16` or `fp16`; it changes time, not the result. None: fp16 on a
            GPU, else fp32.

    Raises:
        DataError: NaN or infinity in a vector, or vectors of two widths: two models have met.
    """
    source, doc_ids = (docs, docs.doc_ids) if isinstance(docs, Vectors) else docs
    if k < 1 or len(query_vectors) != len(query_ids):
        raise ValueError(f"k = {k}, {len(query_vectors)} query vectors, {len(query_ids)} query ids")
    if first_pass not in FORMATS:
        raise ValueError(f"first pass {first_pass!r} is none of {FORMATS}")
    device = device or _device_of(source) or _device_of(query_vectors)
    corpus = _corpus(source, doc_ids, device)
    queries = _host(query_vectors).astype(np.float64)
    refuse_rows(np.isfinite(queries), query_ids, "query")
    if len(doc_ids) and corpus.dim != queries.shape[1]:
        raise DataError(
            "E3142",
            f"query vectors have {queries.shape[1]} dimensions, document vectors {corpus.dim}",
            fix="encode both with one model: lexitune reembed",
        )
    hidden = Hidden.build(query_ids, doc_ids, allowed=allowed, exclude=exclude)
    index = np.full((len(queries), k), -1, dtype=np.int32)
    score = np.full((len(queries), k), -np.inf, dtype=np.float32)
    left = np.arange(len(queries) if len(doc_ids) else 0)
    for place, precision in _passes(device, first_pass):
        if len(left):
            settled, candidates = _sweep(place, precision, queries[left], corpus, k=k, hidden=hidden.of(left))
            done, left = left[settled], left[~settled]
            index[done], score[done] = _rank(candidates[settled], queries[done], corpus, k)
    return Hits(tuple(query_ids), doc_ids, index, score)


def _passes(device: str | None, first_pass: str | None) -> list[tuple[str | None, str]]:
    """(device or None for numpy, format) of each pass, cheapest first. The last one settles every query.

    A GPU starts in fp16: as fast there as bf16, and its errors are an eighth. Vectors beyond its range are searched
    again in more. A processor starts in fp32 even where it multiplies in bf16: finding the best of the scores is most
    of the work, and coarser scores leave more to find.
    """
    if device is None:
        exact: list[tuple[str | None, str]] = [(None, "fp32"), (None, "fp64")]
        return exact if first_pass in (None, "fp32") else [("cpu", str(first_pass)), *exact]
    return [(device, first_pass or ("fp16" if device.startswith("cuda") else "fp32")), (device, "fp64")]


def _sweep(
    place: str | None, precision: str, queries: Doubles, corpus: HostDocs | DeviceDocs, *, k: int, hidden: Hidden
) -> tuple[NDArray[np.bool_], Rows]:
    """Which queries this pass settles, and the docs that may be among their first k: rows, -1 for none, at the end."""
    size = len(corpus.doc_ids)
    last = precision == "fp64"
    # In double precision scores that tie are cut at k, so there, and only there, all ids must be in order.
    order = DocOrder(corpus.doc_ids) if last else None
    width = min(size, k if last else _width(k, precision))
    numbers = order.rank_by_row if order else None
    if place is None and isinstance(corpus, HostDocs):
        dtype = np.float64 if last else np.float32
        found = sweep(queries, corpus, width=width, hidden=hidden, dtype=dtype, numbers=numbers)
    else:
        from lexitune.search.device import sweep_on

        found = sweep_on(
            place or "cpu", queries, corpus, width=width, hidden=hidden, precision=precision, numbers=numbers
        )
    if order:
        return np.ones(len(queries), dtype=bool), np.append(order.row_by_rank, -1)[found.rows].astype(np.int64)
    return _settle(found, k, everything=width == size)


def _width(k: int, precision: str) -> int:
    """Docs that a pass keeps: k, and room for those within its error."""
    return k + k // 8 + 16 if precision == "fp32" else 2 * k + 64


def _settle(found: Swept, k: int, *, everything: bool) -> tuple[NDArray[np.bool_], Rows]:
    """A doc is out for sure when its score is below the k-th best by more than both of them may be wrong.

    When even the last one kept is not out, more docs may belong to the first k than there was room for.
    """
    kth = found.scores[:, k - 1] if found.scores.shape[1] >= k else np.float32(-np.inf)
    least = kth - 2 * found.margin
    last = found.scores[:, -1]
    settled = np.isfinite(found.margin) & ((last < least) | np.isneginf(last) | everything)
    return settled, np.where(found.scores >= least[:, None], found.rows, -1)


def _rank(
    candidates: Rows, queries: Doubles, corpus: HostDocs | DeviceDocs, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Score candidates in double precision; rows and scores of the first k by the tie rule."""
    among = np.zeros(len(corpus.doc_ids) + 1, dtype=bool)
    among[candidates] = True
    among[-1] = False  # where an empty place, -1, has landed
    known = np.flatnonzero(among)
    order = DocOrder([corpus.doc_ids[row] for row in known.tolist()])
    rank = np.zeros(len(among), dtype=np.int64)
    rank[known] = order.rank_by_row
    best = np.full((len(candidates), k), NO_HIT, dtype=np.int64)
    for part in _parts(candidates, corpus.dim):
        rows = candidates[part]
        rows = rows[:, : int((rows >= 0).sum(axis=1).max())]
        with np.errstate(over="ignore"):
            keys = pack(corpus.dots(np.maximum(rows, 0), queries[part]), rank[rows])
        kept = top(np.where(rows < 0, NO_HIT, keys), k)
        best[part, : kept.shape[1]] = kept
    place, score = order.unpack(best)
    return np.append(known, -1).astype(np.int32)[place], score


def _parts(candidates: Rows, dim: int) -> Iterator[slice]:
    step = max(1, GATHERED // max(1, candidates.shape[1] * dim))
    return (slice(first, first + step) for first in range(0, len(candidates), step))


def _device_of(vectors: Any) -> str | None:
    """The GPU that a tensor lies on. Apple's have no double precision, so what lies there is searched here."""
    if isinstance(vectors, np.ndarray | Vectors):
        return None
    return str(vectors.device) if vectors.device.type == "cuda" else None


def _corpus(source: Any, doc_ids: Sequence[str], device: str | None) -> HostDocs | DeviceDocs:
    if isinstance(source, np.ndarray | Vectors):
        return HostDocs(source, doc_ids)
    if device is None:
        return HostDocs(_host(source), doc_ids)
    from lexitune.search.device import DeviceDocs

    return DeviceDocs(source, doc_ids)


def _host(vectors: Any) -> Matrix:
    """Vectors as a numpy array; bfloat16, which numpy lacks, as float32."""
    if isinstance(vectors, np.ndarray):
        return vectors
    on_host = vectors.detach().cpu()
    found: Matrix = (on_host.float() if str(on_host.dtype) == "torch.bfloat16" else on_host).numpy()
    return found
