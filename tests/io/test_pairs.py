"""Pairs: however a spreadsheet wrote them, two texts a row come out."""

import csv
import io
import json
from pathlib import Path

import pytest

from lexitune.errors import DataError
from lexitune.io.pairs import read_pairs
from lexitune.io.quarantine import Quarantine

TWO = [("who?", "He, she"), ("when?", "now")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'query,passage\nwho?,"He, she"\nwhen?,now\n'),
        ("a.csv", 'question;answer\nwho?;He, she\nwhen?;"now"\n'),
        ("a.tsv", "anchor\tpositive\nwho?\tHe, she\nwhen?\tnow"),
        ("a.csv", "Query|Document\nwho?|He, she\nwhen?|now"),
        ("a.csv", 'id,text,query\n7,"He, she",who?\n8,now,when?\n'),
        ("a.csv", '\ufeffquery,passage\r\nwho?,"He, she"\r\nwhen?,now\r\n'),
        ("a.csv", 'query,passage\n who? ,"  He, she "\n\n,\nwhen?, now\n'),
        ("headerless.csv", 'who?,"He, she"\nwhen?,now\n'),
        ("named.wrongly", "who?\tHe, she\nwhen?\tnow\n"),
        ("a.jsonl", '{"query": "who?", "passage": "He, she"}\n{"question": "when?", "answer": "now"}\n'),
    ],
)
def test_two_texts_a_row_come_out(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())

    assert read_pairs(tmp_path / name, Quarantine(max_share=0.4)) == TWO


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_line_breaks_and_quotation_marks_inside_a_text_survive(tmp_path: Path, delimiter: str) -> None:
    passages = ['two\nlines, "quoted"; and more', 'a "b" c\td', "=cmd()", "x" * 200_000]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([["query", "passage"], *([f"q{n}", passage] for n, passage in enumerate(passages))])
    (tmp_path / "a.csv").write_bytes(buffer.getvalue().encode())
    limit = csv.field_size_limit()

    assert read_pairs(tmp_path / "a.csv", Quarantine()) == [(f"q{n}", passage) for n, passage in enumerate(passages)]
    assert csv.field_size_limit() == limit  # it belongs to the whole process


def test_in_a_plain_tsv_a_quotation_mark_is_just_a_character(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('query\tpassage\n"Let it be" who wrote it\tMcCartney\n5" disk\t"floppy\n')

    assert read_pairs(tmp_path / "a.tsv", Quarantine()) == [
        ('"Let it be" who wrote it', "McCartney"),
        ('5" disk', '"floppy'),
    ]


def test_without_a_header_the_first_two_columns_are_taken_and_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("who?,he,extra\nwhen?,now,extra\n")
    quarantine = Quarantine()

    assert read_pairs(tmp_path / "a.csv", quarantine) == [("who?", "he"), ("when?", "now")]
    assert quarantine.notes == ["a.csv has no header with 'query' and 'passage': its first two columns are taken"]


def test_columns_that_are_not_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,query,passage,score\n1,who?,he,0.5\n")
    quarantine = Quarantine()

    assert read_pairs(tmp_path / "a.csv", quarantine) == [("who?", "he")]
    assert quarantine.notes == ["columns of a.csv that are not used: id, score"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"when?,now,then", "3 columns where the first line has 2"),
        (b"when?", "1 columns where the first line has 2"),
        (b"when?,", "the passage is empty"),
        (b",now", "the query is empty"),
        (b"caf\xe9?,now", "not UTF-8"),
        (b'"when"?,now', "broken quoting: ',' expected after '\"'"),
    ],
)
def test_a_row_that_is_no_pair_is_set_aside_with_its_line(tmp_path: Path, row: bytes, reason: str) -> None:
    (tmp_path / "a.csv").write_bytes(b'query,passage\nwho?,"two\nlines"\n' + row + b"\nwhere?,here\n")
    quarantine = Quarantine(max_share=0.4)

    assert read_pairs(tmp_path / "a.csv", quarantine) == [("who?", "two\nlines"), ("where?", "here")]
    assert [(found.line, found.reason) for found in quarantine.rows] == [(4, reason)]


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('query,passage\nwho?,he\nwhen?,"now\n' + "where?,here\n" * 100)

    with pytest.raises(DataError) as caught:
        read_pairs(tmp_path / "a.csv", Quarantine())

    assert caught.value.code == "E3007"
    assert caught.value.at == f"{tmp_path / 'a.csv'}:3"


def test_one_known_column_alone_asks_which_is_the_other(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("query,chunk\nwho?,he\n")

    with pytest.raises(DataError) as caught:
        read_pairs(tmp_path / "a.csv", Quarantine())

    assert caught.value.problem.endswith("has the columns 'query', 'chunk'; which one is the passage?")


def test_a_file_of_one_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("just\nsome\nlines\n")

    with pytest.raises(DataError) as caught:
        read_pairs(tmp_path / "a.csv", Quarantine())

    assert caught.value.code == "E3007"


def test_json_lines_without_the_keys_are_set_aside_with_the_keys_they_have(tmp_path: Path) -> None:
    rows = [{"query": "who?", "passage": "he"}, {"query": "when?", "chunk": "now"}, {"query": 1, "passage": "x"}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    quarantine = Quarantine(max_share=1.0)

    assert read_pairs(tmp_path / "a.jsonl", quarantine) == [("who?", "he")]
    assert [row.reason for row in quarantine.rows] == [
        "no text under 'query' and 'passage'; keys: query, chunk",
        "no text under 'query' and 'passage'; keys: query, passage",
    ]


@pytest.mark.parametrize("text", ["query,passage\n", "query\tpassage"])
def test_a_header_alone_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)

    with pytest.raises(DataError) as caught:
        read_pairs(tmp_path / "a.csv", Quarantine())

    assert caught.value.code == "E3003"


@pytest.mark.parametrize(("data", "code"), [(b"PK\x03\x04....", "E3002"), ("query,passage".encode("utf-16"), "E3002")])
def test_a_workbook_is_refused_with_what_to_do(tmp_path: Path, data: bytes, code: str) -> None:
    (tmp_path / "a.xlsx").write_bytes(data)

    with pytest.raises(DataError) as caught:
        read_pairs(tmp_path / "a.xlsx", Quarantine())

    assert caught.value.code == code
    assert "UTF-8" in caught.value.fix
