"""FlagEmbedding: JSON lines of one query with its passages, and its own form of an evaluation set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.formats.beir_folder import chosen_split, grades_of
from lexitune.io.formats.records import (
    NOT_RELEVANT,
    Choices,
    Format,
    Gathering,
    Labelled,
    Look,
    Opinion,
    grouped,
    listed,
    lost,
    score_of,
    text_of,
)
from lexitune.io.formats.triplets import without_right
from lexitune.io.ids import check_id, read_id
from lexitune.io.jsonl import read_jsonl, write_jsonl
from lexitune.io.quarantine import Quarantine

__all__ = ["FLAG", "FLAG_EVAL"]

CARRIED = ("prompt", "type")  # facts of a query that stand beside it
EVALUATED = "test"  # the only split that it knows of a folder of one's own
KEEPS = ("doc", "wrong", "score")
KEEPS_EVAL = ("doc", "title", "ids", "grade", "wrong", "unjudged")


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    gathering = Gathering(path, quarantine, choices)

    def use(row: dict[str, Any]) -> None:
        query_id = gathering.query(row.get("query"), metadata={name: row[name] for name in CARRIED if row.get(name)})
        if not row.get("pos"):
            raise ValueError("no passage in 'pos'")
        for side, relevance in (("pos", 1), ("neg", NOT_RELEVANT)):
            for text, score in _scored(row, side):
                opinion = Opinion(query_id, gathering.doc(text), relevance, score=score)
                gathering.judge(opinion, is_mined=True)

    gathering.take(path, read_jsonl(path, quarantine), use)
    return gathering.done()


def _scored(row: Mapping[str, Any], side: str) -> Iterator[tuple[str, float | None]]:
    texts, scores = listed(row, side), row.get(f"{side}_scores")
    if scores is None:
        yield from ((text, None) for text in texts)
        return
    if not isinstance(scores, list) or len(scores) != len(texts):
        raise ValueError(f"'{side}_scores' is no list as long as '{side}'")
    for text, score in zip(texts, scores, strict=True):
        yield text, score_of(score)


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    found, notes = grouped(labelled), lost(labelled, KEEPS)
    # What a query was not asked with is lost; what stands in its line is not.
    notes = [note for note in notes if "metadata" not in note or not _only_carried(labelled)]
    if half := sum(_is_half_scored(sides) for sides in found.values()):
        notes.append(f"{half:,} queries have scores for some passages only: their scores are left out")
    lines = [_line(labelled, query_id, sides) for query_id, sides in found.items() if sides[0]]
    if bare := sum(not line["neg"] for line in lines):
        notes.append(f"{bare:,} queries have no negative: FlagEmbedding stops at them unless train_group_size is 1")
    if 0 < (prompted := sum("prompt" in line for line in lines)) < len(lines):
        notes.append(f"{prompted:,} of {len(lines):,} queries have a prompt: the others get 'None' from FlagEmbedding")
    write_jsonl(path, lines)
    return notes + without_right(labelled)


def _only_carried(labelled: Labelled) -> bool:
    plain = all(not doc.metadata for doc in labelled.docs.values())
    return plain and all(query.metadata.keys() <= set(CARRIED) for query in labelled.queries.values())


def _is_half_scored(sides: tuple[list[Opinion], list[Opinion]]) -> bool:
    scored = [one.score is not None for side in sides for one in side]
    return any(scored) and not all(scored)


def _line(labelled: Labelled, query_id: str, sides: tuple[list[Opinion], list[Opinion]]) -> dict[str, Any]:
    query = labelled.queries[query_id]
    right, wrong = ([text_of(labelled, one.doc_id) for one in side] for side in sides)
    line: dict[str, Any] = {"query": query.text, "pos": right, "neg": wrong}
    scores: Sequence[list[float | None]] = [[one.score for one in side] for side in sides]
    if all(score is not None for side in scores for score in side):
        line |= {"pos_scores": scores[0], "neg_scores": scores[1]}
    return line | {name: query.metadata[name] for name in CARRIED if name in query.metadata}


def _read_eval(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    found = sorted(file.name.removesuffix("_qrels.jsonl") for file in path.glob("*_qrels.jsonl"))
    if not found:
        fix = "give the folder of corpus.jsonl, test_queries.jsonl and test_qrels.jsonl"
        raise DataError("E3001", f"{path} has no *_qrels.jsonl", fix=fix)
    corpus, gathering = path / "corpus.jsonl", Gathering(path, quarantine, choices)

    def use_doc(row: dict[str, Any]) -> None:
        gathering.doc(row.get("text"), read_id(row.get("id")), title=row.get("title"))

    def use_query(row: dict[str, Any]) -> None:
        gathering.query(row.get("text"), read_id(row.get("id")))

    def use_grade(row: dict[str, Any]) -> None:
        query_id, doc_id = read_id(row.get("qid")), read_id(row.get("docid"))
        if query_id not in gathering.queries:
            raise ValueError(f"no query '{query_id}'")
        if doc_id not in gathering.docs:
            raise ValueError(f"no doc '{doc_id}' in the corpus")
        gathering.judge(Opinion(query_id, doc_id, gathering.grade(row.get("relevance"))))

    gathering.take(corpus, read_jsonl(corpus, quarantine), use_doc)
    for split in chosen_split(found, choices.split, path):
        queries, qrels = path / f"{split}_queries.jsonl", path / f"{split}_qrels.jsonl"
        gathering.take(queries, read_jsonl(queries, quarantine), use_query)
        gathering.take(qrels, read_jsonl(qrels, quarantine), use_grade)
    return gathering.done()


def _write_eval(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    for one in labelled.opinions:
        text_of(labelled, one.doc_id)
    docs, queries, qrels = labelled.docs.values(), labelled.queries.values(), grades_of(labelled)
    write_jsonl(
        path / "corpus.jsonl", ({"id": check_id(one.doc_id), "title": one.title, "text": one.text} for one in docs)
    )
    write_jsonl(
        path / f"{EVALUATED}_queries.jsonl", ({"id": check_id(one.query_id), "text": one.text} for one in queries)
    )
    write_jsonl(
        path / f"{EVALUATED}_qrels.jsonl",
        (
            {"qid": query_id, "docid": doc_id, "relevance": grade}
            for query_id, grades in qrels.items()
            for doc_id, grade in grades.items()
        ),
    )
    called = f"FlagEmbedding evaluates a folder by the split '{EVALUATED}': these are the judgements of {split}"
    return lost(labelled, KEEPS_EVAL) + ([called] if split != EVALUATED else [])


def _fits(look: Look) -> bool:
    return look.kind == "jsonl" and {"query", "pos"} <= set(look.names)


def _fits_eval(look: Look) -> bool:
    return look.kind == "folder" and any(name.endswith("_qrels.jsonl") for name in look.names)


FLAG = Format(_fits, _read, _write, trains=True)
FLAG_EVAL = Format(_fits_eval, _read_eval, _write_eval)
