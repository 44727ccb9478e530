"""What re-embedding says before it begins: it is what then happens, and a full disk is told before the first text."""

import shutil
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from tests.heard import Heard

from lexitune.cli.main import main
from lexitune.errors import StageFailed
from lexitune.io.staged import staged_path
from lexitune.io.vectors import Part
from lexitune.io.workspace import Workspace, read_meta
from lexitune.models import memory
from lexitune.models.corpus import find_work
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.memory import Limits
from lexitune.models.options import ModelOptions
from lexitune.models.part import PartWork
from lexitune.pipeline.options import PlanOptions
from lexitune.pipeline.plan import hourly_rate
from lexitune.stages.reembed import plan as planning
from lexitune.stages.reembed.driver import run
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stages.reembed.plan import ReembedPlan, plan_reembed
from lexitune.stages.reembed.staging import reembed
from lexitune.stages.train.options import TrainOptions
from lexitune.types import Doc

FP32 = ModelOptions(precision="fp32", device="cpu")
Usage = namedtuple("Usage", "total used free")
Add = Callable[[Workspace, str, Path], None]


@pytest.fixture
def model(good_model_folder: Path) -> Embedder:
    return load(str(good_model_folder), options=FP32)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(memory.UNLIMITED, "cpu", Limits(2048, 32, 2**20))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts were encoded for each part that was written."""
    counts: list[int] = []
    write = PartWork.write

    def counting(self: PartWork, matrix: NDArray[np.float32], folder: Path) -> Part:
        counts.append(len(matrix))
        return write(self, matrix, folder)

    monkeypatch.setattr(PartWork, "write", counting)
    return counts


def passages(count: int) -> list[Doc]:
    """Each of two words of its own order; every tenth has the text of the one before it."""
    numbers = [number - (number % 10 == 9) for number in range(count)]
    return [
        Doc(f"d{place:03}", f"w{number % 240} w{number // 2 % 240}" + " w1" * (number // 240))
        for place, number in enumerate(numbers)
    ]


def plan(docs: list[Doc], model: Embedder, out: Path) -> ReembedPlan:
    work = find_work(model, docs, out)
    return plan_reembed(work, model, options=ReembedOptions(), pounds_per_hour=0.0, speed={})


@pytest.mark.usefixtures("small_parts")
def test_as_many_texts_are_encoded_as_the_plan_says_after_one_in_a_hundred_changed(
    model: Embedder, tmp_path: Path, encoded: list[int]
) -> None:
    docs = passages(300)
    first = plan(docs, model, tmp_path)
    reembed(docs, model=model, out=tmp_path)
    assert (first.passages, first.texts, first.taken_over, sum(encoded)) == (300, 270, 0, 270)

    encoded.clear()
    docs[100], docs[200] = replace(docs[100], text="w7 w8 w9"), replace(docs[200], text="w9 w8 w7")
    docs = [*docs[1:], Doc("new", "w9 w8 w7")]
    second = plan(docs, model, tmp_path)
    vectors = reembed(docs, model=model, out=tmp_path)

    # d200 and the new one share a text, so that it is encoded once.
    assert (second.passages, second.texts, second.taken_over, sum(encoded)) == (300, 2, 297, 2)
    # Two parts of 32 rows stand before the first change; each file has a head of 128 bytes.
    assert second.new_bytes == sum(part.nbytes for part in vectors.parts[2:])
    assert second.there_bytes == first.new_bytes + 128 * len(vectors.parts)


@pytest.mark.usefixtures("small_parts")
def test_what_a_killed_run_left_is_not_encoded_again(model: Embedder, tmp_path: Path, encoded: list[int]) -> None:
    docs = passages(60)
    folder = reembed(docs, model=model, out=tmp_path).folder
    for name in ("manifest.json", "part-00001.ids.parquet"):
        (folder / name).unlink()
    encoded.clear()

    found = plan(docs, model, tmp_path)
    reembed(docs, model=model, out=tmp_path)

    assert 0 < found.texts < 54
    assert sum(encoded) == found.texts


def test_a_full_disk_is_told_before_anything_is_encoded(
    toy_workspace: Workspace,
    add_challenger: Add,
    good_model_folder: Path,
    encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_challenger(toy_workspace, "m1", good_model_folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6 - 5000, 5000))

    with pytest.raises(StageFailed) as caught:
        run(toy_workspace, model=FP32)

    assert caught.value.code == "E1304"
    assert "0.0 MB are free" in caught.value.problem
    assert encoded == []
    assert not toy_workspace.vectors.exists()


def test_it_is_said_before_it_begins_and_a_dry_run_stops_there(
    toy_workspace: Workspace, add_challenger: Add, good_model_folder: Path
) -> None:
    toy_workspace.config.write_text('[model]\nprecision = "fp32"\ndevice = "cpu"\n[train]\nhourly_rate = 3600.0\n')
    add_challenger(toy_workspace, "m1", good_model_folder)
    told = CliRunner().invoke(main, ["-C", str(toy_workspace.root), "reembed", "--dry-run"])
    lines = told.stdout.splitlines()

    assert lines[0] == "60 passages: 60 texts to encode, 0 rows taken over"
    assert lines[1].startswith("about ")
    assert ", £" in lines[1]
    assert lines[1].endswith(" of these texts")
    assert lines[2].startswith("0.0 MB of vectors to write beside 0.0 MB; ")
    assert max(map(len, lines)) <= 71
    assert told.stderr.splitlines()[-1] == f"next: lexitune -C {toy_workspace.root} reembed"
    assert not toy_workspace.vectors.exists()
    assert not staged_path(toy_workspace).exists()

    heard = Heard()
    run(toy_workspace, model=FP32, talk=heard)
    assert f"reembed: {lines[0]}" in heard.lines


def test_the_speed_of_a_run_that_was_long_enough_is_that_of_the_next_plan(
    toy_workspace: Workspace, add_challenger: Add, good_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_challenger(toy_workspace, "m1", good_model_folder)
    run(toy_workspace, model=FP32)
    short = read_meta(staged_path(toy_workspace))
    shutil.rmtree(toy_workspace.vectors)
    monkeypatch.setattr(planning, "MEASURED", 60)
    run(toy_workspace, model=FP32)
    long = read_meta(staged_path(toy_workspace))

    assert short is not None
    assert "speed" not in short.outputs
    assert long is not None
    speed = long.outputs["speed"]
    model = load(str(good_model_folder), options=FP32)
    docs = [Doc("d1", "w1 w2 w3"), Doc("d2", "w4")]
    work = find_work(model, docs, toy_workspace.root / "other")
    found = plan_reembed(work, model, options=ReembedOptions(), pounds_per_hour=3600.0, speed=speed)
    # Two texts, both of them twice: to encode and to check.
    assert found.how == "by the last run's speed"
    assert found.seconds == pytest.approx(2 * work.chars * speed["seconds"] / speed["chars"])
    assert found.pounds == pytest.approx(found.seconds)
    other = plan_reembed(work, model, options=ReembedOptions(), pounds_per_hour=0.0, speed={**speed, "of": ["gpu"]})
    assert (other.how, other.pounds) == ("by the speed of 2 of these texts", None)


def test_of_workers_that_may_be_any_number_no_time_is_foretold(model: Embedder, tmp_path: Path) -> None:
    work = find_work(model, [Doc("d1", "w1")], tmp_path)

    found = plan_reembed(work, model, options=ReembedOptions(engine="ray"), pounds_per_hour=1.0, speed={})

    assert found.lines()[1] == "time not known, the workers that come decide"


def test_an_hour_costs_what_is_told_and_else_what_the_table_says(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "hardware.toml").write_text("[cpu]\npounds_per_hour = 0.25\n")
    sections = {"model": FP32}

    assert hourly_rate(workspace, sections) == 0.25
    assert hourly_rate(workspace, {**sections, "train": TrainOptions(hourly_rate=2.0)}) == 2.0
    (tmp_path / "other.toml").write_text("[cpu]\npounds_per_hour = 0.5\n")
    assert hourly_rate(workspace, {**sections, "plan": PlanOptions(hardware=str(tmp_path / "other.toml"))}) == 0.5
    workspace.config.write_text("[train]\nhourly_rate = 3.0\n")
    assert hourly_rate(workspace, sections) == 3.0
