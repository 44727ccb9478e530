"""Rows with named columns, whatever holds them: CSV, TSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.atomic import replacing
from lexitune.io.jsonl import check_exists, first_line, is_parquet, open_text, read_jsonl, write_jsonl
from lexitune.io.quarantine import Quarantine
from lexitune.io.tables import find_cut, rows_below

__all__ = ["Cells", "open_cells", "read_parquet", "write_cells", "write_parquet"]

DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
RISKY = ("=", "+", "-", "@")
SAMPLE = 200  # lines of JSON that are looked at for the names of their keys
BATCH = 1000  # rows of a Parquet file that are taken at once


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows with their numbers. `letters` are the columns of a workbook by name: there ids have to be texts."""

    names: Sequence[str]
    rows: Iterable[tuple[int, Mapping[str, Any]]]
    letters: Mapping[str, str] = field(default_factory=dict)


def open_cells(path: Path, quarantine: Quarantine) -> Cells:
    """Open a table, told by content.

    Raises:
        DataError: No such file, a file of another kind, or a table without a line of names.
    """
    check_exists(path)
    if is_parquet(path):
        return read_parquet([path], quarantine)
    with open_text(path) as lines:
        start = first_line(lines)
    if start.startswith(("{", "[")):
        rows = read_jsonl(path, quarantine)
        sample = list(islice(rows, SAMPLE))  # a key may be missing from the first
        return Cells(list(dict.fromkeys(name for _, row in sample for name in row)), chain(sample, rows))
    return _table(path, quarantine)


def _table(path: Path, quarantine: Quarantine) -> Cells:
    cut = find_cut(path)
    if cut is None:
        with open_text(path) as file:
            empty = not file.read(1 << 16).strip()
        if empty:
            raise DataError("E3003", f"{path} is empty", fix="export it again")
        raise DataError(
            "E3007",
            f"{path} has no two columns: no tab, comma, semicolon or bar cuts its first line",
            fix="write a first line of names, such as query,passage",
        )
    names = [cell.strip() for cell in cut.rows[0]]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        fix = "give each column its own name in the first line"
        raise DataError("E3007", f"two columns of {path} are called '{twice}'", fix=fix, at=f"{path}:1")
    if cut.delimiter != ",":
        quarantine.note(f"{path.name} is cut at {DELIMITERS[cut.delimiter]}: {' | '.join(names)}")
    rows = rows_below(path, cut, quarantine)
    return Cells(names, ((line, dict(zip(names, row, strict=True))) for line, row in rows))


def read_parquet(paths: Sequence[Path], quarantine: Quarantine, *, counted: Path | None = None) -> Cells:
    """Open Parquet files with equal columns as one table.

    Args:
        counted: The path that rows are set aside under; None: each file's own.

    Raises:
        DataError: A file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(paths[0]).names
    except (pa.ArrowException, OSError) as error:
        raise DataError("E3008", f"{paths[0]} is damaged: {error}", fix="fetch it again") from error

    def rows() -> Iterator[tuple[int, Mapping[str, Any]]]:
        for path in paths:
            number = 0
            try:
                for batch in pq.ParquetFile(path).iter_batches(batch_size=BATCH):
                    for row in batch.to_pylist():
                        number += 1
                        quarantine.seen[str(counted or path)] += 1
                        yield number, row
            except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # also a text that is no UTF-8
                raise DataError("E3008", f"{path} is damaged: {error}", fix="fetch it again") from error

    return Cells(names, rows())


def write_cells(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, Any]], *, ending: str = "") -> None:
    """Write CSV, TSV, Parquet or else JSON lines.

    In CSV and TSV a text that a spreadsheet would run as a formula gets a blank before it; our readers take it away.

    Args:
        ending: As of a file's name, ".csv"; "": the path's own.

    Raises:
        StageFailed: The disk is full, or the place cannot be written to.
    """
    ending = ending or path.suffix.lower()
    if ending == ".parquet":
        write_parquet(path, names, rows)
    elif ending in (".csv", ".tsv"):
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            _write_table(file, names, rows, delimiter="\t" if ending == ".tsv" else ",")
    else:
        write_jsonl(path, ({name: row.get(name) for name in names} for row in rows))


def _write_table(file: io.TextIOBase, names: Sequence[str], rows: Iterable[Mapping[str, Any]], delimiter: str) -> None:
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerow([_guarded(name) for name in names])
    for row in rows:
        writer.writerow(["" if row.get(name) is None else _guarded(row[name]) for name in names])


def _guarded(value: Any) -> Any:
    return f" {value}" if isinstance(value, str) and value.startswith(RISKY) else value


def write_parquet(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a Parquet file with these columns.

    Raises:
        StageFailed: The disk is full, or the place cannot be written to.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = list(rows)
    table = pa.table({name: [row.get(name) for row in found] for name in names})
    with replacing(path) as temporary:
        pq.write_table(table, temporary)
