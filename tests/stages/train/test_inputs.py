"""Mined examples: how they are read, and whose they are."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.stages.train.watching import listen

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file
from lexitune.io.examples import read_examples
from lexitune.io.workspace import Meta, Workspace, write_meta
from lexitune.stages.train.inputs import mined_examples
from lexitune.types import Example


def save(path: Path, columns: dict[str, list[object]]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


ROW: dict[str, list[object]] = {
    "query_id": ["q1", "q2"],
    "positives": [["d1"], ["d2"]],
    "negatives": [["d3", "d4"], []],
}


def test_examples_come_back_with_their_teachers_scores(tmp_path: Path) -> None:
    path = save(tmp_path / "e.parquet", {**ROW, "teacher_scores": [[3.0, 1.0, -2.0], None]})

    assert read_examples(path) == [
        Example("q1", ("d1",), ("d3", "d4"), teacher_scores=(3.0, 1.0, -2.0)),
        Example("q2", ("d2",)),
    ]
    assert read_examples(save(tmp_path / "plain.parquet", ROW))[0].teacher_scores == ()


def test_what_is_no_file_of_examples_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no parquet")
    for path, problem in (
        (tmp_path / "a.parquet", "cannot be read"),
        (save(tmp_path / "b.parquet", {"query_id": ["q1"]}), "has no column positives, negatives"),
    ):
        with pytest.raises(DataError, match=problem) as caught:
            read_examples(path)

        assert caught.value.code == "E3325"
        assert caught.value.fix == f"make it again with: lexitune mine, or train without it: rm {path}"


def test_a_workspace_without_mined_examples_has_none(workspace: Workspace) -> None:
    assert mined_examples(workspace, talk=listen()) == []


def test_examples_that_were_mined_from_other_data_are_not_used_and_it_is_said(workspace: Workspace) -> None:
    path = save(workspace.root / "examples.parquet", ROW)
    report = workspace.reports / "mine.json"
    report.parent.mkdir()
    report.write_text("{}")
    heard = listen()

    for data, count in ((hash_file(workspace.dataset), 2), ("other", 0)):
        write_meta(report, Meta("mine", {}, {"data": data}, outputs={path.name: hash_file(path)}))
        assert len(mined_examples(workspace, talk=heard)) == count

    assert heard.lines == [
        "train: examples.parquet was mined from other data and is not used; lexitune mine makes it anew"
    ]


def test_examples_of_ones_own_are_used_whatever_was_mined(workspace: Workspace) -> None:
    save(workspace.root / "examples.parquet", ROW)
    report = workspace.reports / "mine.json"
    report.parent.mkdir()
    report.write_text("{}")
    write_meta(report, Meta("mine", {}, {"data": "other"}, outputs={"examples.parquet": "another"}))

    assert len(mined_examples(workspace, talk=listen())) == 2
