"""Rows: what was measured, one line a run, and never measured again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Row", "add_row", "find_row", "read_rows"]

Row = dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """All rows, the oldest first."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def find_row(rows: list[Row], key: Mapping[str, Any]) -> Row | None:
    """The newest row that has every value of `key`."""
    return next((row for row in reversed(rows) if all(row.get(name) == value for name, value in key.items())), None)


def add_row(row: Row, path: Path) -> Row:
    """Append a row, and give it back."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    return row
