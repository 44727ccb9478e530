"""The general set: as much of it as there are tokens to spend, and the same at each call."""

import numpy as np
import pytest

from lexitune.models.embedder import Embedder
from lexitune.stages.train.general import make_general_set


@pytest.mark.parametrize(
    ("case", "tokens", "queries", "docs"),
    [
        ("sixty queries in any case", 0.0, 60, None),
        ("all there are, with all passages", 1e9, 427, 440),
    ],
)
def test_its_size_by_tokens(tiny: Embedder, case: str, tokens: float, queries: int, docs: int | None) -> None:
    found = make_general_set(tiny, folder=None, tokens=tokens, seed=13)

    answers = {doc_id for judged in found.qrels.values() for doc_id, grade in judged.items() if grade > 0}
    assert len(found.query_ids) == len(found.queries) == queries
    assert len(found.docs) == len(found.doc_ids) == (docs or len(answers) + round(0.3 * len(answers)))
    assert answers <= set(found.doc_ids)


def test_between_them_it_takes_what_is_paid_for(tiny: Embedder) -> None:
    whole = make_general_set(tiny, folder=None, tokens=1e9, seed=13)
    # A query and 1.3 passages each.
    each = float(np.mean(whole.queries.lengths) + 1.3 * np.mean(whole.docs.lengths))

    found = make_general_set(tiny, folder=None, tokens=200.5 * each, seed=13)

    assert len(found.query_ids) == 200
    read = len(found.queries.ids) + len(found.docs.ids)
    assert read == pytest.approx(200 * each, rel=0.1)


def test_a_seed_draws_the_same_and_another_others(tiny: Embedder) -> None:
    first, again, other = (make_general_set(tiny, folder=None, tokens=0.0, seed=seed) for seed in (13, 13, 14))

    assert (first.query_ids, first.doc_ids) == (again.query_ids, again.doc_ids)
    assert set(first.query_ids) != set(other.query_ids)
