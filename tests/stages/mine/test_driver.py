"""Mine in a workspace: what is written, when it is done again, and what is opened for it."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from tests.heard import Heard

from lexitune.errors import DataError, UsageError
from lexitune.io.examples import is_users
from lexitune.io.workspace import Workspace, read_meta
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.mine.driver import MineReport, run
from lexitune.stages.mine.options import MineOptions

FP32 = ModelOptions(precision="fp32", device="cpu")
# Every passage of the toy corpus is right for a test query: a closed catalogue.
OPEN = MineOptions(keep_out="none", margin=0.0, suspects=5)
Add = Callable[[Workspace, str, Path], None]


@pytest.fixture
def stock(tiny_model_folder: Path) -> ModelOptions:
    return ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu")


def test_one_example_for_each_query_and_one_row_for_each_negative(
    toy_workspace: Workspace, stock: ModelOptions
) -> None:
    found = run(toy_workspace, model=stock, options=OPEN)

    examples = pq.read_table(found.examples).to_pylist()
    negatives = pq.read_table(found.negatives).to_pylist()
    assert [row["query_id"] for row in examples] == [f"train-{number:02}" for number in range(60)]
    assert examples[7]["positives"] == ["d07"]
    assert examples[7]["grades"] == [1]
    assert [row["doc_id"] for row in negatives if row["query_id"] == "train-07"] == examples[7]["negatives"]
    assert len(negatives) == sum(len(row["negatives"]) for row in examples) == found.summary["negatives"] > 0
    for row in negatives:
        assert row["system"] == "model"
        assert 1 <= row["rank"] <= 100
        assert row["score"] <= row["positive_score"]
        assert row["why"] == "score is at most p - 0.0 * |p|"


def test_no_right_passage_is_among_the_negatives(toy_workspace: Workspace, stock: ModelOptions) -> None:
    found = run(toy_workspace, model=stock, options=OPEN)

    for row in pq.read_table(found.examples).to_pylist():
        assert set(row["positives"]) & set(row["negatives"]) == set()


def test_suspects_are_a_table_for_an_expert_with_a_column_to_fill_in(
    toy_workspace: Workspace, stock: ModelOptions
) -> None:
    found = run(toy_workspace, model=stock, options=OPEN)

    with found.suspects.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert {row["relevance"] for row in rows} == {""}
    assert all(row["passage"].startswith("w") and row["query_id"].startswith("train-") for row in rows)


def test_the_same_again_is_skipped_and_a_file_that_was_changed_is_made_again(
    toy_workspace: Workspace, stock: ModelOptions
) -> None:
    first = run(toy_workspace, model=stock, options=OPEN)
    sound = first.negatives.read_bytes()
    first.suspects.write_text("1,labelled by an expert\n")
    heard = Heard()

    again = run(toy_workspace, model=stock, options=OPEN, talk=heard)
    first.negatives.write_bytes(sound[:-1])
    run(toy_workspace, model=stock, options=OPEN)

    assert heard.lines[-1] == "mine: skipped, same data, same model, same options"
    assert again == first
    assert first.negatives.read_bytes() == sound
    assert first.suspects.read_text() == "1,labelled by an expert\n"


def test_what_was_mined_on_purpose_or_changed_by_hand_is_the_users(
    toy_workspace: Workspace, stock: ModelOptions
) -> None:
    assert not is_users(toy_workspace)

    examples = run(toy_workspace, model=stock, options=OPEN, by_tune=True).examples
    assert not is_users(toy_workspace)
    examples.write_bytes(examples.read_bytes() + b" ")
    assert is_users(toy_workspace)
    run(toy_workspace, model=stock, options=replace(OPEN, count=2))
    assert is_users(toy_workspace)


def test_what_was_mined_from_other_data_is_nobodys(toy_workspace: Workspace, stock: ModelOptions) -> None:
    run(toy_workspace, model=stock, options=OPEN)
    assert is_users(toy_workspace)

    toy_workspace.dataset.write_text(toy_workspace.dataset.read_text() + " ")

    assert not is_users(toy_workspace)


def test_where_nothing_is_said_passages_of_dev_and_test_are_kept_out(
    toy_workspace: Workspace, stock: ModelOptions
) -> None:
    found = run(toy_workspace, model=stock, options=MineOptions(margin=0.0))

    assert (found.summary["kept_out"], found.summary["negatives"]) == (1.0, 0)
    assert "mine" in toy_workspace.openings.read_text()


def test_other_options_leave_the_earlier_queue_alone(toy_workspace: Workspace, stock: ModelOptions) -> None:
    first = run(toy_workspace, model=stock, options=OPEN)
    other = run(toy_workspace, model=stock, options=MineOptions(keep_out="none", margin=0.1))

    assert first.suspects != other.suspects
    assert first.suspects.exists()


def test_a_changed_weight_is_another_model_and_nothing_of_the_old_one_is_used(
    toy_workspace: Workspace, tiny_model_folder: Path, tmp_path: Path
) -> None:  # fault 42
    embedder = load(str(tiny_model_folder), options=FP32)
    embedder.save(tmp_path / "model", notes={})
    model = ModelOptions(model=str(tmp_path / "model"), precision="fp32", device="cpu")
    before = run(toy_workspace, model=model, options=OPEN)
    scores = pq.read_table(before.negatives)["score"].to_pylist()
    with torch.no_grad():  # one number of the table of words
        words = next(w for name, w in embedder.model.named_parameters() if name.endswith("word_embeddings.weight"))
        words[5, 0] += 3.0
    embedder = type(embedder)(embedder.model, embedder.spec, precision="fp32")
    shutil.rmtree(tmp_path / "model")
    embedder.save(tmp_path / "model", notes={})  # at the same path
    heard = Heard()

    after = run(toy_workspace, model=model, options=OPEN, talk=heard)

    assert not any("skipped" in line for line in heard.lines)
    assert pq.read_table(after.negatives)["score"].to_pylist() != scores
    assert len(list(toy_workspace.vectors.glob("*/manifest.json"))) == 2


def test_a_model_that_was_trained_here_is_named_by_its_folder(
    toy_workspace: Workspace, add_challenger: Add, good_model_folder: Path, stock: ModelOptions
) -> None:
    add_challenger(toy_workspace, "m1", good_model_folder)

    own = run(toy_workspace, model=ModelOptions(model="models/m1", precision="fp32", device="cpu"), options=OPEN)
    meta = read_meta(toy_workspace.reports / "mine.json")

    assert meta is not None
    assert meta.inputs["model"] == load(str(toy_workspace.models / "m1"), options=FP32).fingerprint
    assert isinstance(own, MineReport)


def test_a_model_that_was_not_trained_here_is_named(
    toy_workspace: Workspace, add_challenger: Add, good_model_folder: Path
) -> None:
    add_challenger(toy_workspace, "m1", good_model_folder)

    with pytest.raises(UsageError, match="no model 'm2'") as caught:
        run(toy_workspace, model=ModelOptions(model="models/m2"))

    assert (caught.value.code, caught.value.fix) == ("E2141", "did you mean 'models/m1'? known: models/m1")


def test_test_passages_are_kept_out_and_the_share_is_told(toy_workspace: Workspace, stock: ModelOptions) -> None:
    heard = Heard()

    found = run(toy_workspace, model=stock, talk=heard)

    openings = [json.loads(line)["purpose"] for line in toy_workspace.openings.read_text().splitlines()]
    assert openings == ["mine: passages kept out of the negatives"]
    # All 60 passages are right for a test query, so nothing is left to take.
    assert found.summary["kept_out"] == 1.0
    assert found.summary["without"] == 60
    assert "mine: 100% of the corpus is relevant to dev or test queries and kept out" in heard.lines
    assert any("--keep-out none" in line for line in heard.lines)
    written = found.negatives.read_bytes() + found.examples.read_bytes() + found.suspects.read_bytes()
    assert b"test-" not in written


def test_a_second_run_that_is_skipped_opens_nothing(toy_workspace: Workspace, stock: ModelOptions) -> None:
    run(toy_workspace, model=stock)
    run(toy_workspace, model=stock)

    assert len(toy_workspace.openings.read_text().splitlines()) == 1


def test_a_workspace_without_data_is_told(tmp_path: Path, stock: ModelOptions) -> None:
    with pytest.raises(DataError) as caught:
        run(Workspace(tmp_path / "empty"), model=stock)

    assert caught.value.code == "E3009"


@pytest.mark.parametrize("options", [MineOptions(first=50, last=10), MineOptions(first=3, last=5, count=4)])
def test_a_window_without_room_is_refused(options: MineOptions, toy_workspace: Workspace, stock: ModelOptions) -> None:
    with pytest.raises(UsageError, match="--last") as caught:
        run(toy_workspace, model=stock, options=options)

    assert caught.value.code == "E2012"


def test_a_run_that_was_cut_off_while_encoding_has_opened_nothing(
    toy_workspace: Workspace, stock: ModelOptions
) -> None:
    class Interrupting(Heard):
        def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(toy_workspace, model=stock, talk=Interrupting())

    assert not toy_workspace.openings.exists()
