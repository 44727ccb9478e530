"""Tables as text: which delimiter cuts a file, and its rows, whatever spreadsheet wrote them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Literal

from lexitune.errors import DataError
from lexitune.io.jsonl import UNDECODED, bounded, open_lines, open_text
from lexitune.io.quarantine import NOT_UTF8, Quarantine

__all__ = ["CUTS", "TABS", "Cut", "find_cut", "place_of", "read_rows", "rows_below"]

Cuts = Sequence[tuple[str, Literal[0, 3]]]
TABS: Cuts = (("\t", csv.QUOTE_NONE), ("\t", csv.QUOTE_MINIMAL))
# In this order: of two that cut equally evenly, the first is taken.
CUTS: Cuts = (*TABS, (",", csv.QUOTE_MINIMAL), (";", csv.QUOTE_MINIMAL), ("|", csv.QUOTE_MINIMAL))
SAMPLE = 200  # records looked at to find the delimiter
FIELD_LIMIT = 1 << 26  # characters; the csv module's own limit would refuse a long passage


@dataclass(frozen=True, slots=True)
class Cut:
    """How a file is cut into columns, and its first rows, one at least, for who must tell what the columns are."""

    delimiter: str
    rows: Sequence[Sequence[str]]

    @property
    def names(self) -> list[str]:
        """The first row as the names of columns would be compared."""
        return [cell.strip().lower() for cell in self.rows[0]]


def find_cut(path: Path, cuts: Cuts = CUTS) -> Cut | None:
    """The delimiter that gives the same number of columns in most rows; None where none cuts the first row in two.

    Raises:
        DataError: No such file, or a file of another kind.
    """
    best, most = None, 0.0
    with _long_fields():
        for delimiter, quoting in cuts:
            with open_text(path, newline="") as file:
                reader, rows = csv.reader(_start(file), delimiter=delimiter, quoting=quoting), list[list[str]]()
                with suppress(csv.Error):  # a cell beyond the limit: who reads the rows sets it aside
                    for row in islice(reader, SAMPLE):
                        rows += [row] if row else []
            if rows and len(rows[0]) > 1:
                share = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
                if share > most:
                    best, most = Cut(delimiter, rows), share
    return best


def _start(file: IO[str]) -> Iterator[str]:
    """Lines until they are as long as one cell may be: what unpacks to more is not all looked at."""
    length = 0
    for line in bounded(file):
        yield line
        length += len(line)
        if length >= FIELD_LIMIT:
            return


def rows_below(path: Path, cut: Cut, quarantine: Quarantine) -> Iterator[tuple[int, list[str]]]:
    """Rows as of `read_rows`, below the line of names.

    Raises:
        DataError: As there; or the line of names holds bytes that are no UTF-8, or broken quotation marks.
    """
    rows = read_rows(path, cut, quarantine)
    head = next(rows, None)
    if head is None or _bare(head[1]) != _bare(cut.rows[0]):
        problem = (
            f"the line of names of {path} cannot be read: its bytes are no UTF-8, or its quotation marks are broken"
        )
        raise DataError("E3007", problem, fix="mend its first line", at=f"{path}:1")
    quarantine.seen[str(path)] -= 1  # names are no row
    return rows


def _bare(names: Sequence[str]) -> list[str]:
    return [name.strip().strip('"') for name in names]


def read_rows(path: Path, cut: Cut, quarantine: Quarantine) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row that is not blank; one that is not as wide as the first of the cut is set aside.

    Raises:
        DataError: No such file, a file of another kind, or a quotation mark that is never closed.
    """
    with _long_fields():
        quoted = cut.delimiter != "\t" or _is_quoted(path)
        rows = _quoted_rows(path, cut.delimiter, quarantine) if quoted else _plain_rows(path, quarantine)
        width = len(cut.rows[0])
        for line, row in rows:
            if len(row) == width:
                yield line, row
            else:
                reason = f"{len(row)} columns where the first line has {width}"
                quarantine.reject(path, line, reason, cut.delimiter.join(row))


def place_of(names: Sequence[str], known: Sequence[str]) -> int | None:
    """Where among the names the first of the known ones stands; None: it holds none of them."""
    return next((names.index(name) for name in known if name in names), None)


@contextmanager
def _long_fields() -> Iterator[None]:
    # The limit belongs to the whole process, so it is put back.
    before = csv.field_size_limit(FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _is_quoted(path: Path) -> bool:
    # In many TSV files a quotation mark is just a character. Only a file that is correct throughout
    # by the rules of CSV, and uses them, is read by them.
    try:
        with open_text(path, newline="") as file:
            rows = sum(1 for _ in csv.reader(bounded(file), delimiter="\t", strict=True))
        with open_text(path, newline="") as file:
            return rows > 0 and any('"' in line for line in bounded(file))
    except csv.Error:
        return False


def _plain_rows(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, list[str]]]:
    for number, line in open_lines(path, quarantine):
        yield number, line.split("\t")


def _quoted_rows(path: Path, delimiter: str, quarantine: Quarantine) -> Iterator[tuple[int, list[str]]]:
    with open_text(path, newline="") as file:
        reader = csv.reader(bounded(file), delimiter=delimiter, strict=True)
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
