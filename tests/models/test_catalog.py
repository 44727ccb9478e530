"""Names of models: what each means, and what auto takes on which machine."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from lexitune.errors import DataError, UsageError
from lexitune.models import catalog
from lexitune.models.catalog import choose_auto, packaged_folder, resolve
from lexitune.models.options import ModelOptions

LARGE, SMALL = "BAAI/bge-large-en-v1.5", "BAAI/bge-small-en-v1.5"


@pytest.mark.parametrize(
    ("case", "gpu_gb", "offline", "cached", "answers", "chosen"),
    [
        ("a GPU of 16 GB", 16.0, False, False, True, LARGE),
        ("a smaller GPU", 15.9, False, False, True, SMALL),
        ("no GPU", 0.0, False, False, True, SMALL),
        ("no network, but here already", 0.0, False, True, False, SMALL),
        ("no network and not here", 24.0, False, False, False, "minilm"),
        ("offline by the user's wish", 24.0, True, True, True, "minilm"),
    ],
)
def test_auto_takes_what_suits_the_machine_and_says_why(
    case: str, gpu_gb: float, offline: bool, cached: bool, answers: bool, chosen: str
) -> None:
    choice = choose_auto(gpu_gb=gpu_gb, offline=offline, cached=lambda name: cached, answers=lambda: answers)

    assert choice.name == chosen
    assert choice.reason


def test_the_hub_is_not_asked_about_a_model_that_is_here() -> None:
    def ask() -> bool:
        raise AssertionError("asked")

    choose_auto(gpu_gb=0.0, offline=False, cached=lambda name: True, answers=ask)


def test_minilm_is_the_folder_of_its_package(minilm_folder: Path) -> None:
    choice = resolve(ModelOptions(model="minilm"))

    assert (choice.name, choice.location, choice.reason) == ("minilm", minilm_folder, "")


def test_a_folder_is_called_by_its_name_however_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "law").mkdir()
    monkeypatch.chdir(tmp_path / "law")

    assert resolve(ModelOptions(model=".")).name == "law"
    assert resolve(ModelOptions(model=f"..{os.sep}law")).location == Path("../law")


def test_two_names_with_a_stroke_are_a_hub_id() -> None:
    assert resolve(ModelOptions(model=SMALL)).location == SMALL


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no model is called 'minlm'") as refusal:
        resolve(ModelOptions(model="minlm"))

    assert refusal.value.fix == "did you mean 'minilm'? known: auto, minilm"


@pytest.mark.parametrize("path", ["./models/7f3a", "/nowhere/7f3a", "work/models/7f3a"])
def test_a_missing_folder_is_not_taken_for_a_hub_id(path: str) -> None:
    with pytest.raises(DataError, match="there is no model folder") as refusal:
        resolve(ModelOptions(model=path))

    assert refusal.value.code == "E3201"


def test_built_in_weights_that_are_not_the_published_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(catalog.BUILT_IN["minilm"], sha256="0" * 64)
    monkeypatch.setitem(catalog.BUILT_IN, "other", other)

    with pytest.raises(DataError, match="its checksum differs") as refusal:
        packaged_folder("other")

    assert refusal.value.code == "E3205"


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(catalog.BUILT_IN["minilm"], package="no_such_package")
    monkeypatch.setitem(catalog.BUILT_IN, "absent", absent)

    with pytest.raises(UsageError, match="'no_such_package'") as refusal:
        packaged_folder("absent")

    assert refusal.value.fix == "pip install 'lexitune[demo]'"
