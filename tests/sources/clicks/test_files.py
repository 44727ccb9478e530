"""Log files however they were saved: line ends, encodings, what is broken, and what is no log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.sources.clicks.logs import search, table

from lexitune.errors import DataError
from lexitune.io.quarantine import Quarantine
from lexitune.sources.clicks.log import Log, read_votes
from lexitune.sources.clicks.options import LogsOptions

SHOWN = ["d1", "d2"]


def read(path: Path, *, columns: str | None = None, quarantine: Quarantine | None = None) -> Log:
    quarantine = quarantine or Quarantine(max_share=0.0)
    return read_votes([path], folder=path.parent / "w", options=LogsOptions(map=columns), quarantine=quarantine)


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False], ids=["with a last line end", "without"])
def test_line_ends_do_not_matter_and_a_separator_inside_a_text_is_none(
    tmp_path: Path, end: str, last: bool
) -> None:  # fault 4
    rows = ["q,doc,sid", "one\u2028text,d1,1", "two,d2,2"]
    lines = [json.dumps(search(f"s{n}", f"a\u2028{n}", shown=SHOWN), ensure_ascii=False) for n in range(2)]

    csv = read(put(tmp_path / "a", (end.join(rows) + end * last).encode()), columns="query=q,doc=doc,session=sid")
    jsonl = read(put(tmp_path / "b", (end.join(lines) + end * last).encode()))

    assert {text for text, *_ in table(csv)} == {"one text", "two"}
    assert {text for text, *_ in table(jsonl)} == {"a 0", "a 1"}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_another_encoding_is_refused_by_its_likely_name(tmp_path: Path, form: str) -> None:  # fault 2
    rows = [f"für {n}" for n in range(40)]
    text = "user_query,query_id\n" + "".join(f"{one},{n}\n" for n, one in enumerate(rows))
    if form == "jsonl":
        found = [{"user_query": one, "query_id": str(n)} for n, one in enumerate(rows)]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)

    with pytest.raises(DataError) as raised:
        read(put(tmp_path / "a", text.encode("latin-1")))

    assert raised.value.code == "E3002"
    assert "Windows-1252 (Latin-1)" in raised.value.problem


@pytest.mark.parametrize("text", ["user_query,query_id\n", "user_query,query_id", "\n \n"])
def test_a_table_without_rows_is_refused(tmp_path: Path, text: str) -> None:  # fault 6
    with pytest.raises(DataError) as raised:
        read(put(tmp_path / "a", text.encode()))

    assert raised.value.code == "E3003"


@pytest.mark.parametrize("line", ['"x"', "null", "[1]", "{"])
def test_a_line_that_is_no_object_is_set_aside_by_its_number(tmp_path: Path, line: str) -> None:  # fault 8
    good = json.dumps(search("s1", "q", shown=SHOWN))
    quarantine = Quarantine(max_share=0.5)

    log = read(put(tmp_path / "a", f"{good}\n{line}\n".encode()), quarantine=quarantine)

    assert log.searches == 1
    assert [row.line for row in quarantine.rows] == [2]


def test_a_separator_other_than_a_comma_is_told_apart(tmp_path: Path) -> None:  # fault 22
    text = 'q;doc;sid\n"one; or ""two"",\nand more";d1;1\nx, y;d2;2\n'

    log = read(put(tmp_path / "a", text.encode()), columns="query=q,doc=doc,session=sid")

    assert {text for text, *_ in table(log)} == {'one; or "two", and more', "x, y"}
