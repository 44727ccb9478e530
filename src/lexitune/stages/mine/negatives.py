"""Negatives: passages that come close to a query and are wrong, and what keeps right ones from being taken for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lexitune.stages.mine.candidates import Candidates, first_under_line, in_window, is_first_enough
from lexitune.stages.mine.cells import Cells, first_of_rows, spread
from lexitune.stages.mine.ground import Ground, pair_scores
from lexitune.stages.mine.known import Known
from lexitune.stages.mine.picking import highest, pick, priorities
from lexitune.text.near import near_matches
from lexitune.types import Talk

__all__ = ["ALIKE", "JUDGED", "TOO_CLOSE", "Negatives", "mine_in_blocks", "mine_queries"]

JUDGED = 0
"""The rank of a negative that a judge called wrong: it came from no ranking."""

TOO_CLOSE, ALIKE = "too close to a right one", "nearly the text of a right one"

QUERY_BLOCK = 8192  # at 100 ranks: some 30 MB of candidates

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]
Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Negatives:
    """One row for each negative: judged ones first, then by rank, within each query.

    Attributes:
        query: Row of the query.
        doc: Row of the passage.
        rank: From 1, without the known right and the judged passages; 0 (`JUDGED`) for a judged one.
        score: The score that the margin compared.
        positive_score: p, the score of the query's weakest right passage.
        left_out: How many candidates each guard took away.
    """

    query: Rows
    doc: Rows
    rank: NDArray[np.int32]
    score: Scores
    positive_score: Scores
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.query)

    @classmethod
    def join(cls, parts: Sequence[Negatives], starts: Sequence[int]) -> Negatives:
        """Parts of consecutive queries as one; `starts` are the rows at which they begin."""
        return cls(
            query=np.concatenate([part.query + start for part, start in zip(parts, starts, strict=True)]),
            doc=np.concatenate([part.doc for part in parts]),
            rank=np.concatenate([part.rank for part in parts]),
            score=np.concatenate([part.score for part in parts]),
            positive_score=np.concatenate([part.positive_score for part in parts]),
            left_out={guard: sum(part.left_out[guard] for part in parts) for guard in (TOO_CLOSE, ALIKE)},
        )

    def with_rows(self, rows: Rows, others: Negatives) -> Negatives:
        """These, and those of `others`, whose queries 0, 1, ... are `rows` here and have none yet."""
        both = Negatives.join([self, replace(others, query=rows[others.query])], [0, 0])
        order = np.argsort(both.query, kind="stable")
        columns = {name: getattr(both, name)[order] for name in ("query", "doc", "rank", "score", "positive_score")}
        return replace(both, **columns)


def mine_in_blocks(ground: Ground, known: Known, *, talk: Talk, stage: str) -> Negatives:
    """Negatives of every query, a block of queries at a time: memory grows neither with queries nor with passages."""
    n = len(ground.queries)
    starts = list(range(0, n, QUERY_BLOCK))
    parts = []
    for start in starts:
        rows = np.arange(start, min(start + QUERY_BLOCK, n))
        talk.progress(stage, start, n)
        parts.append(mine_queries(ground.of_rows(rows), known.of_rows(rows)))
    talk.progress(stage, n, n)
    return Negatives.join(parts, starts)


def mine_queries(ground: Ground, known: Known, *, whole_window: bool = False) -> Negatives:
    """Negatives of every query of `ground`, whose rows are the rows of `known`.

    A judged-wrong passage is taken as it is: no score says more than a judge. Every other candidate must score low
    enough, and its text must not be nearly that of a passage known to be right.

    Args:
        whole_window: Rank all of the window also where its first passages under the line would do: slower, the same.
    """
    n = len(ground.queries)
    positive = _weakest(ground, known.own, n)
    judged = first_of_rows(_permitted(known.wrong, ground), ground.options.count)
    room = ground.options.count - judged.counts(n)
    look = first_under_line if is_first_enough(ground) and not whole_window else in_window
    found = look(ground, known.right.plus(known.wrong), highest(positive, options=ground.options))
    priority = priorities([q.query_id for q in ground.queries], found.doc.shape[1], options=ground.options)
    taken, alike = _take(ground, known.right, found, priority, room)
    settled = found.settled & (found.complete | (taken.sum(axis=1) >= room))
    rows, columns = np.nonzero(taken & settled[:, None])
    kept = settled[judged.rows]
    judged_score = pair_scores(ground, judged.rows[kept], judged.columns[kept])
    query = np.concatenate([judged.rows[kept], rows])
    order = np.argsort(query, kind="stable")  # judged stand first, and stay first within their query
    negatives = Negatives(
        query=query[order],
        doc=np.concatenate([judged.columns[kept], found.doc[rows, columns]])[order],
        rank=np.concatenate([np.full(int(kept.sum()), JUDGED), found.rank[rows, columns]])[order].astype(np.int32),
        score=np.concatenate([judged_score, found.score[rows, columns]])[order],
        positive_score=positive[query[order]],
        left_out={TOO_CLOSE: int(found.too_close[settled].sum()), ALIKE: int(alike[settled].sum())},
    )
    if settled.all():
        return negatives
    again = np.flatnonzero(~settled)
    return negatives.with_rows(again, mine_queries(ground.of_rows(again), known.of_rows(again), whole_window=True))


def _weakest(ground: Ground, own: Cells, n: int) -> Scores:
    """Each query's p, from the vectors: a right passage counts whether or not a ranking holds it."""
    weakest = np.full(n, np.inf, dtype=np.float32)
    np.minimum.at(weakest, own.rows, pair_scores(ground, own.rows, own.columns))
    return weakest


