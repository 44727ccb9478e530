"""Gradients: cut into parts, kept or encoded again, they are those of one plain pass."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds, tokenise
from lexitune.stages.train.gradients import GraphCost, backpropagate

TEXTS = ["w1 w2 w3 w4", "w5", "w6 w7", "w8 w9 w10 w11 w12", "w1 w3", "w5 w2"]
ROWS = np.array([3, 0, 5, 1, 2, 4])


def contrast(vectors: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(vectors[:3] @ vectors[3:].T / 0.05, torch.arange(3))


def fresh(folder: Path, precision: str = "fp32") -> tuple[Network, TokenIds]:
    model = SentenceTransformer(str(folder), device="cpu")
    return Network(model, precision=precision), tokenise(model.tokenizer, TEXTS, max_length=64)


def gradients(network: Network) -> Tensor:
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


@pytest.mark.parametrize(("case", "budget"), [("one part", 4096), ("parts of two texts", 12), ("one text a part", 1)])
def test_any_budget_gives_the_gradient_of_a_plain_pass(tiny_folder: Path, case: str, budget: int) -> None:
    plain, tokens = fresh(tiny_folder)
    expected = contrast(plain.embed(tokens, ROWS))
    expected.backward()  # type: ignore[no-untyped-call]
    network, _ = fresh(tiny_folder)

    value = backpropagate(network, tokens, ROWS, loss=contrast, token_budget=budget)

    assert value.item() == pytest.approx(expected.item(), abs=1e-6)
    error = (gradients(network) - gradients(plain)).norm() / gradients(plain).norm()
    assert error < 1e-6  # fp32 sums in another order


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("memory", [0, 40_000, 80_000])
def test_keeping_fewer_graphs_changes_no_bit(tiny_folder: Path, precision: str, memory: int) -> None:
    network, tokens = fresh(tiny_folder, precision)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12, memory=math.inf)
    expected = gradients(network).clone()
    network, _ = fresh(tiny_folder, precision)

    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12, memory=memory)

    assert torch.equal(gradients(network), expected)


def test_a_second_call_adds_to_the_first(tiny_folder: Path) -> None:
    network, tokens = fresh(tiny_folder)
    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12)
    once = gradients(network).clone()

    backpropagate(network, tokens, ROWS, loss=contrast, token_budget=12)

    torch.testing.assert_close(gradients(network), 2 * once)


def test_a_graph_costs_what_its_layers_keep(tiny_folder: Path) -> None:
    network, _ = fresh(tiny_folder)
    cost = GraphCost.of(network)

    assert cost == GraphCost(layers=2, hidden=32, heads=2, item_bytes=4)
    assert cost.bytes(6) == 6 * 2 * (34 * 32 + 5 * 2 * 6) * 2  # 4-byte numbers: twice the count for 2
