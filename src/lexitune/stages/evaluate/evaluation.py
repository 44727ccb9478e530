"""Evaluation: what all systems reach on the test queries, and what the challenger gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lexitune.errors import DataError
from lexitune.io.hits import Hits
from lexitune.metrics.comparison import Comparison, Delta
from lexitune.metrics.report import Report
from lexitune.metrics.score_map import ScoreMap
from lexitune.splits.audit import Leak

__all__ = ["SYSTEMS", "Change", "Evaluation", "Side"]

SYSTEMS = ("stock", "bm25", "hybrid_stock", "tuned", "hybrid_tuned")
"""What is measured, in the order in which tables show it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A query that the challenger answers better or worse.

    Args:
        relevant: The relevant doc that the better side ranks highest.
        rank_before: Best rank of a relevant doc under the stock model, from 1; None: not within the depth.
        top_before: What the stock model ranks first; None where nothing was found.
    """

    query_id: str
    delta: float
    relevant: str
    rank_before: int | None
    rank_after: int | None
    top_before: str | None
    top_after: str | None


@dataclass(frozen=True, slots=True)
class Side:
    """What would serve: a model with its vectors and thresholds.

    Args:
        model: Folder relative to the workspace, or the name, folder or Hub id of a stock model.
        vectors: Folder of its vectors of the corpus, relative to the workspace.
        fingerprint: Of the model, its query side included; `refuse_other_vectors` has seen that the vectors are its.
        thresholds: `relevant_p05`: 19 of 20 relevant passages of the dev queries score above it under this model.
            A user may cut result lists there. `bm25_weight`: how much BM25 decides in its hybrid. Empty where there
            are no dev queries.
        store: Spec of the store that serves the vectors; empty: the folder of vectors serves.
        index: Its index there.
        size: Of the vectors, in bytes.
        query_ms: To encode and search a query here, in batches.
    """

    model: str
    vectors: str
    fingerprint: str
    thresholds: Mapping[str, float]
    store: str = ""
    index: str = ""
    size: int = 0
    query_ms: float = 0.0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Five systems on the same test queries.

    Attributes:
        primary: The measure that decides, such as `R@10`.
        systems: A report for each of `SYSTEMS`.
        comparison: Tuned against stock, in every measure, with the slices of `seen.py` and those that were declared.
        hybrid: The hybrid of the tuned model against the hybrid of the stock model, in the primary measure.
        against_bm25: tuned and hybrid_tuned against BM25, in the primary measure.
        won: Queries that gained most; `lost` those that fell most.
        sides: stock and tuned, as either would serve.
        guard: Tuned against stock on text outside the field, by its name, in nDCG@10; empty: that was not measured.
        unseen: The gain in the primary measure on the test queries that are not `seen`; None: none is seen, or all are.
        to_label: Pairs of query and passage that nobody judged and that tuned alone has in its first ten.
        score_map: From scores under stock to scores under tuned; None: too few dev queries to learn it from.
        seconds: Wall time by part.
        hits: The rankings; kept as runs, not in the JSON.
        seen: Test queries that ask what a train or dev query asks; kept in the table by query, not in the JSON.
    """

    model_id: str
    primary: str
    systems: Mapping[str, Report]
    comparison: Comparison
    hybrid: Comparison
    against_bm25: Mapping[str, Comparison]
    won: Sequence[Change]
    lost: Sequence[Change]
    sides: Mapping[str, Side]
    guard: Mapping[str, Comparison] = field(default_factory=dict)
    unseen: Delta | None = None
    to_label: int = 0
    score_map: ScoreMap | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    hits: Mapping[str, Hits] = field(default_factory=dict, repr=False)
    seen: Mapping[str, Leak] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `json.dumps` takes; rankings are left out."""
        return {
            "model_id": self.model_id,
            "primary": self.primary,
            "systems": {name: report.to_json() for name, report in self.systems.items()},
            "comparison": self.comparison.to_json(),
            "hybrid": self.hybrid.to_json(),
            "against_bm25": {name: one.to_json() for name, one in self.against_bm25.items()},
            "won": [asdict(change) for change in self.won],
            "lost": [asdict(change) for change in self.lost],
            "sides": {name: asdict(side) for name, side in self.sides.items()},
            "guard": {name: one.to_json() for name, one in self.guard.items()},
            "unseen": asdict(self.unseen) if self.unseen else None,
            "to_label": self.to_label,
            "score_map": self.score_map.to_json() if self.score_map else None,
            "seconds": dict(self.seconds),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Evaluation:
        """The evaluation that `to_json` wrote, without its rankings.

        Raises:
            DataError: A key is missing or of the wrong kind.
        """
        try:
            return cls(
                model_id=found["model_id"],
                primary=found["primary"],
                systems={name: Report.from_json(one) for name, one in found["systems"].items()},
                comparison=Comparison.from_json(found["comparison"]),
                hybrid=Comparison.from_json(found["hybrid"]),
                against_bm25={name: Comparison.from_json(one) for name, one in found["against_bm25"].items()},
                won=tuple(Change(**change) for change in found["won"]),
                lost=tuple(Change(**change) for change in found["lost"]),
                sides={name: Side(**side) for name, side in found["sides"].items()},
                # These are younger than the rest: an evaluation without them is older, not broken.
                guard={name: Comparison.from_json(one) for name, one in found.get("guard", {}).items()},
                unseen=Delta(**found["unseen"]) if found.get("unseen") else None,
                to_label=int(found.get("to_label", 0)),
                score_map=ScoreMap.from_json(found["score_map"]) if found.get("score_map") else None,
                seconds=dict(found["seconds"]),
                notes=tuple(found["notes"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError("E3303", f"not an evaluation: {error!r}", fix="lexitune evaluate") from error
