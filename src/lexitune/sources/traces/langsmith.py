"""LangSmith: runs, one a record or children in their parents, and feedback as statistics of a run or on its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lexitune.fingerprint import hash_json
from lexitune.sources.traces.texts import answer_of, as_text, contexts_of, parsed, question_of, score_of, who_of
from lexitune.sources.traces.trace import MODEL, OTHER, RERANKER, RETRIEVER, Feedback, Part

__all__ = ["is_langsmith", "read_langsmith"]

MACHINES = ("model", "auto_eval")


def is_langsmith(record: Mapping[str, Any]) -> bool:
    """Whether a record is a run or a feedback."""
    return "run_type" in record or ("run_id" in record and "key" in record)


def read_langsmith(record: Mapping[str, Any], id_key: str | None = None) -> Iterator[Part | Feedback]:
    """What one record holds.

    Raises:
        ValueError: Something in it cannot be used; what can was given before.
    """
    if "run_type" not in record:
        yield _feedback(record)
        return
    waiting: list[tuple[Mapping[str, Any], str, str]] = [(record, "", "")]
    wrong = ""
    while waiting:
        run, trace_id, parent_id = waiting.pop()
        try:
            part = _part(run, trace_id, parent_id, id_key)
        except ValueError as error:
            wrong = wrong or str(error)
            continue
        yield part
        yield from _statistics(run, part.part_id)
        children = run.get("child_runs")
        for child in children if isinstance(children, list) else []:
            if isinstance(child, dict):
                waiting.append((child, part.trace_id, part.part_id))
    if wrong:
        raise ValueError(wrong)


def _part(run: Mapping[str, Any], trace_id: str, parent_id: str, id_key: str | None) -> Part:
    part_id = as_text(run.get("id"))
    parent_id = as_text(run.get("parent_run_id")) or parent_id
    trace_id = as_text(run.get("trace_id")) or trace_id or ("" if parent_id else part_id)
    if not part_id or not trace_id:
        raise ValueError("a run without an id or trace_id")
    outputs, name = parsed(run.get("outputs")), as_text(run.get("name")).lower()
    kind = {"retriever": RETRIEVER, "llm": MODEL}.get(as_text(run.get("run_type")).lower(), OTHER)
    contexts = contexts_of(outputs, id_key) if kind != MODEL else []
    if "rerank" in name and contexts:
        kind = RERANKER
    extra = parsed(run.get("extra"))
    # `session_id` of the run itself is the project that it was logged to, and no session of anybody.
    who = who_of(extra.get("metadata") if isinstance(extra, dict) else None)
    return Part(
        trace_id,
        part_id,
        parent_id,
        kind,
        as_text(run.get("start_time")),
        "" if kind == MODEL else question_of(run.get("inputs")),
        "" if kind in (RETRIEVER, RERANKER) else answer_of(outputs),
        contexts,
        who,
    )


def _statistics(run: Mapping[str, Any], part_id: str) -> Iterator[Feedback]:
    given = parsed(run.get("feedback_stats"))
    for name, stats in sorted(given.items()) if isinstance(given, dict) else []:
        if not isinstance(stats, dict):
            continue
        value, labels = stats.get("avg"), stats.get("values")
        if value is None and isinstance(labels, dict) and labels:
            # As many people may have said one as the other: then it is the first by name.
            value = max(sorted(labels), key=lambda label: labels[label] if isinstance(labels[label], int) else 0)
        if (told := score_of(value)) is not None:
            yield Feedback(part_id, f"statistics of {name}", name, told)


def _feedback(record: Mapping[str, Any]) -> Feedback:
    about, name = as_text(record.get("run_id") or record.get("trace_id")), as_text(record.get("key"))
    score = record.get("score")
    value = score_of(score if score is not None else record.get("value"))
    if not about or not name or value is None:
        raise ValueError("a feedback without a run, a key or a score")
    source = parsed(record.get("feedback_source"))
    kind = as_text(source.get("type")).lower() if isinstance(source, dict) else ""
    mark = as_text(record.get("id")) or hash_json([name, str(value), as_text(record.get("created_at"))])
    return Feedback(about, mark, name, value, kind in MACHINES)
