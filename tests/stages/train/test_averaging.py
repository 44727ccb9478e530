"""Shares of the trained weights: how they are mixed, what is measured at each, and which is chosen."""

from collections.abc import Callable

import pytest
import torch
from tests.stages.train.watching import listen

from lexitune.errors import StageFailed
from lexitune.models.embedder import Embedder
from lexitune.models.learning import add_lora
from lexitune.stages.train.averaging import SHARES, Point, choose, sweep
from lexitune.stages.train.dev import DevPlan, make_dev_set
from lexitune.stages.train.heldout import HeldOut
from lexitune.stages.train.mixture import Mixture
from lexitune.types import Dataset


@pytest.fixture
def dev(tiny: Embedder, small_data: Dataset) -> HeldOut:
    return make_dev_set(small_data, model=tiny, plan=DevPlan(queries=8, docs=24, evaluations=3), seed=13)


def last_norm(model: Embedder) -> torch.nn.Module:
    return model.network.layers[-1].get_submodule("output.LayerNorm")


def nothing(norm: torch.nn.Module) -> None:
    """Every token gets the same vector."""
    with torch.no_grad():
        norm.get_parameter("weight").zero_()
        norm.get_parameter("bias").fill_(1.0)


def huge(norm: torch.nn.Module) -> None:
    """So far from all else that even a share of it leaves float32 no digit to tell texts apart."""
    with torch.no_grad():
        norm.get_parameter("bias").fill_(1e12)


def test_a_share_lies_that_far_from_stock_to_trained(tiny: Embedder) -> None:
    mixture = Mixture(tiny.network)
    with torch.no_grad():
        for parameter in mixture.parameters:
            parameter.add_(1.0)

    mixture.put_share(mixture.copy(), 0.25)

    for start, now in zip(mixture.stock, mixture.parameters, strict=True):
        torch.testing.assert_close(now.detach(), start + 0.25)


def test_of_lora_the_second_matrix_is_shared_out_and_the_first_taken_whole(tiny: Embedder) -> None:
    add_lora(tiny.network, rank=1, seed=3)
    mixture = Mixture(tiny.network)
    with torch.no_grad():
        for parameter in mixture.parameters:
            parameter.fill_(2.0)

    mixture.put_share(mixture.copy(), 0.25)

    found = {name: one.tolist() for name, one in tiny.network.trunk.named_parameters() if one.requires_grad}
    assert {row[0] for name, rows in found.items() if ".lora_A." in name for row in rows} == {2.0}
    assert {row[0] for name, rows in found.items() if ".lora_B." in name for row in rows} == {0.5}  # from 0


def test_every_share_is_measured_but_those_that_are_known(tiny: Embedder, dev: HeldOut) -> None:
    mixture = Mixture(tiny.network)
    trained = mixture.copy()

    points = sweep(tiny, mixture, dev=dev, general=dev, known={0.0: 7.0, 0.7: 8.0}, step=5, talk=listen())

    # Nothing was trained, so that all shares are the stock model.
    (stock,) = {point.general for point in points}
    assert [(point.share, point.dev) for point in points] == [(0.0, 7.0), (0.3, stock), (0.5, stock), (0.7, 8.0),
                                                              (0.85, stock), (1.0, stock)]  # fmt: skip
    assert all(torch.equal(one, now) for one, now in zip(trained, mixture.parameters, strict=True))


def test_a_share_that_collapses_is_no_choice(tiny: Embedder, dev: HeldOut) -> None:
    mixture, heard = Mixture(tiny.network), listen()
    nothing(last_norm(tiny))

    points = sweep(tiny, mixture, dev=dev, general=dev, known={}, step=5, talk=heard)

    assert [point.share for point in points] == [0.0, *SHARES[:-1]]
    assert len(heard.lines) == 1
    assert heard.lines[0].startswith(
        "share 1 of the trained weights is no choice: after step 5 the model has collapsed"
    )


@pytest.mark.parametrize(
    ("spoil", "code"), [(huge, "E1202"), (lambda norm: norm.get_parameter("bias").data.fill_(float("nan")), "E1201")]
)
def test_where_every_share_fails_the_training_has(
    tiny: Embedder, dev: HeldOut, spoil: Callable[[torch.nn.Module], None], code: str
) -> None:
    mixture = Mixture(tiny.network)
    spoil(last_norm(tiny))

    with pytest.raises(StageFailed) as caught:
        sweep(tiny, mixture, dev=dev, general=dev, known={}, step=5, talk=listen())

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("case", "curve", "share"),
    [
        ("the best on dev", [(0.0, 0.9, 0.9), (0.5, 0.60, 0.9), (1.0, 0.70, 0.1)], 1.0),
        ("of those nearly as good, the best on general text", [(0.5, 0.696, 0.8), (0.7, 0.70, 0.7)], 0.5),
        ("half a point is alike, more is not", [(0.5, 0.694, 0.8), (0.7, 0.70, 0.7)], 0.7),
        ("of equals the nearest to stock", [(0.5, 0.70, 0.8), (0.7, 0.70, 0.8)], 0.5),
        ("without general text too", [(0.3, 0.60, None), (0.5, 0.70, None), (0.7, 0.70, None)], 0.5),
        ("stock is no choice, though it is better", [(0.0, 0.99, 0.9), (0.3, 0.10, 0.1)], 0.3),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_share_is_chosen(case: str, curve: list[tuple[float, float, float | None]], share: float) -> None:
    assert choose([Point(*point) for point in curve], queries=300).share == share


def test_one_query_of_few_makes_no_choice() -> None:
    curve = [Point(0.5, 0.60, 0.9), Point(0.85, 0.61, 0.8)]

    assert choose(curve, queries=100).share == 0.5  # one of a hundred
    assert choose(curve, queries=200).share == 0.85  # two of two hundred
