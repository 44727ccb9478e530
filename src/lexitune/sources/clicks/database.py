"""The database that reads logs: DuckDB, within bounds, its spill beside the workspace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lexitune.errors import UsageError
from lexitune.io.atomic import TEMPORARY, remove

if TYPE_CHECKING:
    import duckdb

__all__ = ["identifier", "literal", "log_database"]

MEMORY_MB = 1200


@contextmanager
def log_database(folder: Path, *, memory_mb: int = MEMORY_MB) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in a file of `folder` that is removed in the end; what does not fit in memory goes there.

    Raises:
        UsageError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise UsageError("E2005", "search logs are read by duckdb", fix="pip install 'lexitune[logs]'") from error
    place = folder / f"{TEMPORARY}logs"
    remove(place)
    place.mkdir(parents=True)
    try:
        with duckdb.connect(str(place / "logs.duckdb")) as database:
            database.execute(f"SET memory_limit = '{memory_mb}MB'")
            database.execute(f"SET temp_directory = {literal(str(place / 'spill'))}")
            database.execute("SET preserve_insertion_order = false")
            database.execute("SET TimeZone = 'UTC'")
            database.execute("SET enable_progress_bar = false")
            yield database
    finally:
        remove(place)


def literal(text: str) -> str:
    """A text as SQL writes it.

    Example:
        >>> literal("it's")
        "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column's name as SQL writes it: in quotation marks, those inside it twice."""
    return '"' + name.replace('"', '""') + '"'
