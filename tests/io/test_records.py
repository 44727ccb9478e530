"""JSON records: one a line, in an array, or one after the other."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexitune.errors import DataError
from lexitune.io import records
from lexitune.io.quarantine import Quarantine
from lexitune.io.records import read_records

ROWS = [{"a": 1}, {"b": "x\u2028y, ]"}, {"c": [{"d": None}]}]


def read(path: Path, quarantine: Quarantine | None = None) -> list[tuple[int, dict[str, Any]]]:
    return list(read_records(path, quarantine or Quarantine(max_share=1.0)))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("\n".join(map(json.dumps, ROWS)), [1, 2, 3]),
        (json.dumps(ROWS), [1, 1, 1]),
        ("\n" + json.dumps(ROWS, indent=2), [3, 6, 9]),
        ("\n\n".join(json.dumps(row, indent=1) for row in ROWS), [1, 5, 9]),
        ("[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n", [2, 3, 4]),
    ],
    ids=["lines", "array", "pretty array", "pretty objects", "array of lines"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("block", [3, 1 << 20])
def test_records_come_out_with_their_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, lines: list[int], packed: bool, block: int
) -> None:
    monkeypatch.setattr(records, "BLOCK", block)
    path = tmp_path / "a.json"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())

    assert read(path) == list(zip(lines, ROWS, strict=True))


def test_records_that_are_none_are_set_aside_and_the_rest_is_read(tmp_path: Path) -> None:
    path, quarantine = tmp_path / "a.json", Quarantine(max_share=1.0)
    path.write_bytes(
        b'[{"a": 1},\n[1],\n{"a": NaN},\n{"a": 1, "a": 2},\n{"a": "\\ud800"},\n{"a": "\xe9"},\n"x", 7,\n{"b": 2}]'
    )

    assert read(path, quarantine) == [(1, {"a": 1}), (8, {"b": 2})]
    assert [(row.line, row.reason) for row in quarantine.rows] == [
        (2, "not an object: [1]"),
        (3, "NaN is not JSON"),
        (4, "the key 'a' stands twice"),
        (5, "half of a surrogate pair: no character"),
        (6, "not UTF-8: byte 0xe9"),
        (7, 'not an object: "x"'),
        (7, "not an object: 7"),
    ]
    assert quarantine.seen[str(path)] == 9


@pytest.mark.parametrize("text", ['[{"a": 1}, {"b"', '[{"a": 1},', '[{"a": 1} {"b": }]', '{\n "a": 1,\n'])
def test_a_document_that_breaks_off_is_refused_with_the_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")

    with pytest.raises(DataError) as raised:
        read(tmp_path / "a.json")

    assert raised.value.code == "E3008"
    assert raised.value.at.startswith(f"{tmp_path / 'a.json'}:")


@pytest.mark.parametrize("text", ["", "\n\n", "[]", "[\n]"])
def test_a_file_without_records_has_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")

    assert read(tmp_path / "a.json") == []


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=4), VALUES, min_size=1, max_size=3), min_size=1, max_size=5)


@given(OBJECTS, st.sampled_from([None, 1]), st.booleans())
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], indent: int | None, as_array: bool
) -> None:
    path = tmp_path_factory.mktemp("records") / "a.json"
    text = json.dumps(rows, indent=indent) if as_array else "\n".join(json.dumps(row, indent=indent) for row in rows)
    path.write_text(text, encoding="utf-8")

    assert [row for _, row in read(path)] == rows
