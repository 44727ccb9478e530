"""From the same top-k arrays to per-query values: ours, pytrec_eval and ranx, each with the conversion that it needs.

python -m benchmarks.measures

Each side starts from the ids of queries and docs, the arrays of positions and scores, and the qrels as nested dicts.
ranx is raced warm (its functions compiled in the round that is not counted), in two ways: from nested dicts, as its
documentation shows, and from arrays of numbers, which its `evaluate` takes too and which are the fastest it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Race, Side, Work, arguments, hardware, race, show
from lexitune.io.hits import Hits
from lexitune.metrics.measures import measure_hits, parse_measures

Values = dict[str, NDArray[np.float64]]

MEASURES = "nDCG@10,R@10,RR@100,AP@100"
TREC = {"nDCG@10": "ndcg_cut_10", "R@10": "recall_10", "RR@100": "recip_rank", "AP@100": "map_cut_100"}
RANX = {"nDCG@10": "ndcg@10", "R@10": "recall@10", "RR@100": "mrr@100", "AP@100": "map@100"}
DEPTH = 100
REPEATS = 5  # of the work in a round: once takes a few milliseconds


@dataclass(frozen=True)
class Arrays:
    """What a search gives, and the judgements."""

    query_ids: tuple[str, ...]
    doc_ids: tuple[str, ...]
    index: NDArray[np.int32]
    score: NDArray[np.float32]
    qrels: dict[str, dict[str, int]]


def main() -> None:
    """Race against each peer in turn."""
    parser = arguments("Measures against pytrec_eval and ranx")
    parser.add_argument("--queries", type=int, default=3_000, help="queries (default 3,000)")
    parser.add_argument("--docs", type=int, default=50_000, help="passages (default 50,000)")
    given = parser.parse_args()
    size = {"queries": given.queries, "docs": given.docs}
    races = {
        maker.__name__.removeprefix("make_"): race(
            Side(make_ours, size), Side(maker, size), rounds=given.rounds, threads=given.threads
        )
        for maker in (make_pytrec_eval, make_ranx, make_ranx_arrays)
    }
    found = {
        name: {**laps.to_json(), "agreement": {"greatest_difference": agreement(laps)}} for name, laps in races.items()
    }
    show({**found["pytrec_eval"], **found, "hardware": hardware(given.threads)}, as_json=given.json)


def arrays(queries: int, docs: int) -> Arrays:
    """Rankings without ties. A query has one to three relevant docs, one of them not found; some have one judged 0."""
    random = np.random.default_rng(0)
    query_ids, doc_ids = tuple(f"q{row}" for row in range(queries)), tuple(f"d{row}" for row in range(docs))
    index = np.stack([random.choice(docs, DEPTH, replace=False) for _ in range(queries)]).astype(np.int32)
    # Steps of one part in a thousand: scores differ within a query as float32.
    score = (1.0 - np.arange(DEPTH) / 1000 - random.random((queries, DEPTH)) / 2000).astype(np.float32)
    qrels: dict[str, dict[str, int]] = {}
    for row, query_id in enumerate(query_ids):
        found = (random.random(int(random.integers(0, 3))) ** 2 * DEPTH).astype(int)
        judged = {doc_ids[int(random.integers(docs))]: 0} if row % 4 == 0 else {}
        qrels[query_id] = judged | {doc_ids[int(random.integers(docs))]: 1}
        qrels[query_id] |= {doc_ids[place]: int(random.integers(1, 3)) for place in index[row, found]}
    return Arrays(query_ids, doc_ids, index, score, qrels)


def repeated(once: Callable[[], Values]) -> Work:
    """The work of a round."""

    def work() -> Values:
        for _ in range(REPEATS - 1):
            once()
        return once()

    return work


def make_ours(*, queries: int, docs: int) -> Work:
    """Hits and qrels to a report."""
    given, measures = arrays(queries, docs), parse_measures(MEASURES)

    def once() -> Values:
        hits = Hits(given.query_ids, given.doc_ids, given.index, given.score)
        return dict(measure_hits(hits, given.qrels, measures).per_query)

    return repeated(once)


def make_pytrec_eval(*, queries: int, docs: int) -> Work:
    """Arrays to a nested dict, and `RelevanceEvaluator`."""
    import pytrec_eval

    given = arrays(queries, docs)

    def once() -> Values:
        found = pytrec_eval.RelevanceEvaluator(given.qrels, set(TREC.values())).evaluate(run_of(given))
        rows = [found[query_id] for query_id in sorted(found)]
        return {ours: np.array([row[theirs] for row in rows]) for ours, theirs in TREC.items()}

    return repeated(once)


def make_ranx(*, queries: int, docs: int) -> Work:
    """Arrays to a nested dict, `Run` and `Qrels`, and `evaluate`."""
    import ranx

    given = arrays(queries, docs)

    def once() -> Values:
        run, qrels = ranx.Run(run_of(given)), ranx.Qrels(given.qrels)
        return named(ranx.evaluate(qrels, run, list(RANX.values()), return_mean=False, save_results_in_run=False))

    return repeated(once)


def make_ranx_arrays(*, queries: int, docs: int) -> Work:
    """Arrays to arrays of (number of a doc, score), and `evaluate`; judgements, best first, are padded with grade 0."""
    import ranx

    given = arrays(queries, docs)

    def once() -> Values:
        number = {doc_id: place for place, doc_id in enumerate(given.doc_ids)}
        asked = sorted(range(len(given.query_ids)), key=given.query_ids.__getitem__)
        run = np.stack([given.index[asked], given.score[asked]], axis=2).astype(np.float64)
        judged = [given.qrels[given.query_ids[row]] for row in asked]
        qrels = np.zeros((len(judged), max(map(len, judged)), 2))
        for row, docs_of in enumerate(judged):
            best_first = sorted(
                docs_of.items(), key=lambda pair: -pair[1]
            )  # its ideal ranking takes them as they stand
            qrels[row, : len(docs_of)] = [(number[doc_id], grade) for doc_id, grade in best_first]
        return named(ranx.evaluate(qrels, run, list(RANX.values()), return_mean=False))

    return repeated(once)


def run_of(given: Arrays) -> dict[str, dict[str, float]]:
    """The nested dict that both peers read."""
    places, scores = given.index.tolist(), given.score.tolist()
    return {
        query_id: dict(zip([given.doc_ids[place] for place in row], values, strict=True))
        for query_id, row, values in zip(given.query_ids, places, scores, strict=True)
    }


def named(found: dict[str, Any]) -> Values:
    """ranx's values under our names."""
    return {ours: np.asarray(found[theirs]) for ours, theirs in RANX.items()}


def agreement(laps: Race) -> float:
    """The greatest difference between two values of one query."""
    ours, theirs = laps.ours[-1].value, laps.peer[-1].value
    return float(max(np.abs(ours[name] - theirs[name]).max() for name in TREC))


if __name__ == "__main__":
    main()
