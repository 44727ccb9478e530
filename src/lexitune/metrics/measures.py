"""Measures: values with a text form (`nDCG@10`), and the functions that score all rankings at once.

A measure is a function of `Grades` and a cutoff that gives one value from 0 to 1 for each query. They equal trec_eval's
where that has them; only the order among equal scores differs (ours: doc_id ascending, trec_eval's: descending).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError, UsageError
from lexitune.io.hits import Hits
from lexitune.metrics.grades import Grades, check_hits, flatten, grade, number_within, shuffle_ties
from lexitune.metrics.report import Report
from lexitune.registry import Registry
from lexitune.settings import did_you_mean
from lexitune.types import Qrels

__all__ = [
    "MEASURES",
    "Measure",
    "average_precision",
    "judged",
    "measure_hits",
    "ndcg",
    "parse_measure",
    "parse_measures",
    "precision",
    "recall",
    "reciprocal_rank",
    "refuse_collapsed",
    "success",
]

Floats = NDArray[np.float64]

RANK = 10  # the rank whose holes and ties a report tells
LEAST_TIED = 3  # queries
TOLD_TIES = 0.01  # more queries than this with a tie across RANK, and the expected values are told as well
LINEAR = ("R", "P", "nDCG")  # weighted sums of grades: their mean over all orders of a tie is known exactly

MEASURES = Registry(
    "measure",
    {
        "AP": "lexitune.metrics.measures:average_precision",
        "Judged": "lexitune.metrics.measures:judged",
        "P": "lexitune.metrics.measures:precision",
        "R": "lexitune.metrics.measures:recall",
        "RR": "lexitune.metrics.measures:reciprocal_rank",
        "Success": "lexitune.metrics.measures:success",
        "nDCG": "lexitune.metrics.measures:ndcg",
    },
)
"""Every measure by its name without the cutoff."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure with its cutoff, as a value. `str(measure)` is its text, and its key in every file.

    Example:
        >>> str(Measure("nDCG", 10))
        'nDCG@10'
    """

    name: str
    cutoff: int

    def __str__(self) -> str:
        return f"{self.name}@{self.cutoff}"


def parse_measure(text: str) -> Measure:
    """Read `name@cutoff`.

    Raises:
        UsageError: No measure of that name, or no cutoff from 1 on.

    Example:
        >>> parse_measure("R@10")
        Measure(name='R', cutoff=10)
    """
    name, _, cutoff = text.strip().partition("@")
    known = MEASURES.names()
    if name not in known:
        # Names differ in case and prefix only too easily (ndcg, MRR), so nearness ignores case.
        folded = {each.casefold(): each for each in known}
        near = difflib.get_close_matches(name.casefold(), folded, n=1)
        fix = did_you_mean(folded[near[0]] if near else name, known)
        raise UsageError("E2003", f"no measure is called '{name}'", fix=fix)
    if not re.fullmatch("[1-9][0-9]*", cutoff):
        raise UsageError("E2004", f"measure '{text}' has no cutoff", fix=f"write {name}@10: a rank from 1 on")
    return Measure(name, int(cutoff))


def parse_measures(text: str) -> tuple[Measure, ...]:
    """Read measures separated by commas, each once; the first one decides.

    Raises:
        UsageError: As `parse_measure`, or a measure named twice.
    """
    found = tuple(parse_measure(part) for part in text.split(","))
    if len(set(found)) < len(found):
        raise UsageError("E2004", f"a measure stands twice in '{text}'", fix="name each measure once")
    return found


def measure_hits(
    hits: Hits,
    qrels: Qrels,
    measures: Sequence[Measure],
    *,
    system: str = "",
    split: str = "",
    fingerprints: Mapping[str, str] | None = None,
) -> Report:
    """Score rankings against judgements.

    The queries are those of `qrels` with a relevant doc, never those of `hits`: a query for which the system returned
    nothing scores 0 and stays in the mean. Else a system that fails on hard queries would look better for it.

    Args:
        system: Name of what made the hits, for tables.
        split: Name of the judgements: "dev", "test".
        fingerprints: What was measured; "qrels" is added.

    Raises:
        DataError: No query has a relevant doc, or a ranking is unfit (see `check_hits`).
        UsageError: An unknown measure.
    """
    judgements = flatten(qrels)
    query_ids = judgements.query_ids
    if not query_ids:
        raise DataError(
            "E3121",
            f"none of the {len(qrels)} judged queries has a relevant doc",
            fix="give at least one query a judgement of 1 or more",
        )
    check_hits(hits)
    grades = grade(hits, judgements)
    functions = {str(measure): (MEASURES.get(measure.name), measure) for measure in measures}
    ties = _tie_share(grades)
    shuffled = shuffle_ties(grades) if ties > TOLD_TIES else None
    return Report(
        system=system,
        split=split,
        query_ids=query_ids,
        per_query={name: function(grades, measure.cutoff) for name, (function, measure) in functions.items()},
        unjudged=_unjudged_share(grades),
        ties=ties,
        fingerprints={"qrels": judgements.fingerprint(), **(fingerprints or {})},
        expected={
            name: float(function(shuffled, measure.cutoff).mean())
            for name, (function, measure) in functions.items()
            if shuffled is not None and measure.name in LINEAR
        },
        missing=len(set(query_ids).difference(hits.rows)),
        without_relevant=len(qrels) - len(query_ids),
    )


def refuse_collapsed(hits: Hits) -> None:
    """Refuse the rankings of a model that scores everything alike.

    A constant model has one score for all docs, and its ranking is the order of ids, which can look like skill. A query
    speaks for collapse when its first ten hits share so few scores that three or more have each, on average. One or two
    such queries may have met passages with equal text.

    Raises:
        DataError: That holds for more than half of the queries, and for three at least.
    """
    hit = hits.index[:, :RANK] >= 0
    scores = hits.score[:, :RANK]
    fresh = hit[:, 1:] & (scores[:, 1:] != scores[:, :-1])
    distinct = fresh.sum(axis=1) + 1
    tied = int(np.count_nonzero(distinct * 3 <= hit.sum(axis=1)))
    if tied >= LEAST_TIED and 2 * tied > len(hits.query_ids):
        raise DataError(
            "E3125",
            f"the scores of {tied} of {len(hits.query_ids)} queries tie: the model tells hardly any docs apart",
            fix="take an earlier checkpoint, or train again with a lower learning rate",
        )


def ndcg(grades: Grades, cutoff: int) -> Floats:
    """Normalised discounted cumulative gain: linear gains, 1 / log2(rank + 1), as trec_eval's ndcg_cut.

    Järvelin and Kekäläinen 2002. The ideal ranking holds all judged docs, whether found or not.
    """
    query, place, gains = grades.ideal
    counts = place < cutoff
    ideal = np.bincount(
        query[counts], weights=gains[counts] / np.log2(place[counts] + 2.0), minlength=len(grades.relevant_count)
    )
    return grades.total(grades.gain / np.log2(grades.rank + 2.0), cutoff) / ideal


def recall(grades: Grades, cutoff: int) -> Floats:
    """Share of a query's relevant docs that stand in the first `cutoff` hits.

    Not capped: a query with more than `cutoff` relevant docs cannot reach 1. Look at nDCG beside it there.
    """
    return grades.total(grades.relevance, cutoff) / grades.relevant_count


def precision(grades: Grades, cutoff: int) -> Floats:
    """Share of the first `cutoff` ranks that hold a relevant doc; a rank without a hit counts as wrong."""
    return grades.total(grades.relevance, cutoff) / cutoff


def success(grades: Grades, cutoff: int) -> Floats:
    """1 where a relevant doc stands in the first `cutoff` hits."""
    found: Floats = (grades.total(grades.relevance, cutoff) > 0).astype(np.float64)
    return found


def reciprocal_rank(grades: Grades, cutoff: int) -> Floats:
    """1 / rank of the first relevant doc in the first `cutoff` hits, else 0."""
    best = np.zeros(len(grades.hit_count))
    inside = grades.rank < cutoff
    np.maximum.at(best, grades.row[inside], grades.relevance[inside] / (grades.rank[inside] + 1.0))
    return best


def average_precision(grades: Grades, cutoff: int) -> Floats:
    """Mean, over all relevant docs, of the precision at the rank of each; 0 for one not in the first `cutoff`."""
    relevant = grades.relevance > 0
    found = np.zeros(len(relevant))
    found[relevant] = number_within(grades.row[relevant]) + 1.0
    return grades.total(found / (grades.rank + 1.0), cutoff) / grades.relevant_count


def judged(grades: Grades, cutoff: int) -> Floats:
    """Share of the first `cutoff` hits that somebody judged, as ir_measures' Judged; 0 where there is no hit."""
    return grades.total(np.ones(len(grades.rank)), cutoff) / np.clip(grades.hit_count, 1, cutoff)


def _unjudged_share(grades: Grades) -> float:
    seen = int(np.minimum(grades.hit_count, RANK).sum())
    return 1.0 - int(np.count_nonzero(grades.rank < RANK)) / seen if seen else 0.0


def _tie_share(grades: Grades) -> float:
    if grades.scores.shape[1] <= RANK:
        return 0.0
    tied: NDArray[Any] = (grades.hit_count > RANK) & (grades.scores[:, RANK] == grades.scores[:, RANK - 1])
    return float(tied.mean())
