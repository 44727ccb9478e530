"""What stands beside an evaluation in its workspace: the same training with other seeds, and what needs no training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lexitune.errors import DataError
from lexitune.io.workspace import Meta, Workspace, read_meta, read_object
from lexitune.metrics.comparison import Comparison, Delta
from lexitune.stages.promote.gate import gate
from lexitune.stages.promote.options import PromoteOptions
from lexitune.types import GateResult

__all__ = ["judged", "other_seeds", "without_training"]

MEASURE = "R@10"  # of an assessment
NAMES = {"hybrid": "the hybrid of stock and BM25", "known": "stock with known queries in its index"}


def judged(
    workspace: Workspace, evaluation: Mapping[str, Any], *, model_id: str, options: PromoteOptions
) -> GateResult:
    """What the gate says of an evaluation and of what stands beside it.

    Raises:
        DataError: Not an evaluation, or one of an older form.
    """
    seeds, untrained = other_seeds(workspace, model_id, evaluation), without_training(workspace, evaluation)
    return gate(evaluation, seeds=seeds, untrained=untrained, options=options)


def other_seeds(workspace: Workspace, model_id: str, evaluation: Mapping[str, Any]) -> dict[str, Delta]:
    """What the same training with other seeds gained, of the models that were evaluated on the same test queries.

    The same training: equal data, stock model and options, but for the seed.
    """
    made = read_meta(workspace.models / model_id)
    found: dict[str, Delta] = {}
    for path in sorted(workspace.reports.glob("*.json")):
        other = read_meta(workspace.models / path.stem)
        if made is None or other is None or path.stem == model_id or _but_for_seed(other) != _but_for_seed(made):
            continue
        try:
            measured = read_object(path)
            if _measured_on(measured) == _measured_on(evaluation):
                found[path.stem] = Comparison.from_json(measured["comparison"]).delta(measured["primary"])
        except (DataError, KeyError, TypeError):
            continue  # what cannot be read says nothing; its own promotion tells why
    return found


def without_training(workspace: Workspace, evaluation: Mapping[str, Any]) -> dict[str, float]:
    """What an assessment measured beside stock, as a sentence calls it -> what it gains; none in another measure.

    BM25 alone is left out: the evaluation itself measures it.
    """
    if evaluation.get("primary") != MEASURE:
        return {}
    lifts = read_object(workspace.reports / "assess.json").get("evidence", {}).get("lifts", {})
    return {NAMES.get(name, name): float(lift["mean"]) for name, lift in lifts.items() if name != "bm25"}


def _but_for_seed(meta: Meta) -> tuple[str, dict[str, Any], dict[str, str]]:
    return meta.stage, {name: value for name, value in meta.options.items() if name != "seed"}, dict(meta.inputs)


def _measured_on(evaluation: Mapping[str, Any]) -> tuple[str, str, str]:
    qrels = evaluation["systems"]["stock"]["fingerprints"].get("qrels", "")
    return evaluation["primary"], evaluation["sides"]["stock"]["fingerprint"], qrels
