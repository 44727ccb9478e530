"""Pairs of query and passage from a table or JSON lines: what users have when they have no ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lexitune.errors import DataError
from lexitune.io.jsonl import first_line, open_text, read_jsonl
from lexitune.io.quarantine import Quarantine
from lexitune.io.tables import Cut, find_cut, place_of, read_rows, rows_below

__all__ = ["DOC_NAMES", "QUERY_NAMES", "read_pairs"]

QUERY_NAMES = ("query", "question", "anchor")
DOC_NAMES = ("passage", "doc", "document", "positive", "text", "answer")

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
        start = first_line(file)
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

    cut: Cut
    query: int
    doc: int
    header: bool


def _from_table(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, str, str]]:
    shape = _shape_of(path, quarantine)
    for line, row in (rows_below if shape.header else read_rows)(path, shape.cut, quarantine):
        yield line, row[shape.query], row[shape.doc]


def _shape_of(path: Path, quarantine: Quarantine) -> Shape:
    cut = find_cut(path)
    if cut is None:
        raise DataError(
            "E3007",
            f"{path} has no two columns: no tab, comma, semicolon or bar cuts its first line",
            fix="write the query, a tab and the passage on each line",
        )
    first, names = cut.rows[0], cut.names
    query, doc = place_of(names, QUERY_NAMES), place_of(names, DOC_NAMES)
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
        return Shape(cut, 0, 1, header=False)
    if others := [name for place, name in enumerate(first) if place not in (query, doc)]:
        quarantine.note(f"columns of {path.name} that are not used: {', '.join(others)}")
    return Shape(cut, query, doc, header=True)
