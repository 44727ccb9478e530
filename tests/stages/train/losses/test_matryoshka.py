"""Matryoshka: prefixes by hand, equality with sentence-transformers' MatryoshkaLoss, and sizes that do not fit."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss
from torch import Tensor

from lexitune.errors import UsageError
from lexitune.stages.train.losses.batch import Batch
from lexitune.stages.train.losses.infonce import infonce
from lexitune.stages.train.losses.matryoshka import matryoshka

BatchOf = Callable[..., Batch]

# Each vector is its own pair's doc. Whole, they are at right angles: scores [[1, 0], [0, 1]]. The first numbers alone
# point in opposite directions: scores [[1, -1], [-1, 1]].
ACROSS = torch.tensor([[1.0, 1.0], [-1.0, 1.0]])
WHOLE, FIRST = math.log(1 + math.exp(-1)), math.log(1 + math.exp(-2))


@pytest.mark.parametrize(
    ("case", "dimensions", "weights", "expected"),
    [
        ("the whole vector is always among them", (1,), None, (WHOLE + FIRST) / 2),
        ("named, it counts once", (2, 1), None, (WHOLE + FIRST) / 2),
        ("weights", (2, 1), (1.0, 3.0), (WHOLE + 3 * FIRST) / 4),
        ("not named, it has weight 1", (1,), (3.0,), (WHOLE + 3 * FIRST) / 4),
        ("alone", (2,), None, WHOLE),
    ],
)
def test_the_mean_of_the_prefixes(
    case: str, dimensions: tuple[int, ...], weights: tuple[float, ...] | None, expected: float, batch_of: BatchOf
) -> None:
    loss = matryoshka(infonce, dimensions=dimensions, weights=weights)

    assert loss(batch_of(ACROSS, ACROSS), temperature=1.0).item() == pytest.approx(expected, abs=1e-6)


def test_negatives_are_cut_too(batch_of: BatchOf) -> None:
    # The first number of the negative says what those of both docs say of theirs: [1, -1, 1] and [-1, 1, -1]; the
    # whole vectors [1, 1], [-1, 1] and [1, -1] have scores [1, 0, 0] and [0, 1, -1].
    batch = batch_of(ACROSS, ACROSS, negatives=torch.tensor([[1.0, -1.0]]))
    first = (math.log(2 + math.exp(-2)) + math.log(1 + 2 * math.exp(-2))) / 2
    whole = (math.log(1 + 2 * math.exp(-1)) + math.log(1 + math.exp(-1) + math.exp(-2))) / 2

    value = matryoshka(infonce, dimensions=(1,))(batch, temperature=1.0)

    assert value.item() == pytest.approx((first + whole) / 2, abs=1e-6)


def test_it_is_sentence_transformers_own_sum_as_a_mean(tiny_folder: Path, batch_of: BatchOf) -> None:
    model = SentenceTransformer(str(tiny_folder), device="cpu").train()
    theirs = MatryoshkaLoss(model, MultipleNegativesRankingLoss(model), [32, 16, 8], [1.0, 0.5, 2.5])
    texts = ["w1 w2", "w3", "w4 w5 w6", "w7"], ["w1 w9", "w3 w10 w11", "w5", "w12 w7"]
    features = [model.preprocess(list(column)) for column in texts]
    expected = theirs([dict(column) for column in features], torch.empty(0)) / 4
    expected.backward()
    wanted = flat_gradient(model)
    model.zero_grad()

    queries, positives = (model(dict(column))["sentence_embedding"] for column in features)
    loss = matryoshka(infonce, dimensions=(32, 16, 8), weights=(1.0, 0.5, 2.5))
    value = loss(batch_of(queries, positives), temperature=0.05)
    value.backward()  # type: ignore[no-untyped-call]

    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    assert ((flat_gradient(model) - wanted).norm() / wanted.norm()).item() < 2e-6


@pytest.mark.parametrize(
    ("case", "dimensions", "weights", "said"),
    [
        ("none", (), None, "(none)"),
        ("ascending", (64, 128), None, "64,128"),
        ("twice", (64, 64), None, "64,64"),
        ("nothing left", (64, 0), None, "64,0"),
        ("one weight for two", (64, 32), (1.0,), "weights 1 for sizes 64,32"),
        ("a weight of nothing", (64, 32), (1.0, 0.0), "weights 1,0 for sizes 64,32"),
        ("a weight that is no number", (64,), (math.nan,), "weights nan for sizes 64"),
    ],
)
def test_sizes_and_weights_that_cannot_be_meant(
    case: str, dimensions: tuple[int, ...], weights: tuple[float, ...] | None, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        matryoshka(infonce, dimensions=dimensions, weights=weights)

    assert caught.value.code == "E2126"
    assert said in caught.value.problem


def test_a_prefix_longer_than_the_vectors_is_refused(batch_of: BatchOf) -> None:
    batch = batch_of(torch.eye(4), torch.eye(4))

    with pytest.raises(UsageError) as caught:
        matryoshka(infonce, dimensions=(5, 2))(batch, temperature=1.0)

    assert caught.value.problem == "vectors of 4 numbers have no prefix of 5"
    assert caught.value.fix == "write sizes below 4, as in --matryoshka 2,1"


def flat_gradient(model: SentenceTransformer) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
