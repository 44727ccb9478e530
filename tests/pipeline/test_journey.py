"""The journey: what it says when it stops, what it leaves when it ends, and that a kill costs nothing but time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lexitune.io.workspace import Workspace, read_meta, write_meta
from lexitune.models.options import ModelOptions
from lexitune.pipeline.options import TuneOptions
from lexitune.pipeline.outcome import TuneOutcome
from lexitune.pipeline.pylib import as_dataset_parts, documented_functions, library_folder
from lexitune.pipeline.tune import gate_line, tune
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.mine.driver import run as mine
from lexitune.stages.mine.options import MineOptions
from lexitune.stages.promote.driver import run as promote
from lexitune.stages.promote.options import PromoteOptions
from lexitune.stages.train.options import TrainOptions
from lexitune.types import Dataset, GateResult

FEW = 240  # functions: enough for a split with queries on every side, few enough for seconds
OPTIONS = (
    ModelOptions(model="minilm", max_length=24, precision="fp32"),
    TuneOptions(anyway=True),
    TrainOptions(batch_size=16, checkpoint_s=0.0),
    EvaluateOptions(resamples=200),
    PromoteOptions(min_gain=-1.0, min_queries=5, guard="off"),
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    docs, queries, qrels = as_dataset_parts(documented_functions(library_folder())[:FEW])
    return Dataset(docs, queries, {"train": qrels})


@pytest.fixture(scope="module")
def journey(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TuneOutcome]:
    work = tmp_path_factory.mktemp("journey") / "work"
    return work, tune(data, workspace=work, options=OPTIONS)


def test_too_few_pairs_stop_the_journey_before_training(data: Dataset, tmp_path: Path) -> None:
    outcome = tune(data, workspace=tmp_path / "work", options=[OPTIONS[0]])

    assert (outcome.exit_code, outcome.gate, outcome.evaluation) == (0, None, None)
    assert outcome.advice.answer != "TUNE"
    assert outcome.next_command.endswith("tune --anyway")
    assert not (tmp_path / "work" / "models").exists()
    assert "No training was done" in outcome.lines[1]


def test_a_finished_journey_names_everything_in_json(journey: tuple[Path, TuneOutcome]) -> None:
    found = json.loads(json.dumps(journey[1].to_json()))

    assert set(found["systems"]) == {"stock", "bm25", "hybrid_stock", "tuned", "hybrid_tuned"}
    assert set(found["systems"]["stock"]["R@10"]) == {"mean", "low", "high", "n"}
    assert set(found["gain"]["R@10"]) == {"mean", "low", "high", "p", "n"}
    assert set(found["gate"]) == {"answer", "reasons"}
    assert set(found["advice"]) == {"answer", "reasons", "also"}
    assert set(found["seconds"]) == {"import", "assess", "train", "reembed", "evaluate", "promote"}
    assert found["peak_rss_mb"] > 100


def test_the_gain_is_the_difference_of_the_two_systems(journey: tuple[Path, TuneOutcome]) -> None:
    found = journey[1].to_json()

    for measure, gain in found["gain"].items():
        systems = found["systems"]
        assert gain["mean"] == pytest.approx(systems["tuned"][measure]["mean"] - systems["stock"][measure]["mean"])


def test_the_closing_lines_fit_into_80_columns(journey: tuple[Path, TuneOutcome]) -> None:
    assert [line for line in journey[1].lines[:5] if len(line) > 80] == []


@pytest.mark.parametrize("decided", ["the gain's lower bound lies above it", "The gain's lower bound lies above it."])
def test_what_the_gate_says_is_a_sentence(decided: str) -> None:
    told = gate_line(GateResult("PROMOTE", ("R@10 gains +6.0 points", decided)))

    assert told == "Gate: PROMOTE. The gain's lower bound lies above it."


def test_the_report_has_the_verdict_and_every_system(journey: tuple[Path, TuneOutcome]) -> None:
    page = (journey[0] / "report.html").read_text(encoding="utf-8")

    for words in ("stock + BM25", "tuned + BM25", "query by query", "Training", "How this was made"):
        assert words in page


def test_a_second_journey_does_nothing_again_and_ends_the_same(
    journey: tuple[Path, TuneOutcome], data: Dataset
) -> None:
    work, first = journey
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*.safetensors")}

    again = tune(data, workspace=work, options=OPTIONS)

    assert {path: path.stat().st_mtime_ns for path in work.rglob("*.safetensors")} == before
    assert again.to_json()["gain"] == first.to_json()["gain"]
    assert len((work / "reports" / "test-openings.jsonl").read_text().splitlines()) == 1


def test_it_mines_where_negatives_are_asked_for_and_leaves_what_the_user_mined(data: Dataset, tmp_path: Path) -> None:
    """Test stays sealed until the evaluation."""
    options = (*OPTIONS, TrainOptions(batch_size=16, checkpoint_s=0.0, negatives=1))
    work = Workspace(tmp_path / "work")
    outcome = tune(data, workspace=work.root, options=options)
    assert outcome.model is not None
    first = read_meta(outcome.model)
    opened = (work.reports / "test-openings.jsonl").read_text()
    page = (work.root / "report.html").read_text(encoding="utf-8")
    mine(work, model=OPTIONS[0], options=MineOptions(count=1))
    own = (work.root / "examples.parquet").read_bytes()

    again = tune(data, workspace=work.root, options=options)

    assert first is not None
    assert (first.outputs["negatives"] > 0, first.options["negatives"]) == (True, 1)
    assert list(outcome.seconds) == ["import", "assess", "mine", "train", "reembed", "evaluate", "promote"]
    assert "mine" not in opened
    assert "mine" not in again.seconds
    assert (work.root / "examples.parquet").read_bytes() == own
    assert again.model != outcome.model
    assert "mine --keep-out none" in page


def test_without_promotion_the_gate_says_what_promote_would(
    journey: tuple[Path, TuneOutcome], data: Dataset, tmp_path: Path
) -> None:
    """Another seed of the same training, which gained as much, has a say in both."""
    work = Workspace(tmp_path / "work")
    shutil.copytree(journey[0], work.root)
    assert journey[1].model is not None
    model_id = journey[1].model.name
    made = read_meta(work.models / model_id)
    assert made is not None
    (work.models / "other").mkdir()
    write_meta(work.models / "other", replace(made, options={**made.options, "seed": 99}))
    shutil.copy(work.reports / f"{model_id}.json", work.reports / "other.json")

    told = tune(data, workspace=work.root, options=(*OPTIONS, TuneOptions(anyway=True, promote=False))).gate
    promoted = promote(work, options=OPTIONS[-1])

    assert told is not None
    assert any("the same training with other seeds" in reason for reason in told.reasons)
    assert told.reasons == promoted.reasons


@pytest.mark.parametrize(
    "landmark", ["corpus.jsonl", "models/.building-*/checkpoints/step-*/complete.json", "staged.json"]
)
def test_a_journey_killed_with_nine_goes_on_and_ends_the_same(
    landmark: str, journey: tuple[Path, TuneOutcome], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    command = [sys.executable, "-c", KILLED, str(work)]
    child = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(work.glob(landmark)) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()

    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True
    )

    assert child.returncode == -signal.SIGKILL
    assert json.loads(done.stdout)["gain"] == journey[1].to_json()["gain"]


KILLED = f"""
import json, sys
from lexitune.pipeline.pylib import as_dataset_parts, documented_functions, library_folder
from lexitune.models.options import ModelOptions
from lexitune.pipeline.options import TuneOptions
from lexitune.pipeline.tune import gate_line, tune
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.promote.options import PromoteOptions
from lexitune.stages.train.options import TrainOptions
from lexitune.types import Dataset, GateResult

docs, queries, qrels = as_dataset_parts(documented_functions(library_folder())[:{FEW}])
options = {list(OPTIONS)!r}
print(json.dumps(tune(Dataset(docs, queries, {{"train": qrels}}), workspace=sys.argv[1], options=options).to_json()))
"""
