"""The tie rule, as one number: higher score first, then `doc_id` ascending by code point.

A score and a doc's rank among the ids are packed into one int64 whose order is the order of hits.
No two docs share a key, so a plain partition of keys is exact across ties, blocks and the cut at k.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_HIT", "DocOrder", "pack", "reached_by", "top", "unpack"]

Keys = NDArray[np.int64]
NO_HIT = np.iinfo(np.int64).min
"""The key of an empty place: below every real key."""

LOW_BITS = np.int64(0xFFFF_FFFF)
GROUPS = 4  # of columns, for each number wanted of a row


class DocOrder:
    """The order of a corpus by `doc_id`, and the way from keys back to rows and scores.

    Args:
        doc_ids: Ids by row; they are distinct.
    """

    def __init__(self, doc_ids: Sequence[str]) -> None:
        rows = sorted(range(len(doc_ids)), key=doc_ids.__getitem__)
        self.row_by_rank = np.array(rows, dtype=np.int32)
        self.rank_by_row = np.empty(len(rows), dtype=np.int64)
        self.rank_by_row[self.row_by_rank] = np.arange(len(rows))

    def unpack(self, keys: Keys) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Rows (-1 for an empty place) and scores (minus infinity there) of keys, sorted within each query."""
        scores, rank = unpack(np.sort(keys, axis=-1)[..., ::-1])
        # A rank of -1 takes the row at the end.
        return np.append(self.row_by_rank, np.int32(-1))[rank], scores


def pack(scores: NDArray[np.floating], rank: NDArray[np.int64]) -> Keys:
    """Keys of finite scores, compared as float32; `rank` is the docs' `rank_by_row`, broadcast against the scores."""
    single = scores.astype(np.float32) + np.float32(0)  # -0.0 becomes 0.0: they are one score
    return (_flip(single.view(np.int32)).astype(np.int64) << 32) | (LOW_BITS - rank)


def unpack(keys: Keys) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores and ranks of keys, in their order; minus infinity and -1 for an empty place."""
    empty = keys == NO_HIT
    scores = _flip((keys >> 32).astype(np.int32)).view(np.float32)
    return np.where(empty, np.float32(-np.inf), scores), np.where(empty, -1, LOW_BITS - (keys & LOW_BITS))


def top(keys: Keys, k: int) -> Keys:
    """The k greatest keys of each row, in no order; all of them where there are no more than k."""
    if keys.shape[-1] <= k:
        return keys
    return np.partition(keys, keys.shape[-1] - k, axis=-1)[..., -k:]


def _flip(bits: NDArray[np.int32]) -> NDArray[np.int32]:
    """Bits of a float32 as an integer of the same order, and back: IEEE 754 negatives count the other way."""
    return bits ^ ((bits >> 31) & np.int32(0x7FFF_FFFF))


def reached_by(scores: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Of each row a score that at least `width` of its numbers reach, and hardly more.

    Columns are dealt into groups; each of the `width` groups with the highest maxima holds one number that reaches the
    lowest of these maxima. A pass of maxima and a choice among few take a fifth of the time of a choice among all.

    Example:
        >>> reached_by(np.array([[9, 1, 8, 2, 7, 3, 6, 4]], dtype=np.float32), 1)
        array([9.], dtype=float32)
    """
    groups = GROUPS * width
    members = scores.shape[1] // groups
    if members > 1:
        scores = scores[:, : members * groups].reshape(len(scores), members, groups).max(axis=1)
    found: NDArray[np.float32] = np.partition(scores, -width, axis=1)[:, -width]
    return found
