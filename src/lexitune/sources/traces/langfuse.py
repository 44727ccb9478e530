"""Langfuse: traces with their observations and scores in them, or the tables of an export beside each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lexitune.fingerprint import hash_json
from lexitune.sources.traces.texts import answer_of, as_text, contexts_of, parsed, question_of, score_of, who_of
from lexitune.sources.traces.trace import MODEL, OTHER, RERANKER, RETRIEVER, Feedback, Part

__all__ = ["is_langfuse", "read_langfuse"]

TYPES = {
    "SPAN", "GENERATION", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EMBEDDING", "EVALUATOR", "GUARDRAIL",
}  # fmt: skip
FINDS = re.compile(r"retriev|search|rerank", re.IGNORECASE)  # how programs name a step before types told it


def is_langfuse(record: Mapping[str, Any]) -> bool:
    """Whether a record is a trace, an observation or a score."""
    if "run_type" in record or "attributes" in record:
        return False
    return "observations" in record or _is_observation(record) or _is_score(record) or _is_trace(record)


def _is_observation(record: Mapping[str, Any]) -> bool:
    return bool(_field(record, "trace_id")) and as_text(record.get("type")).upper() in TYPES


def _is_score(record: Mapping[str, Any]) -> bool:
    is_about = _field(record, "trace_id") or _field(record, "observation_id") or _field(record, "session_id")
    has_value = "value" in record or _field(record, "string_value") is not None
    return bool(is_about) and "name" in record and has_value and "type" not in record


def _is_trace(record: Mapping[str, Any]) -> bool:
    return "id" in record and "timestamp" in record and not _field(record, "trace_id") and "input" in record


def read_langfuse(record: Mapping[str, Any], id_key: str | None = None) -> Iterator[Part | Feedback]:
    """What one record holds.

    Raises:
        ValueError: Something in it cannot be used; what can was given before.
    """
    if isinstance(inner := record.get("trace"), dict):  # as a page's download has it
        record = {**inner, **record}
    if _is_observation(record) and "observations" not in record:
        yield _observation(record, "", id_key)
        return
    if _is_score(record) and "observations" not in record:
        yield _score(record, "")
        return
    trace_id = as_text(record.get("id"))
    if not trace_id:
        raise ValueError("a trace without an id")
    yield _part(record, trace_id, trace_id, "", OTHER, id_key)
    wrong = ""
    for kind in ("observations", "scores"):
        given = record.get(kind)
        for one in given if isinstance(given, list) else []:
            if not isinstance(one, dict):  # lists of traces name only the ids
                continue
            try:
                yield _observation(one, trace_id, id_key) if kind == "observations" else _score(one, trace_id)
            except ValueError as error:
                wrong = wrong or str(error)
    if wrong:
        raise ValueError(wrong)


def _field(record: Mapping[str, Any], name: str) -> Any:
    """A field, in the spelling of the tables or of the interface."""
    if record.get(name) is not None:
        return record[name]
    first, *others = name.split("_")
    return record.get(first + "".join(one.capitalize() for one in others))


def _observation(record: Mapping[str, Any], trace_id: str, id_key: str | None) -> Part:
    part_id, trace_id = as_text(record.get("id")), as_text(_field(record, "trace_id")) or trace_id
    if not part_id or not trace_id:
        raise ValueError("an observation without an id or trace")
    kind, name = as_text(record.get("type")).upper(), as_text(record.get("name"))
    found = {"RETRIEVER": RETRIEVER, "GENERATION": MODEL}.get(kind, OTHER)
    if found == OTHER and FINDS.search(name) and contexts_of(record.get("output"), id_key):
        found = RETRIEVER
    if found == RETRIEVER and "rerank" in name.lower():
        found = RERANKER
    # What stands at the top is a child of the trace itself.
    return _part(record, trace_id, part_id, as_text(_field(record, "parent_observation_id")) or trace_id, found, id_key)


def _part(
    record: Mapping[str, Any], trace_id: str, part_id: str, parent_id: str, kind: str, id_key: str | None
) -> Part:
    is_finder, output = kind in (RETRIEVER, RERANKER), parsed(record.get("output"))
    named = output if is_finder or isinstance(output, dict) else None
    at = as_text(_field(record, "start_time") or record.get("timestamp"))
    who = who_of(record, parsed(record.get("metadata")))
    return Part(
        trace_id,
        part_id,
        parent_id,
        kind,
        at,
        "" if kind == MODEL else question_of(record.get("input")),
        "" if is_finder else answer_of(output),
        [] if kind == MODEL else contexts_of(named, id_key),
        who,
    )


def _score(record: Mapping[str, Any], trace_id: str) -> Feedback:
    about = as_text(_field(record, "observation_id") or _field(record, "trace_id")) or trace_id
    name, value, label = as_text(record.get("name")), record.get("value"), _field(record, "string_value")
    is_category = as_text(_field(record, "data_type")).upper() == "CATEGORICAL"
    told = score_of(label if isinstance(label, str) and (is_category or value is None) else value)
    if not about or not name or told is None:
        raise ValueError("a score without a trace, a name or a value")
    mark = as_text(record.get("id")) or hash_json([name, str(told), as_text(record.get("timestamp"))])
    is_machine = as_text(record.get("source")).upper() == "EVAL"
    return Feedback(about, mark, name, told, is_machine)
