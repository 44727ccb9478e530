"""BEIR folders: the layout of our own data sets, of MTEB's sources and of most benchmarks."""

from __future__ import annotations

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

    Raises:
        DataError: Raters disagree, or an id would not come back.
        StageFailed: The disk is full, or the place cannot be written to.
    """
    qrels = grades_of(labelled)
    write_docs(path / "corpus.jsonl", _all_docs(labelled))
    write_queries(path / "queries.jsonl", labelled.queries.values())
    write_qrels(path / "qrels" / f"{split}.tsv", qrels)
    notes = lost(labelled, KEEPS)
    if both := labelled.docs.keys() & labelled.queries.keys():
        notes.append(
            f"{len(both):,} ids name a query and a passage ('{min(both)}'): BEIR's evaluator drops a passage that is "
            "called as its query"
        )
    return notes


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
