"""NVIDIA Nemotron's training set: a JSON of ids, with the corpus as Parquet in a folder that the JSON names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.atomic import replace_text
from lexitune.io.formats.cells import read_parquet, write_parquet
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
from lexitune.io.jsonl import read_json
from lexitune.io.quarantine import Quarantine

__all__ = ["NEMOTRON"]

CORPUS, RECORD = "corpus", "merlin_metadata.json"
UNMINED = -1.0  # the score of a negative that nobody scored
KEEPS = ("doc", "ids", "wrong", "score")


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    file = _file_in(path, choices.split) if path.is_dir() else path
    found = read_json(file)
    if not isinstance(found, dict) or not isinstance(found.get("data"), list):
        fix = "give the train.json that nemotron embed prep writes"
        raise DataError("E3002", f"{file} has no list 'data'", fix=fix)
    gathering = Gathering(file, quarantine, choices)

    def use_doc(row: Mapping[str, Any]) -> None:
        gathering.doc(row.get("text"), read_id(row.get("id")))

    for folder in _corpus_folders(file, found.get("corpus")):
        corpus = folder / "train.parquet"
        if not corpus.is_file():
            raise DataError("E3001", f"no such file: {corpus}", fix=f"copy the corpus that {file.name} names beside it")
        gathering.take(corpus, read_parquet([corpus], quarantine).rows, use_doc)

    def use(row: Any) -> None:
        if not isinstance(row, dict):
            raise ValueError("no object")
        query_id = gathering.query(row["question"] if "question" in row else row.get("query"), row.get("question_id"))
        if not row.get("pos_doc"):
            raise ValueError("no passage in 'pos_doc'")
        for side, relevance in (("pos_doc", 1), ("neg_doc", NOT_RELEVANT)):
            for one in listed(row, side):
                gathering.judge(_opinion(gathering, query_id, one, relevance), is_mined=True)

    rows = list(enumerate(found["data"], start=1))
    quarantine.seen[str(file)] += len(rows)
    gathering.take(file, rows, use)
    return gathering.done()


def _file_in(folder: Path, split: str) -> Path:
    found = sorted(folder.glob("*.json"))
    wanted = [file for file in found if file.stem == (split or "train")] or ([] if split else found)
    if len(wanted) == 1:
        return wanted[0]
    fix = f"--split {found[0].stem}" if found else "give the folder of train.json"
    raise DataError("E3028", f"{folder} has no {split or 'train'}.json", fix=fix)


def _opinion(gathering: Gathering, query_id: str, one: Any, relevance: int) -> Opinion:
    doc_id = read_id(one.get("id") if isinstance(one, dict) else one)
    if doc_id not in gathering.docs:
        raise ValueError(f"no doc '{doc_id}' in the corpus")
    score = one.get("score") if isinstance(one, dict) else None
    return Opinion(query_id, doc_id, relevance, score=None if score in (None, UNMINED) else score_of(score))


def _corpus_folders(file: Path, given: Any) -> list[Path]:
    entries = given if isinstance(given, list) else [given]
    home, folders = file.parent.resolve(), []
    for entry in entries:
        named = entry.get("path") if isinstance(entry, dict) else entry
        if not isinstance(named, str):
            raise DataError("E3002", f"{file} names no corpus", fix='write "corpus": {"path": "./corpus/"} into it')
        folder = (home / named).resolve()
        # A file from elsewhere must not make us read what its sender cannot: links are followed before we look.
        if not folder.is_relative_to(home) or not (folder / "train.parquet").resolve().is_relative_to(home):
            fix = f"copy the corpus into {file.parent}, and name it there"
            raise DataError("E3024", f"{file} names a corpus outside its folder: {named}", fix=fix)
        folders.append(folder)
    return folders


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    name = path.name or "corpus"
    data = [
        {
            "question_id": check_id(query_id),
            "question": labelled.queries[query_id].text,
            "corpus_id": name,
            "pos_doc": [_reference(one) for one in right],
            "neg_doc": [_reference(one) for one in wrong],
        }
        for query_id, (right, wrong) in grouped(labelled).items()
        if right
    ]
    for one in labelled.opinions:
        text_of(labelled, one.doc_id)
    docs = [{"id": check_id(doc.doc_id), "text": doc.full_text} for doc in labelled.docs.values()]
    write_parquet(path / CORPUS / "train.parquet", ("id", "text"), docs)
    replace_text(path / CORPUS / RECORD, json.dumps({"class": "TextQADataset", "corpus_id": name}) + "\n")
    whole = {"corpus": {"path": f"./{CORPUS}/"}, "data": data}
    replace_text(path / f"{split}.json", json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    notes = lost(labelled, (*KEEPS, "unjudged")) + without_right(labelled)
    if bare := sum(not one["neg_doc"] for one in data):
        notes.append(f"{bare:,} questions have no negative: Automodel reads them with n_passages: 1 alone")
    return notes


def _reference(one: Opinion) -> dict[str, Any]:
    return {"id": one.doc_id} if one.score is None else {"id": one.doc_id, "score": one.score}


def _fits(look: Look) -> bool:
    if look.kind == "folder":
        has_questions = any(name.endswith(".json") and "/" not in name for name in look.names)
        return has_questions and f"{CORPUS}/{RECORD}" in look.names
    return look.kind in ("json", "jsonl") and {"corpus", "data"} <= set(look.names)


NEMOTRON = Format(_fits, _read, _write, trains=True)
