"""Pairs of query and passage from a table or JSON lines: what users have when they have no ids."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lexitune.errors import DataError
from lexitune.io.jsonl import UNDECODED, open_lines, open_text, read_jsonl
from lexitune.io.quarantine import NOT_UTF8, Quarantine

__all__ = ["DOC_NAMES", "QUERY_NAMES", "read_pairs"]

QUERY_NAMES = ("query", "question", "anchor")
DOC_NAMES = ("passage", "doc", "document", "positive", "text", "answer")
# In this order: of two that cut equally evenly, the first is taken.
CUTS: tuple[tuple[str, Literal[0, 3]], ...] = (
    ("\t", csv.QUOTE_NONE),
    ("\t", csv.QUOTE_MINIMAL),
    (",", csv.QUOTE_MINIMAL),
    (";", csv.QUOTE_MINIMAL),
    ("|", csv.QUOTE_MINIMAL),
)
SAMPLE = 200  # records looked at to find the delimiter
FIELD_LIMIT = 1 << 26  # characters; the csv module's own limit would refuse a long passage

Pair = tuple[str, str]


def read_pairs(path: Path, quarantine: Quarantine) -> list[Pair]:
    """Read (query, passage) in file order from CSV, TSV or JSON lines, told by content.

    The delimiter is the one that gives the same number of columns in most rows. Columns are found
    by name (query, question or anchor; passage, doc, document, positive, text or answer); without
    such a header the first two columns are taken, and a note says so.

    Raises:
        DataError: No such file, a file of another kind, columns that cannot be told apart, too many
            bad lines, or no pairs.
    """
    with open_text(path) as file:
        start = next((line.strip() for line in file if line.strip()), "")
    read = _from_jsonl if start.startswith(("{", "[")) else _from_table
    pairs: list[Pair] = []
    for line, query, doc in read(path, quarantine):
        query, doc = _tidy(query), _tidy(doc)
        if query and doc:
            pairs.append((query, doc))
        else:
            quarantine.reject(path, line, f"the {'passage' if query else 'query'} is empty", f"{query} | {doc}")
    quarantine.check(path)
    if not pairs:
        raise DataError("E3003", f"{path} holds no pairs", fix="write one query and one passage a line")
    return pairs


def _tidy(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _from_jsonl(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, str, str]]:
    for number, row in read_jsonl(path, quarantine):
        query = next((row[name] for name in QUERY_NAMES if name in row), None)
        doc = next((row[name] for name in DOC_NAMES if name in row), None)
        if isinstance(query, str) and isinstance(doc, str):
            yield number, query, doc
        else:
            keys = ", ".join(row) or "none"
            quarantine.reject(path, number, f"no text under 'query' and 'passage'; keys: {keys}", str(row))


@dataclass(frozen=True, slots=True)
class Shape:
    """How the rows of a table are cut, and which columns count."""

    delimiter: str
    width: int
    query: int
    doc: int
    header: bool


def _from_table(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, str, str]]:
    with _long_fields():
        shape = _shape_of(path, quarantine)
        quoted = shape.delimiter != "\t" or _is_quoted(path)
        rows = _quoted_rows(path, shape.delimiter, quarantine) if quoted else _plain_rows(path, quarantine)
        first = shape.header
        for line, row in rows:
            if first:
                first = False
            elif len(row) == shape.width:
                yield line, row[shape.query], row[shape.doc]
            else:
                reason = f"{len(row)} columns where the first line has {shape.width}"
                quarantine.reject(path, line, reason, shape.delimiter.join(row))


@contextmanager
def _long_fields() -> Iterator[None]:
    # The limit belongs to the whole process, so it is put back.
    before = csv.field_size_limit(FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _shape_of(path: Path, quarantine: Quarantine) -> Shape:
    best: tuple[float, str, list[str]] = (0.0, "", [])
    for delimiter, quoting in CUTS:
        with open_text(path, newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, quoting=quoting)
            rows = [row for row, _ in zip(reader, range(SAMPLE), strict=False) if row]
        if rows and len(rows[0]) > 1:
            share = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
            best = max(best, (share, delimiter, rows[0]), key=lambda found: found[0])
    _, delimiter, first = best
    if not delimiter:
        raise DataError(
            "E3007",
            f"{path} has no two columns: no tab, comma, semicolon or bar cuts its first line",
            fix="write the query, a tab and the passage on each line",
        )
    names = [cell.strip().lower() for cell in first]
    query, doc = _place(names, QUERY_NAMES), _place(names, DOC_NAMES)
    if (query is None) != (doc is None) and len(set(names)) == len(names):
        wanted = "passage" if doc is None else "query"
        raise DataError(
            "E3007",
            f"{path} has the columns {', '.join(map(repr, first))}; which one is the {wanted}?",
            fix=f"name one column 'query' and one 'passage' in the first line of {path.name}",
            at=f"{path}:1",
        )
    if query is None or doc is None:
        quarantine.note(f"{path.name} has no header with 'query' and 'passage': its first two columns are taken")
        return Shape(delimiter, len(first), 0, 1, header=False)
    if others := [name for place, name in enumerate(first) if place not in (query, doc)]:
        quarantine.note(f"columns of {path.name} that are not used: {', '.join(others)}")
    return Shape(delimiter, len(first), query, doc, header=True)


def _place(names: Sequence[str], known: Sequence[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _is_quoted(path: Path) -> bool:
    # In many TSV files a quotation mark is just a character. Only a file that is correct throughout
    # by the rules of CSV, and uses them, is read by them.
    try:
        with open_text(path, newline="") as file:
            rows = sum(1 for _ in csv.reader(file, delimiter="\t", strict=True))
        with open_text(path, newline="") as file:
            return rows > 0 and any('"' in line for line in file)
    except csv.Error:
        return False


def _plain_rows(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, list[str]]]:
    for number, line in open_lines(path, quarantine):
        yield number, line.split("\t")


def _quoted_rows(path: Path, delimiter: str, quarantine: Quarantine) -> Iterator[tuple[int, list[str]]]:
    with open_text(path, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            start = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                quarantine.seen[str(path)] += 1
                if reader.line_num > start and "unexpected end" in str(error):
                    raise DataError(
                        "E3007",
                        "a quotation mark is opened here and never closed",
                        fix='close it, and write a quotation mark inside a text twice: ""',
                        at=f"{path}:{start}",
                    ) from error
                quarantine.reject(path, start, f"broken quoting: {error}", "")
                continue
            if not any(cell.strip() for cell in row):
                continue
            quarantine.seen[str(path)] += 1
            if any(UNDECODED.search(cell) for cell in row):
                quarantine.reject(path, start, NOT_UTF8, delimiter.join(row))
            else:
                yield start, row
