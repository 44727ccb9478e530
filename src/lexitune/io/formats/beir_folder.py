"""BEIR folders: the layout of our own data sets, of MTEB's sources and of most benchmarks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lexitune.errors import DataError
from lexitune.io.beir import read_docs, read_qrels, read_queries, write_docs, write_qrels, write_queries
from lexitune.io.dataset import data_files
from lexitune.io.formats.records import Choices, Format, Labelled, Look, Opinion, grouped, lost
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc

__all__ = ["BEIR", "chosen_split", "grades_of", "write_beir"]

KEEPS = ("doc", "title", "ids", "metadata", "grade", "wrong", "unjudged")


def chosen_split(splits: list[str], wanted: str, path: Path) -> list[str]:
    """The splits to read: all, or the one wanted.

    Raises:
        DataError: The one wanted is not there.
    """
    if not wanted:
        return splits
    if wanted not in splits:
        raise DataError("E3028", f"{path} has no split '{wanted}'", fix=f"--split {' or '.join(splits) or 'train'}")
    return [wanted]


def grades_of(labelled: Labelled) -> dict[str, dict[str, int]]:
    """The opinions as qrels.

    Raises:
        DataError: Raters disagree: qrels have room for one grade.
    """
    return {
        query_id: {one.doc_id: one.relevance or 0 for side in sides for one in side}
        for query_id, sides in grouped(labelled).items()
    }


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    files = data_files(path)
    docs = {doc.doc_id: doc for doc in read_docs(files["corpus"], quarantine)}
    queries = read_queries(files["queries"], quarantine)
    splits = [name.removeprefix("qrels/") for name in files if name.startswith("qrels/")]
    opinions: dict[tuple[str, str], Opinion] = {}
    for split in chosen_split(splits, choices.split, path):
        qrels = read_qrels(files[f"qrels/{split}"], quarantine, queries=queries, docs=docs)
        for query_id, grades in qrels.items():
            for doc_id, grade in grades.items():
                before = opinions.setdefault((query_id, doc_id), Opinion(query_id, doc_id, grade))
                if before.relevance != grade:
                    raise DataError(
                        "E3005",
                        f"'{query_id}', '{doc_id}' has two grades in the splits of {path}",
                        fix=f"name the one to read: --split {split}",
                    )
    return Labelled(queries, docs, list(opinions.values()))


def write_beir(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    """Write a BEIR folder with one split; what it could not hold.

    BEIR's evaluator and MTEB's drop a passage that is called as its query, so such a query gets another id.

    Raises:
        DataError: Raters disagree, or an id would not come back.
        StageFailed: The disk is full, or the place cannot be written to.
    """
    names = _apart(labelled)
    qrels = {names.get(query_id, query_id): grades for query_id, grades in grades_of(labelled).items()}
    queries = (replace(query, query_id=names.get(name, name)) for name, query in labelled.queries.items())
    write_docs(path / "corpus.jsonl", _all_docs(labelled))
    write_queries(path / "queries.jsonl", queries)
    write_qrels(path / "qrels" / f"{split}.tsv", qrels)
    notes = lost(labelled, KEEPS)
    if names:
        first, last = min(names.items())
        notes.append(
            f"{len(names):,} queries bear the id of a passage, which BEIR's evaluator would then drop: they are "
            f"written under another, '{first}' as '{last}'"
        )
    return notes


def _apart(labelled: Labelled) -> dict[str, str]:
    """A new id for each query that bears a passage's; nobody else has it."""
    taken, found = {*labelled.docs, *labelled.queries}, dict[str, str]()
    for query_id in labelled.queries:
        if query_id in labelled.docs:
            name = f"q-{query_id}"
            while name in taken:
                name = f"q-{name}"
            taken.add(name)
            found[query_id] = name
    return found


def _all_docs(labelled: Labelled) -> list[Doc]:
    for one in labelled.opinions:
        if one.doc_id not in labelled.docs:
            fix = "read the labels with the passages: --corpus corpus.jsonl"
            raise DataError("E3322", f"passage '{one.doc_id}' has no text, which this format holds", fix=fix)
    return list(labelled.docs.values())


def _fits(look: Look) -> bool:
    names = {name.removesuffix(".gz") for name in look.names}
    has_qrels = any(name.startswith("qrels/") and name.endswith(".tsv") for name in names)
    return look.kind == "folder" and has_qrels and {"corpus.jsonl", "queries.jsonl"} <= names


BEIR = Format(_fits, _read, write_beir)
