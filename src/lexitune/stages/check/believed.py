"""What the stock model and BM25 make of the data: pairs that neither believes, and passages that lose their end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexitune.io.dataset import Raw
from lexitune.io.hits import Hits
from lexitune.search.bm25 import BM25
from lexitune.search.exact import exact_search
from lexitune.stages.check.findings import FEW, LOOK, OK, SHOWN, Finding
from lexitune.types import Query, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["Doubt", "doubts", "find_doubts", "find_long"]

DEPTH = 0.05  # of the corpus: a passage taken at random stands above that once in twenty times
MOST_DEPTH, LEAST_DEPTH = 1000, 10


@dataclass(frozen=True, slots=True)
class Doubt:
    """A pair that is judged right, and that both stock and BM25 rank as they would a passage taken at random."""

    split: str
    query_id: str
    doc_id: str


def find_doubts(raw: Raw, *, model: Embedder, vectors: Path, talk: Talk) -> list[Doubt]:
    """Pairs whose passage is in neither ranking's first twentieth of the corpus (at most 1,000).

    A wrong label at random is found nine times in ten; a right one that both overlook looks the same, so a person has
    to decide.

    Args:
        vectors: Folder of the encode cache.
    """
    from lexitune.models.corpus import encode_corpus

    judged = {query_id for split in raw.qrels.values() for query_id in split if query_id in raw.queries}
    queries = [raw.queries[query_id] for query_id in sorted(judged)]
    depth = min(MOST_DEPTH, max(LEAST_DEPTH, round(DEPTH * len(raw.docs))), len(raw.docs))
    stored = encode_corpus(model, raw.docs, vectors, talk=talk, stage="check")
    ids, texts = [query.query_id for query in queries], [query.text for query in queries]
    stock = exact_search(model.encode_queries(texts), stored, depth, query_ids=ids)
    return doubts(raw, queries, [stock, BM25.build(raw.docs).search(texts, query_ids=ids, k=depth)])


def doubts(raw: Raw, queries: Sequence[Query], rankings: Sequence[Hits]) -> list[Doubt]:
    """Right pairs whose passage stands in none of the rankings, in the order of splits and queries."""
    found = {
        query.query_id: {hits.doc_ids[place] for hits in rankings for place in hits.index[row] if place >= 0}
        for row, query in enumerate(queries)
    }
    return [
        Doubt(name, query_id, doc_id)
        for name, split in raw.qrels.items()
        for query_id, grades in split.items()
        for doc_id, grade in grades.items()
        if grade > 0 and query_id in found and doc_id not in found[query_id]
    ]


def find_long(raw: Raw, *, model: Embedder) -> Finding:
    """Passages that fill the model's length, and so lose what follows."""
    lengths = model.tokenise_docs([doc.full_text for doc in raw.docs]).lengths
    long = np.flatnonzero(lengths >= model.spec.max_length)
    limit = f"the model's {model.spec.max_length} tokens and lose what follows"
    said = f"{len(long):,} of {len(raw.docs):,} passages fill {limit}"
    if len(long) <= FEW * len(raw.docs):
        return Finding("long", OK, len(long), said)
    examples = tuple(raw.docs[row].doc_id for row in long[:SHOWN].tolist())
    return Finding(
        "long", LOOK, len(long), said, examples, "a larger --max-length where the model bears it, or shorter passages"
    )
