"""What 1,000 pairs of each source are worth: simulated clicks, what people judged, pairs made of the passages.

    python -m benchmarks.sources [--json] [--sets tldr,mitre-attack,tatqa] [--pairs 1000] [--seed 1]

Clicks are of a simulated log (`benchmarks/clicks/users.py`), by clicks over expected clicks. The set's own train pairs,
of queries that no simulated user asks, stand for experts. Pseudo-pairs are made of the corpus by `lexitune collect
docs`' own rules; what they mask is masked while they teach, and the corpus is searched as it is. The default recipe
trains on each and on all, weighed as `lexitune collect resolve` weighs them; no training sees a dev or test query, and
gains are over the stock model on the same test queries.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clicks.trained import RECALL, measured, pairs_of
from benchmarks.harness import arguments, hardware, real_set, show
from benchmarks.sample import draw, opened
from lexitune.metrics.statistics import paired_t
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.sources.documents.options import DocsOptions
from lexitune.sources.documents.passages import Passage
from lexitune.sources.documents.pseudo import make_pairs
from lexitune.sources.resolve import resolve
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import train
from lexitune.types import Dataset, Doc, Judgement, Qrels, Query

SETS = ("tldr", "mitre-attack", "tatqa")
ASKED = 2_000  # train queries that the simulated users ask, at most half of all
EVENTS = 300_000


@dataclass(frozen=True, eq=False)
class Source:
    """Judgements of one source, with queries and passages of its own where it has any."""

    judgements: Sequence[Judgement]
    queries: Mapping[str, Query]
    docs: Sequence[Doc] = ()


def main() -> None:
    """Train on each source and on all, set by set."""
    parser = arguments("Clicks, people's judgements and pseudo-pairs, as many of each")
    parser.add_argument("--sets", default=",".join(SETS), help=f"retrieval sets (default {','.join(SETS)})")
    parser.add_argument("--pairs", type=int, default=1_000, help="train pairs of each source (default 1,000)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found = {}
    for name in given.sets.split(","):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = compare(real_set(name), pairs=given.pairs, seed=given.seed, folder=Path(folder))
        sys.stderr.write(f"{name}: {found[name]}\n")
    show({"pairs": given.pairs, "sets": found, "hardware": hardware(given.threads)}, as_json=given.json)


def compare(data: Dataset, *, pairs: int, seed: int, folder: Path) -> dict[str, Any]:
    """Each source's gain on one set, and that of all together."""
    test = opened(data, folder)
    stock = measured(data, test, "minilm", folder)
    sources = make_sources(data, pairs=pairs, seed=seed, folder=folder)
    rows: dict[str, Any] = {"stock": asdict(stock.interval(RECALL))}
    for name, some in [*((name, [one]) for name, one in sources.items()), ("all", list(sources.values()))]:
        queries = {**data.queries, **{key: query for one in some for key, query in one.queries.items()}}
        docs = [*data.docs, *(doc for one in some for doc in one.docs)]
        learnt = resolve([judgement for one in some for judgement in one.judgements], queries)
        own = Dataset(docs, {**queries, **learnt.queries}, {"train": learnt.qrels})
        options, out = TrainOptions(seed=seed), folder / name
        model = load(options=ModelOptions(model="minilm"))
        train(own, model=model, out=out, weights=learnt.weights, options=options)
        report = measured(data, test, str(out), folder)
        rows[name] = {
            "pairs": sum(map(len, learnt.qrels.values())),
            str(RECALL): report.mean(RECALL),
            "gain": asdict(paired_t(report.values(RECALL) - stock.values(RECALL))),
        }
        sys.stderr.write(f"{name}: {rows[name]}\n")
    return rows


def make_sources(data: Dataset, *, pairs: int, seed: int, folder: Path) -> dict[str, Source]:
    """As many pairs of each."""
    truth = data.qrels["train"]
    sides = pairs_of(data, queries=min(ASKED, len(truth) // 2), events=EVENTS, seed=seed, folder=folder / "log")
    asked = sides["judged"]
    others = {query_id: docs for query_id, docs in truth.items() if query_id not in asked}
    return {
        "clicks": Source(_said(draw(sides["coec"], pairs, each_pair=True, seed=seed), "click:simulated"), data.queries),
        "people": Source(_said(draw(others, pairs, each_pair=True, seed=seed), "expert"), data.queries),
        "pseudo": make_pseudo(data, pairs=pairs, seed=seed),
    }


def make_pseudo(data: Dataset, *, pairs: int, seed: int) -> Source:
    """Pairs made of the passages, each a document with its title for a heading; those that are masked get other ids."""
    passages = [
        Passage(doc.doc_id, 0, len(doc.text), doc.text, path, path, "")
        for doc in data.docs
        for path in [(doc.title,) if doc.title else ()]
    ]
    options = DocsOptions()
    made = make_pairs(passages, kinds=options.pairs.split(","), most=options.pairs_per_document, seed=seed)
    order = np.random.default_rng(seed).permutation(len(made.judgements))[:pairs]
    chosen = [made.judgements[place] for place in order.tolist()]
    of_id = {doc.doc_id: doc for doc in made.docs}
    docs = {one.doc_id: replace(of_id[one.doc_id], doc_id=f"{one.doc_id}#") for one in chosen}
    return Source([replace(one, doc_id=f"{one.doc_id}#") for one in chosen], made.queries, list(docs.values()))


def _said(qrels: Qrels, source: str) -> list[Judgement]:
    return [
        Judgement(query_id, doc_id, grade, source)
        for query_id, docs in qrels.items()
        for doc_id, grade in docs.items()
        if grade > 0
    ]


if __name__ == "__main__":
    main()
