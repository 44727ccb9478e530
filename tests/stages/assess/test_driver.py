"""Assess in a workspace: what is written, and when it is read back."""

from pathlib import Path

import pytest
from tests.heard import Heard

from lexitune.errors import DataError
from lexitune.io.workspace import Workspace, read_meta
from lexitune.models.options import ModelOptions
from lexitune.stages.assess.driver import read_advice, report_path, run
from lexitune.stages.assess.options import AssessOptions


def test_the_advice_is_written_and_read_back_unless_an_option_changed(
    toy_workspace: Workspace, tiny_model_folder: Path
) -> None:
    model = ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu")
    options = AssessOptions(min_pairs=50)
    first, second, third = Heard(), Heard(), Heard()

    advice = run(toy_workspace, model=model, options=options, talk=first)
    again = run(toy_workspace, model=model, options=options, talk=second)
    other = run(toy_workspace, model=model, options=AssessOptions(min_pairs=61), talk=third)

    assert advice == again
    assert "assess: skipped, same data, same model, same options" in second.lines
    assert "assess: skipped, same data, same model, same options" not in first.lines + third.lines
    assert (advice.answer, other.answer) == ("TUNE", "CANNOT TELL")  # 60 training pairs
    meta = read_meta(report_path(toy_workspace))
    assert meta is not None
    assert meta.stage == "assess"


def test_assess_leaves_no_opening_of_test(toy_workspace: Workspace, tiny_model_folder: Path) -> None:
    run(toy_workspace, model=ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu"))

    assert not toy_workspace.openings.exists()


def test_an_advice_that_somebody_edited_is_refused(tmp_path: Path) -> None:
    (tmp_path / "assess.json").write_text("{}", encoding="utf-8")

    with pytest.raises(DataError) as raised:
        read_advice(tmp_path / "assess.json")

    assert raised.value.code == "E3307"
