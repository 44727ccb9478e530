"""BEIR folders: corpus.jsonl, queries.jsonl and qrels/*.tsv, read with care and written as everyone reads them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lexitune.errors import DataError
from lexitune.fingerprint import hash_text
from lexitune.io.atomic import replacing
from lexitune.io.ids import check_id, read_id
from lexitune.io.jsonl import open_lines, read_jsonl, write_jsonl
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc, Qrels, Query

__all__ = [
    "add_grade",
    "made_id",
    "read_docs",
    "read_grade",
    "read_qrels",
    "read_queries",
    "same_text",
    "write_docs",
    "write_qrels",
    "write_queries",
]

Record = TypeVar("Record", Doc, Query)

HEADER = "query-id\tcorpus-id\tscore"
HEADER_FIRST = {"query-id", "query_id", "queryid", "qid", "query", "topic"}
HEADER_LAST = {"score", "relevance", "rel", "label", "grade"}
MOST_GRADE = 1000


def made_id(prefix: str, text: str) -> str:
    """An id for a text that came without: equal texts, white space aside, have equal ids on every machine.

    Example:
        >>> made_id("q", "two  words") == made_id("q", " two words")
        True
    """
    return f"{prefix}-{hash_text(' '.join(text.split()))[:24]}"


def read_docs(path: Path, quarantine: Quarantine, *, make_ids: bool = False) -> list[Doc]:
    """Read a corpus in file order. An id given twice with the same text counts once.

    Args:
        path: JSON lines of `_id` (or `id`), `text`, and if wanted `title` and `metadata`; other keys are ignored.
        quarantine: Takes the lines that cannot be used.
        make_ids: Let a row without an id have one made of its text; equal texts are then one doc.

    Raises:
        DataError: No such file, too many bad lines, no docs, or one id with two texts.
    """

    def doc(row: dict[str, Any]) -> Doc:
        title, text = row.get("title") or "", row.get("text")
        if not isinstance(title, str) or not isinstance(text, str):
            raise ValueError("'text' and 'title' must be texts" if "text" in row else "no 'text'")
        if not (title + text).strip():
            raise ValueError("the text is empty")
        made = make_ids and "_id" not in row and "id" not in row
        doc_id = made_id("d", Doc("", text, title).full_text) if made else _id_of(row)
        return Doc(doc_id, text, title, _metadata(row))

    return list(_read(path, quarantine, doc, what="doc").values())


def read_queries(path: Path, quarantine: Quarantine) -> dict[str, Query]:
    """Read queries by id, in file order. An id given twice with the same text counts once.

    Raises:
        DataError: No such file, too many bad lines, no queries, or one id with two texts.
    """

    def query(row: dict[str, Any]) -> Query:
        text = row.get("text")
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                "no 'text'" if text is None else "the text is empty" if text == "" else "no text in 'text'"
            )
        return Query(_id_of(row), text, _metadata(row))

    return _read(path, quarantine, query, what="query")


def _read(
    path: Path, quarantine: Quarantine, make: Callable[[dict[str, Any]], Record], *, what: str
) -> dict[str, Record]:
    found: dict[str, Record] = {}
    lines: dict[str, int] = {}
    repeated = 0
    for number, row in read_jsonl(path, quarantine):
        try:
            record = make(row)
        except ValueError as error:
            quarantine.reject(path, number, str(error), str(row))
            continue
        record_id = record.doc_id if isinstance(record, Doc) else record.query_id
        first = found.setdefault(record_id, record)
        if first is record:
            lines[record_id] = number
        elif same_text(first, record):
            repeated += 1
        else:
            raise DataError(
                "E3005",
                f"{what} '{record_id}' has another text in line {lines[record_id]}",
                fix="give each text its own id, then import again",
                at=f"{path}:{number}",
            )
    quarantine.check(path)
    if not found:
        raise DataError(
            "E3003", f"{path} holds no {what}", fix=f'write one {{"_id": ..., "text": ...}} a line to {path}'
        )
    if repeated:
        quarantine.note(f"{repeated:,} lines of {path.name} repeat an id with the same text: merged")
    return found


def same_text(first: Doc | Query, second: Doc | Query) -> bool:
    """Whether two records have the same text, white space aside, as in the ids that are made of texts."""
    texts = [record.full_text if isinstance(record, Doc) else record.text for record in (first, second)]
    return texts[0].split() == texts[1].split()


def _id_of(row: Mapping[str, Any]) -> str:
    if "_id" not in row and "id" not in row:
        raise ValueError("no '_id'")
    return read_id(row["_id"] if "_id" in row else row["id"])


def _metadata(row: Mapping[str, Any]) -> dict[str, Any]:
    metadata = row.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise ValueError("'metadata' is no object")
    return metadata


def read_qrels(
    path: Path,
    quarantine: Quarantine,
    *,
    queries: Container[str] | None = None,
    docs: Container[str] | None = None,
) -> dict[str, dict[str, int]]:
    """Read judgements, with or without a header line.

    Args:
        path: Lines of query id, doc id and grade, separated by tabs.
        quarantine: Takes the lines that cannot be used.
        queries: The ids that exist; a judgement of another query is set aside. None: all are taken.
        docs: The same for docs.

    Raises:
        DataError: No such file, too many bad lines, or no judgements.
    """
    found: dict[str, dict[str, int]] = {}
    first = True
    for number, line in open_lines(path, quarantine):
        cells = line.split("\t")
        header = first and (cells[0].strip().lower() in HEADER_FIRST or cells[-1].strip().lower() in HEADER_LAST)
        first = False
        if header and not _is_grade(cells[-1]):
            continue
        try:
            query_id, doc_id, grade = _judgement(cells, queries, docs)
            add_grade(found, query_id, doc_id=doc_id, grade=grade)
        except ValueError as error:
            quarantine.reject(path, number, str(error), line)
            continue
    quarantine.check(path)
    if not found:
        raise DataError("E3003", f"{path} holds no judgements", fix=f"fill {path.name} with lines of {HEADER!r}")
    return found


def _judgement(cells: list[str], queries: Container[str] | None, docs: Container[str] | None) -> tuple[str, str, int]:
    if len(cells) != 3:
        raise ValueError(f"{len(cells)} columns; query-id, corpus-id and score, separated by tabs, are needed")
    query_id, doc_id, grade = read_id(cells[0]), read_id(cells[1]), read_grade(cells[2])
    if queries is not None and query_id not in queries:
        raise ValueError(f"no query '{query_id}'")
    if docs is not None and doc_id not in docs:
        raise ValueError(f"no doc '{doc_id}' in the corpus")
    return query_id, doc_id, grade


def _is_grade(cell: str) -> bool:
    try:
        read_grade(cell)
    except ValueError:
        return False
    return True


def add_grade(found: dict[str, dict[str, int]], query_id: str, *, doc_id: str, grade: int) -> None:
    """Add a judgement to those found so far; the same one may come again.

    Raises:
        ValueError: The pair was judged otherwise before.
    """
    before = found.get(query_id, {}).get(doc_id, grade)
    if before != grade:
        raise ValueError(f"'{query_id}', '{doc_id}' was judged {before} before, {grade} here")
    found.setdefault(query_id, {})[doc_id] = grade


def read_grade(cell: str) -> int:
    """A relevance grade: a whole number from 0 to 1000; "1.0" is 1.

    Raises:
        ValueError: Anything else.
    """
    try:
        value = float(cell)
    except ValueError as error:
        raise ValueError(f"the score {cell!r} is no number") from error
    if not 0 <= value <= MOST_GRADE or value != int(value):
        raise ValueError(f"the score {cell!r} is no whole number from 0 to {MOST_GRADE}")
    return int(value)


def write_docs(path: Path, docs: Iterable[Doc]) -> None:
    """Write a corpus, the whole file at once.

    Raises:
        DataError: An id or text that would not come back.
        StageFailed: The disk is full, or the place cannot be written to.
    """
    write_jsonl(
        path,
        ({"_id": check_id(doc.doc_id), "title": doc.title, "text": doc.text, **_filled(doc.metadata)} for doc in docs),
    )


def write_queries(path: Path, queries: Iterable[Query]) -> None:
    """Write queries, the whole file at once.

    Raises:
        DataError: An id or text that would not come back.
        StageFailed: The disk is full, or the place cannot be written to.
    """
    write_jsonl(
        path,
        ({"_id": check_id(query.query_id), "text": query.text, **_filled(query.metadata)} for query in queries),
    )


def _filled(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {"metadata": dict(metadata)} if metadata else {}


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Write judgements, the whole file at once, always with the header: BEIR's loader drops the first line.

    Raises:
        DataError: An id that would not come back.
        StageFailed: The disk is full, or the place cannot be written to.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(HEADER + "\n")
        for query_id, grades in qrels.items():
            check_id(query_id)
            file.writelines(f"{query_id}\t{check_id(doc_id)}\t{grade}\n" for doc_id, grade in grades.items())
