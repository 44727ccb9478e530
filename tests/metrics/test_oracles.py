"""Measures against other people's: pytrec_eval and ir_measures must give the same numbers."""

import ir_measures
import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from lexitune.io.hits import Hits
from lexitune.metrics.measures import measure_hits, parse_measures

Run = dict[str, dict[str, float]]
Judged = dict[str, dict[str, int]]

THEIRS = {
    "nDCG@10": "ndcg_cut_10",
    "nDCG@3": "ndcg_cut_3",
    "R@10": "recall_10",
    "R@100": "recall_100",
    "AP@100": "map_cut_100",
    "P@10": "P_10",
    "Success@10": "success_10",
}
QUERIES = 10
EXAMPLES = 110  # 1,100 rankings


def random_rankings(seed: int) -> tuple[Run, Judged]:
    """Ten rankings of 1 to 150 docs, scores distinct as float32, judged -1 to 3; some judged docs are not found."""
    generator = np.random.default_rng(seed)
    run: Run = {}
    qrels: Judged = {}
    for query in map(str, range(QUERIES)):
        depth = int(generator.integers(1, 151))
        scores = np.unique(generator.normal(size=2 * depth).astype(np.float32))[:depth]
        docs = generator.permutation(200)[: len(scores)]
        run[query] = {f"d{doc}": float(score) for doc, score in zip(docs, generator.permutation(scores), strict=True)}
        known = generator.permutation(200)[: generator.integers(1, 120)]
        qrels[query] = {f"d{doc}": int(generator.integers(-1, 4)) for doc in known}
        qrels[query][f"d{known[0]}"] = int(generator.integers(1, 4))
    return run, qrels


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_measures_equal_trec_eval_on_a_thousand_rankings(seed: int) -> None:
    run, qrels = random_rankings(seed)
    cut = {query: dict(sorted(docs.items(), key=lambda pair: -pair[1])[:10]) for query, docs in run.items()}

    report = measure_hits(Hits.from_run(run), qrels, parse_measures(",".join([*THEIRS, "RR@10"])))

    theirs = pytrec_eval.RelevanceEvaluator(qrels, set(THEIRS.values())).evaluate(run)
    first = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(cut)
    for row, query in enumerate(report.query_ids):
        for ours, name in THEIRS.items():
            assert report.values(ours)[row] == pytest.approx(theirs[query][name], abs=1e-9), (query, ours)
        assert report.values("RR@10")[row] == pytest.approx(first[query]["recip_rank"], abs=1e-9), query
    assert len(report.query_ids) == QUERIES


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_judged_equals_ir_measures(seed: int) -> None:
    run, qrels = random_rankings(seed)

    report = measure_hits(Hits.from_run(run), qrels, parse_measures("Judged@10"))

    theirs = {found.query_id: found.value for found in ir_measures.iter_calc([ir_measures.Judged @ 10], qrels, run)}
    assert dict(zip(report.query_ids, report.values("Judged@10").tolist(), strict=True)) == theirs
