"""Shares of the trained weights: how they are mixed, what is measured at each, and which is chosen."""

from typing import Any

import numpy as np
import pytest
import torch
from tests.stages.train.watching import listen

from lexitune.errors import StageFailed
from lexitune.models.embedder import Embedder
from lexitune.models.learning import add_lora
from lexitune.stages.train import averaging
from lexitune.stages.train.averaging import LOWER, SHARES, Point, _point, choose, sweep
from lexitune.stages.train.dev import DevPlan, make_dev_set
from lexitune.stages.train.heldout import HeldOut, encode_held_out, measure_held_out
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


def test_a_training_that_changed_nothing_has_a_flat_curve(tiny: Embedder, dev: HeldOut) -> None:
    mixture = Mixture(tiny.network)
    trained = mixture.copy()

    points = sweep(tiny, mixture, dev=dev, general=dev, step=5, talk=listen())

    stock = measure_held_out(tiny, dev, step=0).mean()
    assert [point.share for point in points] == [0.0, *SHARES]
    assert {(point.dev, point.behind, point.general, point.lost) for point in points} == {(stock, 0.0, stock, 0.0)}
    assert all(torch.equal(one, now) for one, now in zip(trained, mixture.parameters, strict=True))


def test_vectors_of_dev_by_stock_that_are_known_are_not_made_again(
    tiny: Embedder, dev: HeldOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = Mixture(tiny.network)
    known = encode_held_out(tiny, dev, step=0)
    alone = sweep(tiny, mixture, dev=dev, general=dev, step=5, talk=listen())
    steps: list[int] = []

    def counted(*given: Any, step: int) -> Any:
        steps.append(step)
        return encode_held_out(*given, step=step)

    monkeypatch.setattr(averaging, "encode_held_out", counted)

    assert sweep(tiny, mixture, dev=dev, general=dev, step=5, talk=listen(), dev_by_stock=known) == alone
    assert steps == [0, 5, 5]  # general text, then dev and general text


def test_shares_below_a_half_are_looked_at_where_general_text_loses_much(
    tiny: Embedder, dev: HeldOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture, most = Mixture(tiny.network), averaging.MOST_LOSS
    shares = {}
    for name, borne in (("much", most), ("nothing", -1.0)):  # nothing is changed: the loss is 0
        monkeypatch.setattr(averaging, "MOST_LOSS", borne)
        shares[name] = [point.share for point in sweep(tiny, mixture, dev=dev, general=dev, step=5, talk=listen())]

    assert shares["much"] == [0.0, *SHARES]
    assert shares["nothing"] == [0.0, *sorted(LOWER), *SHARES]


def test_the_ends_are_measured_and_what_lies_between_is_near_what_real_weights_reach(
    tiny: Embedder, dev: HeldOut
) -> None:
    mixture = Mixture(tiny.network)
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in mixture.parameters:
            parameter.add_(0.5 * parameter.std() * torch.randn(parameter.shape, generator=draw))
    tiny.network.refresh()
    trained = mixture.copy()

    points = {point.share: point for point in sweep(tiny, mixture, dev=dev, general=dev, step=5, talk=listen())}

    real = {}
    for share in points:
        mixture.put_share(trained, share)
        real[share] = measure_held_out(tiny, dev, step=5).mean()
    assert len(set(real.values())) > 1
    assert (points[0.0].dev, points[1.0].dev) == (real[0.0], real[1.0])
    assert max(abs(points[share].dev - value) for share, value in real.items()) <= 1 / len(dev.query_ids)


def test_how_far_a_share_lies_behind_is_told_in_standard_errors(tiny: Embedder, dev: HeldOut) -> None:
    mixture = Mixture(tiny.network)
    with torch.no_grad():
        for parameter in mixture.parameters:
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5)))

    points = sweep(tiny, mixture, dev=dev, general=dev, step=5, talk=listen())

    assert len({point.dev for point in points}) > 1
    best = max(point.dev for point in points[1:])
    assert all((point.behind == 0) == (point.dev == best) for point in points if point.share > 0)
    assert [point.lost for point in points] == pytest.approx([points[0].dev - point.dev for point in points])


