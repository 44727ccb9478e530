"""The systems under test: stock, BM25, tuned, and both hybrids, on one list of queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.io.hits import Hits
from lexitune.io.vectors import Vectors
from lexitune.metrics.measures import Measure, refuse_collapsed
from lexitune.search.bm25 import BM25
from lexitune.search.exact import exact_search
from lexitune.search.filters import allowed_docs
from lexitune.search.hybrid import EVEN, learn_weight, with_lexical
from lexitune.types import Dataset, Doc, Qrels, Query, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["EXACT", "Clock", "Search", "rank", "refuse_other_vectors", "relevant_scores"]

Search = Callable[[NDArray[np.float32], Sequence[Query], int], Hits]
"""Vectors of queries, the queries, and a depth, to a ranking: an index that is not searched exactly here."""

EXACT = "_exact"  # after a system's name: the ranking of exact search over the same vectors
RECALL = Measure("R", 10)
LEARNT_FROM = 1000  # dev queries at most


@dataclass
class Clock:
    """Wall time by part, in seconds, and the queries that each model answered in it."""

    seconds: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.monotonic)
    queries: int = 0

    def stop(self, part: str) -> None:
        """Book the time since the last stop on `part`."""
        now = time.monotonic()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self.last
        self.last = now

    def query_ms(self, name: str) -> float:
        """To encode and search a query with a model, through what would serve it: of batches, not of one alone."""
        search = f"search {name} in the store"
        parts = (f"encode {name}", search if search in self.seconds else f"search {name}")
        return 1000 * sum(self.seconds[part] for part in parts) / max(1, self.queries)


def rank(
    data: Dataset,
    queries: Sequence[Query],
    *,
    models: Mapping[str, tuple[Embedder, Vectors]],
    searches: Mapping[str, Search] | None = None,
    depth: int,
    clock: Clock,
    talk: Talk,
) -> tuple[dict[str, Hits], dict[str, float], dict[str, Hits]]:
    """Rankings of BM25, of each model, and of its hybrid with BM25; candidates obey each query's filter.

    Args:
        searches: A model's name -> the index that serves it; its exact ranking stands beside, as `<name>_exact`.

    Returns:
        The rankings; how much BM25 weighs beside each model, as dev taught it; and the rankings of the dev queries that
        did. Without dev queries those two are empty, and both weigh alike.

    Raises:
        DataError: Vectors of another model or corpus, a model that scores everything alike, or a vector that is not a
            number.
    """
    for model, vectors in models.values():
        refuse_other_vectors(vectors, data.docs, model=model)
    index = BM25.build(data.docs)
    retrieve = partial(
        _retrieve, data, index=index, models=models, searches=searches or {}, depth=depth, clock=clock, talk=talk
    )
    weights, dev_hits = _learn_weights(data, retrieve, models=models)
    hits = retrieve(queries)
    for name in models:
        hits[f"hybrid_{name}"] = with_lexical(hits[name], hits["bm25"], depth, weight=weights.get(name, EVEN))
    clock.stop("fuse")
    return hits, weights, dev_hits


def _retrieve(
    data: Dataset,
    queries: Sequence[Query],
    *,
    index: BM25,
    models: Mapping[str, tuple[Embedder, Vectors]],
    searches: Mapping[str, Search],
    depth: int,
    clock: Clock,
    talk: Talk,
) -> dict[str, Hits]:
    """Rankings of BM25 and of each model."""
    ids, texts = [query.query_id for query in queries], [query.text for query in queries]
    clock.queries += len(queries)
    allowed = allowed_docs(queries, data.docs)
    hits = {"bm25": index.search(texts, query_ids=ids, k=depth, allowed=allowed)}
    clock.stop("bm25")
    for name, (model, vectors) in models.items():
        encoded = model.encode_queries(texts, talk=talk, stage="evaluate")
        clock.stop(f"encode {name}")
        hits[name] = exact_search(encoded, vectors, depth, query_ids=ids, allowed=allowed)
        refuse_collapsed(hits[name])
        clock.stop(f"search {name}")
        if name in searches:
            hits[name + EXACT], hits[name] = hits[name], searches[name](encoded, queries, depth)
            clock.stop(f"search {name} in the store")
    return hits


def _learn_weights(
    data: Dataset, retrieve: Callable[[Sequence[Query]], Mapping[str, Hits]], *, models: Iterable[str]
) -> tuple[dict[str, float], dict[str, Hits]]:
    """How much BM25 should weigh beside each model, by the recall@10 of dev queries, and their rankings."""
    dev = {q: docs for q, docs in data.qrels.get("dev", {}).items() if any(grade > 0 for grade in docs.values())}
    chosen = np.random.default_rng(13).permutation(sorted(dev))[:LEARNT_FROM].tolist()
    if not chosen:
        return {}, {}
    hits = dict(retrieve([data.queries[query_id] for query_id in chosen]))
    judged = {query_id: dev[query_id] for query_id in chosen}
    return {name: learn_weight(hits[name], hits["bm25"], judged, measure=RECALL) for name in models}, hits


def refuse_other_vectors(vectors: Vectors, docs: Sequence[Doc], *, model: Embedder) -> None:
    """Refuse vectors that this model did not make of these docs: scores of two models do not compare.

    Raises:
        DataError: Another fingerprint, or other docs.
    """
    made_by = vectors.manifest.get("fingerprint")
    if made_by != model.doc_fingerprint:
        raise DataError(
            "E3304",
            f"{vectors.folder} was made by model {str(made_by)[:12]}, not by {model.spec.name} "
            f"({model.doc_fingerprint[:12]})",
            fix="lexitune reembed",
        )
    if len(vectors) != len(docs) or set(vectors.doc_ids) != {doc.doc_id for doc in docs}:
        raise DataError("E3304", f"{vectors.folder} was made of another corpus", fix="lexitune reembed")


def relevant_scores(data: Dataset, dev: Qrels, *, model: Embedder, vectors: Vectors) -> dict[str, float]:
    """Thresholds of a model: `relevant_p05`, the 5th percentile of the scores of relevant passages on dev.

    Dev, not test: a threshold is set by looking, and test is only looked at to judge.
    """
    row = {doc_id: number for number, doc_id in enumerate(vectors.doc_ids)}
    pairs = [(query, row[doc]) for query, docs in dev.items() for doc, grade in docs.items() if grade > 0]
    if not pairs:
        return {}
    place = {query: number for number, query in enumerate(dict.fromkeys(query for query, _ in pairs))}
    encoded = model.encode_queries([data.queries[query].text for query in place])
    found = vectors.rows(np.array([number for _, number in pairs], dtype=np.int64))
    scores = (encoded[[place[query] for query, _ in pairs]] * found).sum(axis=1)
    return {"relevant_p05": float(np.percentile(scores, 5))}
