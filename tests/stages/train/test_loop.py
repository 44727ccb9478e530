"""The loop: killed anywhere it goes on, it keeps to its limits, and it says what it did."""

import json
import math
import multiprocessing
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tests.stages.train.watching import (
    FP32,
    QUICK,
    At,
    Stop,
    column,
    kill,
    listen,
    losses,
    make_small_data,
    outputs,
    weights,
)
from torch import Tensor

from lexitune.errors import StageFailed, UsageError
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds
from lexitune.stages.train.checkpoint import newest, read_progress
from lexitune.stages.train.training import carry_out, plan_training, train
from lexitune.types import Dataset

RARELY = replace(QUICK, checkpoint_s=60.0)
LONG = replace(QUICK, epochs=15)  # 60 steps, a checkpoint after each
KILLS = 10


class Wire:
    """A Talk that sends the number of each step to another process."""

    def __init__(self, sender: Connection) -> None:
        self.sender = sender

    def say(self, line: str) -> None:
        pass

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        if stage == "train":
            self.sender.send(done)


def train_in_child(model: Path, out: Path, sender: Connection) -> None:
    train(make_small_data(), model=load(str(model), options=FP32), out=out, options=LONG, talk=Wire(sender))


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[multiprocessing.Process, Connection]]:
    """Starts a process that trains. All are forked from one that has the imports behind it."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.stages.train.test_loop", "lexitune.stages.train.tuning"])

    def started(model: Path, out: Path) -> tuple[multiprocessing.Process, Connection]:
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=train_in_child, args=(model, out, sender))
        child.start()
        sender.close()
        return child, receiver  # type: ignore[return-value]

    return started


def test_killed_with_nine_at_ten_random_moments_it_ends_the_same(
    tiny_folder: Path,
    tmp_path: Path,
    start: Callable[..., tuple[multiprocessing.Process, Connection]],
) -> None:
    whole = tmp_path / "whole"  # by such a process too: other threads would sum in another order
    child, receiver = start(tiny_folder, whole)  # the child writes as long as somebody holds the other end
    child.join()
    assert child.exitcode == 0
    draw, out, reached = random.Random(3), tmp_path / "killed", []
    for _ in range(KILLS):
        child, receiver = start(tiny_folder, out)
        for _ in range(draw.randint(1, 6)):
            step = receiver.recv()
        time.sleep(draw.uniform(0, 0.05))  # anywhere in a step, a checkpoint or a dev evaluation
        child.kill()
        child.join()
        assert child.exitcode == -9
        reached.append(step)

    child, receiver = start(tiny_folder, out)
    child.join()

    assert child.exitcode == 0
    assert reached == sorted(reached)
    assert losses(out) == losses(whole)
    assert column(out, "dev") == column(whole, "dev")
    assert weights(out) == weights(whole)
    assert not out.with_name(".building-killed").exists()


def limit(monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    """Stands for a device on which passes of more than so many padded tokens do not fit."""
    embed = Network.embed

    def limited(self: Network, pool: TokenIds, rows: NDArray[np.int64]) -> Tensor:
        if len(rows) * int(pool.lengths_of(rows).max()) > tokens:
            raise torch.OutOfMemoryError
        return embed(self, pool, rows)

    monkeypatch.setattr(Network, "embed", limited)


def test_where_memory_runs_out_passes_are_halved_for_good_and_the_batch_stays(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(QUICK, blend=1.0)  # general text is not measured: it has texts longer than the limit
    plain = train(small_data, model=tiny, out=tmp_path / "plain", options=options)
    limit(monkeypatch, 19)
    first, second = At(4, kill), listen()
    out = tmp_path / "small"
    with pytest.raises(Stop):
        train(small_data, model=tiny, out=out, options=options, talk=first)
    found = newest(tmp_path / ".building-small" / "checkpoints", fingerprints=seen(out), talk=listen())
    assert found is not None
    noted = read_progress(found).token_budget

    train(small_data, model=tiny, out=out, options=options, talk=second)

    # 2,048 tokens are halved seven times; 8 texts of 4 or 5 tokens are 36.
    told = "memory ran out: passes of 16 tokens from here on, the batch stays (--token-budget 16 begins so)"
    assert (told in first.lines, told in second.lines) == (True, False)
    assert noted == outputs(out)["token_budget"] == 16
    log = [json.loads(line) for line in (out / "training-log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log if "token_budget" in row] == [1]
    assert losses(out) == pytest.approx(losses(plain), abs=1e-4)


def seen(out: Path) -> dict[str, str]:
    """The fingerprints that a training under way has noted."""
    state = next(out.with_name(f".building-{out.name}").glob("checkpoints/step-*/state.json"))
    found: dict[str, str] = json.loads(state.read_text())["fingerprints"]
    return found


def test_smaller_passes_go_on_with_the_same_training(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    plain = train(small_data, model=tiny, out=tmp_path / "plain", options=RARELY)
    with pytest.raises(Stop):
        train(small_data, model=tiny, out=tmp_path / "tuned", options=QUICK, talk=At(4, kill))
    heard = listen()

    out = train(small_data, model=tiny, out=tmp_path / "tuned", options=replace(QUICK, token_budget=16), talk=heard)

    assert heard.lines[2:4] == [
        "passes of 16 tokens, before 2048: figures agree within rounding only",
        "training goes on after step 3 of 12",
    ]
    assert outputs(out)["token_budget"] == 16
    assert losses(out) == pytest.approx(losses(plain), abs=1e-4)


def test_a_rate_that_is_too_high_stops_it_within_a_step_and_names_the_last_good_weights(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(StageFailed) as caught:
        train(
            small_data,
            model=tiny,
            out=tmp_path / "tuned",
            options=replace(QUICK, learning_rate=1e30, warmup_steps=0),
        )

    good = tmp_path / ".building-tuned" / "checkpoints" / "best-000000.safetensors"
    assert caught.value.code == "E1201"
    assert caught.value.problem.startswith("step 2: loss nan")
    assert caught.value.problem.endswith(f"; the last good weights, the stock weights, are in {good}")
    assert good.exists()
    assert not (tmp_path / "tuned").exists()


def test_patience_ends_it_when_dev_brings_nothing_better(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    heard = listen()

    out = train(
        small_data,
        model=tiny,
        out=tmp_path / "tuned",
        options=replace(RARELY, patience=1, learning_rate=1e-9),
        talk=heard,
    )

    assert (outputs(out)["stopped"], outputs(out)["steps"], outputs(out)["best_step"]) == ("patience", 6, 0)
    assert "stopped after step 6 of 12: 1 dev evaluation brought nothing better" in heard.lines
    assert load(str(out), options=FP32).fingerprint == tiny.fingerprint


def test_a_last_evaluation_that_brings_nothing_better_stops_nothing(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    options = replace(RARELY, patience=2, learning_rate=1e-9)

    found = outputs(train(small_data, model=tiny, out=tmp_path / "tuned", options=options))

    assert (found["stopped"], found["steps"]) == ("", 12)


class Clock:
    """Ten seconds for each step that was told of, and next to nothing for all else."""

    def __init__(self, heard: At) -> None:
        self.heard, self.calls = heard, 0

    def monotonic(self) -> float:
        self.calls += 1
        return 10.0 * len(self.heard.steps) + 1e-6 * self.calls


def set_clock(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    for module in ("loop", "training"):
        monkeypatch.setattr(f"lexitune.stages.train.{module}.time", clock)


@pytest.mark.parametrize(
    ("limits", "option"),
    [
        ({"max_minutes": 1.0}, "max_minutes"),
        ({"max_cost": 0.6, "hourly_rate": 36.0}, "max_cost"),
        ({"max_minutes": 1.0, "max_cost": 50.0, "hourly_rate": 36.0}, "max_minutes"),
        ({"max_minutes": 90.0, "max_cost": 0.6, "hourly_rate": 36.0}, "max_cost"),
    ],
    ids=str,
)
def test_a_limit_ends_it_in_time_with_dev_measured(
    tiny: Embedder,
    small_data: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, float],
    option: str,
) -> None:
    heard = listen()
    set_clock(monkeypatch, Clock(heard))
    options = replace(RARELY, blend=1.0, **limits)  # type: ignore[arg-type]

    out = train(small_data, model=tiny, out=tmp_path / "tuned", options=options, talk=heard)

    # Stock is told of too, so step 5 is the sixth report: 60 seconds, at 0.01 pounds each.
    found = outputs(out)
    assert (found["stopped"], found["steps"]) == (option, 5)
    assert [row["step"] for row in found["curve"] if "dev" in row] == [0, 5]
    assert f"stopped after step 5 of 12: --{option.replace('_', '-')} is reached" in heard.lines
    assert ("£0.5" in heard.notes[-1]) == ("hourly_rate" in limits)


def test_time_is_left_for_what_comes_after_the_last_step(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = {}
    for blend in (1.0, None):
        heard = listen()
        clock = Clock(heard)
        set_clock(monkeypatch, clock)
        measure = partial(_slowly, clock)
        monkeypatch.setattr("lexitune.stages.train.loop.values_of_vectors", measure)
        options = replace(RARELY, blend=blend, max_minutes=2.05)
        out = train(small_data, model=tiny, out=tmp_path / str(blend), options=options, talk=heard)
        steps[blend] = outputs(out)["steps"]

    # An evaluation takes two seconds. To choose a share takes seven such beside the last: the end is to begin sixteen
    # seconds before 123.
    assert steps == {1.0: 11, None: 10}


def _slowly(clock: Clock, *_: object, **__: object) -> NDArray[np.float64]:
    clock.calls += 2_000_000
    return np.array([0.5, 0.5])


def test_what_comes_before_the_first_step_counts_once_in_each_session(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(QUICK, blend=1.0, max_minutes=2.0)

    def session(heard: At) -> Path:
        clock = Clock(heard)
        set_clock(monkeypatch, clock)
        plan = plan_training(small_data, model=tiny, options=options, began=clock.monotonic() - 30.0)
        clock.calls += 10**9  # between the plan and the training others have a thousand seconds
        return carry_out(plan, model=tiny, out=tmp_path / "tuned", talk=heard)

    with pytest.raises(Stop):
        session(At(3, kill))

    found = outputs(session(listen()))

    # The checkpoint of step 2 has 30 seconds, stock's ten and a step's; then come 30 again, and ten for each step.
    assert (found["stopped"], found["steps"]) == ("max_minutes", 6)


def test_the_best_weights_so_far_are_published_and_not_the_last(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(RARELY, blend=0.7, learning_rate=5e-3)
    whole = train(small_data, model=tiny, out=tmp_path / "whole", options=options)
    heard = listen()
    set_clock(monkeypatch, Clock(heard))
    limited = replace(options, max_minutes=1.1)  # the seventh report is step 6, the whole training's best

    stopped = train(small_data, model=tiny, out=tmp_path / "stopped", options=limited, talk=heard)

    assert column(whole, "dev")[1:] == [0.875, 0.875]  # of equals the earlier
    assert (outputs(whole)["best_step"], outputs(whole)["steps"]) == (6, 12)
    assert (outputs(stopped)["best_step"], outputs(stopped)["steps"]) == (6, 6)
    assert weights(whole) == weights(stopped)


@pytest.mark.parametrize(
    ("halfway", "end", "best", "told"),
    [
        ([1, 1, 0, 0], [1, 1, 0, 0], 0, "no checkpoint beat the stock model on dev"),  # nothing was changed
        ([1, 0, 0, 0], [1, 0, 0, 0], 0, "no checkpoint beat"),  # one query lost, none won: a standard error
        ([1, 0, 1, 0], [1, 0, 1, 0], 6, "no better by more than chance"),  # as many won as lost
        ([0, 0, 1, 0], [0, 0, 1, 0], 6, "no better by more than chance"),  # two lost and one won
        ([0, 0, 1, 0], [1, 0, 1, 0], 12, "no better by more than chance"),  # of trained ones the higher figure counts
        ([0, 0, 0, 0], [1, 1, 1, 0], 12, "best on dev: step 12 of 12, R@10 0.75"),
    ],
)
def test_stock_is_kept_where_it_is_a_standard_error_better(
    tiny: Embedder,
    small_data: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    halfway: list[float],
    end: list[float],
    best: int,
    told: str,
) -> None:
    found: dict[int, list[float]] = {0: [1, 1, 0, 0], 6: halfway, 12: end}

    def measured(*_: object, step: int) -> NDArray[np.float64]:
        return np.array(found[step], dtype=np.float64)

    monkeypatch.setattr("lexitune.stages.train.loop.values_of_vectors", measured)
    heard = listen()

    out = train(small_data, model=tiny, out=tmp_path / "tuned", options=replace(RARELY, blend=1.0), talk=heard)

    assert (outputs(out)["best_step"], outputs(out)["best_dev"]) == (best, np.mean(found[best]))
    assert told in heard.lines[-1]


def test_a_tracker_gets_losses_and_dev_and_its_files_stay_with_the_model(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    out = train(small_data, model=tiny, out=tmp_path / "tuned", options=replace(RARELY, tracker="tensorboard"))

    (events,) = (out / "tracker" / "lexitune").glob("events.*")
    written = events.read_bytes()
    assert (written.count(b"learning_rate"), written.count(b"\x03dev"), written.count(b"\x04loss")) == (12, 3, 12)
    SentenceTransformer(str(out), device="cpu")
    assert load(str(out), options=FP32).spec.name == "tuned"


def test_a_tracker_that_is_not_installed_is_named(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        train(small_data, model=tiny, out=tmp_path / "tuned", options=replace(QUICK, tracker="aim"))

    assert (caught.value.code, caught.value.fix) == ("E2005", "pip install aim")


def test_in_fp16_a_resumed_training_scales_as_before(
    tiny: Embedder, tiny_folder: Path, small_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So large at first that the gradient overflows until it was halved some times, a step for each.
    monkeypatch.setattr(torch.amp, "GradScaler", partial(torch.amp.GradScaler, init_scale=2.0**20))
    options = replace(QUICK, blend=1.0)

    def half() -> Embedder:
        return Embedder(SentenceTransformer(str(tiny_folder), device="cpu"), tiny.spec, precision="fp16")

    whole = train(small_data, model=half(), out=tmp_path / "whole", options=options)
    with pytest.raises(Stop):
        train(small_data, model=half(), out=tmp_path / "killed", options=options, talk=At(7, kill))
    found = newest(tmp_path / ".building-killed" / "checkpoints", fingerprints=seen(tmp_path / "killed"), talk=listen())
    assert found is not None
    scale = read_progress(found).scale["scale"]

    killed = train(small_data, model=half(), out=tmp_path / "killed", options=options)

    assert 1.0 <= scale < 2.0**20
    assert losses(killed) == losses(whole)
    assert weights(killed) == weights(whole)
    assert all(math.isfinite(loss) for loss in losses(whole))
