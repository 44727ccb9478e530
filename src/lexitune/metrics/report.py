"""Report: what one system reaches on one split, query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.metrics.statistics import Interval, mean_interval
from lexitune.settings import did_you_mean

__all__ = ["Report", "check_known", "floats_by_measure"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Report:
    """One system on one split. Measures are named by their text, such as `nDCG@10`.

    Attributes:
        query_ids: The queries that count, in code-point order: those with at least one relevant doc.
        per_query: Measure to one value a query, in the order of `query_ids`.
        unjudged: Share of the hits in the first ten that nobody judged. They count as wrong, so a system with more
            of them may look worse than it is.
        ties: Share of queries whose hits at rank 10 and 11 have one score, so that ids decide what is in the first
            ten. Hits no deeper than 10 cannot show it: 0.
        expected: Over 1 % of ties, the mean under random order among equal scores, for the measures linear in grades.
        missing: Queries that the ranking lacks. They score 0 and stay in every mean.
        without_relevant: Judged queries left out, because no doc is relevant to them.
        fingerprints: What was measured: "qrels", and whatever the caller names (model, index).
    """

    system: str
    split: str
    query_ids: Sequence[str]
    per_query: Mapping[str, Floats]
    unjudged: float = 0.0
    ties: float = 0.0
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    expected: Mapping[str, float] = field(default_factory=dict)
    missing: int = 0
    without_relevant: int = 0

    @property
    def measures(self) -> list[str]:
        """The measures' names; the first one decides."""
        return list(self.per_query)

    def mean(self, measure: object) -> float:
        """Mean over all queries of a measure, given as a Measure or its text.

        Raises:
            DataError: The report lacks that measure.
        """
        return float(self.values(measure).mean())

    def values(self, measure: object) -> Floats:
        """One value a query, in the order of `query_ids`."""
        check_known(measure, self.per_query)
        return self.per_query[str(measure)]

    def interval(self, measure: object, *, confidence: float = 0.95) -> Interval:
        """Mean and interval: Wilson's for hit-or-miss values, else Student's t."""
        return mean_interval(self.values(measure), confidence=confidence)

    def summary(self) -> dict[str, dict[str, float]]:
        """Each measure's {mean, low, high, n}."""
        return {name: asdict(self.interval(name)) for name in self.per_query}

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `json.dumps` takes. `summary` is in it for people; reading back ignores it."""
        return {
            "system": self.system,
            "split": self.split,
            "summary": self.summary(),
            "unjudged": self.unjudged,
            "ties": self.ties,
            "expected": dict(self.expected),
            "missing": self.missing,
            "without_relevant": self.without_relevant,
            "fingerprints": dict(self.fingerprints),
            "query_ids": list(self.query_ids),
            "per_query": {name: values.tolist() for name, values in self.per_query.items()},
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Report:
        """The report that `to_json` wrote.

        Raises:
            DataError: A key is missing, or a value is of the wrong kind, length or not a number.
        """
        try:
            query_ids = tuple(map(str, found["query_ids"]))
            return cls(
                system=str(found["system"]),
                split=str(found["split"]),
                query_ids=query_ids,
                per_query=floats_by_measure(found["per_query"], n=len(query_ids)),
                unjudged=float(found["unjudged"]),
                ties=float(found["ties"]),
                fingerprints=dict(found["fingerprints"]),
                expected={str(name): float(value) for name, value in found["expected"].items()},
                missing=int(found["missing"]),
                without_relevant=int(found["without_relevant"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError("E3127", f"not a report: {error!r}", fix="measure again: lexitune evaluate") from error


def check_known(measure: object, known: Mapping[str, object]) -> None:
    """Raise when `measure` (a Measure or its text) is not among the measures of a report or comparison."""
    if str(measure) not in known:
        raise DataError("E3128", f"{measure} was not measured", fix=did_you_mean(str(measure), known))


def floats_by_measure(found: Mapping[str, Sequence[float]], *, n: int) -> dict[str, Floats]:
    """JSON lists as arrays of `n` finite numbers.

    Raises:
        ValueError: Another length, or a value that is not finite.
    """
    arrays = {str(name): np.asarray(values, dtype=np.float64) for name, values in found.items()}
    for name, values in arrays.items():
        if values.shape != (n,) or not np.isfinite(values).all():
            raise ValueError(f"{name} does not hold {n} finite numbers")
    return arrays
