"""Tevatron: JSON lines of one query with its passages, or with their ids and a corpus beside them."""

from __future__ import annotations

from collections.abc import Mapping
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
    listed,
    lost,
    text_of,
)
from lexitune.io.formats.triplets import without_right
from lexitune.io.ids import check_id, read_id
from lexitune.io.jsonl import first_line, open_text, read_jsonl, write_jsonl
from lexitune.io.quarantine import Quarantine

__all__ = ["TEVATRON"]

SIDES = (("positive", 1), ("negative", NOT_RELEVANT))
CORPUS = "corpus.jsonl"
KEEPS = ("doc", "title", "ids", "wrong")


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    gathering = Gathering(path, quarantine, choices)

    def use_doc(row: dict[str, Any]) -> None:
        _keep(row, gathering)

    def use(row: dict[str, Any]) -> None:
        query_id = gathering.query(row["query"] if "query" in row else row.get("query_text"), row.get("query_id"))
        sides = [(_passages(row, side, gathering), relevance) for side, relevance in SIDES]
        if not sides[0][0]:
            raise ValueError("no passage in 'positive_passages' or 'positive_document_ids'")
        for doc_ids, relevance in sides:
            for doc_id in doc_ids:
                gathering.judge(Opinion(query_id, doc_id, relevance), is_mined=True)

    corpus = path.with_name(CORPUS)
    if _names_ids(path) and corpus.is_file():  # without it they are known by their ids alone: --corpus
        gathering.take(corpus, read_jsonl(corpus, quarantine), use_doc)
    gathering.take(path, read_jsonl(path, quarantine), use)
    return gathering.done()


def _names_ids(path: Path) -> bool:
    with open_text(path) as lines:
        return '"positive_document_ids"' in first_line(lines)


def _keep(passage: Any, gathering: Gathering) -> str:
    if not isinstance(passage, Mapping):
        raise ValueError(f"{passage!r} is no passage")
    text = passage["text"] if "text" in passage else passage.get("document_text")
    return gathering.doc(text, passage.get("docid"), title=passage.get("title"))


def _passages(row: Mapping[str, Any], side: str, gathering: Gathering) -> list[str]:
    given, ids = listed(row, f"{side}_passages"), listed(row, f"{side}_document_ids")
    return [*(_keep(passage, gathering) for passage in given), *map(read_id, ids)]


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    found = {query_id: sides for query_id, sides in grouped(labelled).items() if sides[0]}
    # All or none: it reads a title that one passage lacks as None, and stops there.
    titled = any(labelled.docs[one.doc_id].title for one in labelled.opinions if one.doc_id in labelled.docs)

    def passage(one: Opinion) -> dict[str, str]:
        text, doc = text_of(labelled, one.doc_id), labelled.docs[one.doc_id]
        texts = {"title": doc.title, "text": doc.text} if titled else {"text": text}
        return {"docid": check_id(one.doc_id), **texts}

    write_jsonl(
        path,
        (
            {
                "query_id": check_id(query_id),
                "query": labelled.queries[query_id].text,
                "positive_passages": [passage(one) for one in right],
                "negative_passages": [passage(one) for one in wrong],
            }
            for query_id, (right, wrong) in found.items()
        ),
    )
    notes = lost(labelled, KEEPS) + without_right(labelled)
    if bare := sum(not wrong for _, wrong in found.values()):
        notes.append(f"{bare:,} queries have no negative: Tevatron stops at them unless train_group_size is 1")
    return notes


TEVATRON = Format(
    lambda look: look.kind == "jsonl" and not {"positive_passages", "positive_document_ids"}.isdisjoint(look.names),
    _read,
    _write,
    trains=True,
)
