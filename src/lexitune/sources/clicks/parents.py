"""Clicks on a document whose passages are what is searched: which of them was meant?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lexitune.search.bm25 import BM25
from lexitune.types import Doc, Judgement, Query

__all__ = ["names_of", "place_in_passages"]


def names_of(docs: Iterable[Doc]) -> list[str]:
    """What a log may call passages of a corpus: their ids, and the families that they belong to."""
    return sorted({name for doc in docs for name in (doc.doc_id, doc.metadata.get("family")) if isinstance(name, str)})


def place_in_passages(
    judgements: Sequence[Judgement], *, queries: Mapping[str, Query], docs: Sequence[Doc]
) -> tuple[list[Judgement], int]:
    """Opinions on a parent document become opinions on its best passage for the query, by BM25 within the document.

    A log that names documents does not say which passage pleased. The weight is therefore multiplied by the best
    passage's share of the two best scores: 1 where no other passage fits at all, a half where two fit alike. Where none
    shares a word with the query, it could be any, and the opinion is left out.

    Returns:
        All opinions on passages, and how many were left out.
    """
    known = {doc.doc_id for doc in docs}
    of_family: dict[str, list[Doc]] = defaultdict(list)
    for doc in docs:
        if isinstance(family := doc.metadata.get("family"), str):
            of_family[family].append(doc)
    asked: dict[str, list[Judgement]] = defaultdict(list)
    placed, lost = list[Judgement](), 0
    for one in judgements:
        if one.doc_id in known or one.doc_id not in of_family:
            placed.append(one)
        else:
            asked[one.doc_id].append(one)
    for family in sorted(asked):
        opinions = asked[family]
        texts = [queries[one.query_id].text for one in opinions]
        found = BM25.build(of_family[family]).search(texts, query_ids=[str(n) for n in range(len(texts))], k=2)
        for one, rows, scores in zip(opinions, found.index.tolist(), found.score.tolist(), strict=True):
            if rows[0] < 0:
                lost += 1
                continue
            share = scores[0] / (scores[0] + max(scores[1], 0.0))
            doc_id, weight = found.doc_ids[rows[0]], round(one.weight * share, 4)
            told = f"{one.evidence}; of '{family}' this passage fits best ({share:.0%} of the two best scores)"
            placed.append(replace(one, doc_id=doc_id, weight=weight, evidence=told))
    return placed, lost
