"""What every loss keeps to, built in or plugged in: gradients, order, weights, temperature, and numbers by hand."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds, tokenise
from lexitune.stages.train.gradients import backpropagate
from lexitune.stages.train.losses.batch import Batch, Loss
from lexitune.stages.train.losses.infonce import infonce_symmetric
from lexitune.stages.train.losses.matryoshka import matryoshka
from lexitune.stages.train.losses.registry import LOSSES

BatchOf = Callable[..., Batch]

NAMES = LOSSES.names()
PREFIXES = "infonce-symmetric of prefixes"
LEAVES_NEGATIVES_OUT = {"infonce-reverse"}
TEXTS = ["w1 w2 w3 w4", "w5", "w6 w7", "w8 w9 w10 w11 w12", "w1 w3", "w5 w2", "w13 w14 w15", "w4 w16"]
ROWS = np.array([3, 0, 5, 1, 7, 2, 4, 6])  # three queries, three docs, two negatives
DOCS = Path(__file__).resolve().parents[4] / "docs"

# Two queries at right angles, each on its own doc: scores [[1, 0], [0, 1]], and a teacher of logits 3 and 0.
RIGHT = math.log(1 + math.exp(-1))
SURE = math.exp(3) / (1 + math.exp(3))
BY_HAND = {
    "infonce": RIGHT,
    "infonce-reverse": RIGHT,
    "infonce-symmetric": RIGHT,
    "margin-mse": 4.0,  # (1 - 3)^2
    # p log(p / s) + (1 - p) log((1 - p) / (1 - s)), where the log odds of p are 3 and those of s are 1
    "kl": SURE * (3 - 1) + math.log((1 + math.e) / (1 + math.exp(3))),
}


def loss_called(name: str) -> Loss:
    loss: Loss = matryoshka(infonce_symmetric, dimensions=(16, 8)) if name == PREFIXES else LOSSES.get(name)
    return loss


def drawn(batch_of: BatchOf, *, dtype: torch.dtype = torch.float32) -> Batch:
    """Three pairs and five negatives of four numbers; query 0 knows doc 2, and the teacher has not scored one cell."""
    seed = torch.Generator().manual_seed(1)
    queries, positives, negatives = (torch.randn(n, 4, generator=seed, dtype=dtype).requires_grad_() for n in (3, 3, 5))
    relevant = torch.eye(3, 8, dtype=torch.bool)
    relevant[0, 2] = True
    teacher = 3 * torch.randn(3, 6, generator=seed, dtype=dtype)
    teacher[1, 4] = torch.nan
    return batch_of(queries, positives, negatives=negatives, relevant=relevant, teacher=teacher)


@pytest.mark.parametrize("name", NAMES)
def test_two_by_two(name: str, batch_of: BatchOf) -> None:
    eye = torch.eye(2)
    batch = replace(
        batch_of(eye, eye), listed=torch.tensor([[0, 1], [1, 0]]), teacher=torch.tensor([[3.0, 0.0], [3.0, 0.0]])
    )

    assert LOSSES.get(name)(batch, temperature=1.0).item() == pytest.approx(BY_HAND[name], abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_flows_to_every_query_and_doc(name: str, batch_of: BatchOf) -> None:
    batch = drawn(batch_of)

    LOSSES.get(name)(batch, temperature=0.1).backward()

    for tensor in (batch.queries, batch.positives):
        assert tensor.grad is not None
        assert (tensor.grad.abs().sum(dim=1) > 0).all()
    assert batch.negatives is not None
    if name in LEAVES_NEGATIVES_OUT:
        assert batch.negatives.grad is None
    else:
        assert batch.negatives.grad is not None
        assert (batch.negatives.grad.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_negatives_does_not_matter(name: str, batch_of: BatchOf) -> None:
    batch = drawn(batch_of)
    assert batch.negatives is not None
    assert batch.listed is not None
    order = torch.tensor([3, 0, 4, 2, 1])
    turned = replace(
        batch,
        negatives=batch.negatives[order],
        relevant=torch.cat([batch.relevant[:, :3], batch.relevant[:, 3:][:, order]], dim=1),
        # The negative that stood at column 3 + order[i] now stands at 3 + i.
        listed=torch.cat([batch.listed[:, :1], 3 + order.argsort()[batch.listed[:, 1:] - 3]], dim=1),
    )

    found = LOSSES.get(name)(turned, temperature=0.1).item()

    assert found == pytest.approx(LOSSES.get(name)(batch, temperature=0.1).item(), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_weights_make_a_weighted_mean_and_zero_takes_a_row_out(name: str, batch_of: BatchOf) -> None:
    batch, loss = drawn(batch_of), LOSSES.get(name)
    alone = [loss(replace(batch, weights=row), temperature=0.1).item() for row in torch.eye(3)]

    value = loss(replace(batch, weights=torch.tensor([1.0, 0.0, 2.0])), temperature=0.1)

    assert value.item() == pytest.approx((alone[0] + 2 * alone[2]) / 3, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_where_no_row_counts_nothing_is_lost(name: str, batch_of: BatchOf) -> None:
    batch = drawn(batch_of)

    value = LOSSES.get(name)(replace(batch, weights=torch.zeros(3)), temperature=0.1)
    value.backward()

    assert value.item() == 0.0
    assert batch.queries.grad is not None
    assert not batch.queries.grad.any()


@pytest.mark.parametrize("name", NAMES)
def test_a_temperature_that_is_a_tensor_learns(name: str, batch_of: BatchOf) -> None:
    batch, loss = drawn(batch_of, dtype=torch.float64), LOSSES.get(name)
    temperature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    value = loss(batch, temperature=temperature)
    value.backward()

    above, below = (loss(batch, temperature=0.3 + step).item() for step in (1e-5, -1e-5))
    assert value.item() == pytest.approx(loss(batch, temperature=0.3).item(), rel=1e-12)
    assert temperature.grad is not None
    assert temperature.grad.item() == pytest.approx((above - below) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("part", ["queries", "positives"])
@pytest.mark.parametrize("name", NAMES)
def test_one_vector_that_is_no_number_makes_the_loss_none(name: str, part: str, batch_of: BatchOf) -> None:
    batch = drawn(batch_of)
    vectors = getattr(batch, part).detach().clone()
    vectors[1, 2] = torch.nan

    assert math.isnan(LOSSES.get(name)(replace(batch, **{part: vectors}), temperature=0.1).item())


@pytest.mark.parametrize("name", [*NAMES, PREFIXES])
def test_under_cached_gradients_it_is_the_loss_of_one_plain_pass(
    name: str, tiny_folder: Path, batch_of: BatchOf
) -> None:
    teacher = torch.tensor([[4.0, 1.0, -2.0], [3.0, torch.nan, 0.0], [2.0, 2.0, 1.0]])

    def loss(vectors: Tensor) -> Tensor:
        batch = batch_of(vectors[:3], vectors[3:6], negatives=vectors[6:], teacher=teacher)
        return loss_called(name)(batch, temperature=0.05)

    plain, tokens = fresh(tiny_folder)
    expected = loss(plain.embed(tokens, ROWS))
    expected.backward()  # type: ignore[no-untyped-call]
    found = []
    for memory in (0, math.inf):
        network, _ = fresh(tiny_folder)
        value = backpropagate(network, tokens, ROWS, loss=loss, token_budget=12, memory=memory)
        # Padded to other lengths, vectors differ by fp32 rounding, of which the temperature makes twenty times as much.
        assert value.item() == pytest.approx(expected.item(), rel=5e-6)
        found.append(gradients(network))

    assert torch.equal(*found)
    assert ((found[0] - gradients(plain)).norm() / gradients(plain).norm()).item() < 5e-6


def fresh(folder: Path) -> tuple[Network, TokenIds]:
    model = SentenceTransformer(str(folder), device="cpu")
    return Network(model, precision="fp32"), tokenise(model.tokenizer, TEXTS, max_length=64)


def gradients(network: Network) -> Tensor:
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


def test_every_loss_is_in_the_docs() -> None:
    text = (DOCS / "train.md").read_text(encoding="utf-8")

    assert [name for name in LOSSES.table if f"| `{name}` |" not in text] == []
