"""Tables of labels: columns are found or mapped, and what a spreadsheet did to them is refused or undone."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lexitune.errors import DataError, UsageError
from lexitune.io.beir import made_id
from lexitune.io.formats import workbook
from lexitune.io.formats.records import Choices, Labelled, Opinion
from lexitune.io.formats.registry import FORMATS, read_labels
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc, Query


def read(path: Path, name: str = "csv", **columns: str) -> Labelled:
    return read_labels(path, name, Quarantine(max_share=0.0), choices=Choices(columns))


def texts(found: Labelled) -> list[tuple[str, str, int | None]]:
    return [(found.queries[one.query_id].text, found.docs[one.doc_id].text, one.relevance) for one in found.opinions]


def refused(path: Path, name: str = "csv", **columns: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, name, **columns)
    return caught.value


def test_columns_are_found_by_name_and_a_pair_without_a_grade_is_right(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Passage,Question\nan answer,a question\n")

    found = read(tmp_path / "a.csv")

    assert texts(found) == [("a question", "an answer", 1)]
    assert list(found.docs) == [made_id("d", "an answer")]


def test_columns_of_any_name_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("frage,gut,schlecht,wer,note,nr\nq,right,wrong,Ann,3,7\n")

    found = read(
        tmp_path / "a.csv",
        query="frage",
        doc="gut",
        negative="schlecht",
        rater="wer",
        relevance="note",
        query_id="nr",
    )

    assert texts(found) == [("q", "right", 3), ("q", "wrong", 0)]
    assert [(one.query_id, one.rater) for one in found.opinions] == [("7", "Ann"), ("7", "Ann")]


def test_a_mapped_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("q,p\nx,y\n")

    error = refused(tmp_path / "a.csv", query="question", doc="p")

    assert (error.code, error.fix) == ("E3007", "name one of its columns: q, p")


def test_a_column_that_nobody_asked_for_is_ignored_and_named(tmp_path: Path) -> None:  # fault 43
    rows = [{"query": "q", "doc": "d", "price": 3}]
    FORMATS.get("parquet")  # the registry knows it
    from lexitune.io.formats.cells import write_parquet

    write_parquet(tmp_path / "a.parquet", ("query", "doc", "price"), rows)
    quarantine = Quarantine()

    found = read_labels(tmp_path / "a.parquet", "parquet", quarantine, choices=Choices())

    assert texts(found) == [("q", "d", 1)]
    assert quarantine.notes == ["columns of a.parquet that are not used: price"]


def test_a_byte_order_mark_is_read_and_not_written_back(tmp_path: Path) -> None:  # fault 1
    for name, text in (("csv", "query,doc\nx,y\n"), ("jsonl", '{"query": "x", "doc": "y"}\n')):
        path = tmp_path / f"a.{name}"
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())

        found = read(path, name)

        assert texts(found) == [("x", "y", 1)]
        FORMATS.get(name).write(tmp_path / f"b.{name}", found, split="train")
        assert not (tmp_path / f"b.{name}").read_bytes().startswith(b"\xef\xbb\xbf")


def test_another_encoding_is_refused_by_its_likely_name(tmp_path: Path) -> None:  # fault 2
    (tmp_path / "a.csv").write_bytes("query,doc\nx,y\n".encode("utf-16"))
    (tmp_path / "b.csv").write_bytes("query,doc\nfür,größer\nfür,wärmer\n".encode("latin-1"))

    assert "UTF-16" in refused(tmp_path / "a.csv").problem
    assert "Windows-1252 (Latin-1)" in refused(tmp_path / "b.csv").problem


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False], ids=["with a last line end", "without"])
def test_line_ends_do_not_matter_and_a_separator_inside_a_text_is_none(
    tmp_path: Path, end: str, last: bool
) -> None:  # fault 4
    lines = ["query,doc", "x,a\u2028b", "y,c"]
    (tmp_path / "a.csv").write_bytes((end.join(lines) + end * last).encode())

    assert texts(read(tmp_path / "a.csv")) == [("x", "a\u2028b", 1), ("y", "c", 1)]


@pytest.mark.parametrize("text", ["", "\n \n", "query,doc\n"])
def test_a_table_without_rows_is_refused(tmp_path: Path, text: str) -> None:  # fault 6
    (tmp_path / "a.csv").write_text(text)

    assert refused(tmp_path / "a.csv").code == "E3003"


def test_what_no_text_should_hold_is_taken_out_and_all_writing_kept(tmp_path: Path) -> None:  # fault 10
    (tmp_path / "a.csv").write_bytes("query,doc\nx\x00y\x07,\u202eabc\u200d\u0301\ufeff\n".encode())

    assert texts(read(tmp_path / "a.csv")) == [("xy", "\u202eabc\u200d\u0301", 1)]


def test_a_passage_of_a_million_characters_is_read(tmp_path: Path) -> None:  # fault 11
    (tmp_path / "a.csv").write_text(f"query,doc\nx,{'long ' * 200_000}\n")

    assert len(next(iter(read(tmp_path / "a.csv").docs.values())).text) == 999_999


def test_whole_numbers_and_texts_are_one_id(tmp_path: Path) -> None:  # fault 12
    (tmp_path / "a.jsonl").write_text(
        '{"query": "x", "doc": "a", "doc_id": 7}\n{"query": "y", "doc": "a", "doc_id": "7"}\n'
    )

    assert list(read(tmp_path / "a.jsonl", "jsonl").docs) == ["7"]


def test_an_id_with_two_texts_is_refused_and_with_one_text_merged(tmp_path: Path) -> None:  # fault 13
    (tmp_path / "a.csv").write_text("query,doc,doc_id\nx,one,d\ny,one ,d\n")
    (tmp_path / "b.csv").write_text("query,doc,doc_id\nx,one,d\ny,two,d\n")

    assert list(read(tmp_path / "a.csv").docs) == ["d"]
    error = refused(tmp_path / "b.csv")
    assert (error.code, error.at) == ("E3005", f"{tmp_path / 'b.csv'}:3")


@pytest.mark.parametrize("score", ["0.5", "-1", "1e9", "nan", "good"])
def test_a_grade_that_is_none_is_set_aside(tmp_path: Path, score: str) -> None:  # fault 18
    (tmp_path / "a.csv").write_text(f"query,doc,relevance\nx,a,2\nx,b,{score}\nx,c,1.0\nx,d,\n")
    quarantine = Quarantine(max_share=0.5)

    found = read_labels(tmp_path / "a.csv", "csv", quarantine, choices=Choices())

    assert texts(found) == [("x", "a", 2), ("x", "c", 1), ("x", "d", None)]
    assert [row.line for row in quarantine.rows] == [3]
    assert len(found.docs) == 3  # a row that is set aside leaves no passage behind


def test_one_rater_who_says_both_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("query,doc,relevance,rater\nx,a,1,Ann\nx,a,0,Bob\nx,a,0,Ann\n")
    quarantine = Quarantine(max_share=0.5)

    found = read_labels(tmp_path / "a.csv", "csv", quarantine, choices=Choices())

    assert [(one.rater, one.relevance) for one in found.opinions] == [("Ann", 1), ("Bob", 0)]
    assert "was judged 1 before, 0 here" in quarantine.rows[0].reason


def test_what_is_packed_is_read_or_refused_by_name(tmp_path: Path) -> None:  # fault 20
    (tmp_path / "a.txt").write_bytes(gzip.compress(b"query,doc\nx,y\n"))
    (tmp_path / "b.csv").write_bytes(b"\x28\xb5\x2f\xfd....")

    assert texts(read(tmp_path / "a.txt")) == [("x", "y", 1)]
    assert refused(tmp_path / "b.csv").fix == "unzstd it"


def test_a_table_is_cut_where_its_rows_are_even_and_that_is_told(tmp_path: Path) -> None:  # fault 22
    (tmp_path / "a.csv").write_text('query;doc\n"one; two";"he said ""no"",\nand left"\nx;y, z\n')
    quarantine = Quarantine(max_share=0.0)

    found = read_labels(tmp_path / "a.csv", "csv", quarantine, choices=Choices())

    assert texts(found) == [("one; two", 'he said "no",\nand left', 1), ("x", "y, z", 1)]
    assert quarantine.notes == ["a.csv is cut at semicolons: query | doc"]


@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_a_text_that_a_spreadsheet_would_run_is_guarded_and_comes_back(tmp_path: Path, name: str) -> None:  # fault 23
    docs = {"=d": Doc("=d", "@SUM(1)")}
    given = Labelled({"q": Query("q", "=cmd()")}, docs, [Opinion("q", "=d", 1)])

    FORMATS.get(name).write(tmp_path / "a", given, split="train")

    written = (tmp_path / "a").read_text().splitlines()[1]
    cells = written.split("," if name == "csv" else "\t")
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []
    found = read(tmp_path / "a", name)
    assert (found.queries, found.docs) == (given.queries, given.docs)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("query,doc,doc\nx,y,z\n")

    assert refused(tmp_path / "a.csv").problem.endswith("are called 'doc'")


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + b"x" * 40)

    assert refused(tmp_path / "a.parquet", "parquet").code == "E3008"


def sheet(path: Path, *rows: list[Any], merge: str = "") -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if merge:
        book.active.merge_cells(merge)
    book.save(path)
    return path


HEAD = ["query_id", "query", "doc", "relevance"]


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        ([1.2e12, "x", "y", 1], "A2"),
        ([7, "x", "y", 1], "A2"),
        ([date(2026, 1, 2), "x", "y", 1], "A2"),
        (["q", date(2026, 1, 2), "y", 1], "B2"),
        (["q", "x", "=A1&B1", 1], "C2"),
        (["q", "x", "y" * 32_767, 1], "C2"),
    ],
    ids=["a long number", "a number", "a date as id", "a date as query", "a formula", "a cell that was cut"],
)
def test_what_excel_changed_is_refused_by_the_address_of_its_cell(
    tmp_path: Path, row: list[Any], cell: str
) -> None:  # fault 21
    error = refused(sheet(tmp_path / "a.xlsx", HEAD, row), "xlsx")

    assert (error.code, error.at) == ("E3021", f"{tmp_path / 'a.xlsx'}:{cell}")


def test_merged_cells_are_refused_by_their_address(tmp_path: Path) -> None:  # fault 21
    path = sheet(tmp_path / "a.xlsx", HEAD, ["q", "x", "y", 1], ["", "", "z", 1], merge="A2:A3")

    assert "cell A2:A3 is merged" in refused(path, "xlsx").problem


def test_carriage_returns_and_blanks_of_a_workbook_go(tmp_path: Path) -> None:  # fault 21
    path = sheet(tmp_path / "a.xlsx", HEAD, ["q ", "x_x000D_\nz ", " _x0041_y", 2.0], [None] * 4, ["p", "v", "w", "0"])

    found = read(path, "xlsx")

    assert texts(found) == [("x\nz", "Ay", 2), ("v", "w", 0)]
    assert list(found.queries) == ["q", "p"]


def test_a_workbook_for_people_keeps_ids_as_text_and_offers_the_grades(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    given = Labelled({"1E5": Query("1E5", "=x")}, {"d": Doc("d", "y")}, [Opinion("1E5", "d", 1)])

    FORMATS.get("xlsx").write(tmp_path / "a.xlsx", given, split="train")

    found = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert (found.freeze_panes, found["A2"].value, found["A2"].number_format) == ("A2", "1E5", "@")
    assert (found["B2"].value, found["B2"].data_type) == (" =x", "s")
    assert [str(rule.sqref) for rule in found.data_validations.dataValidation] == ["F2"]


def test_a_text_that_no_cell_holds_is_not_written(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    given = Labelled({"q": Query("q", "x")}, {"d": Doc("d", "y" * 32_767)}, [Opinion("q", "d", 1)])

    with pytest.raises(DataError) as caught:
        FORMATS.get("xlsx").write(tmp_path / "a.xlsx", given, split="train")

    assert caught.value.code == "E3026"
    assert not (tmp_path / "a.xlsx").exists()


def test_a_workbook_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fault 20
    monkeypatch.setattr(workbook, "UNPACKED_LIMIT", 1000)

    assert refused(sheet(tmp_path / "a.xlsx", HEAD, ["q", "x", "y", 1]), "xlsx").code == "E3002"


def test_a_workbook_without_openpyxl_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04")
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)

    with pytest.raises(UsageError) as caught:
        read(tmp_path / "a.xlsx", "xlsx")

    assert (caught.value.code, caught.value.fix) == ("E2005", "pip install 'lexitune[xlsx]', or save it as CSV UTF-8")
