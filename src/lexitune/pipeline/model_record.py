"""One model with all that is on record about it: what made it, what it learnt from, what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.fingerprint import sha256_file
from lexitune.io.dataset import open_data, read_record
from lexitune.io.learnt import DOC, Learnt, read_learnt
from lexitune.io.workspace import Meta, Workspace, read_meta, read_object
from lexitune.models.options import ModelOptions
from lexitune.pipeline.models import ModelEntry, dev_figures, list_models
from lexitune.stages.promote.switch import Event, events
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import RECIPES, settle
from lexitune.stages.train.training import hash_data

__all__ = ["CHANGED", "INTACT", "UNKNOWN", "ModelRecord", "docs_of", "read_model"]

INTACT, CHANGED, UNKNOWN = "intact", "changed", "not known"

FILES = {
    "corpus": "corpus.jsonl",
    "queries": "queries.jsonl",
    "train": "qrels/train.tsv",
    "dev": "qrels/dev.tsv",
    "weights": "qrels/train.weights.tsv",
    "mined": "examples.parquet",
}
"""Input of a training, as its record names it -> the file of the workspace that it is read from."""

TOLD = ("batch_size", "epochs", "learning_rate")  # always worth a line: the recipe takes them from the data


@dataclass(frozen=True)
class ModelRecord:
    """What is known of one tuned model.

    Args:
        entry: What the list shows of it.
        base: Where training started: name, source, revision, fingerprint.
        counts: Pairs, queries, docs and mined negatives that were trained on.
        learnt: How many ids of each kind and role its record has; None: it has none.
        data: Input -> `{hash, file, same}`; `same` says whether the workspace's data are still those, None where that
            cannot be told.
        options: Values that are not the recipe's own, and those it takes from the data.
        share: Of the trained weights in those of the model; the rest is stock.
        dev: `{measure, queries, stock, tuned}`, or None.
        state: "intact", "changed" or "not known"; `checked` says by what: "files", or "weights" of an older model,
            whose files were not hashed; `changed` names what is another now.
        events: The switches that this model came or went by.
    """

    entry: ModelEntry
    base: Mapping[str, str]
    licence: str
    fingerprint: str
    seed: int | None
    seconds: float
    pounds: float
    counts: Mapping[str, int]
    learnt: Mapping[str, int] | None
    data: Mapping[str, Mapping[str, Any]]
    source: str
    options: Mapping[str, Any]
    share: float | None
    dev: Mapping[str, Any] | None
    reasons: Sequence[str]
    state: str
    checked: str
    changed: Sequence[str]
    versions: Mapping[str, str]
    events: Sequence[Event]

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `json.dumps` takes."""
        return asdict(self)


def read_model(workspace: Workspace, model_id: str) -> ModelRecord:
    """Everything on record about one model; every file of it is read once, to see whether it is still the same.

    Args:
        model_id: As `find_model` gives it.

    Raises:
        DataError: It has no record, or one that cannot be read.
    """
    folder = workspace.models / model_id
    meta = read_meta(folder)
    if meta is None or meta.stage != "train":
        fix = f"lexitune models rm {model_id}, and train again"
        raise DataError("E3206", f"{folder} has no record of a training: no meta.json that can be read", fix=fix)
    card, outputs = read_object(folder / "lexitune.json"), meta.outputs
    base = {**outputs.get("base", {}), "revision": _revision(card, outputs)}
    state, changed = _state(folder, meta)
    data, source = _data(workspace, meta)
    return ModelRecord(
        entry=next(entry for entry in list_models(workspace) if entry.model_id == model_id),
        base=base,
        licence=card.get("spec", {}).get("licence", ""),
        fingerprint=card.get("fingerprint", ""),
        seed=meta.seed,
        seconds=meta.cost_s,
        pounds=meta.cost_s / 3600 * float(outputs.get("hourly_rate", 0.0)),
        counts={name: outputs[name] for name in ("pairs", "queries", "docs", "negatives") if name in outputs},
        learnt=_counted(read_learnt(folder)),
        data=data,
        source=source,
        options=_own_options(meta),
        share=outputs.get("share"),
        dev=_dev(meta),
        reasons=read_object(workspace.verdicts / f"{model_id}.json").get("reasons", []),
        state=state,
        checked="files" if "files" in outputs else "weights",
        changed=changed,
        versions=meta.versions,
        events=[
            event for event in events(workspace) if f"models/{model_id}" in (event.serves.model, event.before.model)
        ],
    )


