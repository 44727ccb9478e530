"""One step: what it does to weights and temperature, what it refuses, and what it does where memory is short."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from torch import Tensor

from lexitune.errors import StageFailed
from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds, join_tokens, tokenise
from lexitune.stages.train.batches import PairBatch, plan_batch
from lexitune.stages.train.examples import Examples, gather_examples
from lexitune.stages.train.gradients import GraphCost
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import settle
from lexitune.stages.train.step import Stepper
from lexitune.types import Dataset

PLAIN = TrainOptions(learning_rate=1e-3, warmup_steps=0, schedule="constant", token_budget=64)
Made = tuple[Stepper, PairBatch]
Make = Callable[..., Made]


@pytest.fixture
def make(tiny_folder: Path, small_data: Dataset) -> Make:
    """A stepper on a fresh tiny network, and a batch of eight pairs."""
    examples: Examples = gather_examples(small_data, small_data.qrels["train"])
    batch = plan_batch(examples, np.arange(8), mask="relevant")

    def made(options: TrainOptions = PLAIN, *, precision: str = "fp32", memory: int = 10**9) -> Made:
        model = SentenceTransformer(str(tiny_folder), device="cpu")
        network = Network(model, precision=precision)
        pool = (tokenise(model.tokenizer, texts, max_length=64) for texts in (examples.queries, examples.docs))
        recipe = settle(options, token_budget=64)
        return Stepper(network, join_tokens(list(pool)), recipe=recipe, steps=10, memory=memory), batch

    return made


def flat(stepper: Stepper) -> Tensor:
    return torch.cat([one.detach().flatten() for one in stepper.parameters])


def gradient(stepper: Stepper) -> Tensor:
    return torch.cat([one.grad.flatten() for one in stepper.parameters if one.grad is not None])


def limit(stepper: Stepper, monkeypatch: pytest.MonkeyPatch, tokens: int, *, passes: range) -> None:
    """In these passes through the network, a device on which more than so many padded tokens do not fit."""
    embed, calls = stepper.network.embed, iter(range(10**6))

    def limited(pool: TokenIds, rows: NDArray[np.int64]) -> Tensor:
        if next(calls) in passes and len(rows) * int(pool.lengths_of(rows).max()) > tokens:
            raise torch.OutOfMemoryError
        return embed(pool, rows)

    monkeypatch.setattr(stepper.network, "embed", limited)


def test_a_step_goes_down_and_tells_what_it_read(make: Make) -> None:
    stepper, batch = make()

    first, second = (stepper.take(batch, step=step) for step in (0, 1))

    assert second.loss < first.loss
    assert (first.learning_rate, second.learning_rate) == (1e-3, 1e-3)
    assert first.tokens == 8 * (4 + 5)  # queries of two words and docs of three, each with [CLS] and [SEP]


@pytest.mark.parametrize(
    ("schedule", "rates"), [("linear", [0.5, 1, 1, 0.5]), ("cosine", [0.5, 1, 1, 0.5]), ("constant", [0.5, 1, 1, 1])]
)
def test_the_rate_follows_the_schedule(make: Make, schedule: str, rates: list[float]) -> None:
    stepper, batch = make(replace(PLAIN, schedule=schedule, warmup_steps=2))

    # Ten steps, two of warm-up: of the eight that fall, step 6 has half before it.
    found = [stepper.take(batch, step=step).learning_rate for step in (0, 1, 2, 6)]

    assert found == pytest.approx([1e-3 * rate for rate in rates])


def test_biases_and_norms_do_not_decay(make: Make) -> None:
    stepper, _ = make()

    decays = {one.ndim: group["weight_decay"] for group in stepper.optimizer.param_groups for one in group["params"]}

    assert decays == {2: 0.01, 1: 0.0}


def test_a_temperature_that_learns_ends_at_its_floor(make: Make) -> None:
    stepper, batch = make(replace(PLAIN, learn_temperature=True, temperature=0.0102))
    stepper.loss = lambda batch, temperature: 0.0 * batch.queries.square().sum() + temperature

    found = [stepper.temperature()]
    for step in range(4):
        stepper.take(batch, step=step)
        found.append(stepper.temperature())

    # One hundredth less in each step: 0.0102, 0.0101, then it would be below.
    assert found == pytest.approx([0.0102, 0.0102 * math.exp(-0.01), 0.01, 0.01, 0.01], rel=1e-4)
    assert stepper.saved[-1] is stepper.log_temperature


def test_a_temperature_below_the_floor_stays_where_it_was_put(make: Make) -> None:
    stepper, batch = make(replace(PLAIN, temperature=0.005))

    stepper.take(batch, step=0)

    assert stepper.temperature() == pytest.approx(0.005)


def test_in_fp16_the_temperature_has_its_own_gradient(make: Make) -> None:
    found = {}
    for precision in ("fp32", "fp16"):
        stepper, batch = make(replace(PLAIN, learn_temperature=True), precision=precision)
        stepper.gradient(batch)
        stepper.scaler.unscale_(stepper.optimizer)
        assert stepper.log_temperature.grad is not None
        found[precision] = float(stepper.log_temperature.grad)

    assert found["fp16"] == pytest.approx(found["fp32"], rel=0.02)


def test_an_overflow_in_fp16_skips_the_step_and_halves_the_scale(make: Make) -> None:
    stepper, batch = make(precision="fp16")
    stepper.scaler.load_state_dict({**stepper.scaler.state_dict(), "scale": 2.0**40})
    stock = flat(stepper)

    first = stepper.take(batch, step=0)

    assert math.isfinite(first.loss)
    assert not math.isfinite(first.norm)
    assert torch.equal(flat(stepper), stock)
    assert stepper.scaler.get_scale() == 2.0**39
    stepper.scaler.update(2.0**10)
    assert math.isfinite(stepper.take(batch, step=1).norm)
    assert bool(torch.isfinite(flat(stepper)).all())
    assert not torch.equal(flat(stepper), stock)


def test_a_gradient_that_no_smaller_scale_can_help_stops_it(make: Make) -> None:
    stepper, batch = make(precision="fp16")
    stepper.scaler.load_state_dict({**stepper.scaler.state_dict(), "scale": 1.0})
    stepper.loss = lambda batch, temperature: 1e30 * batch.queries.sum()

    with pytest.raises(StageFailed) as caught:
        stepper.take(batch, step=4)

    assert caught.value.code == "E1201"
    assert caught.value.problem.startswith("step 5: loss ")


def test_a_loss_that_is_no_number_stops_it_before_a_weight_is_touched(make: Make) -> None:
    stepper, batch = make()
    stepper.loss = lambda batch, temperature: batch.queries.sum() * math.nan
    stock = flat(stepper)

    with pytest.raises(StageFailed) as caught:
        stepper.take(batch, step=2)

    assert caught.value.code == "E1201"
    assert caught.value.problem == "step 3: loss nan, gradient nan, learning rate 0.001"
    assert torch.equal(flat(stepper), stock)


def test_texts_that_all_have_one_vector_are_a_collapse(make: Make) -> None:
    stepper, batch = make()
    with torch.no_grad():  # the last norm gives every token the same vector
        norm: Any = stepper.network.layers[-1].get_submodule("output.LayerNorm")
        norm.weight.zero_()
        norm.bias.fill_(1.0)

    with pytest.raises(StageFailed) as caught:
        stepper.take(batch, step=0)

    assert caught.value.code == "E1202"
    assert caught.value.problem.startswith("step 1: the model has collapsed")


def test_where_one_texts_graph_does_not_fit_layers_are_computed_again_and_the_gradient_stays(make: Make) -> None:
    plain, batch = make()
    plain.gradient(batch)
    assert not plain.network.computing.is_activation_checkpointing
    one_text = GraphCost.of(plain.network).bytes(5)

    for memory, again in ((one_text, False), (one_text - 1, True)):
        short, _ = make(memory=memory)
        short.gradient(batch)

        assert short.network.computing.is_activation_checkpointing == again
        torch.testing.assert_close(gradient(short), gradient(plain), rtol=1e-4, atol=1e-6)


def test_a_pass_is_no_larger_than_its_graph_may_be(make: Make) -> None:
    stepper, _ = make()
    text = GraphCost.of(stepper.network).bytes(5)  # of the longest text, five tokens

    assert make(memory=4 * text)[0].token_budget == 20


def test_a_step_that_does_not_fit_halves_its_passes_and_stays_itself(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, batch = make()
    expected = plain.take(batch, step=0)
    stepper, _ = make()
    limit(stepper, monkeypatch, 20, passes=range(10**6))

    found = stepper.take(batch, step=0)

    assert (stepper.token_budget, stepper.memory) == (16, 10**9 // 4)  # fewer graphs are kept too
    assert found.loss == pytest.approx(expected.loss, abs=1e-6)
    assert found.norm == pytest.approx(expected.norm, rel=1e-5)
    assert found.tokens == expected.tokens


def test_with_dropout_a_step_that_does_not_fit_is_done_again_from_its_start(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, batch = make(replace(PLAIN, learn_temperature=True))
    plain.gradient(batch)
    stepper, _ = make(replace(PLAIN, learn_temperature=True, dropout=0.1))
    stepper.network.set_dropout(0.0)  # so that both attempts are the plain one
    stepper.memory = 0  # 72 tokens in two passes of at most 64, and each again: the third is one too large
    limit(stepper, monkeypatch, 32, passes=range(2, 3))

    stepper.gradient(batch)

    assert stepper.token_budget == 32
    torch.testing.assert_close(gradient(stepper), gradient(plain), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(stepper.log_temperature.grad, plain.log_temperature.grad, rtol=1e-4, atol=1e-6)


def test_where_one_text_does_not_fit_the_device_it_is_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    stepper, batch = make()
    limit(stepper, monkeypatch, 3, passes=range(10**6))

    with pytest.raises(StageFailed) as caught:
        stepper.take(batch, step=0)

    assert caught.value.code == "E1203"


def test_dropout_draws_by_step_and_leaves_the_processes_random_numbers_alone(make: Make) -> None:
    stepper, batch = make(replace(PLAIN, dropout=0.2, learning_rate=0.0))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)

    found = [stepper.take(batch, step=step).loss for step in (0, 1, 0)]

    assert found[0] == found[2] != found[1]
    assert torch.equal(torch.rand(3), expected)
