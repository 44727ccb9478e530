"""Label Studio: its JSON export, with every annotation that was not cancelled as one rater's opinion."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.atomic import replace_text
from lexitune.io.formats.records import Choices, Format, Gathering, Labelled, Opinion, listed, lost
from lexitune.io.ids import read_id
from lexitune.io.jsonl import read_json
from lexitune.io.pairs import DOC_NAMES, QUERY_NAMES
from lexitune.io.quarantine import Quarantine

__all__ = ["LABELSTUDIO"]

KEYS = {
    "query": QUERY_NAMES,
    "doc": DOC_NAMES,
    "query_id": ("query_id",),
    "doc_id": ("doc_id",),
    "title": ("title",),
}
UNDECIDED = "cannot judge"
KEEPS = ("doc", "title", "ids", "grade", "wrong", "undecided", "rater", "time")


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    tasks = read_json(path)
    if not isinstance(tasks, list):
        fix = "export it as JSON, not as JSON-MIN or CSV"
        raise DataError("E3002", f"{path} is no list of tasks", fix=fix)
    gathering = Gathering(path, quarantine, choices)

    def use(task: Any) -> None:
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise ValueError("no task with 'data'")
        opinions = list(_opinions(task, gathering))
        if not opinions:
            gathering.counts["tasks have no annotation: nobody judged them"] += 1
            return
        data = {name: _value(task["data"], name, choices) for name in KEYS}
        query_id = gathering.query(data["query"], data["query_id"])
        if data["doc"] in (None, "") and data["doc_id"]:
            doc_id = read_id(data["doc_id"])
        else:
            doc_id = gathering.doc(data["doc"], data["doc_id"], title=data["title"])
        for relevance, rater, at in opinions:
            gathering.judge(Opinion(query_id, doc_id, relevance, rater, at=at))

    rows = list(enumerate(tasks, start=1))
    quarantine.seen[str(path)] += len(rows)
    gathering.take(path, rows, use)
    return gathering.done()


def _value(data: Mapping[str, Any], name: str, choices: Choices) -> Any:
    wanted = (choices.columns[name],) if name in choices.columns else KEYS[name]
    return next((data[key] for key in wanted if key in data), None)


def _opinions(task: Mapping[str, Any], gathering: Gathering) -> Iterator[tuple[int | None, str, str]]:
    for annotation in listed(task, "annotations"):
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            gathering.counts["annotations were skipped by their rater: left out"] += 1
            continue
        answers = [answer for one in listed(annotation, "result") for answer in _answers(one)]
        if not answers:
            gathering.counts["annotations are empty: left out"] += 1
        elif len(answers) > 1:
            raise ValueError(f"several answers in one annotation: {', '.join(map(str, answers))}")
        else:
            at = annotation.get("created_at")
            yield gathering.grade(answers[0]), _rater(annotation), at if isinstance(at, str) else ""


def _answers(result: Any) -> list[Any]:
    value = result.get("value") if isinstance(result, dict) else None
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("choices"), list):
        return list(value["choices"])
    return [value["rating"]] if "rating" in value else []


def _rater(annotation: Mapping[str, Any]) -> str:
    """Who did it: Label Studio gives a number, or all that it knows of the person."""
    person = annotation.get("completed_by")
    if isinstance(person, dict):
        person = next((person[key] for key in ("email", "username", "id") if person.get(key)), None)
    return "" if person is None else str(person).strip()


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    by_pair: dict[tuple[str, str], list[Opinion]] = {}
    for one in labelled.opinions:
        by_pair.setdefault((one.query_id, one.doc_id), []).append(one)
    tasks = []
    for number, ((query_id, doc_id), opinions) in enumerate(by_pair.items(), start=1):
        doc = labelled.docs.get(doc_id)
        data = {"query_id": query_id, "query": labelled.queries[query_id].text, "doc_id": doc_id}
        data |= {"title": doc.title, "text": doc.text} if doc else {}
        tasks.append({"id": number, "data": data, "annotations": [_annotation(one) for one in opinions]})
    replace_text(path, json.dumps(tasks, ensure_ascii=False, indent=1) + "\n")
    return lost(labelled, KEEPS)


def _annotation(one: Opinion) -> dict[str, Any]:
    answer = UNDECIDED if one.relevance is None else str(one.relevance)
    result = {"from_name": "relevance", "to_name": "text", "type": "choices", "value": {"choices": [answer]}}
    person = {"completed_by": {"email": one.rater}} if one.rater else {}
    at = {"created_at": one.at} if one.at else {}
    return {"result": [result], "was_cancelled": False, "ground_truth": False, **person, **at}


LABELSTUDIO = Format(lambda look: look.kind == "array" and {"data", "annotations"} <= set(look.names), _read, _write)
