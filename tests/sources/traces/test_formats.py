"""Formats: however a trace was exported, the same question, passages, answer and thumb come out of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.sources.traces.exports import DEED, LEASE, langfuse, langfuse_tables, langsmith, otlp, phoenix, write

from lexitune.errors import DataError, UsageError
from lexitune.io.quarantine import Quarantine
from lexitune.sources.traces.options import TracesOptions
from lexitune.sources.traces.reading import Traces, read_traces

Row = dict[str, Any]
PASSAGES = [("d1", LEASE), ("d2", DEED)]
ASKED: tuple[str, Sequence[tuple[str, str]], str] = ("When is rent due?", PASSAGES, "On the first day [1].")


def read(folder: Path, *paths: Path, quarantine: Quarantine | None = None, **options: Any) -> Traces:
    return read_traces(paths, folder=folder, source="trace:x", options=TracesOptions(**options), quarantine=quarantine)


def said(found: Traces) -> dict[str, tuple[int | None, float]]:
    return {one.doc_id: (one.relevance, one.weight) for one in found.judgements}


def flat(rows: Sequence[Row]) -> list[Row]:
    """Spans as a table's columns: `context.trace_id`, `attributes.input.value`, documents as a list of mappings."""
    made = []
    for row in rows:
        if "context" not in row:
            made.append(
                {"span_id": row["span_id"], "annotation_name": row["name"], "annotator_kind": "HUMAN"}
                | {"result.score": row["result"]["score"], "result.label": None}
            )
            continue
        given = {f"attributes.{key}": value for key, value in row["attributes"].items() if ".documents." not in key}
        texts = [(key, value) for key, value in row["attributes"].items() if ".documents." in key]
        documents: dict[str, Row] = {}
        for key, value in texts:
            documents.setdefault(key.split(".")[2], {})[key.partition(".document.")[2]] = value
        if documents:
            given["attributes.retrieval.documents"] = [
                {f"document.{name}": value for name, value in one.items()} for one in documents.values()
            ]
        made.append(
            {f"context.{name}": value for name, value in row["context"].items()}
            | given
            | {"parent_id": row["parent_id"], "start_time": row["start_time"], "name": "x"}
        )
    return made


def nested(rows: Sequence[Row]) -> list[Row]:
    """Attributes as mappings in mappings."""
    made = []
    for row in rows:
        found: Row = {}
        for key, value in row.get("attributes", {}).items():
            if ".documents." not in key:
                first, last = key.rsplit(".", 1)
                found.setdefault(first, {})[last] = value
        if any(".documents." in key for key in row.get("attributes", {})):
            documents = [{"document": {"id": doc_id, "content": text}} for doc_id, text in PASSAGES]
            found["retrieval"] = {"documents": documents}
        made.append({**row, "attributes": found} if "attributes" in row else row)
    return made


SHAPES: dict[str, Callable[[], list[Row]]] = {
    "OpenInference, flat attributes": lambda: phoenix("t1", *ASKED, thumb=1),
    "OpenInference, nested attributes": lambda: nested(phoenix("t1", *ASKED, thumb=1)),
    "OpenInference, a table's columns": lambda: flat(phoenix("t1", *ASKED, thumb=1)),
    "OpenInference, OTLP": lambda: [otlp(phoenix("t1", *ASKED)), phoenix("t1", *ASKED, thumb=1)[-1]],
    "Langfuse, whole traces": lambda: [langfuse("t1", *ASKED, thumb=1)],
    "Langfuse, a page of the interface": lambda: [{"data": [langfuse("t1", *ASKED, thumb=1)], "meta": {"page": 1}}],
    "Langfuse, a trace's download": lambda: [
        {
            "trace": {key: value for key, value in langfuse("t1", *ASKED).items() if key not in ("observations",)},
            "observations": langfuse("t1", *ASKED)["observations"],
            "scores": langfuse("t1", *ASKED, thumb=1)["scores"],
        }
    ],
    "Langfuse, tables": lambda: langfuse_tables(langfuse("t1", *ASKED, thumb=1)),
    "LangSmith, runs": lambda: langsmith("t1", *ASKED, thumb=1),
    "LangSmith, children in their parent": lambda: [
        langsmith("t1", *ASKED, thumb=1)[0] | {"child_runs": [langsmith("t1", *ASKED)[1] | {"trace_id": None}]}
    ],
    "LangSmith, feedback of its own": lambda: [
        *langsmith("t1", *ASKED),
        {"id": "f1", "run_id": "t1", "key": "user_score", "score": True, "feedback_source": {"type": "app"}},
    ],
}


