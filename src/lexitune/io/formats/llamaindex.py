"""LlamaIndex: the JSON of an EmbeddingQAFinetuneDataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.atomic import replace_text
from lexitune.io.formats.records import Choices, Format, Gathering, Labelled, Opinion, grouped, lost, text_of
from lexitune.io.ids import check_id, read_id
from lexitune.io.jsonl import read_json
from lexitune.io.quarantine import Quarantine

__all__ = ["LLAMAINDEX"]

PARTS = ("queries", "corpus", "relevant_docs")
KEEPS = ("doc", "ids", "unjudged")


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(found.get(part), dict) for part in PARTS):
        fix = "give the file that EmbeddingQAFinetuneDataset.save_json writes"
        raise DataError("E3002", f"{path} has no {', '.join(PARTS)}", fix=fix)
    if found.get("mode", "text") != "text":
        fix = "give a data set of texts"
        raise DataError("E3002", f"{path} is of mode '{found['mode']}'; only text is read", fix=fix)
    gathering = Gathering(path, quarantine, choices)

    def use_query(row: tuple[str, Any]) -> None:
        gathering.query(row[1], read_id(row[0]))

    def use_doc(row: tuple[str, Any]) -> None:
        gathering.doc(row[1], read_id(row[0]))

    def use_relevant(row: tuple[str, Any]) -> None:
        query_id, listed = read_id(row[0]), row[1]
        if query_id not in gathering.queries:
            raise ValueError(f"no query '{query_id}'")
        if not isinstance(listed, list):
            raise ValueError("no list of passages")
        for doc_id in map(read_id, listed):
            if doc_id not in gathering.docs:
                raise ValueError(f"no doc '{doc_id}' in the corpus")
            gathering.judge(Opinion(query_id, doc_id, 1))

    for part, use in zip(PARTS, (use_query, use_doc, use_relevant), strict=True):
        rows = list(enumerate(found[part].items(), start=1))
        quarantine.seen[str(path)] += len(rows)
        gathering.take(path, rows, use)
    return gathering.done()


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    relevant = {
        check_id(query_id): [one.doc_id for one in right] for query_id, (right, _) in grouped(labelled).items() if right
    }
    for listed in relevant.values():
        for doc_id in listed:
            text_of(labelled, doc_id)
    whole = {
        # Its readers look each query up among the relevant ones.
        "queries": {query_id: labelled.queries[query_id].text for query_id in relevant},
        "corpus": {check_id(doc_id): doc.full_text for doc_id, doc in labelled.docs.items()},
        "relevant_docs": relevant,
        "mode": "text",
    }
    replace_text(path, json.dumps(whole, ensure_ascii=False, indent=1) + "\n")
    bare = len(labelled.queries) - len(relevant)
    return lost(labelled, KEEPS) + ([f"{bare:,} queries have no right passage: left out"] if bare else [])


LLAMAINDEX = Format(lambda look: look.kind in ("json", "jsonl") and set(PARTS) <= set(look.names), _read, _write)
