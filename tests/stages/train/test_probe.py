"""The probe: how few steps stand for all of them, and what each part of the prediction is made of."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.stages.train.watching import FP32

from lexitune.errors import UsageError
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.shape import Shape
from lexitune.models.sizing import forward_flops
from lexitune.stages.train.averaging import AFTER
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.probe import Probe, all_steps, encode_rate, few_steps, probe_training, shape_in
from lexitune.stages.train.training import Plan, plan_training
from lexitune.types import Dataset, Silent


class Heard(Silent):
    def __init__(self) -> None:
        self.steps: list[tuple[float, float]] = []

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        if stage == "probe":
            self.steps.append((done, total))


def planned(tiny: Embedder, data: Dataset, **options: object) -> Plan:
    return plan_training(data, model=tiny, options=TrainOptions(batch_size=4, **options))  # type: ignore[arg-type]


def probed(tiny: Embedder, plan: Plan, folder: Path) -> tuple[Probe, Heard]:
    heard, sample = Heard(), tiny.tokenise_docs(plan.examples.docs)
    return probe_training(tiny, plan, sample=sample, folder=folder, talk=heard), heard


@pytest.mark.parametrize(("steps", "taken"), [(1, 1), (2, 1), (10, 5), (39, 19), (40, 20), (5000, 20)])
def test_twenty_steps_are_taken_or_half_of_a_short_training(steps: int, taken: int) -> None:
    assert few_steps(steps) == taken


def test_all_steps_cost_what_their_operations_say_and_the_first_stands_for_itself() -> None:
    # The first takes 5 s to set things up; the next two take 1 s for each operation. Two of 4 and one of 2 follow.
    assert all_steps([5.0, 1.0, 3.0], np.array([9.0, 1.0, 3.0, 4.0, 4.0, 2.0])) == 5 + 4 + 10
    assert all_steps([2.0], np.array([1.0, 3.0])) == 8.0


def test_the_default_recipe_is_timed_by_part(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    plan = planned(tiny, small_data, epochs=4)

    found, heard = probed(tiny, plan, tmp_path)

    assert heard.steps == [(step + 1, found.steps) for step in range(found.steps)]
    assert found.of == 4 * -(-len(plan.examples) // 4)
    assert found.steps == min(20, found.of // 2)
    assert set(found.seconds) == {"prepare", "steps", "dev", "average", "save"}
    assert min(found.seconds.values()) > 0
    assert found.total == sum(found.seconds.values())


def test_dev_and_general_text_are_counted_as_often_as_training_measures_them(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    chosen, _ = probed(tiny, planned(tiny, small_data), tmp_path / "a")
    given, _ = probed(tiny, planned(tiny, small_data, blend=0.5), tmp_path / "b")

    from lexitune.stages.train.tuning import gather_work

    plan = planned(tiny, small_data)
    work = gather_work(
        tiny, plan.data, plan.examples, recipe=plan.recipe, folder=tmp_path, fingerprints={}, talk=Silent()
    ).work
    assert work.dev is not None
    each = sum(forward_flops(shape_in(tiny), one.lengths) for one in (work.dev.queries, work.dev.docs))
    for found in (chosen, given):
        assert found.seconds["dev"] == pytest.approx(len(work.dev_steps) * each * found.rate)
    assert given.seconds["average"] == 0.0
    assert chosen.seconds["average"] > AFTER * each * chosen.rate


def test_preparation_counts_from_when_the_plan_began(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    plan = replace(planned(tiny, small_data), began=time.monotonic() - 1000)

    assert 1000 < probed(tiny, plan, tmp_path)[0].seconds["prepare"] < 1100


def test_the_classic_recipe_is_timed_with_its_own_trainer(
    tiny_folder: Path, small_data: Dataset, tmp_path: Path
) -> None:
    model = load(str(tiny_folder), options=FP32)
    plan = plan_training(small_data, model=model, options=TrainOptions(recipe="mnrl", batch_size=4))

    found, heard = probed(model, plan, tmp_path)

    epoch = -(-len(plan.examples) // 4)
    assert (found.steps, found.of) == (min(20, 3 * epoch // 2, epoch), 3 * epoch)
    assert heard.steps[-1] == (found.steps, found.steps)
    assert set(found.seconds) == {"prepare", "steps", "save"}
    assert min(found.seconds.values()) > 0


def test_an_adapter_has_no_steps_worth_timing(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    plan = plan_training(small_data, model=tiny, options=TrainOptions(recipe="adapter"))

    with pytest.raises(UsageError, match="--probe times steps"):
        probed(tiny, plan, tmp_path)


def test_the_shape_of_a_loaded_model_and_its_rate(tiny: Embedder) -> None:
    tokens = tiny.tokenise_docs(["w1 w2 w3"] * 50)
    count = sum(one.numel() for one in tiny.network.parameters())

    assert shape_in(tiny) == Shape(2, 32, 64, 2, 32, 32, False, count)
    assert 0 < encode_rate(tiny, tokens) < 1e-3
