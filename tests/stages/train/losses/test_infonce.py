"""InfoNCE: numbers that a person can check, what the mask does, and equality with sentence-transformers."""

import math

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import Tensor

from lexitune.stages.train.losses.batch import Batch
from lexitune.stages.train.losses.infonce import infonce, infonce_symmetric
from lexitune.stages.train.losses.registry import LOSSES

EYE = torch.eye(2)


def batch_of(
    queries: Tensor,
    positives: Tensor,
    *,
    relevant: Tensor | None = None,
    negatives: Tensor | None = None,
    weights: Tensor | None = None,
) -> Batch:
    count = len(queries)
    if relevant is None:
        relevant = torch.eye(count, count + (0 if negatives is None else len(negatives)), dtype=torch.bool)
    return Batch(queries, positives, negatives, torch.ones(count) if weights is None else weights, relevant)


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
@pytest.mark.parametrize("loss", [infonce, infonce_symmetric])
def test_two_by_two(loss, case: str, positives: Tensor, expected: float) -> None:  # type: ignore[no-untyped-def]
    assert loss(batch_of(EYE, positives), temperature=1.0).item() == pytest.approx(expected, abs=1e-6)


def test_temperature_divides_the_scores() -> None:
    value = infonce(batch_of(EYE, EYE), temperature=0.5)

    assert value.item() == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-6)


@pytest.mark.parametrize("loss", [infonce, infonce_symmetric])
def test_a_known_positive_of_another_query_leaves_the_softmax(loss) -> None:  # type: ignore[no-untyped-def]
    relevant = torch.tensor([[True, True], [False, True]])

    value = loss(batch_of(EYE, EYE, relevant=relevant), temperature=1.0)

    # Query 0 has nothing left to lose against: 0. Query 1 loses log(1 + e^-1). Backwards the columns turn:
    # doc 0 loses log(1 + e^-1) against query 1, doc 1 knows query 0 as its own: 0.
    assert value.item() == pytest.approx(math.log(1 + math.exp(-1)) / 2, abs=1e-6)


def test_a_weight_of_zero_takes_a_pair_out_of_the_mean() -> None:
    weights = torch.tensor([1.0, 0.0])
    positives = torch.tensor([[1.0, 0.0], [1.0, 0.0]])

    value = infonce(batch_of(EYE, positives, weights=weights), temperature=1.0)

    assert value.item() == pytest.approx(math.log(2), abs=1e-6)  # query 0 sees scores 1 and 1


def test_further_negatives_count_in_one_direction() -> None:
    negatives = torch.tensor([[1.0, 0.0]])
    batch = batch_of(EYE, EYE, negatives=negatives)
    # Query 0 sees 1, 0, 1: log(2 + e^-1). Query 1 sees 0, 1, 0: log(1 + 2 e^-1).
    forwards = (math.log(2 + math.exp(-1)) + math.log(1 + 2 * math.exp(-1))) / 2

    assert infonce(batch, temperature=1.0).item() == pytest.approx(forwards, abs=1e-6)
    assert infonce_symmetric(batch, temperature=1.0).item() == pytest.approx(
        (forwards + math.log(1 + math.exp(-1))) / 2, abs=1e-6
    )


@pytest.mark.parametrize("name", LOSSES.names())
def test_every_loss_sends_gradient_and_ignores_the_order_of_negatives(name: str) -> None:
    seed = torch.Generator().manual_seed(1)
    queries, positives, negatives = (torch.randn(n, 4, generator=seed).requires_grad_() for n in (3, 3, 5))
    loss = LOSSES.get(name)

    value = loss(batch_of(queries, positives, negatives=negatives), temperature=0.1)
    turned = loss(batch_of(queries, positives, negatives=negatives.flip(0)), temperature=0.1)
    value.backward()

    assert value.item() == pytest.approx(turned.item(), abs=1e-6)
    for tensor in (queries, positives, negatives):
        assert tensor.grad is not None
        assert (tensor.grad.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize(
    ("loss", "peer"),
    [
        (infonce, {}),
        (infonce_symmetric, {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}),
    ],
    ids=["infonce", "symmetric"],
)
def test_without_mask_loss_and_gradient_are_sentence_transformers_own(loss, peer, tiny_folder) -> None:  # type: ignore[no-untyped-def]
    model = SentenceTransformer(str(tiny_folder), device="cpu").train()
    theirs = MultipleNegativesRankingLoss(model, **peer)
    texts = ["w1 w2", "w3", "w4 w5 w6", "w7"], ["w1 w9", "w3 w10 w11", "w5", "w12 w7"]
    features = [model.preprocess(column) for column in texts]

    expected = theirs([dict(column) for column in features], None)
    expected.backward()
    wanted = flat_gradient(model)
    model.zero_grad()
    queries, positives = (model(dict(column))["sentence_embedding"] for column in features)
    value = loss(batch_of(queries, positives), temperature=0.05)
    value.backward()

    assert value.item() == pytest.approx(expected.item(), abs=1e-6)
    assert ((flat_gradient(model) - wanted).norm() / wanted.norm()).item() < 1e-6


def flat_gradient(model: SentenceTransformer) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
