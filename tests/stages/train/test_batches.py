"""Batches by number: each text once, negatives drawn, what is known of every cell, and the order of an epoch."""

import numpy as np
import pytest

from lexitune.stages.train.batches import cut_batches, plan_batch
from lexitune.stages.train.examples import Examples, gather_examples
from lexitune.types import Dataset, Doc, Example, Qrels, Query

DOCS = [Doc("d1", "alpha"), Doc("d2", "beta"), Doc("d3", "gamma"), Doc("d4", "delta"), Doc("d5", "epsilon")]
QUERIES = {name: Query(name, text) for name, text in {"q1": "a?", "q2": "b?", "q3": "c?"}.items()}


def examples_of(qrels: Qrels, *mined: Example) -> Examples:
    return gather_examples(Dataset(DOCS, QUERIES, {"train": qrels}), qrels, mined=mined)


def fifty() -> Examples:
    docs = [Doc(f"d{n}", f"doc {n}") for n in range(50)]
    queries = {f"q{n}": Query(f"q{n}", f"query {n}") for n in range(50)}
    qrels = {f"q{n}": {f"d{n}": 1} for n in range(50)}
    return gather_examples(Dataset(docs, queries, {"train": qrels}), qrels)


def test_a_batch_encodes_each_text_once_and_knows_all_answers() -> None:
    qrels = {"q1": {"d1": 1, "d2": 1}, "q2": {"d2": 1, "d3": 1}}
    examples = examples_of(qrels)

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
    examples = examples_of(qrels)

    batch = plan_batch(examples, np.arange(3), mask="none")

    assert batch.relevant.tolist() == np.eye(3, dtype=bool).tolist()


def test_an_epoch_takes_each_pair_once_and_the_next_in_another_order() -> None:
    first, second = np.split(np.concatenate(list(cut_batches(fifty(), batch_size=8, seed=3, epochs=2))), 2)

    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(50))
    assert first.tolist() != second.tolist()


def test_the_order_is_the_seeds() -> None:
    def orders(seed: int) -> list[list[int]]:
        return [batch.tolist() for batch in cut_batches(fifty(), batch_size=8, seed=seed, epochs=1)]

    assert orders(3) == orders(3)
    assert orders(3) != orders(4)


def test_a_drawn_negative_is_a_column_of_its_own_and_another_pairs_doc_is_not() -> None:
    qrels = {"q1": {"d1": 1}, "q2": {"d2": 1}}
    mined = Example("q1", ["d1"], ["d2", "d3"])

    batch = plan_batch(examples_of(qrels, mined), np.array([0, 1]), mask="relevant", negatives=2)

    assert batch.rows.tolist() == [0, 1, 2, 3, 4]  # queries a, b; docs alpha, beta, gamma
    assert batch.negative_at.tolist() == [4]  # beta stands there as b's own
    assert batch.relevant.tolist() == [[True, False, False], [False, True, False]]
    assert sorted(batch.listed[0].tolist()) == [0, 1, 2]
    assert batch.listed[0, 0] == 0  # its own doc first


def test_a_negative_that_another_query_of_the_batch_knows_as_right_is_masked_there() -> None:
    qrels = {"q1": {"d1": 1}, "q2": {"d2": 1, "d3": 1}}
    mined = Example("q1", ["d1"], ["d3"])

    batch = plan_batch(examples_of(qrels, mined), np.array([0, 1]), mask="relevant", negatives=1)  # without (b, gamma)

    assert batch.relevant.tolist() == [[True, False, False], [False, True, True]]


def test_fewer_negatives_than_asked_leave_room_that_the_teacher_does_not_fill() -> None:
    qrels = {"q1": {"d1": 1}, "q2": {"d2": 1}}
    mined = [Example("q1", ["d1"], ["d3"], teacher_scores=[9.0, 2.0])]

    batch = plan_batch(examples_of(qrels, *mined), np.array([0, 1]), mask="relevant", negatives=3)

    nan = np.nan
    assert batch.listed.tolist() == [[0, 2, 0, 0], [1, 0, 0, 0]]
    assert np.array_equal(batch.teacher, np.array([[9, 2, nan, nan], [nan] * 4], np.float32), equal_nan=True)


def test_every_negative_gets_its_turn_and_none_comes_twice_in_a_draw() -> None:
    qrels = {"q1": {"d1": 1}}
    examples = examples_of(qrels, Example("q1", ["d1"], ["d2", "d3", "d4", "d5"]))

    drawn = [plan_batch(examples, np.array([0]), mask="relevant", negatives=2, seed=seed) for seed in range(40)]

    assert {len(batch.negative_at) for batch in drawn} == {2}
    assert {row for batch in drawn for row in batch.rows[batch.negative_at]} == {2, 3, 4, 5}


def test_the_draw_is_the_seeds() -> None:
    examples = examples_of({"q1": {"d1": 1}}, Example("q1", ["d1"], ["d2", "d3", "d4", "d5"]))

    def rows(seed: int) -> list[int]:
        return list(plan_batch(examples, np.array([0]), mask="relevant", negatives=1, seed=seed).rows)

    assert [rows(seed) for seed in range(9)] == [rows(seed) for seed in range(9)]


def test_sampling_takes_each_query_once_an_epoch_and_all_its_docs_in_time() -> None:  # fault 44
    examples = examples_of({"q1": {"d1": 1, "d2": 1, "d3": 1}, "q2": {"d4": 1}})

    epochs = [batch.tolist() for batch in cut_batches(examples, batch_size=8, seed=3, epochs=30, positives="sample")]

    assert {tuple(sorted(examples.pairs[epoch, 0].tolist())) for epoch in epochs} == {(0, 1)}
    assert {pair for epoch in epochs for pair in epoch} == {0, 1, 2, 3}


@pytest.mark.parametrize(("count", "sizes"), [(4, [4] * 3), (50, [17, 17, 16])])
def test_the_batches_of_an_epoch_are_of_one_size(count: int, sizes: list[int]) -> None:
    qrels = {"q1": {"d1": 1, "d2": 1, "d3": 1, "d4": 1}, "q2": {f"d{n}": 1 for n in range(1, 5)}}
    examples = fifty() if count == 50 else examples_of({**qrels, "q3": {f"d{n}": 1 for n in range(1, 5)}})

    found = [len(batch) for batch in cut_batches(examples, batch_size=24 if count == 50 else 4, seed=1, epochs=1)]

    assert found == sizes
