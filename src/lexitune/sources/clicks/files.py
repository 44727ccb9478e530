"""Log files: what each is, told by its content, and how the database reads it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lexitune.errors import DataError
from lexitune.io.jsonl import check_exists, check_kind
from lexitune.sources.clicks.database import identifier, literal

if TYPE_CHECKING:
    import duckdb

__all__ = ["LINES", "LogFile", "look_at"]

PEEKED = 1 << 18  # bytes
ROWS = 200  # looked at for the names of columns
LONGEST = 1 << 26  # bytes of one line
LINES = "newline_delimited"  # or "array", or "unstructured": so the database calls how records of JSON stand
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log.

    Attributes:
        form: "json", "csv" or "parquet".
        packing: "none", "gzip" or "zstd".
        columns: Names at the top of its first rows.
        layout: How records of JSON stand.
        inside: The key under which each row's own columns stand, as in `{"_index": ..., "_source": {...}}`, or "".
    """

    path: Path
    form: str
    packing: str
    columns: tuple[str, ...]
    inside: str = ""
    layout: str = LINES

    def read(self, columns: dict[str, str]) -> str:
        """SQL for its rows with these columns, each of the type given; of what is not there, NULL.

        A row of JSON that is broken is NULL in all of them. Types other than VARCHAR are for JSON alone.
        """
        path = literal(str(self.path))
        if self.form == "json":
            types = ", ".join(f"{identifier(name)}: {literal(kind)}" for name, kind in columns.items())
            if self.inside:
                fields = ", ".join(f"{identifier(name)} {kind}" for name, kind in columns.items())
                types = f"{identifier(self.inside)}: {literal(f'STRUCT({fields})')}"
            rows = (
                f"read_json({path}, format = '{self.layout}', columns = {{{types}}}, ignore_errors = true, "
                f"compression = '{self.packing}', maximum_object_size = {LONGEST})"
            )
            return f"SELECT {identifier(self.inside)}.* FROM {rows}" if self.inside else f"SELECT * FROM {rows}"
        wanted = ", ".join(
            f"{identifier(name) if name in self.columns else 'NULL'}::VARCHAR AS {identifier(name)}" for name in columns
        )
        return f"SELECT {wanted} FROM {self.table()}"

    def table(self) -> str:
        """SQL for a table as it stands, for CSV and Parquet."""
        path = literal(str(self.path))
        if self.form == "parquet":
            return f"read_parquet({path})"
        return (
            f"read_csv({path}, header = true, all_varchar = true, compression = '{self.packing}', "
            f"store_rejects = true, max_line_size = {LONGEST}, sample_size = 20480)"
        )


def look_at(path: Path, database: duckdb.DuckDBPyConnection) -> LogFile:
    """What a file is, by its first bytes and rows.

    Raises:
        DataError: No such file, nothing in it, or a file that no log is.
    """
    check_exists(path)
    with path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(b"PAR1"):
        found = LogFile(path, "parquet", "none", ())
        return LogFile(path, "parquet", "none", _columns(found, database))
    packing = next((name for start, name in PACKED.items() if magic.startswith(start)), "none")
    start = _start(path, packing)
    check_kind(path, start[:8])
    text = start.decode("utf-8-sig", "replace").lstrip()
    if not text:
        raise DataError("E3003", f"{path} is empty", fix="export the log again")
    if text.startswith(("{", "[")):
        return _json(path, packing, text)
    found = LogFile(path, "csv", packing, ())
    return LogFile(path, "csv", packing, _columns(found, database))


def _start(path: Path, packing: str) -> bytes:
    try:
        with pa.input_stream(str(path), compression=None if packing == "none" else packing) as stream:
            return bytes(stream.read(PEEKED))
    except (OSError, pa.ArrowException) as error:
        raise DataError("E3008", f"{path} is cut short or damaged: {error}", fix="fetch it again") from error


def _columns(file: LogFile, database: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    import duckdb

    try:
        rows = database.sql(f"DESCRIBE SELECT * FROM {file.table()}").fetchall()
    except duckdb.Error as error:
        problem = f"{file.path} cannot be read as {file.form}: {str(error).splitlines()[0]}"
        raise DataError("E3002", problem, fix="save it as CSV with a line of names, JSON lines or Parquet") from error
    return tuple(name for name, *_ in rows)


def _json(path: Path, packing: str, text: str) -> LogFile:
    lines = re.split(r"[\r\n]+", text, maxsplit=ROWS)[:ROWS]
    # With CR as line ends, records stand one after the other, as far as the database knows.
    layout = "array" if text.startswith("[") else "unstructured" if "\r" in text and "\n" not in text else LINES
    rows = [row for row in (_array(text) if layout == "array" else map(_object, lines)) if row]
    if not rows:
        raise DataError(
            "E3002",
            f"{path} begins like JSON, and no line of its first {ROWS} is an object",
            fix="export one object a line",
            at=f"{path}:1",
        )
    inside = "_source" if all(isinstance(row.get("_source"), dict) for row in rows) else ""
    inner: list[Any] = [row[inside] if inside else row for row in rows]
    names = dict.fromkeys(name for row in inner for name in row)
    return LogFile(path, "json", packing, tuple(names), inside, layout)


def _object(line: str) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _array(text: str) -> list[dict[str, object]]:
    decoder, place, rows = json.JSONDecoder(), 1, list[dict[str, object]]()
    while len(rows) < ROWS:
        place += len(text) - place - len(text[place:].lstrip(" \t\r\n,"))
        try:
            row, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            break
        if isinstance(row, dict):
            rows.append(row)
    return rows
