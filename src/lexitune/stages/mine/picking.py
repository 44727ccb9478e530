"""Which candidates become negatives: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lexitune.fingerprint import hash_text
from lexitune.stages.mine.options import MineOptions

__all__ = ["highest", "pick", "priorities"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def highest(positive: NDArray[np.float32], *, options: MineOptions) -> Floats:
    """Each query's line: a candidate may be taken for wrong when its score is at most this.

    A candidate that comes as close to the query as the weakest passage known to be right is more likely a right
    answer that nobody labelled than a mistake; a margin in proportion to that passage's score ("positive-aware",
    Moreira et al. 2024, NV-Retriever) suits queries of every level of scores. Subtracting from p, instead of scaling
    it, keeps the line below p where p is negative.

    Args:
        positive: float32 [queries]: each query's p, the score of its weakest right passage.

    Example:
        >>> highest(np.float32([0.5, -0.5]), options=MineOptions()).tolist()  # 0.5 - 0.025, -0.5 - 0.025
        [0.475, -0.525]
    """
    p = positive.astype(np.float64)
    lines = [p - options.margin * np.abs(p)]
    if options.absolute_margin is not None:
        lines.append(p - options.absolute_margin)
    if options.max_score is not None:
        lines.append(np.full(len(p), options.max_score))
    line: Floats = np.min(lines, axis=0)
    return line


def priorities(query_ids: Sequence[str], depth: int, *, options: MineOptions) -> Floats | None:
    """Random numbers [queries, depth]; the candidates with the lowest are taken. None: the highest ranks are.

    They come from the query's id, so a query has the same negatives whatever other queries there are.
    """
    if options.pick == "top":
        return None
    seeds = (int(hash_text(f"{options.seed} {query_id}"), 16) for query_id in query_ids)
    drawn = [np.random.default_rng(seed).random(depth) for seed in seeds]
    return np.array(drawn, dtype=np.float64).reshape(len(query_ids), depth)


def pick(allowed: Bools, room: NDArray[np.int64], priority: Floats | None = None) -> Bools:
    """The allowed candidates of each row that come first, as many as there is room for.

    Args:
        allowed: bool [queries, depth], best rank first.
        room: Most of each row.
        priority: The lowest come first; None: in the order of ranks.

    Example:
        >>> pick(np.array([[False, True, True, True]]), np.array([2])).tolist()
        [[False, True, True, False]]
        >>> pick(np.array([[False, True, True, True]]), np.array([2]), np.array([[0.0, 0.9, 0.2, 0.3]])).tolist()
        [[False, False, True, True]]
    """
    if priority is None:
        return allowed & (np.cumsum(allowed, axis=1) <= room[:, None])
    order = np.argsort(np.where(allowed, priority, np.inf), axis=1, kind="stable")
    place = np.empty(allowed.shape, dtype=np.int64)
    np.put_along_axis(place, order, np.arange(allowed.shape[1])[None, :], axis=1)
    return allowed & (place < room[:, None])
