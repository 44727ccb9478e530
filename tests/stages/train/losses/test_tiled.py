"""The softmax in tiles: value and gradients are those of plain autograd in float64, and no matrix of scores is kept."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lexitune.stages.train.losses import rows
from lexitune.stages.train.losses.tiled import pick_own

Sides = tuple[Tensor, Tensor, Tensor]  # left, right, temperature


def slowly(sides: Sides, own: Tensor, relevant: Tensor, weights: Tensor) -> Tensor:
    """By the book, with all scores at once."""
    left, right, temperature = sides
    known = relevant.clone()
    known[torch.arange(len(left)), own] = False
    scores = functional.normalize(left) @ functional.normalize(right).T / temperature
    losses = functional.cross_entropy(scores.masked_fill(known, -torch.inf), own, reduction="none")
    return (losses * weights).sum() / weights.sum()


def given(rows: int, columns: int, *, spread: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Left, right, own columns in no order, a fifth of the cells known, and weights. A small spread: all are alike."""
    seed = torch.Generator().manual_seed(3)
    middle = torch.randn(1, 16, generator=seed)
    left, right = (middle + spread * torch.randn(count, 16, generator=seed) for count in (rows, columns))
    own = torch.randperm(columns, generator=seed)[:rows]
    relevant = torch.rand(rows, columns, generator=seed) < 0.2
    return left, right, own, relevant, torch.rand(rows, generator=seed)


def learning(left: Tensor, right: Tensor, temperature: float, dtype: torch.dtype) -> Sides:
    left, right = (side.to(dtype, copy=True).requires_grad_() for side in (left, right))
    return left, right, torch.tensor(temperature, dtype=dtype, requires_grad=True)


def quickly(sides: Sides, own: Tensor, relevant: Tensor, weights: Tensor) -> Tensor:
    left, right, temperature = sides
    return pick_own(left, right, own=own, relevant=relevant, weights=weights, temperature=temperature)


@pytest.mark.parametrize("height", [1, 7, 40], ids=["a row a tile", "tiles and a rest", "one tile"])
@pytest.mark.parametrize("temperature", [1.0, 0.05])
@pytest.mark.parametrize(
    ("spread", "dtype", "within"),
    [
        (1.0, torch.float32, 1e-6),
        (1.0, torch.float64, 1e-12),
        (0.05, torch.float64, 1e-12),
    ],
    ids=["apart", "apart in float64", "alike in float64"],
)
def test_value_and_gradients_are_those_of_the_slow_way(
    height: int,
    temperature: float,
    spread: float,
    dtype: torch.dtype,
    within: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left, right, own, relevant, weights = given(40, 60, spread=spread)
    slow = learning(left, right, temperature, torch.float64)
    expected = slowly(slow, own, relevant, weights.double())
    expected.backward()  # type: ignore[no-untyped-call]
    monkeypatch.setattr(rows, "CELLS", height * 60)

    sides = learning(left, right, temperature, dtype)
    value = quickly(sides, own, relevant, weights.to(dtype))
    value.backward()  # type: ignore[no-untyped-call]

    assert value.item() == pytest.approx(expected.item(), rel=within)
    for side, exact in zip(sides, slow, strict=True):
        assert side.grad is not None
        assert exact.grad is not None
        assert ((side.grad - exact.grad).norm() / exact.grad.norm()).item() < within


def test_a_loss_of_next_to_nothing_keeps_its_digits() -> None:
    # Ten at right angles, each on its own, at temperature 0.05: log(1 + 9 e^-20) each, which 1 - p in float32 rounds
    # to 0. A score is d/dtemperature of 20 = -400, so the temperature's gradient is 400 * 9 e^-20.
    left, right, temperature = learning(torch.eye(10), torch.eye(10), 0.05, torch.float32)

    value = quickly((left, right, temperature), torch.arange(10), torch.eye(10, dtype=torch.bool), torch.ones(10))
    value.backward()  # type: ignore[no-untyped-call]

    assert temperature.grad is not None
    assert value.item() == pytest.approx(9 * math.exp(-20), rel=1e-6)
    assert temperature.grad.item() == pytest.approx(400 * 9 * math.exp(-20), rel=1e-5)


@pytest.mark.parametrize("temperature", [0.001, 100.0])
def test_no_temperature_overflows(temperature: float) -> None:
    left, right, own, relevant, weights = given(40, 60)
    exact = slowly(learning(left, right, temperature, torch.float64), own, relevant, weights.double())

    value = quickly(learning(left, right, temperature, torch.float32), own, relevant, weights)

    assert value.item() == pytest.approx(exact.item(), rel=1e-5)


def test_a_row_with_nothing_to_lose_against_loses_nothing() -> None:
    left, right, temperature = learning(torch.ones(1, 2), torch.tensor([[1.0, 0.0], [1.0, 1.0]]), 1.0, torch.float32)

    value = quickly((left, right, temperature), torch.tensor([0]), torch.ones(1, 2, dtype=torch.bool), torch.ones(1))
    value.backward()  # type: ignore[no-untyped-call]

    assert value.item() == 0.0
    assert left.grad is not None
    assert not left.grad.any()


def test_what_waits_for_the_backward_pass_has_the_size_of_the_vectors() -> None:
    left, right, own, relevant, weights = given(40, 60)

    value = quickly(learning(left, right, 0.05, torch.float32), own, relevant, weights)

    assert value.grad_fn is not None
    assert [tuple(kept.shape) for kept in value.grad_fn.saved_tensors] == [(40, 16), (60, 16), ()]  # type: ignore[attr-defined]


def test_a_second_derivative_is_refused() -> None:
    left, right, own, relevant, weights = given(4, 6)
    sides = learning(left, right, 0.05, torch.float32)
    (gradient,) = torch.autograd.grad(quickly(sides, own, relevant, weights), sides[0], create_graph=True)

    with pytest.raises(RuntimeError, match="does not require grad"):
        gradient.sum().backward()  # type: ignore[no-untyped-call]
