"""Reranking: a cross-encoder reads the first passages of the hybrid once more, each together with the query."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexitune.io.hits import Hits
from lexitune.metrics.measures import measure_hits, parse_measures
from lexitune.metrics.statistics import t_interval
from lexitune.stages.assess.figures import NDCG, RECALL, Reranked
from lexitune.stages.assess.ledger import Ledger
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Dataset, Talk

if TYPE_CHECKING:
    from lexitune.models.reranker import Reranker

__all__ = ["RERANKED", "Rescore", "measure_reranked", "named_reranker", "rerank"]

RERANKED = "reranked"
AT_ONCE = 16  # queries: their pairs are sorted by length together, and progress is told after them
TRIED = 64  # pairs that tell how long all of them take
WARM = 4  # pairs: the first call also pays for what is set up once

Pair = tuple[str, str]  # query_id, doc_id
Rescore = Callable[[Sequence[str], Sequence[str]], NDArray[np.float32]]
"""Scores of pairs, by the queries and the passages of all of them."""


def named_reranker(options: AssessOptions, *, device: str) -> Reranker | None:
    """The cross-encoder that the options name; None: they name none.

    Raises:
        DataError: It cannot be loaded, or gives more than one score.
    """
    if options.reranker is None:
        return None
    from lexitune.models.reranker import load_reranker

    return load_reranker(options.reranker, device=device)


def measure_reranked(data: Dataset, ledger: Ledger, *, judge: Rescore, options: AssessOptions, talk: Talk) -> Reranked:
    """Reorder the hybrid for a seeded sample of the ledger's queries, and measure it beside what it is made of.

    Stock and hybrid are measured on the same queries, so that a sample which happens to be easy flatters nobody.

    Raises:
        DataError: The cross-encoder gives a score that is no number, or scores everything alike.
    """
    chosen = sorted(ledger.stock.query_ids)
    if len(chosen) > options.rerank_queries:
        chosen = sorted(random.Random(options.seed).sample(chosen, options.rerank_queries))
    hybrid = ledger.hits["hybrid"]
    hits, seconds = rerank(hybrid.of(chosen), data, judge=judge, depth=options.rerank_depth, talk=talk)
    qrels = {query_id: ledger.stock.qrels[query_id] for query_id in chosen}
    measures = parse_measures(f"{RECALL},{NDCG}")
    rankings = {"stock": ledger.hits["stock"].of(chosen), "hybrid": hybrid.of(chosen), RERANKED: hits}
    reports = {
        name: measure_hits(one, qrels, measures, system=name, split="train+dev") for name, one in rankings.items()
    }
    stock, before, after = (report.values(RECALL) for report in reports.values())
    hybrid_ms = ledger.query_ms.get("hybrid")
    return Reranked(
        options.rerank_depth,
        {name: {str(m): report.interval(m) for m in measures} for name, report in reports.items()},
        lift=t_interval(after - stock),
        over_hybrid=t_interval(after - before),
        query_ms=None if hybrid_ms is None else hybrid_ms + 1000 * seconds / len(chosen),
    )


def rerank(hits: Hits, data: Dataset, *, judge: Rescore, depth: int, talk: Talk) -> tuple[Hits, float]:
    """Put the first `depth` passages of each query in the order of the judge's scores; what follows keeps its place.

    How long it takes is told before, by a sample of the pairs.

    Returns:
        The ranking, and the seconds that it took.
    """
    ranked = {query_id: [doc_id for doc_id, _ in hits.run(query_id)] for query_id in hits.query_ids}
    pairs = {query_id: [(query_id, doc_id) for doc_id in doc_ids[:depth]] for query_id, doc_ids in ranked.items()}
    wanted = {doc_id for some in pairs.values() for _, doc_id in some}
    texts = {doc.doc_id: doc.full_text for doc in data.docs if doc.doc_id in wanted}

    def score(some: Sequence[Pair]) -> NDArray[np.float32]:
        return judge([data.queries[query_id].text for query_id, _ in some], [texts[doc_id] for _, doc_id in some])

    _foretell([pair for some in pairs.values() for pair in some], score, queries=len(pairs), talk=talk)
    began, found = time.perf_counter(), dict[str, dict[str, float]]()
    for start in range(0, len(hits.query_ids), AT_ONCE):
        some = hits.query_ids[start : start + AT_ONCE]
        asked = [pair for query_id in some for pair in pairs[query_id]]
        scores = dict(zip(asked, score(asked).tolist() if asked else [], strict=True))
        for query_id in some:
            run = {doc_id: scores[query_id, doc_id] for _, doc_id in pairs[query_id]}
            lowest = min(run.values(), default=0.0)
            rest = enumerate(ranked[query_id][depth:], start=1)
            found[query_id] = run | {doc_id: lowest - place for place, doc_id in rest}
        talk.progress("assess", start + len(some), len(hits.query_ids), "reranking")
    return Hits.from_run(found), time.perf_counter() - began


def _foretell(
    pairs: Sequence[Pair], score: Callable[[Sequence[Pair]], NDArray[np.float32]], *, queries: int, talk: Talk
) -> None:
    """Say how long it takes, by pairs drawn at random; where a few more are all there are, nothing needs saying."""
    if len(pairs) < 4 * TRIED:
        return
    drawn = random.Random(0).sample(pairs, TRIED + WARM)
    score(drawn[:WARM])
    began = time.perf_counter()
    score(drawn[WARM:])
    seconds = (time.perf_counter() - began) / TRIED * len(pairs)
    long = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
    talk.say(f"assess: the reranker reads {len(pairs):,} pairs of {queries:,} queries: about {long} (--rerank-queries)")
