"""Bounds: a small file that unpacks to more than any memory is read in pieces, or refused."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from lexitune.errors import DataError
from lexitune.io import jsonl, tables
from lexitune.io.formats.records import Choices
from lexitune.io.formats.registry import FORMATS, read_labels, tell_format
from lexitune.io.jsonl import open_lines, read_json
from lexitune.io.pairs import read_pairs
from lexitune.io.quarantine import Quarantine
from lexitune.io.records import read_records

LIMIT, SIZE = 10_000, 20_000_000
NAMES = ("csv", "jsonl", "st", "quepid", "labelstudio", "llamaindex", "flag", "tevatron", "nemotron-sdg")


@pytest.fixture
def bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """20 KB that unpack to one line of 20 MB, where a line may have 10,000 characters."""
    monkeypatch.setattr(jsonl, "LINE_LIMIT", LIMIT)
    monkeypatch.setattr(jsonl, "DOCUMENT_LIMIT", LIMIT)
    monkeypatch.setattr(tables, "FIELD_LIMIT", LIMIT)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"a" * SIZE))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_no_format_takes_a_huge_line_into_memory(bomb: Path, name: str) -> None:  # fault 20
    for known in FORMATS.names():  # their modules take memory too, once
        FORMATS.get(known)
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as told:
            tell_format(bomb, Choices())
        with pytest.raises(DataError):
            read_labels(bomb, name, Quarantine(), choices=Choices())
        with pytest.raises(DataError):
            read_pairs(bomb, Quarantine())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert told.value.code == "E3022"
    assert peak < SIZE / 10


def test_a_line_beyond_the_limit_is_set_aside_and_the_rest_is_read(bomb: Path) -> None:  # fault 11
    bomb.write_bytes(gzip.compress(b"one\n" + b"a" * 35_000 + b"\ntwo\n"))
    quarantine = Quarantine(max_share=1.0)

    assert list(open_lines(bomb, quarantine)) == [(1, "one"), (3, "two")]
    assert [(row.line, row.reason) for row in quarantine.rows] == [(2, "longer than 10,000 characters")]


def test_a_document_beyond_the_limit_is_refused(bomb: Path) -> None:  # fault 20
    bomb.write_bytes(gzip.compress(b"[" + b"1," * 10_000 + b"1]"))

    with pytest.raises(DataError) as caught:
        read_json(bomb)

    assert caught.value.code == "E3002"


def test_a_cell_beyond_the_limit_costs_its_row_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fault 11
    monkeypatch.setattr(tables, "FIELD_LIMIT", 100)
    (tmp_path / "a.csv").write_text(f'query,doc\nx,"{"a" * 200}"\ny,b\n')

    quarantine = Quarantine(max_share=0.5)

    found = read_labels(tmp_path / "a.csv", "csv", quarantine, choices=Choices())

    assert [query.text for query in found.queries.values()] == ["y"]
    assert [row.line for row in quarantine.rows] == [2]


def test_records_one_after_the_other_need_no_more_than_one_in_memory(tmp_path: Path) -> None:  # fault 11
    path = tmp_path / "a.json"
    path.write_text("[\n" + ",\n".join('{"a": "' + "x" * 2000 + '"}' for _ in range(5000)) + "]")  # 10 MB
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_records(path, Quarantine())) == 5000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8_000_000
