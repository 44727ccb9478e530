"""NVIDIA Nemotron's synthetic questions: a record of each document with its chunks, the questions that a model wrote
to them, and the scores that a model gave those. `nemotron embed sdg` writes it, and `nemotron embed prep` reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lexitune.errors import DataError
from lexitune.io.formats.cells import read_parquet
from lexitune.io.formats.look import look_at
from lexitune.io.formats.records import (
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
from lexitune.io.jsonl import ONE_DOCUMENT, first_line, is_parquet, open_text, read_json, read_jsonl, write_jsonl
from lexitune.io.quarantine import Quarantine

__all__ = ["NEMOTRON_SDG"]

CHUNKS, PAIRS, SCORES = "chunks", "deduplicated_qa_pairs", "qa_evaluations"
ENOUGH, BEST = 7.0, 10.0  # a question below the first is dropped by `prep`, so also here
MOST = 5  # right passages of a question that `prep` takes
CARRIED = ("query_type", "reasoning_type", "question_complexity", "hop_count")  # facts of a question beside it
KINDS = ("*.jsonl", "*.json", "*.parquet")
# Nothing of NVIDIA's reads `doc_id`, `query_id` and `metadata`, which we add: its own files have none.
KEEPS = ("doc", "ids", "metadata", "unjudged")


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    gathering = Gathering(path, quarantine, choices)
    for file in _files(path) if path.is_dir() else [path]:
        gathering.take(file, _records(file, quarantine), lambda record: _use(record, gathering))
    return gathering.done()


def _files(folder: Path) -> list[Path]:
    found = [files for kind in KINDS if (files := sorted(folder.glob(kind)))]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DataError("E3001", f"{folder} has no JSON and no Parquet file", fix="give the file that sdg wrote")
    names = ", ".join(files[0].name for files in found)
    raise DataError("E3002", f"{folder} holds files of several kinds: {names}", fix="give the one that sdg wrote last")


def _records(file: Path, quarantine: Quarantine) -> Iterable[tuple[int, Any]]:
    if is_parquet(file):
        return read_parquet([file], quarantine).rows
    with open_text(file) as lines:
        first = first_line(lines)
    if not ONE_DOCUMENT.match(first):
        return read_jsonl(file, quarantine)
    whole = read_json(file)
    rows = whole if isinstance(whole, list) else [whole]
    quarantine.seen[str(file)] += len(rows)
    return enumerate(rows, start=1)


def _use(record: Any, gathering: Gathering) -> None:
    if not isinstance(record, dict) or not isinstance(record.get(CHUNKS), list):
        raise ValueError(f"no record with a list '{CHUNKS}'")
    segments = _segments(record, gathering)
    pairs, scores = listed(record, PAIRS), _scores(record)
    if len(pairs) != len(scores):
        gathering.counts["records have not as many scores as questions: their questions are left out"] += 1
        return
    for pair, score in zip(pairs, scores, strict=True):
        if not isinstance(pair, Mapping):
            raise ValueError(f"{pair!r} is no question")
        named = [read_id(one) for one in listed(pair, "segment_ids")]
        if score is None:
            gathering.counts["questions have no score: left out"] += 1
        elif not score >= ENOUGH:
            gathering.counts[f"questions have a score below {ENOUGH:g}: left out"] += 1
        elif not named or not set(named) <= segments.keys():
            gathering.counts["questions name a chunk that is not there, or none: left out"] += 1
        else:
            facts = {name: pair[name] for name in CARRIED if pair.get(name) is not None}
            facts |= _object(pair.get("metadata"), "metadata")
            query_id = gathering.query(pair.get("question"), pair.get("query_id"), facts)
            for segment in named:
                gathering.judge(Opinion(query_id, segments[segment], 1))


def _segments(record: Mapping[str, Any], gathering: Gathering) -> dict[str, str]:
    """chunk_id -> doc_id."""
    found, family = dict[str, str](), _family(record)
    for chunk in record[CHUNKS]:
        if not isinstance(chunk, dict):
            raise ValueError(f"{chunk!r} is no chunk")
        if not chunk.get("text"):
            gathering.counts["chunks have no text: left out"] += 1
            continue
        # With an id it is ours, which says itself what family it is of.
        metadata = (chunk.get("metadata") or {}) if chunk.get("doc_id") else family
        found[read_id(chunk.get("chunk_id"))] = gathering.doc(chunk["text"], chunk.get("doc_id"), metadata=metadata)
    return found


def _family(record: Mapping[str, Any]) -> dict[str, str]:
    """The document that chunks are of, or the documents: a bundle is not divided, for its questions span it."""
    named = record.get("source_id") or record.get("file_name")
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    return {"family": " + ".join(sorted(map(str, names)))} if names else {}


def _scores(record: Mapping[str, Any]) -> list[float | None]:
    found = list[float | None]()
    for one in listed(_object(record.get(SCORES), SCORES), "evaluations"):
        score = _object(_object(one, "evaluation").get("overall"), "overall").get("score")
        found.append(None if score is None else score_of(score))
    return found


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"{name} {str(value)[:40]!r} is no object")
    return value or {}


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    answers = {query_id: [one.doc_id for one in right] for query_id, (right, _) in grouped(labelled).items() if right}
    for doc_ids in answers.values():
        for doc_id in doc_ids:
            text_of(labelled, doc_id)
    write_jsonl(path, _documents(labelled, answers))
    notes = lost(labelled, KEEPS) + without_right(labelled)
    if many := sum(len(doc_ids) > MOST for doc_ids in answers.values()):
        notes.append(f"{many:,} questions have more than {MOST} right passages: nemotron embed prep drops them")
    return notes


def _documents(labelled: Labelled, answers: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    """A record of each bundle: the documents that a question asks of together, whose chunks it names by number."""
    bundle = _bundles(labelled, answers)
    docs, asked = dict[str, list[str]](), dict[str, list[str]]()
    for doc_id in labelled.docs:
        docs.setdefault(bundle[doc_id], []).append(doc_id)
    for query_id, doc_ids in answers.items():
        asked.setdefault(bundle[doc_ids[0]], []).append(query_id)
    for name, doc_ids in docs.items():
        number = {doc_id: place for place, doc_id in enumerate(doc_ids, start=1)}
        pairs = [
            _pair(labelled, query_id, [number[doc_id] for doc_id in answers[query_id]])
            for query_id in asked.get(name, [])
        ]
        yield {
            # It reads them as paths, and divides by them.
            "file_name": sorted({quote(_document(labelled, doc_id), safe="") for doc_id in doc_ids}),
            CHUNKS: [_chunk(labelled, doc_id, place) for doc_id, place in number.items()],
            PAIRS: pairs,
            SCORES: {"evaluations": [{"overall": {"score": BEST}} for _ in pairs]},
        }


def _bundles(labelled: Labelled, answers: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """doc_id -> the name of its bundle: equal for passages of one document, and for right ones of one question."""
    above = dict[str, str]()

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = name = above.setdefault(above[name], above[name])
        return name

    for doc_ids in answers.values():
        first, *others = (_document(labelled, doc_id) for doc_id in doc_ids)
        for other in others:
            above[top(other)] = top(first)
    return {doc_id: top(_document(labelled, doc_id)) for doc_id in labelled.docs}


def _document(labelled: Labelled, doc_id: str) -> str:
    return str(labelled.docs[doc_id].metadata.get("family") or doc_id)


def _chunk(labelled: Labelled, doc_id: str, number: int) -> dict[str, Any]:
    doc = labelled.docs[doc_id]
    chunk: dict[str, Any] = {"chunk_id": number, "text": doc.full_text, "doc_id": check_id(doc_id)}
    return chunk | ({"metadata": dict(doc.metadata)} if doc.metadata else {})


def _pair(labelled: Labelled, query_id: str, segments: Sequence[int]) -> dict[str, Any]:
    query = labelled.queries[query_id]
    carried = {name: query.metadata[name] for name in CARRIED if name in query.metadata}
    others = {name: value for name, value in query.metadata.items() if name not in CARRIED}
    pair: dict[str, Any] = {"question": query.text, "answer": "", "segment_ids": list(segments)}
    pair |= {"query_id": check_id(query_id)}
    return pair | carried | ({"metadata": others} if others else {})


def _fits(look: Look) -> bool:
    if look.kind != "folder":
        return look.kind != "hub" and {CHUNKS, PAIRS} <= set(look.names)
    # Others call a file so too: a split of a data set, the queries that a model wrote to a BEIR corpus.
    made = (file for kind in KINDS for file in sorted(look.path.glob(f"generated{kind}")))
    return any(_holds_records(file) for file in made)


def _holds_records(file: Path) -> bool:
    try:
        return file.is_file() and _fits(look_at(file))
    except DataError:  # whose it is cannot be told, and another format may fit the folder
        return False


NEMOTRON_SDG = Format(_fits, _read, _write)
