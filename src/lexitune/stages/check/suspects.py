"""Suspected label errors, by what the stock model and BM25 make of the judgements; and passages that lose their end."""

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
from lexitune.stages.check.findings import FEW, SHOWN, Finding
from lexitune.types import LOOK, OK, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["Suspect", "find_long", "find_suspects"]

DEPTH = 0.05  # of the corpus: a passage taken at random stands above that once in twenty times
MOST_DEPTH, LEAST_DEPTH = 1000, 10
AT_ONCE = 500  # queries: their rankings take some 50 MB


@dataclass(frozen=True, slots=True)
class Suspect:
    """A pair that is judged right, and that both stock and BM25 rank as they would a passage taken at random."""

    split: str
    query_id: str
    doc_id: str


def find_suspects(raw: Raw, *, model: Embedder, vectors: Path, talk: Talk) -> list[Suspect]:
    """Pairs whose passage is in neither ranking's first twentieth of the corpus (10 at least, 1,000 at most).

    In a corpus of 200 passages or more a label that is wrong at random is found nine times in ten; a right one that
    both overlook looks the same, so a person has to decide. Queries with a filter are left out: where it leaves few
    passages, each of them ranks high.

    Args:
        vectors: Folder of the encode cache.

    Returns:
        In the order of splits, queries and judgements.
    """
    from lexitune.models.corpus import encode_corpus

    judged = sorted({query_id for split in raw.qrels.values() for query_id in split})
    queries = [query for query_id in judged if not (query := raw.queries[query_id]).metadata.get("filter")]
    depth = min(MOST_DEPTH, max(LEAST_DEPTH, round(DEPTH * len(raw.docs))), len(raw.docs))
    stored, index = encode_corpus(model, raw.docs, vectors, talk=talk, stage="check"), BM25.build(raw.docs)
    missed: set[tuple[str, str]] = set()
    for start in range(0, len(queries), AT_ONCE):
        some = queries[start : start + AT_ONCE]
        ids, texts = [query.query_id for query in some], [query.text for query in some]
        stock = exact_search(model.encode_queries(texts), stored, depth, query_ids=ids)
        missed |= _missed(raw, [stock, index.search(texts, query_ids=ids, k=depth)])
    return [
        Suspect(name, query_id, doc_id)
        for name, split in raw.qrels.items()
        for query_id, grades in split.items()
        for doc_id, grade in grades.items()
        if grade > 0 and (query_id, doc_id) in missed
    ]


def _missed(raw: Raw, rankings: Sequence[Hits]) -> set[tuple[str, str]]:
    """The right pairs of these queries whose passage is in no ranking."""
    found = set()
    for query_id in rankings[0].query_ids:
        ranked = {doc_id for hits in rankings for doc_id, _ in hits.run(query_id)}
        right = (doc for split in raw.qrels.values() for doc, grade in split.get(query_id, {}).items() if grade > 0)
        found |= {(query_id, doc_id) for doc_id in right if doc_id not in ranked}
    return found


def find_long(raw: Raw, *, model: Embedder) -> Finding:
    """Passages that fill the model's length, and so lose what follows."""
    long = np.flatnonzero(model.filled([doc.full_text for doc in raw.docs]))
    limit = f"the model's {model.spec.max_length} tokens and lose what follows"
    said = f"{len(long):,} of {len(raw.docs):,} passages fill {limit}"
    if len(long) <= FEW * len(raw.docs):
        return Finding("long", OK, len(long), said)
    examples = tuple(raw.docs[row].doc_id for row in long[:SHOWN].tolist())
    fix = "a larger --max-length where the model bears it, or shorter passages"
    return Finding("long", LOOK, len(long), said, examples, fix)
