"""Does a model learn more from corrected clicks than from raw ones? Judged by the set's own test judgements.

    python -m benchmarks.clicks.trained [--json] [--set tldr] [--events 1000000] [--pairs 1000] [--seed 1]

One simulated log (`benchmarks/clicks/users.py`) gives train pairs four times: by clicks over expected clicks, by the
position-based model, as many by the most clicks, and as many of the set's own right pairs of the queries that were
asked. The default recipe trains on each; dev and test are the set's own. Differences are of the same test queries.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clicks.users import make_world, simulate, write_log
from benchmarks.harness import SETS, arguments, hardware, real_set, show
from benchmarks.sample import draw, opened
from lexitune.io.beir import made_id
from lexitune.metrics.measures import measure_hits, parse_measures
from lexitune.metrics.report import Report
from lexitune.metrics.statistics import paired_t
from lexitune.models.corpus import encode_corpus
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.search.exact import exact_search
from lexitune.sources.clicks.judging import Votes, lift_of, right_pairs
from lexitune.sources.clicks.log import read_votes
from lexitune.sources.clicks.options import LogsOptions
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import train
from lexitune.types import Dataset, Qrels

(RECALL,) = parse_measures("R@10")
COMPARED = (("coec", "raw"), ("position", "raw"), ("coec", "stock"), ("position", "coec"), ("judged", "coec"))


def main() -> None:
    """Train on each, and compare."""
    parser = arguments("Models trained on corrected and on raw clicks")
    parser.add_argument("--set", default="tldr", choices=SETS, help="the set they search (default tldr)")
    parser.add_argument("--queries", type=int, default=2_000, help="train queries that are asked (default 2,000)")
    parser.add_argument("--events", type=int, default=1_000_000, help="click events (default 1,000,000)")
    parser.add_argument("--pairs", type=int, default=1_000, help="train pairs of each side (default 1,000)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    data = real_set(given.set)
    with tempfile.TemporaryDirectory() as folder:
        sides = pairs_of(data, queries=given.queries, events=given.events, seed=given.seed, folder=Path(folder))
        test = opened(data, Path(folder))
        reports = {"stock": measured(data, test, "minilm", Path(folder))}
        found: dict[str, Any] = {}
        for name, qrels in sides.items():
            drawn = draw(qrels, given.pairs, each_pair=True, seed=given.seed)
            truth = data.qrels["train"]
            right = [truth[query_id].get(doc_id, 0) > 0 for query_id, docs in drawn.items() for doc_id in docs]
            out = Path(folder) / name
            stock, options = load(options=ModelOptions(model="minilm")), TrainOptions(seed=given.seed)
            train(replace(data, qrels={**data.qrels, "train": drawn}), model=stock, out=out, options=options)
            reports[name] = measured(data, test, str(out), Path(folder))
            found[name] = {"pairs": len(right), "precision": round(float(np.mean(right)), 4)}
            sys.stderr.write(f"{name}: {found[name]}, {reports[name].mean(RECALL):.4f}\n")
    rows = {
        name: {**found.get(name, {}), str(RECALL): asdict(report.interval(RECALL))} for name, report in reports.items()
    }
    gains = {
        f"{one} - {other}": asdict(paired_t(reports[one].values(RECALL) - reports[other].values(RECALL)))
        for one, other in COMPARED
    }
    show({"set": given.set, **rows, "differences": gains, "hardware": hardware(given.threads)}, as_json=given.json)


def pairs_of(data: Dataset, *, queries: int, events: int, seed: int, folder: Path) -> dict[str, Qrels]:
    """Train judgements of each side, with the set's query ids."""
    world = make_world(data, most=queries, seed=seed)
    log = write_log(world, simulate(world, 50 * events, seed=seed), folder, most_events=events)
    votes = read_votes(log.paths, folder=folder, options=LogsOptions()).votes
    made = [made_id("q", " ".join(text.split())) for text in world.queries]
    ids = dict(zip(made, world.query_ids, strict=True))
    found = {}
    for model in ("coec", "position"):
        options = LogsOptions(correction=model)
        found[model] = _qrels(votes, right_pairs(votes, lift_of(votes.counts, options)[0], options), ids)
    most = np.argsort(-votes.counts.of_pair(votes.counts.clicked), kind="stable")
    found["raw"] = _qrels(votes, most[: sum(map(len, found["coec"].values()))].tolist(), ids)
    found["judged"] = {query_id: data.qrels["train"][query_id] for query_id in world.query_ids}
    return found


def _qrels(votes: Votes, pairs: list[int], ids: Mapping[str, str]) -> Qrels:
    found: dict[str, dict[str, int]] = {}
    for pair in pairs:
        query_id = ids[votes.query_ids[int(votes.text[pair])]]
        found.setdefault(query_id, {})[votes.doc_ids[int(votes.doc[pair])]] = 1
    return found


def measured(data: Dataset, test: Qrels, model: str, folder: Path) -> Report:
    """A model on the test queries."""
    embedder = load(options=ModelOptions(model=model))
    vectors = encode_corpus(embedder, data.docs, folder / "vectors")
    query_ids = sorted(test)
    asked = embedder.encode_queries([data.queries[query_id].text for query_id in query_ids])
    hits = exact_search(asked, vectors, 100, query_ids=query_ids)
    return measure_hits(hits, test, [RECALL], split="test")


if __name__ == "__main__":
    main()
