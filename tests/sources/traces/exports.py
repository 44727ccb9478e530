"""The same conversations as each program exports them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]

LEASE = "Rent is payable in advance on the first day of each quarter without any deduction."
DEED = "A deed must be signed in the presence of a witness who attests the signature."
TORT = "The duty of care is owed to anyone who is closely and directly affected by an act."


def write(path: Path, rows: Sequence[Row], *, packed: bool = False, as_array: bool = False) -> Path:
    text = json.dumps(rows, indent=1) if as_array else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


def phoenix(
    trace: str,
    question: str,
    passages: Sequence[tuple[str, str]],
    answer: str,
    *,
    thumb: float | None = None,
    user: str = "",
) -> list[Row]:
    """A chain with a retriever in it, one span a record, attributes flat; and an annotation, if there is a thumb."""
    about = {"user.id": user} if user else {}
    documents = {
        f"retrieval.documents.{place}.document.{name}": value
        for place, (doc_id, text) in enumerate(passages)
        for name, value in (("id", doc_id), ("content", text), ("score", 1 - place / 10))
        if value
    }
    rows = [
        _span(trace, "a", None, 1, {"openinference.span.kind": "CHAIN", "input.value": question} | about)
        | {"name": "chain"},
        _span(trace, "b", "a", 2, {"openinference.span.kind": "RETRIEVER", "input.value": question} | documents),
    ]
    rows[0]["attributes"]["output.value"] = answer
    if thumb is not None:
        result = {"label": "thumbs_up" if thumb > 0 else "thumbs_down", "score": thumb}
        rows.append(
            {"id": f"n-{trace}", "span_id": f"{trace}-a", "name": "user feedback", "annotator_kind": "HUMAN"}
            | {"result": result}
        )
    return rows


def _span(trace: str, span: str, parent: str | None, at: int, attributes: Row) -> Row:
    return {
        "context": {"trace_id": trace, "span_id": f"{trace}-{span}"},
        "parent_id": f"{trace}-{parent}" if parent else None,
        "start_time": f"2026-03-01T10:00:0{at}+00:00",
        "attributes": attributes,
    }


def otlp(spans: Sequence[Row]) -> Row:
    """The same spans as OTLP JSON has them."""

    def value(given: Any) -> Row:
        if isinstance(given, list):
            return {"arrayValue": {"values": [value(one) for one in given]}}
        return {{str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}[type(given)]: given}

    made = [
        {
            "traceId": span["context"]["trace_id"],
            "spanId": span["context"]["span_id"],
            "parentSpanId": span["parent_id"] or "",
            "startTimeUnixNano": f"17723592{span['start_time'][17:19]}000000000",
            "attributes": [{"key": key, "value": value(one)} for key, one in span["attributes"].items()],
        }
        for span in spans
        if "context" in span
    ]
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "app"}, "spans": made}]}]}


def langfuse(
    trace: str,
    question: str,
    passages: Sequence[tuple[str, str]],
    answer: str,
    *,
    thumb: float | None = None,
    user: str = "",
) -> Row:
    """A trace with its observations and scores in it, as the interface gives it."""
    documents = [{"page_content": text, "metadata": {"id": doc_id} if doc_id else {}} for doc_id, text in passages]
    return {
        "id": trace,
        "timestamp": "2026-03-01T10:00:00.000Z",
        "name": "ask",
        "userId": user or None,
        "sessionId": None,
        "input": {"question": question},
        "output": {"answer": answer},
        "metadata": None,
        "observations": [
            {
                "id": f"{trace}-b",
                "traceId": trace,
                "type": "RETRIEVER",
                "name": "VectorStoreRetriever",
                "startTime": "2026-03-01T10:00:01.000Z",
                "parentObservationId": None,
                "input": question,
                "output": documents,
            }
        ],
        "scores": []
        if thumb is None
        else [
            {
                "id": f"n-{trace}",
                "traceId": trace,
                "name": "user-feedback",
                "value": thumb,
                "dataType": "NUMERIC",
                "source": "API",
            }
        ],
    }


def langfuse_tables(trace: Row) -> list[Row]:
    """The same trace as the tables of an export beside each other, in their spelling."""

    def spelt(row: Row) -> Row:
        names = {"traceId": "trace_id", "parentObservationId": "parent_observation_id", "startTime": "start_time"}
        names |= {"userId": "user_id", "sessionId": "session_id", "dataType": "data_type"}
        return {
            names.get(key, key): json.dumps(value)
            if key in ("input", "output") and not isinstance(value, str)
            else value
            for key, value in row.items()
            if key not in ("observations", "scores")
        }

    return [spelt(row) for row in (trace, *trace["observations"], *trace["scores"])]


def langsmith(
    trace: str,
    question: str,
    passages: Sequence[tuple[str, str]],
    answer: str,
    *,
    thumb: float | None = None,
    user: str = "",
) -> list[Row]:
    """A chain's run and its retriever's, one a record; the thumb in the statistics of the first."""
    documents = [{"page_content": text, "metadata": {"id": doc_id} if doc_id else {}} for doc_id, text in passages]
    return [
        {
            "id": trace,
            "trace_id": trace,
            "session_id": "the project, not a session",
            "name": "RunnableSequence",
            "run_type": "chain",
            "start_time": "2026-03-01T10:00:00",
            "inputs": {"input": question},
            "outputs": {"output": answer},
            "extra": {"metadata": {"user_id": user} if user else {}},
            "feedback_stats": {} if thumb is None else {"user_score": {"n": 1, "avg": thumb}},
        },
        {
            "id": f"{trace}-b",
            "trace_id": trace,
            "parent_run_id": trace,
            "session_id": "the project, not a session",
            "name": "Retriever",
            "run_type": "retriever",
            "start_time": "2026-03-01T10:00:01",
            "inputs": {"query": question},
            "outputs": {"documents": documents},
        },
    ]