def docs_of(workspace: Workspace, model_id: str) -> list[str]:
    """The ids of all docs that a model learnt from, also by way of the models before it; in code-point order.

    Raises:
        DataError: It has no record of them.
    """
    folder = workspace.models / model_id
    rows = read_learnt(folder)
    if rows is None:
        # Equal data and options give an equal id, and a model that is there is not made again.
        fix = f"lexitune models rm {model_id}, then lexitune train makes it anew, with that record"
        raise DataError("E3206", f"{folder} has no record of what it learnt from", fix=fix)
    return sorted({row.id for row in rows if row.kind == DOC})


def _revision(card: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
    # The card names the first of all models; where training started from a tuned one, its revision is none of that.
    first = card.get("base", {})
    return str(first.get("revision", "")) if first.get("name") == outputs.get("base", {}).get("name") else ""


def _counted(rows: Sequence[Learnt] | None) -> dict[str, int] | None:
    """
    >>> _counted([Learnt("doc", "d1", "pair"), Learnt("doc", "d2", "pair"), Learnt("model", "m", "unknown", "m")])
    {'doc pair': 2, 'model unknown through m': 1}
    """
    if rows is None:
        return None
    return dict(Counter(f"{row.kind} {row.role}{f' through {row.through}' * bool(row.through)}" for row in rows))


def _data(workspace: Workspace, meta: Meta) -> tuple[dict[str, dict[str, Any]], str]:
    """The hashes of what was trained on; and where the data came from, where they are still the same."""
    try:
        now, source = hash_data(open_data(workspace)), read_record(workspace).get("source", {}).get("path", "")
    except DataError:
        now, source = {}, ""
    found = {}
    for name, digest in meta.inputs.items():
        if name == "model":
            continue
        same = None if name not in now else now[name] == digest
        found[name] = {"hash": digest, "file": FILES.get(name, str(meta.options.get(name, ""))), "same": same}
    return found, source if all(one["same"] is not False for one in found.values()) else ""


def _own_options(meta: Meta) -> dict[str, Any]:
    """Values that differ from the recipe's own. How many layers stay as they are goes by the data, so it is told."""
    usual: dict[str, Any] = {}
    if (recipe := str(meta.options.get("recipe", ""))) in RECIPES:
        settled = settle(TrainOptions(recipe=recipe), token_budget=0)
        usual = {one.name: getattr(settled, one.name) for one in fields(settled)}
    usual = {**usual, "freeze_layers": 0, "matryoshka": list(usual.get("matryoshka", ()))}
    told = {name: meta.options[name] for name in TOLD if name in meta.options}
    other = {
        name: value
        for name, value in meta.options.items()
        if name not in ("recipe", "seed", *TOLD) and value != usual.get(name)
    }
    return told | other


def _dev(meta: Meta) -> dict[str, Any] | None:
    figures = dev_figures(meta)
    if figures is None:
        return None
    measure, queries = meta.outputs.get("dev_measure"), meta.outputs.get("dev_queries")
    return {"measure": measure, "queries": queries, "stock": figures[0], "tuned": figures[1]}


def _state(folder: Path, meta: Meta) -> tuple[str, list[str]]:
    """Whether the folder is what training left, by its files; of an older model by its weights and tokenizer."""
    recorded = meta.outputs.get("files")
    if recorded is not None:
        changed = [name for name, digest in recorded.items() if not _is(folder / name, digest)]
        return (CHANGED if changed else INTACT), changed
    from lexitune.models.load import load

    try:
        load(str(folder), options=ModelOptions(device="cpu"))
    except DataError as error:
        return (CHANGED if error.code == "E3206" else UNKNOWN), [error.problem]
    return INTACT, []


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and sha256_file(path) == digest
