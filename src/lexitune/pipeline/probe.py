"""`lexitune plan --probe`: this run's seconds, predicted from some steps and passages on this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lexitune.errors import UsageError
from lexitune.io.atomic import TEMPORARY
from lexitune.io.dataset import open_data
from lexitune.io.weights import read_weights
from lexitune.io.workspace import Workspace
from lexitune.models.sizing import forward_flops
from lexitune.pipeline.data import read
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stages.train.inputs import mined_examples
from lexitune.stages.train.probe import Probe, probe_training, shape_in
from lexitune.stages.train.training import plan_training
from lexitune.types import Dataset, Example, Talk

__all__ = ["Prediction", "predict"]

SAMPLE = 2000  # passages whose tokens are counted


@dataclass(frozen=True)
class Prediction:
    """Seconds of this run on this machine, as measured on a part of it.

    Args:
        reembed_s: Of re-embedding the corpus.
        passages: Of the corpus that were tokenised for it.
    """

    train: Probe
    reembed_s: float
    passages: int
    precision: str
    device: str

    def to_json(self) -> dict[str, Any]:
        """With the sum of training."""
        return {**asdict(self), "train_s": self.train.total}


def predict(workspace: Workspace | None, source: Path | None, *, sections: Mapping[str, Any], talk: Talk) -> Prediction:
    """Take some real steps of the training that `sections` describe, and encode some real passages.

    Args:
        source: Data, where they are not the workspace's.

    Raises:
        UsageError: There is no data, or a recipe without steps.
        LexituneError: As training would raise it.
    """
    if source is None and (workspace is None or not workspace.dataset.exists()):
        raise UsageError("E2012", "--probe trains on real data, and there is none", fix="lexitune plan DATA --probe")
    from lexitune.models.load import load

    data = None if source is None else read(source, options=sections["data"])
    root = None if workspace is None or data is not None else workspace.root
    lock = nullcontext() if root is None or workspace is None else workspace.lock()
    with lock, tempfile.TemporaryDirectory(prefix=f"{TEMPORARY}probe-", dir=root) as folder:
        began = time.monotonic()
        inputs: dict[str, Any] = {}
        if data is None:
            assert workspace is not None
            data = open_data(workspace)
            inputs["mined"] = mined_examples(workspace, talk=talk)
            inputs["weights"] = read_weights(workspace.weights) if workspace.weights.exists() else None
        model = load(options=sections["model"], talk=talk)
        loaded = time.monotonic() - began
        if sections["train"].negatives and not inputs.get("mined"):
            inputs["mined"] = _stand_ins(data, max(sections["train"].negatives, sections["mine"].count))
        plan = plan_training(data, model=model, options=sections["train"], began=began, **inputs)
        planned = time.monotonic()
        some = _sample(data)
        tokens = model.tokenise_docs(some)
        share = (time.monotonic() - planned) / len(some)
        # The sample is not part of the training: its clock goes on where it stood.
        plan = replace(plan, began=began + time.monotonic() - planned)
        train = probe_training(model, plan, sample=tokens, folder=Path(folder), talk=talk)
        each = share + train.rate * forward_flops(shape_in(model), tokens.lengths) / len(some)
        again = min(ReembedOptions().verify_sample, len(data.docs))
        reembed_s = loaded + each * (len(data.docs) + again)
        return Prediction(train, reembed_s, len(some), model.precision, model.network.device.type)


def _stand_ins(data: Dataset, count: int) -> list[Example]:
    """So many passages drawn by seed for each train query, in place of those that `tune` would mine first."""
    asked = list(data.qrels["train"])
    drawn = np.random.default_rng(0).integers(len(data.docs), size=(len(asked), count))
    return [
        Example(query_id, (), tuple(data.docs[row].doc_id for row in rows))
        for query_id, rows in zip(asked, drawn, strict=True)
    ]


def _sample(data: Dataset) -> list[str]:
    """Passages drawn by seed."""
    rows = np.random.default_rng(0).permutation(len(data.docs))[:SAMPLE]
    return [data.docs[row].full_text for row in rows]
