"""Train in a workspace: where the model lies, when it is made again, and what a kill leaves."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.heard import Heard

from lexitune.errors import DataError
from lexitune.io.weights import write_weights
from lexitune.io.workspace import Workspace, meta_path, read_meta
from lexitune.models.options import ModelOptions
from lexitune.stages.train.driver import run
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import building_of

QUICK = TrainOptions(epochs=1, batch_size=4, freeze_layers=0)


@pytest.fixture
def tiny(tiny_folder: Path) -> ModelOptions:
    return ModelOptions(model=str(tiny_folder), precision="fp32", device="cpu")


def test_the_model_lies_under_its_base_name_and_a_hash(workspace: Workspace, tiny: ModelOptions) -> None:
    out = run(workspace, model=tiny, options=QUICK)

    name, _, digits = out.name.rpartition("-")
    assert (out.parent, name, len(digits)) == (workspace.models, "model", 8)
    assert [path.name for path in workspace.models.iterdir()] == [out.name]
    meta = read_meta(out)
    assert meta is not None
    assert meta.outputs["base"]["name"] == "model"


def test_the_same_again_is_skipped(workspace: Workspace, tiny: ModelOptions) -> None:
    out = run(workspace, model=tiny, options=QUICK)
    written = meta_path(out).read_bytes()
    building_of(out).mkdir()  # what a kill leaves between publishing and tidying
    heard = Heard()

    again = run(workspace, model=tiny, options=QUICK, talk=heard)

    assert again == out
    assert meta_path(out).read_bytes() == written
    assert heard.lines[-1] == f"train: skipped, {out.name} has the same data, model and options"
    assert not building_of(out).exists()


def test_other_options_make_another_model(workspace: Workspace, tiny: ModelOptions) -> None:
    first = run(workspace, model=tiny, options=QUICK)
    second = run(workspace, model=tiny, options=replace(QUICK, seed=14))

    assert first != second
    assert first.exists()


def test_a_workspace_without_data_is_told(tmp_path: Path, tiny: ModelOptions) -> None:
    with pytest.raises(DataError) as caught:
        run(Workspace(tmp_path / "empty"), model=tiny, options=QUICK)

    assert caught.value.code == "E3009"


def test_weights_of_pairs_make_another_model(workspace: Workspace, tiny: ModelOptions) -> None:
    plain = run(workspace, model=tiny, options=QUICK)
    write_weights(workspace.weights, {"q00": {"d00": 5.0}})

    weighed = run(workspace, model=tiny, options=QUICK)

    first, second = read_meta(plain), read_meta(weighed)
    assert first is not None
    assert second is not None
    assert set(second.inputs) - set(first.inputs) == {"weights"}
    assert [row.get("loss") for row in first.outputs["curve"]] != [row.get("loss") for row in second.outputs["curve"]]


def test_the_classic_recipe_says_that_it_does_not_weigh(workspace: Workspace, tiny: ModelOptions) -> None:
    write_weights(workspace.weights, {"q00": {"d00": 5.0}})
    heard = Heard()

    run(workspace, model=tiny, options=TrainOptions(recipe="mnrl", epochs=1), talk=heard)

    assert "the recipe mnrl counts every pair the same: their weights are not used" in heard.lines
