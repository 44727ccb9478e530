"""Holes: passages in the first ten that nobody judged. They count as wrong, and may not be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lexitune.io.hits import Hits
from lexitune.metrics.measures import measure_hits
from lexitune.stages.assess.ledger import RECALL
from lexitune.types import Qrels

__all__ = ["Holes", "find_holes"]

RANK = RECALL.cutoff


@dataclass(frozen=True, slots=True)
class Holes:
    """How much of the first ten is judged, and between which bounds recall lies.

    Attributes:
        judged: Share of the passages in the first ten that somebody judged (Judged@10).
        lowest: R@10 as measured: whatever is unjudged is wrong.
        highest: R@10 if all that is unjudged there were right; beyond the first ten nothing is supposed.
        capped: R@10 as a share of what ten places can hold, where a query has more relevant passages.
    """

    judged: float
    lowest: float
    highest: float
    capped: float


def find_holes(hits: Hits, qrels: Qrels) -> Holes:
    """Look at the first ten of each query.

    Example:
        One of two relevant passages is found, and one that nobody judged: were it relevant, that is two of three.

        >>> holes = find_holes(Hits.from_run({"q1": {"d1": 3.0, "d9": 2.0}}), {"q1": {"d1": 1, "d2": 1}})
        >>> holes.judged, holes.lowest, round(holes.highest, 3)
        (0.5, 0.5, 0.667)
    """
    report = measure_hits(hits, qrels, [RECALL])
    highest, capped = list[float](), list[float]()
    for query_id, recall in zip(report.query_ids, report.values(RECALL).tolist(), strict=True):
        grades = qrels[query_id]
        relevant = sum(grade > 0 for grade in grades.values())
        unknown = sum(doc_id not in grades for doc_id, _ in hits.run(query_id)[:RANK])
        found = recall * relevant
        highest.append((found + unknown) / (relevant + unknown))
        capped.append(found / min(relevant, RANK))
    return Holes(1 - report.unjudged, report.mean(RECALL), float(np.mean(highest)), float(np.mean(capped)))
