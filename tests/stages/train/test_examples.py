"""From judgements to batches: what is a pair, what is known, and in which order they come."""

import numpy as np
import pytest

from lexitune.errors import DataError
from lexitune.stages.train.examples import cut_batches, gather_examples, plan_batch
from lexitune.types import Dataset, Doc, Qrels, Query

DOCS = [Doc("d1", "alpha"), Doc("d2", "beta"), Doc("d3", "gamma"), Doc("d4", "alpha"), Doc("d5", "beta", title="on")]
QUERIES = {name: Query(name, text) for name, text in {"q1": "a?", "q2": "b?", "q3": "a?"}.items()}


def data_of(qrels: Qrels) -> Dataset:
    return Dataset(DOCS, QUERIES, {"train": qrels})


@pytest.mark.parametrize(
    ("case", "qrels", "pairs"),
    [
        ("one pair for each positive", {"q1": {"d1": 1, "d2": 2}}, [("a?", "alpha"), ("a?", "beta")]),
        ("judged 0 is no pair", {"q1": {"d1": 1, "d2": 0}, "q2": {"d3": 1}}, [("a?", "alpha"), ("b?", "gamma")]),
        ("equal texts are one", {"q1": {"d1": 1, "d2": 1}, "q3": {"d4": 1}}, [("a?", "alpha"), ("a?", "beta")]),
        ("the title belongs to the text", {"q1": {"d1": 1}, "q2": {"d5": 1}}, [("a?", "alpha"), ("b?", "on beta")]),
    ],
)
def test_which_pairs_there_are(case: str, qrels: Qrels, pairs: list[tuple[str, str]]) -> None:
    examples = gather_examples(data_of(qrels), qrels)

    assert [(examples.queries[q], examples.docs[d]) for q, d in examples.pairs] == pairs


@pytest.mark.parametrize(
    ("case", "qrels", "code"),
    [
        ("no judgements", {}, "E3321"),
        ("judged 0 only", {"q1": {"d1": 0}}, "E3321"),
        ("a doc without a text", {"q1": {"d1": 1, "d9": 1}}, "E3322"),
        ("a query without a text", {"q9": {"d1": 1}}, "E3322"),
        ("two ids, one passage", {"q1": {"d1": 1}, "q2": {"d4": 1}}, "E3323"),
    ],
)
def test_what_cannot_be_trained_on(case: str, qrels: Qrels, code: str) -> None:
    with pytest.raises(DataError) as caught:
        gather_examples(data_of(qrels), qrels)

    assert caught.value.code == code


def test_a_batch_encodes_each_text_once_and_knows_all_answers() -> None:
    qrels = {"q1": {"d1": 1, "d2": 1}, "q2": {"d2": 1, "d3": 1}}
    examples = gather_examples(data_of(qrels), qrels)

    batch = plan_batch(examples, np.array([0, 1, 3]), mask="relevant")  # (a, alpha), (a, beta), (b, gamma)

    assert batch.rows.tolist() == [0, 1, 2, 3, 4]  # queries a, b; docs alpha, beta, gamma
    assert batch.query_at.tolist() == [0, 0, 1]
    assert batch.doc_at.tolist() == [2, 3, 4]
    assert batch.relevant.tolist() == [
        [True, True, False],  # a: alpha is its own, beta is known
        [True, True, False],
        [False, True, True],  # b: beta is known although this pair is not in the batch
    ]


def test_without_mask_only_the_own_doc_is_known() -> None:
    qrels = {"q1": {"d1": 1, "d2": 1}, "q2": {"d2": 1}}
    examples = gather_examples(data_of(qrels), qrels)

    batch = plan_batch(examples, np.arange(3), mask="none")

    assert batch.relevant.tolist() == np.eye(3, dtype=bool).tolist()


def test_an_epoch_takes_each_pair_once_and_the_next_in_another_order() -> None:
    first, second = np.split(np.concatenate(list(cut_batches(50, batch_size=8, seed=3, epochs=2))), 2)

    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(50))
    assert first.tolist() != second.tolist()


def test_the_order_is_the_seeds() -> None:
    def orders(seed: int) -> list[list[int]]:
        return [batch.tolist() for batch in cut_batches(50, batch_size=8, seed=seed, epochs=1)]

    assert orders(3) == orders(3)
    assert orders(3) != orders(4)
