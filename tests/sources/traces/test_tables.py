"""Exports as tables: the same trace comes out of Parquet and CSV as out of JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.sources.traces.exports import DEED, LEASE, langfuse, langfuse_tables, langsmith, phoenix
from tests.sources.traces.test_formats import ASKED, PASSAGES, flat, read, said

from lexitune.errors import DataError
from lexitune.io.formats.cells import write_cells
from lexitune.io.quarantine import Quarantine

Row = dict[str, Any]


def columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def as_cells(row: Row) -> Row:
    """What is no text or number, as JSON: so programs write it into one cell."""
    return {name: json.dumps(one) if isinstance(one, (dict, list)) else one for name, one in row.items()}


def put(path: Path, rows: Sequence[Row]) -> Path:
    write_cells(path, columns(rows), [as_cells(row) for row in rows])
    return path


@pytest.mark.parametrize("end", ["parquet", "csv"])
def test_langfuses_tables_beside_each_other_are_one_export(tmp_path: Path, end: str) -> None:
    trace, observation, score = langfuse_tables(langfuse("t1", *ASKED, thumb=1))
    tables = {"traces": [trace], "observations": [observation], "scores": [score]}

    found = read(tmp_path, *(put(tmp_path / f"{name}.{end}", rows) for name, rows in tables.items()))

    assert [query.text for query in found.queries.values()] == ["When is rent due?"]
    assert {doc.doc_id: doc.text for doc in found.docs} == dict(PASSAGES)
    assert said(found) == {"d1": (1, 0.5)}
    assert (found.loaded.form, found.left_out) == ("Langfuse", [])
    assert found.loaded.rows == {f"{name}.{end}": 1 for name in tables}


@pytest.mark.parametrize("end", ["parquet", "csv"])
def test_langsmiths_bulk_export_is_read(tmp_path: Path, end: str) -> None:
    found = read(tmp_path, put(tmp_path / f"runs.{end}", langsmith("t1", *ASKED, thumb=1)))

    assert said(found) == {"d1": (1, 0.5)}
    assert (found.loaded.form, found.heard.traces, found.left_out) == ("LangSmith", 1, [])


def test_a_table_of_phoenix_is_read_with_its_types(tmp_path: Path) -> None:
    rows = flat(phoenix("t1", *ASKED, thumb=1))
    spans = [row for row in rows if "annotator_kind" not in row]
    for row in spans:
        row["start_time"] = datetime.fromisoformat(row["start_time"])
        row.setdefault("attributes.retrieval.documents", None)
        row["attributes.metadata"] = [("tenant", "a")]
    names = columns(spans)
    arrays = {name: [row.get(name) for row in spans] for name in names}
    kinds = {"attributes.metadata": pa.map_(pa.string(), pa.string()), "start_time": pa.timestamp("us", "UTC")}
    schema = pa.schema([(name, kinds.get(name) or pa.infer_type(arrays[name])) for name in names])
    pq.write_table(pa.table(arrays, schema=schema), tmp_path / "spans.parquet")
    notes = put(tmp_path / "annotations.csv", [row for row in rows if "annotator_kind" in row])

    found = read(tmp_path, tmp_path / "spans.parquet", notes)

    assert said(found) == {"d1": (1, 0.5)}
    assert (found.loaded.form, found.heard.traces, found.heard.impressions) == ("OpenInference", 1, 2)


def test_steps_of_a_table_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    rows = langsmith("t1", "When is rent due?", [("d1", LEASE), ("d2", DEED)], "See [1].")
    late = {**rows[1], "id": "t1-c", "name": "rerank", "outputs": {"documents": [{"page_content": DEED, "id": "d2"}]}}
    times = [datetime(2026, 3, 1, 10, 0, second, tzinfo=UTC) for second in (0, 1, 2)]
    table = [as_cells(row) | {"start_time": at} for row, at in zip([*rows, late], times, strict=True)]
    write_cells(tmp_path / "a.parquet", columns(table), table)

    assert said(read(tmp_path, tmp_path / "a.parquet")) == {"d2": (1, 0.25)}


def test_lists_as_python_writes_them_are_set_aside_with_what_to_do(tmp_path: Path) -> None:
    rows = langsmith("t1", *ASKED)
    rows[1]["outputs"] = str(rows[1]["outputs"])
    path = put(tmp_path / "a.csv", rows)
    quarantine = Quarantine(max_share=0.5)

    with pytest.raises(DataError) as caught:
        read(tmp_path, path)
    read(tmp_path, path, quarantine=quarantine)

    reason = "'outputs' is written as Python does, not as JSON: export the table as Parquet"
    assert (caught.value.code, reason in caught.value.problem) == ("E3004", True)
    assert [(row.line, row.reason) for row in quarantine.rows] == [(3, reason)]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"query,doc\nx,y\n", "E3041"),
        ("a.csv", b"id,run_type\n", "E3003"),
        ("a.csv", b"id,id\n1,2\n", "E3007"),
        ("a.csv", b"just words\n", "E3007"),
        ("a.parquet", b"PAR1" + b"x" * 40, "E3008"),
        ("a.csv", b"\xff\xfeq\x00", "E3002"),
        ("a.csv", b"", "E3003"),
    ],
)
def test_a_table_that_is_no_export_is_refused(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError) as caught:
        read(tmp_path, tmp_path / name)

    assert caught.value.code == code
