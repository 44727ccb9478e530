"""The pilot: a linear map on the stock model's vectors, for a first sign of what a tune would gain.

The vectors are there from the ledger. So a map takes seconds where a tune takes minutes or hours, and each query can be
measured with one that was trained without it, and without any query that shares a relevant passage with it, where
dev and train share none either.
"""

from __future__ import annotations

import time
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from lexitune.io.hits import Hits
from lexitune.io.vectors import Vectors, corpus_rows
from lexitune.metrics.measures import measure_hits
from lexitune.metrics.statistics import t_interval
from lexitune.models.adapter import Matrix, adapt
from lexitune.search.exact import exact_search
from lexitune.search.hybrid import cross_fuse
from lexitune.stages.assess.expected import Pilot
from lexitune.stages.assess.ledger import DEPTH, RECALL, Ledger, Stock
from lexitune.stages.train.adapter import MapTask, fit_map
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import settle
from lexitune.types import Silent

__all__ = ["run_pilot"]

FOLDS = 3
MOST = 2  # times as many queries in one fold as in another
PARTS = (0.25, 0.5, 1.0)
NO_TEXTS = 4096  # tokens in a pass: vectors are at hand, nothing is encoded

Rows = NDArray[np.int64]


def run_pilot(ledger: Ledger, seed: int) -> Pilot | None:
    """Train maps on a quarter, half and all of the pairs of two folds, and measure each on the third.

    Args:
        seed: Of the folds, the trainings, and the halves that teach how much BM25 weighs.

    Returns:
        What they gain over stock, alone and beside BM25; None where the queries make no three folds of about a size,
        or some have no passage to learn.
    """
    began, stock = time.monotonic(), ledger.stock
    folds, draw = _folds(stock.fold_groups, seed), np.random.default_rng(seed)
    if not 0 < max(map(len, folds)) < MOST * min(map(len, folds)):
        return None
    maps = _Maps(stock, seed)
    others = [draw.permutation(np.concatenate([other for other in folds if other is not fold])) for fold in folds]
    pairs, rankings = list[int](), list[Hits]()
    for part in PARTS:
        counts: list[int] = []
        runs: dict[str, dict[str, float]] = {}
        for fold, rest in zip(folds, others, strict=True):
            table = maps.pairs(rest[: max(1, round(part * len(rest)))])
            if not len(table):
                return None
            counts.append(len(table))
            weight = maps.fit(table)
            runs |= maps.search(fold, weight).as_run()
        pairs.append(round(float(np.mean(counts))))
        rankings.append(Hits.from_run({query_id: runs[query_id] for query_id in stock.query_ids}))
    hybrid, _ = cross_fuse(rankings[-1], ledger.hits["bm25"], stock.qrels, DEPTH, measure=RECALL, seed=seed)
    start, start_hybrid = (_recall(ledger.hits[name], stock) for name in ("stock", "hybrid"))
    values = [_recall(hits, stock) for hits in rankings]
    return Pilot(
        tuple(pairs),
        tuple(t_interval(one - start) for one in values),
        t_interval(values[-1] - values[0]),
        t_interval(_recall(hybrid, stock) - start_hybrid),
        time.monotonic() - began,
    )


class _Maps:
    """Trains maps on the vectors of some queries, and searches with them."""

    def __init__(self, stock: Stock, seed: int) -> None:
        self.stock = stock
        self.recipe = settle(TrainOptions(recipe="adapter", seed=seed), token_budget=NO_TEXTS)
        self.number, self.rows = _distinct(stock)

    def pairs(self, queries: Rows) -> Rows:
        """The distinct (query, passage) pairs of these queries, as rows of both."""
        stock = self.stock
        found = {
            (row, self.number[doc_id])
            for row in queries.tolist()
            for doc_id, grade in stock.qrels[stock.query_ids[row]].items()
            if grade > 0 and doc_id in self.number
        }
        return np.array(sorted(found), dtype=np.int64)

    def fit(self, pairs: Rows) -> Matrix:
        """The map that is trained on these pairs."""
        ones = np.ones(len(pairs), dtype=np.float32)
        task = MapTask(self.stock.queries, self.vectors, len(self.rows), pairs, ones, recall=None)
        weight, _ = fit_map(task, recipe=self.recipe, talk=Silent())
        assert weight is not None  # without dev it is the last one
        return weight

    def vectors(self, docs: Rows) -> Matrix:
        """Vectors of distinct passages."""
        return corpus_rows(self.stock.corpus, self.rows[docs])

    def search(self, queries: Rows, weight: Matrix) -> Hits:
        """Passages for these queries through the map."""
        stock = self.stock
        ids = [stock.query_ids[row] for row in queries.tolist()]
        vectors = adapt(stock.queries[queries], weight, normalise=stock.normalise)
        return exact_search(vectors, stock.corpus, DEPTH, query_ids=ids, allowed=stock.allowed)


def _recall(hits: Hits, stock: Stock) -> NDArray[np.float64]:
    """R@10 of each query, in the order of their ids."""
    return measure_hits(hits, stock.qrels, [RECALL]).values(RECALL)


def _distinct(stock: Stock) -> tuple[dict[str, int], Rows]:
    """Doc -> number of its vector among the distinct ones, and the row of each: copies are one passage."""
    corpus = stock.corpus
    if isinstance(corpus, Vectors):
        ids, keys = corpus.doc_ids, list(corpus.text_hashes)
    else:
        ids, keys = tuple(corpus[1]), [blake2b(row.tobytes(), digest_size=16).hexdigest() for row in corpus[0]]
    number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    first: dict[str, int] = {}
    for row, key in enumerate(keys):
        first.setdefault(key, row)
    return {doc_id: number[key] for doc_id, key in zip(ids, keys, strict=True)}, np.array([*first.values()], np.int64)


def _folds(groups: NDArray[np.int64], seed: int) -> list[Rows]:
    """Rows of the queries in three folds, as even as the groups allow; no group is in two."""
    draw = np.random.default_rng(seed)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    folds: list[list[Rows]] = [[] for _ in range(FOLDS)]
    sizes = [0] * FOLDS
    for place in draw.permutation(len(members)).tolist():
        least = sizes.index(min(sizes))
        folds[least].append(members[place])
        sizes[least] += len(members[place])
    return [np.concatenate(fold) if fold else np.empty(0, np.int64) for fold in folds]
