"""Evaluation against sentence-transformers' InformationRetrievalEvaluator: the same measures, the same tie rule.

python -m benchmarks.evaluate              search and measures, both given the same random vectors
python -m benchmarks.evaluate --cold       encode, search and measure a real set

Both sides rank the first 100. `agreement` tells the greatest difference between two mean values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import SETS, Race, Side, Work, arguments, hardware, minilm_folder, race, real_set, show
from lexitune.metrics.measures import measure_hits, parse_measures
from lexitune.search.exact import exact_search

Matrix = NDArray[np.float32]
Qrels = dict[str, dict[str, int]]
Means = dict[str, float]

DEPTH, DIM = 100, 384
MEASURES = parse_measures("nDCG@10,R@10,P@10,RR@10,Success@10,AP@100")
PEER = {
    "nDCG@10": ("ndcg@k", 10),
    "R@10": ("recall@k", 10),
    "P@10": ("precision@k", 10),
    "RR@10": ("mrr@k", 10),
    "Success@10": ("accuracy@k", 10),
    "AP@100": ("map@k", 100),
}
WHOLE = 10**9


def main() -> None:
    """Run what the arguments ask for."""
    parser = arguments("Evaluation against sentence-transformers' InformationRetrievalEvaluator")
    parser.add_argument("--cold", action="store_true", help="encode, search and measure a real set")
    parser.add_argument("--set", default="scifact", choices=SETS, help="the real set (default scifact)")
    parser.add_argument("--queries", type=int, default=None, help="queries (default 3,000; with --cold all)")
    parser.add_argument("--docs", type=int, default=None, help="passages (default 50,000; with --cold all)")
    parser.add_argument("--precision", default="fp32", help="what our model computes in (default fp32, as the peer)")
    given = parser.parse_args()
    how = {"rounds": given.rounds, "threads": given.threads}
    if given.cold:
        bounds = {"name": given.set, "queries": given.queries or WHOLE, "docs": given.docs or WHOLE}
        laps = race(Side(make_ours_cold, {**bounds, "precision": given.precision}), Side(make_peer_cold, bounds), **how)
    else:
        size = {"queries": given.queries or 3_000, "docs": given.docs or 50_000}
        laps = race(Side(make_ours, size), Side(make_peer, size), **how)
    show(
        {**laps.to_json(), "agreement": {"greatest_difference": agreement(laps)}, "hardware": hardware(given.threads)},
        as_json=given.json,
    )


def random_set(queries: int, docs: int) -> tuple[Matrix, Matrix, Qrels]:
    """Unit vectors; each query lies near the one doc that answers it. One doc in ten has a copy: scores tie."""
    random = np.random.default_rng(0)
    stored = random.standard_normal((docs, DIM), dtype=np.float32)
    stored[: docs // 10] = stored[docs // 10 : 2 * (docs // 10)]
    right = random.integers(0, docs, queries)
    asked = stored[right] * np.float32(0.35) + random.standard_normal((queries, DIM), dtype=np.float32)
    for matrix in (stored, asked):
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return asked, stored, {f"q{row}": {f"d{doc}": 1} for row, doc in enumerate(right.tolist())}


def real_texts(name: str, queries: int, docs: int) -> tuple[dict[str, Any], dict[str, Any], Qrels]:
    """Texts by id of dev queries and of docs, and their qrels; docs that answer a query are kept whatever the bound."""
    data = real_set(name)
    judged = {
        query_id: {doc_id: 1 for doc_id, grade in row.items() if grade > 0}
        for query_id, row in data.qrels["dev"].items()
    }
    qrels = dict([(query_id, row) for query_id, row in judged.items() if row][:queries])
    answers = {doc_id for row in qrels.values() for doc_id in row}
    others = [doc.doc_id for doc in data.docs if doc.doc_id not in answers]
    kept = answers.union(others[: max(0, docs - len(answers))])
    corpus = {doc.doc_id: doc.full_text for doc in data.docs if doc.doc_id in kept}
    return {query_id: data.queries[query_id].text for query_id in qrels}, corpus, qrels


def measured(asked: Matrix, stored: Matrix, doc_ids: list[str], qrels: Qrels) -> Means:
    """Our means, from vectors; queries stand in the order of the qrels."""
    hits = exact_search(asked, (stored, doc_ids), DEPTH, query_ids=list(qrels))
    report = measure_hits(hits, qrels, MEASURES)
    return {name: report.mean(name) for name in report.measures}


def make_ours(*, queries: int, docs: int) -> Work:
    """Vectors to means."""
    asked, stored, qrels = random_set(queries, docs)
    doc_ids = [f"d{row}" for row in range(docs)]
    return lambda: measured(asked, stored, doc_ids, qrels)


def make_peer(*, queries: int, docs: int) -> Work:
    """The evaluator, with vectors in the place of its two encodings."""
    import torch

    asked, stored, qrels = random_set(queries, docs)
    texts: dict[str, Any] = {query_id: query_id for query_id in qrels}
    evaluator = peer_evaluator(texts, {f"d{row}": f"d{row}" for row in range(docs)}, qrels)
    evaluator.embed_inputs = lambda *_, **__: torch.from_numpy(asked)
    return lambda: peer_means(evaluator, None, torch.from_numpy(stored))


def make_ours_cold(*, name: str, queries: int, docs: int, precision: str) -> Work:
    """Texts to means, with the model loaded beforehand."""
    from lexitune.models.load import load
    from lexitune.models.options import ModelOptions

    texts, corpus, qrels = real_texts(name, queries, docs)
    model = load(str(minilm_folder()), options=ModelOptions(precision=precision))

    def work() -> Means:
        stored = model.encode_docs(list(corpus.values()))
        return measured(model.encode_queries(list(texts.values())), stored, list(corpus), qrels)

    return work


def make_peer_cold(*, name: str, queries: int, docs: int) -> Work:
    """Texts to means, with the model loaded beforehand."""
    from sentence_transformers import SentenceTransformer

    evaluator = peer_evaluator(*real_texts(name, queries, docs))
    model = SentenceTransformer(str(minilm_folder()), local_files_only=True, device="cpu")
    return lambda: peer_means(evaluator, model, None)


def peer_evaluator(texts: dict[str, Any], corpus: dict[str, Any], qrels: Qrels) -> Any:
    """Its evaluator, asked for our measures and no others."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
    from sentence_transformers.util import cos_sim

    return InformationRetrievalEvaluator(
        texts,
        corpus,
        {query_id: set(row) for query_id, row in qrels.items()},
        mrr_at_k=[10],
        ndcg_at_k=[10],
        accuracy_at_k=[10],
        precision_recall_at_k=[10],
        map_at_k=[DEPTH],
        score_functions={"cosine": cos_sim},
        show_progress_bar=False,
        write_csv=False,
    )


def peer_means(evaluator: Any, model: Any, stored: Any) -> Means:
    """Its means under our names; `stored` are vectors of the corpus, or None to have it encoded."""
    found: Mapping[str, Mapping[int, float]] = evaluator.compute_all_metrics(model, corpus_embeddings=stored)["cosine"]
    return {ours: float(found[theirs][k]) for ours, (theirs, k) in PEER.items()}


def agreement(laps: Race) -> float:
    """The greatest difference between two means."""
    ours, theirs = laps.ours[-1].value, laps.peer[-1].value
    return max(abs(float(ours[name]) - float(theirs[name])) for name in PEER)


if __name__ == "__main__":
    main()
