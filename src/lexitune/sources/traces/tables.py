"""Exports as tables, Parquet or CSV: a record a row, in the columns that the program's JSON has as keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from lexitune.io.formats.cells import open_cells
from lexitune.io.jsonl import check_exists, first_line, is_parquet, open_text
from lexitune.io.quarantine import Quarantine

__all__ = ["is_table", "read_table"]

NUMBERS = ("value", "score", "result.score")  # in a CSV all cells are texts
AS_PYTHON = ("{'", "[{'", "{\"'", "[array(", "array(")  # what pandas makes of a list or mapping in a CSV


def is_table(path: Path) -> bool:
    """Whether a file is no JSON, but may be a table.

    Raises:
        DataError: No such file, or one that is neither text nor Parquet.
    """
    check_exists(path)
    if is_parquet(path):
        return True
    with open_text(path) as lines:
        start = first_line(lines)
    return bool(start) and not start.startswith(("{", "["))


def read_table(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line and record of each row; cells that are empty are None. A row that cannot be used is set aside.

    Raises:
        DataError: A damaged file, or a table without a line of names.
    """
    for line, row in open_cells(path, quarantine).rows:
        try:
            yield line, {name: _cell(name, value) for name, value in row.items()}
        except ValueError as error:
            quarantine.reject(path, line, str(error), "")


def _cell(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return _plain(value)
    if value.startswith(AS_PYTHON):
        raise ValueError(f"'{name}' is written as Python does, not as JSON: export the table as Parquet")
    if name in NUMBERS:
        try:
            return float(value)
        except ValueError:
            pass
    return value or None


def _plain(value: Any) -> Any:
    """A value of a typed column as JSON would have it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(one, tuple) and len(one) == 2 for one in value):  # a map, as Parquet types it
            return {str(key): _plain(one) for key, one in value}
        return [_plain(one) for one in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
