"""InfoNCE: numbers that a person can check, what the mask does, and equality with sentence-transformers."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import Tensor

from lexitune.stages.train.losses.batch import Batch
from lexitune.stages.train.losses.infonce import infonce, infonce_reverse, infonce_symmetric

BatchOf = Callable[..., Batch]

EYE = torch.eye(2)
ALL = [infonce, infonce_reverse, infonce_symmetric]
BOTH_WAYS = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
# Queries, their docs, and two negatives of each.
TEXTS = [
    ["w1 w2", "w3", "w4 w5 w6", "w7"],
    ["w1 w9", "w3 w10 w11", "w5", "w12 w7"],
    ["w2 w8", "w13", "w6 w14", "w7 w15 w16"],
    ["w17", "w3 w18", "w4 w19 w20", "w1"],
]


@pytest.mark.parametrize(
    ("case", "positives", "expected"),
    [
        # scores [[1, 0], [0, 1]]: each loses log(1 + e^(0 - 1))
        ("right docs lose little", EYE, math.log(1 + math.exp(-1))),
        # scores [[0, 1], [1, 0]]: each loses log(1 + e^(1 - 0))
        ("swapped docs lose much", EYE.flip(0), math.log(1 + math.exp(1))),
        # scores all 1: a coin
        ("equal docs are a coin", torch.tensor([[1.0, 1.0], [1.0, 1.0]]), math.log(2)),
        ("length does not count, direction does", 7 * EYE, math.log(1 + math.exp(-1))),
    ],
)
@pytest.mark.parametrize("loss", ALL)
def test_two_by_two(loss, case: str, positives: Tensor, expected: float, batch_of: BatchOf) -> None:  # type: ignore[no-untyped-def]
    assert loss(batch_of(EYE, positives), temperature=1.0).item() == pytest.approx(expected, abs=1e-6)


def test_temperature_divides_the_scores(batch_of: BatchOf) -> None:
    value = infonce(batch_of(EYE, EYE), temperature=0.5)

    assert value.item() == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)


@pytest.mark.parametrize("loss", ALL)
def test_a_known_positive_of_another_query_leaves_the_softmax(loss, batch_of: BatchOf) -> None:  # type: ignore[no-untyped-def]
    relevant = torch.tensor([[True, True], [False, True]])

    value = loss(batch_of(EYE, EYE, relevant=relevant), temperature=1.0)

    # Query 0 has nothing left to lose against: 0. Query 1 loses log(1 + e^-1). Backwards the columns turn:
    # doc 0 loses log(1 + e^-1) against query 1, doc 1 knows query 0 as its own: 0.
    assert value.item() == pytest.approx(math.log(1 + math.exp(-1)) / 2, abs=1e-6)


def test_the_reverse_asks_the_docs(batch_of: BatchOf) -> None:
    same = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    one_way, other_way = math.log(2), (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))) / 2
    # Both docs lie on query 0. Each query sees two equal docs, a coin. Doc 0 sees 1 and 0, its own first;
    # doc 1 sees 1 and 0, its own second.

    found = [
        loss(batch_of(EYE, same), temperature=1.0).item() for loss in (infonce, infonce_reverse, infonce_symmetric)
    ]

    assert found == pytest.approx([one_way, other_way, (one_way + other_way) / 2], abs=1e-6)


def test_further_negatives_count_in_one_direction(batch_of: BatchOf) -> None:
    negatives = torch.tensor([[1.0, 0.0]])
    batch = batch_of(EYE, EYE, negatives=negatives)
    # Query 0 sees 1, 0, 1: log(2 + e^-1). Query 1 sees 0, 1, 0: log(1 + 2 e^-1).
    forwards = (math.log(2 + math.exp(-1)) + math.log(1 + 2 * math.exp(-1))) / 2

    assert infonce(batch, temperature=1.0).item() == pytest.approx(forwards, abs=1e-6)
    assert infonce_reverse(batch, temperature=1.0).item() == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-6)
    assert infonce_symmetric(batch, temperature=1.0).item() == pytest.approx(
        (forwards + math.log(1 + math.exp(-1))) / 2, abs=1e-6
    )


@pytest.mark.parametrize(
    ("loss", "columns", "peer"),
    [
        (infonce, (0, 1), {}),
        (infonce, (0, 1, 2, 3), {}),
        (infonce_reverse, (1, 0), {}),
        (infonce_symmetric, (0, 1), BOTH_WAYS),
        (infonce_symmetric, (0, 1, 2, 3), BOTH_WAYS),
    ],
    ids=[
        "infonce",
        "infonce, two negatives",
        "reverse: columns change places",
        "symmetric",
        "symmetric, two negatives",
    ],
)
def test_without_mask_loss_and_gradient_are_sentence_transformers_own(  # type: ignore[no-untyped-def]
    loss, columns: tuple[int, ...], peer, tiny_folder: Path, batch_of: BatchOf
) -> None:
    model = SentenceTransformer(str(tiny_folder), device="cpu").train()
    theirs = MultipleNegativesRankingLoss(model, **peer)
    features = [model.preprocess(list(column)) for column in TEXTS]

    expected = theirs([dict(features[column]) for column in columns], None)
    expected.backward()
    wanted = flat_gradient(model)
    model.zero_grad()
    queries, positives, *more = (
        model(dict(features[column]))["sentence_embedding"] for column in range(max(2, len(columns)))
    )
    value = loss(batch_of(queries, positives, negatives=torch.cat(more) if more else None), temperature=0.05)
    value.backward()

    assert value.item() == pytest.approx(expected.item(), abs=1e-6)
    assert ((flat_gradient(model) - wanted).norm() / wanted.norm()).item() < 1e-6


def flat_gradient(model: SentenceTransformer) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
