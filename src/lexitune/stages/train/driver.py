"""Train in a workspace: reads the data and the stock model, writes `models/<id>/`."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from lexitune.io.dataset import open_data
from lexitune.io.weights import read_weights
from lexitune.io.workspace import Workspace, is_finished
from lexitune.models.options import ModelOptions
from lexitune.stages.train.inputs import mined_examples
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import identity
from lexitune.stages.train.training import building_of, carry_out, plan_training
from lexitune.types import Silent, Talk

__all__ = ["run", "short_name"]


def run(
    workspace: Workspace,
    *,
    model: ModelOptions | None = None,
    options: TrainOptions | None = None,
    talk: Talk | None = None,
) -> Path:
    """Tune the stock model on the workspace's train judgements; equal data, model and options are not tuned twice.

    A training that was interrupted or killed goes on from its last checkpoint.

    Returns:
        `models/<id>`; the id is the stock model's name and a hash of data, model and options.

    Raises:
        DataError: No data in the workspace, no train judgements, or nothing to tell a right passage from.
        UsageError: An unknown model, loss or option.
        StageFailed: NaN, collapse, memory or disk; nothing is published.
        KeyboardInterrupt: Interrupted; a checkpoint was written first.
    """
    from lexitune.models.load import load

    model, options, talk = model or ModelOptions(), options or TrainOptions(), talk or Silent()
    began = time.monotonic()
    with workspace.lock():
        data = open_data(workspace)
        embedder = load(options=model, talk=talk)
        mined = mined_examples(workspace, talk=talk)
        weights = read_weights(workspace.weights) if workspace.weights.exists() else None
        plan = plan_training(data, model=embedder, mined=mined, weights=weights, options=options, began=began)
        out = workspace.models / f"{short_name(embedder.spec.name)}-{plan.hash}"
        if is_finished(out, stage="train", inputs=plan.inputs, options=identity(plan.recipe)):
            shutil.rmtree(building_of(out), ignore_errors=True)  # left by a kill between publishing and tidying
            talk.say(f"train: skipped, {out.name} has the same data, model and options")
            return out
        return carry_out(plan, model=embedder, out=out, talk=talk, vectors=workspace.vectors)


def short_name(name: str) -> str:
    """The last part of a model's name, fit for a folder.

    Example:
        >>> short_name("BAAI/bge-small-en-v1.5")
        'bge-small-en-v1.5'
    """
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-") or "model"
