"""By document: where passages are parts of documents, a search may serve the document by any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lexitune.io.hits import Hits
from lexitune.splits.grouped import family_of
from lexitune.types import Doc, Qrels

__all__ = ["by_document", "documents_of"]


def documents_of(docs: Sequence[Doc]) -> dict[str, str]:
    """Passage -> its document, the `family` of its metadata, or itself; empty where no document has two passages."""
    found = {doc.doc_id: f"of {family}" if (family := family_of(doc.metadata)) else doc.doc_id for doc in docs}
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
