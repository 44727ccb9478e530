"""The short tune: a real training of some minutes, where a forecast does not decide.

The default recipe runs from start to end on as many pairs as fit into the minutes; then stock and tuned rank the same
passages for the same dev queries. The training sees nothing of these: its last weights are taken, in the usual share,
so that the gain is not chosen by the queries that it is measured on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexitune.io.hits import Hits
from lexitune.io.vectors import corpus_ids, corpus_rows
from lexitune.metrics.grades import count_pairs
from lexitune.metrics.measures import measure_hits
from lexitune.metrics.statistics import Interval, t_interval
from lexitune.models.options import ModelOptions
from lexitune.pipeline.passing import Pace, measure_pace, passing_model
from lexitune.search.exact import exact_search
from lexitune.search.filters import allowed_docs
from lexitune.search.hybrid import cross_fuse
from lexitune.stages.assess.expected import ShortTune
from lexitune.stages.assess.ledger import DEPTH, RECALL, Ledger, Stock
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import plan_training
from lexitune.types import Dataset, Doc, Qrels, Query, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["run_short_tune"]

TRAINING, RANKING = 0.6, 0.25  # shares of the minutes; the rest is for loading, saving and what was misjudged
OVERRUN = 1.25  # times the training's share, and it is stopped
FEWEST_PAIRS, FEWEST_QUERIES, MOST_QUERIES = 100, 50, 500
PASSAGES_OF_A_QUERY = 2  # at least: its own, and one more to be told from
FEWER = 0.9  # of the pairs, until they fit
DEFAULT = ModelOptions()

Matrix = NDArray[np.float32]


def run_short_tune(
    data: Dataset,
    model: Embedder,
    ledger: Ledger,
    *,
    options: AssessOptions,
    loading: ModelOptions = DEFAULT,
    root: Path | None = None,
    talk: Talk,
) -> ShortTune | None:
    """Tune for some minutes, and measure what it gains on dev queries.

    Passages are ranked that matter first: the relevant ones, then those that stock ranks highest, then others at random
    until the time is spent, or all of them.

    Args:
        options: Their `pilot_minutes` and `seed`.
        loading: How the model was loaded, and its offspring is to be.
        root: Folder for work in progress; None: the system's.

    Returns:
        None where there are too few pairs or dev queries to tell anything, or the minutes are too few; that is told.

    Raises:
        LexituneError: As training raises it.
    """
    began, draw, minutes = time.monotonic(), np.random.default_rng(options.seed), options.pilot_minutes
    train, judged = data.qrels.get("train", {}), ledger.stock.qrels.keys() & data.qrels.get("dev", {}).keys()
    of, query_ids = count_pairs(train), draw.permutation(sorted(judged))[:MOST_QUERIES].tolist()
    if of < FEWEST_PAIRS or len(query_ids) < FEWEST_QUERIES:
        needed = f"it takes {FEWEST_PAIRS} pairs and {FEWEST_QUERIES} dev queries that are measured"
        talk.say(f"assess: no short tune: {needed}, and there are {of} and {len(query_ids)}")
        return None
    pace = measure_pace(data, model, TrainOptions(seed=options.seed))
    pairs, count = _fit(pace, of, len(data.docs), minutes=minutes)
    if pairs < FEWEST_PAIRS or count < min(PASSAGES_OF_A_QUERY * FEWEST_QUERIES, len(data.docs)):
        talk.say(f"assess: no short tune: {minutes:g} minutes are too few on this machine; give --pilot-minutes more")
        return None
    query_ids = query_ids[: max(FEWEST_QUERIES, count // PASSAGES_OF_A_QUERY)]
    some = _draw_pairs(train, pairs, draw)
    pool = _pool(data, ledger.hits["stock"].of(query_ids), ledger.stock.qrels, most=count, draw=draw)
    talk.say(f"assess: a short tune on {count_pairs(some):,} of {of:,} pairs, ranking {len(pool):,} passages")
    recipe = replace(pace.recipe, max_minutes=OVERRUN * TRAINING * minutes)
    plan = plan_training(replace(data, qrels={"train": some}), model=model, options=recipe)
    queries = [data.queries[query_id] for query_id in query_ids]
    with passing_model(plan, model, loading=loading, root=root, talk=talk) as tuned:
        vectors = tuned.encode_docs([doc.full_text for doc in pool], talk=talk, stage="encode")
        after = _rank(queries, pool, tuned.encode_queries([query.text for query in queries]), vectors)
    before = _rank(queries, pool, *_stock_vectors(ledger.stock, query_ids, pool))
    alone, beside = _gains(ledger, before, after, pool, seed=options.seed)
    spent = (time.monotonic() - began) / 60
    return ShortTune(count_pairs(some), of, len(pool), len(data.docs), alone, beside, spent)


def _fit(pace: Pace, pairs: int, docs: int, *, minutes: float) -> tuple[int, int]:
    """How many of the pairs there is time to train on, and how many of the passages to rank."""
    while pairs >= FEWEST_PAIRS and pace.training(pairs) > TRAINING * 60 * minutes:
        pairs = int(FEWER * pairs)
    return pairs, min(docs, int(RANKING * 60 * minutes / pace.doc))


def _draw_pairs(train: Qrels, pairs: int, draw: np.random.Generator) -> Qrels:
    """Queries by lot, until they have so many pairs."""
    some: dict[str, Mapping[str, int]] = {}
    for query_id in draw.permutation(sorted(train)).tolist():
        if pairs <= 0:
            break
        some[query_id] = train[query_id]
        pairs -= count_pairs({query_id: train[query_id]})
    return some


def _pool(data: Dataset, stock: Hits, qrels: Qrels, *, most: int, draw: np.random.Generator) -> list[Doc]:
    """The passages to rank, in the corpus's order: the relevant ones, then by stock's rank, then others by lot."""
    chosen = {doc_id: None for query_id in stock.query_ids for doc_id, grade in qrels[query_id].items() if grade > 0}
    ranked = [[doc_id for doc_id, _ in stock.run(query_id)] for query_id in stock.query_ids]
    chosen |= {run[rank]: None for rank in range(DEPTH) for run in ranked if rank < len(run)}
    chosen |= {data.docs[row].doc_id: None for row in draw.permutation(len(data.docs)).tolist()}
    kept = set(list(chosen)[:most])
    return [doc for doc in data.docs if doc.doc_id in kept]


def _stock_vectors(stock: Stock, query_ids: Sequence[str], pool: Sequence[Doc]) -> tuple[Matrix, Matrix]:
    """The stock model's vectors of these queries and passages, which are there from the ledger."""
    asked = {query_id: row for row, query_id in enumerate(stock.query_ids)}
    row_of = {doc_id: row for row, doc_id in enumerate(corpus_ids(stock.corpus))}
    rows = np.array([row_of[doc.doc_id] for doc in pool])
    return stock.queries[[asked[query_id] for query_id in query_ids]], corpus_rows(stock.corpus, rows)


