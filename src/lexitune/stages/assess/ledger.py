"""The ledger: what reaches how far without training, all on the same queries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexitune.io.hits import Hits
from lexitune.io.vectors import Vectors, corpus_ids
from lexitune.metrics.measures import Measure
from lexitune.search.bm25 import BM25
from lexitune.search.exact import exact_search
from lexitune.search.filters import Allowed, allowed_docs
from lexitune.search.hybrid import cross_fuse
from lexitune.splits.grouped import groups_of
from lexitune.stages.assess.live import ServingVectors, have_unit_length
from lexitune.stages.assess.rivals import LocalModel, Rival, as_rival
from lexitune.types import Dataset, Qrels, Query, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["DEPTH", "RECALL", "SYSTEMS", "Ledger", "Stock", "keep_ledger", "nearest_answers"]

SYSTEMS = {
    "stock": "the stock model",
    "hybrid": "the hybrid of stock and BM25",
    "known": "stock with known queries in its index",
    "bm25": "BM25 alone",
}
"""What is always measured, as a sentence calls it."""

DEPTH = 100  # of the rankings that a hybrid is made of
NEAREST = 20  # known queries that answer a new one
BLOCK = 256  # queries: what is left out for a block is as many cells as their groups have
RECALL = Measure("R", 10)

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Stock:
    """The stock model's vectors, for whatever is to be made of them.

    Attributes:
        qrels: Judgements of the queries.
        query_ids: The order of `queries`.
        queries: float32 (len(query_ids), dim).
        corpus: All passages: stored vectors, or a matrix with its ids.
        groups: int64 (len(query_ids),): equal for queries that belong together, as in a split.
        fold_groups: Likewise, as apart as dev is from train: queries with a relevant passage in common belong together,
            too, unless most dev queries share one with train. Then what is asked later is about known passages as well.
        allowed: What each query may see; None: everything.
        normalise: Vectors have unit length.
    """

    qrels: Qrels
    query_ids: tuple[str, ...]
    queries: Matrix
    corpus: Vectors | tuple[Matrix, Sequence[str]]
    groups: NDArray[np.int64]
    fold_groups: NDArray[np.int64]
    allowed: Allowed | None
    normalise: bool


@dataclass(frozen=True, eq=False)
class Ledger:
    """Rankings, and what a query takes.

    Attributes:
        hits: `stock`, `bm25`, `hybrid` (of these two), `known` (stock with the answers of known queries), and other
            stock models by their names.
        query_ms: Milliseconds a query here, encoded and searched in batches; none where it is encoded elsewhere.
        bare: The stock model's ranking without its prompt before the queries; None where it has none.
        stock: The stock model's vectors.
    """

    hits: Mapping[str, Hits]
    query_ms: Mapping[str, float]
    bare: Hits | None
    stock: Stock


def keep_ledger(
    data: Dataset,
    qrels: Qrels,
    *,
    model: Embedder,
    others: Mapping[str, Embedder | Rival],
    live: ServingVectors | None = None,
    vectors: Path | None,
    seed: int,
    talk: Talk,
) -> Ledger:
    """Rank the passages for the queries of `qrels` by everything that needs no training.

    What has to be learnt from judgements is learnt from other queries than those it is measured on: how much BM25, or
    the answers of known queries, weigh, for each half of the queries from the other half.

    Args:
        others: Further stock models by name, or whoever else has vectors of these passages and queries.
        live: The index that serves, in the stock model's place.
        vectors: Folder of the encode cache; None: nothing is kept.

    Raises:
        ValueError: Another model has the name of a system.
    """
    if taken := SYSTEMS.keys() & others.keys():
        raise ValueError(f"other models may not be called {', '.join(sorted(taken))}")
    queries = [data.queries[query_id] for query_id in qrels]
    ids, allowed = tuple(qrels), allowed_docs(queries, data.docs)
    groups = _group_numbers(data, qrels, strict=False)
    fold_groups = groups if _asks_about_known_passages(data) else _group_numbers(data, qrels, strict=True)
    own: Rival = live or LocalModel(model, vectors=vectors)
    corpus = own.doc_vectors(data.docs, talk=talk)
    hits: dict[str, Hits] = {}
    seconds: dict[str, float] = {}
    with _timed("stock", seconds, here=own.encodes_here):
        encoded = own.query_vectors(queries, talk=talk)
        hits["stock"] = exact_search(encoded, corpus, DEPTH, query_ids=ids, allowed=allowed)
    # The maps of a pilot are fitted on the geometry that serves.
    unit = have_unit_length(encoded) if live else model.network.normalise
    stock = Stock(qrels, ids, encoded, corpus, groups, fold_groups, allowed, unit)
    for name, other in others.items():
        rival = as_rival(other, vectors=vectors)
        passages = rival.doc_vectors(data.docs, talk=talk)
        with _timed(name, seconds, here=rival.encodes_here):
            asked = rival.query_vectors(queries, talk=talk)
            hits[name] = exact_search(asked, passages, DEPTH, query_ids=ids, allowed=allowed)
    bare = _bare(model, queries, stock) if model.spec.query_prompt and live is None else None
    lexical = BM25.build(data.docs)
    with _timed("bm25", seconds):
        hits["bm25"] = lexical.search([query.text for query in queries], query_ids=ids, k=DEPTH, allowed=allowed)
    with _timed("known", seconds, here=own.encodes_here):
        known = nearest_answers(stock)
    for name, ranking in (("hybrid", hits["bm25"]), ("known", known)):
        hits[name], _ = cross_fuse(hits["stock"], ranking, qrels, DEPTH, measure=RECALL, seed=seed)
    if own.encodes_here:
        seconds["known"] += seconds["stock"]
        seconds["hybrid"] = seconds["stock"] + seconds["bm25"]
    return Ledger(hits, {name: 1000 * spent / len(ids) for name, spent in seconds.items()}, bare, stock)


def _bare(model: Embedder, queries: Sequence[Query], stock: Stock) -> Hits:
    """The ranking of queries without their prompt."""
    encoded = model.encode_queries([query.text for query in queries], bare=True)
    return exact_search(encoded, stock.corpus, DEPTH, query_ids=stock.query_ids, allowed=stock.allowed)


def nearest_answers(stock: Stock) -> Hits:
    """Passages by the most alike query that they are known to answer, of the queries of other groups at hand.

    Known queries stand in the index beside the passages, as it were, and lead to their answers.
    """
    allowed = stock.allowed
    ids = corpus_ids(stock.corpus)
    column = {doc_id: place for place, doc_id in enumerate(ids if allowed is None else allowed.doc_ids)}
    run: dict[str, dict[str, float]] = {}
    for place, (query_id, alike) in enumerate(_alike(stock)):
        mask = None if allowed is None else allowed.mask(place)
        scores: dict[str, float] = {}
        for known, score in alike:  # the most alike first: a doc's first score is its best
            for doc_id, grade in stock.qrels[known].items():
                if grade > 0 and doc_id in column and (mask is None or mask[column[doc_id]]):
                    scores.setdefault(doc_id, score)
        run[query_id] = scores
    return Hits.from_run(run)


def _alike(stock: Stock) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """Each query with the queries of other groups that are most like it, a block at a time."""
    order = np.argsort(stock.groups, kind="stable")
    sorted_groups = stock.groups[order]
    for start in range(0, len(order), BLOCK):
        groups = stock.groups[start : start + BLOCK]
        first, last = (np.searchsorted(sorted_groups, groups, side=side) for side in ("left", "right"))
        own = [order[low:high] for low, high in zip(first, last, strict=True)]
        ids = stock.query_ids[start : start + BLOCK]
        hits = exact_search(
            stock.queries[start : start + BLOCK],
            (stock.queries, stock.query_ids),
            min(NEAREST, len(stock.query_ids)),
            query_ids=ids,
            exclude=(np.repeat(np.arange(len(ids)), [len(one) for one in own]), np.concatenate(own)),
        )
        yield from ((query_id, hits.run(query_id)) for query_id in ids)


def _asks_about_known_passages(data: Dataset) -> bool:
    """Whether most dev queries have a relevant passage that some train query has: test is split as dev is."""
    known = {doc for docs in data.qrels.get("train", {}).values() for doc, grade in docs.items() if grade > 0}
    dev = [{doc for doc, grade in docs.items() if grade > 0} for docs in data.qrels.get("dev", {}).values()]
    return 2 * sum(not docs.isdisjoint(known) for docs in dev) > len(dev)


def _group_numbers(data: Dataset, qrels: Qrels, *, strict: bool) -> NDArray[np.int64]:
    row = {query_id: place for place, query_id in enumerate(qrels)}
    numbers = np.empty(len(row), dtype=np.int64)
    for number, group in enumerate(groups_of(qrels, data.queries, docs=data.docs, strict=strict)):
        numbers[[row[query_id] for query_id in group]] = number
    return numbers


@contextmanager
def _timed(name: str, seconds: dict[str, float], *, here: bool = True) -> Iterator[None]:
    """Keep how long it took; not where queries are encoded elsewhere, for what that takes is not known."""
    start = time.perf_counter()
    yield
    if here:
        seconds[name] = time.perf_counter() - start
