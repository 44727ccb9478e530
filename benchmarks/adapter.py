"""The query adapter against the full fine-tune: seconds of training, and recall@10 on test, on the same pairs.

    python -m benchmarks.adapter [--json] [--sets tldr,tatqa,mitre-attack] [--pairs 5000] [--work adapter-work]

Each set walks the journey twice in a workspace of its own, with the recipe `adapter` and with the default one: train,
re-embed, evaluate. The adapter's seconds are those of its training with all vectors given, dev evaluations included,
the median of the rounds; `end_to_end_s` are those of the whole stage, which encodes queries, and passages unless they
are there. The fine-tune's seconds are those of its whole stage. What re-embedding took stands beside both: for the
adapter nothing but the sample that is checked.

A set's row is added to WORK/rows.jsonl as soon as it is measured, and a row that is there is not measured again; what
a kill interrupted goes on from its checkpoints. `ours` is the adapter, `peer` the fine-tune, `ratio` how many times
longer the fine-tune trained, over the sets. `agreement` is the share of the fine-tune's gain that the adapter has.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import SETS, arguments, hardware, minilm_folder, real_set, show
from benchmarks.rows import Row, add_row, find_row, read_rows
from benchmarks.sample import WHOLE, cut
from lexitune.io.dataset import open_data
from lexitune.io.options import DataOptions
from lexitune.io.workspace import Workspace, read_meta
from lexitune.models.corpus import encode_corpus
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline.data import import_data
from lexitune.stages.evaluate.driver import run as evaluate
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.reembed.driver import run as reembed
from lexitune.stages.train.adapter import fit_map, make_task
from lexitune.stages.train.driver import run as train
from lexitune.stages.train.examples import gather_examples
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import settle
from lexitune.types import Dataset, Silent

ADAPTER, DEFAULT = TrainOptions(recipe="adapter"), TrainOptions()
RECALL = "R@10"


def main() -> None:
    """Measure each set that has no row yet."""
    parser = arguments("The query adapter against the full fine-tune")
    parser.add_argument("--sets", default="tldr,tatqa,mitre-attack", help=f"of {', '.join(SETS)}")
    parser.add_argument("--pairs", type=int, default=5_000, help="most training pairs of a set (default 5,000)")
    parser.add_argument("--docs", type=int, default=WHOLE, help="most passages of a set (default: all)")
    parser.add_argument("--queries", type=int, default=WHOLE, help="most dev and test queries each (default: all)")
    parser.add_argument("--work", type=Path, default=Path("adapter-work"), help="folder of workspaces and rows")
    given = parser.parse_args()
    threads = given.threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    rows: dict[str, Row] = {}
    for name in given.sets.split(","):
        key = {"set": name, "pairs": given.pairs, "docs": given.docs, "queries": given.queries, "threads": threads}
        found = find_row(read_rows(given.work / "rows.jsonl"), key)
        rows[name] = found or measure(given.work, key, rounds=given.rounds)
    told = {**summary(list(rows.values())), "rounds": given.rounds, "sets": rows}
    show({**told, "hardware": hardware(threads)}, as_json=given.json)


def measure(work: Path, key: Mapping[str, Any], *, rounds: int) -> Row:
    """One set, both recipes; its row is added to the file."""
    name, size = key["set"], {what: key[what] for what in ("pairs", "docs", "queries")}
    workspace = Workspace(work / "-".join([name, *(str(count) for count in size.values() if count != WHOLE)]))
    if not workspace.dataset.exists():
        import_data(workspace, cut(real_set(name), work, **size), options=DataOptions(allow_leaks=True))
    model = ModelOptions(model=str(minilm_folder()), device="cpu")
    data = open_data(workspace)
    fitted = fit_seconds(data, workspace, model, rounds=rounds)
    adapter = walk(workspace, model, ADAPTER)
    full = walk(workspace, model, DEFAULT)
    del full["stock"]
    row: Row = {
        **key,
        "train_pairs": sum(map(len, data.qrels["train"].values())),
        "corpus": len(data.docs),
        "stock": adapter.pop("stock"),
        "adapter": {"seconds": fitted, **adapter},
        "full": {"seconds": full["end_to_end_s"], **full},
    }
    return add_row(row, work / "rows.jsonl")


def fit_seconds(data: Dataset, workspace: Workspace, options: ModelOptions, *, rounds: int) -> float:
    """Wall seconds of the adapter's training, its dev evaluations included, with all vectors given."""
    model = load(options=options)
    corpus = encode_corpus(model, data.docs, workspace.vectors)
    recipe = settle(ADAPTER, token_budget=model.token_budget)
    examples = gather_examples(data, data.qrels["train"])
    task, _ = make_task(model, data, examples, corpus=corpus, recipe=recipe)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        fit_map(task, recipe=recipe, talk=Silent())
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def walk(workspace: Workspace, model: ModelOptions, options: TrainOptions) -> Row:
    """Train, re-embed and evaluate: seconds, test recall with its interval, and the gain over stock with its own."""
    folder = train(workspace, model=model, options=options)
    meta = read_meta(folder)
    assert meta is not None
    start = time.perf_counter()
    reembed(workspace, model_id=folder.name, model=model)
    reembedded = time.perf_counter() - start
    found = evaluate(workspace, model_id=folder.name, model=model, options=EvaluateOptions(cosine_audit=False))
    delta = found.comparison.delta(RECALL)
    return {
        "end_to_end_s": meta.cost_s,
        "reembed_s": reembedded,
        "stock": asdict(found.systems["stock"].interval(RECALL)),
        RECALL: asdict(found.systems["tuned"].interval(RECALL)),
        "gain": {"mean": delta.mean, "low": delta.low, "high": delta.high, "p": delta.p},
    }


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """What every benchmark's object has, over the sets."""
    ratios = [row["full"]["seconds"] / row["adapter"]["seconds"] for row in rows]
    return {
        **{
            side: {
                "seconds": statistics.median(row[name]["seconds"] for row in rows),
                RECALL: statistics.mean(row[name][RECALL]["mean"] for row in rows),
            }
            for side, name in (("ours", "adapter"), ("peer", "full"))
        },
        "stock": {RECALL: statistics.mean(row["stock"]["mean"] for row in rows)},
        "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
        "agreement": {
            row["set"]: row["adapter"]["gain"]["mean"] / row["full"]["gain"]["mean"]
            for row in rows
            if row["full"]["gain"]["mean"] > 0
        },
    }


if __name__ == "__main__":
    main()
