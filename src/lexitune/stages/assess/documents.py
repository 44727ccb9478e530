"""By document: where passages are parts of documents, a search may serve the document by any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lexitune.io.hits import Hits
from lexitune.splits.grouped import family_of
from lexitune.types import Doc, Qrels

__all__ = ["by_document", "document_of", "documents_of"]


def document_of(name: str, metadata: Mapping[str, Any]) -> str:
    """What a passage or query is part of: the `family` of its metadata, or itself; no family is taken for a name."""
    family = family_of(metadata)
    return f"of {family}" if family else name


def documents_of(docs: Sequence[Doc]) -> dict[str, str]:
    """Passage -> its document, the `family` of its metadata, or itself; empty where no document has two passages."""
    found = {doc.doc_id: document_of(doc.doc_id, doc.metadata) for doc in docs}
    return found if len(set(found.values())) < len(found) else {}


def by_document(hits: Hits, qrels: Qrels, documents: Mapping[str, str]) -> tuple[Hits, Qrels]:
    """A ranking of documents, each by the best of its passages, and judgements of them: the highest grade counts.

    Args:
        hits: Deep enough that ten documents are among them.
        documents: Of every passage; one that is missing is a document of its own.
    """
    run: dict[str, dict[str, float]] = {}
    for query_id in hits.query_ids:
        scores: dict[str, float] = {}
        for doc_id, score in hits.run(query_id):  # the best first
            scores.setdefault(documents.get(doc_id, doc_id), score)
        run[query_id] = scores
    judged: dict[str, dict[str, int]] = {}
    for query_id, grades in qrels.items():
        best = judged.setdefault(query_id, {})
        for doc_id, grade in grades.items():
            name = documents.get(doc_id, doc_id)
            best[name] = max(grade, best.get(name, grade))
    return Hits.from_run(run), judged
