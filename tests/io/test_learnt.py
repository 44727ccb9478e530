"""The record of what a model learnt from: it comes back as written, and a folder without one says so."""

from pathlib import Path

import pytest

from lexitune.errors import DataError
from lexitune.io.learnt import LEARNT, Learnt, read_learnt, write_learnt


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    rows = [Learnt("query", "q1", "pair"), Learnt("doc", "d é", "negative", "earlier")]

    write_learnt(tmp_path, rows)

    assert read_learnt(tmp_path) == rows


def test_nothing_learnt_is_no_missing_record(tmp_path: Path) -> None:
    assert read_learnt(tmp_path) is None

    write_learnt(tmp_path, [])

    assert read_learnt(tmp_path) == []


def test_another_file_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / LEARNT).write_text("not Parquet")

    with pytest.raises(DataError, match=r"learnt.parquet cannot be read") as raised:
        read_learnt(tmp_path)
    assert raised.value.code == "E3206"
