"""`lexitune plan --probe` in a workspace: what it predicts, and that it leaves nothing behind."""

import re

import pytest
from click.testing import CliRunner
from tests.faults import Killed

from lexitune.cli.main import main
from lexitune.errors import UsageError
from lexitune.io.options import DataOptions
from lexitune.io.workspace import Workspace
from lexitune.models.embedder import Embedder
from lexitune.models.options import ModelOptions
from lexitune.pipeline import probe
from lexitune.pipeline.data import import_data
from lexitune.pipeline.probe import predict
from lexitune.pipeline.pylib import as_dataset_parts, documented_functions, library_folder
from lexitune.pipeline.sections import SECTIONS
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import Plan
from lexitune.types import Dataset, Silent

MODEL = ModelOptions(model="minilm", max_length=16, precision="fp32", device="cpu")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Eighty functions of the standard library, imported."""
    made = Workspace(tmp_path_factory.mktemp("work"))
    docs, queries, qrels = as_dataset_parts(documented_functions(library_folder())[:80])
    import_data(made, Dataset(docs, queries, {"train": qrels}), options=DataOptions(allow_leaks=True))
    return made


def test_a_prediction_leaves_the_workspace_as_it_was(workspace: Workspace) -> None:
    before = {path.name for path in workspace.root.rglob("*")}
    sections = {name: kind() for name, kind in SECTIONS.items()}
    sections |= {"model": MODEL, "train": TrainOptions(batch_size=8, epochs=1)}

    found = predict(workspace, None, sections=sections, talk=Silent())

    assert (found.train.steps, found.train.of) == (found.train.of // 2, found.train.of)
    passages = len(workspace.corpus.read_text(encoding="utf-8").splitlines())
    assert (found.passages, found.device, found.precision) == (passages, "cpu", "fp32")
    assert found.to_json()["train_s"] == pytest.approx(sum(found.train.seconds.values()))
    assert found.reembed_s > 0
    assert {path.name for path in workspace.root.rglob("*")} - before <= {".lexitune-lock", ".lexitune-holder"}


def test_what_tune_would_mine_is_stood_in_for(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []

    def probed(model: Embedder, plan: Plan, **_: object) -> None:
        plans.append(plan)
        raise Killed

    monkeypatch.setattr(probe, "probe_training", probed)
    sections = {name: kind() for name, kind in SECTIONS.items()} | {"model": MODEL}
    for negatives in (1, None, 6):
        sections["train"] = TrainOptions(negatives=negatives)
        with pytest.raises(Killed):
            predict(workspace, None, sections=sections, talk=Silent())

    assert [plan.recipe.negatives for plan in plans] == [1, 0, 6]
    drawn = [len(plan.examples.negatives) / len(plan.examples.queries) for plan in plans]
    assert (3 < drawn[0] <= 4, drawn[1], 5 < drawn[2] <= 6) == (True, 0, True)


def test_what_a_kill_leaves_goes_with_the_next_command(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_: Workspace) -> Dataset:
        raise Killed

    before = set(workspace.root.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(probe, "open_data", killed)
        patch.setattr("shutil.rmtree", lambda *_, **__: None)  # a dead process tidies nothing up
        with pytest.raises(Killed):
            predict(workspace, None, sections={}, talk=Silent())
    left = {path for path in set(workspace.root.iterdir()) - before if path.is_dir()}
    assert left

    with workspace.lock():
        pass

    assert not any(path.exists() for path in left)


def test_the_command_shows_the_prediction_before_what_a_point_costs(workspace: Workspace) -> None:
    options = ["--model", "minilm", "--max-length", "16", "--device", "cpu", "--batch-size", "8"]
    args = ["-C", str(workspace.root), "plan", "--probe", *options]

    shown = CliRunner().invoke(main, args)

    lines = shown.stdout.splitlines()
    assert shown.exit_code == 0, shown.stderr
    assert max(map(len, lines)) <= 80
    head = next(number for number, line in enumerate(lines) if line.startswith("probe   "))
    assert re.fullmatch(r"probe   \d+ steps and a sample of passages on this cpu, in \w+", lines[head])
    assert lines[head + 1].startswith("  training will take")
    assert any(line.startswith("  re-embedding will take") for line in lines[head:])
    assert any(line.startswith("a point of R@10") for line in lines[head:])


def test_without_data_there_is_nothing_to_probe() -> None:
    with pytest.raises(UsageError) as caught:
        predict(None, None, sections={}, talk=Silent())

    assert caught.value.fix == "lexitune plan DATA --probe"
