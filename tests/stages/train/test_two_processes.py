"""Two processes train together: the figures of one, one of them writes, and one Ctrl-C stops both."""

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.stages.train.watching import FP32, LAUNCH, QUICK, At, Stop, column, kill, losses, outputs

from lexitune.io.workspace import Workspace
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.train.driver import run
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import train
from lexitune.types import Dataset

ROOT = Path(__file__).parents[3]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
RARELY = replace(QUICK, checkpoint_s=60.0)

CHILD = """
import os, sys
from dataclasses import replace
from pathlib import Path
from lexitune.errors import StageFailed, UsageError
from lexitune.models.load import load
from lexitune.stages.train.training import train
from tests.stages.train.test_two_processes import RARELY
from tests.stages.train.watching import FP32, make_small_data

work, rank = Path(sys.argv[2]), os.environ["RANK"]
model = load(sys.argv[1], options=FP32)
try:
    classic = replace(RARELY, recipe="mnrl", freeze_layers=None)
    train(make_small_data(), model=model, out=work / "classic", options=classic)
except UsageError as error:
    (work / f"refused-{rank}").write_text(error.code)
try:
    train(make_small_data(), model=model, out=work / "nan", options=replace(RARELY, learning_rate=1e30, warmup_steps=0))
except StageFailed as error:
    (work / f"failed-{rank}").write_text(error.code)
for name, more in (("plain", {}), ("frozen", {"freeze_layers": 1, "mask": "guide", "learn_temperature": True})):
    train(make_small_data(), model=model, out=work / name, options=replace(RARELY, **more))
"""


@pytest.fixture(scope="module")
def together(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left, which trained one thing after another."""
    work = tmp_path_factory.mktemp("together")
    script = work / "child.py"
    script.write_text(CHILD)
    subprocess.run(
        [*LAUNCH, str(script), str(tiny_folder), str(work)],
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        timeout=300,
    )
    return work


@pytest.mark.parametrize(
    ("name", "more"), [("plain", {}), ("frozen", {"freeze_layers": 1, "mask": "guide", "learn_temperature": True})]
)
def test_they_train_as_one_does(
    tiny: Embedder, small_data: Dataset, tmp_path: Path, together: Path, name: str, more: dict[str, object]
) -> None:
    alone = train(small_data, model=tiny, out=tmp_path / "alone", options=replace(RARELY, **more))  # type: ignore[arg-type]

    both = together / name
    assert losses(both)[0] == pytest.approx(losses(alone)[0], abs=1e-6)
    assert losses(both) == pytest.approx(losses(alone), abs=1e-4)  # what was rounding grows with the steps
    assert column(both, "temperature") == pytest.approx(column(alone, "temperature"), rel=1e-4)
    assert column(both, "dev") == column(alone, "dev")
    assert [point["dev"] for point in outputs(both)["shares"]] == [point["dev"] for point in outputs(alone)["shares"]]
    assert load(str(both), options=FP32).dimension == 32


def test_what_one_refuses_both_refuse(together: Path) -> None:
    assert [(together / f"refused-{rank}").read_text() for rank in (0, 1)] == ["E2121", "E2121"]
    assert [(together / f"failed-{rank}").read_text() for rank in (0, 1)] == ["E1201", "E1201"]


def test_nothing_is_left_but_what_was_published(together: Path) -> None:
    left = {path.name for path in together.iterdir() if path.is_dir()}

    assert left == {"plain", "frozen", ".building-nan"}  # the last good weights of the one that failed


def command(workspace: Workspace, model: Path, epochs: int) -> list[str]:
    flags = ["--model", str(model), "--precision", "fp32", "--epochs", str(epochs), "--batch-size", "4"]
    return [*LAUNCH, "-m", "lexitune", "-C", str(workspace.root), "train", *flags, "--learning-rate", "2e-3"]


def options(epochs: int) -> TrainOptions:
    return TrainOptions(epochs=epochs, batch_size=4, learning_rate=2e-3)


def model_options(folder: Path) -> ModelOptions:
    return ModelOptions(model=str(folder), precision="fp32")


def test_the_command_is_shared_and_one_of_them_speaks(workspace: Workspace, tiny_folder: Path) -> None:
    done = subprocess.run(
        command(workspace, tiny_folder, epochs=1),
        env=ENVIRONMENT,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    (out,) = workspace.models.iterdir()
    assert done.stdout.splitlines() == [str(out)]
    assert done.stderr.count("next: lexitune") == 1
    # It is the model that one process would have made, and so is not made again.
    assert run(workspace, model=model_options(tiny_folder), options=options(1)) == out


def test_one_interrupt_leaves_one_checkpoint_and_stops_both(workspace: Workspace, tiny_folder: Path) -> None:
    child = subprocess.Popen(
        command(workspace, tiny_folder, epochs=500),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline, log = time.monotonic() + 120, "models/.building-*/training-log.jsonl"
    while sum(path.read_text().count("loss") for path in workspace.root.glob(log)) < 3:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does it: to the launcher and to both
    _, told = child.communicate(timeout=60)

    (building,) = workspace.models.iterdir()
    (checkpoint,) = (building / "checkpoints").glob("step-*")
    step = json.loads((checkpoint / "state.json").read_text())["progress"]["step"]
    assert (checkpoint / "complete.json").exists()
    assert told.count("interrupted; what was done is kept") == 1
    assert f"next: lexitune -C {workspace.root} train" in told
    with pytest.raises(ProcessLookupError):  # nobody of the group is left
        os.killpg(child.pid, 0)
    heard = At(step + 1, kill)
    with pytest.raises(Stop):
        run(workspace, model=model_options(tiny_folder), options=options(500), talk=heard)
    assert f"training goes on after step {step} of 2000" in heard.lines
