"""Starting: what lies in a folder is told apart, and the file of options is complete."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lexitune.errors import UsageError
from lexitune.io.options import DataOptions
from lexitune.io.workspace import Workspace, find_workspace
from lexitune.pipeline.data import import_data
from lexitune.pipeline.sections import SECTIONS
from lexitune.pipeline.start import Answers, choose_workspace, find_data, start
from lexitune.settings import read_toml


def beir(folder: Path) -> Path:
    (folder / "qrels").mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/train.tsv"):
        (folder / name).write_text("")
    return folder


def test_folders_pairs_and_passages_are_told_apart(tmp_path: Path) -> None:
    beir(tmp_path / "law")
    (tmp_path / "other").mkdir()
    (tmp_path / "clicks.CSV").write_text("query,passage\n")
    (tmp_path / "pairs.jsonl").write_text('{"question": "q", "answer": "a"}\n')
    (tmp_path / "docs.jsonl").write_text('{"_id": "d", "text": "words"}\n')
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "broken.jsonl").write_text("{\n")
    (tmp_path / "list.jsonl").write_text("[1]\n")
    (tmp_path / "notes.txt").write_text("text")

    found = find_data(tmp_path)

    assert [path.name for path in found.folders] == ["law"]
    assert [path.name for path in found.pairs] == ["clicks.CSV", "pairs.jsonl"]
    assert [path.name for path in found.corpora] == ["docs.jsonl"]
    assert found.data == tmp_path / "law"


def test_an_empty_folder_has_no_data(tmp_path: Path) -> None:
    assert find_data(tmp_path).data is None


def test_the_file_is_complete_and_what_was_answered_is_in_force(tmp_path: Path) -> None:
    path = start(Workspace(tmp_path / "new"), Answers(Path("docs.jsonl"), "minilm", 0.35, 0.02))

    in_force = tomllib.loads(path.read_text(encoding="utf-8"))
    assert in_force == {
        **{section: {} for section in SECTIONS},
        "data": {"corpus": str(Path("docs.jsonl").resolve())},
        "model": {"model": "minilm"},
        "train": {"hourly_rate": 0.35},
        "promote": {"min_gain": 0.02},
    }
    uncommented = "\n".join(
        line[2:] if " = " in line and line.startswith("# ") else line
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    everything = tomllib.loads("\n".join(line for line in uncommented.splitlines() if " = " in line or "[" in line[:1]))
    assert set(everything) == set(SECTIONS)
    assert read_toml(path, SECTIONS)["train"] == {"hourly_rate": 0.35}


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "lexitune.toml").write_text("# mine\n")

    with pytest.raises(UsageError) as caught:
        start(Workspace(tmp_path), Answers())

    assert caught.value.code == "E2122"
    assert (tmp_path / "lexitune.toml").read_text() == "# mine\n"


def test_where_an_import_would_write_over_files_the_workspace_lies_below(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("".join(f"what is {n},it is {n}\n" for n in range(30)))
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(f'{{"text": "it is {n}"}}\n' for n in range(40)))

    workspace = choose_workspace(tmp_path)
    start(workspace, Answers(corpus))
    data = import_data(workspace, tmp_path / "pairs.csv", options=DataOptions(corpus=str(corpus)))

    assert workspace.root == tmp_path / "lexitune-work"
    assert find_workspace(tmp_path) == workspace
    assert len(data.docs) == 40
    assert choose_workspace(tmp_path / "other").root == tmp_path / "other"
