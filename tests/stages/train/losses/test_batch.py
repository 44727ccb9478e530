"""Batches for losses: distinct texts laid out as pairs, and what the guide adds to what is known."""

import numpy as np
import torch

from lexitune.stages.train.batches import PairBatch
from lexitune.stages.train.losses.batch import join_batch

# Texts 0 and 1 are queries, 2 to 4 docs. Two pairs, (0, 2) and (1, 3), and the negative 4.
PAIRS = PairBatch(
    rows=np.arange(5),
    query_at=np.array([0, 1]),
    doc_at=np.array([2, 3]),
    negative_at=np.array([4]),
    weights=np.array([1.0, 0.5], np.float32),
    relevant=np.array([[True, False, False], [False, True, False]]),
    listed=np.array([[0, 2], [1, 2]]),
    teacher=np.array([[3.0, 1.0], [2.0, np.nan]], np.float32),
)
VECTORS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.1, 1.0], [1.0, 1.0]])


def test_texts_are_laid_out_as_pairs() -> None:
    batch = join_batch(PAIRS, VECTORS)

    assert torch.equal(batch.queries, VECTORS[:2])
    assert torch.equal(batch.docs, VECTORS[2:])
    assert batch.weights.tolist() == [1.0, 0.5]
    assert batch.relevant.tolist() == PAIRS.relevant.tolist()
    assert batch.listed is not None
    assert batch.listed.tolist() == [[0, 2], [1, 2]]
    assert batch.teacher is not None
    assert torch.equal(batch.teacher.isnan(), torch.tensor([[False, False], [False, True]]))


def test_a_text_of_two_pairs_has_the_gradients_of_both() -> None:
    vectors = VECTORS.clone().requires_grad_()
    twice = PairBatch(
        rows=np.arange(3),
        query_at=np.array([0, 0]),
        doc_at=np.array([1, 2]),
        negative_at=np.array([], np.int64),
        weights=np.ones(2, np.float32),
        relevant=np.eye(2, dtype=np.bool_),
        listed=np.array([[0], [1]]),
        teacher=np.full((2, 1), np.nan, np.float32),
    )

    batch = join_batch(twice, vectors)
    (batch.queries.sum() + batch.positives.sum()).backward()  # type: ignore[no-untyped-call]

    assert batch.negatives is None
    assert vectors.grad is not None
    assert vectors.grad[:3].tolist() == [[2.0, 2.0], [1.0, 1.0], [1.0, 1.0]]


def test_what_the_guide_ranks_above_the_own_doc_is_taken_out() -> None:
    # The guide sees query 1 nearest to the negative; of query 0 it thinks as everybody does.
    guide = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.5, 0.5], [0.0, 1.0]])

    batch = join_batch(PAIRS, VECTORS, guide=guide)

    assert batch.relevant.tolist() == [[True, False, False], [False, True, True]]
    assert torch.equal(batch.queries, VECTORS[:2])
