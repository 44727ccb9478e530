"""How many of the negatives are right after all: known right passages are hidden, and those that come back counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.metrics.statistics import Interval, wilson
from lexitune.stages.mine.cells import Cells
from lexitune.stages.mine.known import Known
from lexitune.stages.mine.negatives import Negatives

__all__ = ["FalseNegatives", "choose_hidden", "estimate"]

MOST, FEWEST = 500, 30  # queries that hide one: 500 give an interval of some 2 points either way

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FalseNegatives:
    """The share of negatives that are right, were one right passage of each query unlabelled.

    Args:
        share: With its interval, over negatives; None: cannot be estimated.
        hidden: Queries that hid a right passage.
        found: How many of these came back as negatives.
        kind: Which passages were hidden, or why none could be.
    """

    share: Interval | None
    hidden: int
    found: int
    kind: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        if self.share is None:
            return f"false negatives: cannot estimate: {self.kind}"
        share = f"{self.share.mean:.1%} [{self.share.low:.1%}, {self.share.high:.1%}]"
        return (
            f"false negatives: about {share} of the negatives, if each query has one right passage without a label "
            f"({self.found:,} of {self.hidden:,} hidden ones came back; {self.kind})"
        )


def estimate(known: Known, mine_rows: Callable[[Rows, Known], Negatives], *, seed: int) -> FalseNegatives:
    """Mine some queries once more as if one of their right passages had never been labelled.

    What is sought is a right passage without a label. A labelled one whose label is hidden is such a passage, with
    the answer in hand: it goes through the same search and the same guards, and p is that of the labels that are
    left. The share of queries that take theirs as a negative has Wilson's interval; divided by the negatives of a
    query it is the share of negatives that are false.

    It stands on one assumption, which no data without complete judgements can settle: that each query has one
    unlabelled right passage. Where it has two, the share doubles; where labels are complete, it is zero. And labels
    are often made from what a search showed, so that unlabelled passages are ranked lower than hidden ones, and
    come back less. Labelling the queue of suspects is what replaces the estimate by a count.

    Queries with two or more right passages hide one. Where there are fewer than 30 of those, right passages of
    nearly equal queries are hidden instead, which is weaker: such a passage is likely right, not known to be.

    Args:
        mine_rows: Negatives of these query rows, ascending, given what is known of them, numbered likewise.
    """
    rows, docs, kind = choose_hidden(known, seed=seed)
    if len(rows) < FEWEST:
        why = f"only {len(rows)} queries have a second right passage, their own or a nearly equal query's"
        return FalseNegatives(None, len(rows), 0, f"{why}; {FEWEST} are needed")
    own, near, wrong = (getattr(known, name).of_rows(rows) for name in ("own", "near", "wrong"))
    hidden = Cells.of(np.arange(len(rows)), docs, own.width)
    mined = mine_rows(rows, Known(own.minus(hidden), near.minus(hidden), wrong))
    found = int(hidden.holds(mined.query, mined.doc).sum())
    if not len(mined):
        return FalseNegatives(None, len(rows), 0, "the queries that hide a right passage have no negatives")
    rate = wilson(found, len(rows))
    scale = len(rows) / len(mined)  # one over the negatives of a query
    share = Interval(rate.mean * scale, rate.low * scale, min(1.0, rate.high * scale), len(mined))
    return FalseNegatives(share, len(rows), found, kind)


def choose_hidden(known: Known, *, seed: int) -> tuple[Rows, Rows, str]:
    """At most one cell of a query, by seed, as (query rows ascending, docs, what they are): no more than 500.

    A right passage is drawn from each query with two or more of its own, else one of a nearly equal query.
    """
    n = int(known.right.rows.max(initial=-1)) + 1
    several = known.own.counts(n) >= 2
    cells, kind = known.own, "second right passages of their queries"
    if several.sum() < FEWEST:
        cells, kind = known.near, "right passages of nearly equal queries"
        several = cells.counts(n) >= 1
    rng = np.random.default_rng(seed)
    keys = rng.permutation(cells.keys[several[cells.rows]])
    rows, first = np.unique(keys // max(cells.width, 1), return_index=True)
    chosen = np.sort(rng.permutation(len(rows))[:MOST])
    return rows[chosen], keys[first][chosen] % max(cells.width, 1), kind
