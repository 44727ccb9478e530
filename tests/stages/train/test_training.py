"""Training from data to folder: it learns, picks the best, stops on NaN, and goes on where it was stopped."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.stages.train.watching import FP32, QUICK, At, Stop, interrupt, kill, listen, losses, weights

from lexitune.errors import DataError, StageFailed, UsageError
from lexitune.fingerprint import sha256_files
from lexitune.io.workspace import read_meta
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.stages.train import tuning
from lexitune.stages.train.averaging import sweep
from lexitune.stages.train.training import train
from lexitune.types import Dataset, Doc, Query, Silent


def test_it_learns_and_leaves_the_given_model_alone(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    before = tiny.fingerprint

    out = train(small_data, model=tiny, out=tmp_path / "tuned", options=QUICK)

    found = losses(out)
    assert len(found) == 12
    assert np.mean(found[-4:]) < 0.7 * np.mean(found[:4])
    assert tiny.fingerprint == before
    assert load(str(out), options=FP32).fingerprint != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tuned"]


def test_the_record_tells_what_made_the_model(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    meta = read_meta(train(small_data, model=tiny, out=tmp_path / "tuned", options=QUICK))

    assert meta is not None
    assert (meta.stage, meta.seed, meta.options["batch_size"]) == ("train", 13, 4)
    assert sorted(meta.inputs) == ["corpus", "dev", "model", "queries", "train"]
    assert meta.outputs["pairs"] == 16
    assert meta.outputs["dev_queries"] == 8
    assert [row["step"] for row in meta.outputs["curve"] if "dev" in row] == [0, 6, 12]
    log = (tmp_path / "tuned" / "training-log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in log] == meta.outputs["curve"]
    assert {**meta.outputs["files"], "meta.json": ""}.keys() == sha256_files(tmp_path / "tuned").keys()
    assert datetime.fromisoformat(meta.outputs["at"]).tzinfo == UTC


def test_the_cost_is_all_wall_time_averaging_included(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*given: Any, **named: Any) -> Any:
        time.sleep(0.3)
        return sweep(*given, **named)

    monkeypatch.setattr(tuning, "sweep", slow)
    began = time.monotonic()
    out = train(small_data, model=tiny, out=tmp_path / "tuned", options=QUICK)
    took = time.monotonic() - began

    meta = read_meta(out)
    assert meta is not None
    steps = [json.loads(line) for line in (out / "training-log.jsonl").read_text().splitlines()]
    assert 0.3 + sum(row.get("seconds", 0.0) for row in steps) < meta.cost_s <= took


def test_no_pickle_is_published(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    out = train(small_data, model=tiny, out=tmp_path / "tuned", options=QUICK)

    assert [path for path in out.rglob("*") if path.suffix in {".bin", ".pt", ".pth", ".pkl"}] == []


def test_twice_the_same_is_the_same(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    first = train(small_data, model=tiny, out=tmp_path / "first", options=QUICK)
    second = train(small_data, model=tiny, out=tmp_path / "second", options=QUICK)

    assert losses(first) == losses(second)
    assert weights(first) == weights(second)


@pytest.mark.parametrize(
    ("recipe", "step"),
    [("default", 1), ("default", 6), ("default", 7), ("default", 12), ("mnrl", 7)],  # dev is measured after 6 and 12
)
def test_a_killed_training_goes_on_and_ends_the_same(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, recipe: str, step: int
) -> None:
    options = replace(QUICK, freeze_layers=None, recipe=recipe)
    whole = train(small_data, model=tiny, out=tmp_path / "whole", options=options)
    with pytest.raises(Stop):
        train(small_data, model=tiny, out=tmp_path / "killed", options=options, talk=At(step, kill))
    assert not (tmp_path / "killed").exists()

    heard = listen()
    killed = train(small_data, model=tiny, out=tmp_path / "killed", options=options, talk=heard)

    assert losses(killed) == losses(whole)
    assert weights(killed) == weights(whole)
    assert [done for done in heard.steps if 0 < done < step - 1] == []  # steps that a checkpoint holds are not redone


@pytest.mark.parametrize("recipe", ["default", "mnrl"])
def test_an_interrupt_finishes_the_step_and_resumes_after_it(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, recipe: str
) -> None:
    options = replace(
        QUICK, freeze_layers=None, recipe=recipe, checkpoint_s=3600.0
    )  # so it is the interrupt that writes
    whole = train(small_data, model=tiny, out=tmp_path / "whole", options=options)
    with pytest.raises(KeyboardInterrupt):
        train(small_data, model=tiny, out=tmp_path / "stopped", options=options, talk=At(3, interrupt))

    heard = listen()
    stopped = train(small_data, model=tiny, out=tmp_path / "stopped", options=options, talk=heard)

    assert min(heard.steps) in (4, 5)  # mnrl tells of a step only after it has looked for the signal
    assert losses(stopped) == losses(whole)
    assert weights(stopped) == weights(whole)


def test_an_interrupt_in_the_last_step_stops_it_too_and_nothing_is_lost(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    options = replace(QUICK, checkpoint_s=3600.0)
    whole = train(small_data, model=tiny, out=tmp_path / "whole", options=options)
    with pytest.raises(KeyboardInterrupt):
        train(small_data, model=tiny, out=tmp_path / "stopped", options=options, talk=At(12, interrupt))
    assert not (tmp_path / "stopped").exists()

    heard = listen()
    stopped = train(small_data, model=tiny, out=tmp_path / "stopped", options=options, talk=heard)

    assert heard.steps == []  # none is left to be done
    assert losses(stopped) == losses(whole)
    assert weights(stopped) == weights(whole)


@pytest.mark.parametrize("recipe", ["default", "mnrl"])
def test_nan_stops_it_and_publishes_nothing(tiny: Embedder, small_data: Dataset, tmp_path: Path, recipe: str) -> None:
    before = tiny.fingerprint

    with pytest.raises(StageFailed) as caught:
        train(
            small_data,
            model=tiny,
            out=tmp_path / "tuned",
            options=replace(QUICK, freeze_layers=None, recipe=recipe, learning_rate=1e30, warmup_steps=0),
        )

    assert caught.value.code == "E1201"
    assert not (tmp_path / "tuned").exists()
    assert tiny.fingerprint == before


def test_when_nothing_beats_stock_the_stock_weights_are_kept_and_it_is_said(
    tiny_folder: Path, tiny: Embedder, tmp_path: Path
) -> None:
    # Dev queries are their docs' own words, so stock finds all: R@10 is 1 and cannot be beaten.
    docs = [Doc(f"d{n:02}", f"w{n} w{n + 1} w{n + 2}") for n in range(30)]
    queries = {f"q{n:02}": Query(f"q{n:02}", docs[n].text) for n in range(30)}
    pairs = {f"q{n:02}": {f"d{n:02}": 1} for n in range(30)}
    split = {"train": {k: pairs[k] for k in sorted(pairs)[:20]}, "dev": {k: pairs[k] for k in sorted(pairs)[20:]}}
    heard = listen()

    out = train(Dataset(docs, queries, split), model=tiny, out=tmp_path / "tuned", options=QUICK, talk=heard)

    meta = read_meta(out)
    assert meta is not None
    assert meta.outputs["best_step"] == 0
    assert load(str(out), options=FP32).fingerprint == tiny.fingerprint
    assert heard.lines[-1] == "no checkpoint beat the stock model on dev (R@10 1.00): its weights are kept"


def test_without_dev_the_last_weights_are_taken_and_it_is_said(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    heard = listen()
    data = replace(small_data, qrels={"train": small_data.qrels["train"]})

    meta = read_meta(train(data, model=tiny, out=tmp_path / "tuned", options=QUICK, talk=heard))

    assert meta is not None
    assert (meta.outputs["best_step"], meta.outputs["best_dev"]) == (12, None)
    assert heard.lines[1].startswith("no dev judgements: the last weights are taken")


def test_published_weights_lie_between_stock_and_trained(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    stock = [parameter.detach().clone() for parameter in tiny.network.parameters()]
    data = replace(small_data, qrels={"train": small_data.qrels["train"]})

    ends = {}
    for blend in (1.0, 0.25):
        out = train(data, model=tiny, out=tmp_path / str(blend), options=replace(QUICK, blend=blend))
        ends[blend] = list(load(str(out), options=FP32).network.parameters())

    for start, trained, published in zip(stock, ends[1.0], ends[0.25], strict=True):
        assert torch.allclose(published, start + 0.25 * (trained - start), atol=1e-6)
    assert any(not torch.equal(start, published) for start, published in zip(stock, ends[0.25], strict=True))


def test_to_go_on_with_other_options_is_refused_with_the_differences(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(Stop):
        train(small_data, model=tiny, out=tmp_path / "tuned", options=QUICK, talk=At(7, kill))

    with pytest.raises(UsageError) as caught:
        train(small_data, model=tiny, out=tmp_path / "tuned", options=replace(QUICK, seed=14, batch_size=8))

    assert caught.value.code == "E2124"
    assert caught.value.problem.endswith("batch_size was 4, is 8; seed was 13, is 14")
    assert not (tmp_path / "tuned").exists()


def test_a_damaged_checkpoint_falls_back_to_the_one_before_it(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    whole = train(small_data, model=tiny, out=tmp_path / "whole", options=QUICK)
    with pytest.raises(Stop):
        train(small_data, model=tiny, out=tmp_path / "killed", options=QUICK, talk=At(9, kill))
    newest = tmp_path / ".building-killed" / "checkpoints" / "step-000008" / "weights.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    heard = listen()

    killed = train(small_data, model=tiny, out=tmp_path / "killed", options=QUICK, talk=heard)

    assert heard.lines[2:4] == [
        "checkpoint step-000008 is not used: weights.safetensors is damaged",
        "training goes on after step 7 of 12",
    ]
    assert losses(killed) == losses(whole)
    assert weights(killed) == weights(whole)


def test_a_batch_that_is_one_query_only_teaches_nothing_and_is_refused(
    tiny: Embedder, tmp_path: Path
) -> None:  # faults 41 and 44
    docs = [Doc(f"d{n:02}", f"w{n} w{n + 1}") for n in range(30)]
    data = Dataset(docs, {"q": Query("q", "w1")}, {"train": {"q": {doc.doc_id: 1 for doc in docs}}})

    with pytest.raises(DataError) as caught:
        train(data, model=tiny, out=tmp_path / "tuned", options=QUICK)

    assert caught.value.code == "E3323"
    assert "--positives sample" in caught.value.fix
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_never_written_over(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        train(small_data, model=tiny, out=tmp_path, options=QUICK, talk=Silent())

    assert caught.value.code == "E2122"
