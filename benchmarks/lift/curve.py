"""The classic recipe's curve: what it reaches on the way, and after how many minutes.

Whoever wants to stop early has to look at dev now and then, and so do both sides: ours by itself, the classic trainer
with sentence-transformers' evaluator on the very sample of dev that ours uses. That time counts; saving the weights for
the curve does not.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from benchmarks.lift.guard import measure_pool
from lexitune.metrics.measures import Measure
from lexitune.models.embedder import Embedder
from lexitune.stages.train.heldout import HeldOut
from lexitune.stages.train.mnrl import run_mnrl
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import plan_training
from lexitune.stages.train.tuning import gather_work
from lexitune.types import Dataset, Silent

__all__ = ["RECALL", "measure_curve", "recall_on_dev", "train_with_curve"]

RECALL = Measure("R", 10)
ROWS = "curve.json"


def train_with_curve(
    data: Dataset, *, model: Embedder, folder: Path, options: TrainOptions, points: int
) -> tuple[list[dict[str, float]], int]:
    """Train the model by the classic recipe, and leave the weights at `points` places, evenly between, in `folder`.

    Returns:
        Step and seconds of each place, with those of them that went into looking at dev, and the number of pairs.
    """
    folder.mkdir(parents=True)
    # The dev sample that the default recipe would draw for these pairs.
    ours = plan_training(data, model=model, options=TrainOptions(seed=options.seed))
    work = gather_work(
        model, data, ours.examples, recipe=ours.recipe, folder=folder, fingerprints={}, talk=Silent()
    ).work
    assert work.dev is not None
    ready = plan_training(data, model=model, options=options)
    watch = _Snapshots(_evaluator(data, work.dev), folder, points=points, began=ready.began)
    run_mnrl(
        model,
        ready.examples,
        recipe=ready.recipe,
        folder=folder / "work",
        fingerprints={},
        talk=Silent(),
        callbacks=[watch],
    )
    (folder / ROWS).write_text(json.dumps(watch.rows), encoding="utf-8")
    return watch.rows, len(ready.examples)


def measure_curve(data: Dataset, *, model: Embedder, folder: Path) -> list[dict[str, float]]:
    """The rows of `train_with_curve`, with R@10 of all dev queries over the whole corpus at each place.

    Args:
        model: Its weights are the last place's afterwards.
    """
    found = []
    for row in json.loads((folder / ROWS).read_text(encoding="utf-8")):
        model.model.load_state_dict(torch.load(_path(folder, int(row["step"])), weights_only=True))
        model.network.refresh()
        found.append({**row, str(RECALL): recall_on_dev(model, data)})
    return found


def recall_on_dev(model: Embedder, data: Dataset) -> float:
    """R@10 of all dev queries over the whole corpus."""
    judged = data.qrels["dev"]
    queries = [data.queries[query_id] for query_id in sorted(judged)]
    return measure_pool(model, queries, data.docs, judged, measure=RECALL).mean(RECALL)


def _path(folder: Path, step: int) -> Path:
    return folder / f"step-{step}.pt"


def _evaluator(data: Dataset, dev: HeldOut) -> Any:
    texts = {doc.doc_id: doc.full_text for doc in data.docs}
    return InformationRetrievalEvaluator(
        {query_id: data.queries[query_id].text for query_id in dev.query_ids},
        {doc_id: texts[doc_id] for doc_id in dev.doc_ids},
        {query_id: {doc_id for doc_id, grade in found.items() if grade > 0} for query_id, found in dev.qrels.items()},
        accuracy_at_k=[dev.measure.cutoff],
        precision_recall_at_k=[dev.measure.cutoff],
        mrr_at_k=[10],
        ndcg_at_k=[10],
        map_at_k=[10],
        write_csv=False,
    )


class _Snapshots(TrainerCallback):
    """Looks at dev and saves the weights at even distances."""

    def __init__(self, evaluator: Any, folder: Path, *, points: int, began: float) -> None:
        self.evaluator, self.folder, self.points, self.began = evaluator, folder, points, began
        self.rows: list[dict[str, float]] = []
        self.looked = self.uncounted = 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        places = {round(state.max_steps * place / self.points) for place in range(1, self.points + 1)}
        if state.global_step not in places:
            return
        model, start = given["model"], time.monotonic()
        self.evaluator(model)
        model.train()
        reached = time.monotonic()
        self.looked += reached - start
        seconds = reached - self.began - self.uncounted
        self.rows.append({"step": float(state.global_step), "seconds": seconds, "looked": self.looked})
        torch.save(model.state_dict(), _path(self.folder, state.global_step))
        self.uncounted += time.monotonic() - reached
