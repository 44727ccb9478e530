"""Rows: what was measured, one line a run, and never measured again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ROWS", "Row", "add_row", "find_row", "read_rows"]

Row = dict[str, Any]

ROWS = Path(__file__).with_name("rows.jsonl")


def read_rows(path: Path = ROWS) -> list[Row]:
    """All rows, the oldest first."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def find_row(rows: list[Row], key: Mapping[str, Any]) -> Row | None:
    """The newest row that has every value of `key`."""
    return next((row for row in reversed(rows) if all(row.get(name) == value for name, value in key.items())), None)


def add_row(row: Row, path: Path = ROWS) -> Row:
    """Append a row."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    return row
