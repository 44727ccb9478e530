"""Weights of training pairs: lines are read, or named."""

from pathlib import Path

import pytest

from lexitune.errors import DataError
from lexitune.io.weights import read_weights, write_weights


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


@pytest.mark.parametrize("first", ["q1\td1\t0,3", "q1\td1", "q1 d1 1"])
def test_a_first_line_with_a_number_at_its_end_is_no_header(tmp_path: Path, first: str) -> None:
    path = write(tmp_path / "w.tsv", f"{first}\nq2\td2\t1\n")

    with pytest.raises(DataError) as caught:
        read_weights(path)

    assert (caught.value.code, caught.value.at) == ("E3324", f"{path}:1")


def test_a_line_that_is_not_utf8_is_named_and_not_dropped(tmp_path: Path) -> None:
    path = tmp_path / "w.tsv"
    path.write_bytes(b"query-id\tcorpus-id\tweight\nq1\td1\t1\nq\xe9\td2\t0.5\n")

    with pytest.raises(DataError) as caught:
        read_weights(path)

    assert (caught.value.code, caught.value.at) == ("E3002", f"{path}:3")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    weights = {"q1": {"d1": 0.1, "d2": 3.0}, "q2": {"d1": 1e-9}}

    write_weights(tmp_path / "w.tsv", weights)

    assert read_weights(tmp_path / "w.tsv") == weights
