"""Score maps: at which score of a new model as many hits pass as at a score of the old one, so that thresholds survive.

Equal shares, not equal pairs: a new model ranks other docs first, so what it gives to a pair that the old one liked
tells little of the list that will be cut. `docs/decisions.md` has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexitune.metrics.statistics import paired_t

__all__ = ["RankedScores", "ScoreMap", "Threshold", "learn_score_map"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Hundredths, and finer at the ends: a strict threshold lets one hit in a thousand pass.
LEVELS = np.array([0, 0.001, 0.005, *np.arange(1, 100) / 100, 0.995, 0.999, 1])


class RankedScores(NamedTuple):
    """The first k hits of each query: float [n, k], -inf where there is none, and whether each is judged relevant."""

    score: NDArray[np.floating[Any]]
    relevant: Mask


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold on the old model's scores, its image on the new model's, and what either lets through.

    All but the first three are of held-out queries, under the image that the other half of the queries gives.

    Args:
        passes: Share of all hits above it under the old model; as many are above the image under the new one.
        passes_old: Share of the hits above it under the old model, and under the new one (`passes_new`).
        low: The 95 % interval of their difference begins here, and ends at `high`.
        answered_old: Share of queries with a hit above it; `answered_new` likewise.
        changed: Share of queries with one under one model and none under the other.
        right_old: Share of what passes that is judged relevant; unjudged counts as wrong. `right_new` likewise.
    """

    old: float
    new: float
    passes: float
    passes_old: float
    passes_new: float
    low: float
    high: float
    answered_old: float
    answered_new: float
    changed: float
    right_old: float
    right_new: float


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """From scores of one model to those of another; monotone, and beyond what was seen a shift.

    Args:
        k: Hits of each query that were looked at.
        queries: That the map was learnt from, and on how many of them a map of the others was checked (`held_out`).
        rows: By ascending score, no old score twice.
    """

    k: int
    queries: int
    held_out: int
    rows: tuple[Threshold, ...]

    def image(self, score: float) -> float:
        """The new model's score at which as many hits pass."""
        return _along(score, self._column("old"), self._column("new"))

    def origin(self, score: float) -> float:
        """The old model's score whose image this is."""
        return _along(score, self._column("new"), self._column("old"))

    def at(self, score: float) -> Threshold:
        """A threshold on the old scores, with all that is known of it, between the two rows around it."""
        old = self._column("old")
        values = {one.name: float(np.interp(score, old, self._column(one.name))) for one in fields(Threshold)}
        return Threshold(**{**values, "old": score, "new": self.image(score)})

    @property
    def worst(self) -> Threshold:
        """Where the shares that pass on held-out queries lie furthest apart."""
        return max(self.rows, key=lambda row: abs(row.passes_new - row.passes_old))

    @property
    def reach(self) -> float:
        """How far, in shares of the hits, any interval of the held-out difference goes from 0."""
        return max(max(-row.low, row.high) for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `json.dumps` takes; rows are lists under one list of column names."""
        columns = [one.name for one in fields(Threshold)]
        rows = [[round(value, 6) for value in astuple(row)] for row in self.rows]
        worst = dict(zip(columns, rows[self.rows.index(self.worst)], strict=True))
        counts = {"k": self.k, "queries": self.queries, "held_out": self.held_out}
        return {**counts, "worst": worst, "columns": columns, "rows": rows}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> ScoreMap:
        """The map that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: Not one, or one of another form.
        """
        names = found["columns"]
        rows = tuple(
            Threshold(**dict(zip(names, (float(value) for value in row), strict=True))) for row in found["rows"]
        )
        if not rows:
            raise ValueError("a score map without rows")
        return cls(int(found["k"]), int(found["queries"]), int(found["held_out"]), rows)

    def _column(self, name: str) -> Floats:
        return np.array([getattr(row, name) for row in self.rows])


def learn_score_map(old: RankedScores, new: RankedScores, *, held_out: Sequence[bool] | Mask) -> ScoreMap:
    """Map scores so that as many of the first k hits pass, and check such a map on queries that it has not seen.

    Args:
        old: The hits of each query under the old model, [n, k]; `new` those of the same queries under the new one.
        held_out: n flags, some set and some not. The map is of all n queries; what is told of it is of the map of the
            others, on these.

    Raises:
        ValueError: Shapes that do not belong together, or a side without hits.
    """
    out = np.asarray(held_out, dtype=bool)
    if old.score.shape[:1] != out.shape or new.score.shape[:1] != out.shape:
        raise ValueError(f"{old.score.shape} old scores, {new.score.shape} new ones, {len(out)} queries")
    scores, images = _knots(old.score, new.score)
    knots, half = _knots(old.score[~out], new.score[~out])
    seen = np.sort(old.score[np.isfinite(old.score)])
    passes = 1 - np.searchsorted(seen, scores, side="right") / len(seen)
    checked = RankedScores(old.score[out], old.relevant[out]), RankedScores(new.score[out], new.relevant[out])
    rows = tuple(
        Threshold(score, image, share, *_held_out(*checked, score, _along(score, knots, half)))
        for score, image, share in zip(scores.tolist(), images.tolist(), passes.tolist(), strict=True)
    )
    return ScoreMap(old.score.shape[1], len(out), int(out.sum()), rows)


def _knots(old: NDArray[np.floating[Any]], new: NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
    """Old scores, each once, and the new ones at the same levels."""
    finite = (one[np.isfinite(one)].astype(np.float64) for one in (old, new))
    # Scores that hits have, none between two of them: what passes is what lies above.
    before, after = (np.quantile(one, LEVELS, method="inverted_cdf") for one in finite)
    # Of hits that tie, none is above their score: the last level of a tie is the one that tells what passes.
    last = np.append(np.diff(before) > 0, True)
    return before[last], after[last]


def _along(score: float, scores: Floats, images: Floats) -> float:
    """Between the knots a line; beyond them a shift, so that what nothing passed lets nothing pass."""
    inside = min(max(score, float(scores[0])), float(scores[-1]))
    return float(np.interp(inside, scores, images)) + score - inside


def _held_out(old: RankedScores, new: RankedScores, score: float, image: float) -> tuple[float, ...]:
    """The fields of `Threshold` from `passes_old` on."""
    above = old.score > score, new.score > image
    # By query, in shares of the hits that a query has on average: their mean is the share of all hits.
    shares = [
        passing.sum(axis=1) * len(passing) / max(1, int(np.isfinite(side.score).sum()))
        for passing, side in zip(above, (old, new), strict=True)
    ]
    found = paired_t(shares[1] - shares[0])
    answered = [passing.any(axis=1) for passing in above]
    right = [
        float(side.relevant[passing].mean()) if passing.any() else 0.0
        for passing, side in zip(above, (old, new), strict=True)
    ]
    return (
        float(shares[0].mean()),
        float(shares[1].mean()),
        found.low,
        found.high,
        float(answered[0].mean()),
        float(answered[1].mean()),
        float((answered[0] != answered[1]).mean()),
        *right,
    )
