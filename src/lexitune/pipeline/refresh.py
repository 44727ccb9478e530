"""`report.html` from what a workspace holds: by hand or in one journey, after each command that has news for it."""

from __future__ import annotations

import json
from pathlib import Path

from lexitune.fingerprint import hash_file
from lexitune.io.dataset import open_data
from lexitune.io.staged import read_staged
from lexitune.io.workspace import Workspace, read_meta
from lexitune.pipeline.journey_report import write_advice_report, write_report
from lexitune.pipeline.sections import SECTIONS
from lexitune.settings import build, read_toml
from lexitune.stages.assess import driver as assessing
from lexitune.stages.evaluate import driver as evaluating
from lexitune.stages.evaluate.evaluation import Evaluation
from lexitune.stages.promote.beside import judged
from lexitune.stages.promote.options import PromoteOptions
from lexitune.types import Advice, GateResult

__all__ = ["refresh_report"]


def refresh_report(workspace: Workspace, *, advice: Advice | None = None) -> Path | None:
    """Write the report of the staged challenger, where it was evaluated on this data; else that of the advice.

    Args:
        advice: None: the one that lies in the workspace, if any.

    Returns:
        Where it lies; None where there is nothing to report yet.

    Raises:
        DataError: A file of the workspace cannot be read.
    """
    path = assessing.report_path(workspace)
    if advice is None and path.exists():
        advice = assessing.read_advice(path)
    found = _evaluation(workspace)
    if found is not None:
        verdict = _verdict(workspace, found)
        return write_report(workspace, open_data(workspace), advice=advice, evaluation=found, gate=verdict)
    return None if advice is None else write_advice_report(workspace, advice)


def _evaluation(workspace: Workspace) -> Evaluation | None:
    """That of the staged challenger, unless the data or its index changed since or its rankings are gone."""
    staged = read_staged(workspace)
    if staged is None or not workspace.dataset.exists():
        return None
    path = evaluating.report_path(workspace, staged.model_id)
    meta = read_meta(path)
    if meta is None or not path.exists():
        return None
    made_of = {"data": hash_file(workspace.dataset), "vectors": staged.vectors}
    made_of |= {"store": staged.store, "index": staged.index}
    if any(meta.inputs.get(name, "") != value for name, value in made_of.items()):
        return None
    runs = (workspace.runs / f"{staged.model_id}{side}.trec" for side in ("", "-stock"))
    return evaluating.read_evaluation(path) if all(run.exists() for run in runs) else None


def _verdict(workspace: Workspace, found: Evaluation) -> GateResult:
    """What the gate said of this evaluation, or would say of it."""
    path = workspace.verdicts / f"{found.model_id}.json"
    meta = read_meta(path)
    evaluation = evaluating.report_path(workspace, found.model_id)
    if meta and path.exists() and meta.inputs.get("evaluation") == hash_file(evaluation):
        told = json.loads(path.read_text(encoding="utf-8"))
        return GateResult(told["answer"], tuple(told["reasons"]), told["evidence"], told["next_command"])
    options = build(PromoteOptions, read_toml(workspace.config, SECTIONS).get("promote", {}))
    return judged(workspace, found.to_json(), model_id=found.model_id, options=options)
