"""What a path shows at a glance, for telling its format."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from lexitune.errors import DataError
from lexitune.io.formats.hub import HUB
from lexitune.io.formats.records import Look
from lexitune.io.jsonl import ONE_DOCUMENT, check_exists, first_line, is_parquet, open_text, read_json
from lexitune.io.tables import find_cut

__all__ = ["look_at"]


def look_at(path: Path) -> Look:
    """What a path shows at a glance.

    Raises:
        DataError: No such file, or one that is neither text, Parquet nor a workbook.
    """
    if str(path).startswith(HUB):
        return Look(path, "hub")
    if path.is_dir():
        inner = [*path.glob("*"), *path.glob("*/*")]
        return Look(path, "folder", sorted(found.relative_to(path).as_posix() for found in inner))
    check_exists(path)
    if is_parquet(path):
        return Look(path, "parquet", _parquet_names(path))
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PK\x03\x04" and _is_workbook(path):
        return Look(path, "workbook")
    with open_text(path) as lines:
        first = first_line(lines)
    if not first:
        raise DataError("E3003", f"{path} is empty", fix="export it again")
    if first.startswith(("{", "[")):
        return _look_at_json(path, first)
    cut = find_cut(path)
    words = first.split()
    return Look(path, "table", words if cut is None else [cell.strip() for cell in cut.rows[0]], words)


def _look_at_json(path: Path, first: str) -> Look:
    if not ONE_DOCUMENT.match(first):
        try:
            found = json.loads(first)
        except (ValueError, RecursionError):
            found = None
        return Look(path, "jsonl", tuple(found) if isinstance(found, dict) else ())
    found = read_json(path)
    if isinstance(found, dict):
        return Look(path, "json", tuple(found))
    head = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
    return Look(path, "array", tuple(head))


def _parquet_names(path: Path) -> tuple[str, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError("E3008", f"{path} is damaged: {error}", fix="fetch it again") from error


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as packed:
            return "xl/workbook.xml" in packed.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError("E3008", f"{path} is cut short or damaged: {error}", fix="fetch it again") from error
