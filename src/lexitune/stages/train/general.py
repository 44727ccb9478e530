"""General text: queries and passages outside any field, to see what a training takes from the model there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexitune.io.general import read_general
from lexitune.metrics.measures import Measure
from lexitune.stages.train.heldout import HeldOut

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["make_general_set"]

NDCG = Measure("nDCG", 10)
FEWEST_QUERIES = 60
OTHERS = 0.3  # passages that answer nothing, for each one that does


def make_general_set(model: Embedder, *, folder: Path | None, tokens: float, seed: int) -> HeldOut:
    """General queries and their pool, as many as `tokens` have room for, drawn by seed.

    Args:
        folder: The user's own, in BEIR form; None: what comes with lexitune.
        tokens: What one evaluation may read; sixty queries are taken in any case.
    """
    docs, queries, qrels = read_general(folder)
    texts = {doc.doc_id: doc.full_text for doc in docs}
    draw = np.random.default_rng(seed)
    ids = [query_id for query_id, judged in qrels.items() if any(grade > 0 for grade in judged.values())]
    ids = [ids[row] for row in draw.permutation(len(ids))]
    query_tokens = model.tokenise_queries([queries[query_id].text for query_id in ids])
    doc_tokens = model.tokenise_docs(list(texts.values()))
    each = float(np.mean(query_tokens.lengths)) + (1 + OTHERS) * float(np.mean(doc_tokens.lengths))
    taken = min(len(ids), max(FEWEST_QUERIES, int(tokens / each)))
    query_ids = sorted(ids[:taken])
    chosen = {query_id: qrels[query_id] for query_id in query_ids}
    pool = {doc_id for judged in chosen.values() for doc_id, grade in judged.items() if grade > 0}
    others = [doc_id for doc_id in texts if doc_id not in pool]
    extra = len(others) if taken == len(ids) else round(OTHERS * len(pool))
    doc_ids = sorted([*pool, *(others[row] for row in draw.permutation(len(others))[:extra])])
    query_row, doc_row = ({name: row for row, name in enumerate(names)} for names in (ids, texts))
    return HeldOut(
        chosen,
        tuple(query_ids),
        tuple(doc_ids),
        query_tokens.take(np.array([query_row[query_id] for query_id in query_ids])),
        doc_tokens.take(np.array([doc_row[doc_id] for doc_id in doc_ids])),
        NDCG,
    )
