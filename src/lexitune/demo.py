"""The demo: the whole journey on the interpreter's own library, with a real model and nothing to download."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexitune.fingerprint import hash_texts
from lexitune.io.atomic import replace_text
from lexitune.io.options import DataOptions
from lexitune.io.workspace import Meta, Workspace, is_finished, write_meta
from lexitune.models.options import ModelOptions
from lexitune.pipeline.outcome import TuneOutcome, interval_text
from lexitune.pipeline.pylib import DEMO_SEED, Function, as_dataset_parts, documented_functions, library_folder
from lexitune.pipeline.sections import SECTIONS
from lexitune.pipeline.tune import run as tune
from lexitune.types import Dataset, SealedQrels, Silent, Talk

if TYPE_CHECKING:
    from lexitune.metrics.statistics import Interval
    from lexitune.models.embedder import Embedder
    from lexitune.stages.train.options import TrainOptions

__all__ = ["demo_data", "run"]

MODEL = "minilm"
MAX_LENGTH = 128  # tokens: 71 % of the functions are whole; see docs/decisions.md
SPLIT = DataOptions(split_seed=DEMO_SEED)
SHARE_WITHOUT_BF16 = 0.3  # of the training pairs, where the processor would take several times as long
WITH_DEV = 1.5  # times what the training alone takes, estimated
OTHER_S = 45  # seconds for what neither trains nor encodes, estimated
NEXT = "lexitune tune pairs.csv --corpus docs.jsonl"


def run(folder: Path, *, talk: Talk | None = None, model: str = MODEL) -> TuneOutcome:
    """Tune a stock model on Python's own library and measure what it gains.

    Args:
        folder: The workspace. A demo that was cut off goes on; one that is finished is read back.
        model: The stock model's name, folder or Hub id; by default the one that the extra `demo` brings.

    Raises:
        LexituneError: The model is missing, or the folder holds other data.
    """
    from lexitune.models.load import load
    from lexitune.pipeline.data import import_data
    from lexitune.settings import write_toml

    talk, workspace = talk or Silent(), Workspace(folder)
    options = ModelOptions(model=model, max_length=MAX_LENGTH)
    embedder = load(options=options, talk=talk)
    functions = documented_functions(library_folder())
    quick = embedder.precision == "bf16"
    given = {"model": options, "train": SECTIONS["train"](recipe="default" if quick else "fast")}
    sections = {name: kind() for name, kind in SECTIONS.items()} | given | {"data": SPLIT}
    data = demo_data(functions, train_share=1.0 if quick else SHARE_WITHOUT_BF16)
    _introduce(data, embedder, training=sections["train"], quick=quick, talk=talk)
    with workspace.lock():
        import_data(workspace, data, options=SPLIT, talk=Silent(), config=write_toml(SECTIONS, given))
        unmasked = _measure_unmasked(workspace, data, functions, embedder=embedder, talk=talk)
        talk.say(
            f"Before masking, the stock model found {interval_text(unmasked)} of them in its first ten: "
            "a name gives its function away."
        )
        outcome = tune(workspace, None, sections=sections, talk=talk)
    lines = [*outcome.lines, "This is one small model on code; your gain will differ."]
    return replace(outcome, lines=lines, next_command=NEXT, facts={"stock_unmasked": {"R@10": asdict(unmasked)}})


def demo_data(functions: list[Function], *, train_share: float = 1.0) -> Dataset:
    """The library as a data set, split by file. `train_share` keeps that share of the training queries, seeded."""
    from lexitune.splits.grouped import split_by_group

    docs, queries, qrels = as_dataset_parts(functions)
    splits = split_by_group(
        qrels, queries, docs=docs, dev_share=SPLIT.dev_share, test_share=SPLIT.test_share, seed=SPLIT.split_seed
    )
    train, test = splits["train"], splits["test"]
    if train_share < 1:
        kept = random.Random(DEMO_SEED).sample(sorted(train), round(train_share * len(train)))
        train = {query_id: train[query_id] for query_id in kept}
    return Dataset(docs, queries, {"train": train, "dev": splits["dev"]}, SealedQrels(None, len(test), test))


def _introduce(data: Dataset, embedder: Embedder, *, training: TrainOptions, quick: bool, talk: Talk) -> None:
    import torch

    tests = data.test.judgements or {} if data.test else {}
    pairs = sum(len(judged) for split in (*data.qrels.values(), tests) for judged in split.values())
    million = embedder.network.weight_count / 1e6
    talk.say(f"Demo: Python's own library. {pairs:,} pairs, split by file. No data leaves here.")
    talk.say(
        f"Machine: {torch.get_num_threads()} cores, {embedder.precision}. "
        f"Model: {embedder.spec.name} ({million:.0f}M). About {_estimate_min(data, embedder, training)} min."
    )
    if not quick:
        talk.say(
            f"This processor does not compute in bf16: {SHARE_WITHOUT_BF16:.0%} of the training pairs are used, "
            "and the upper half of the layers learns."
        )


def _estimate_min(data: Dataset, embedder: Embedder, training: TrainOptions) -> int:
    """Minutes, from the rate on a sample: the corpus is encoded three times, and the training evaluates dev."""
    from lexitune.pipeline.passing import measure_pace

    pace = measure_pace(data, embedder, training)
    seconds = 3 * len(data.docs) * pace.doc + WITH_DEV * pace.training(len(data.qrels["train"])) + OTHER_S
    return max(1, round(seconds / 60))


def _measure_unmasked(
    workspace: Workspace, data: Dataset, functions: list[Function], *, embedder: Embedder, talk: Talk
) -> Interval:
    """R@10 of the stock model with the functions' names left in, on the queries that assess measures."""
    from lexitune.metrics.measures import measure_hits, parse_measures
    from lexitune.metrics.statistics import Interval
    from lexitune.search.exact import exact_search
    from lexitune.stages.assess.assessment import sample_queries

    docs = as_dataset_parts(functions, masked=False)[0]
    texts = [doc.full_text for doc in docs]
    path = workspace.reports / "unmasked.json"
    options: Mapping[str, Any] = asdict(SECTIONS["assess"]())
    inputs = {"model": embedder.fingerprint, "docs": hash_texts(texts)}
    if is_finished(path, stage="unmasked", inputs=inputs, options=options):
        return Interval(**json.loads(path.read_text(encoding="utf-8")))
    qrels, _ = sample_queries(data, most=options["max_queries"], seed=options["seed"])
    vectors = embedder.encode_docs(texts, talk=talk, stage="with their names")
    queries = embedder.encode_queries([data.queries[query_id].text for query_id in qrels])
    hits = exact_search(queries, (vectors, [doc.doc_id for doc in docs]), 10, query_ids=list(qrels))
    found = measure_hits(hits, qrels, parse_measures("R@10")).interval("R@10")
    replace_text(path, json.dumps(asdict(found)) + "\n")
    write_meta(path, Meta("unmasked", options, inputs))
    return found
