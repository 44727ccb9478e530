"""What training reads beside the judgements: weights, mined examples, and whose they are."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.stages.train.watching import listen

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file
from lexitune.io.workspace import Meta, Workspace, write_meta
from lexitune.stages.train.inputs import mined_examples, read_examples, read_weights
from lexitune.types import Example


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_weights_stand_below_a_header(tmp_path: Path) -> None:
    found = read_weights(
        write(tmp_path / "w.tsv", "query-id\tcorpus-id\tweight\nq1\td1\t0.5\nq1\td2\t2\nq2\td1\t1e-3\n")
    )

    assert found == {"q1": {"d1": 0.5, "d2": 2.0}, "q2": {"d1": 0.001}}


def test_without_a_header_the_first_line_counts_too(tmp_path: Path) -> None:
    assert read_weights(write(tmp_path / "w.tsv", "q1\td1\t0.5\n")) == {"q1": {"d1": 0.5}}


@pytest.mark.parametrize("line", ["q1\td1", "q1\td1\tmuch", "q1 d1 1"])
def test_a_line_that_is_no_weight_is_named_with_its_number(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "w.tsv", f"query-id\tcorpus-id\tweight\nq1\td1\t1\n{line}\n")

    with pytest.raises(DataError) as caught:
        read_weights(path)

    assert caught.value.code == "E3324"
    assert f"{path}:3" in str(caught.value)


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
    for path, problem in (
        (write(tmp_path / "a.parquet", "no parquet"), "cannot be read"),
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
