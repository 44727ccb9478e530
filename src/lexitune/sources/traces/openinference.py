"""OpenInference: spans as OTLP JSON has them, or one a record, its attributes nested or flat, as Phoenix exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lexitune.fingerprint import hash_json
from lexitune.sources.traces.texts import answer_of, as_text, contexts_of, parsed, question_of, score_of, who_of
from lexitune.sources.traces.trace import MODEL, OTHER, RERANKER, RETRIEVER, Feedback, Part

__all__ = ["is_openinference", "read_openinference"]

KINDS = {"RETRIEVER": RETRIEVER, "RERANKER": RERANKER, "LLM": MODEL}
ATTRIBUTES = "attributes."


def is_openinference(record: Mapping[str, Any]) -> bool:
    """Whether a record is a span, a bundle of spans, or an annotation."""
    if "resourceSpans" in record or "annotator_kind" in record:
        return True
    has_attributes = "attributes" in record or any(key.startswith(ATTRIBUTES) for key in record)
    return has_attributes and bool(_id(record, "trace"))


def read_openinference(record: Mapping[str, Any], id_key: str | None = None) -> Iterator[Part | Feedback]:
    """Spans and annotations of one record.

    Raises:
        ValueError: Something in it cannot be used; what can was given before.
    """
    if "resourceSpans" not in record:
        yield from _of_one(record, id_key)
        return
    wrong = ""
    for span in _spans(record):
        try:
            yield from _of_one(span, id_key)
        except ValueError as error:
            wrong = wrong or str(error)
    if wrong:
        raise ValueError(wrong)


def _spans(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for resource in _dicts(record.get("resourceSpans")):
        for scope in _dicts(resource.get("scopeSpans") or resource.get("instrumentationLibrarySpans")):
            yield from _dicts(scope.get("spans"))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _of_one(record: Mapping[str, Any], id_key: str | None) -> Iterator[Part | Feedback]:
    if "annotator_kind" in record:
        yield _annotation(record, "")
        return
    part = _part(record, id_key)
    yield part
    for one in _dicts(record.get("annotations")):
        yield _annotation(one, part.part_id)


def _id(record: Mapping[str, Any], kind: str) -> str:
    """The id of the record's trace or span, in the three ways that it is written."""
    context = record.get("context")
    inner = context.get(f"{kind}_id") if isinstance(context, dict) else None
    return as_text(inner or record.get(f"context.{kind}_id") or record.get(f"{kind}_id") or record.get(f"{kind}Id"))


def _part(record: Mapping[str, Any], id_key: str | None) -> Part:
    trace_id, part_id = _id(record, "trace"), _id(record, "span")
    if not trace_id or not part_id:
        raise ValueError("a span without trace_id or span_id")
    parent = as_text(record.get("parent_id") or record.get("parentSpanId") or record.get("parent_span_id"))
    at = as_text(record.get("start_time") or record.get("startTimeUnixNano"))
    attributes = _nested(_attributes(record))
    kind = KINDS.get(as_text(_at(attributes, "openinference.span.kind") or record.get("span_kind")).upper(), OTHER)
    given = _at(attributes, "reranker.output_documents") or _at(attributes, "retrieval.documents")
    given = given or _at(attributes, "gen_ai.retrieval.documents")
    if kind == OTHER and given:
        kind = RETRIEVER
    output = _at(attributes, "output.value")
    # Passages that a chain or model only passes on would be impressions twice over, so those look for them by key.
    is_finder = kind in (RETRIEVER, RERANKER)
    named = output if is_finder or isinstance(parsed(output), dict) else None
    contexts = contexts_of(given or named, id_key) if kind != MODEL else []
    question = question_of(_at(attributes, "reranker.query") or _at(attributes, "gen_ai.retrieval.query.text"))
    question = question or question_of(_at(attributes, "input.value"))
    answer = ""
    if not is_finder:
        answer = answer_of(_at(attributes, "llm.output_messages")) or answer_of(output)
    user, session = _at(attributes, "user.id"), _at(attributes, "session.id")
    who = who_of({"user_id": user, "session_id": session}, parsed(attributes.get("metadata")))
    return Part(trace_id, part_id, parent, kind, at, "" if kind == MODEL else question, answer, contexts, who)


def _attributes(record: Mapping[str, Any]) -> Mapping[str, Any]:
    given = record.get("attributes")
    if isinstance(given, list):
        return {as_text(one.get("key")): _value(one.get("value")) for one in _dicts(given)}
    given = parsed(given)
    if isinstance(given, dict):
        return given
    return {key.removeprefix(ATTRIBUTES): value for key, value in record.items() if key.startswith(ATTRIBUTES)}


def _value(value: Any) -> Any:
    """A value as OTLP types it."""
    if not isinstance(value, dict):
        return value
    if isinstance(inner := value.get("arrayValue"), dict):
        return [_value(one) for one in _dicts(inner.get("values"))]
    if isinstance(inner := value.get("kvlistValue"), dict):
        return {as_text(one.get("key")): _value(one.get("value")) for one in _dicts(inner.get("values"))}
    for name in ("stringValue", "intValue", "doubleValue", "boolValue"):
        if name in value:
            return value[name]
    return None


def _nested(value: Any) -> Any:
    """Keys with dots as mappings in mappings, and mappings whose keys are numbers as lists.

    Example:
        >>> _nested({"a.0.b.c": 1, "a.1.b.c": 2})
        {'a': [{'b': {'c': 1}}, {'b': {'c': 2}}]}
    """
    if isinstance(value, list):
        return [_nested(one) for one in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, inner in sorted(value.items()):  # "a" before "a.b", which then takes its place
        *path, last = key.split(".")
        here = found
        for step in path:
            if not isinstance(here.get(step), dict):
                here[step] = {}
            here = here[step]
        here[last] = _nested(inner)
    return _lists(found)


def _lists(value: dict[str, Any]) -> Any:
    inner = {key: _lists(one) if isinstance(one, dict) else one for key, one in value.items()}
    if inner and all(key.isdecimal() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _annotation(record: Mapping[str, Any], span_id: str) -> Feedback:
    about = as_text(record.get("span_id") or record.get("trace_id")) or span_id
    name = as_text(record.get("name") or record.get("annotation_name"))
    inner = record.get("result")
    result = inner if isinstance(inner, dict) else {}
    score = result.get("score", record.get("result.score", record.get("score")))
    label = result.get("label", record.get("result.label", record.get("label")))
    value = score_of(score if score is not None else label)
    if not about or not name or value is None:
        raise ValueError("an annotation without a span, a name or a value")
    if record.get("document_position") is not None:
        raise ValueError("an annotation of one passage, which is not read")
    mark = as_text(record.get("id")) or hash_json([name, record.get("identifier"), str(value)])
    is_machine = as_text(record.get("annotator_kind")).upper() != "HUMAN"
    return Feedback(about, mark, name, value, is_machine)
