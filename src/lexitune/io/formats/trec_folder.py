"""TREC: qrels of four columns, with the queries and the corpus beside them as TSV or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.beir import write_docs, write_queries
from lexitune.io.formats.beir_folder import grades_of
from lexitune.io.formats.records import Choices, Format, Gathering, Labelled, Look, Opinion, lost
from lexitune.io.ids import read_id
from lexitune.io.jsonl import first_line, open_lines, open_text, read_jsonl
from lexitune.io.quarantine import Quarantine
from lexitune.io.trec import as_word, read_trec_qrels, write_trec_qrels

__all__ = ["TREC"]

KEEPS = ("doc", "title", "ids", "metadata", "grade", "wrong", "unjudged")
QUERIES = ("queries", "topics")
DOCS = ("corpus", "collection", "docs")
ENDINGS = ("jsonl", "tsv", "jsonl.gz", "tsv.gz")


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    """A folder of one qrels file, or that file: the texts lie beside it."""
    folder, qrels = (path, _find_qrels(path, choices)) if path.is_dir() else (path.parent, path)
    gathering = Gathering(qrels, quarantine, choices)
    queries, docs = _beside(folder, QUERIES), _beside(folder, DOCS)
    if queries is None:
        raise DataError(
            "E3001",
            f"{folder} has no texts of queries: no {' or '.join(f'{name}.tsv' for name in QUERIES)}, nor .jsonl",
            fix=f"write lines of query id, tab and text to {folder / 'queries.tsv'}",
        )

    def use_query(row: dict[str, Any]) -> None:
        gathering.query(row.get("text"), _id(row), row.get("metadata"))

    def use_doc(row: dict[str, Any]) -> None:
        gathering.doc(row.get("text"), _id(row), title=row.get("title"), metadata=row.get("metadata"))

    gathering.take(queries, _texts(queries, quarantine), use_query)
    if docs is not None:
        gathering.take(docs, _texts(docs, quarantine), use_doc)
    asked, answers = ({as_word(name): name for name in table} for table in (gathering.queries, gathering.docs))
    for query, grades in read_trec_qrels(qrels, quarantine).items():
        query_id = asked.get(query)
        if query_id is None:
            gathering.counts["judgements are of queries without a text: left out"] += len(grades)
            continue
        for doc, grade in grades.items():
            doc_id = answers.get(doc, doc)
            if docs is not None and doc_id not in gathering.docs:
                gathering.counts[f"judgements are of passages that {docs.name} lacks: left out"] += 1
            else:
                gathering.judge(Opinion(query_id, doc_id, grade))
    _refuse_strangers(gathering, qrels)
    return gathering.done()


def _refuse_strangers(gathering: Gathering, qrels: Path) -> None:
    left_out = sum(gathering.counts.values())
    seen = left_out + len(gathering.opinions)
    if left_out > gathering.quarantine.max_share * seen:
        raise DataError(
            "E3004",
            f"{left_out:,} of {seen:,} judgements of {qrels} are of queries or passages without a text",
            fix="give the queries and the corpus that these judgements were made on",
        )


def _id(row: dict[str, Any]) -> str:
    return read_id(next((row[name] for name in ("_id", "id", "docid", "query_id") if name in row), ""))


def _texts(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, dict[str, Any]]]:
    with open_text(path) as file:
        start = first_line(file)
    if start.startswith("{"):
        yield from read_jsonl(path, quarantine)
        return
    for number, line in open_lines(path, quarantine):
        name, _, text = line.partition("\t")
        yield number, {"id": name, "text": text}


def _beside(folder: Path, names: tuple[str, ...]) -> Path | None:
    found = (folder / f"{name}.{ending}" for name in names for ending in ENDINGS)
    return next((path for path in found if path.is_file()), None)


def _find_qrels(folder: Path, choices: Choices) -> Path:
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and "qrels" in path.name.lower()]
    if choices.split:
        found = [path for path in found if choices.split in path.name]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DataError("E3001", f"{folder} has no file of qrels", fix=f"call it {folder / 'qrels.txt'}")
    problem = f"{folder} has several qrels: {', '.join(path.name for path in found)}"
    raise DataError("E3028", problem, fix=f"name one of them: lexitune collect pairs {found[0]}")


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    write_trec_qrels(path / f"qrels.{split}.txt", grades_of(labelled))
    write_queries(path / "queries.jsonl", labelled.queries.values())
    if labelled.docs:
        write_docs(path / "corpus.jsonl", labelled.docs.values())
    notes = lost(labelled, KEEPS)
    if encoded := [name for name in (*labelled.queries, *labelled.docs) if as_word(name) != name]:
        first = f"{encoded[0]!r} as {as_word(encoded[0])}"
        notes.append(f"{len(encoded):,} ids hold white space, which the qrels have percent-encoded: {first}")
    return notes


def _fits(look: Look) -> bool:
    if look.kind == "folder":
        return any("qrels" in name.lower() and "/" not in name and not name.endswith(".jsonl") for name in look.names)
    return look.kind == "table" and len(look.first) == 4 and look.first[1] in ("0", "Q0") and _is_number(look.first[3])


def _is_number(cell: str) -> bool:
    return cell.lstrip("-").isdigit()


TREC = Format(_fits, _read, _write)
