"""The candidates of each query with their ranks: the whole window, or the first ones that the margin lets through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexitune.search.hidden import Hidden
from lexitune.search.matrix import HostDocs
from lexitune.stages.mine.below import best_below
from lexitune.stages.mine.cells import Cells
from lexitune.stages.mine.ground import Ground, pair_scores, search

__all__ = ["Candidates", "first_under_line", "in_window", "is_first_enough"]

SPARE = 2  # beyond the negatives asked for: some may be too like a right passage

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Arrays [queries, depth], best rank first, but for the last three, which are [queries].

    Attributes:
        doc: Rows of passages; -1 where there is none.
        rank: From 1.
        score: What the margin compares.
        far: Whether that is low enough; False where there is no passage.
        too_close: How many of the window's are not.
        settled: Whether these are the first ones for sure; else the query has to be searched in another way.
        complete: Whether nothing of the window that is far enough is missing.
    """

    doc: Rows
    rank: Rows
    score: NDArray[np.float32]
    far: Bools
    too_close: Rows
    settled: Bools
    complete: Bools


def is_first_enough(ground: Ground) -> bool:
    """Whether the first passages under the line decide: the highest ranks are asked for, in the order of the score."""
    options = ground.options
    ranked_by_score = options.candidates == "model" and ground.rescore is None
    return ranked_by_score and options.pick == "top" and options.first == 1 and ground.device is None


def in_window(ground: Ground, excluded: Cells, line: NDArray[np.float64]) -> Candidates:
    """Every candidate of the rank window, scored."""
    options = ground.options
    hits = search(ground, excluded)
    doc = hits.index[:, options.first - 1 :].astype(np.int64)
    there = doc >= 0
    rows, columns = np.nonzero(there)
    score = np.full(doc.shape, np.inf, dtype=np.float32)
    ranked_by_score = options.candidates == "model" and ground.rescore is None
    found = hits.score[rows, columns + options.first - 1]
    score[rows, columns] = found if ranked_by_score else pair_scores(ground, rows, doc[rows, columns])
    far = there & (score <= line[:, None])
    rank = np.broadcast_to(np.arange(options.first, options.first + doc.shape[1]), doc.shape)
    yes = np.ones(len(doc), dtype=np.bool_)
    return Candidates(doc, rank, score, far, (there & ~far).sum(axis=1), settled=yes, complete=yes)


def first_under_line(ground: Ground, excluded: Cells, line: NDArray[np.float64]) -> Candidates:
    """The first few candidates that are far enough; where those are not all of the window, it is not complete."""
    options = ground.options
    source = ground.stored if not isinstance(ground.stored, tuple) else ground.stored[0]
    hidden = Hidden.build(
        [query.query_id for query in ground.queries],
        ground.doc_ids,
        allowed=ground.allowed,
        exclude=(excluded.rows, excluded.columns),
    )
    docs = HostDocs(source, ground.doc_ids)
    found = best_below(ground.query_vectors, docs, line, most=options.count + SPARE, hidden=hidden)
    rank = found.above[:, None] + 1 + np.arange(found.doc.shape[1])
    far = (found.doc >= 0) & (rank <= options.last)
    ended = (found.doc < 0).any(axis=1) | (rank[:, -1] >= options.last)
    close = np.minimum(found.above, options.last)
    return Candidates(found.doc, rank, found.score, far, close, settled=found.settled, complete=ended)
