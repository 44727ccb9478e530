"""Training as a function: data and a model in, a folder with the tuned model out."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lexitune.errors import DataError, UsageError
from lexitune.fingerprint import hash_json, hash_texts
from lexitune.io.workspace import Meta, installed_versions, write_meta
from lexitune.stages.train.dev import DevSet, answered, evaluation_steps, make_dev_set, plan_dev
from lexitune.stages.train.examples import Examples, cut_batches, gather_examples, plan_batch
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import Recipe, identity, settle
from lexitune.types import Dataset, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder
    from lexitune.models.tokens import TokenIds
    from lexitune.stages.train.checkpoint import Progress

__all__ = ["Plan", "building_of", "carry_out", "plan_training", "train"]

DEFAULT = TrainOptions()


@dataclass(frozen=True)
class Plan:
    """A training that has been checked and can start.

    Attributes:
        inputs: Name -> hash of what the weights will be made of: model, corpus, queries, train, dev.
    """

    data: Dataset
    examples: Examples
    recipe: Recipe
    inputs: Mapping[str, str]
    began: float

    @property
    def hash(self) -> str:
        """Eight hex digits: equal data, model and options have equal ones."""
        return hash_json([self.inputs, identity(self.recipe)])[:8]


def train(
    data: Dataset, *, model: Embedder, out: Path, options: TrainOptions = DEFAULT, talk: Talk | None = None
) -> Path:
    """Tune a model on the train judgements, choose the best checkpoint by the dev judgements, and save it.

    The model given is left as it was: the tuned one is loaded from the folder. Work in progress lies
    beside `out` in `.building-NAME`; the same call again goes on from there.

    Args:
        data: Its test judgements are never looked at.
        model: Where training starts.
        out: Folder for the tuned model: a sentence-transformers folder with `lexitune.json`, the
            training log and `meta.json`. It must not exist yet; it appears whole or not at all.
        talk: Hears of progress, in steps.

    Returns:
        `out`.

    Raises:
        DataError: No train judgements, or nothing to tell a right passage from.
        UsageError: `out` exists, or an option the recipe cannot honour.
        StageFailed: NaN, collapse, memory or disk; nothing is published.
        KeyboardInterrupt: Interrupted; a checkpoint was written first.
    """
    return carry_out(plan_training(data, model=model, options=options), model=model, out=out, talk=talk or Silent())


def plan_training(
    data: Dataset, *, model: Embedder, options: TrainOptions = DEFAULT, began: float | None = None
) -> Plan:
    """Check data and options before any work is done.

    Args:
        began: `time.monotonic()` when the data began to be read; its cost counts as training's. By default now.

    Raises:
        DataError: No train judgements, or most batches hold no wrong passage.
        UsageError: An option the recipe cannot honour, an unknown loss, or a model that computes in fp16.
    """
    began = time.monotonic() if began is None else began
    if model.precision == "fp16":
        raise UsageError("E2123", "fp16 is for encoding: its gradients underflow", fix="train with --precision auto")
    recipe = settle(options, token_budget=model.token_budget)
    examples = gather_examples(data, data.qrels.get("train", {}))
    if recipe.recipe == "default":
        from lexitune.stages.train.losses.registry import LOSSES

        LOSSES.get(recipe.loss)
        _refuse_empty_batches(examples, recipe)
    inputs = {
        "model": model.fingerprint,
        "corpus": hash_texts(part for doc in data.docs for part in (doc.doc_id, doc.full_text)),
        "queries": hash_texts(part for query_id, query in data.queries.items() for part in (query_id, query.text)),
        **{
            split: hash_json({key: dict(value) for key, value in data.qrels.get(split, {}).items()})
            for split in ("train", "dev")
        },
    }
    return Plan(data, examples, recipe, inputs, began)


def carry_out(plan: Plan, *, model: Embedder, out: Path, talk: Talk) -> Path:
    """Train as planned and publish the result at `out`; see `train`."""
    if out.exists():
        raise UsageError("E2122", f"{out} exists already", fix=f"name another folder, or remove it: rm -r {out}")
    building = building_of(out)
    building.mkdir(parents=True, exist_ok=True)
    fingerprints = {
        **plan.inputs,
        **{name: str(value) for name, value in identity(plan.recipe).items()},
        "torch": installed_versions().get("torch", ""),
        "device": model.network.device.type,
    }
    stock = [parameter.detach().to("cpu", copy=True) for parameter in model.network.parameters()]
    base = {"name": model.spec.name, "source": model.spec.source, "fingerprint": plan.inputs["model"]}
    prepared = time.monotonic()
    try:
        progress, dev = _run(plan, model, building, fingerprints, talk)
        chosen = time.monotonic()
        facts = _facts(plan, progress, dev, base)
        model.save(building / out.name, notes={"training": facts})
    finally:
        for parameter, value in zip(model.network.parameters(), stock, strict=True):
            parameter.data.copy_(value)
        model.network.refresh()
    _write_log(building / out.name / "training-log.jsonl", progress)
    seconds = (prepared - plan.began) + progress.seconds + (time.monotonic() - chosen)
    outputs = {**facts, "curve": progress.curve, "pairs_per_s": _throughput(plan, progress)}
    meta = Meta("train", identity(plan.recipe), plan.inputs, seed=plan.recipe.seed, cost_s=seconds, outputs=outputs)
    write_meta(building / out.name, meta)
    (building / out.name).replace(out)
    shutil.rmtree(building)
    _tell(progress, dev and dev.measure, talk)
    return out


def building_of(out: Path) -> Path:
    """Where work in progress on `out` lies."""
    return out.with_name(f".building-{out.name}")


def _run(
    plan: Plan, model: Embedder, building: Path, fingerprints: Mapping[str, str], talk: Talk
) -> tuple[Progress, DevSet | None]:
    if plan.recipe.recipe == "mnrl":
        from lexitune.stages.train.mnrl import run_mnrl

        return run_mnrl(
            model, plan.examples, recipe=plan.recipe, folder=building, fingerprints=fingerprints, talk=talk
        ), None
    from lexitune.models.tokens import join_tokens
    from lexitune.stages.train.loop import Work, run_loop

    queries, docs = model.tokenise_queries(plan.examples.queries), model.tokenise_docs(plan.examples.docs)
    _tell_truncated(docs, model.spec.max_length, talk)
    dev, evaluations = _dev_set(plan, model, queries, docs, talk)
    work = Work(
        plan.examples,
        join_tokens([queries, docs]),
        dev,
        evaluation_steps(_count_steps(plan), evaluations),
        fingerprints,
    )
    return run_loop(model, work, recipe=plan.recipe, folder=building, talk=talk), dev


def _dev_set(plan: Plan, model: Embedder, queries: TokenIds, docs: TokenIds, talk: Talk) -> tuple[DevSet | None, int]:
    judged = answered(plan.data)
    if not judged:
        talk.say("no dev judgements: the last weights are taken, and nothing shows whether they are the best")
        return None, 2
    answers = sum(grade > 0 for grades in judged.values() for grade in grades.values()) / len(judged)
    query_tokens, doc_tokens = float(np.mean(queries.lengths)), float(np.mean(docs.lengths))
    sizes = plan_dev(
        queries=len(judged),
        answers=answers,
        query_tokens=query_tokens,
        doc_tokens=doc_tokens,
        train_tokens=plan.recipe.epochs * len(plan.examples) * (query_tokens + doc_tokens),
        most_queries=plan.recipe.dev_queries,
    )
    dev = make_dev_set(plan.data, model=model, plan=sizes, seed=plan.recipe.seed)
    talk.say(
        f"dev {dev.measure} over {len(dev.query_ids)} queries and {len(dev.doc_ids)} passages "
        "stands for R@10 of the corpus"
    )
    return dev, sizes.evaluations


def _count_steps(plan: Plan) -> int:
    return plan.recipe.epochs * -(-len(plan.examples) // plan.recipe.batch_size)


def _refuse_empty_batches(examples: Examples, recipe: Recipe) -> None:
    batches = cut_batches(len(examples), batch_size=recipe.batch_size, seed=recipe.seed, epochs=1)
    useful = [plan_batch(examples, batch, mask=recipe.mask).has_negative for batch in batches]
    if 2 * sum(useful) < len(useful):
        raise DataError(
            "E3323",
            f"{len(useful) - sum(useful)} of {len(useful)} batches hold no wrong passage: most pairs answer one query",
            fix="give pairs of more queries and passages, or a larger --batch-size",
        )


def _tell_truncated(docs: TokenIds, max_length: int, talk: Talk) -> None:
    share = docs.truncated / len(docs)
    if share > 0.01:
        talk.say(f"{100 * share:.0f} % of the training passages are longer than {max_length} tokens and lose their end")


def _facts(plan: Plan, progress: Progress, dev: DevSet | None, base: Mapping[str, str]) -> dict[str, Any]:
    return {
        "recipe": plan.recipe.recipe,
        "base": dict(base),
        "pairs": len(plan.examples),
        "queries": len(plan.examples.queries),
        "docs": len(plan.examples.docs),
        "steps": progress.step,
        "best_step": progress.step if progress.best_step is None else progress.best_step,
        "best_dev": None if dev is None else progress.best_dev,
        "dev_measure": None if dev is None else str(dev.measure),
        "dev_queries": 0 if dev is None else len(dev.query_ids),
        "dev_docs": 0 if dev is None else len(dev.doc_ids),
    }


def _throughput(plan: Plan, progress: Progress) -> float:
    return round(plan.recipe.epochs * len(plan.examples) / max(progress.seconds, 1e-9), 2)


def _write_log(path: Path, progress: Progress) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in progress.curve), encoding="utf-8")


def _tell(progress: Progress, measure: object, talk: Talk) -> None:
    if progress.best_step == 0:
        talk.say(f"no checkpoint beat the stock model on dev ({measure} {progress.best_dev:.2f}): its weights are kept")
    elif progress.best_step is not None:
        talk.say(f"best on dev: step {progress.best_step} of {progress.step}, {measure} {progress.best_dev:.2f}")
