"""BM25: the lexical baseline that a tuned model has to be worth more than, and its partner in hybrid search.

Lucene's variant (Kamphuis et al. 2020, "Which BM25 do you mean?"), k1 1.2, b 0.75, scored by bm25s.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from lexitune.io.hits import Hits
from lexitune.search.filters import Allowed
from lexitune.search.order import NO_HIT, DocOrder, pack, top
from lexitune.text.terms import terms
from lexitune.types import Doc

__all__ = ["BM25"]

K1, B = 1.2, 0.75


@dataclass(frozen=True)
class BM25:
    """An index in memory over title and text of docs, in their order.

    Example:
        >>> index = BM25.build([Doc("d1", "parse a date"), Doc("d2", "parseDate(text)"), Doc("d3", "sort a list")])
        >>> index.search(["parsing dates", "xylophone"], query_ids=["q1", "q2"], k=2).index.tolist()
        [[0, 1], [-1, -1]]
    """

    doc_ids: Sequence[str]
    order: DocOrder = field(repr=False)
    vocabulary: dict[str, int] = field(repr=False)
    scorer: Any = field(repr=False)  # bm25s.BM25; None where the corpus has no term at all

    @classmethod
    def build(cls, docs: Sequence[Doc], *, k1: float = K1, b: float = B) -> BM25:
        """Index docs.

        Args:
            k1: How much a term's repetition counts.
            b: How much a long doc is made to pay for its length, 0 to 1.
        """
        vocabulary: dict[str, int] = {}
        rows = [[vocabulary.setdefault(term, len(vocabulary)) for term in terms(doc.full_text)] for doc in docs]
        scorer = None
        if vocabulary:
            scorer = _bm25s().BM25(k1=k1, b=b, method="lucene")
            scorer.index((rows, vocabulary), create_empty_token=False, show_progress=False)
        doc_ids = [doc.doc_id for doc in docs]
        return cls(doc_ids, DocOrder(doc_ids), vocabulary, scorer)

    def search(self, texts: Sequence[str], *, query_ids: Sequence[str], k: int, allowed: Allowed | None = None) -> Hits:
        """Rank the docs that share a term with each query; ties by the tie rule.

        Args:
            texts: Queries, in the order of `query_ids`. One without a known term gets no hits.
            k: Most hits of a query; empty places have index -1.
            allowed: What each query may see; None: everything.
        """
        if k < 1 or len(texts) != len(query_ids):
            raise ValueError(f"k = {k}, {len(texts)} texts, {len(query_ids)} query ids")
        permitted = allowed.aligned(query_ids, self.doc_ids) if allowed is not None else None
        best = np.full((len(texts), k), NO_HIT, dtype=np.int64)
        for place, text in enumerate(texts):
            known = [self.vocabulary[term] for term in terms(text) if term in self.vocabulary]
            if not known:
                continue
            scores = self.scorer.get_scores_from_ids(known)
            mask = permitted.mask(place) if permitted is not None else None
            # Every shared term adds more than 0 in Lucene's variant, so 0 means: no term in common.
            rows = np.flatnonzero(scores > 0 if mask is None else (scores > 0) & mask)
            keys = top(pack(scores[rows], self.order.rank_by_row[rows]), k)
            best[place, : len(keys)] = keys
        index, score = self.order.unpack(best)
        return Hits(tuple(query_ids), self.doc_ids, index, score)


@cache
def _bm25s() -> Any:
    """The library bm25s, imported without JAX: to choose the best k, which is done here, it would start JAX where that
    is installed, and JAX takes three quarters of a GPU's memory as it starts.
    """
    there = "jax" in sys.modules
    if not there:
        sys.modules["jax"] = None  # type: ignore[assignment]  # Python's way to say that a module cannot be imported
    try:
        import bm25s
    finally:
        if not there:
            del sys.modules["jax"]
    return bm25s