def _rank(queries: Sequence[Query], pool: Sequence[Doc], asked: Matrix, vectors: Matrix) -> Hits:
    query_ids, doc_ids = [query.query_id for query in queries], [doc.doc_id for doc in pool]
    depth, allowed = min(DEPTH, len(pool)), allowed_docs(queries, pool)
    return exact_search(asked, (vectors, doc_ids), depth, query_ids=query_ids, allowed=allowed)


def _gains(ledger: Ledger, before: Hits, after: Hits, pool: Sequence[Doc], *, seed: int) -> tuple[Interval, Interval]:
    """R@10 gained over stock, and by the hybrid with BM25 over stock's."""
    query_ids, known = before.query_ids, {doc.doc_id for doc in pool}
    qrels = {query_id: ledger.stock.qrels[query_id] for query_id in query_ids}
    found = {query_id: ledger.hits["bm25"].run(query_id) for query_id in query_ids}
    lexical = Hits.from_run({key: {doc: score for doc, score in run if doc in known} for key, run in found.items()})
    fused = [cross_fuse(hits, lexical, qrels, DEPTH, measure=RECALL, seed=seed)[0] for hits in (before, after)]
    first, second = (
        [measure_hits(hits, qrels, [RECALL]).values(RECALL) for hits in pair] for pair in ((before, after), fused)
    )
    return t_interval(first[1] - first[0]), t_interval(second[1] - second[0])
