"""Assess: is the stock model good enough on these queries, what would fix it cheapest, and how sure can one be?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexitune.io.hits import Hits
from lexitune.io.vectors import Vectors
from lexitune.metrics.measures import measure_hits, parse_measures
from lexitune.metrics.report import Report
from lexitune.metrics.statistics import Interval, detectable_gain
from lexitune.search.bm25 import BM25
from lexitune.search.exact import exact_search
from lexitune.search.filters import allowed_docs
from lexitune.search.hybrid import fuse
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Advice, Dataset, Qrels, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["CANNOT_TELL", "NO", "TUNE", "Figures", "advise", "assess", "stock_systems"]

TUNE, NO, CANNOT_TELL = "TUNE", "NO", "CANNOT TELL"

RECALL, NDCG = "R@10", "nDCG@10"
RANK = 10
DEPTH = 100  # of the rankings that a hybrid is made of
MOST_CHANGES = 0.30  # guess of the share of queries that a tune changes, where stock and BM25 differ in more
FEW_TEST = 200  # a verdict on fewer is possible, and wide
UNTRAINED = {"hybrid": "the hybrid of stock and BM25", "bm25": "BM25 alone"}
TOO_MANY = 10_000  # queries that nobody labels to settle one question
DEFAULT = AssessOptions()


@dataclass(frozen=True)
class Figures:
    """What the advice is made of.

    Args:
        systems: stock, bm25 and hybrid, each measure with its interval; empty where there was no query.
        available: Train and dev queries with a relevant passage; the intervals may rest on a sample of them.
        pairs: Training pairs.
        test_queries: How many there are; nobody has looked at them.
        discordance: Share of queries whose outcome differs between stock and BM25, as measured.
        ceiling: The best R@10 that any system can reach; below 1 where queries have more than ten relevant passages.
    """

    systems: Mapping[str, Mapping[str, Interval]]
    available: int
    pairs: int
    test_queries: int
    discordance: float
    ceiling: float = 1.0


def assess(
    data: Dataset,
    *,
    model: Embedder,
    vectors: Path | None = None,
    options: AssessOptions = DEFAULT,
    talk: Talk | None = None,
) -> Advice:
    """Measure the stock systems on train and dev queries, and say whether a tune is worth it.

    The test queries are not read: a decision that has seen them would spoil them for the verdict.

    Args:
        data: Train and dev judgements; of the test judgements only their number is used.
        model: The stock model.
        vectors: Folder of the encode cache: later stages find the corpus encoded there. None: nothing is kept.

    Raises:
        DataError: A query's filter cannot be read, or the model scores everything alike.
        StageFailed: A text encodes to NaN.
    """
    talk = talk or Silent()
    qrels, available = sample_queries(data, most=options.max_queries, seed=options.seed)
    pairs = sum(grade > 0 for judged in data.qrels.get("train", {}).values() for grade in judged.values())
    tests = data.test.query_count if data.test else 0
    if not qrels:
        return advise(Figures({}, 0, pairs, tests, MOST_CHANGES), options=options)
    measures = parse_measures(f"{RECALL},{NDCG}")
    reports = {
        name: measure_hits(hits, qrels, measures, system=name, split="train+dev")
        for name, hits in stock_systems(data, qrels, model=model, vectors=vectors, talk=talk).items()
    }
    figures = Figures(
        systems={name: {str(m): report.interval(m) for m in measures} for name, report in reports.items()},
        available=available,
        pairs=pairs,
        test_queries=tests,
        discordance=_discordance(reports),
        ceiling=float(np.mean([min(1.0, RANK / sum(g > 0 for g in judged.values())) for judged in qrels.values()])),
    )
    return advise(figures, options=options)


def sample_queries(data: Dataset, *, most: int, seed: int) -> tuple[Qrels, int]:
    """A seeded sample of the train and dev queries that have a relevant passage, and how many there were."""
    judged = {
        query_id: docs
        for split in ("train", "dev")
        for query_id, docs in data.qrels.get(split, {}).items()
        if any(grade > 0 for grade in docs.values())
    }
    chosen = sorted(judged)
    if len(chosen) > most:
        chosen = sorted(random.Random(seed).sample(chosen, most))
    return {query_id: judged[query_id] for query_id in chosen}, len(judged)


def stock_systems(data: Dataset, qrels: Qrels, *, model: Embedder, vectors: Path | None, talk: Talk) -> dict[str, Hits]:
    """Rankings of the stock model, BM25 and their hybrid for the queries of `qrels`."""
    from lexitune.models.corpus import encode_corpus

    queries = [data.queries[query_id] for query_id in qrels]
    ids, texts = [query.query_id for query in queries], [query.text for query in queries]
    allowed = allowed_docs(queries, data.docs)
    stored: Vectors | tuple[NDArray[np.float32], list[str]]
    if vectors is None:
        matrix = model.encode_docs([doc.full_text for doc in data.docs], talk=talk, stage="assess")
        stored = (matrix, [doc.doc_id for doc in data.docs])
    else:
        stored = encode_corpus(model, data.docs, vectors, talk=talk, stage="assess")
    stock = exact_search(model.encode_queries(texts), stored, DEPTH, query_ids=ids, allowed=allowed)
    bm25 = BM25.build(data.docs).search(texts, query_ids=ids, k=DEPTH, allowed=allowed)
    return {"stock": stock, "bm25": bm25, "hybrid": fuse([stock, bm25], DEPTH)}


def advise(figures: Figures, *, options: AssessOptions = DEFAULT) -> Advice:
    """Turn figures into an answer.

    NO, when the stock model's interval lies at or above the threshold. TUNE, when it lies below, there are pairs to
    train on and test queries to prove it with. Everything else is CANNOT TELL, with what is missing.
    """
    reasons: list[str] = []
    missing = _missing(figures, options)
    stock = figures.systems["stock"][RECALL] if figures.systems else None
    if stock is None:
        answer = CANNOT_TELL
        reasons.append("no train or dev query has a relevant passage, so the stock model cannot be measured")
    else:
        answer, told = _against_threshold(stock, figures, options)
        reasons.append(told)
    reasons += _cheaper(figures, options)
    if missing and answer != NO:
        answer = CANNOT_TELL
        reasons = missing + reasons
    reasons += _power(figures)
    return Advice(answer, tuple(reasons), _evidence(figures, options), NEXT[answer])


NEXT = {TUNE: "lexitune train", NO: "lexitune status", CANNOT_TELL: "lexitune tune --anyway"}


def _against_threshold(stock: Interval, figures: Figures, options: AssessOptions) -> tuple[str, str]:
    line = f"{options.threshold:.2f}"
    told = f"stock {RECALL} {_interval(stock)}"
    if stock.low >= options.threshold:
        return NO, f"{told}: good enough, its lower bound reaches {line}"
    if stock.high < options.threshold:
        return TUNE, f"{told}: below {line}"
    # The half-width shrinks with the root of n, and must come down to the distance from the threshold.
    half, distance = (stock.high - stock.low) / 2, abs(stock.mean - options.threshold)
    needed = stock.n * (half / distance) ** 2 if distance else float("inf")
    more = _round_up(max(1.0, needed - stock.n)) if needed <= TOO_MANY else 0
    told = f"{told}: the interval spans {line}"
    if not more:
        return CANNOT_TELL, f"{told}; it is so near that no number of queries settles it: decide by cost"
    if stock.n + more <= figures.available:
        return CANNOT_TELL, f"{told}; measure on about {more} more queries: --max-queries {stock.n + more}"
    return CANNOT_TELL, f"{told}; label about {more} more queries"


def _missing(figures: Figures, options: AssessOptions) -> list[str]:
    missing = []
    if figures.pairs < options.min_pairs:
        short = options.min_pairs - figures.pairs
        missing.append(
            f"{figures.pairs} training pairs only; a tune needs about {options.min_pairs}: collect {short} more"
        )
    if figures.test_queries < options.min_test_queries:
        short = options.min_test_queries - figures.test_queries
        missing.append(
            f"{figures.test_queries} test queries only; a verdict needs at least {options.min_test_queries}: "
            f"label {short} more"
        )
    return missing


def _cheaper(figures: Figures, options: AssessOptions) -> list[str]:
    reasons = []
    if figures.ceiling < 0.995:
        reasons.append(
            f"no system can pass {RECALL} {figures.ceiling:.2f} here: some queries have more than {RANK} relevant "
            f"passages; look at {NDCG} as well"
        )
    if not figures.systems or figures.systems["stock"][RECALL].low >= options.threshold:
        return reasons
    for name, words in UNTRAINED.items():
        found = figures.systems[name][RECALL]
        if found.mean >= options.threshold:
            reasons.append(
                f"{words} reaches {RECALL} {_interval(found)} without training: the cheaper fix; "
                "a tune may still come on top of it"
            )
            return reasons
    others = ", ".join(f"{words} {_interval(figures.systems[name][RECALL])}" for name, words in UNTRAINED.items())
    return [*reasons, f"without training: {others}"]


def _power(figures: Figures) -> list[str]:
    if not figures.test_queries:
        return []
    changes, source = _changes(figures)
    gain = detectable_gain(figures.test_queries, changes)
    reasons = [
        f"{figures.test_queries:,} test queries can show a gain of +{100 * gain:.1f} points or more "
        f"(80 % power, {100 * changes:.0f} % of queries changing: {source})"
    ]
    if figures.test_queries < FEW_TEST:
        reasons.append(f"under {FEW_TEST} test queries the interval of the gain is wide: 300 or more are better")
    return reasons


def _changes(figures: Figures) -> tuple[float, str]:
    if figures.discordance >= MOST_CHANGES:
        return MOST_CHANGES, "a guess; stock and BM25 differ in more"
    return max(figures.discordance, 0.01), "as between stock and BM25"


def _discordance(reports: Mapping[str, Report]) -> float:
    # The mean squared difference: for hits and misses the share that differs, and the right weight for fractions.
    difference = reports["stock"].values(RECALL) - reports["bm25"].values(RECALL)
    return float(np.mean(difference**2))


def _evidence(figures: Figures, options: AssessOptions) -> dict[str, object]:
    changes, source = _changes(figures)
    return {
        "systems": {
            name: {measure: asdict(interval) for measure, interval in found.items()}
            for name, found in figures.systems.items()
        },
        "queries_available": figures.available,
        "pairs": figures.pairs,
        "test_queries": figures.test_queries,
        "discordance": changes,
        "discordance_measured": figures.discordance,
        "discordance_source": source,
        "detectable_gain": detectable_gain(figures.test_queries, changes) if figures.test_queries else None,
        "ceiling": figures.ceiling,
        "options": asdict(options),
    }


def _interval(found: Interval) -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}], n={found.n:,}"


def _round_up(count: float) -> int:
    # Two figures: a planned number of labels is no measurement.
    whole = int(np.ceil(round(count, 6)))
    step: int = 10 ** max(0, len(str(whole)) - 2)
    return -(-whole // step) * step
