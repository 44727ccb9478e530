"""Exact search against other people's: faiss's flat index, and sentence-transformers' evaluator with its measures."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from sentence_transformers.util import cos_sim

from lexitune.metrics.measures import measure_hits, parse_measures
from lexitune.search.exact import exact_search

PEER = {
    "nDCG@10": ("ndcg@k", 10),
    "R@10": ("recall@k", 10),
    "P@10": ("precision@k", 10),
    "RR@10": ("mrr@k", 10),
    "Success@10": ("accuracy@k", 10),
    "AP@20": ("map@k", 20),
}


def halves(random: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Four components of eight are plus or minus a half: unit length, and every score is a multiple of a quarter."""
    places = np.argsort(random.random((count, 8)), axis=1)[:, :4]
    matrix = np.zeros((count, 8), dtype=np.float32)
    np.put_along_axis(matrix, places, random.choice([-0.5, 0.5], (count, 4)), axis=1)
    return matrix


@pytest.mark.parametrize("chunk", [7, 300])
def test_means_equal_the_evaluators_though_nearly_all_scores_tie(chunk: int) -> None:
    random = np.random.default_rng(11)
    docs, queries = halves(random, 300), halves(random, 40)
    doc_ids = [f"d{number}" for number in random.permutation(300)]
    query_ids = [f"q{row}" for row in range(40)]
    qrels = {query_id: dict.fromkeys(random.choice(doc_ids, 3, replace=False).tolist(), 1) for query_id in query_ids}
    evaluator: Any = InformationRetrievalEvaluator(
        {query_id: query_id for query_id in query_ids},
        {doc_id: doc_id for doc_id in doc_ids},
        {query_id: set(row) for query_id, row in qrels.items()},
        corpus_chunk_size=chunk,
        mrr_at_k=[10],
        ndcg_at_k=[10],
        accuracy_at_k=[10],
        precision_recall_at_k=[10],
        map_at_k=[20],
        score_functions={"cosine": cos_sim},
        write_csv=False,
    )
    evaluator.embed_inputs = lambda *_, **__: torch.from_numpy(queries)

    hits = exact_search(queries, (docs, doc_ids), 20, query_ids=query_ids)
    report = measure_hits(hits, qrels, parse_measures(",".join(PEER)))

    theirs = evaluator.compute_all_metrics(None, corpus_embeddings=torch.from_numpy(docs))["cosine"]
    for ours, (name, k) in PEER.items():
        assert report.mean(ours) == pytest.approx(theirs[name][k], abs=1e-12), ours
    assert report.ties > 0.5


def test_faiss_finds_the_same_docs() -> None:
    faiss = pytest.importorskip("faiss")
    random = np.random.default_rng(12)
    docs, queries = (random.normal(size=(count, 32)).astype(np.float32) for count in (5_000, 100))
    index = faiss.IndexFlatIP(32)
    index.add(docs)

    hits = exact_search(
        queries, (docs, [f"d{row}" for row in range(5_000)]), 20, query_ids=[f"q{n}" for n in range(100)]
    )

    score, rows = index.search(queries, 20)
    assert np.abs(score - hits.score).max() < 1e-4
    assert ((rows == hits.index) | (np.abs(score - hits.score) < 1e-4)).all()
    assert (rows == hits.index).mean() > 0.99
