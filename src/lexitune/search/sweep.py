"""One sweep over a corpus: for each query the best scores of a first pass, and how far they may be from the true ones.

The full matrix of scores never exists. A block of it is computed, what reaches the worst score kept so far is taken out
(after the first blocks that is hardly anything), and the block is overwritten by the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.search.hidden import Hidden
from lexitune.search.matrix import SLACK, HostDocs, length_bound
from lexitune.search.order import NO_HIT, pack, reached_by, top, unpack

__all__ = ["CROWDED", "DOC_BLOCK", "QUERY_BLOCK", "Swept", "cover", "error_bound", "sweep"]

Matrix = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]
Singles = NDArray[np.float32]
Keys = NDArray[np.int64]

QUERY_BLOCK, DOC_BLOCK = 512, 4096  # 8 MiB of scores: they stay in the cache between product and comparison
CROWDED = 2  # more than this many times `width` candidates a query: raise the floor before they are taken out
UNDERFLOW = 2.0**-124  # twice what a product loses below the smallest normal float32


@dataclass(frozen=True)
class Swept:
    """What a sweep keeps.

    Attributes:
        scores: float32 [queries, width] first-pass scores, best first; minus infinity for an empty place.
        rows: int64 [queries, width] rows of docs (or the numbers given for them); -1 for an empty place.
        margin: float64 [queries]; no first-pass score is farther from the exact one, rounded to float32, than this.
    """

    scores: Singles
    rows: NDArray[np.int64]
    margin: Doubles


def sweep(
    queries: Matrix,
    docs: HostDocs,
    *,
    width: int,
    hidden: Hidden,
    dtype: type[np.float32] | type[np.float64] = np.float32,
    numbers: NDArray[np.int64] | None = None,
) -> Swept:
    """Keep the `width` best docs of each query by a product in `dtype`.

    Memory: 8 bytes a query and place, and a block of scores with its mask: 10 MiB (150 where nearly all scores tie).

    Args:
        queries: [queries, dim].
        docs: The corpus.
        numbers: What docs are called, by row, and in whose order equal scores stand; None: by their row.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite gets an infinite margin
        rounded: Any = queries.astype(dtype)
        keys = np.full((len(queries), width), NO_HIT, dtype=np.int64)
        floor = np.full(len(queries), -np.inf, dtype=np.float32)
        buffer = np.empty(min(len(queries), QUERY_BLOCK) * DOC_BLOCK, dtype=np.float32)
        longest = lost = 0.0
        for start, vectors, bound in docs.blocks(DOC_BLOCK):
            block: Any = vectors.astype(dtype, copy=False)
            longest, lost = max(longest, bound), max(lost, float(_loss(vectors, block).max(initial=0.0)))
            called = np.arange(start, start + len(block)) if numbers is None else numbers[start : start + len(block)]
            for first in range(0, len(queries), QUERY_BLOCK):
                part = slice(first, first + QUERY_BLOCK)
                shape = (len(rounded[part]), len(block))
                scores = buffer[: shape[0] * shape[1]].reshape(shape)
                if dtype is np.float32:
                    np.matmul(rounded[part], block.T, out=scores)
                else:
                    scores[:] = rounded[part] @ block.T
                cover(scores, hidden, first, start)
                keys[part] = _merge(keys[part], floor[part], scores, called)
        margin = error_bound(
            length_bound(queries), _loss(queries, rounded), longest, lost, dim=queries.shape[1], info=np.finfo(dtype)
        )
    scores, rows = unpack(np.sort(keys, axis=1)[:, ::-1])
    return Swept(scores, rows, margin)


def error_bound(
    lengths: Doubles, losses: Doubles, longest: float, lost: float, *, dim: int, info: Any, sums: float = 2.0**-24
) -> Doubles:
    """The margin of each query (see `Swept`), from Cauchy and Schwarz and the classical bound of a rounded sum.

    Args:
        lengths: Of the queries.
        losses: Lengths of what rounding to the format took from the queries.
        longest: Length of the longest doc.
        lost: Length of the most that rounding took from a doc.
        info: `finfo` of the format that was multiplied.
        sums: Unit roundoff of the sums; a coarser format also rounds each score once more.
    """
    most = (lengths + losses) * (longest + lost)
    unit = float(info.eps) / 2
    rounding = (dim + 4) * sums + (unit if unit > sums else 0.0)
    floor = (dim + 1) * UNDERFLOW + float(info.tiny) * float(info.eps)
    margin = SLACK * (losses * longest + (lengths + losses) * lost + rounding * most) + floor
    # Sums that may overflow bound nothing.
    return np.where(most < float(info.max) / 4, margin, np.inf)


def _loss(vectors: Matrix, rounded: Matrix) -> Doubles:
    """Lengths of what rounding took from each row."""
    if vectors.dtype.itemsize <= rounded.dtype.itemsize:
        return np.zeros(len(vectors))
    return length_bound(vectors - rounded)


def cover(scores: Singles, hidden: Hidden, first: int, start: int) -> None:
    """Put minus infinity where a block of scores, counted from its first query and first doc, may be no hit."""
    limited, seen = hidden.seen(first, start, scores.shape)
    if len(limited):
        scores[limited] = np.where(seen, scores[limited], np.float32(-np.inf))
    scores[hidden.cells(first, start, scores.shape)] = -np.inf


def _merge(keys: Keys, floor: Singles, scores: Singles, called: NDArray[np.int64]) -> Keys:
    """The best keys so far, with those of a block; `floor`, the worst score kept by each query, is raised in place."""
    width = keys.shape[1]
    taken = scores >= floor[:, None]
    if width < scores.shape[1] and np.count_nonzero(taken) > CROWDED * width * len(scores):
        np.maximum(floor, reached_by(scores, width), out=floor)
        np.greater_equal(scores, floor[:, None], out=taken)
    cell = np.flatnonzero(taken)
    found = scores.ravel()[cell]
    visible = found > -np.inf
    if not visible.all():
        cell, found = cell[visible], found[visible]
    if not len(cell):
        return keys
    row = cell // scores.shape[1]
    column = cell - row * scores.shape[1]
    counts = np.bincount(row, minlength=len(scores))
    place = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
    joined = np.full((len(scores), width + int(counts.max())), NO_HIT, dtype=np.int64)
    joined[:, :width] = keys
    joined[row, width + place] = pack(found, called[column])
    best = top(joined, width)
    np.maximum(floor, unpack(best.min(axis=1))[0], out=floor)
    return best
