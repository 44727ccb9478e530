"""The guard: what a training on one set takes from the others, which stand for text outside its field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from benchmarks.harness import SETS, real_set
from benchmarks.sample import draw
from lexitune.metrics.measures import Measure, measure_hits
from lexitune.metrics.report import Report
from lexitune.models.embedder import Embedder
from lexitune.search.exact import exact_search
from lexitune.types import Doc, Qrels, Query

__all__ = ["before_averaging", "guard_of", "guard_set", "measure_pool"]

NDCG = Measure("nDCG", 10)
QUERIES, OTHERS = 40, 60  # of each set: dev queries, and passages that answer none of them


def guard_set(left_out: str) -> tuple[list[Query], list[Doc], Qrels]:
    """Dev queries of all sets but one, with their passages and some others, in one pool."""
    queries, docs, qrels = [], [], {}
    for name in SETS:
        if name == left_out:
            continue
        data = real_set(name)
        judged = draw(data.qrels["dev"], QUERIES, each_pair=False)
        wanted = {doc_id for grades in judged.values() for doc_id in grades}
        others = np.random.default_rng(13).permutation(len(data.docs))[:OTHERS]
        chosen = {data.docs[row].doc_id for row in others} | wanted
        docs += [Doc(f"{name}:{doc.doc_id}", doc.text, doc.title) for doc in data.docs if doc.doc_id in chosen]
        for query_id, grades in judged.items():
            queries.append(Query(f"{name}:{query_id}", data.queries[query_id].text))
            qrels[queries[-1].query_id] = {f"{name}:{doc_id}": grade for doc_id, grade in grades.items()}
    return queries, docs, qrels


def guard_of(model: Embedder, held: tuple[list[Query], list[Doc], Qrels]) -> dict[str, Any]:
    """nDCG@10 of a model on the guard, with its interval."""
    return asdict(measure_pool(model, *held, measure=NDCG).interval(NDCG))


def measure_pool(
    model: Embedder, queries: Sequence[Query], docs: Sequence[Doc], qrels: Qrels, *, measure: Measure
) -> Report:
    """A model on these queries and all of these passages, by exact search."""
    vectors = model.encode_docs([doc.full_text for doc in docs])
    hits = exact_search(
        model.encode_queries([query.text for query in queries]),
        (vectors, [doc.doc_id for doc in docs]),
        measure.cutoff,
        query_ids=[query.query_id for query in queries],
    )
    return measure_hits(hits, qrels, [measure])


def before_averaging(tuned: Embedder, stock: Embedder, *, share: float) -> None:
    """Give `tuned`, which is `share` of the way from stock to trained, the trained weights."""
    with torch.no_grad():
        for one, start in zip(tuned.network.parameters(), stock.network.parameters(), strict=True):
            one.copy_(start + (one - start) / share)
    tuned.network.refresh()
