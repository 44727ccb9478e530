"""Held-out recall during training: cheap, always on the same queries and the same pool of docs.

The pool is smaller than the corpus, so its first ten would be easier to reach: nearly every checkpoint would look alike
there. Recall is taken at the depth that is the same share of the pool as ten is of the corpus (the mapping of Li et
al. 2020, "On sampling top-k recommendation evaluation"). It ranks checkpoints; it is no result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lexitune.metrics.measures import Measure
from lexitune.models.sizing import TRAINING_PASSES
from lexitune.stages.train.heldout import HeldOut
from lexitune.types import Dataset

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["DevPlan", "answered", "evaluation_steps", "make_dev_set", "plan_dev"]

RANK = 10  # in the corpus
SHARE = 0.1  # of the training's work that all evaluations together may take
MOST_DOCS, FEWEST_DOCS, FEWEST_QUERIES = 2000, 200, 50
EVALUATIONS = (5, 4, 3)  # stock, the end, and what lies between


@dataclass(frozen=True, slots=True)
class DevPlan:
    """How many queries and docs one evaluation takes, and how many evaluations there are, stock's included."""

    queries: int
    docs: int
    evaluations: int


def plan_dev(
    *, queries: int, answers: float, query_tokens: float, doc_tokens: float, train_tokens: float, most_queries: int
) -> DevPlan:
    """Fit the evaluations into a tenth of the training's work, counted in tokens so that it depends on data alone.

    Args:
        queries: Dev queries there are.
        answers: Relevant docs a dev query has, on average.
        query_tokens: Tokens of a query, on average; `doc_tokens` likewise.
        train_tokens: Tokens the whole training learns from, in all of its epochs.
        most_queries: The user's limit.

    Example:
        20,000 pairs of 20 + 180 tokens: 4 M tokens, so 1.2 M for five evaluations of 240,000. 300 queries with
        their answers take 60,000; the rest has room for 1,000 more docs.

        >>> plan_dev(queries=400, answers=1, query_tokens=20, doc_tokens=180, train_tokens=4e6, most_queries=300)
        DevPlan(queries=300, docs=1300, evaluations=5)
    """
    total = SHARE * TRAINING_PASSES * train_tokens
    taken = min(queries, most_queries)
    each = query_tokens + answers * doc_tokens
    # Half as many docs again, so that an answer has others to be told from.
    fitting = [count for count in EVALUATIONS if 1.5 * taken * each <= total / count]
    evaluations = fitting[0] if fitting else EVALUATIONS[-1]
    if not fitting:
        taken = min(taken, max(FEWEST_QUERIES, int(total / evaluations / each)))
    room = int((total / evaluations - taken * each) / doc_tokens)
    docs = round(taken * answers) + max(0, room)
    return DevPlan(taken, max(FEWEST_DOCS, min(MOST_DOCS, docs)), evaluations)


def make_dev_set(data: Dataset, *, model: Embedder, plan: DevPlan, seed: int) -> HeldOut:
    """Draw the queries, and the pool: every doc relevant to one of them, then others at random up to `plan.docs`."""
    texts = {doc.doc_id: doc.full_text for doc in data.docs}
    judged = answered(data)
    draw = np.random.default_rng(seed)
    ids = sorted(judged)
    query_ids = tuple(ids[row] for row in np.sort(draw.permutation(len(ids))[: plan.queries]))
    qrels = {query_id: judged[query_id] for query_id in query_ids}
    pool = {doc_id for judgements in qrels.values() for doc_id, grade in judgements.items() if grade > 0}
    others = sorted(texts.keys() - pool)
    extra = draw.permutation(len(others))[: max(0, plan.docs - len(pool))]
    doc_ids = tuple(sorted([*pool, *(others[row] for row in extra)]))
    return HeldOut(
        qrels,
        query_ids,
        doc_ids,
        model.tokenise_queries([data.queries[query_id].text for query_id in query_ids]),
        model.tokenise_docs([texts[doc_id] for doc_id in doc_ids]),
        Measure("R", max(1, round(RANK * len(doc_ids) / len(texts)))),
    )


def answered(data: Dataset) -> dict[str, dict[str, int]]:
    """Dev queries with at least one relevant doc that exists."""
    texts = {doc.doc_id for doc in data.docs}
    found = {
        query_id: {doc_id: grade for doc_id, grade in judged.items() if doc_id in texts}
        for query_id, judged in data.qrels.get("dev", {}).items()
        if query_id in data.queries
    }
    return {query_id: judged for query_id, judged in found.items() if any(grade > 0 for grade in judged.values())}


def evaluation_steps(steps: int, evaluations: int) -> frozenset[int]:
    """Steps after which dev is measured: 0 (stock), the last, and evenly between.

    Example:
        >>> sorted(evaluation_steps(20, 5))
        [0, 5, 10, 15, 20]
    """
    return frozenset(round(steps * number / (evaluations - 1)) for number in range(evaluations))
