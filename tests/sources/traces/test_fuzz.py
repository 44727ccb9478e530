"""Traces under accident: whatever an export holds, it is read, set aside record by record, or refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mangled import fast, folder, lines, mangled, mangled_rows, noise
from tests.sources.traces.exports import DEED, LEASE, langfuse, langfuse_tables, langsmith, otlp, phoenix

from lexitune.errors import LexituneError
from lexitune.io.quarantine import Quarantine
from lexitune.sources.traces.formats import recognise
from lexitune.sources.traces.options import TracesOptions
from lexitune.sources.traces.reading import Traces, read_traces
from lexitune.sources.traces.trace import Part

PASSAGES = [("d1", LEASE), ("d2", DEED)]
ANSWER = f"On the first day [1], see [doc:d2]: {LEASE}"
OPTIONS = TracesOptions(max_bad_share=1.0)


def asked(number: int) -> tuple[str, str, list[tuple[str, str]], str]:
    return f"t{number}", f"When is rent due in {number}?", PASSAGES, ANSWER


SHAPES: dict[str, list[dict[str, Any]]] = {
    "OpenInference": [row for n in range(2) for row in phoenix(*asked(n), thumb=1, user="ann")],
    "OTLP": [otlp(phoenix(*asked(n))) for n in range(2)],
    "Langfuse": [langfuse(*asked(n), thumb=1, user="ann") for n in range(2)],
    "Langfuse, tables": [row for n in range(2) for row in langfuse_tables(langfuse(*asked(n), thumb=1))],
    "LangSmith": [
        {**row, "child_runs": [], "feedback_stats": {"user_score": {"avg": 1, "values": {"up": 1}}}}
        for n in range(2)
        for row in langsmith(*asked(n), thumb=1, user="ann")
    ],
    "LangSmith, feedback": [
        *langsmith(*asked(0)),
        {"id": "f1", "run_id": "t0", "key": "user_score", "score": 1, "feedback_source": {"type": "app"}},
    ],
}


def read(path: Path) -> tuple[Traces | None, Quarantine]:
    """Nothing but our own errors comes out, the folder is as it was, and records add up."""
    quarantine = Quarantine(max_share=1.0)
    try:
        found = read_traces([path], folder=path.parent, source="trace:x", options=OPTIONS, quarantine=quarantine)
    except LexituneError:
        found = None
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    if found is not None:
        assert sum(found.loaded.rows.values()) + quarantine.count == quarantine.seen[str(path)]
    return found, quarantine


def traces_in(rows: list[Any]) -> int:
    """Traces of which a reader gives a part, before it gives up on a record."""
    found = set[str]()
    for row in rows:
        form = recognise(row) if isinstance(row, dict) else None
        try:
            for one in form.read(row, None) if form else ():
                if isinstance(one, Part):
                    found.add(one.trace_id)
        except ValueError:
            continue
    return len(found)


@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_mangled_export_is_read_set_aside_or_refused(shape: str) -> None:
    @settings(fast, max_examples=40)
    @given(st.one_of(mangled(lines(SHAPES[shape])), noise))
    def check(data: bytes) -> None:
        with folder() as home:
            (home / "a.jsonl").write_bytes(data)
            read(home / "a.jsonl")

    check()


@pytest.mark.parametrize("shape", list(SHAPES))
def test_records_of_any_json_are_used_or_set_aside_and_every_trace_is_told_of(shape: str) -> None:
    @settings(fast, max_examples=60)
    @given(mangled_rows(SHAPES[shape]))
    def check(rows: list[Any]) -> None:
        with folder() as home:
            (home / "a.jsonl").write_bytes(lines(rows))
            found, quarantine = read(home / "a.jsonl")
        if found is None:
            return
        assert quarantine.seen[str(home / "a.jsonl")] == len(rows)
        left_out = sum(count for what, _, count in found.left_out if what == "traces")
        assert found.heard.traces + left_out == traces_in(rows)
        assert all(count > 0 for _, _, count in found.left_out)
        assert sum(found.kinds.values()) == len(found.judgements)
        assert {one.query_id for one in found.judgements} <= found.queries.keys()

    check()


@pytest.mark.parametrize("end", ["parquet", "csv"])
def test_a_mangled_table_is_read_set_aside_or_refused(end: str) -> None:
    from lexitune.io.formats.cells import write_cells

    rows = [row for n in range(2) for row in langfuse_tables(langfuse(*asked(n), thumb=1))[1:2]]
    with folder() as home:
        write_cells(home / f"a.{end}", list(rows[0]), rows)
        whole = (home / f"a.{end}").read_bytes()

    @settings(fast, max_examples=40)
    @given(mangled(whole))
    def check(data: bytes) -> None:
        with folder() as home:
            (home / f"a.{end}").write_bytes(data)
            read(home / f"a.{end}")

    check()


def test_a_record_nested_too_deeply_is_set_aside(tmp_path: Path) -> None:
    rows = SHAPES["OpenInference"]
    deep = {"context": {"trace_id": "t9", "span_id": "s"}, "attributes": {"b." * 3000 + "b": 1}}
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines([*rows, deep]))

    found, quarantine = read(path)

    assert found is not None
    assert found.heard.traces == 2
    assert [(row.line, row.reason) for row in quarantine.rows] == [(len(rows) + 1, "nested too deeply")]


@pytest.mark.parametrize("score", [10**400, "NaN", [], {}])
def test_a_score_that_is_none_is_set_aside(tmp_path: Path, score: Any) -> None:
    trace = langfuse("t1", "When is rent due?", PASSAGES, "See [1].", thumb=1)
    trace["scores"][0]["value"] = score
    (tmp_path / "a.jsonl").write_bytes(lines([trace]))

    found, quarantine = read(tmp_path / "a.jsonl")

    assert found is not None
    assert found.heard.thumbs[0] == 1
    reason = "a score without a trace, a name or a value"
    assert [row.reason for row in quarantine.rows] == ([] if score == "NaN" else [reason])
