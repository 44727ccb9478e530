"""Assess in a workspace: reads the data and the stock model, writes `reports/assess.json`."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file
from lexitune.io.atomic import replace_text
from lexitune.io.dataset import open_data
from lexitune.io.workspace import Meta, Workspace, is_finished, write_meta
from lexitune.models.options import ModelOptions
from lexitune.stages.assess.assessment import assess
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Advice, Silent, Talk

__all__ = ["read_advice", "report_path", "run"]


def run(
    workspace: Workspace,
    *,
    model: ModelOptions | None = None,
    options: AssessOptions | None = None,
    talk: Talk | None = None,
) -> Advice:
    """Assess the workspace's data with the stock model; equal data, model and options are read back.

    Raises:
        DataError: No data in the workspace, or data that cannot be measured.
        UsageError: An unknown model.
    """
    from lexitune.models.load import load

    model, options, talk = model or ModelOptions(), options or AssessOptions(), talk or Silent()
    start, path = time.monotonic(), report_path(workspace)
    with workspace.lock():
        data = open_data(workspace)
        embedder = load(options=model, talk=talk)
        inputs = {"data": hash_file(workspace.dataset), "model": embedder.fingerprint}
        if is_finished(path, stage="assess", inputs=inputs, options=options):
            talk.say("assess: skipped, same data, same model, same options")
            return read_advice(path)
        advice = assess(data, model=embedder, vectors=workspace.vectors, options=options, talk=talk)
        replace_text(path, json.dumps(asdict(advice), indent=1) + "\n")
        cost_s = time.monotonic() - start
        write_meta(path, Meta("assess", asdict(options), inputs, seed=options.seed, cost_s=cost_s))
    return advice


def report_path(workspace: Workspace) -> Path:
    """Where the advice lies."""
    return workspace.reports / "assess.json"


def read_advice(path: Path) -> Advice:
    """The advice that `run` wrote.

    Raises:
        DataError: The file is not what `run` writes.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Advice(found["answer"], tuple(found["reasons"]), found["evidence"], found["next_command"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("E3307", f"{path} cannot be read: {error!r}", fix=f"rm {path} && lexitune assess") from error