def _permitted(cells: Cells, ground: Ground) -> Cells:
    """The cells that the queries may be given: neither filtered away nor kept out."""
    allowed = ground.allowed
    if allowed is None:
        return cells
    which = allowed.which[cells.rows]
    seen = (which < 0) | allowed.masks[which, cells.columns]
    return Cells(cells.keys[seen], cells.width)


def _take(
    ground: Ground, right: Cells, found: Candidates, priority: NDArray[np.float64] | None, room: Rows
) -> tuple[Bools, Rows]:
    """Pick, look whether a text that was picked is nearly that of a right passage, and pick again without those.

    Only what would be picked is compared, and once, so the work grows with the negatives and not with the corpus.

    Returns:
        What is taken, and how many candidates of each query were left out for their text.
    """
    allowed, alike = found.far.copy(), np.zeros(len(found.far), dtype=np.int64)
    compared = np.zeros(allowed.shape, dtype=np.bool_)
    while True:
        taken = pick(allowed, room, priority)
        rows, columns = np.nonzero(taken & ~compared)
        near = _nearly_right(ground, right, rows, found.doc[rows, columns])
        if not near.any():
            return taken, alike
        compared |= taken
        allowed[rows[near], columns[near]] = False
        alike += np.bincount(rows[near], minlength=len(alike))


def _nearly_right(ground: Ground, right: Cells, rows: Rows, docs: Rows) -> Bools:
    """Which (query row, doc) have nearly the text of a passage that is right for the query."""
    near = np.zeros(len(rows), dtype=np.bool_)
    if ground.options.near >= 1 or not len(rows):  # equal texts are one passage already
        return near
    concerned = np.zeros(len(ground.queries), dtype=np.bool_)
    concerned[rows] = True
    lefts, rights = np.unique(docs), np.unique(right.columns[concerned[right.rows]])
    left, other = near_matches(_texts(ground, lefts), _texts(ground, rights), threshold=ground.options.near).T
    alike = Cells.of(lefts[left], rights[other], right.width)
    place, other = spread(alike.counts(len(ground.docs)), alike.columns, docs)
    near[place[right.holds(rows[place], other)]] = True
    return near


def _texts(ground: Ground, docs: Rows) -> list[str]:
    return [ground.docs[doc].full_text for doc in docs]
