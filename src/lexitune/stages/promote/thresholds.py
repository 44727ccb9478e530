"""Thresholds of the user: what a score under the model that serves is under the one that takes over."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lexitune.errors import DataError, UsageError
from lexitune.io.staged import read_staged
from lexitune.io.workspace import Workspace
from lexitune.metrics.score_map import ScoreMap, Threshold
from lexitune.stages.promote.serving import Serving, locate, read_serving, same_model, serving_of
from lexitune.stages.promote.switch import history

__all__ = ["Translation", "between", "carry_over", "refuse_bad", "users"]

MEASURED = ("bm25_weight", "relevant_p05")  # evaluate measures these anew for each model


@dataclass(frozen=True, slots=True)
class Translation:
    """From scores of one model to those of another.

    Args:
        old: What served; `new` what took over from it, or wants to.
        last: The map to `new`: from `old`, or from the stock model where both were measured beside that one.
        first: The map from that stock model to `old`; None: `old` and `new` were measured beside each other.
    """

    old: Serving
    new: Serving
    last: ScoreMap
    first: ScoreMap | None = None

    def at(self, score: float) -> Threshold:
        """A threshold under `old`, its image under `new`, and what is known of both."""
        return replace(self.last.at(self.first.origin(score) if self.first else score), old=score)

    @property
    def seen(self) -> tuple[float, float]:
        """The lowest and the highest score under `old` that the map was learnt from."""
        return self._of(self.last.rows[0]), self._of(self.last.rows[-1])

    def typical(self, shares: Iterable[float]) -> list[float]:
        """Scores under `old` that these shares of the hits pass."""
        rows = (min(self.last.rows, key=lambda row: abs(row.passes - share)) for share in shares)
        return sorted(self._of(row) for row in rows)

    def _of(self, row: Threshold) -> float:
        return self.first.image(row.old) if self.first else row.old


def users(serving: Serving) -> dict[str, float]:
    """The thresholds in a serving line that the user's own code reads.

    Example:
        >>> users(Serving("minilm", "vectors/1f", {"relevant_p05": 0.2, "cut": 0.62}))
        {'cut': 0.62}
    """
    return {name: score for name, score in serving.thresholds.items() if name not in MEASURED}


def refuse_bad(thresholds: Mapping[str, float]) -> None:
    """Refuse names that are taken and scores that are no numbers.

    Raises:
        UsageError: Such a threshold.
    """
    for name, score in thresholds.items():
        if name in MEASURED:
            problem = f"--threshold {name} is measured for each model, and none of yours to set"
            raise UsageError("E2012", problem, fix=f"give it another name: --threshold my_{name}={score:g}")
        if not math.isfinite(score):
            raise UsageError("E2012", f"--threshold {name}={score} is no score", fix=f"--threshold {name}=0.62")


def between(workspace: Workspace, model_id: str | None = None) -> Translation:
    """From what serves to the staged challenger; where that serves already, from what served before it.

    Args:
        model_id: Another evaluated challenger.

    Raises:
        DataError: Nothing is staged, the challenger was not evaluated, or nothing tells of both models' scores.
    """
    if model_id is None:
        staged = read_staged(workspace)
        if staged is None:
            raise DataError("E3302", f"nothing is staged in {workspace.root}", fix="lexitune reembed")
        model_id = staged.model_id
    path = workspace.reports / f"{model_id}.json"
    found = _read(path)
    new, stock = (serving_of(found["sides"][name]) for name in ("tuned", "stock"))
    serving = read_serving(workspace)
    served = [*history(workspace), serving] if serving else []
    old = next((one for one in reversed(served) if not same_model(one, new)), stock)
    return _translate(workspace, found, old, new)


def carry_over(workspace: Workspace, evaluation: Mapping[str, Any], before: Serving, to: Serving) -> Serving:
    """`to` with the images of the thresholds that the user has under `before`.

    Args:
        evaluation: That of `to`.

    Raises:
        DataError: There are such thresholds, and nothing tells where they lie under `to`.
    """
    kept = users(before)
    if kept and not same_model(before, to):
        found = _translate(workspace, evaluation, before, to)
        kept = {name: found.at(score).new for name, score in kept.items()}
    return replace(to, thresholds={**to.thresholds, **kept})


def _translate(workspace: Workspace, evaluation: Mapping[str, Any], old: Serving, new: Serving) -> Translation:
    stock = serving_of(evaluation["sides"]["stock"])
    path = workspace.reports / f"{Path(new.model).name}.json"
    last = _map(evaluation, path)
    if same_model(old, stock):
        return Translation(old, new, last)
    earlier = workspace.reports / f"{Path(old.model).name}.json"
    if old.model.startswith("models/") and earlier.exists():
        found = _read(earlier)
        # Both maps start from the stock model, so they meet there, whatever dev queries either was learnt from.
        if same_model(serving_of(found["sides"]["stock"]), stock) and same_model(
            serving_of(found["sides"]["tuned"]), old
        ):
            return Translation(old, new, last, _map(found, earlier))
    raise DataError(
        "E3308",
        f"{old.model} serves, and nothing tells its scores from those of {new.model}",
        fix=f"lexitune evaluate --model {locate(workspace, old.model) or old.model}, which measures them side by side",
    )


def _map(evaluation: Mapping[str, Any], path: Path) -> ScoreMap:
    if "score_map" not in evaluation:
        problem = f"{path} is of an older lexitune, which learnt no map of scores"
        raise DataError("E3308", problem, fix=f"rm {path} && lexitune evaluate")
    if evaluation["score_map"] is None:
        problem = f"{path} has no map of scores: too few dev queries to learn one from"
        raise DataError("E3308", problem, fix="judge more queries, and: lexitune tune DATA --dev-share 0.1")
    try:
        return ScoreMap.from_json(evaluation["score_map"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            "E3303", f"{path} is not an evaluation: {error!r}", fix=f"rm {path} && lexitune evaluate"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in ("stock", "tuned"):
            serving_of(found["sides"][name])
    except FileNotFoundError as error:
        raise DataError("E3303", f"{path.stem} was not evaluated: no {path}", fix="lexitune evaluate") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            "E3303", f"{path} is not an evaluation: {error!r}", fix=f"rm {path} && lexitune evaluate"
        ) from error
    return found
