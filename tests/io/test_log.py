"""Search logs: however they were written, queries come out with their searches."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lexitune.errors import DataError
from lexitune.io.log import read_log
from lexitune.io.quarantine import Quarantine

SEARCHED = {"force majeure": 3, "lease, and rent": 1}


def read(path: Path) -> tuple[dict[str, int], Quarantine]:
    quarantine = Quarantine(max_share=0.5)
    return dict(read_log(path, quarantine)), quarantine


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "force majeure\nforce  majeure\n\nlease, and rent\n force majeure \n"),
        ("a.log", "query\nforce majeure\nforce majeure\nlease, and rent\nforce majeure"),
        ("a.txt", "force majeure\t3\nlease, and rent\t1\n"),
        ("a.txt", "3\tforce majeure\n1\tlease, and rent\n"),
        ("a.tsv", "N\tat\tQuery\n2\t2024\tforce majeure\n1\t2025\tlease, and rent\n1\t2025\tforce majeure\n"),
        ("a.csv", 'query,count\nforce majeure,3\n"lease, and rent",1.0\n'),
        ("a.csv", 'force majeure,3\n"lease, and rent",1\n'),
        ("a.csv", 'q;searches\n"force majeure";3\nlease, and rent;1\n'),
        ("a.csv", '"text"\n"lease, and rent"\nforce majeure\nforce majeure\nforce majeure\n'),
        ("a.csv", '\ufeffquestion,user\nforce majeure,7\nforce majeure,8\nforce majeure,9\n"lease, and rent",7\n'),
        ("a.jsonl", '{"q": "force majeure", "frequency": 3}\n{"query": "lease, and rent"}\n'),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_queries_and_their_searches_come_out(tmp_path: Path, name: str, text: str, packed: bool) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())

    found, quarantine = read(path)

    assert found == SEARCHED
    assert quarantine.count == 0


@pytest.mark.parametrize("counted", [True, False])
def test_parquet_is_told_by_its_content(tmp_path: Path, counted: bool) -> None:
    queries = ["force majeure", "lease, and rent", *([] if counted else ["force majeure"] * 2), None]
    columns = {"at": [1] * len(queries), "Query": queries, **({"n": [3, 1, 5]} if counted else {})}
    pq.write_table(pa.table(columns), tmp_path / "log.bin", row_group_size=2)

    found, quarantine = read(tmp_path / "log.bin")

    assert found == SEARCHED
    assert [(row.line, row.reason) for row in quarantine.rows] == [(len(queries), "no query")]
    assert quarantine.seen[str(tmp_path / "log.bin")] == len(queries)


@pytest.mark.parametrize(
    ("count", "told"),
    [
        ("", "''"),
        ("0", "'0'"),
        ("-3", "'-3'"),
        ("1.5", "'1.5'"),
        ("nan", "'nan'"),
        ("inf", "'inf'"),
        ("1e300", "'1e300'"),
        ("many", "'many'"),
    ],
)
def test_a_count_that_is_none_is_set_aside_with_its_line(tmp_path: Path, count: str, told: str) -> None:
    (tmp_path / "a.csv").write_text(f"query,count\nforce majeure,3\nforce majeure,{count}\n", encoding="utf-8")

    found, quarantine = read(tmp_path / "a.csv")

    assert found == {"force majeure": 3}
    (row,) = quarantine.rows
    assert (row.line, row.reason) == (3, f"the count is {told}, no whole number from 1 on")


def test_other_bad_lines_are_set_aside_too(tmp_path: Path) -> None:
    lines = [b"query,count", b"rent,3", b"  ,1", b"lease \xe9,1", b"one,two,three", b"deed,1", b"title,1"]
    (tmp_path / "a.csv").write_bytes(b"\n".join(lines))

    found, quarantine = read(tmp_path / "a.csv")

    assert found == {"rent": 3, "deed": 1, "title": 1}
    reasons = {row.line: row.reason for row in quarantine.rows}
    assert reasons == {3: "no query", 4: "not UTF-8", 5: "3 columns where the first line has 2"}


@pytest.mark.parametrize(
    ("name", "content", "code", "told"),
    [
        ("a.txt", b"", "E3003", "holds no queries"),
        ("a.csv", b"query,count\n", "E3003", "holds no queries"),
        ("a.csv", b"url,hits\n/a,b\n", "E3007", "which one is the query?"),
        ("a.tsv", b"rent\tdeed\t3\n", "E3007", "which one is the query?"),
        ("a.csv", b"query,count\nrent,x\ndeed,y\n", "E3004", "2 of 2 lines cannot be used"),
        ("a.csv", b"query\nd\xe9p\xf4t\nm\xe9tro\n", "E3002", "probably Windows-1252"),
        ("a.xlsx", b"PK\x03\x04", "E3002", "an Excel workbook"),
        ("a.parquet", b"PAR1 and no more", "E3008", "cut short or damaged"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, name: str, content: bytes, code: str, told: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError) as raised:
        read(tmp_path / name)

    assert raised.value.code == code
    assert told in raised.value.problem


def test_a_parquet_file_without_a_column_of_queries_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"url": ["/a"]}), tmp_path / "a.parquet")

    with pytest.raises(DataError, match="which one is the query"):
        read(tmp_path / "a.parquet")


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "searches.csv").write_text("query\n", encoding="utf-8")

    with pytest.raises(DataError) as raised:
        read(tmp_path / "search.csv")

    assert raised.value.code == "E3001"
    assert "searches.csv" in raised.value.fix
