"""What the test queries share with training: a question that was asked there, a passage that was an answer there."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from lexitune.splits.audit import Leak, find_alike, find_leaks
from lexitune.types import Dataset, Qrels, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["cells", "seen_documents", "seen_queries"]


def seen_documents(train: Qrels, test: Qrels) -> frozenset[str]:
    """Test queries with a relevant doc that was a positive in training: not a leak, but easier.

    Example:
        >>> sorted(seen_documents({"q1": {"d1": 1, "d2": 0}}, {"t1": {"d1": 1}, "t2": {"d2": 1}}))
        ['t1']
    """
    positives = {doc for docs in train.values() for doc, grade in docs.items() if grade > 0}
    return frozenset(
        query for query, docs in test.items() if any(grade > 0 and doc in positives for doc, grade in docs.items())
    )


def seen_queries(data: Dataset, test: Qrels, *, stock: Embedder | None, talk: Talk) -> dict[str, Leak]:
    """Test queries that ask what a train or dev query asks: by text, else by the stock model's cosine.

    Args:
        data: The texts, and the train and dev judgements.
        stock: None: by text only.

    Returns:
        By test query, one for each: an equal text before a near one, and that before a cosine.
    """
    by_text = find_leaks({**data.qrels, "test": test}, data.queries)
    found = [leak for leak in by_text if leak.kind in ("equal", "near")]
    if stock is not None:
        known = {leak.query_id for leak in found}
        ids = {"test": [query_id for query_id in test if query_id not in known]}
        ids |= {name: list(split) for name, split in data.qrels.items()}
        vectors = {
            name: stock.encode_queries(
                [data.queries[query_id].text for query_id in of_split], talk=talk, stage="evaluate"
            )
            for name, of_split in ids.items()
        }
        for name in data.qrels:
            found += find_alike((ids["test"], vectors["test"]), (ids[name], vectors[name]), split=name)
    first: dict[str, Leak] = {}
    for leak in found:
        first.setdefault(leak.query_id, leak)
    return first


def cells(
    judged: AbstractSet[str], *, queries: AbstractSet[str], documents: AbstractSet[str]
) -> dict[str, frozenset[str]]:
    """Seen and unseen queries by seen and unseen documents, without the empty cells.

    Example:
        >>> found = cells({"t1", "t2", "t3"}, queries={"t1"}, documents={"t1", "t2"})
        >>> {name: sorted(ids) for name, ids in found.items()}  # doctest: +NORMALIZE_WHITESPACE
        {'seen query, seen document': ['t1'],
         'unseen query, seen document': ['t2'],
         'unseen query, unseen document': ['t3']}
    """
    found: Mapping[str, AbstractSet[str]] = {
        "seen query, seen document": judged & queries & documents,
        "seen query, unseen document": (judged & queries) - documents,
        "unseen query, seen document": (judged & documents) - queries,
        "unseen query, unseen document": judged - queries - documents,
    }
    return {name: frozenset(ids) for name, ids in found.items() if ids}
