"""The labels that both sides write and must read: texts and ids that readers trip over. Standard library only."""

QUERIES = {"q-1": "what is =SUM(A1)?", "q é2": 'he said "no", 日本語 é'}
DOCS = {
    "d-1": ("", "the right\npassage"),
    "d-2": ("A title", "-wrong, but close\u2028with a separator"),
    "d'3": ("", "another; right one"),
    "7": ("", "a passage that nobody judged, with a number as its id"),
}
QRELS = {"q-1": {"d-1": 1, "d-2": 0}, "q é2": {"d'3": 1, "d-1": 0}}


def full(doc_id):
    """A passage as one text."""
    return " ".join(part for part in DOCS[doc_id] if part)


def right(query_id):
    """The ids of a query's right passages."""
    return [doc_id for doc_id, grade in QRELS[query_id].items() if grade]


def wrong(query_id):
    """The ids of its wrong ones."""
    return [doc_id for doc_id, grade in QRELS[query_id].items() if not grade]
