"""One model's record: what made it, whether it is still the same, and what became of it."""

import json
from pathlib import Path

import pytest
from tests.pipeline.shelf import STOCK, put_evaluation, put_model, put_vectors, serving

from lexitune.errors import DataError
from lexitune.io.learnt import LEARNT, Learnt
from lexitune.io.workspace import Workspace, read_meta, write_meta
from lexitune.pipeline.data import import_data
from lexitune.pipeline.model_lines import record_lines
from lexitune.pipeline.model_record import CHANGED, INTACT, docs_of, read_model
from lexitune.stages.promote.driver import rollback
from lexitune.stages.promote.switch import switch
from lexitune.stages.train.training import hash_data
from lexitune.types import Dataset, Doc, Query, SealedQrels

LEARNT_FROM = [
    Learnt("query", "q1", "pair"),
    Learnt("doc", "d2", "pair"),
    Learnt("doc", "d1", "negative"),
    Learnt("doc", "d1", "pair", "earlier"),
]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """m1 was trained, evaluated and promoted, and rolled back."""
    made = Workspace(tmp_path / "work")
    put_model(made, "m1", learnt=LEARNT_FROM, options={"temperature": 0.1, "freeze_layers": 3})
    put_evaluation(made, "m1")
    for name, model, fingerprint in (("stock", "minilm", "f-stock"), ("m1", "m1", "f-m1")):
        put_vectors(made, name, model=model, fingerprint=fingerprint)
    switch(made, action="promote", to=serving("m1"), before=STOCK, reason="it gains")
    rollback(made, reason="complaints")
    return made


def test_the_record_tells_what_made_the_model(workspace: Workspace) -> None:
    found = read_model(workspace, "m1")

    assert found.base == {
        "name": "minilm",
        "source": "sentence-transformers/all-MiniLM-L6-v2",
        "fingerprint": "f-stock",
        "revision": "r1",
    }
    assert (found.licence, found.fingerprint, found.seed, found.seconds, found.pounds) == ("mit", "f-m1", 13, 90, 0.05)
    assert found.options == {"batch_size": 64, "temperature": 0.1, "freeze_layers": 3}
    assert found.learnt == {"query pair": 1, "doc pair": 1, "doc negative": 1, "doc pair through earlier": 1}
    assert found.dev == {"measure": "R@10", "queries": 104, "stock": 0.5, "tuned": 0.75}


def test_it_tells_what_became_of_the_model(workspace: Workspace) -> None:
    told = [(event.action, event.reason) for event in read_model(workspace, "m1").events]

    assert told == [("promote", "it gains"), ("rollback", "complaints")]


def test_a_model_that_nobody_touched_is_intact_and_a_changed_or_missing_file_is_named(workspace: Workspace) -> None:
    assert (read_model(workspace, "m1").state, read_model(workspace, "m1").changed) == (INTACT, [])

    (workspace.models / "m1" / "model.safetensors").write_bytes(b"x" * 1000)
    (workspace.models / "m1" / LEARNT).unlink()

    found = read_model(workspace, "m1")
    assert (found.state, sorted(found.changed)) == (CHANGED, [LEARNT, "model.safetensors"])


def test_a_model_whose_files_were_not_hashed_is_checked_by_its_weights(
    workspace: Workspace, minilm_folder: Path
) -> None:
    folder = workspace.models / "m1"
    meta = read_meta(folder)
    assert meta is not None
    write_meta(folder, type(meta)("train", meta.options, meta.inputs, outputs={"base": {}}))
    for path in minilm_folder.iterdir():
        (folder / path.name).unlink(missing_ok=True)
        (folder / path.name).symlink_to(path)
    card = {"schema": 1, "spec": {"name": "m1", "source": "", "max_length": 256}, "base": {}, "weights": "others"}
    (folder / "lexitune.json").write_text(json.dumps(card))

    found = read_model(workspace, "m1")

    assert (found.state, found.checked) == (CHANGED, "weights")
    assert "the weights are not those that lexitune.json records" in found.changed[0]


def test_it_says_whether_the_data_are_still_those(tmp_path: Path) -> None:
    docs = [Doc(f"d{number}", f"passage {number}") for number in range(3)]
    queries = {f"q{number}": Query(f"q{number}", f"query {number}?") for number in range(3)}
    pairs = {f"q{number}": {f"d{number}": 1} for number in range(3)}
    split = {"train": {"q0": pairs["q0"]}, "dev": {"q1": pairs["q1"]}}
    data = Dataset(docs, queries, split, SealedQrels(None, 1, {"q2": pairs["q2"]}))
    workspace = Workspace(tmp_path / "work")
    import_data(workspace, data)
    put_model(workspace, "m1", inputs={**hash_data(data), "weights": "w"})
    put_model(workspace, "m2", inputs={**hash_data(data), "dev": "another"})

    same, other = read_model(workspace, "m1"), read_model(workspace, "m2")

    assert [one["same"] for one in same.data.values()] == [True, True, True, True, None]
    assert (same.data["train"]["file"], same.source) == ("qrels/train.tsv", "a data set in memory")
    assert (other.data["dev"]["same"], other.source) == (False, "")


def test_the_docs_it_learnt_from_are_listed_once_each_in_order(workspace: Workspace) -> None:
    assert docs_of(workspace, "m1") == ["d1", "d2"]


def test_without_that_record_it_is_said_and_how_to_get_one(workspace: Workspace) -> None:
    put_model(workspace, "older", learnt=None)

    assert read_model(workspace, "older").learnt is None
    with pytest.raises(DataError, match="older has no record of what it learnt from") as raised:
        docs_of(workspace, "older")
    assert raised.value.fix.startswith("lexitune models rm older")


def test_a_folder_that_no_training_left_is_refused(workspace: Workspace) -> None:
    (workspace.models / "copied").mkdir()

    with pytest.raises(DataError, match="has no record of a training"):
        read_model(workspace, "copied")


def test_a_person_reads_it_in_80_columns(workspace: Workspace) -> None:
    lines = record_lines(read_model(workspace, "m1"))

    assert max(map(len, lines)) <= 79
    for line in (
        "model       models/m1: served before",
        "files       intact",
        "trained     2026-01-01 00:00 UTC, recipe default, seed 13, 1.5 minutes, £0.05",
        "learnt from 1,056 pairs, 1,000 queries, 900 passages",
        "options     batch_size 64, temperature 0.1, freeze_layers 3",
        "weights     0.7 of the trained ones, the rest stock",
        "dev         R@10 0.750, stock 0.500, on 104 queries",
        "test        R@10 +5.0 points [+2.0, +8.0], n=978",
        "history     2026-02-01 10:00 promote: serves, after minilm (it gains)",
    ):
        assert line in lines
