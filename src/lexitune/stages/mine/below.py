"""The best passages below a line: what the margin lets through, without ranking what it does not.

With the highest ranks asked for, a query needs its few best candidates below the line and their ranks; how those above
stand to each other does not matter, they only have to be counted. That is a product, two comparisons and a handful of
numbers a query, where ranking a hundred candidates exactly costs more than the product itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexitune.search.hidden import Hidden
from lexitune.search.matrix import HostDocs
from lexitune.search.order import NO_HIT, DocOrder, pack, reached_by, top, unpack
from lexitune.search.sweep import CROWDED, DOC_BLOCK, QUERY_BLOCK, cover, error_bound

__all__ = ["Below", "best_below"]

Rows = NDArray[np.int64]
Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]

RESCORED = 64  # queries at a time: a few MiB of vectors in double precision
SPARE = 6  # kept beyond what is asked for: those within rounding of the last one, or of the line
LEAST = np.finfo(np.float32).min  # a floor that no hidden score, minus infinity, reaches


@dataclass(frozen=True, eq=False)
class Below:
    """For each query the first docs whose score is at most its line, by the tie rule.

    Attributes:
        doc: int64 [queries, most] rows of docs, -1 for none.
        score: float32, as exact search gives it; minus infinity for none.
        above: int64 [queries]: docs above the line, so that the first one below has rank `above` + 1.
        settled: bool [queries]: whether all this is exact. Where more docs lie within rounding of each other than
            there was room for, it may not be, and exact search has to be asked.
    """

    doc: Rows
    score: Singles
    above: Rows
    settled: Bools


def best_below(queries: Singles, docs: HostDocs, line: Doubles, *, most: int, hidden: Hidden) -> Below:
    """Sweep the corpus once in float32, and score what may be among the first in double precision.

    Args:
        queries: float32 [queries, dim], finite.
        line: float64 [queries].
        most: Docs of a query.
        hidden: Cells that are neither hits nor counted.

    Raises:
        DataError: NaN or infinity in a doc's vector.
    """
    margin = _margin(queries, docs)
    # A first-pass score beyond this is above the line whatever rounding did to it.
    surely = np.nextafter((line + margin).astype(np.float32), np.float32(np.inf))
    width = min(most + SPARE, len(docs.doc_ids))
    keys = np.full((len(queries), width), NO_HIT, dtype=np.int64)
    floor = np.full(len(queries), LEAST, dtype=np.float32)
    above = np.zeros(len(queries), dtype=np.int64)
    buffer = np.empty(min(len(queries), QUERY_BLOCK) * DOC_BLOCK, dtype=np.float32)
    for start, block, _ in docs.blocks(DOC_BLOCK):
        called = np.arange(start, start + len(block))
        for first in range(0, len(queries), QUERY_BLOCK):
            part = slice(first, first + QUERY_BLOCK)
            shape = (len(queries[part]), len(block))
            scores = buffer[: shape[0] * shape[1]].reshape(shape)
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite has an infinite margin
                np.matmul(queries[part], block.T, out=scores)
            cover(scores, hidden, first, start)
            beyond = np.flatnonzero(scores > surely[part, None])  # few: faster than counting and writing by a mask
            above[part] += np.bincount(beyond // len(block), minlength=shape[0])
            scores.ravel()[beyond] = -np.inf
            keys[part], floor[part] = _keep(keys[part], floor[part], scores, called)
    return _settle(unpack(keys), queries, docs, line, margin=margin, most=most, above=above)


def _margin(queries: Singles, docs: HostDocs) -> Doubles:
    """How far a first-pass score may be from the exact one."""
    longest = max((longest for _, _, longest in docs.blocks(DOC_BLOCK)), default=0.0)
    lengths = np.linalg.norm(queries.astype(np.float64), axis=1)
    return error_bound(lengths, np.zeros(len(queries)), longest, 0.0, dim=queries.shape[1], info=np.finfo(np.float32))


def _keep(keys: Rows, floor: Singles, scores: Singles, called: Rows) -> tuple[Rows, Singles]:
    """The best keys so far with those of a block, and the worst score kept of each query."""
    width = keys.shape[1]
    taken = scores >= floor[:, None]
    if width < scores.shape[1] and np.count_nonzero(taken) > CROWDED * width * len(scores):
        floor = np.maximum(floor, reached_by(scores, width))
        taken = scores >= floor[:, None]
    row, column = np.divmod(np.flatnonzero(taken), scores.shape[1])
    place = np.arange(len(row)) - np.searchsorted(row, row)
    joined = np.full((len(scores), width + int(place.max(initial=-1)) + 1), NO_HIT, dtype=np.int64)
    joined[:, :width] = keys
    joined[row, width + place] = pack(scores[row, column], called[column])
    best = top(joined, width)
    return best, np.maximum(floor, unpack(best.min(axis=1))[0])


def _settle(
    kept: tuple[Singles, Rows],
    queries: Singles,
    docs: HostDocs,
    line: Doubles,
    *,
    margin: Doubles,
    most: int,
    above: Rows,
) -> Below:
    first_pass, rows = kept
    there = rows >= 0
    exact = np.empty(rows.shape, dtype=np.float32)
    for first in range(0, len(queries), RESCORED):
        part = slice(first, first + RESCORED)
        with np.errstate(over="ignore", invalid="ignore"):
            exact[part] = docs.dots(np.maximum(rows[part], 0), queries[part].astype(np.float64))
    over = there & (exact > line[:, None])
    known = np.unique(rows[there])
    order = DocOrder([docs.doc_ids[row] for row in known.tolist()])
    rank = np.append(order.rank_by_row, 0)[np.searchsorted(known, rows)]
    keys = np.where(there & ~over, pack(exact, rank), NO_HIT)
    place, score = order.unpack(keys)
    doc = np.append(known, -1)[place][:, :most]
    score = score[:, :most]
    # What was not kept scores at most the worst one kept, give or take the margin.
    full = there.all(axis=1)
    worst = np.where(full, first_pass.min(axis=1), -np.inf)
    last = score[:, -1] if score.shape[1] == most else np.full(len(score), -np.inf)
    everything = rows.shape[1] == len(docs.doc_ids)
    settled = np.isfinite(margin) & (~full | everything | (last > worst + margin))
    return Below(doc, score, above + over.sum(axis=1), settled)
