"""NVIDIA NeMo Automodel: JSON lines of one query with its passages' texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lexitune.io.formats.records import (
    NOT_RELEVANT,
    Choices,
    Format,
    Gathering,
    Labelled,
    Opinion,
    grouped,
    lost,
    text_of,
)
from lexitune.io.formats.triplets import without_right
from lexitune.io.jsonl import read_jsonl, write_jsonl
from lexitune.io.quarantine import Quarantine

__all__ = ["AUTOMODEL"]

KEEPS = ("doc", "wrong")


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    gathering = Gathering(path, quarantine, choices)

    def use(row: dict[str, Any]) -> None:
        query_id = gathering.query(row["query"] if "query" in row else row.get("question"))
        right = _texts(row, "pos_doc")
        if not right:
            raise ValueError("no passage in 'pos_doc'")
        for texts, relevance in ((right, 1), (_texts(row, "neg_doc"), NOT_RELEVANT)):
            for text in texts:
                gathering.judge(Opinion(query_id, gathering.doc(text), relevance), is_mined=True)

    gathering.take(path, read_jsonl(path, quarantine), use)
    return gathering.done()


def _texts(row: dict[str, Any], side: str) -> list[Any]:
    given = row.get(side)
    listed = given if isinstance(given, list) else [] if given is None else [given]
    return [one.get("text") if isinstance(one, dict) else one for one in listed]


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    lines = (
        {
            "query": labelled.queries[query_id].text,
            "pos_doc": [text_of(labelled, one.doc_id) for one in right],
            "neg_doc": [text_of(labelled, one.doc_id) for one in wrong],
        }
        for query_id, (right, wrong) in grouped(labelled).items()
        if right
    )
    write_jsonl(path, lines)
    return lost(labelled, KEEPS) + without_right(labelled)


AUTOMODEL = Format(lambda look: look.kind == "jsonl" and "pos_doc" in look.names, _read, _write, trains=True)
