"""Training as a function: data and a model in, a folder with the tuned model out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexitune.errors import DataError, UsageError
from lexitune.fingerprint import hash_file, hash_json, hash_texts, sha256_files
from lexitune.io.dataset import data_files
from lexitune.io.general import read_general
from lexitune.io.learnt import write_learnt
from lexitune.io.processes import processes
from lexitune.io.workspace import Meta, installed_versions, write_meta
from lexitune.metrics.grades import count_pairs
from lexitune.stages.train.batches import cut_batches, plan_batch
from lexitune.stages.train.examples import Examples, gather_examples
from lexitune.stages.train.lineage import inherited, trace
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.progress import TRACKED, Progress
from lexitune.stages.train.recipe import Recipe, identity, settle
from lexitune.types import Dataset, Example, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder
    from lexitune.stages.train.tuning import Tuned

__all__ = ["Plan", "building_of", "carry_out", "hash_data", "plan_training", "train"]

DEFAULT = TrainOptions()
TAUGHT = ("margin-mse", "kl")  # losses that learn from a teacher's scores


@dataclass(frozen=True)
class Plan:
    """A training that has been checked and can start.

    Attributes:
        inputs: Name -> hash of what the weights will be made of: model, corpus, queries, train, dev.
        began: `time.monotonic()` when it began to cost.
        ready: When it was made: what passes from then until it is carried out costs it nothing.
        unmined: Negatives of each pair that are asked for, where none were mined.
    """

    data: Dataset
    examples: Examples
    recipe: Recipe
    inputs: Mapping[str, str]
    began: float
    ready: float
    unmined: int

    @property
    def hash(self) -> str:
        """Eight hex digits: equal data, model and options have equal ones."""
        return hash_json([self.inputs, identity(self.recipe)])[:8]


def train(
    data: Dataset,
    *,
    model: Embedder,
    out: Path,
    mined: Sequence[Example] = (),
    weights: Mapping[str, Mapping[str, float]] | None = None,
    options: TrainOptions = DEFAULT,
    talk: Talk | None = None,
) -> Path:
    """Tune a model on the train judgements, choose the best checkpoint by the dev judgements, and save it.

    The model given is left as it was: the tuned one is loaded from the folder. Work in progress lies
    beside `out` in `.building-NAME`; the same call again goes on from there.

    Args:
        data: Its test judgements are never looked at.
        model: Where training starts.
        out: Folder for the tuned model: a sentence-transformers folder with `lexitune.json`, the
            training log and `meta.json`. It must not exist yet; it appears whole or not at all.
        mined: Negatives, and a teacher's scores, as `lexitune.mine` finds them.
        weights: Query -> doc -> how much the pair counts; 1 where nothing is said.
        talk: Hears of progress, in steps.

    Returns:
        `out`.

    Raises:
        DataError: No train judgements, or nothing to tell a right passage from.
        UsageError: `out` exists, an option the recipe cannot honour, or work in progress on another training.
        StageFailed: NaN, collapse, memory or disk; nothing is published.
        KeyboardInterrupt: Interrupted; a checkpoint was written first.
    """
    plan = plan_training(data, model=model, mined=mined, weights=weights, options=options)
    return carry_out(plan, model=model, out=out, talk=talk or Silent())


def plan_training(
    data: Dataset,
    *,
    model: Embedder,
    mined: Sequence[Example] = (),
    weights: Mapping[str, Mapping[str, float]] | None = None,
    options: TrainOptions = DEFAULT,
    began: float | None = None,
) -> Plan:
    """Check data and options before any work is done.

    Args:
        began: `time.monotonic()` when the data began to be read; its cost counts as training's. By default now.

    Raises:
        DataError: No train judgements, most batches hold no wrong passage, or general text that cannot be read.
        UsageError: An option the recipe cannot honour, an unknown loss, one without its teacher's scores, or a model
            with a query map.
    """
    began = time.monotonic() if began is None else began
    recipe = _settle_for(data, model, options)
    if not recipe.is_ours and processes().count > 1:
        raise UsageError(
            "E2121",
            f"train was started in {processes().count} processes, and the recipe '{recipe.recipe}' runs in one",
            fix="start it without torchrun or accelerate launch, or take --recipe default",
        )
    if model.query_map is not None:
        source = model.base.get("source", "")
        raise UsageError(
            "E2127",
            f"{model.spec.name} has a query adapter, which was trained for its weights as they are",
            fix=f"train from its stock model: --model {source if Path(source).is_dir() else model.base['name']}",
        )
    used = mined if recipe.negatives or options.loss in TAUGHT else ()
    examples = gather_examples(data, data.qrels.get("train", {}), mined=used, weights=weights)
    if not len(examples.negatives):
        recipe = replace(recipe, negatives=0)
    if recipe.is_ours:
        from lexitune.stages.train.losses.registry import LOSSES

        LOSSES.get(recipe.loss)
        _refuse_empty_batches(examples, recipe)
        _refuse_untaught_batches(examples, recipe)
    inputs = {
        "model": model.fingerprint,
        **({"mined": hash_json([asdict(example) for example in used])} if used else {}),
        **({"weights": hash_json({key: dict(value) for key, value in weights.items()})} if weights else {}),
        **({"general": _check_general(Path(recipe.general))} if recipe.general else {}),
        **hash_data(data),
    }
    unmined = 0 if len(examples.negatives) else options.negatives or 0
    return Plan(data, examples, recipe, inputs, began, time.monotonic(), unmined)


def hash_data(data: Dataset) -> dict[str, str]:
    """The hashes of corpus, queries, train and dev, of ids and texts as read, not of the files."""
    return {
        "corpus": hash_texts(part for doc in data.docs for part in (doc.doc_id, doc.full_text)),
        "queries": hash_texts(part for query_id, query in data.queries.items() for part in (query_id, query.text)),
        **{
            split: hash_json({key: dict(value) for key, value in data.qrels.get(split, {}).items()})
            for split in ("train", "dev")
        },
    }


def carry_out(plan: Plan, *, model: Embedder, out: Path, talk: Talk, vectors: Path | None = None) -> Path:
    """Train as planned and publish the result at `out`; see `train`.

    Several processes train together, and the first of them writes.

    Args:
        vectors: Folder of vectors of passages, which the recipe `adapter` needs and reuses; None: they are made for
            this training alone.
    """
    if out.exists():
        raise UsageError("E2122", f"{out} exists already", fix=f"name another folder, or remove it: rm -r {out}")
    plan = replace(plan, began=plan.began + time.monotonic() - plan.ready)
    building, group = building_of(out), processes()
    building.mkdir(parents=True, exist_ok=True)
    fingerprints = {
        **plan.inputs,
        **{name: str(value) for name, value in identity(plan.recipe).items()},
        "torch": installed_versions().get("torch", ""),
        "device": model.network.device.type,
    }
    stock = [parameter.detach().to("cpu", copy=True) for parameter in model.network.parameters()]
    talk.say(_told(plan))
    if plan.unmined:
        talk.say(f"no negatives were mined, so --negatives {plan.unmined} brings none: lexitune mine finds some")
    if len(plan.examples.taught) and plan.recipe.loss not in TAUGHT:
        talk.say(f"the teacher's scores take no part: --loss {' or '.join(TAUGHT)} learns from them")
    base = {"name": model.spec.name, "source": model.spec.source, "fingerprint": plan.inputs["model"]}
    try:
        tuned = _run(plan, model, building, fingerprints, talk, vectors or building / "vectors")
        facts = _facts(plan, tuned, base)
        if group.rank == 0:
            model.save(building / out.name, notes={"training": facts})
    finally:
        for parameter, value in zip(model.network.parameters(), stock, strict=True):
            parameter.data.copy_(value)
        model.network.refresh()
        model.query_map = None
    if group.rank == 0:
        _complete(building / out.name, plan, tuned, facts)
        if (building / TRACKED).exists():
            (building / TRACKED).replace(building / out.name / TRACKED)
        (building / out.name).replace(out)
        shutil.rmtree(building)
    group.wait()
    _tell(tuned, talk)
    return out


def _complete(folder: Path, plan: Plan, tuned: Tuned, facts: Mapping[str, Any]) -> None:
    """Write beside the weights how it went, what they learnt from and the hash of every file; `meta.json` last."""
    progress = tuned.progress
    (folder / "training-log.jsonl").write_text(progress.log(), encoding="utf-8")
    seconds = progress.before_s + time.monotonic() - plan.began
    # With none of the trained weights in it, it learnt nothing here.
    own = trace(plan.data, plan.examples, recipe=plan.recipe) if tuned.share else ()
    write_learnt(folder, [*inherited(facts["base"]["source"]), *own])
    outputs = {
        **facts,
        "curve": progress.curve,
        "pairs_per_s": _throughput(plan, progress),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "hourly_rate": plan.recipe.hourly_rate,
        "files": sha256_files(folder),
    }
    meta = Meta("train", identity(plan.recipe), plan.inputs, seed=plan.recipe.seed, cost_s=seconds, outputs=outputs)
    write_meta(folder, meta)


def building_of(out: Path) -> Path:
    """Where work in progress on `out` lies."""
    return out.with_name(f".building-{out.name}")


def _run(
    plan: Plan, model: Embedder, building: Path, fingerprints: Mapping[str, str], talk: Talk, vectors: Path
) -> Tuned:
    from lexitune.stages.train.tuning import Tuned, run_tuning

    if plan.recipe.recipe == "adapter":
        from lexitune.stages.train.adapter import run_adapter

        progress, dev = run_adapter(model, plan.data, plan.examples, recipe=plan.recipe, vectors=vectors, talk=talk)
        return Tuned(progress, dev, 0.0 if progress.best_step == 0 else 1.0)
    if plan.recipe.recipe == "mnrl":
        from lexitune.stages.train.mnrl import run_mnrl

        if "weights" in plan.inputs:
            talk.say("the recipe mnrl counts every pair the same: their weights are not used")
        progress = run_mnrl(
            model, plan.examples, recipe=plan.recipe, folder=building, fingerprints=fingerprints, talk=talk
        )
        return Tuned(progress, None, 1.0)
    return run_tuning(
        model,
        plan.data,
        plan.examples,
        recipe=plan.recipe,
        folder=building,
        fingerprints=fingerprints,
        began=plan.began,
        talk=talk,
    )


def _settle_for(data: Dataset, model: Embedder, options: TrainOptions) -> Recipe:
    return settle(
        options,
        token_budget=model.token_budget,
        pairs=count_pairs(data.qrels.get("train", {})),
        parameters=model.network.weight_count,
        layers=model.network.layer_count,
    )


def _check_general(folder: Path) -> str:
    """The hash of a folder of general text. It is needed last: a fault found only then would cost the training."""
    read_general(folder)
    return hash_json({name: hash_file(path) for name, path in data_files(folder).items()})


def _refuse_empty_batches(examples: Examples, recipe: Recipe) -> None:
    if recipe.negatives:
        return
    batches = cut_batches(
        examples, batch_size=recipe.batch_size, seed=recipe.seed, epochs=1, positives=recipe.positives
    )
    useful = [plan_batch(examples, batch, mask=recipe.mask).has_negative for batch in batches]
    if 2 * sum(useful) < len(useful):
        raise DataError(
            "E3323",
            f"{len(useful) - sum(useful)} of {len(useful)} batches hold no wrong passage: most pairs answer one query",
            fix="give pairs of more queries and passages, or a larger --batch-size; with --positives sample each query "
            "comes once an epoch",
        )


def _refuse_untaught_batches(examples: Examples, recipe: Recipe) -> None:
    """Such a batch stops the training when it comes, which may be late."""
    if recipe.loss not in TAUGHT:
        return
    batches = cut_batches(
        examples, batch_size=recipe.batch_size, seed=recipe.seed, epochs=recipe.epochs, positives=recipe.positives
    )
    taught = [
        plan_batch(examples, batch, mask="none", negatives=recipe.negatives, seed=recipe.seed + step).is_taught
        for step, batch in enumerate(batches)
    ]
    if not all(taught):
        raise UsageError(
            "E2125",
            f"the loss '{recipe.loss}' learns from a teacher's scores of a pair's own passage and of another, and "
            f"{len(taught) - sum(taught)} of {len(taught)} batches have none",
            fix="lexitune mine --reranker MODEL, then train with --negatives 1 or more; or --loss infonce-symmetric",
        )


def _told(plan: Plan) -> str:
    """The recipe as it was settled, and by what."""
    recipe, count = plan.recipe, len(plan.examples)
    mined = f", {recipe.negatives} mined negative{'s' * (recipe.negatives > 1)} each" if recipe.negatives else ""
    one = recipe.freeze_layers == 1
    lower = "the lowest layer as it is" if one else f"the lower {recipe.freeze_layers} layers as they are"
    frozen = f", {lower}" if recipe.freeze_layers else ""
    return (
        f"recipe {recipe.recipe} for {count:,} pairs{mined}: batch {recipe.batch_size}, {recipe.told_epochs}, "
        f"learning rate {recipe.learning_rate:g}{frozen}"
    )


def _facts(plan: Plan, tuned: Tuned, base: Mapping[str, str]) -> dict[str, Any]:
    progress, dev = tuned.progress, tuned.dev
    return {
        "recipe": plan.recipe.recipe,
        "base": dict(base),
        "pairs": len(plan.examples),
        "queries": len(plan.examples.queries),
        "docs": len(plan.examples.docs),
        "negatives": len(plan.examples.negatives),
        "steps": progress.step,
        "stopped": progress.stopped,
        "token_budget": progress.token_budget,
        "best_step": progress.step if progress.best_step is None else progress.best_step,
        "best_dev": None if dev is None else progress.best_dev,
        "dev_measure": None if dev is None else str(dev.measure),
        "dev_queries": 0 if dev is None else len(dev.query_ids),
        "dev_docs": 0 if dev is None else len(dev.doc_ids),
        "share": tuned.share,
        "reached": tuned.reached,
        "shares": [asdict(point) for point in tuned.points],
    }


def _throughput(plan: Plan, progress: Progress) -> float:
    from lexitune.stages.train.tuning import count_steps

    steps, pairs = count_steps(plan.examples, plan.recipe)
    return round(pairs * progress.step / steps / max(progress.seconds, 1e-9), 2)


def _tell(tuned: Tuned, talk: Talk) -> None:
    progress = tuned.progress
    if tuned.dev is None or progress.best_step is None:
        return
    best = f"{tuned.dev.measure} {progress.best_dev:.2f}"
    if progress.best_step == 0:
        talk.say(f"no checkpoint beat the stock model on dev ({best}): its weights are kept")
        return
    stock = progress.curve[0]["dev"]
    near = f"; the stock model's {stock:.2f} is no better by more than chance" if progress.best_dev <= stock else ""
    talk.say(f"best on dev: step {progress.best_step} of {progress.step}, {best}{near}")