@pytest.mark.parametrize("kind", ["lines", "array", "gz"])
@pytest.mark.parametrize("shape", list(SHAPES))
def test_the_same_trace_comes_out_of_every_export(tmp_path: Path, shape: str, kind: str) -> None:
    path = write(tmp_path / "export.bin", SHAPES[shape](), packed=kind == "gz", as_array=kind == "array")

    found = read(tmp_path, path)

    assert [query.text for query in found.queries.values()] == ["When is rent due?"]
    assert {doc.doc_id: doc.text for doc in found.docs} == dict(PASSAGES)
    assert (found.heard.traces, found.heard.impressions, found.heard.citing, found.heard.thumbs[1]) == (1, 2, 1, 1)
    # One answer with thumbs up: 1 / (1 + 1).
    assert said(found) == {"d1": (1, 0.5)}
    assert found.loaded.form == shape.split(",")[0]
    assert found.left_out == []


def test_a_trace_that_is_exported_twice_counts_once(tmp_path: Path) -> None:
    rows = langsmith("t1", *ASKED, thumb=1)
    whole, tables = langfuse("t1", *ASKED, thumb=1), langfuse_tables(langfuse("t1", *ASKED, thumb=1))

    for one, other in ((rows, rows), ([whole], tables)):
        found = read(tmp_path, write(tmp_path / "a.jsonl", one), write(tmp_path / "b.jsonl", other))

        assert said(found) == {"d1": (1, 0.5)}
        assert found.heard.traces == 1


def test_a_reranker_decides_what_the_model_saw(tmp_path: Path) -> None:
    rows = phoenix("t1", "When is rent due?", [("d1", LEASE), ("d2", DEED), ("d3", "Nothing.")], "See [1].")
    documents = {"reranker.query": "When is rent due?"}
    documents |= {f"reranker.output_documents.{place}.document.id": f"d{2 - place}" for place in range(2)}
    texts = {
        "reranker.output_documents.0.document.content": DEED,
        "reranker.output_documents.1.document.content": LEASE,
    }
    attributes = {"openinference.span.kind": "RERANKER"} | documents | texts
    rows.append({**rows[1], "start_time": "2026-03-01T10:00:03+00:00", "attributes": attributes})
    rows[-1]["context"] = {"trace_id": "t1", "span_id": "t1-c"}

    found = read(tmp_path, write(tmp_path / "a.jsonl", rows))

    assert said(found) == {"d2": (1, 0.25)}
    assert found.judgements[0].evidence == "cited in 1 of 1 answers, 0 with thumbs up; best rank 1"
    assert found.refused["retrieved, and left out before the model saw it"] == 1


def test_old_langfuse_observations_are_retrievers_by_their_name(tmp_path: Path) -> None:
    trace = langfuse("t1", *ASKED)
    trace["observations"][0] |= {"type": "SPAN", "name": "retrieve-passages"}

    assert said(read(tmp_path, write(tmp_path / "a.jsonl", [trace]))) == {"d1": (1, 0.25)}


def test_the_project_of_a_langsmith_run_is_no_session(tmp_path: Path) -> None:
    rows = [row for trace in ("t1", "t2", "t3") for row in langsmith(trace, *ASKED)]

    # Three votes, not one: 3 * 0.5 / (3 + 1).
    assert said(read(tmp_path, write(tmp_path / "a.jsonl", rows)))["d1"] == (1, 0.375)