def test_a_share_that_collapses_is_no_choice(tiny: Embedder, dev: HeldOut) -> None:
    mixture, heard = Mixture(tiny.network), listen()
    nothing(last_norm(tiny))

    points = sweep(tiny, mixture, dev=dev, general=dev, step=5, talk=heard)

    assert [point.share for point in points] == [0.0, *SHARES[:-1]]
    assert len(heard.lines) == 1
    assert heard.lines[0].startswith(
        "share 1 of the trained weights is no choice: after step 5 the model has collapsed"
    )


def test_weights_that_are_not_numbers_are_a_failed_training(tiny: Embedder, dev: HeldOut) -> None:
    mixture = Mixture(tiny.network)
    last_norm(tiny).get_parameter("bias").data.fill_(float("nan"))

    with pytest.raises(StageFailed) as caught:
        sweep(tiny, mixture, dev=dev, general=dev, step=5, talk=listen())

    assert caught.value.code == "E1201"


def test_a_query_that_is_lost_is_no_more_than_one_standard_error() -> None:
    best = np.ones(163)
    other = best.copy()
    other[5] = 0.0

    assert choose([_point(0.5, other, best, None, None), _point(0.8, best, best, None, None)]).share == 0.8
    assert choose([_point(0.6, other, best, None, None), _point(0.9, best, best, None, None)]).share == 0.6
    assert _point(0.6, 0.5 * best, best, None, None).behind > 1e9  # behind with every query


def test_where_every_share_from_a_half_on_collapses_the_training_has(
    tiny: Embedder, dev: HeldOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    def between(held_out: HeldOut, stock: object, trained: object, share: float, **_: object) -> np.ndarray:
        if share >= 0.5:
            raise StageFailed("E1202", "after step 5 the model has collapsed", fix="train with a lower rate")
        return np.ones(8)

    monkeypatch.setattr("lexitune.stages.train.averaging._between", between)

    with pytest.raises(StageFailed) as caught:
        sweep(tiny, Mixture(tiny.network), dev=dev, general=dev, step=5, talk=listen())

    assert caught.value.code == "E1202"


@pytest.mark.parametrize(
    ("case", "curve", "share"),
    [
        ("the usual one of those alike", [(0.5, 0.6, 0.9, 0.0), (0.7, 0.6, 0.8, 0.0), (1.0, 0.61, 0.0, 0.0)], 0.7),
        ("what is clearly behind is out", [(0.7, 0.6, 1.1, 0.0), (0.9, 0.61, 0.5, 0.0), (1.0, 0.62, 0.0, 0.0)], 0.9),
        ("of equally near ones the lower", [(0.6, 0.6, 0.2, 0.0), (0.7, 0.6, 1.2, 0.0), (0.8, 0.6, 0.0, 0.0)], 0.6),
        ("more than two points of general text are too much", [(0.5, 0.6, 0.5, 0.019), (0.7, 0.6, 0.0, 0.021)], 0.5),
        ("if each loses more, the least", [(0.5, 0.6, 0.5, 0.03), (0.7, 0.6, 0.0, 0.04)], 0.5),
        (
            "a share below a half where all others lose more",
            [(0.2, 0.53, 5.0, 0.01), (0.3, 0.54, 4.0, 0.02), (0.4, 0.55, 3.0, 0.021), (0.5, 0.6, 0.0, 0.03)],
            0.3,
        ),
        (
            "the least of all where even that is too much",
            [(0.2, 0.53, 5.0, 0.03), (0.3, 0.54, 4.0, 0.04), (0.5, 0.6, 0.0, 0.05)],
            0.2,
        ),
        ("one behind that is safe before one that is not", [(0.5, 0.6, 1.5, 0.01), (0.7, 0.7, 0.0, 0.03)], 0.5),
        ("without general text dev alone decides", [(0.5, 0.6, 0.0, None), (0.7, 0.6, 0.5, None)], 0.7),
        ("stock is no choice, though it is better", [(0.5, 0.1, 0.0, 0.0)], 0.5),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_share_is_chosen(case: str, curve: list[tuple[float, float, float, float | None]], share: float) -> None:
    stock = Point(0.0, 0.5, 9.0, 0.9, 0.0)

    assert choose([stock, *(Point(at, dev, behind, 0.9, lost) for at, dev, behind, lost in curve)]).share == share