@pytest.mark.parametrize("shape", ["one file", "two files"])
def test_formats_that_are_mixed_are_refused_with_both_names(tmp_path: Path, shape: str) -> None:
    one, other = langsmith("t1", *ASKED), [langfuse("t2", *ASKED)]
    paths = [tmp_path / "a.jsonl"] if shape == "one file" else [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    write(paths[0], [*one, *other] if shape == "one file" else one)
    if len(paths) > 1:
        write(paths[1], other)

    with pytest.raises(DataError) as raised:
        read(tmp_path, *paths)

    assert raised.value.code == "E3042"
    assert "Langfuse" in raised.value.problem
    assert "LangSmith" in raised.value.problem


@pytest.mark.parametrize(
    ("rows", "code", "told"),
    [
        ([{"user_query": "rent", "query_id": "1"}], "E3041", "'user_query', 'query_id'"),
        ([{"_id": "d1", "text": "x"}] * 60, "E3041", "'_id', 'text'"),
        ([], "E3003", "no records"),
        ([langsmith("t1", *ASKED)[1] | {"inputs": {}}], "E3003", "no question is left"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, rows: list[Row], code: str, told: str) -> None:
    with pytest.raises(DataError) as raised:
        read(tmp_path, write(tmp_path / "a.jsonl", rows))

    assert raised.value.code == code
    assert told in raised.value.problem
    assert list(tmp_path.iterdir()) == [tmp_path / "a.jsonl"], "the database is gone"


def test_broken_records_are_set_aside_with_line_and_reason(tmp_path: Path) -> None:
    lines = [json.dumps(row) for trace in ("t1", "t2") for row in langsmith(trace, *ASKED)]
    broken = [
        '{"id": "t9", "run_type": "chain", "inp',
        "[1]",
        '{"id": "t9", "run_type": "chain", "x": NaN}',
        '{"run_type": "chain", "inputs": {"input": "x"}}',
        '{"id": "t9", "hello": 1}',
        '{"run_id": "t1", "key": "user_score", "score": null}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, *broken]), encoding="utf-8")
    quarantine = Quarantine(max_share=0.9)

    found = read(tmp_path, tmp_path / "a.jsonl", quarantine=quarantine)

    assert found.heard.traces == 2
    assert [(row.line, row.reason) for row in quarantine.rows] == [
        (5, "broken JSON: unterminated string starting at column 35"),
        (6, "not an object: [1]"),
        (7, "NaN is not JSON"),
        (8, "a run without an id or trace_id"),
        (9, "nothing of a trace in it"),
        (10, "a feedback without a run, a key or a score"),
    ]


def test_too_many_broken_records_are_refused(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in langsmith("t1", *ASKED)]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, "{", "}"]), encoding="utf-8")

    with pytest.raises(DataError) as raised:
        read(tmp_path, tmp_path / "a.jsonl")

    assert raised.value.code == "E3004"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"span_id": "s", "name": "x", "annotator_kind": "HUMAN"}, "an annotation without a span, a name or a value"),
        (
            {"span_id": "s", "name": "x", "annotator_kind": "HUMAN", "result": {"score": 1}, "document_position": 0},
            "an annotation of one passage, which is not read",
        ),
        ({"context": {"trace_id": "t9"}, "attributes": {}}, "a span without trace_id or span_id"),
        (
            {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "t9"}]}]}]},
            "a span without trace_id or span_id",
        ),
    ],
)
def test_spans_with_fields_missing_are_set_aside(tmp_path: Path, row: Row, reason: str) -> None:
    path = write(tmp_path / "a.jsonl", [*phoenix("t1", *ASKED), row])
    quarantine = Quarantine(max_share=0.9)

    assert read(tmp_path, path, quarantine=quarantine).heard.traces == 1
    assert [one.reason for one in quarantine.rows] == [reason]


def test_scores_of_models_and_of_other_names_are_left_out_and_counted(tmp_path: Path) -> None:
    trace = langfuse("t1", *ASKED, thumb=0)
    trace["scores"] += [
        {"id": "s1", "traceId": "t1", "name": "user-feedback", "value": 1, "dataType": "NUMERIC", "source": "EVAL"},
        {"id": "s2", "traceId": "t1", "name": "toxicity", "value": 1, "dataType": "NUMERIC", "source": "API"},
        {"id": "s3", "traceId": "t9", "name": "thumbs", "value": 1, "dataType": "NUMERIC", "source": "API"},
    ]

    found = read(tmp_path, write(tmp_path / "a.jsonl", [trace]))

    assert found.heard.thumbs[-1] == 1
    assert sorted(found.left_out) == [
        ("scores", "'toxicity' is no name of --feedback-names", 1),
        ("scores", "about a trace that is not in the files", 1),
        ("scores", "given by a model or a rule", 1),
    ]


@pytest.mark.parametrize("option", ["feedback_names", "skip_queries"])
def test_a_pattern_that_is_none_is_refused(tmp_path: Path, option: str) -> None:
    path = write(tmp_path / "a.jsonl", langsmith("t1", *ASKED))
    wrong: Row = {option: "("}

    with pytest.raises(UsageError) as raised:
        read(tmp_path, path, **wrong)

    assert raised.value.code == "E2002"


@pytest.mark.parametrize(
    ("answers", "code", "first", "cited"),
    [
        (["See [0]."], "", 0, {"d1"}),
        (["See [1]."], "", 1, {"d1"}),
        (["See [2].", "See [1]."], "", 1, {"d1", "d2"}),
        (["See [0].", "See [1]."], "", 0, {"d1", "d2"}),
        (["See [0].", "See [2]."], "E3043", 0, set()),
    ],
)
def test_where_numbers_start_is_found_out_or_refused(
    tmp_path: Path, answers: list[str], code: str, first: int, cited: set[str]
) -> None:
    rows = [
        row
        for number, answer in enumerate(answers)
        for row in langsmith(f"t{number}", "When is rent due?", PASSAGES, answer)
    ]
    path = write(tmp_path / "a.jsonl", rows)

    if code:
        with pytest.raises(DataError) as raised:
            read(tmp_path, path)
        assert raised.value.code == code
        assert said(read(tmp_path, path, first_citation=1)) == {"d2": (1, 0.25)}
        return
    found = read(tmp_path, path)
    assert found.first == first
    assert {one.doc_id for one in found.judgements if one.relevance} == cited
